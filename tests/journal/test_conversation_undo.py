"""What happened in conversations is undone by appending, and done again (law 8)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest
from muniment.domain import (
    CATALOGUE,
    ConfigChanges,
    ConversationConfig,
    CreatorVote,
    DeadlineKind,
    LaterEventDepends,
    NotCompensable,
    Phase,
    ProposalRequest,
    compensation,
)
from muniment.domain.conversation import ConversationState
from muniment.journal import Journal

from ..conftest import Clock
from ..domain.conversation_facts import ADD, BROKEN, DEADLOCK, ELECTION
from .conversation_stories import REMOVE_ALICE, approved, member, newcomer, phase_of

STREAM = "conversation-c"
Act = Callable[[Journal], Any]


def folded(journal: Journal, through: int | None = None) -> ConversationState:
    """What the conversation's events add up to, up to a version of its stream."""
    state = ConversationState("c")
    for record in list(journal.read_stream(STREAM))[:through]:
        state.apply(record.event)
    return state


def standing(state: ConversationState) -> dict[str, Any]:
    """Where a conversation stands."""
    found = {field.name: getattr(state.standing(), field.name) for field in fields(state.standing())}
    counts = ("phase", "anchor", "mode", "retries", "proposals", "own_elections", "emergencies", "approved")
    found["counts"] = {name: getattr(state.situation, name) for name in counts}
    # What is due with the next tick is due since the last event, whichever that is.
    at_once = (DeadlineKind.ANCHORING, DeadlineKind.SELECTION)
    found["deadlines"] = sorted(each._replace(due_at=0) if each.kind in at_once else each for each in state.deadlines())
    return found


def version(journal: Journal) -> int:
    return len(list(journal.read_stream(STREAM)))


def check_sound(journal: Journal) -> None:
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def removed(journal: Journal) -> None:
    create(journal)
    journal.conversations.remove("c", now=9)


def waiting(journal: Journal) -> None:
    member(journal)
    approved(journal)


def anchored(journal: Journal) -> None:
    waiting(journal)
    journal.conversations.tick(0)


def opened(journal: Journal) -> None:
    member(journal)
    journal.conversations.open_proposal("c", 1, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=0)


def recovering(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 8, DEADLOCK, creator="carol", voters=3, now=0)
    journal.conversations.approve("c", 8, now=0)
    journal.conversations.tick(30_000)
    journal.conversations.receive_proposal("c", 9, ELECTION, creator="carol", voters=3, now=30_000)


def electing(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 9, ELECTION, creator="carol", voters=3, now=0)


def accusing(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 9, BROKEN, creator="carol", voters=3, now=0)


def create(journal: Journal) -> None:
    journal.conversations.create("c", "alice", ConversationConfig(freeze_ms=7), now=5)


# The events that are undone at once, after what was there before, and what is done; the last event is of the type.
SINGLE: dict[str, tuple[Act, Act]] = {
    "conversation.opened": (lambda journal: None, create),
    "conversation.opened, again": (
        removed,
        lambda journal: journal.conversations.join("c", "alice", now=9),
    ),
    "conversation.config_synced": (
        newcomer,
        lambda journal: journal.conversations.sync_config("c", ConfigChanges(commit_inactivity_ms=9), epoch=5, now=1),
    ),
    "conversation.phase_changed": (anchored, lambda journal: journal.conversations.tick(60_000)),
    "conversation.phase_timer_anchored": (
        waiting,
        lambda journal: journal.conversations.tick(7),
    ),
    "conversation.operating_mode_changed": (
        recovering,
        lambda journal: journal.conversations.accept_election("c", 9, ["carol"], now=40_000),
    ),
    "conversation.election_retries_changed": (electing, lambda journal: journal.conversations.reject("c", 9, now=1)),
    "conversation.steward_list_installed": (
        member,
        lambda journal: journal.conversations.install_stewards("c", ["carol"], now=1),
    ),
    "conversation.steward_list_installed, first": (
        create,
        lambda journal: journal.conversations.install_stewards("c", ["alice"], now=6),
    ),
    "conversation.score_changed": (accusing, lambda journal: journal.conversations.reject("c", 9, now=1)),
    "conversation.proposal_received": (
        member,
        lambda journal: journal.conversations.receive_proposal("c", 3, REMOVE_ALICE, creator="alice", voters=1, now=0),
    ),
    "conversation.auto_vote_scheduled": (
        opened,
        lambda journal: journal.conversations.schedule_auto_vote("c", 1, False, delay_ms=77, now=2),
    ),
    "conversation.auto_vote_cancelled": (opened, lambda journal: journal.conversations.cancel_auto_vote("c", 1, now=2)),
    "conversation.consensus_timeout_scheduled": (
        opened,
        lambda journal: journal.conversations.schedule_timeout("c", 1, delay_ms=77, now=2),
    ),
    "conversation.consensus_timeout_cancelled": (
        opened,
        lambda journal: journal.conversations.cancel_timeout("c", 1, now=2),
    ),
}

