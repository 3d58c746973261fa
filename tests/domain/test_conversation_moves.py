"""A host that drives the phases by itself moves them by hand, along the rules and no further (de-mls 1.2, 1.3, 6.2)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from muniment.domain import (
    ConversationEnded,
    ConversationNotFound,
    IllegalMove,
    LeaveReason,
    Phase,
    conversation,
)
from muniment.domain.conversation import (
    MOVES,
    TRANSITIONS,
    AnchorAction,
    Cause,
    ConversationRemoved,
    MemberJoined,
    MemberLeaving,
    PhaseChanged,
    PhaseTimerAnchored,
    move,
    moves_from,
)
from muniment.journal.testing import given_conversation

from .conversation_facts import (
    ADD,
    CREATED,
    IN_PHASE,
    JOINING,
    MEMBER,
    approved,
    auto_vote,
    proposal,
    received,
    timeout,
)

# From which phase to which, and what becomes of the anchor there.
LEGAL = {
    ("pending_join", "working"): "clear",
    ("working", "working"): "clear",
    ("freezing", "working"): "clear",
    ("selection", "working"): "clear",
    ("reelection", "working"): "clear",
    ("working", "freezing"): "set",
    ("reelection", "freezing"): "set",
    ("freezing", "selection"): "keep",
    ("selection", "reelection"): "clear",
}


@pytest.mark.parametrize(("phase", "target"), list(product(Phase, Phase)))
def test_what_can_be_entered_from_where(phase: Phase, target: Phase) -> None:
    begin = given_conversation(*IN_PHASE[phase])
    anchor = begin.state.situation.anchor
    command = begin.when(conversation.enter, target, 50_000)
    action = LEGAL.get((phase, target))
    if action is None:
        command.refused(IllegalMove, conversation_id="c", phase=phase, target=target, legal=moves_from(phase))
        return
    now = {"set": 50_000, "clear": None, "keep": anchor}[action]
    if phase is target:
        assert anchor is None
        command.then()
        return
    command.then(
        PhaseChanged("c", 50_000, phase, target, Cause.BY_HAND, AnchorAction(action), now, previous_anchor=anchor)
    )


def test_the_moves_are_those_of_the_one_table_of_phases() -> None:
    edges = {(previous, row.phase): row.anchor for row in TRANSITIONS for previous in row.previous}
    moves = {(previous, each.phase): each.anchor for each in MOVES.values() for previous in each.previous}
    assert moves == edges == LEGAL
    assert {each.call: each.anchor for each in MOVES.values()} == {
        "start_working": "clear",
        "force_freezing": "set",
        "start_selection": "keep",
        "start_reelection": "clear",
    }
    assert move(None, Phase.WORKING) is None
    assert moves_from(None) == ()


def test_scenario_10_one_after_the_other() -> None:
    events: list[Any] = list(MEMBER)
    for number, phase in enumerate((Phase.FREEZING, Phase.SELECTION, Phase.REELECTION, Phase.WORKING), 1):
        events += given_conversation(*events).when(conversation.enter, phase, number).accepted()
        assert given_conversation(*events).state.situation.phase is phase


@pytest.mark.parametrize("phase", [Phase.FREEZING, Phase.SELECTION])
def test_scenario_13_a_freeze_is_not_begun_again(phase: Phase) -> None:
    given_conversation(*IN_PHASE[phase]).when(conversation.enter, Phase.FREEZING, 9).refused(IllegalMove)


def test_a_refusal_names_what_is_legal() -> None:
    with pytest.raises(IllegalMove, match=r"is selection, from where nothing leads to freezing; .* working and reelec"):
        conversation.enter(given_conversation(*IN_PHASE[Phase.SELECTION]).state, Phase.FREEZING, 9)


def test_to_begin_working_again_starts_the_wait_for_a_commit_anew() -> None:
    waiting = (*MEMBER, approved(), PhaseTimerAnchored("c", 100, Phase.WORKING, 1, 60_000))
    changed = PhaseChanged(
        "c", 200, Phase.WORKING, Phase.WORKING, Cause.BY_HAND, AnchorAction.CLEAR, None, 100, approved=1
    )
    given_conversation(*waiting).when(conversation.enter, Phase.WORKING, 200).then(changed)
    again = given_conversation(*waiting, changed)
    again.when(conversation.enter, Phase.WORKING, 300).then()
    again.when(conversation.tick, 200).then(PhaseTimerAnchored("c", 200, Phase.WORKING, 1, 60_000))


def test_deadlines_of_votes_and_what_is_approved_stay() -> None:
    before = given_conversation(*MEMBER, received(), auto_vote(), timeout(), approved())
    after = given_conversation(
        *MEMBER,
        received(),
        auto_vote(),
        timeout(),
        approved(),
        *before.when(conversation.enter, Phase.FREEZING, 5).accepted(),
    )
    for name in ("proposals", "auto_votes", "timeouts", "approved", "freeze_round", "scores"):
        assert getattr(after.state, name) == getattr(before.state, name)
    assert after.state.situation.mode is before.state.situation.mode
    # The freeze counts from the move.
    assert conversation.phase_deadline(after.state.situation) == (30_005, "freeze", None, 30_000, None)


def test_a_selection_that_was_begun_by_hand_ends_as_any_does() -> None:
    events: list[Any] = [*MEMBER, approved()]
    for phase in (Phase.FREEZING, Phase.SELECTION):
        events += given_conversation(*events).when(conversation.enter, phase, 5).accepted()
    given_conversation(*events).when(conversation.tick, 10**9).then()
    ended = given_conversation(*events).when(conversation.no_commit_found, (), 9).accepted()
    # What was approved when it began counts, and it was bob's turn.
    assert [each.type for each in ended] == ["conversation.score_changed.v1", "conversation.phase_changed.v1"]
    assert ended[-1].outcome is Phase.REELECTION


def test_a_joiner_that_was_moved_on_by_hand_is_told_of_the_group_later() -> None:
    moved = given_conversation(JOINING).when(conversation.enter, Phase.WORKING, 5).accepted()
    group = frozenset({"alice", "bob"})
    joined = given_conversation(JOINING, *moved)
    joined.when(conversation.joined, 7, frozenset({"bob"}), 9).then(MemberJoined("c", 9, 7, group))
    told = given_conversation(JOINING, *moved, MemberJoined("c", 9, 7, group))
    told.when(conversation.joined, 8, frozenset({"bob"}), 10).then()
    # Who created the group is in it.
    given_conversation(CREATED).when(conversation.joined, 7, frozenset({"bob"}), 9).then()


def test_nothing_is_entered_where_nothing_is_done() -> None:
    given_conversation().when(conversation.enter, Phase.WORKING, 0).refused(ConversationNotFound)
    leaving = (CREATED, MemberLeaving("c", 0, LeaveReason.REMOVED, (proposal(1, ADD),)))
    given_conversation(*leaving).when(conversation.enter, Phase.WORKING, 0).refused(ConversationEnded)
    removed = ConversationRemoved("c", 0, LeaveReason.REMOVED)
    given_conversation(*leaving, removed).when(conversation.tell, "app", "x", 0).refused(ConversationEnded)
