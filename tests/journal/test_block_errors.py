"""What a block raises comes out of it, whatever happens when the block is left."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path

import pytest
from muniment.journal import AsyncJournal, Journal


class Failure(Exception):
    """What a block raises."""


def close_the_turns(database: Path) -> None:
    """Close the file that writers take turns by under the journal, as a careless daemon closes what it inherited."""
    turns = database.with_name(f"{database.name}-turns").stat()
    for descriptor in (int(link.name) for link in Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), turns):
                os.close(descriptor)


def work(journal: Journal) -> Iterator[None]:
    with journal.context(actor="alice"):
        journal.sessions.open("s")
        yield


@pytest.mark.parametrize("ends", ["close", "throw"])
def test_a_generator_in_a_context_may_end_in_another_one(ends: str) -> None:
    with Journal.open("memory://") as journal:
        generator = work(journal)
        copy_context().run(next, generator)
        if ends == "close":
            generator.close()  # type: ignore[attr-defined]
        else:
            with pytest.raises(Failure):
                generator.throw(Failure())  # type: ignore[attr-defined]
        assert journal.record(1).metadata.actor == "alice"
        journal.sessions.open("later")
        assert journal.record(2).metadata.actor is None


def test_an_asynchronous_generator_in_a_context_may_end_in_another_task() -> None:
    async def generate(journal: AsyncJournal) -> AsyncIterator[None]:
        with journal.context(actor="alice"):
            yield

    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            generator = generate(journal)
            await anext(generator)
            with pytest.raises(Failure):
                await asyncio.create_task(generator.athrow(Failure()))  # type: ignore[attr-defined]

    asyncio.run(story())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are not listed")
def test_a_journal_that_cannot_be_closed_says_so_in_a_note(tmp_path: Path) -> None:
    def story() -> None:
        with Journal.open(tmp_path / "journal.db") as journal:
            journal.sessions.open("s")
            close_the_turns(tmp_path / "journal.db")
            raise Failure

    with pytest.raises(Failure) as raised:
        story()
    assert raised.value.__notes__ == ["closing failed as well: OSError: [Errno 9] Bad file descriptor"]


def test_a_journal_of_tasks_that_cannot_be_closed_says_so_in_a_note() -> None:
    opened: list[AsyncJournal] = []

    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            opened.append(journal)
            await asyncio.get_running_loop().shutdown_default_executor()
            raise Failure

    with pytest.raises(Failure) as raised:
        asyncio.run(story())
    assert raised.value.__notes__ == ["closing failed as well: RuntimeError: Executor shutdown has been called"]
    opened[0]._journal.close()


def test_closing_that_fails_after_a_block_that_did_not_is_an_error() -> None:
    opened: list[AsyncJournal] = []

    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            opened.append(journal)
            await asyncio.get_running_loop().shutdown_default_executor()

    with pytest.raises(RuntimeError, match="Executor shutdown"):
        asyncio.run(story())
    opened[0]._journal.close()
