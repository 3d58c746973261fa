"""Edges of how sessions live: payloads that not every reader reads alike, undoing in inboxes, keys, bindings."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest
from muniment.domain import (
    BoundExceeded,
    DuplicateEnvelope,
    Envelope,
    InboxFull,
    InvalidArgument,
    LaterEventDepends,
    MissingTaskBinding,
    NotCompensable,
    SessionAlreadyOpen,
    StaleCapability,
)
from muniment.journal import AsyncJournal, Journal

from .awaiting import run


def envelope(payload: Any = "hello", name: str | None = None) -> Envelope:
    return Envelope("B", "A", "c", payload, name=name)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "payload",
    [nested(101), nested(300), nested(100_000), 2**64, -(2**63) - 1, 10**400, {"x": float("nan")}, (1,), {1: 2}],
    ids=["101 deep", "300 deep", "very deep", "65 bits", "65 bits below", "huge", "no number", "tuple", "name"],
)
def test_what_not_every_reader_reads_the_same_is_refused(journal: Journal, payload: Any) -> None:
    owned = journal.sessions.start("s-1", "a")
    for act in (lambda: envelope(payload=payload), lambda: owned.accept("message", payload=payload)):
        with pytest.raises(InvalidArgument, match="payload"):
            act()
    holds_itself: list[Any] = []
    holds_itself += [holds_itself, holds_itself]
    with pytest.raises(BoundExceeded, match="payload"):
        owned.accept("message", payload=holds_itself)
    assert journal.verify().findings == ()


def test_what_is_taken_comes_back_the_same_also_through_an_export(journal: Journal) -> None:
    payloads = [nested(100), 2**64 - 1, -(2**63), 1.5e300, 1e16, -0.0, "\x00é\U0001f600", {"b": 1, "a": [True, None]}]
    owned = journal.sessions.start("s-1", "a")
    for payload in payloads:
        journal.inbox.put("s-1", envelope(payload=payload))
        owned.accept("message", payload=payload)
    with Journal.open("memory://") as copy:
        copy.import_export(list(journal.export()))
        for each in (journal, copy):
            assert [unread.envelope.payload for unread in each.inbox.snapshot("s-1")] == payloads
            assert each.verify().findings == ()


def test_a_name_tells_a_repeat_whatever_the_order_within(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    first = journal.inbox.put("s-1", envelope(name="n", payload={"a": 1, "b": 2}))
    assert journal.inbox.put("s-1", envelope(name="n", payload={"b": 2, "a": 1})) == first
    journal.sessions.drain(owned.capability)
    # Nothing new comes in by it.
    assert journal.inbox.put("s-1", envelope(name="n", payload={"a": 1, "b": 2})) == first


def test_what_was_taken_back_comes_in_again_like_any_envelope(journal: Journal) -> None:
    journal.sessions.open("s-1", inbox_capacity=1)
    held = journal.sessions.claim("s-1", "a")
    journal.inbox.put("s-1", envelope(name="n", payload=1))
    journal.revert("inbox-s-1@1")
    assert journal.inbox.put("s-1", envelope(name="n", payload=2)) == 2
    with pytest.raises(DuplicateEnvelope):
        journal.revert("inbox-s-1@2")
    journal.inbox.take(held)
    journal.inbox.acknowledge(held, 2)
    with pytest.raises(DuplicateEnvelope):
        journal.revert("inbox-s-1@2")
    journal.inbox.put("s-1", envelope())
    journal.revert(journal.head())
    other = journal.head()
    journal.inbox.put("s-1", envelope())
    with pytest.raises(InboxFull):
        journal.revert(other)
    assert journal.verify().findings == ()


def test_what_was_taken_is_not_taken_again_once_its_envelope_has_another_number(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "a")
    journal.inbox.put("s-1", envelope())
    journal.inbox.take(held)
    journal.rollback("inbox-s-1", 0)
    journal.rollback("inbox-s-1", 2)
    assert [(each.number, each.taken_by) for each in journal.inbox.snapshot("s-1")] == [(2, None)]
    assert (list(journal.inbox), journal.sessions["s-1"].unread) == ([("s-1", 2)], 1)
    with pytest.raises(NotCompensable):
        journal.revert("inbox-s-1@3")
    journal.sessions.end("s-1")
    assert list(journal.inbox) == []
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_a_taking_is_not_undone_once_it_was_given_back(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    journal.inbox.put("s-1", envelope())
    journal.inbox.take(owned.capability)
    journal.inbox.give_back(owned.capability)
    owned.transfer_in_place("b")
    journal.inbox.take(owned.capability)
    with pytest.raises(LaterEventDepends):
        journal.revert("inbox-s-1@2")
    assert journal.inbox.snapshot("s-1")[0].taken_by == owned.capability.generation


def test_what_is_done_in_steps_is_done_under_a_key_too(journal: Journal) -> None:
    for name in ("s-1", "s-2", "s-3", "s-4"):
        journal.sessions.open(name, ["A"])
    journal.sessions.end("s-1")
    journal.sessions.end("s-2")
    with journal.context(idempotency_key="reap"):
        assert journal.sessions.reap() == (("s-1", 1), ("s-2", 1))
        assert journal.sessions.reap() == ()
    with journal.context(idempotency_key="crash"):
        assert journal.sites.crashed("A") == ("s-3", "s-4")
        assert journal.sites.crashed("A") == ()
    assert set(journal.archive) == {("s-1", 1), ("s-2", 1)}
    assert {name: row.status.value for name, row in journal.sessions.items()} == {"s-3": "faulted", "s-4": "faulted"}
    with journal.context(idempotency_key="start"):
        first, again = (journal.sessions.start("s-5", "a") for _ in range(2))
    assert again.capability == first.capability
    assert journal.sessions.current() == "s-5"


def test_a_binding_is_of_one_incarnation(journal: Journal) -> None:
    with contextlib.suppress(ZeroDivisionError), journal.saga("start"):
        owned = journal.sessions.start("s-1", "a")
        raise ZeroDivisionError
    journal.sessions.open("s-1")
    journal.sessions.claim("s-1", "another")
    assert journal.sessions.current() is None
    with pytest.raises(MissingTaskBinding):
        journal.sessions.end()
    with pytest.raises((MissingTaskBinding, StaleCapability)):
        owned.accept("message")


def test_who_ends_a_session_leaves_the_next_incarnation_running(journal: Journal) -> None:
    journal.sessions.open("s-1")
    failed: list[BaseException] = []

    def starts() -> None:
        try:
            while True:
                with contextlib.suppress(SessionAlreadyOpen):
                    owned = journal.sessions.start("s-1", "b")
                    break
            assert journal.sessions.current() == "s-1"
            owned.accept("message")
            owned.close()
        except BaseException as error:
            failed.append(error)

    for _ in range(30):
        thread = threading.Thread(target=starts)
        thread.start()
        journal.sessions.end("s-1")
        thread.join()
        journal.sessions.open("s-1")
    assert failed == []


def test_who_is_cancelled_while_it_starts_runs_nothing(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        await journal.sessions.open("open")
        for wait in range(40):
            started, bound = f"s-{wait}", False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait / 10_000):
                    await journal.sessions.start(started, "a")
                    bound = True
            running = await journal.sessions.current()
            assert running == (started if bound else None)
            if bound:
                await journal.sessions.end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait / 10_000), journal.sessions.bound("open"):
                    pass
            assert await journal.sessions.current() is None

    run(url, story)


def test_what_tasks_that_ended_ran_is_forgotten(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        bindings = journal._journal.sessions._bindings
        for number in range(200):
            await asyncio.create_task(journal.sessions.start(f"s-{number}", "a"))
        assert len(bindings._running) <= 66
        assert sum(map(len, bindings._places.values())) == len(bindings._running)

    run(url, story)


def test_what_is_wrong_is_told_in_the_same_order_by_both() -> None:
    async def story(journal: AsyncJournal) -> None:
        with pytest.raises(InvalidArgument) as awaited:
            await journal.inbox.wait(3, timeout_s=-1)  # type: ignore[arg-type]
        with Journal.open("memory://") as blocking, pytest.raises(InvalidArgument) as told:
            blocking.inbox.wait(3, timeout_s=-1)  # type: ignore[arg-type]
        assert str(awaited.value) == str(told.value)

    run("memory://", story)
