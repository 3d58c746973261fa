"""What holds of every conversation, whatever was asked for and whatever the clock said (de-mls 5.6; law 10)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import (
    AlreadyCompensated,
    ApprovedRequest,
    ConversationConfig,
    DeadlineKind,
    Event,
    LaterEventDepends,
    NotCompensable,
    Outcome,
    Phase,
    Proposal,
    ProposalKind,
    ProposalRequest,
    RecordedEvent,
    accept,
)
from muniment.domain.conversation import (
    TRANSITIONS,
    AnchorAction,
    AutoVoteCancelled,
    AutoVoteFired,
    AutoVoteScheduled,
    CancelReason,
    Cause,
    ConsensusResolved,
    ConsensusTimeoutCancelled,
    ConsensusTimeoutFired,
    ConsensusTimeoutScheduled,
    ConversationOpened,
    ConversationState,
    LeaveReason,
    Life,
    MemberLeaving,
    PendingJoinExpired,
    PhaseChanged,
    PhaseTimerAnchored,
    ProposalApproved,
    ProposalOpened,
    ProposalReceived,
    ResolvedVia,
    Role,
    StewardListInstalled,
    move,
    next_wakeup,
    self_leave_id,
    tick,
)
from muniment.journal import Journal

from ..conftest import Clock
from ..conversation_sequences import COMMANDS, Command, begin, give
from ..drawing import drawn
from .test_conversation_undo import STREAM, standing

SWITCHES = st.integers(0, 15)
EDGES = {(previous, row.cause, row.phase, row.anchor) for row in TRANSITIONS for previous in row.previous}


def timed(commands: list[Command]) -> Iterator[tuple[Command, int]]:
    """Each command with the time that its caller's clock shows."""
    now = 0
    for command in commands:
        now = max(0, now + command.passed)
        yield command, now


def check_state(state: ConversationState) -> None:
    """What tables are made of counts what decisions are made on; the anchor is there where it may be."""
    situation = state.situation
    assert situation.proposals == len(state.proposals)
    kinds = [each.request.kind for each in state.proposals.values()]
    assert situation.emergencies == kinds.count(ProposalKind.EMERGENCY)
    own = [each for each in state.proposals.values() if each.is_own]
    assert situation.own_elections == sum(each.request.kind is ProposalKind.STEWARD_ELECTION for each in own)
    assert situation.approved == len(state.approved)
    assert situation.candidates == len(state.candidates)
    assert situation.stewards == (0 if state.steward_list is None else len(state.steward_list.stewards))
    assert set(state.votes) == set(state.proposals)
    if situation.phase in (Phase.PENDING_JOIN, Phase.FREEZING, Phase.SELECTION):
        assert situation.anchor is not None
    if situation.phase in (Phase.REELECTION, None):
        assert situation.anchor is None
    if situation.life is not Life.OPEN:
        assert list(state.deadlines()) == []


