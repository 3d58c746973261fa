"""Conversations in a journal: their tables now and then, ticks of all, notifications, bad input, several processes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import (
    AlreadyVoted,
    ApprovedRequest,
    Cause,
    ConfigChanges,
    ConversationBlocked,
    ConversationConfig,
    ConversationExists,
    ConversationNotFound,
    CreatorVote,
    DeadlineKind,
    Event,
    InvalidArgument,
    InvalidIdentifier,
    InvalidInput,
    JournalReadOnly,
    LeaveReason,
    Notification,
    NotificationKind,
    OperatingMode,
    Operation,
    Outcome,
    Phase,
    ProjectionStopped,
    ProposalNotFound,
    ProposalRequest,
    RejectedCandidate,
    RejectionReason,
    Role,
    StewardListReason,
    UnknownPosition,
    accept,
    conversation,
)
from muniment.journal import AsyncConversations, AsyncJournal, ConversationCommands, Conversations, Journal
from muniment.projections import ConversationRow, LateFiring, PendingDeadline, PhaseVisit, ProposalStatus
from pydantic import ValidationError

from ..conftest import Clock
from .conversation_stories import ADD, BROKEN, DEADLOCK, ELECTION, approved, member, phase_of, reelecting, ticked, types
from .damage import edit
from .processes import finish, start_at_once


def told(journal: Journal, consumer: str = "ui", only: str | None = None) -> list[tuple[str, str]]:
    """What a consumer is told, and of which conversation."""
    return [(each.kind.value, each.conversation_id) for each in journal.conversations.notifications(consumer, only)]


# The tables


def test_where_a_conversation_stands(journal: Journal) -> None:
    member(journal, now=7)
    journal.conversations.receive_proposal("c", 1, ADD, creator="carol", voters=3, now=9)
    row = journal.conversations["c"]
    assert (row.life, row.role, row.phase, row.entered_at) == ("open", "joiner", Phase.WORKING, 7)
    assert (row.mode, row.anchor, row.epoch, row.stewards) == (OperatingMode.NORMAL, None, 5, 2)
    assert (row.proposals, row.own_elections, row.emergencies, row.approved) == (1, 0, 0, 0)
    assert (row.incarnation, row.reason, row.at, row.since) == (1, None, 9, journal.head() - 1)
    assert row.deadlines == ((10_009, DeadlineKind.AUTO_VOTE, 1, None),)
    assert dict(journal.conversations.items()) == {"c": row}
    assert (list(journal.conversations), len(journal.conversations)) == (["c"], 1)
    with pytest.raises(KeyError):
        journal.conversations["other"]
    assert 7 not in journal.conversations  # type: ignore[comparison-overlap]


def test_deadlines_of_all_conversations_stand_in_the_order_in_which_they_are_done(journal: Journal) -> None:
    conversations = journal.conversations
    conversations.join("late", "alice", ConversationConfig(commit_inactivity_ms=10_000), now=0)
    member(journal)
    for number, delay in ((3, 30_000), (2, 20_000), (1, 30_000)):
        conversations.receive_proposal("c", number, ADD, creator="bob", voters=3, now=0)
        conversations.schedule_timeout("c", number, delay_ms=30_000, now=0)
        conversations.schedule_auto_vote("c", number, True, delay_ms=delay, now=0)
    found = [(each.conversation_id, each.deadline.kind, each.deadline.proposal_id) for each in journal.deadlines]
    assert found[0] == ("c", DeadlineKind.AUTO_VOTE, 2)
    assert found[1:3] == [("c", DeadlineKind.AUTO_VOTE, 1), ("c", DeadlineKind.AUTO_VOTE, 3)]
    assert found[3:6] == [("c", DeadlineKind.CONSENSUS_TIMEOUT, number) for number in (1, 2, 3)]
    assert found[6] == ("late", DeadlineKind.JOIN_EXPIRY, None)
    assert len(journal.deadlines) == 7
    assert [each.conversation_id for each in journal.deadlines.of_conversation("late")] == ["late"]
    assert [each.deadline.due_at for each in journal.deadlines.until(20_000)] == [20_000]
    assert isinstance(journal.deadlines.until(0), list)
    assert all(isinstance(each, PendingDeadline) for each in journal.deadlines)


def test_a_proposal_and_everything_that_happened_to_it(journal: Journal) -> None:
    member(journal)
    conversations = journal.conversations
    conversations.open_proposal("c", 1, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=1)
    conversations.receive_proposal("c", 2, BROKEN, creator="bob", voters=3, now=2)
    conversations.vote("c", 1, True, now=3)
    conversations.receive_vote("c", 1, "bob", True, now=4)
    conversations.commit_applied("c", "h-1", "bob", now=5)
    row = journal.proposals["c", 1]
    assert (row.request, row.creator, row.is_own) == (ADD, "alice", True)
    assert (row.status, row.opened_at, row.resolved_at, row.voters) == ("yes", 1, 4, 3)
    assert journal.proposals["c", 2].request == BROKEN
    assert journal.proposals["c", 2].status == "open"
    assert set(journal.proposals.of_conversation("c")) == {1, 2}
    timeline = journal.proposals.timeline("c", 1)
    assert types(each.event for each in timeline) == [
        "proposal_opened",
        "consensus_timeout_scheduled",
        "auto_vote_scheduled",
        "auto_vote_cancelled",
        "vote_cast",
        "vote_cast",
        "consensus_resolved",
        "consensus_timeout_cancelled",
        "proposal_approved",
        "commit_applied",
    ]
    assert [each.at for each in timeline] == [1, 1, 1, 3, 3, 4, 4, 4, 4, 5]
    assert timeline[-1].position == journal.head() - 1
    assert journal.proposals.timeline("c", 99) == journal.proposals.timeline("nowhere", 1) == []
    # As it was: the timeline too.
    then = journal.at(position=timeline[3].position)
    assert then.proposals["c", 1].status == "open"
    assert then.proposals.timeline("c", 1) == timeline[:4]
    conversations.remove("c", now=6)
    assert (journal.proposals["c", 2].status, journal.proposals["c", 2].resolved_at) == ("abandoned", 6)
    assert types(each.event for each in journal.proposals.timeline("c", 2))[-1] == "member_leaving"


def test_a_number_that_is_used_again_has_a_timeline_of_its_own(journal: Journal) -> None:
    for _ in range(2):
        journal.conversations.create("c", "alice", now=0)
        journal.conversations.open_proposal("c", 1, ADD, voters=3, now=0)
        journal.conversations.remove("c", now=0)
    expected = ["proposal_opened", "consensus_timeout_scheduled", "vote_cast", "consensus_timeout_cancelled"]
    assert types(each.event for each in journal.proposals.timeline("c", 1)) == [*expected, "member_leaving"]
    journal.conversations.create("c", "alice", now=0)
    # Until it is used again, it is about the last.
    assert len(journal.proposals.timeline("c", 1)) == 5


def test_what_a_host_can_see_to_make_a_commit(journal: Journal) -> None:
    reelecting(journal)
    journal.conversations.receive_proposal("c", 2, BROKEN, creator="carol", voters=3, vote=True, now=90_000)
    journal.conversations.buffer_candidate("c", "h-1", "bob", proposals=1, now=90_000)
    seen = journal.conversations.state("c")
    assert (seen.self_id, seen.phase, seen.epoch) == ("alice", Phase.REELECTION, 5)
    assert seen.members == {"alice", "bob", "carol"}
    assert (seen.stewards, seen.epoch_steward) == (("bob", "carol"), "bob")
    assert seen.approved == (ApprovedRequest(1, ADD),)
    assert (list(seen.proposals), seen.votes, seen.scores) == ([2], {2: {"carol": True}}, {"bob": 60})
    assert [each.commit_hash for each in seen.candidates] == ["h-1"]
    # It is of one moment.
    journal.conversations.commit_applied("c", "h-1", "bob", now=90_000)
    assert seen.approved == (ApprovedRequest(1, ADD),)
    assert journal.conversations.state("c").approved == ()
    journal.conversations.remove("c", now=90_000)
    gone = journal.conversations.state("c")
    assert (gone.life, gone.phase, gone.self_id, gone.members) == ("removed", None, "", frozenset())
    with pytest.raises(ConversationNotFound):
        journal.conversations.state("nowhere")


def test_what_became_of_a_proposal(journal: Journal) -> None:
    member(journal)
    for number in range(1, 6):
        request = ProposalRequest.remove_member("bob", details="he is gone")
        journal.conversations.receive_proposal("c", number, request, creator="carol", voters=3, now=0)
    journal.conversations.approve("c", 1, now=0)
    journal.conversations.reject("c", 2, now=0)
    journal.conversations.reject("c", 3, failed=True, now=0)
    statuses = {number: row.status for number, row in journal.proposals.of_conversation("c").items()}
    assert statuses == {
        1: ProposalStatus.YES,
        2: ProposalStatus.NO,
        3: ProposalStatus.FAILED,
        4: ProposalStatus.OPEN,
        5: ProposalStatus.OPEN,
    }
    assert journal.proposals["c", 1].request.details == "he is gone"
    journal.conversations.remove("c", now=0)
    assert journal.proposals["c", 5].status is ProposalStatus.ABANDONED
    assert journal.conversations["c"].entered_at is None


def test_how_long_each_phase_took(journal: Journal) -> None:
    now = reelecting(journal)
    assert journal.phase_visits.of_conversation("c") == [
        PhaseVisit(Phase.PENDING_JOIN, 0, 0),
        PhaseVisit(Phase.WORKING, 0, 60_000),
        PhaseVisit(Phase.FREEZING, 60_000, 90_000),
        PhaseVisit(Phase.SELECTION, 90_000, 90_000),
        PhaseVisit(Phase.REELECTION, 90_000, None),
    ]
    journal.conversations.receive_proposal("c", 2, ELECTION, creator="carol", voters=3, now=now)
    journal.conversations.accept_election("c", 2, ["carol"], now=now + 10)
    assert journal.phase_visits.durations("c", now + 25) == {
        Phase.PENDING_JOIN: 0,
        Phase.WORKING: 60_015,
        Phase.FREEZING: 30_000,
        Phase.SELECTION: 0,
        Phase.REELECTION: 10,
    }
    assert journal.phase_visits.durations("nowhere", 0) == {}


def test_what_was_done_late_and_how_late(journal: Journal) -> None:
    member(journal)
    approved(journal)
    journal.conversations.tick(0)
    journal.conversations.open_proposal("c", 2, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=0)
    journal.conversations.tick(70_000)
    journal.conversations.tick(100_000)
    assert journal.late_firings.of_conversation("c") == [
        LateFiring(DeadlineKind.AUTO_VOTE, 2, 10_000, 70_000),
        LateFiring(DeadlineKind.CONSENSUS_TIMEOUT, 2, 30_000, 70_000),
        LateFiring(DeadlineKind.INACTIVITY, None, 60_000, 70_000),
    ]
    assert [each.lateness_ms for each in journal.late_firings.values()] == [60_000, 40_000, 10_000]


def test_every_table_is_read_as_of_a_position_before_anything_else_is_read(journal: Journal) -> None:
    reelecting(journal)
    then = journal.at(position=1)
    assert then.conversations["c"].phase is Phase.PENDING_JOIN
    assert [each.deadline.kind for each in then.deadlines] == [DeadlineKind.JOIN_EXPIRY]
    frozen = next(each for each in journal.read() if getattr(each.event, "cause", None) == "inactivity")
    then = journal.at(position=frozen.position)
    row = then.conversations["c"]
    assert (row.phase, row.anchor, row.deadlines) == (
        Phase.FREEZING,
        60_000,
        ((90_000, DeadlineKind.FREEZE, None, 30_000),),
    )
    assert [each.left_at for each in then.phase_visits.of_conversation("c")] == [0, 60_000, None]
    assert isinstance(row, ConversationRow)


def test_as_of_a_position_is_caught_up_to(journal: Journal) -> None:
    journal.conversations.create("a", "alice", now=0)
    assert journal.at(position=1).conversations["a"].phase is Phase.WORKING
    journal.conversations.create("b", "alice", now=0)
    assert list(journal.at(position=2).conversations) == ["a", "b"]


# Ticks


def test_a_tick_does_what_is_due_in_all_conversations_and_only_there(journal: Journal) -> None:
    for name in ("c", "d", "e"):
        member(journal, name)
    for name, number in (("d", 1), ("c", 2)):
        journal.conversations.receive_proposal(name, number, ADD, creator="bob", voters=3, now=number)
    assert journal.conversations.due(10_000) == []
    assert journal.conversations.tick(10_000) == {}
    assert journal.conversations.due(10_002) == ["d", "c"]
    progress: list[tuple[int, int]] = []
    happened = journal.conversations.tick(10_002, progress=lambda done, total: progress.append((done, total)))
    assert progress == [(1, 2), (2, 2)]
    assert {name: types(events) for name, events in happened.items()} == {
        "d": ["auto_vote_fired", "vote_cast"],
        "c": ["auto_vote_fired", "vote_cast"],
    }
    assert journal.conversations.tick(10_002) == {}
    assert journal.conversations.tick(10_002, "e") == {}


def test_one_conversation_can_be_ticked_alone(journal: Journal) -> None:
    for name in ("c", "d"):
        member(journal, name)
        journal.conversations.receive_proposal(name, 1, ADD, creator="bob", voters=3, now=0)
    assert set(journal.conversations.tick(10_000, "d")) == {"d"}
    assert set(journal.conversations.tick(10_000)) == {"c"}
    with pytest.raises(ConversationNotFound):
        journal.conversations.tick(10_000, "nowhere")


def test_the_clock_of_the_journal_tells_the_time_if_nobody_else_does(journal: Journal, clock: Clock) -> None:
    clock.now = 50
    journal.conversations.create("c", "alice")
    assert journal.conversations["c"].entered_at == 50
    clock.now = 60
    journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3)
    assert journal.conversations.next_wakeup() == 10_000
    clock.now = 10_060
    assert (journal.conversations.next_wakeup(), set(journal.conversations.tick())) == (0, {"c"})
    assert journal.conversations.next_wakeup() is None


def test_the_wake_up_is_the_earliest_of_all(journal: Journal) -> None:
    conversations = journal.conversations
    assert conversations.next_wakeup(0) is None
    conversations.join("a", "alice", now=0)
    conversations.join("b", "alice", ConversationConfig(commit_inactivity_ms=100), now=0)
    assert [conversations.next_wakeup(10, name) for name in (None, "a", "b")] == [290, 179_990, 290]
    assert conversations.next_wakeup(10**6) == 0
    with pytest.raises(ConversationNotFound):
        conversations.next_wakeup(0, "nowhere")


def test_a_tick_belongs_to_no_saga_and_takes_no_idempotency_key(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=0)
    with journal.context(idempotency_key="k-1", actor="clockwork"):
        assert set(journal.conversations.tick(10_000)) == {"c"}
        assert journal.conversations.tick(10_000) == {}
    with journal.saga("s"):
        journal.conversations.schedule_auto_vote("c", 1, True, delay_ms=0, now=10_000)
        journal.conversations.tick(10_000)
    fired = [each for each in journal.read() if "auto_vote_f" in each.type]
    assert [(each.metadata.saga, each.metadata.idempotency_key) for each in fired] == [(None, None)] * 3
    assert fired[0].metadata.actor == "clockwork"


def test_a_command_that_comes_again_with_its_key_is_the_same_command_later(journal: Journal) -> None:
    member(journal)
    for now in (1, 500):
        with journal.context(idempotency_key="k-1"):
            journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=now)
    assert journal.proposals["c", 1].opened_at == 1


def test_after_a_restart_what_is_overdue_is_done_once(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        member(journal)
        journal.conversations.open_proposal("c", 1, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=0)
    with Journal.open(shared_url) as journal:
        assert journal.conversations.next_wakeup(100_000) == 0
        assert ticked(journal, 100_000)[:3] == ["auto_vote_fired", "vote_cast", "consensus_timeout_fired"]
        assert [each.lateness_ms for each in journal.late_firings.values()] == [90_000, 70_000]
        assert "auto_vote_fired" not in ticked(journal, 100_000)
    with Journal.open(shared_url) as journal:
        fired = [each for each in journal.read() if each.type == "conversation.auto_vote_fired.v1"]
        assert len(fired) == 1


def test_a_clock_that_went_back_is_not_believed(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=50_000)
    journal.conversations.schedule_auto_vote("c", 1, True, delay_ms=0, now=10)
    event: Any = journal.record(journal.head()).event
    assert (event.at, event.fire_at) == (50_000, 50_000)
    # What is due by the conversation's own time is due, whatever the clock says now.
    assert journal.conversations.next_wakeup(20) == 0
    assert ticked(journal, 20) == ["auto_vote_fired", "vote_cast"]
    times = [each.event.at for each in journal.read_stream("conversation-c")]  # type: ignore[attr-defined]
    assert times == sorted(times)


TICKER = """
import sys
from muniment.journal import Journal

