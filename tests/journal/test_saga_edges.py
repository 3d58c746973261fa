"""Sagas at their edges: ended twice, elsewhere, in the middle, by hand, by errors that cannot say what they are."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from muniment.domain import (
    InvalidArgument,
    InvalidIdentifier,
    LaterEventDepends,
    NotCompensable,
    SagaEnded,
    SagaNotFound,
    UndoMissing,
    UpgradeRejected,
)
from muniment.journal import AsyncJournal, Journal
from muniment.journal.writing import streams

from .stories import claim, claim_fragments, host, live, open_session, register, seed, upgrade_to


class Unspeakable(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    "error", [OSError("cannot open bad\udcff.txt"), OSError("x\0y"), Unspeakable(), OSError("x" * 9_000)]
)
def test_an_error_that_cannot_be_written_down_is_no_reason_not_to_undo(error: Exception, journal: Journal) -> None:
    with pytest.raises(type(error)) as caught, journal.saga("x") as saga:
        open_session(journal)
        raise error
    assert caught.value is error
    assert journal.sagas[saga.id].status == "compensated"
    assert "s-1" not in journal.owners


def test_an_undo_whose_error_cannot_be_written_down_leaves_the_saga_in_doubt(journal: Journal) -> None:
    def fail(details: str) -> None:
        raise Unspeakable

    with pytest.raises(ValueError, match="first"), journal.saga("x") as saga:
        saga.register_undo("step", fail)
        raise ValueError("first")
    assert (journal.sagas[saga.id].status, journal.sagas[saga.id].reason) == ("in_doubt", "Unspeakable")


def test_a_saga_is_used_once(journal: Journal) -> None:
    with journal.saga("x") as saga:
        open_session(journal)
    with pytest.raises(SagaEnded), saga:
        raise AssertionError("not reached")
    assert journal.sagas[saga.id].status == "completed"
    assert "s-1" in journal.owners


def test_a_saga_that_is_being_undone_takes_nothing_more(journal: Journal) -> None:
    def more(details: str) -> None:
        journal.sessions.open("late")

    with pytest.raises(SagaEnded) as caught, journal.saga("x") as saga:
        saga.register_undo("step", more)
        journal.sagas.compensate(saga.id, {"step": lambda details: None})
        open_session(journal)
    assert caught.value.status == "compensated"
    with pytest.raises(ZeroDivisionError), journal.saga("y") as saga:
        saga.register_undo("step", more)
        raise ZeroDivisionError
    # What an undo appends is its own, and not the saga's.
    assert journal.record(journal.head() - 2).metadata.saga is None
    assert "late" in journal.owners


def test_undoing_one_saga_in_another_is_not_undone_with_it(journal: Journal) -> None:
    with pytest.raises(ZeroDivisionError), journal.saga("dead") as dead:
        host_missing: Any = journal.sessions.host
        open_session(journal)
        dead.register_undo("step", lambda details: host_missing("none", "A"))
        raise ZeroDivisionError
    assert journal.sagas[dead.id].status == "in_doubt"
    with pytest.raises(ValueError, match="later"), journal.saga("janitor"):
        journal.sagas.compensate(dead.id, leave=["step"])
        raise ValueError("later")
    assert journal.sagas[dead.id].status == "compensated"
    assert "s-1" not in journal.owners


def test_a_key_is_for_the_command_and_not_for_the_saga_around_it(journal: Journal) -> None:
    with journal.context(idempotency_key="k"):
        with pytest.raises(ZeroDivisionError), journal.saga("x") as saga:
            open_session(journal)
            raise ZeroDivisionError
        assert journal.sagas[saga.id].status == "compensated"


def test_a_saga_that_cannot_be_undone_is_resolved_by_hand(journal: Journal) -> None:
    open_session(journal)
    with pytest.raises(ZeroDivisionError), journal.saga("x") as saga:
        claim(journal)
        saga.register_undo("mail", lambda details: None, "to bob")
        journal.sessions.close(live(journal))
        raise ZeroDivisionError
    with pytest.raises(NotCompensable):
        journal.sagas.compensate(saga.id, leave=["mail"])
    journal.sagas.resolve(saga.id, "wrote to bob")
    row = journal.sagas[saga.id]
    assert (row.status, row.reason, row.is_finished) == ("resolved", "wrote to bob", True)
    assert journal.record(journal.head()).event.left == ("mail",)  # type: ignore[attr-defined]
    assert journal.sagas.steps(saga.id) == ()
    for act in (
        lambda: journal.sagas.resolve(saga.id, "again"),
        lambda: journal.sagas.compensate(saga.id, leave=["mail"]),
    ):
        with pytest.raises(SagaEnded):
            act()
    with pytest.raises(SagaNotFound):
        journal.sagas.resolve("none", "how")
    with pytest.raises(InvalidArgument):
        journal.sagas.resolve(saga.id, " ")
    with pytest.raises(SagaNotFound):
        journal.sagas.steps("none")


def test_a_hand_over_that_fails_by_its_upgrade_is_no_obstacle_to_the_saga(journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, claim_fragments):
        act(journal)
    with pytest.raises(UpgradeRejected), journal.saga("x") as saga:
        journal.sessions.attenuate(live(journal), live(journal).scope)
        journal.sessions.hand_over(
            live(journal), "b", from_authority="A", to_authority="B", bundle_id="chat", upgrade=upgrade_to("z")
        )
    assert journal.sagas[saga.id].status == "compensated"
    assert journal.upgrades["chat", "u-1"].phase == "failed"
    assert journal.verify().findings == ()


def test_a_generator_that_is_closed_elsewhere_ends_its_saga(journal: Journal) -> None:
    def work() -> Iterator[None]:
        with journal.saga("x"):
            open_session(journal)
            yield

    generator = work()

    async def begin() -> None:
        next(generator)

    asyncio.run(begin())
    generator.close()  # type: ignore[attr-defined]
    assert journal.sagas.unfinished() == {}
    assert "s-1" not in journal.owners


def test_a_preview_with_a_step_that_nobody_undoes_undoes_nothing(journal: Journal) -> None:
    saga = journal.saga("x")
    with pytest.raises(ZeroDivisionError), saga:
        journal.sessions.open("s-1")
        saga.register_undo("book", lambda _: 1 / 0)
        raise ZeroDivisionError
    plan = journal.sagas.compensate(saga.id, dry_run=True)
    assert [type(each) for each in plan.obstacles] == [UndoMissing]
    assert (plan.steps, plan.changes) == ((), ())
    assert len(journal.sagas.compensate(saga.id, leave=["book"], dry_run=True).steps) == 1


def test_an_undo_that_turns_out_to_be_async_is_named_by_its_step(journal: Journal) -> None:
    class Undo:
        def __call__(self, details: str) -> object:
            return asyncio.sleep(0)

    with pytest.raises(ZeroDivisionError) as caught, journal.saga("x") as saga:
        saga.register_undo("book", Undo())
        raise ZeroDivisionError
    assert "undo of step 'book' must not be async here" in caught.value.__notes__[0]
    assert journal.sagas[saga.id].status == "in_doubt"


def test_what_says_how_to_undo_is_checked(journal: Journal) -> None:
    async def later(details: str) -> None:
        raise AssertionError("not awaited")

    with pytest.raises(ZeroDivisionError), journal.saga("x") as saga:
        for undo in (None, later, "cancel"):
            with pytest.raises(InvalidArgument):
                saga.register_undo("step", undo)  # type: ignore[arg-type]
        saga.register_undo("step", lambda details: later(details))
        raise ZeroDivisionError
    # One that turns out to be async is not taken for done.
    assert "must not be async" in (journal.sagas[saga.id].reason or "")
    for leave in ("step", 5, None):
        with pytest.raises(InvalidArgument):
            journal.sagas.compensate(saga.id, leave=leave)  # type: ignore[arg-type]
    with pytest.raises(InvalidIdentifier):
        journal.sagas.compensate(saga.id, leave=["x" * 10_000])
    with pytest.raises(InvalidArgument):
        journal.sagas.compensate(saga.id, ["step"])  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        journal.sagas.compensate(saga.id, leave=["other"])
    with pytest.raises(UndoMissing):
        journal.sagas.compensate(saga.id)
    journal.sagas.compensate(saga.id, leave=["step"])


def test_a_saga_goes_on_when_its_stream_has_made_room(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CAPACITY", 3)
    with journal.saga("x"):
        for number in range(10):
            journal.sessions.open(f"s {number}")
    assert len(journal.owners) == 10


WORKING = """
import sys
from muniment.domain import MunimentError
from muniment.journal import Journal
with Journal.open(sys.argv[1]) as journal:
    number = 0
    while True:
        try:
            with journal.saga("x"):
                for _ in range(20):
                    number += 1
                    journal.sessions.open(f"s {number}")
        except MunimentError:
            print("ended", flush=True)