# What is undone together with what came with it.
TOGETHER: dict[str, tuple[Act, Act]] = {
    "conversation.proposal_opened": (
        member,
        lambda journal: journal.conversations.open_proposal(
            "c", 1, ELECTION, voters=3, creator_vote=CreatorVote.DEFERRED, now=3
        ),
    ),
    "conversation.proposal_received": (
        member,
        lambda journal: journal.conversations.receive_proposal("c", 1, BROKEN, creator="bob", voters=3, now=3),
    ),
    "conversation.freeze_round_opened": (anchored, lambda journal: journal.conversations.tick(60_000)),
}


@pytest.mark.parametrize("story", SINGLE)
def test_what_stood_before_an_event_stands_after_its_revert(story: str, clock: Clock) -> None:
    before, act = SINGLE[story]
    with Journal.open("memory://", clock=clock) as journal:
        before(journal)
        act(journal)
        head = journal.head()
        assert journal.record(head).type == f"{story.partition(',')[0]}.v1"
        was, happened = standing(folded(journal, version(journal) - 1)), standing(folded(journal))

        plan = journal.revert(head)
        assert standing(folded(journal)) == was
        assert journal.record(plan.positions[0]).metadata.compensates == (journal.record(head).id,)
        check_sound(journal)

        again = journal.revert(plan.positions[0])
        assert standing(folded(journal)) == happened
        check_sound(journal)
        journal.revert(again.positions[0])
        assert standing(folded(journal)) == was
        check_sound(journal)


@pytest.mark.parametrize("story", TOGETHER)
def test_what_stood_before_a_command_stands_after_its_rollback(story: str, clock: Clock) -> None:
    before, act = TOGETHER[story]
    with Journal.open("memory://", clock=clock) as journal:
        before(journal)
        start, was = version(journal), standing(folded(journal))
        act(journal)
        end, happened = version(journal), standing(folded(journal))
        types = [record.type for record in journal.read_stream(STREAM)][start:]
        assert f"{story}.v1" in types
        journal.rollback(STREAM, start)
        assert standing(folded(journal)) == was
        check_sound(journal)
        journal.rollback(STREAM, end)
        assert standing(folded(journal)) == happened
        check_sound(journal)


def test_the_stories_cover_every_type_that_can_be_undone() -> None:
    of_conversations = {name: cls for name, cls in CATALOGUE.types().items() if name.startswith("conversation.")}
    undoable = {name for name, cls in of_conversations.items() if compensation.RULES[cls].compensate is not None}
    undone = {f"{story.partition(',')[0]}.v1" for story in SINGLE | TOGETHER}
    made_by_undoing = {
        "conversation.freeze_round_withdrawn.v1",
        "conversation.proposal_withdrawn.v1",
        "conversation.withdrawn.v1",
    }
    assert undone | made_by_undoing == undoable


def test_a_phase_change_goes_back_with_the_anchor_it_had(journal: Journal) -> None:
    anchored(journal)
    journal.conversations.tick(60_000)
    frozen = journal.head()
    assert (phase_of(journal), journal.conversations["c"].anchor) == (Phase.FREEZING, 60_000)
    journal.revert(frozen)
    assert (phase_of(journal), journal.conversations["c"].anchor) == (Phase.WORKING, 0)
    # What was overdue is overdue, and is done at the next tick.
    journal.conversations.tick(61_000)
    assert (phase_of(journal), journal.conversations["c"].anchor) == (Phase.FREEZING, 61_000)
    check_sound(journal)


def test_a_vote_that_was_fired_stays(journal: Journal) -> None:
    opened(journal)
    start = version(journal)
    journal.conversations.tick(10_000)
    head = journal.head()
    for position in (head - 1, head):
        with pytest.raises(NotCompensable, match=r"stays cast|has passed"):
            journal.revert(position)
    with pytest.raises(NotCompensable):
        journal.rollback(STREAM, start)
    assert journal.head() == head


def test_a_proposal_that_was_voted_on_stays(journal: Journal) -> None:
    opened(journal)
    journal.conversations.receive_vote("c", 1, "bob", True, now=1)
    (opening,) = [record for record in journal.read() if record.type == "conversation.proposal_opened.v1"]
    with pytest.raises(LaterEventDepends):
        journal.revert(opening.position)


