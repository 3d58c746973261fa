"""Sagas: work with steps outside the journal, undone from wherever it stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from muniment.domain import (
    InvalidArgument,
    InvalidIdentifier,
    LaterEventDepends,
    NotCompensable,
    OwnershipCapability,
    SagaEnded,
    SagaNotFound,
    UndoMissing,
)
from muniment.journal import AsyncJournal, Journal

from .stories import claim, host, live, open_session


class Outside:
    """A world outside of the journal, in which rooms are booked."""

    def __init__(self) -> None:
        self.rooms: list[str] = []
        self.is_reachable = True

    def book(self, room: str) -> str:
        self.rooms.append(room)
        return room

    def cancel(self, room: str) -> None:
        if not self.is_reachable:
            raise ConnectionError("nobody answers")
        self.rooms.remove(room)


def types(journal: Journal, after: int = 0) -> list[str]:
    return [record.type.removesuffix(".v1") for record in journal.read(after)]


def test_what_was_done_in_a_saga_stays_when_it_ends_well(journal: Journal) -> None:
    with journal.saga("open a room") as saga:
        open_session(journal)
        saga.register_undo("book", lambda room: None, "42")
    assert journal.sagas[saga.id].status == "completed"
    assert journal.sagas[saga.id].name == "open a room"
    assert journal.sagas.unfinished() == {}
    assert journal.record(2).metadata.saga == saga.id
    assert types(journal) == ["saga.begun", "session.opened", "saga.undo_registered", "saga.completed"]


def test_an_exception_undoes_everything_newest_first_and_goes_on(journal: Journal) -> None:
    outside = Outside()
    undone: list[str] = []

    def cancel(room: str) -> None:
        undone.append(room)
        outside.cancel(room)

    with pytest.raises(RuntimeError, match="no more rooms") as caught, journal.saga("meet") as saga:
        open_session(journal)
        saga.register_undo("first", cancel, outside.book("41"))
        claim(journal)
        saga.register_undo("second", cancel, outside.book("42"))
        host(journal)
        raise RuntimeError("no more rooms")
    assert caught.value.__notes__ == [f"saga {saga.id!r} (meet) is compensated"]
    assert (outside.rooms, undone) == ([], ["42", "41"])
    assert types(journal, 6) == [
        "saga.compensation_begun",
        "saga.step_undone",
        "saga.step_undone",
        "session.hosting_withdrawn",
        "session.ownership_restored",
        "session.opening_withdrawn",
        "saga.compensated",
    ]
    assert "s-1" not in journal.owners
    row = journal.sagas[saga.id]
    assert (row.status, row.reason) == ("compensated", "RuntimeError: no more rooms")
    assert journal.verify().findings == ()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interruption_undoes_too(error: type[BaseException], journal: Journal) -> None:
    with pytest.raises(error), journal.saga("meet"):
        open_session(journal)
        raise error
    assert "s-1" not in journal.owners


def test_what_others_did_meanwhile_is_not_touched(journal: Journal) -> None:
    open_session(journal)
    with pytest.raises(RuntimeError), journal.saga("host"):
        host(journal)
        thread = threading.Thread(target=lambda: journal.sessions.claim("s-1", "alice"))
        thread.start()
        thread.join()
        raise RuntimeError
    view = journal.sessions.state("s-1")
    assert (view.holder, view.capability and view.capability.owner) == (None, "alice")


def test_what_cannot_be_undone_leaves_the_saga_in_doubt(journal: Journal) -> None:
    outside = Outside()
    with pytest.raises(RuntimeError) as caught, journal.saga("open") as saga:
        open_session(journal)
        saga.register_undo("book", outside.cancel, outside.book("42"))
        thread = threading.Thread(target=lambda: journal.sessions.claim("s-1", "mallory"))
        thread.start()
        thread.join()
        raise RuntimeError
    (note,) = caught.value.__notes__
    assert "in doubt" in note
    assert "session-s-1@2" in note
    # Nothing was touched outside, since it was known before that the journal's part cannot be undone.
    assert outside.rooms == ["42"]
    row = journal.sagas[saga.id]
    assert (row.status, "LaterEventDepends" in (row.reason or "")) == ("in_doubt", True)
    assert list(journal.sagas.unfinished()) == [saga.id]
    with pytest.raises(LaterEventDepends):
        journal.sagas.compensate(saga.id, {"book": outside.cancel})
    head = journal.head()
    with pytest.raises(LaterEventDepends):
        journal.sagas.compensate(saga.id, {"book": outside.cancel})
    # The same obstacle again is not recorded again.
    assert journal.head() == head

    journal.sessions.release(live(journal))
    journal.revert(journal.head())
    journal.revert("session-s-1@2")
    journal.sagas.compensate(saga.id, {"book": outside.cancel})
    assert outside.rooms == []
    assert journal.sagas.unfinished() == {}


def test_a_spent_witness_keeps_a_saga_from_being_undone(journal: Journal) -> None:
    open_session(journal)
    claim(journal)
    with pytest.raises(RuntimeError), journal.saga("spend") as saga:
        journal.sessions.consume_witness(live(journal), journal.sessions.issue_witness(live(journal), "ready"))
        raise RuntimeError
    with pytest.raises(NotCompensable):
        journal.sagas.compensate(saga.id)


def test_an_undo_that_fails_outside_is_tried_again_later(journal: Journal) -> None:
    outside = Outside()
    with pytest.raises(RuntimeError), journal.saga("meet") as saga:
        open_session(journal)
        saga.register_undo("first", outside.cancel, outside.book("41"))
        saga.register_undo("second", lambda room: setattr(outside, "is_reachable", False), outside.book("42"))
        raise RuntimeError
    assert "ConnectionError: nobody answers" in (journal.sagas[saga.id].reason or "")
    assert journal.sagas.steps(saga.id) == (("first", "41"),)
    assert "s-1" in journal.owners
    outside.is_reachable = True
    with pytest.raises(UndoMissing) as missing:
        journal.sagas.compensate(saga.id)
    assert missing.value.steps == ("first",)
    (obstacle,) = journal.sagas.compensate(saga.id, dry_run=True).obstacles
    assert isinstance(obstacle, UndoMissing)
    plan = journal.sagas.compensate(saga.id, {"first": outside.cancel}, dry_run=True)
    assert [step.event_id for step in plan.steps] == ["session-s-1@1"]
    journal.sagas.compensate(saga.id, {"first": outside.cancel})
    assert outside.rooms == ["42"]
    with pytest.raises(SagaEnded):
        journal.sagas.compensate(saga.id)


def test_steps_outside_can_be_left_as_they_are_on_record(journal: Journal) -> None:
    with pytest.raises(RuntimeError), journal.saga("meet") as saga:
        open_session(journal)
        saga.register_undo("book", lambda room: 1 / 0, "42")
        raise RuntimeError
    journal.sagas.compensate(saga.id, leave=["book"])
    assert journal.record(journal.head()).event.left == ("book",)  # type: ignore[attr-defined]


def test_nothing_is_appended_in_a_saga_that_was_ended_elsewhere(shared_url: str) -> None:
    with Journal.open(shared_url) as journal, Journal.open(shared_url) as other:
        journal.sessions.open("s-9")
        with pytest.raises(SagaEnded), journal.saga("meet") as saga:
            open_session(journal)
            other.sagas.compensate(saga.id)
            journal.sessions.open("s-2")
        assert list(journal.owners) == ["s-9"]
        with pytest.raises(SagaEnded), journal.saga("meet") as saga:
            other.sagas.compensate(saga.id)
        with pytest.raises(SagaEnded), journal.saga("meet") as saga:
            other.sagas.compensate(saga.id)
            saga.register_undo("book", lambda room: None)
        with pytest.raises(SagaEnded), journal.saga("meet") as saga:
            open_session(journal)
            other.sagas.compensate(saga.id)
            journal.revert("session-s-9@1")
        assert journal.verify().findings == ()


def test_undoing_in_a_saga_is_undone_with_it(journal: Journal) -> None:
    open_session(journal)
    claim(journal)
    with pytest.raises(RuntimeError), journal.saga("undo"):
        journal.revert(2)
        assert journal.owners["s-1"].owner is None
        raise RuntimeError
    assert journal.owners["s-1"].owner == "alice"


def test_what_was_undone_by_hand_in_a_saga_is_passed_over(journal: Journal) -> None:
    open_session(journal)
    with pytest.raises(RuntimeError), journal.saga("claim") as saga:
        claim(journal)
        journal.revert(journal.head())
        raise RuntimeError
    assert journal.owners["s-1"].owner is None
    assert journal.sagas[saga.id].status == "compensated"
    assert types(journal)[-1] == "saga.compensated"


def test_a_saga_in_a_saga_would_not_be_undone_with_it(journal: Journal) -> None:
    with pytest.raises(InvalidArgument), journal.saga("outer"), journal.saga("inner"):
        raise AssertionError("not reached")
    assert types(journal) == ["saga.begun", "saga.compensation_begun", "saga.compensated"]


def test_names_and_ids_are_checked(journal: Journal) -> None:
    for name in ("", "x" * 10_000, "a\nb", None):
        with pytest.raises(InvalidIdentifier):
            journal.saga(name)  # type: ignore[arg-type]
    for saga_id in ("", "x" * 10_000, None):
        with pytest.raises(InvalidIdentifier):
            journal.sagas.compensate(saga_id)  # type: ignore[arg-type]
    with pytest.raises(SagaNotFound):
        journal.sagas.compensate("none")
    with journal.saga("steps") as saga:
        saga.register_undo("a", lambda _: None)
        with pytest.raises(InvalidArgument):
            saga.register_undo("a", lambda _: None)
        with pytest.raises(InvalidArgument):
            saga.register_undo("b", lambda _: None, "x" * 10_000)
    assert len(journal.sagas.events(saga.id)) == 0


def test_sagas_are_seen_as_they_were(journal: Journal) -> None:
    with journal.saga("one") as saga:
        open_session(journal)
    assert journal.at(position=0).sagas.get(saga.id) is None
    assert journal.at(position=1).sagas[saga.id].status == "running"
    assert journal.at(position=1).sagas.events(saga.id) == []
    assert journal.sagas.events(saga.id) == [(2, "session-s-1", 1)]


DYING = """
import sys
from muniment.journal import Journal
with Journal.open(sys.argv[1]) as journal:
    journal.sessions.open("s-1")
    with journal.saga("hand off") as saga:
        journal.sessions.host("s-1", "A")
        saga.register_undo("announce", print, "in #general")
        journal.sessions.delegate("s-1", "A", "B")
        print(saga.id, flush=True)
        sys.stdin.read()
