"""Undo on journals that somebody has written by hand, and under cancellation and contention of tasks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from muniment.domain import CommandRefused, InvalidInput, JournalReadOnly, SagaEnded, UndoMissing
from muniment.journal import AsyncJournal, Journal

from .stories import claim, claim_fragments, hand_over, host, live, open_session, register, seed

Line = dict[str, Any]


def exported() -> list[Line]:
    """The lines of a journal in which a hand-over with an upgrade was undone."""
    with Journal.open("memory://") as journal:
        for act in (register, seed, open_session, host, claim, claim_fragments, hand_over):
            act(journal)
        journal.revert(journal.head())
        return [json.loads(line) for line in journal.export()][:-1]


def imported(journal: Journal, lines: list[Line]) -> None:
    """Import lines, numbered anew, so that some may be missing."""
    versions: dict[str, int] = {}
    for position, line in enumerate(lines, 1):
        stream = line["subject"]
        versions[stream] = versions.get(stream, 0) + 1
        line |= {"sequence": str(position), "id": f"{stream}@{versions[stream]}"}
    journal.import_export((json.dumps(line) for line in lines), unmarked=True)


def find(lines: list[Line], type_name: str) -> Line:
    return next(line for line in lines if line["type"] == f"{type_name}.v1")


def _compensates(value: str) -> Callable[[list[Line]], None]:
    def spoil(lines: list[Line]) -> None:
        find(lines, "session.hand_over_reverted")["compensates"] = value

    return spoil


def _drop_compensates(lines: list[Line]) -> None:
    del find(lines, "session.hand_over_reverted")["compensates"]


def _claim_undoes_hosting(lines: list[Line]) -> None:
    find(lines, "session.ownership_claimed")["compensates"] = '["session-s-1@2"]'


def _two_holders(lines: list[Line]) -> None:
    find(lines, "session.hand_over_reverted")["data"]["footprint"] = [["A", "native"], ["B", "native"]]


def _somebody_else(lines: list[Line]) -> None:
    find(lines, "session.hand_over_reverted")["data"]["footprint"] = [["A", None], ["B", None], ["Z", "native"]]


@pytest.mark.parametrize(
    "spoil",
    [
        _somebody_else,
        _compensates('["session-s-1@3"]'),
        _compensates('["session-s-1@5", "session-s-1@4"]'),
        _compensates("[]"),
        _compensates('["session-s-1@6"]'),
        _compensates('["session-s-1@\\u0665"]'),
        _compensates('["bundle-chat@5"]'),
        _compensates('["nothing"]'),
        _drop_compensates,
        _claim_undoes_hosting,
        _two_holders,
    ],
)
def test_undoing_that_does_not_fit_is_found(spoil: Callable[[list[Line]], None], file_url: str) -> None:
    lines = exported()
    spoil(lines)
    with Journal.open(file_url) as journal:
        imported(journal, lines)
        findings = journal.verify().findings
        assert findings
        assert {finding.layer for finding in findings} == {"law"}


def test_an_id_that_no_event_has_room_for_is_refused(file_url: str) -> None:
    lines = exported()
    find(lines, "session.hand_over_reverted")["compensates"] = json.dumps(["session-s-1@" + "1" * 5_000])
    with Journal.open(file_url) as journal, pytest.raises(InvalidInput):
        imported(journal, lines)


def test_whatever_is_missing_undo_raises_typed_errors_only(tmp_path: Path) -> None:
    whole = exported()
    for seed_ in range(25):
        random = Random(seed_)
        kept = [line for line in whole if random.random() < 0.8]
        with Journal.open(f"sqlite:///{tmp_path}/{seed_}.db") as journal:
            imported(journal, json.loads(json.dumps(kept)))
            for position in range(1, journal.head() + 1):
                for obstacle in journal.revert(position, dry_run=True).obstacles:
                    assert str(obstacle)
            for stream in {record.stream for record in journal.read()}:
                journal.rollback(stream, 0, dry_run=True)
            journal.verify()
            with suppress(CommandRefused, InvalidInput):
                journal.revert(journal.head())
            assert journal.replay().differences == {}


def test_a_part_that_was_undone_alone_is_done_again_alone(file_url: str) -> None:
    lines = [
        line
        for line in exported()
        if line["type"] not in ("bundle.members_restored.v1", "bundle.upgrade_rolled_back.v1")
    ]
    with Journal.open(file_url) as journal:
        imported(journal, lines)
        assert journal.verify().findings == ()
        journal.revert("session-s-1@6")
        assert (live(journal).owner, journal.bundles["chat"].members) == ("bob", ("y", "z"))


def test_undoing_takes_leave_to_write(file_url: str) -> None:
    with Journal.open(file_url) as journal:
        open_session(journal)
    with Journal.open(file_url, read_only=True) as journal:
        with pytest.raises(JournalReadOnly):
            journal.revert(1)
        with pytest.raises(JournalReadOnly):
            journal.rollback("session-s-1", 0)


def test_no_step_is_registered_any_more_once_a_saga_is_being_undone(journal: Journal) -> None:
    saga = journal.saga("x")
    undone: list[str] = []

    def early(details: str) -> None:
        with pytest.raises(SagaEnded):
            saga.register_undo("late", undone.append)
        undone.append(details)

    with pytest.raises(SagaEnded), saga:
        saga.register_undo("early", early, "early")
        with pytest.raises(UndoMissing):
            journal.sagas.compensate(saga.id)
        assert journal.sagas[saga.id].status == "running"
        journal.sagas.compensate(saga.id, {"early": early})
    assert undone == ["early"]
    assert journal.sagas[saga.id].status == "compensated"


def test_many_sagas_of_tasks_fail_at_once(url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(url) as journal:
            undone: list[str] = []

            async def undo(details: str) -> None:
                await journal.run(lambda each: each.head())
                undone.append(details)

            async def work(number: int) -> None:
                async with journal.saga("x") as saga:
                    await saga.register_undo("step", undo, str(number))
                    await journal.sessions.open(f"s {number}")
                    raise ZeroDivisionError

            results = await asyncio.gather(*(work(number) for number in range(40)), return_exceptions=True)
            assert {type(each) for each in results} == {ZeroDivisionError}
            assert len(undone) == 40
            assert await journal.sagas.unfinished() == {}
            assert await journal.run(lambda each: len(each.owners)) == 0

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_task_that_is_cancelled_while_it_registers_a_step_undoes_all(file_url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(file_url) as journal:

            async def work() -> None:
                async with journal.saga("x") as saga:
                    for number in range(20):
                        await saga.register_undo(f"step {number}", lambda details: None)

            random = Random(1)
            tasks = [asyncio.create_task(work()) for _ in range(40)]
            for task in tasks:
                asyncio.get_running_loop().call_later(random.random() / 20, task.cancel)
            await asyncio.gather(*tasks, return_exceptions=True)
            assert await journal.sagas.unfinished() == {}

    asyncio.run(story())


def test_a_stream_that_tasks_write_at_full_speed_can_be_undone_in(file_url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(file_url) as journal:
            await journal.sessions.open("s-1")
            await journal.sessions.host("s-1", "A")
            held = await journal.sessions.claim("s-1", "alice")

            async def write() -> None:
                while True:
                    await journal.sessions.issue_witness(held, "ready")

            writers = [asyncio.create_task(write()) for _ in range(4)]
            plan = await journal.revert("session-s-1@2")
            for _ in range(5):
                plan = await journal.revert(plan.positions[0])
            with pytest.raises(ZeroDivisionError):
                async with journal.saga("x"):
                    await journal.sessions.issue_witness(held, "ready")
                    raise ZeroDivisionError
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
            assert await journal.sagas.unfinished() == {}
            assert await journal.run(lambda each: each.verify().findings) == ()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_closing_the_journal_in_a_saga_does_not_replace_what_was_raised(file_url: str) -> None:
    async def story() -> None:
        journal = await AsyncJournal.open(file_url)
        with pytest.raises(ZeroDivisionError) as caught:
            async with journal.saga("x"):
                await journal.close()
                raise ZeroDivisionError
        assert "unfinished" in caught.value.__notes__[0]

    asyncio.run(story())
    with Journal.open(file_url) as journal:
        (saga_id,) = journal.sagas.unfinished()
        journal.sagas.compensate(saga_id)