def test_nothing_of_what_the_group_knows_is_undone(journal: Journal) -> None:
    anchored(journal)
    journal.conversations.buffer_candidate("c", "h-1", "bob", proposals=1, now=1)
    journal.conversations.commit_applied("c", "h-1", "bob", now=2)
    journal.conversations.leave("c", now=3)
    journal.conversations.removed_by_commit("c", "h-2", "bob", now=4)
    journal.conversations.remove("c", now=5)
    stays = {name for name, cls in CATALOGUE.types().items() if compensation.RULES[cls].compensate is None}
    refused = set()
    for record in list(journal.read()):
        if record.type in stays:
            with pytest.raises(NotCompensable) as caught:
                journal.revert(record.position)
            assert caught.value.reason
            refused.add(record.type.removeprefix("conversation.").removesuffix(".v1"))
    assert refused >= {
        "member_joined",
        "candidate_buffered",
        "freeze_round_finalized",
        "commit_applied",
        "consensus_resolved",
        "proposal_approved",
        "member_leaving",
        "removed",
        "vote_cast",
    }


@pytest.mark.parametrize("cause", ["joined", "no_commit", "nothing_approved", "commit_applied"])
def test_a_phase_change_that_follows_from_what_stays_stays(cause: str, journal: Journal) -> None:
    if cause == "nothing_approved":
        recovering(journal)
    else:
        anchored(journal)
        if cause == "commit_applied":
            journal.conversations.commit_applied("c", "h-1", "bob", now=2)
        elif cause == "no_commit":
            journal.conversations.tick(60_000)
            journal.conversations.tick(90_000)
    (change,) = [each for each in journal.read() if getattr(each.event, "cause", None) == cause]
    head = journal.head()
    with pytest.raises(NotCompensable, match=r"the group knows|over is over"):
        journal.revert(change.position)
    assert journal.head() == head


def test_an_election_whose_list_was_taken_back_is_accepted_again(journal: Journal) -> None:
    electing(journal)
    journal.conversations.accept_election("c", 9, ["carol"], now=1)
    (installed,) = [each for each in journal.read() if getattr(each.event, "steward_list", None) is not None][1:]
    plan = journal.revert(installed.position)
    assert journal.conversations["c"].stewards == 2
    journal.revert(plan.positions[0])
    assert journal.conversations["c"].stewards == 1
    # It holds again, so that accepting it again changes nothing; taken back again, it does.
    head = journal.head()
    journal.conversations.accept_election("c", 9, ["carol"], now=2)
    assert journal.head() == head
    journal.revert(head)
    journal.conversations.accept_election("c", 9, ["carol"], now=3)
    assert journal.conversations["c"].stewards == 1


def test_no_deadline_comes_back_for_what_is_gone_resolved_or_voted_on(journal: Journal) -> None:
    opened(journal)
    journal.conversations.vote("c", 1, True, now=1)
    with pytest.raises(NotCompensable, match="ended by itself"):
        journal.revert(journal.head() - 1)
    journal.conversations.reject("c", 1, now=2)
    with pytest.raises(NotCompensable, match="ended by itself"):
        journal.revert(journal.head())
    assert [each.type for each in journal.read() if "cancelled" in each.type] == [
        "conversation.auto_vote_cancelled.v1",
        "conversation.consensus_timeout_cancelled.v1",
    ]
    # And none of a proposal that was withdrawn.
    journal.conversations.receive_proposal("c", 2, ADD, creator="bob", voters=3, now=3)
    start = version(journal) - 2
    journal.conversations.cancel_auto_vote("c", 2, now=4)
    plan = journal.rollback(STREAM, start)
    assert journal.conversations["c"].proposals == 0
    with pytest.raises(LaterEventDepends):
        journal.revert(plan.positions[1])
    check_sound(journal)


def test_a_round_of_an_epoch_that_is_over_does_not_come_back(journal: Journal) -> None:
    anchored(journal)
    journal.conversations.tick(60_000)
    plan = journal.rollback(STREAM, version(journal) - 2)
    assert [step.event.type for step in plan.steps][1] == "conversation.freeze_round_withdrawn.v1"
    journal.conversations.commit_applied("c", "h-1", "bob", now=60_001)
    with pytest.raises(LaterEventDepends):
        journal.revert(plan.positions[1])


def test_a_score_that_is_taken_back_to_the_first_is_none(journal: Journal) -> None:
    accusing(journal)
    journal.conversations.reject("c", 9, now=1)
    assert journal.conversations.state("c").scores == {"carol": 50}
    journal.revert(journal.head())
    assert journal.conversations.state("c").scores == {}


def test_taking_back_a_reward_says_when_a_member_comes_down(journal: Journal) -> None:
    member(journal)
    for number in (9, 10, 11):
        journal.conversations.receive_proposal("c", number, BROKEN, creator="carol", voters=3, now=2)
        if number < 11:
            journal.conversations.reject("c", number, now=2)
    journal.conversations.approve("c", 11, now=2)
    assert journal.conversations.state("c").scores == {"carol": 20, "bob": 50}
    journal.revert(journal.head() - 1)
    event: Any = journal.record(journal.head()).event
    assert (event.member, event.score, event.crossed_down) == ("carol", 0, True)


