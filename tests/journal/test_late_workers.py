"""What a worker is told that comes too late, and what one learns that comes again."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import replace

import pytest
from muniment.domain import (
    CommandRefused,
    IdempotencyConflict,
    InvalidIdentifier,
    Lost,
    OwnershipCapability,
    SessionTerminal,
    StaleCapability,
    Unclaimed,
)
from muniment.journal import AsyncJournal, Journal

from ..conftest import Clock
from .stories import claim, live, open_session

TEN_O_CLOCK = 1_767_261_600_000


def refused(journal: Journal, capability: OwnershipCapability) -> CommandRefused:
    with pytest.raises(CommandRefused) as caught:
        journal.sessions.check(capability)
    return caught.value


@pytest.fixture
def held(journal: Journal) -> OwnershipCapability:
    open_session(journal)
    claim(journal)
    return live(journal)


def test_a_fenced_worker_is_told_by_which_event_and_when(clock: Clock, journal: Journal) -> None:
    open_session(journal)
    held = journal.sessions.claim("s-1", "agent-a")
    clock.now = TEN_O_CLOCK
    second = journal.sessions.transfer(held, "agent-b")
    journal.sessions.transfer(second, "agent-c")
    error = refused(journal, held)
    assert isinstance(error, StaleCapability)
    assert error.lost == Lost("session-s-1@3", "session.ownership_transferred.v1", TEN_O_CLOCK)
    assert (error.live_owner, error.live_generation) == ("agent-c", 3)
    assert str(error) == (
        "session 's-1': presented owner 'agent-a', generation 1, full session, which was lost at "
        "2026-01-01T10:00:00.000Z by event session-s-1@3 (session.ownership_transferred.v1); live is owner 'agent-c', "
        "generation 3, full session; stop, and discard what was begun under it"
    )


def test_it_is_told_that_whoever_owned_the_session_released_it(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.release(held)
    error = refused(journal, held)
    assert isinstance(error, Unclaimed)
    assert error.lost is not None
    assert error.lost.event_id == "session-s-1@3"
    assert str(error).endswith("stop, and discard what was begun under it")


def test_it_is_told_by_what_the_session_ended(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.close(held)
    error = refused(journal, held)
    assert isinstance(error, SessionTerminal)
    assert error.lost is not None
    assert error.lost.type == "session.closed.v1"
    assert "open it again" not in str(error)


def test_an_incarnation_later_it_is_still_told(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.close(held)
    journal.sessions.open("s-1")
    journal.sessions.claim("s-1", "bob")
    error = refused(journal, held)
    assert isinstance(error, StaleCapability)
    assert error.lost is not None
    assert error.lost.type == "session.closed.v1"


def test_undoing_takes_a_capability_away_too(journal: Journal, held: OwnershipCapability) -> None:
    journal.revert("session-s-1@2")
    error = refused(journal, held)
    assert isinstance(error, Unclaimed)
    assert error.lost is not None
    assert error.lost.type == "session.ownership_restored.v1"


def test_what_was_never_given_out_was_never_lost(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.transfer(held, "bob")
    for forged in (replace(held, generation=9), replace(held, owner="mallory"), replace(held, generation=0)):
        error = refused(journal, forged)
        assert isinstance(error, StaleCapability)
        assert error.lost is None
        assert str(error).endswith("stop, and discard what was begun under it")


def test_what_was_lost_very_long_ago_costs_no_long_search(journal: Journal, held: OwnershipCapability) -> None:
    current = held
    for _ in range(201):
        current = journal.sessions.attenuate(current, current.scope)
    error = refused(journal, held)
    assert isinstance(error, StaleCapability)
    assert error.lost is None


def test_only_whoever_shows_a_capability_is_a_late_worker(journal: Journal, held: OwnershipCapability) -> None:
    with pytest.raises(StaleCapability) as caught:
        journal.sessions.owner_died("s-1", "nobody")
    assert str(caught.value).startswith("session 's-1': 'nobody' does not own it; live is owner")
    journal.sessions.close(held)
    with pytest.raises(SessionTerminal, match="open it again"):
        journal.sessions.claim("s-1", "bob")


def test_a_late_worker_in_a_task_is_told_the_same(file_url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(file_url) as journal:
            await journal.sessions.open("s-1")
            held = await journal.sessions.claim("s-1", "agent-a")
            await journal.sessions.transfer(held, "agent-b")
            with pytest.raises(StaleCapability) as caught:
                await journal.sessions.release(held)
            assert caught.value.lost is not None
            assert caught.value.lost.event_id == "session-s-1@3"
            again = pickle.loads(pickle.dumps(caught.value))
            assert (again.lost, str(again)) == (caught.value.lost, str(caught.value))

    asyncio.run(story())


def test_what_a_key_brought_about_is_known_after_a_restart(file_url: str) -> None:
    with Journal.open(file_url) as journal:
        journal.sessions.open("s-1")
        with journal.context(idempotency_key="claim-1"):
            held = journal.sessions.claim("s-1", "agent-a")
        assert journal.outcome("another") is None
    with Journal.open(file_url) as journal:
        record = journal.outcome("claim-1")
        assert record is not None
        assert record.event.outcome == held
        # Given again with what is known after the restart, it is the same command.
        with journal.context(idempotency_key="pass-on"):
            given = journal.sessions.transfer(held, "agent-b")
    with Journal.open(file_url) as journal:
        read_anew = journal.sessions.state("s-1").capability
        assert read_anew is not None
        with journal.context(idempotency_key="pass-on"):
            assert journal.sessions.transfer(read_anew, "agent-b") == given
        assert journal.head() == 3


def test_a_key_that_appended_nothing_has_an_outcome_too(journal: Journal) -> None:
    open_session(journal)
    with journal.context(idempotency_key="nothing"):
        journal.rollback("session-s-1", 1)
    record = journal.outcome("nothing")
    assert record is not None
    assert record.stream == "key-nothing"
    with pytest.raises(InvalidIdentifier):
        journal.outcome("")


def test_a_conflict_names_what_differs_and_how_to_ask_for_the_outcome(journal: Journal) -> None:
    open_session(journal)
    with journal.context(idempotency_key="claim-1"):
        journal.sessions.claim("s-1", "agent-a")
        with pytest.raises(IdempotencyConflict) as caught:
            journal.sessions.claim("s-1", "agent-b")
        assert caught.value.differences == ("owner",)
        assert str(caught.value) == (
            "idempotency key 'claim-1' stands for the command that event session-s-1@2 answered, and this is another: "
            "what differs is the owner; journal.outcome('claim-1') is the record of what the key brought about"
        )
        with pytest.raises(IdempotencyConflict, match="what differs is the command"):
            journal.sessions.open("s-1")


def test_an_outcome_is_awaited(file_url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(file_url) as journal:
            with journal.context(idempotency_key="open-1"):
                await journal.sessions.open("s-1")
            record = await journal.outcome("open-1")
            assert record is not None
            assert record.id == "session-s-1@1"

    asyncio.run(story())