"""


def test_a_saga_whose_process_was_killed_is_finished_after_reopening(shared_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DYING, shared_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        saga_id = process.stdout.readline().strip()
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    with Journal.open(shared_url) as journal:
        (unfinished,) = journal.sagas.unfinished().items()
        assert (unfinished[0], unfinished[1].name, unfinished[1].status) == (saga_id, "hand off", "running")
        assert journal.sagas.steps(saga_id) == (("announce", "in #general"),)
        assert journal.footprints.of_session("s-1") == {"A": "delegated_out", "B": "delegated_in"}
        told: list[str] = []
        journal.sagas.compensate(saga_id, {"announce": told.append})
        assert told == ["in #general"]
        assert journal.footprints.of_session("s-1") == {}
        assert journal.delegations["s-1", 1].status == "reverted"
        assert journal.sagas.unfinished() == {}
        assert journal.verify().findings == ()


def test_sagas_of_tasks(file_url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(file_url) as journal:
            await journal.sessions.open("s-1")
            undone: list[str] = []
            with pytest.raises(RuntimeError):
                async with journal.saga("host") as saga:
                    await journal.sessions.host("s-1", "A")
                    await saga.register_undo("tell", undone.append, "them")
                    await journal.sessions.claim("s-1", "alice")
                    raise RuntimeError
            assert undone == ["them"]
            async with journal.saga("claim"):
                held = await journal.sessions.claim("s-1", "bob")
            await journal.sessions.check(held)
            plan = await journal.rollback("session-s-1", 1)
            assert [step.undone.type for step in plan.steps] == ["session.ownership_claimed.v1"]
            await journal.revert(plan.positions[0])
            held = OwnershipCapability("s-1", "bob", held.generation + 2, held.scope)
            await journal.sessions.check(held)
            assert await journal.run(lambda each: each.sagas.unfinished()) == {}

            async def cancelled() -> None:
                async with journal.saga("slow"):
                    await journal.sessions.host("s-1", "C")
                    await asyncio.sleep(60)

            task = asyncio.create_task(cancelled())
            while not await journal.run(lambda each: len(each.footprints)):
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await journal.run(lambda each: (len(each.footprints), each.sagas.unfinished())) == (0, {})

    asyncio.run(story())


def test_a_saga_leaves_threads_alone(tmp_path: Path) -> None:
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        with journal.saga("mine"):
            thread = threading.Thread(target=journal.sessions.open, args=("theirs",))
            thread.start()
            thread.join()
            journal.sessions.open("mine")
        sagas = {record.stream: record.metadata.saga for record in journal.read() if record.type == "session.opened.v1"}
        assert sagas["session-theirs"] is None
        assert sagas["session-mine"] is not None
