"""A key is used up by every accepted command, also by one that appends nothing; and by no question."""

from __future__ import annotations

import asyncio

import pytest
from muniment.domain import (
    IdempotencyConflict,
    InvalidArgument,
    NotCompensable,
    Operation,
    Policy,
    SagaEnded,
    SessionTerminal,
)
from muniment.domain.event import Accepted
from muniment.journal import AsyncJournal, Journal
from muniment.journal.commands.base import carry_out

from .stories import claim, open_session


def test_a_command_that_appended_nothing_answers_again_what_it_answered_first(url: str) -> None:
    with Journal.open(url, policy=Policy.reference()) as journal:
        open_session(journal)
        first = claim(journal)
        with journal.context(idempotency_key="k"):
            assert claim(journal) == first
        moved_on = journal.sessions.transfer(first, "bob")
        journal.sessions.release(moved_on)
        with journal.context(idempotency_key="k"):
            assert claim(journal) == first
        assert journal.sessions.state("s-1").capability is None
        record = next(journal.read_stream("key-k"))
        assert (record.metadata.idempotency_key, record.event.outcome) == ("k", first)


def test_an_empty_rollback_under_a_key_undoes_nothing_later(journal: Journal) -> None:
    open_session(journal)
    with journal.context(idempotency_key="k"):
        assert journal.rollback("session-s-1", 1).steps == ()
    claim(journal)
    head = journal.head()
    with journal.context(idempotency_key="k"):
        again = journal.rollback("session-s-1", 1)
    assert (again.steps, again.positions, journal.head()) == ((), (), head)


def test_another_command_under_such_a_key_is_a_conflict(journal: Journal) -> None:
    open_session(journal)
    with journal.context(idempotency_key="k"):
        journal.sessions.host("s-1", "node")
    with journal.context(idempotency_key="again"):
        journal.sessions.host("s-1", "node")
        with pytest.raises(IdempotencyConflict, match="key-again@1"):
            journal.sessions.claim("s-1", "bob")


def test_empty_and_missing_answers_are_told_apart(journal: Journal) -> None:
    open_session(journal)
    held = claim(journal)
    for _ in range(2):
        with journal.context(idempotency_key="fragments"):
            assert journal.sessions.release_fragments(held, ()) == ()
        with journal.context(idempotency_key="host"):
            assert journal.sessions.host("s-1", "node") is None  # type: ignore[func-returns-value]


def test_a_repeated_delegation_is_answered_from_its_key(journal: Journal) -> None:
    open_session(journal)
    journal.sessions.host("s-1", "a")
    first = journal.sessions.delegate("s-1", "a", "b")
    with journal.context(idempotency_key="k"):
        assert journal.sessions.delegate("s-1", "a", "b") == first
    journal.sessions.delegate("s-1", "b", "a")
    with journal.context(idempotency_key="k"):
        assert journal.sessions.delegate("s-1", "a", "b") == first


def test_questions_dry_runs_and_ticks_use_no_key_up(journal: Journal) -> None:
    open_session(journal)
    held = claim(journal)
    journal.conversations.create("c", "me", now=0)
    head = journal.head()
    with journal.context(idempotency_key="k"):
        for _ in range(2):
            journal.sessions.check(held)
            journal.conversations.check("c", Operation.SEND_CHAT)
            journal.rollback("session-s-1", 1, dry_run=True)
            journal.conversations.tick(1)
        assert journal.head() == head
        journal.sessions.release(held)
        journal.conversations.check("c", Operation.SEND_CHAT)
    assert journal.record(journal.head()).metadata.idempotency_key == "k"


def test_a_refused_command_does_not_use_its_key_up(journal: Journal) -> None:
    open_session(journal)
    held = claim(journal)
    journal.sessions.close(held)
    head = journal.head()
    with journal.context(idempotency_key="k"), pytest.raises(SessionTerminal):
        journal.sessions.release(held)
    assert journal.head() == head


def test_keys_survive_export_replay_and_verification(journal: Journal) -> None:
    open_session(journal)
    with journal.context(idempotency_key="k", actor="alice"):
        journal.rollback("session-s-1", 1)
    assert not journal.replay().differences
    assert journal.verify().findings == ()
    with Journal.open("memory://") as copy:
        copy.import_export(journal.export())
        claim(copy)
        head = copy.head()
        with copy.context(idempotency_key="k"):
            copy.rollback("session-s-1", 1)
        assert copy.head() == head
        assert copy.verify().findings == ()


def test_undo_passes_over_a_used_key(journal: Journal) -> None:
    open_session(journal)
    with journal.context(idempotency_key="k"):
        journal.rollback("session-s-1", 1)
    with pytest.raises(NotCompensable, match="stays used"):
        journal.revert("key-k@1")
    assert journal.rollback("key-k", 0).steps == ()
    with pytest.raises(ValueError, match="fails"), journal.saga("work"):
        with journal.context(idempotency_key="in a saga"):
            journal.sessions.host("s-1", "node")
        with journal.context(idempotency_key="twice in a saga"):
            journal.sessions.host("s-1", "node")
        raise ValueError("fails")
    assert journal.sessions.state("s-1").holder is None
    assert journal.verify().findings == ()


def test_a_saga_compensated_or_resolved_under_a_key_is_answered_again(journal: Journal) -> None:
    saga = journal.saga("work")
    carry_out(journal, saga._beginning())
    with journal.context(idempotency_key="k"):
        plan = journal.sagas.compensate(saga.id)
        assert journal.sagas.compensate(saga.id) == plan
        with pytest.raises(IdempotencyConflict):
            journal.sagas.compensate(saga.id, reason="another")
    with pytest.raises(SagaEnded):
        journal.sagas.compensate(saga.id)
    other = journal.saga("other")
    carry_out(journal, other._beginning())
    for _ in range(2):
        with journal.context(idempotency_key="r"):
            journal.sagas.resolve(other.id, "by hand")


def test_an_answer_that_no_journal_can_keep_is_refused_and_nothing_is_appended(journal: Journal) -> None:
    open_session(journal)
    head = journal.head()
    with journal.context(idempotency_key="k"), pytest.raises(InvalidArgument, match="answer of type object"):
        journal.execute("session-s-1", lambda state: Accepted(object()))
    assert journal.head() == head


def test_tasks_that_repeat_a_command_under_one_key_at_once_all_get_one_answer() -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://", policy=Policy.reference()) as journal:
            await journal.sessions.open("s")
            held = await journal.sessions.claim("s", "alice")

            async def repeat() -> object:
                with journal.context(idempotency_key="k"):
                    return await journal.sessions.claim("s", "alice")

            assert set(await asyncio.gather(*(repeat() for _ in range(20)))) == {held}
            records = await journal.run(lambda each: list(each.read_stream("key-k")))
            assert len(records) == 1

    asyncio.run(story())