"""


def test_a_saga_that_is_undone_while_it_works_leaves_nothing_standing(shared_url: str) -> None:
    Journal.open(shared_url).close()
    with subprocess.Popen([sys.executable, "-c", WORKING, shared_url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            with Journal.open(shared_url) as journal:
                compensated = 0
                while compensated < 10:
                    for saga_id in journal.sagas.unfinished():
                        try:
                            journal.sagas.compensate(saga_id)
                        except (SagaEnded, LaterEventDepends):
                            continue
                        compensated += 1
        finally:
            process.kill()
    with Journal.open(shared_url) as journal:
        for saga_id, row in journal.sagas.items():
            standing = [stream for _, stream, _ in journal.sagas.events(saga_id) if stream[8:] in journal.owners]
            assert row.status != "compensated" or standing == []
        assert journal.verify().findings == ()


def test_tasks_finish_sagas_and_undo_in_async_functions(url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(url) as journal:
            undone: list[str] = []

            async def undo(details: str) -> None:
                await asyncio.sleep(0)
                undone.append(details)

            with pytest.raises(ZeroDivisionError):
                async with journal.saga("x") as saga:
                    await journal.sessions.open("s-1")
                    await saga.register_undo("step", undo, "one")
                    raise ZeroDivisionError
            assert undone == ["one"]

            async def broken(details: str) -> None:
                raise ConnectionError

            with pytest.raises(ZeroDivisionError):
                async with journal.saga("y") as saga:
                    await saga.register_undo("step", broken, "two")
                    raise ZeroDivisionError
            assert list(await journal.sagas.unfinished()) == [saga.id]
            assert await journal.sagas.steps(saga.id) == (("step", "two"),)
            assert (await journal.sagas.compensate(saga.id, {"step": undo}, dry_run=True)).obstacles == ()
            await journal.sagas.compensate(saga.id, {"step": undo})
            assert undone == ["one", "two"]
            with pytest.raises(ZeroDivisionError):
                async with journal.saga("z") as saga:
                    await saga.register_undo("step", broken)
                    raise ZeroDivisionError
            await journal.sagas.resolve(saga.id, "by hand")
            assert await journal.sagas.unfinished() == {}

    asyncio.run(story())


def test_a_task_that_is_cancelled_at_either_end_leaves_no_saga_behind(file_url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(file_url) as journal:

            async def work() -> None:
                async with journal.saga("x"):
                    await journal.sessions.open("s-1")
                    raise ZeroDivisionError

            for steps in range(12):
                task = asyncio.create_task(work())
                for _ in range(steps):
                    await asyncio.sleep(0.001)
                task.cancel()
                with pytest.raises((asyncio.CancelledError, ZeroDivisionError)):
                    await task

    asyncio.run(story())
    with Journal.open(file_url) as journal:
        assert journal.sagas.unfinished() == {}
        assert len(journal.owners) == 0