def check_history(records: list[RecordedEvent]) -> None:
    """Every event says what was so before it, and happens when it may."""
    state = ConversationState("c")
    due = {"vote": dict[int, int](), "timeout": dict[int, int]()}
    remembered: deque[int] = deque(maxlen=256)
    at = 0
    anchored: int | None = None
    for record in records:
        event: Any = record.event
        assert event.at >= at
        at = event.at
        match event:
            case ConversationOpened():
                remembered.clear()
                assert event.incarnation == state.situation.incarnation + 1
            case PhaseChanged():
                assert (event.previous, event.previous_anchor) == (state.situation.phase, state.situation.anchor)
                # A selection that undoing restores counts what was approved when it began.
                if (event.cause, event.phase) != (Cause.REVERTED, Phase.SELECTION):
                    assert event.approved == state.situation.approved
                if event.cause is Cause.BY_HAND:
                    by_hand = move(event.previous, event.phase)
                    assert by_hand is not None
                    assert by_hand.anchor is event.anchor_action
                elif event.cause is not Cause.REVERTED:
                    assert (event.previous, event.cause, event.phase, event.anchor_action) in EDGES
                if event.cause is not Cause.REVERTED:
                    expected = {AnchorAction.SET: at, AnchorAction.KEEP: event.previous_anchor}
                    assert event.anchor == expected.get(event.anchor_action)
                anchored = event.anchor
                if event.window_ms is not None:
                    assert event.previous_anchor is not None
                    assert at >= event.previous_anchor + event.window_ms
            case PhaseTimerAnchored():
                anchored = at
            case PendingJoinExpired():
                assert at >= event.anchored_at + event.window_ms
            case AutoVoteScheduled() | ConsensusTimeoutScheduled():
                kind = due["vote" if isinstance(event, AutoVoteScheduled) else "timeout"]
                assert event.fire_at >= at or record.metadata.compensates
                assert event.replaced_fire_at == kind.get(event.proposal_id)
                kind[event.proposal_id] = event.fire_at
            case AutoVoteFired() | ConsensusTimeoutFired():
                kind = due["vote" if isinstance(event, AutoVoteFired) else "timeout"]
                assert kind.pop(event.proposal_id) == event.fire_at <= at
            case AutoVoteCancelled() | ConsensusTimeoutCancelled():
                kind = due["vote" if isinstance(event, AutoVoteCancelled) else "timeout"]
                del kind[event.proposal_id]
            case ProposalOpened() if event.proposal.proposal_id in remembered:
                # Only leaving is asked for under the same number again.
                assert event.proposal.proposal_id == self_leave_id("alice")
                remembered.remove(event.proposal.proposal_id)
            case ConsensusResolved():
                assert event.proposal.proposal_id not in remembered
                remembered.append(event.proposal.proposal_id)
        state.apply(event)
        check_state(state)
        if state.situation.phase is Phase.WORKING:
            # There is an anchor exactly if approved work was seen since the last change, or undoing gave one back.
            anchored = None if isinstance(event, ConversationOpened) else anchored
            assert state.situation.anchor == anchored


def check_tables(journal: Journal, state: ConversationState) -> None:
    """The tables say what the events add up to."""
    row, situation = journal.conversations["c"], state.situation
    counts = ("life", "phase", "mode", "anchor", "epoch", "proposals", "own_elections", "emergencies")
    assert row.entered_at == (None if situation.phase is None else situation.entered_at)
    for name in (*counts, "approved", "candidates", "stewards", "retries", "incarnation", "reason", "at"):
        assert getattr(row, name) == getattr(situation, name), name
    expected = sorted(state.deadlines(), key=lambda each: each.order)
    assert list(row.deadlines) == expected
    pending = [each.deadline for each in journal.deadlines]
    assert pending == expected
    open_ones = {number for number, each in journal.proposals.of_conversation("c").items() if each.status == "open"}
    assert open_ones == set(state.proposals)
    visits = journal.phase_visits.of_conversation("c")
    assert [each.left_at for each in visits[:-1]].count(None) == 0
    assert visits[-1].left_at is None or situation.phase is None


def check_wake_up(state: ConversationState) -> None:
    """A tick does something from the wake-up on, and nothing before; a second at the same time finds little left."""
    now = state.situation.at
    wakeup = next_wakeup(state, now)
    if wakeup is None:
        assert tick(state, now + 10**9).events == ()
        return
    if wakeup:
        assert tick(state, now + wakeup - 1).events == ()
    assert tick(state, now + wakeup).events


