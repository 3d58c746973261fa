"""The clock steps back: no deadline is late for that."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress

import pytest
from muniment.domain import ConversationConfig, InvalidArgument, JournalForked, ProposalRequest
from muniment.journal import AsyncJournal, Journal

from ..conftest import Clock

HOUR = 3_600_000
NOW = 1_700_000_000_000
DELAY = 10_000


def wait_for_a_vote(journal: Journal) -> None:
    team = journal.conversations
    team.create("team", "alice", ConversationConfig(voting_delay_ms=DELAY))
    team.receive_proposal("team", 1, ProposalRequest.add_member("dave"), creator="bob", voters=3, vote=True)


@pytest.mark.parametrize("step", [-2 * HOUR, -1, -365 * 24 * HOUR])
def test_a_vote_is_due_when_as_much_time_has_gone_by(step: int, clock: Clock) -> None:
    clock.now = NOW
    with Journal.open("memory://", clock=clock) as journal:
        wait_for_a_vote(journal)
        clock.now += step
        assert journal.conversations.next_wakeup() == DELAY
        assert journal.conversations.next_wakeup(conversation_id="team") == DELAY
        clock.now += DELAY - 1
        assert journal.conversations.tick() == {}
        clock.now -= HOUR
        assert journal.conversations.next_wakeup() == 1
        clock.now += 1
        assert "team" in journal.conversations.tick()
        assert journal.conversations["team"].at == NOW + DELAY
        # What is recorded is stamped as the clock tells.
        journal.sessions.open("s")
        assert journal.record(journal.head()).metadata.recorded_at == clock.now


def test_a_step_back_while_the_journal_was_closed(file_url: str, clock: Clock) -> None:
    clock.now = NOW
    with Journal.open(file_url, clock=clock) as journal:
        wait_for_a_vote(journal)
    clock.now -= 2 * HOUR
    with Journal.open(file_url, clock=clock) as journal:
        assert journal.conversations.next_wakeup() == DELAY
        clock.now += DELAY
        assert "team" in journal.conversations.tick()


def test_a_step_back_that_another_process_saw(file_url: str, clock: Clock) -> None:
    ahead = Clock(NOW + HOUR)
    clock.now = NOW
    with Journal.open(file_url, clock=clock) as mine, Journal.open(file_url, clock=ahead) as theirs:
        assert mine.conversations.tick() == {}
        wait_for_a_vote(theirs)
        assert mine.conversations.next_wakeup() == DELAY
        clock.now += DELAY
        assert "team" in mine.conversations.tick()


def test_a_time_that_is_given_is_the_time(clock: Clock) -> None:
    clock.now = NOW
    with Journal.open("memory://", clock=clock) as journal:
        wait_for_a_vote(journal)
        clock.now -= HOUR
        assert journal.conversations.tick(NOW + DELAY - 1) == {}
        assert "team" in journal.conversations.tick(NOW + DELAY)


def test_tasks_wait_no_longer_either(clock: Clock) -> None:
    async def story() -> None:
        clock.now = NOW
        async with await AsyncJournal.open("memory://", clock=clock) as journal:
            team = journal.conversations
            await team.create("team", "alice", ConversationConfig(voting_delay_ms=DELAY))
            request = ProposalRequest.add_member("dave")
            await team.receive_proposal("team", 1, request, creator="bob", voters=3, vote=True)
            clock.now -= 2 * HOUR
            assert await team.next_wakeup() == DELAY
            clock.now += DELAY
            assert "team" in await team.tick()

    asyncio.run(story())


def test_threads_that_read_the_clock_at_once_do_not_move_it_on() -> None:
    lock, times = threading.Lock(), iter(range(NOW, NOW + 100_000))

    def tell() -> int:
        with lock:
            return next(times)

    with Journal.open("memory://", clock=tell) as journal:
        team = journal.conversations

        def ask() -> None:
            for _ in range(200):
                team.time(None)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert team.time(None) == next(times) - 1


def test_a_stamp_stays_in_its_stream(clock: Clock) -> None:
    clock.now = NOW + 24 * HOUR
    with Journal.open("memory://", clock=clock) as journal:
        journal.sessions.open("ahead")
        with suppress(LookupError), journal.saga("together") as saga:
            clock.now = NOW
            journal.sessions.open("right")
            journal.sessions.claim("right", "alice")
            journal.sessions.claim("ahead", "alice")
            # It is undone in all of these streams, in one append.
            raise LookupError
        assert journal.sagas[saga.id].is_finished
        told: dict[str, set[int]] = {}
        for record in journal.read():
            told.setdefault(record.stream, set()).add(record.metadata.recorded_at - NOW)
        assert told == {"session-ahead": {24 * HOUR}, f"saga-{saga.id}": {24 * HOUR}, "session-right": {0}}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_forked_while_the_clock_is_read_does_not_wait_for_it(file_url: str) -> None:
    is_slow, is_read, may_go_on = list[bool](), threading.Event(), threading.Event()

    def slow() -> int:
        if is_slow:
            is_read.set()
            may_go_on.wait(30)
        return NOW

    with Journal.open(file_url, clock=slow) as journal:
        is_slow.append(True)
        thread = threading.Thread(target=journal.conversations.tick)
        thread.start()
        assert is_read.wait(30)
        child = os.fork()
        if not child:
            is_slow.clear()
            signal.alarm(30)
            try:
                journal.conversations.tick()
            except JournalForked:
                os._exit(0)
            finally:
                os._exit(1)
        is_slow.clear()
        may_go_on.set()
        assert os.waitpid(child, 0) == (child, 0)
        thread.join()


@pytest.mark.parametrize("told", [None, -1, 2**80, 1.5, "now", True])
def test_a_clock_that_tells_no_time_is_a_typed_error(told: object) -> None:
    with Journal.open("memory://", clock=lambda: told) as journal:  # type: ignore[arg-type, return-value]
        with pytest.raises(InvalidArgument, match="clock"):
            journal.sessions.open("s")
        with pytest.raises(InvalidArgument, match="clock"):
            journal.conversations.tick()
        assert journal.head() == 0


def test_one_conversation_of_another_time_makes_nothing_due_in_the_others(clock: Clock) -> None:
    clock.now = NOW
    with Journal.open("memory://", clock=clock) as journal:
        wait_for_a_vote(journal)
        team, wild = journal.conversations, NOW + 10 * 365 * 24 * HOUR
        team.create("wild", "alice", ConversationConfig(voting_delay_ms=2 * DELAY), now=wild)
        request = ProposalRequest.add_member("dave")
        team.receive_proposal("wild", 1, request, creator="bob", voters=3, vote=True, now=wild)
        assert team.tick() == {}
        assert team.next_wakeup() == team.next_wakeup(conversation_id="team") == DELAY
        assert team.next_wakeup(conversation_id="wild") == 2 * DELAY
        clock.now += DELAY
        assert list(team.tick()) == ["team"]
        # There too, time goes by: it is counted on from the last event.
        assert team.next_wakeup(conversation_id="wild") == DELAY
        team.schedule_auto_vote("wild", 1, True, delay_ms=DELAY + 1)
        assert [each.due_at for each in team["wild"].deadlines if each.proposal_id] == [wild + 2 * DELAY + 1]
        clock.now += DELAY
        assert "wild" not in team.tick()
        clock.now += 1
        assert list(team.tick()) == ["wild"]
        assert team["wild"].at == wild + 2 * DELAY + 1


def test_a_conversation_that_is_a_little_ahead_takes_the_others_with_it(clock: Clock) -> None:
    clock.now = NOW
    with Journal.open("memory://", clock=clock) as journal:
        wait_for_a_vote(journal)
        journal.conversations.create("ahead", "alice", now=NOW + DELAY)
        assert list(journal.conversations.tick()) == ["team"]
        assert journal.conversations.time(None) == NOW + DELAY


def test_a_conversation_in_which_nothing_waits_needs_no_time_of_its_own(clock: Clock) -> None:
    clock.now = NOW
    with Journal.open("memory://", clock=clock) as journal:
        team, wild = journal.conversations, NOW + 2 * HOUR
        team.create("wild", "alice", now=wild)
        assert team.tick() == {}
        assert team.next_wakeup() is None
        clock.now += DELAY
        team.receive_proposal("wild", 1, ProposalRequest.add_member("dave"), creator="bob", voters=3)
        assert team["wild"].at == wild