def test_a_withdrawn_conversation_is_in_no_mapping_and_in_no_ticks_way(journal: Journal) -> None:
    journal.conversations.create("b", "alice", now=0)
    journal.conversations.open_proposal("b", 1, ADD, voters=1, now=100)
    journal.conversations.create("c", "alice", now=1_000)
    journal.revert(journal.head())
    assert list(journal.conversations) == ["b"]
    assert ("c" in journal.conversations, len(journal.conversations)) == (False, 1)
    # Also for a clock that is behind the last event of the one that is gone.
    assert journal.conversations.next_wakeup(500) == 0
    assert set(journal.conversations.tick(500)) == {"b"}
    journal.conversations.join("c", "alice", now=1_000)
    assert (journal.conversations["c"].incarnation, journal.conversations["c"].role) == (2, "joiner")


def test_undoing_a_second_opening_leaves_what_was_removed(journal: Journal) -> None:
    removed(journal)
    before = journal.conversations["c"]
    journal.conversations.join("c", "alice", now=9)
    journal.revert(journal.head())
    after = journal.conversations["c"]
    assert after._replace(incarnation=1, since=before.since) == before
    assert (after.life, after.role, after.reason) == ("removed", "creator", "self_leave")


def test_a_withdrawn_conversation_can_be_created_anew(journal: Journal) -> None:
    create(journal)
    journal.revert(1)
    assert "c" not in journal.conversations
    create(journal)
    assert journal.conversations["c"].incarnation == 2
    check_sound(journal)


def test_mere_records_are_in_no_rollbacks_way(journal: Journal) -> None:
    member(journal)
    start = version(journal)
    journal.conversations.report_failure("c", "send", "no route", now=1)
    journal.conversations.install_stewards("c", ["carol"], now=2)
    plan = journal.rollback(STREAM, start)
    assert [step.undone.type for step in plan.steps] == ["conversation.steward_list_installed.v1"]


def come_and_go(journal: Journal, kind: str) -> None:
    if kind == "vote":
        journal.conversations.schedule_auto_vote("c", 1, True, delay_ms=5, now=1)
        journal.conversations.cancel_auto_vote("c", 1, now=2)
    else:
        journal.conversations.schedule_timeout("c", 1, delay_ms=5, now=1)
        journal.conversations.cancel_timeout("c", 1, now=2)


def come_twice(journal: Journal, kind: str) -> None:
    for delay in (5, 50):
        if kind == "vote":
            journal.conversations.schedule_auto_vote("c", 1, True, delay_ms=delay, now=1)
        else:
            journal.conversations.schedule_timeout("c", 1, delay_ms=delay, now=1)


@pytest.mark.parametrize("in_saga", [True, False])
@pytest.mark.parametrize("act", [come_and_go, come_twice])
@pytest.mark.parametrize("kind", ["vote", "timeout"])
@pytest.mark.parametrize("is_resolved", [True, False])
def test_undoing_leaves_no_deadline_of_what_is_over_and_breaks_no_law(
    is_resolved: bool, kind: str, act: Callable[[Journal, str], None], in_saga: bool, journal: Journal
) -> None:
    member(journal)
    if is_resolved:
        approved(journal)
    else:
        # It is voted on, and this member has voted.
        journal.conversations.receive_proposal("c", 1, ADD, creator="carol", voters=9, now=0)
        journal.conversations.vote("c", 1, True, now=0)
    start = version(journal)
    if in_saga:
        with suppress(ZeroDivisionError), journal.saga("s"):
            act(journal, kind)
            raise ZeroDivisionError
        assert journal.sagas.unfinished() == {}
    else:
        act(journal, kind)
        journal.rollback(STREAM, start)
    assert [each for each in journal.deadlines if each.deadline.proposal_id is not None] == []
    check_sound(journal)


@pytest.mark.parametrize("kind", ["vote", "timeout"])
def test_a_deadline_of_what_is_over_gives_way_to_the_one_that_it_replaced(journal: Journal, kind: str) -> None:
    member(journal)
    approved(journal)
    come_twice(journal, kind)
    journal.revert(journal.head())
    assert [each.deadline.due_at for each in journal.deadlines if each.deadline.proposal_id is not None] == [6]
    check_sound(journal)


def test_a_vote_that_was_due_beside_a_cast_one_is_given_back(journal: Journal) -> None:
    team = journal.conversations
    team.create("c", "me", now=0)
    team.open_proposal("c", 1, ProposalRequest.add_member("x"), voters=3, now=0)
    team.schedule_auto_vote("c", 1, True, delay_ms=5, now=10)
    before = team["c"].deadlines
    team.schedule_auto_vote("c", 1, False, delay_ms=9, now=10)
    journal.revert(journal.head())
    assert team["c"].deadlines == before