@given(COMMANDS, SWITCHES)
@settings(max_examples=drawn(80))
def test_every_conversation_keeps_to_the_rules(commands: list[Command], switches: int) -> None:
    with Journal.open("memory://", clock=Clock(0)) as journal:
        begin(journal, switches)
        live = ConversationState("c")
        for record in journal.read():
            live.apply(record.event)
        rows = {}
        for command, now in timed(commands):
            head = journal.head()
            refusal = give(journal, command, now)
            appended = list(journal.read(head))
            for record in appended:
                live.apply(record.event)
            if refusal is not None:
                # A vote by hand that fails drops the automatic one; nothing else is on record of a refusal.
                assert [record.type for record in appended] in ([], ["conversation.auto_vote_cancelled.v1"])
                assert command.op == "vote" or not appended
            check_state(live)
            # What the journal decides on is what its events add up to.
            assert journal.read_state(STREAM, lambda state: state.copy().__dict__) == live.__dict__
            check_tables(journal, live)
            check_wake_up(live)
            rows[journal.head()] = (journal.conversations["c"], list(journal.deadlines))
        check_history(list(journal.read_stream(STREAM)))
        # Read as of then, every table says what it said then.
        for position, (row, pending) in rows.items():
            then = journal.at(position=position)
            assert (then.conversations["c"], list(then.deadlines)) == (row, pending)
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}


@given(COMMANDS, SWITCHES)
@settings(max_examples=drawn(50))
def test_the_same_commands_at_the_same_times_make_the_same_journal(commands: list[Command], switches: int) -> None:
    exports = []
    for _ in range(2):
        with Journal.open("memory://", clock=Clock(0)) as journal:
            begin(journal, switches)
            for command, now in timed(commands):
                give(journal, command, now)
            # Each journal has an id of its own, which the last line says, and the source of each event.
            exports.append(list(journal.export(source="/journal"))[:-1])
    assert exports[0] == exports[1]


@given(COMMANDS, SWITCHES)
@settings(max_examples=drawn(50))
def test_folding_in_parts_or_twice_comes_to_the_same(commands: list[Command], switches: int) -> None:
    with Journal.open("memory://", clock=Clock(0)) as journal:
        begin(journal, switches)
        for command, now in timed(commands):
            give(journal, command, now)
        events = [record.event for record in journal.read_stream(STREAM)]
    for cut in range(0, len(events) + 1, 7):
        whole, first = ConversationState("c"), ConversationState("c")
        for event in events:
            whole.apply(event)
        for event in events[:cut]:
            first.apply(event)
        second = first.copy()
        for event in events[cut:]:
            second.apply(event)
        assert second.__dict__ == whole.__dict__
        # The copy moves on alone.
        again = ConversationState("c")
        for event in events[:cut]:
            again.apply(event)
        assert first.__dict__ == again.__dict__


@given(COMMANDS, SWITCHES, st.integers(1, 12))
@settings(max_examples=drawn(80))
def test_undoing_from_the_end_gives_back_what_stood_before(commands: list[Command], switches: int, count: int) -> None:
    with Journal.open("memory://", clock=Clock(0)) as journal:
        begin(journal, switches)
        for command, now in timed(commands):
            give(journal, command, now)
        records = list(journal.read_stream(STREAM))
        for index in reversed(range(max(0, len(records) - count), len(records))):
            before, now_ = ConversationState("c"), ConversationState("c")
            for record in records[:index]:
                before.apply(record.event)
            try:
                journal.revert(records[index].position)
            except NotCompensable as refusal:
                if "changed nothing" in refusal.reason:
                    continue
                if "ended by itself" in refusal.reason:
                    # Then nothing of what the event did is left.
                    event: Any = records[index].event
                    pending = [each.deadline for each in journal.deadlines]
                    kind = DeadlineKind.AUTO_VOTE if "auto_vote" in event.type else DeadlineKind.CONSENSUS_TIMEOUT
                    assert (kind, event.proposal_id) not in [(each.kind, each.proposal_id) for each in pending]
                break
            for record in journal.read_stream(STREAM):
                now_.apply(record.event)
            check_state(now_)
            check_tables(journal, now_)
            assert standing(now_) == standing(before)
        check_history(list(journal.read_stream(STREAM)))
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}