with Journal.open(sys.argv[1], lock_timeout_s=60) as journal:
    print("ready", flush=True)
    sys.stdin.readline()
    for now in range(0, 30_000, 1_000):
        for name, events in journal.conversations.tick(now).items():
            for event in events:
                print(name, event.type, getattr(event, "proposal_id", None))
"""


def test_only_what_is_due_by_its_own_time_is_looked_at_when_a_clock_is_behind(journal: Journal) -> None:
    for number in range(50):
        member(journal, f"c-{number}", now=1_000)
    journal.conversations.receive_proposal("c-7", 1, ADD, creator="bob", voters=3, now=1_000)
    assert journal.conversations.due(5) == []
    assert journal.conversations.next_wakeup(5) == 10_995
    journal.conversations.schedule_auto_vote("c-7", 1, True, delay_ms=0, now=5)
    assert journal.conversations.due(5) == ["c-7"]
    assert journal.conversations.next_wakeup(5) == 0
    assert set(journal.conversations.tick(5)) == {"c-7"}


def test_processes_that_tick_at_once_fire_everything_once(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        for name in ("c", "d", "e"):
            member(journal, name)
            for number in range(1, 6):
                journal.conversations.receive_proposal(name, number, ADD, creator="bob", voters=3, now=number * 1_000)
    lines = [line for output in finish(start_at_once([(TICKER, shared_url)] * 4)) for line in output]
    fired = sorted(line for line in lines if "auto_vote_fired" in line)
    assert fired == sorted(f"{name} conversation.auto_vote_fired.v1 {n}" for name in "cde" for n in range(1, 6))
    with Journal.open(shared_url) as journal:
        assert journal.verify().findings == ()
        assert len(journal.deadlines) == 0


# Notifications


def test_scenario_5_what_happened_is_told_in_order_and_once_it_is_acknowledged_no_more(journal: Journal) -> None:
    journal.conversations.join("c", "alice", now=0)
    journal.conversations.joined("c", 5, ["bob"], now=1)
    journal.conversations.removed_by_commit("c", "h-1", "bob", now=2)
    expected = ["created", "phase_change", "joined", "phase_change", "leaving"]
    assert [kind for kind, _ in told(journal)] == expected
    # It is told until it is acknowledged.
    first, *_ = journal.conversations.notifications("ui")
    assert [kind for kind, _ in told(journal)] == expected
    journal.conversations.acknowledge(first)
    assert [kind for kind, _ in told(journal)] == expected[1:]
    *_, last = journal.conversations.notifications("ui")
    journal.conversations.acknowledge(last)
    assert told(journal) == []
    # Another consumer is told everything.
    assert [kind for kind, _ in told(journal, "audit")] == expected
    journal.conversations.remove("c", now=3)
    assert told(journal) == [("removed", "c")]


def test_a_failed_freeze_and_a_commit_are_told_as_the_reference_does(journal: Journal) -> None:
    now = reelecting(journal)
    *_, last = journal.conversations.notifications("ui")
    assert [each.event.phase for each in journal.conversations.notifications("ui") if each.kind == "phase_change"] == [  # type: ignore[attr-defined]
        Phase.PENDING_JOIN,
        Phase.WORKING,
        Phase.FREEZING,
        Phase.SELECTION,
        Phase.REELECTION,
    ]
    journal.conversations.acknowledge(last)
    journal.conversations.buffer_candidate("c", "h-1", "bob", proposals=1, now=now)
    journal.conversations.commit_applied("c", "h-1", "bob", now=now)
    # What was committed comes before the phase (de-mls 3.3).
    assert [kind for kind, _ in told(journal)] == ["freeze_progress", "commit_applied", "phase_change"]
    commit = [
        each for each in journal.conversations.notifications("ui") if each.kind is NotificationKind.COMMIT_APPLIED
    ]
    assert commit[0].event.batch == (ApprovedRequest(1, ADD),)  # type: ignore[attr-defined]


def test_what_is_told_of_proposals(journal: Journal) -> None:
    member(journal)
    *_, last = journal.conversations.notifications("ui")
    journal.conversations.acknowledge(last)
    conversations = journal.conversations
    conversations.open_proposal("c", 1, ADD, voters=3, now=0)
    conversations.open_proposal("c", 2, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=0)
    conversations.receive_proposal("c", 3, ProposalRequest.remove_member("bob"), creator="bob", voters=1, now=0)
    conversations.receive_proposal("c", 4, ADD, creator="bob", voters=3, now=0)
    conversations.reject("c", 4, failed=True, now=0)
    conversations.report_failure("c", "send", "no route", now=0)
    found: list[Any] = list(conversations.notifications("ui"))
    numbers = [each.event.proposal.proposal_id if hasattr(each.event, "proposal") else None for each in found]
    assert list(zip([each.kind.value for each in found], numbers, strict=True)) == [
        ("own_proposal_submitted", 1),
        ("vote_requested", 2),
        ("vote_requested", 4),
        ("consensus_reached", 4),
        ("error", None),
    ]
    assert found[3].event.result is Outcome.FAILED


def test_a_consumer_may_ask_for_one_conversation(journal: Journal) -> None:
    for name in ("c", "d"):
        journal.conversations.create(name, "alice", now=0)
    assert told(journal, only="d") == [("created", "d"), ("phase_change", "d")]
    *_, last = journal.conversations.notifications("ui", "d")
    journal.conversations.acknowledge(last)
    assert told(journal, only="d") == []
    assert told(journal) == [("created", "c"), ("phase_change", "c")]
    # And what is acknowledged of all is acknowledged of each.
    journal.conversations.create("e", "alice", now=0)
    *_, last = journal.conversations.notifications("ui")
    journal.conversations.acknowledge(last)
    assert told(journal, only="e") == told(journal, only="c") == told(journal) == []
    journal.conversations.remove("d", now=1)
    assert told(journal, only="d") == [("leaving", "d"), ("removed", "d")]
    assert told(journal, only="nowhere") == []


def test_a_consumer_goes_on_after_a_restart_and_an_import(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        journal.conversations.create("c", "alice", now=0)
        first, _ = journal.conversations.notifications("ui")
        journal.conversations.acknowledge(first)
    with Journal.open(shared_url) as journal:
        assert told(journal) == [("phase_change", "c")]
        # Acknowledging the same, or an earlier one, again changes nothing.
        head = journal.head()
        journal.conversations.acknowledge(first)
        assert journal.head() == head
        with Journal.open("memory://") as copy:
            copy.import_export(journal.export())
            assert told(copy) == [("phase_change", "c")]


def test_a_consumer_that_was_told_everything_is_told_what_comes(journal: Journal) -> None:
    for number in range(3):
        assert told(journal) == told(journal, only="c") == []
        journal.sessions.open(f"s-{number}")
        assert told(journal) == []
    journal.conversations.create("c", "alice", now=0)
    assert told(journal) == told(journal, only="c") == [("created", "c"), ("phase_change", "c")]
    assert told(journal, "other") == told(journal)
    *_, last = journal.conversations.notifications("ui")
    journal.conversations.acknowledge(last)
    assert told(journal) == []
    journal.conversations.remove("c", now=0)
    assert told(journal) == [("leaving", "c"), ("removed", "c")]


def test_notifications_cross_pages(journal: Journal) -> None:
    for number in range(1_500):
        journal.sessions.open(f"s-{number}")
        if number % 2:
            journal.conversations.create(f"c-{number}", "alice", now=0)
    found = told(journal)
    assert len(found) == len(set(found)) == 1_500
    assert found == sorted(found, key=lambda each: (int(each[1][2:]), each[0]))


def test_what_was_undone_is_told_as_what_happened(journal: Journal) -> None:
    journal.conversations.create("c", "alice", now=0)
    journal.revert(1)
    assert told(journal) == [("created", "c"), ("phase_change", "c"), ("removed", "c")]


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"position": 0}, UnknownPosition),
        ({"position": 99}, UnknownPosition),
        ({"position": -1}, InvalidArgument),
        ({"position": True}, InvalidArgument),
        ({"position": "1"}, InvalidArgument),
        ({"position": 2**70}, InvalidArgument),
        ({"position": 2}, InvalidArgument),  # a session's event tells nothing
        ({"part": -1}, InvalidArgument),
        ({"part": 2}, InvalidArgument),
        ({"part": "x"}, InvalidArgument),
        ({"conversation_id": "d"}, InvalidArgument),
        ({"conversation_id": 7, "only": True}, InvalidArgument),
        ({"consumer": ""}, InvalidIdentifier),
        ({"consumer": None}, InvalidIdentifier),
        ({"only": "maybe"}, InvalidArgument),
    ],
)
def test_a_notification_that_was_made_up_is_not_acknowledged(
    facts: dict[str, Any], error: type[InvalidInput], journal: Journal
) -> None:
    journal.conversations.create("c", "alice", now=0)
    journal.sessions.open("s-1")
    first, _ = journal.conversations.notifications("ui")
    with pytest.raises(error):
        journal.conversations.acknowledge(first._replace(**facts))
    with pytest.raises(InvalidArgument):
        journal.conversations.acknowledge((1, 2))  # type: ignore[arg-type]
    assert journal.head() == 2
    assert isinstance(first, Notification)


# Bad input

BAD: dict[str, tuple[Callable[[Any], Any], type[InvalidInput]]] = {
    "no name": (lambda c: c.create("", "alice"), InvalidIdentifier),
    "a long name": (lambda c: c.create("x" * 10_000, "alice"), InvalidIdentifier),
    "a name that is none": (lambda c: c.create(7, "alice"), InvalidIdentifier),
    "a control character": (lambda c: c.join("a\nb", "alice"), InvalidIdentifier),
    "half a surrogate pair": (lambda c: c.join("\ud800", "alice"), InvalidIdentifier),
    "nobody": (lambda c: c.create("d", ""), InvalidIdentifier),
    "a config that is none": (lambda c: c.create("d", "alice", {"freeze_ms": 1}), InvalidArgument),
    "a time before time": (lambda c: c.create("d", "alice", now=-1), InvalidArgument),
    "a time after time": (lambda c: c.create("d", "alice", now=2**62), InvalidArgument),
    "a time that is none": (lambda c: c.tick(1.5), InvalidArgument),
    "a time of true": (lambda c: c.tick(True), InvalidArgument),
    "a tick before time": (lambda c: c.tick(-1), InvalidArgument),
    "a wake-up after time": (lambda c: c.next_wakeup(2**63), InvalidArgument),
    "a tick of a long name": (lambda c: c.tick(0, "x" * 10_000), InvalidIdentifier),
    "a wake-up of no name": (lambda c: c.next_wakeup(0, ""), InvalidIdentifier),
    "a negative number": (lambda c: c.vote("c", -1, True), InvalidArgument),
    "a huge number": (lambda c: c.vote("c", 2**63, True), InvalidArgument),
    "a vote that is none": (lambda c: c.vote("c", 1, "yes"), InvalidArgument),
    "no voters": (lambda c: c.open_proposal("c", 2, ADD, voters=0), InvalidArgument),
    "too many voters": (lambda c: c.open_proposal("c", 2, ADD, voters=10_001), InvalidArgument),
    "no request": (lambda c: c.open_proposal("c", 2, "add", voters=3), InvalidArgument),
    "a request of nonsense": (
        lambda c: c.open_proposal("c", 2, ProposalRequest(DEADLOCK.kind), voters=3),
        InvalidArgument,
    ),
    "a creator's vote that is none": (
        lambda c: c.open_proposal("c", 2, ADD, voters=3, creator_vote="perhaps"),
        InvalidArgument,
    ),
    "an expiry before time": (
        lambda c: c.receive_proposal("c", 2, ADD, creator="bob", voters=3, expires_at_s=-1),
        InvalidArgument,
    ),
    "a delay before time": (lambda c: c.schedule_auto_vote("c", 1, True, delay_ms=-1), InvalidArgument),
    "a delay of ages": (lambda c: c.schedule_timeout("c", 1, delay_ms=2**62), InvalidArgument),
    "a zero in a synchronisation": (lambda c: c.sync_config("c", ConfigChanges(freeze_ms=0), epoch=5), InvalidArgument),
    "changes that are none": (lambda c: c.sync_config("c", {}, epoch=5), InvalidArgument),
    "an epoch of ages": (lambda c: c.joined("c", 2**62 + 1), InvalidArgument),
    "too many members": (lambda c: c.joined("j", 1, [f"m-{n}" for n in range(1_000)]), InvalidArgument),
    "members that are none": (lambda c: c.joined("j", 1, 5), InvalidArgument),
    "one name for members": (lambda c: c.joined("j", 1, "alice"), InvalidArgument),
    "no stewards": (lambda c: c.install_stewards("c", []), InvalidArgument),
    "stewards that are none": (lambda c: c.install_stewards("c", 5), InvalidArgument),
    "stewards of one name": (lambda c: c.install_stewards("c", "bob"), InvalidArgument),
    "a steward twice": (lambda c: c.accept_election("c", 1, ["bob", "bob"]), InvalidArgument),
    "an election without one": (
        lambda c: c.install_stewards("c", ["bob"], StewardListReason.ELECTION),
        InvalidArgument,
    ),
    "a reason that is none": (lambda c: c.install_stewards("c", ["bob"], "why not"), InvalidArgument),
    "a hash that is none": (lambda c: c.buffer_candidate("c", "", "bob", proposals=1), InvalidIdentifier),
    "negative proposals": (lambda c: c.buffer_candidate("c", "h", "bob", proposals=-1), InvalidArgument),
    "rejected that are none": (lambda c: c.no_commit_found("c", rejected=5), InvalidArgument),
    "a rejected that is none": (lambda c: c.no_commit_found("c", rejected=["h"]), InvalidArgument),
    "a message of ages": (lambda c: c.report_failure("c", "send", "x" * 10_000), InvalidArgument),
    "an operation that is none": (lambda c: c.check("c", "fly"), InvalidArgument),
    "a consumer that is none": (lambda c: list(c.notifications("")), InvalidIdentifier),
    "the state of no name": (lambda c: c.state(""), InvalidIdentifier),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_typed_error_and_appends_nothing(case: str) -> None:
    call, error = BAD[case]
    with Journal.open("memory://", clock=Clock(0)) as journal:
        member(journal)
        journal.conversations.join("j", "alice", now=0)
        journal.conversations.receive_proposal("c", 1, ELECTION, creator="bob", voters=3, now=0)
        head = journal.head()
        with pytest.raises(error):
            call(journal.conversations)
        assert journal.head() == head


def test_rejected_candidates_say_what_they_are() -> None:
    with pytest.raises(InvalidArgument, match="member of RejectedCandidate"):
        RejectedCandidate("h", "", RejectionReason.UNSTAGEABLE)
    with pytest.raises(InvalidArgument, match="RejectedCandidate"):
        RejectedCandidate("h", "bob")  # type: ignore[call-arg]
    with pytest.raises(InvalidArgument, match="RejectedCandidate"):
        RejectedCandidate("h", "bob", RejectionReason.UNSTAGEABLE, "more")  # type: ignore[call-arg]


def test_a_group_that_would_grow_beyond_what_is_allowed_is_told_so(journal: Journal) -> None:
    journal.conversations.join("c", "m-0", now=0)
    journal.conversations.joined("c", 1, [f"m-{number}" for number in range(1_000)], now=0)
    approved(journal)
    head = journal.head()
    with pytest.raises(InvalidArgument, match="members"):
        journal.conversations.commit_applied("c", "h-1", "m-0", now=1)
    assert journal.head() == head
    journal.conversations.commit_applied("c", "h-1", "m-0", members=["m-0"], now=1)
    assert journal.conversations["c"].epoch == 2


def test_the_latest_epoch_has_a_next(journal: Journal) -> None:
    journal.conversations.join("c", "alice", now=0)
    journal.conversations.joined("c", 2**62, now=0)
    journal.conversations.commit_applied("c", "h-1", "alice", now=1)
    assert journal.conversations["c"].epoch == 2**62 + 1


def test_the_last_moment_of_the_calendar(journal: Journal) -> None:
    end = 253_402_300_799_999
    journal.conversations.create("c", "alice", now=end)
    journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=end)
    assert [each.deadline.due_at for each in journal.deadlines] == [end + 10_000]
    assert journal.conversations.tick(end) == {}
    assert journal.verify().findings == ()


def test_what_is_refused_says_why_and_appends_nothing_but_a_dropped_vote(journal: Journal) -> None:
    member(journal)
    conversations = journal.conversations
    conversations.receive_proposal("c", 1, DEADLOCK, creator="carol", voters=3, now=0)
    head = journal.head()
    with pytest.raises(ConversationExists, match="remove it first"):
        conversations.create("c", "alice", now=0)
    with pytest.raises(ProposalNotFound, match="no proposal 9"):
        conversations.vote("c", 9, True, now=0)
    assert journal.head() == head
    conversations.approve("c", 1, now=0)
    with pytest.raises(ConversationBlocked, match="is freezing, where send_chat is not permitted; it is in reelection"):
        conversations.check("c", Operation.SEND_CHAT)
    journal.revert(journal.head())
    assert phase_of(journal) is Phase.WORKING
    conversations.receive_proposal("c", 2, ADD, creator="carol", voters=3, now=0)
    conversations.vote("c", 2, False, now=0)
    conversations.schedule_auto_vote("c", 2, True, delay_ms=5, now=0)
    with pytest.raises(AlreadyVoted, match="stays"):
        conversations.vote("c", 2, True, now=0)
    assert journal.record(journal.head()).type == "conversation.auto_vote_cancelled.v1"


def test_a_read_only_journal_shows_conversations_and_changes_none(file_url: str) -> None:
    with Journal.open(file_url) as journal:
        member(journal)
        journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=0)
    with Journal.open(file_url, read_only=True) as journal:
        assert phase_of(journal) is Phase.WORKING
        assert journal.conversations.next_wakeup(0) == 10_000
        assert told(journal)
        assert journal.conversations.tick(9_999) == {}
        with pytest.raises(JournalReadOnly):
            journal.conversations.tick(10_000)


# Journals that somebody has made up or edited

HUGE = 2**63 - 1


def test_a_time_with_no_room_for_a_window_is_no_time() -> None:
    makers: tuple[Callable[[], Any], ...] = (
        lambda: conversation.ConversationRemoved(conversation_id="c", at=HUGE, reason=LeaveReason.REMOVED),
        lambda: conversation.PhaseChanged(
            "c", 0, Phase.WORKING, Phase.FREEZING, Cause.DEADLOCK, conversation.AnchorAction.SET, anchor=HUGE
        ),
        lambda: conversation.AutoVoteScheduled("c", 0, 1, True, delay_ms=0, fire_at=HUGE),
        lambda: conversation.PendingJoinExpired("c", 0, anchored_at=HUGE, window_ms=0),
    )
    for make in makers:
        with pytest.raises(ValidationError, match="less than or equal to 4611686018427387904"):
            make()


def test_numbers_at_the_edge_that_came_from_elsewhere_end_in_typed_errors(journal: Journal) -> None:
    def forge(event: Event[Any]) -> None:
        journal.execute("conversation-c", lambda state: accept(event))

    late = 2**62
    forge(conversation.ConversationOpened("c", late, HUGE, Role.CREATOR, "alice", ConversationConfig()))
    forge(conversation.MemberJoined("c", late, HUGE, frozenset({"alice"})))
    forge(conversation.ScoreChanged("c", late, "alice", conversation.ScoreReason.REVERTED, 0, 2**62))
    assert journal.conversations["c"].epoch == HUGE
    head = journal.head()
    with pytest.raises(InvalidArgument, match="more than a journal holds"):
        journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, expires_at_s=HUGE)
    with pytest.raises(InvalidArgument, match="more than a journal holds"):
        journal.conversations.commit_applied("c", "h-1", "alice")
    assert journal.head() == head
    journal.conversations.remove("c")
    with pytest.raises(InvalidArgument, match="incarnation"):
        journal.conversations.create("c", "alice")
    assert journal.replay().differences == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE projection_deadlines_v1 SET due_at='soon'",
        "UPDATE projection_deadlines_v1 SET due_at=NULL",
        "UPDATE projection_deadlines_v1 SET kind='fly'",
        "UPDATE projection_deadlines_v1 SET conversation_id=x'00'",
        "UPDATE projection_conversations_v1 SET anchor='then'",
        "UPDATE projection_conversations_v1 SET life='undead'",
        "UPDATE projection_conversation_configs_v1 SET config='{'",
        "UPDATE projection_proposals_v1 SET opened_at='once'",
        "UPDATE projection_proposals_v1 SET status='pending'",
        "UPDATE projection_phase_visits_v1 SET entered_at='once'",
        "UPDATE tracking SET notification_id=NULL",
    ],
)
def test_a_table_that_somebody_edited_is_told_and_made_anew(statement: str, tmp_path: Path) -> None:
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        member(journal)
        journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=0)
        before = dict(journal.conversations.items())
    edit(tmp_path / "journal.db", statement)
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        for read in (
            lambda: list(journal.conversations.items()),
            lambda: list(journal.deadlines),
            lambda: journal.conversations.next_wakeup(0),
            lambda: list(journal.proposals.items()),
            lambda: list(journal.phase_visits.items()),
            lambda: journal.phase_visits.durations("c", 0),
        ):
            with suppress(ProjectionStopped):
                read()
        assert journal.verify().findings
        journal.replay()
        assert dict(journal.conversations.items()) == before
        assert journal.verify().findings == ()


# The journal for asyncio


def test_the_commands_for_asyncio_are_the_same() -> None:
    ticking = {"tick", "next_wakeup", "state", "notifications", "acknowledge"}
    commands = {name for name in dir(ConversationCommands) if not name.startswith("_")} - {"time"}
    assert {name for name in dir(AsyncConversations) if not name.startswith("_")} - {"give"} == commands | ticking
    for name in (commands | ticking) - {"notifications"}:
        theirs, ours = (inspect.signature(getattr(cls, name)) for cls in (Conversations, AsyncConversations))
        assert ours == theirs, name


def test_conversations_for_asyncio(shared_url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(shared_url) as journal:
            conversations = journal.conversations
            await conversations.join("c", "alice", now=0)
            assert await conversations.joined("c", 5, ["bob"], now=0) is Phase.WORKING
            await conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, vote=True, now=0)
            assert await conversations.next_wakeup(0) == 10_000
            assert await conversations.tick(9_999) == {}
            happened = await conversations.tick(10_000)
            assert types(happened["c"])[:3] == ["auto_vote_fired", "vote_cast", "consensus_resolved"]
            assert (await conversations.state("c")).scores == {}
            found = await conversations.notifications("ui")
            assert [each.kind.value for each in found] == [
                "created",
                "phase_change",
                "joined",
                "phase_change",
                "vote_requested",
                "consensus_reached",
            ]
            await conversations.acknowledge(found[-1])
            assert await conversations.notifications("ui") == []
            with pytest.raises(UnknownPosition):
                await conversations.acknowledge(found[-1]._replace(position=0))
            with pytest.raises(ConversationNotFound):
                await conversations.tick(0, "nowhere")

    asyncio.run(story())
