"""Conversations in a journal: their tables now and then, ticks of one and of all, also by several processes."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from muniment.domain import (
    ApprovedRequest,
    ConversationConfig,
    ConversationNotFound,
    CreatorVote,
    DeadlineKind,
    OperatingMode,
    Outcome,
    Phase,
    ProposalRequest,
    UnknownPosition,
    accept,
)
from muniment.domain.conversation import ConsensusResolved, ResolvedVia
from muniment.journal import AsyncConversations, AsyncJournal, ConversationCommands, Conversations, Journal
from muniment.journal.testing import types
from muniment.projections import ConversationRow, LateFiring, PendingDeadline, PhaseVisit, ProposalStatus

from ..conftest import Clock
from ..domain.conversation_facts import ADD, BROKEN, ELECTION
from .conversation_stories import approved, member, reelecting, ticked
from .processes import finish, start_at_once

# The tables


def test_where_a_conversation_stands(journal: Journal) -> None:
    member(journal, now=7)
    journal.conversations.receive_proposal("c", 1, ADD, creator="carol", voters=3, now=9)
    row = journal.conversations["c"]
    assert (row.life, row.role, row.phase, row.entered_at) == ("open", "joiner", Phase.WORKING, 7)
    assert (row.mode, row.anchor, row.epoch, row.stewards) == (OperatingMode.NORMAL, None, 5, 2)
    assert (row.proposals, row.own_elections, row.emergencies, row.approved) == (1, 0, 0, 0)
    assert (row.incarnation, row.reason, row.at, row.since) == (1, None, 9, journal.head() - 1)
    assert row.deadlines == ((10_009, DeadlineKind.AUTO_VOTE, 1, None, True),)
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


def test_voters_can_be_named(file_url: str) -> None:
    with Journal.open(file_url) as journal:
        member(journal)
        journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=["bob", "dave", "bob"], now=0)
        for voter in ("carol", "eve", "bob"):
            journal.conversations.receive_vote("c", 1, voter, True, now=0)
        assert journal.proposals["c", 1].status == "open"
        seen = journal.conversations.state("c")
        assert (seen.proposals[1].voters, seen.proposals[1].voter_names) == (2, frozenset({"bob", "dave"}))
        assert seen.votes == {1: {"carol": True, "eve": True, "bob": True}}
    with Journal.open(file_url) as journal:
        journal.conversations.receive_vote("c", 1, "dave", False, now=0)
        assert journal.proposals["c", 1].status == "no"
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}
        with Journal.open("memory://") as copy:
            copy.import_export(journal.export())
            assert copy.proposals["c", 1].status == "no"


def test_an_outcome_by_a_vote_that_does_not_count_is_found(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=0)
    for voter in ("bob", "mallory"):
        journal.conversations.receive_vote("c", 1, voter, True, now=0)
    proposal = journal.conversations.state("c").proposals[1]
    forged = ConsensusResolved("c", 0, proposal, Outcome.YES, ResolvedVia.VOTES, 2, 0)
    journal.execute("conversation-c", lambda state: accept(forged))
    assert [each.layer for each in journal.verify().findings] == ["decision"]


def test_a_number_that_is_used_again_has_a_timeline_of_its_own(journal: Journal) -> None:
    for _ in range(2):
        journal.conversations.create("c", "alice", now=0)
        journal.conversations.open_proposal("c", 1, ADD, voters=3, now=0)
        journal.conversations.remove("c", now=0)
    expected = ["proposal_opened", "consensus_timeout_scheduled", "vote_cast", "consensus_timeout_cancelled"]
    assert types(each.event for each in journal.proposals.timeline("c", 1)) == [*expected, "member_leaving"]
    journal.conversations.create("c", "alice", now=0)
    # Until it is used again, it is about the last; the row says of which time it is.
    assert len(journal.proposals.timeline("c", 1)) == 5
    assert (journal.proposals["c", 1].incarnation, journal.conversations["c"].incarnation) == (2, 3)


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
        ((90_000, DeadlineKind.FREEZE, None, 30_000, None),),
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


def test_what_is_due_is_found_by_an_index_of_what_holds_now(file_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(file_url) as journal:
        member(journal)
        asked: list[tuple[str, Any]] = []
        fetch = journal._store.fetch

        def remember(statement: str, parameters: Any = ()) -> Any:
            asked.append((statement, parameters))
            return fetch(statement, parameters)

        monkeypatch.setattr(journal._store, "fetch", remember)
        journal.conversations.tick(5)
        journal.conversations.next_wakeup(5)
        monkeypatch.undo()
        of_tables = [query for query in asked if "FROM projection_" in query[0]]
        assert len(of_tables) >= 3
        for statement, parameters in of_tables:
            ((*_, plan),) = fetch(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert "_now_by_" in plan, plan
            assert "TEMP B-TREE" not in plan


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


def test_only_what_is_due_by_its_own_time_is_due_when_a_clock_is_behind(journal: Journal) -> None:
    for number in range(50):
        member(journal, f"c-{number}", now=1_000)
    journal.conversations.receive_proposal("c-7", 1, ADD, creator="bob", voters=3, now=1_000)
    assert journal.conversations.due(5) == []
    assert journal.conversations.next_wakeup(5) == 10_995
    journal.conversations.schedule_auto_vote("c-7", 1, True, delay_ms=0, now=5)
    assert journal.conversations.due(5) == ["c-7"]
    assert journal.conversations.next_wakeup(5) == 0
    assert set(journal.conversations.tick(5)) == {"c-7"}
    # One that is removed has no time of its own any more.
    journal.conversations.remove("c-3", now=10**9)
    assert journal.conversations.due(9_000) == []
    assert journal.conversations.next_wakeup(9_000) is None


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