@given(COMMANDS, SWITCHES, st.data())
@settings(max_examples=drawn(60))
def test_undoing_anything_leaves_everything_sound(commands: list[Command], switches: int, data: st.DataObject) -> None:
    with Journal.open("memory://", clock=Clock(0)) as journal:
        begin(journal, switches)
        for number, (command, now) in enumerate(timed(commands)):
            give(journal, command, now)
            if number % 5 == 4:
                with suppress(NotCompensable, LaterEventDepends, AlreadyCompensated):
                    journal.revert(data.draw(st.integers(1, journal.head())))
        state = ConversationState("c")
        for record in journal.read_stream(STREAM):
            state.apply(record.event)
        check_tables(journal, state)
        check_history(list(journal.read_stream(STREAM)))
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}


CREATED = ConversationOpened("c", 0, 1, Role.CREATOR, "alice", ConversationConfig())
JOINING = replace(CREATED, role=Role.JOINER)
FROZEN = PhaseChanged("c", 0, Phase.WORKING, Phase.FREEZING, Cause.DEADLOCK, AnchorAction.SET, 0)
PROPOSAL = Proposal(1, ProposalRequest.add_member("bob"), "carol", False, 3, True, 0, 600)
WAITING: tuple[Event[Any], ...] = (
    CREATED,
    ProposalApproved("c", 0, ApprovedRequest(1, ProposalRequest.add_member("bob"))),
    PhaseTimerAnchored("c", 0, Phase.WORKING, 1, 60_000),
)
INACTIVE = PhaseChanged(
    "c",
    60_000,
    Phase.WORKING,
    Phase.FREEZING,
    Cause.INACTIVITY,
    AnchorAction.SET,
    60_000,
    0,
    window_ms=60_000,
    approved=1,
)
FORGED: dict[str, tuple[tuple[Event[Any], ...], str]] = {
    "time runs back": ((replace(CREATED, at=9), StewardListInstalled("c", 8, None)), "8 ms comes after 9 ms"),
    "from another phase": (
        (CREATED, replace(FROZEN, previous=Phase.REELECTION)),
        "the phase is working since None",
    ),
    "from another anchor": ((CREATED, replace(FROZEN, previous_anchor=7)), "the phase is working since None"),
    "to a phase it does not lead to": (
        (CREATED, replace(FROZEN, phase=Phase.SELECTION)),
        "deadlock does not lead from working to selection",
    ),
    "by a cause it does not lead by": (
        (CREATED, replace(FROZEN, cause=Cause.NO_COMMIT)),
        "no_commit does not lead from working to freezing",
    ),
    "an anchor that the table does not give": (
        (CREATED, replace(FROZEN, anchor=None, anchor_action=AnchorAction.CLEAR)),
        "deadlock does not lead from working to freezing",
    ),
    "an anchor at another time": ((CREATED, replace(FROZEN, at=9)), "the anchor is not 0 after deadlock"),
    "an outcome after leaving": (
        (
            CREATED,
            ProposalReceived("c", 0, PROPOSAL),
            MemberLeaving("c", 0, LeaveReason.REMOVED, (PROPOSAL,)),
            ConsensusResolved("c", 0, PROPOSAL, Outcome.YES, ResolvedVia.HOST, 0, 0),
        ),
        "proposal 1 is not voted on",
    ),
    "a freeze too early": (
        (*WAITING, replace(INACTIVE, at=59_999, anchor=59_999)),
        "inactivity is done at 59999 ms, and that is due at 60000 ms",
    ),
    "a freeze by another window": (
        (*WAITING, replace(INACTIVE, at=60_000, window_ms=0)),
        "the window is 60000 ms, not 0",
    ),
    "a freeze without a window": (
        (*WAITING, replace(INACTIVE, at=1, anchor=1, window_ms=None)),
        "the window is 60000 ms, not None",
    ),
    "a freeze without work": (
        (CREATED, replace(INACTIVE, previous_anchor=None)),
        "what is due is None, and inactivity",
    ),
    "a selection too early": (
        (
            CREATED,
            FROZEN,
            PhaseChanged(
                "c", 9, Phase.FREEZING, Phase.SELECTION, Cause.FREEZE_WINDOW, AnchorAction.KEEP, 0, 0, window_ms=30_000
            ),
        ),
        "freeze is done at 9 ms, and that is due at 30000 ms",
    ),
    "a selection of nothing": (
        (
            CREATED,
            FROZEN,
            PhaseChanged("c", 9, Phase.FREEZING, Phase.SELECTION, Cause.ALL_CANDIDATES, AnchorAction.KEEP, 0, 0),
        ),
        "what is due is freeze, and selection is done",
    ),
    "an expiry too early": (
        (JOINING, PendingJoinExpired("c", 9, 0, 180_000)),
        "join_expiry is done at 9 ms, and that is due at 180000 ms",
    ),
    "an expiry of another wait": ((JOINING, PendingJoinExpired("c", 200_000, 7, 180_000)), "counts from 0, not 7"),
    "an expiry of who is in": ((CREATED, PendingJoinExpired("c", 9, 0, 0)), "what is due is None, and join_expiry"),
    "a move by hand that is none": (
        (CREATED, replace(FROZEN, phase=Phase.SELECTION, cause=Cause.BY_HAND)),
        "by_hand does not lead from working to selection",
    ),
    "a move by hand to another anchor": (
        (CREATED, replace(FROZEN, at=9, cause=Cause.BY_HAND)),
        "the anchor is not 0 after by_hand",
    ),
    "undoing nothing": (
        (
            CREATED,
            PhaseChanged("c", 0, Phase.WORKING, Phase.SELECTION, Cause.REVERTED, AnchorAction.RESTORE, None, None),
        ),
        "law 8: conversation-c@2 says that it undoes, and names nothing",
    ),
    "a vote too early": (
        (CREATED, AutoVoteScheduled("c", 0, 1, True, 10, 10), AutoVoteFired("c", 9, 1, True, 10)),
        "the vote of proposal 1 is fired at 9 ms, and that is due at 10 ms",
    ),
    "a timeout too early": (
        (CREATED, ConsensusTimeoutScheduled("c", 0, 1, 10, 10), ConsensusTimeoutFired("c", 9, 1, 10, True)),
        "the timeout of proposal 1 is fired at 9 ms",
    ),
    "a vote due at another time": (
        (CREATED, AutoVoteScheduled("c", 0, 1, True, 10, 10), AutoVoteFired("c", 20, 1, True, 15)),
        "is due at 10 ms, not 15",
    ),
    "a vote that nobody scheduled": ((CREATED, AutoVoteFired("c", 9, 1, True, 9)), "and none is due"),
    "a timeout that is fired twice": (
        (
            CREATED,
            ConsensusTimeoutScheduled("c", 0, 1, 5, 5),
            ConsensusTimeoutFired("c", 9, 1, 5, True),
            ConsensusTimeoutFired("c", 9, 1, 5, True),
        ),
        "the timeout of proposal 1 is fired or dropped, and none is due",
    ),
    "a vote that is dropped after it was fired": (
        (
            CREATED,
            AutoVoteScheduled("c", 0, 1, True, 5, 5),
            AutoVoteFired("c", 9, 1, True, 5),
            AutoVoteCancelled("c", 9, 1, CancelReason.MANUAL),
        ),
        "the vote of proposal 1 is fired or dropped",
    ),
    "an outcome of what was not proposed": (
        (CREATED, ConsensusResolved("c", 0, PROPOSAL, Outcome.YES, ResolvedVia.HOST, 0, 0)),
        "proposal 1 is not voted on, and comes to an end",
    ),
}


@pytest.mark.parametrize("story", FORGED)
def test_a_past_that_breaks_the_law_of_time_is_found(story: str, journal: Journal) -> None:
    events, problem = FORGED[story]
    for event in events:
        journal.execute(STREAM, lambda state, each=event: accept(each))
    laws = [each for each in journal.verify().findings if each.layer == "law"]
    findings = [each.problem for each in laws]
    assert findings
    assert problem in findings[0]
    assert laws[0].position == len(events)
