"""Branches of a journal for ``asyncio``."""

from __future__ import annotations

import pytest
from muniment.domain import JournalClosed, LaterEventDepends
from muniment.journal import AsyncJournal

from .awaiting import run


async def begin(journal: AsyncJournal) -> None:
    """A session that went from alice to bob."""
    await journal.sessions.open("s")
    await journal.sessions.transfer(await journal.sessions.claim("s", "alice"), "bob")


def test_commands_are_awaited_in_it_and_stay_in_it(url: str) -> None:
    async def act(journal: AsyncJournal) -> None:
        await begin(journal)
        async with journal.what_if(2) as branch:
            await branch.sessions.open("t")
            await branch.revert("session-s@2")
            assert [change.key for change in await branch.changes(tables=["owners"])] == ["t", "s"]
            found = {each.key: each.journal_event for each in await branch.compare(journal, tables=["owners"])}
            assert found == {"s": "session-s@3", "t": None}
            assert await branch.run(lambda it: it.owners["s"].owner) is None
        assert await journal.run(lambda it: it.owners["s"].owner) == "bob"
        with pytest.raises(JournalClosed):
            await branch.sessions.open("u")

    run(url, act)


def test_it_begins_without_an_event_or_says_what_is_in_the_way(url: str) -> None:
    async def act(journal: AsyncJournal) -> None:
        await begin(journal)
        async with journal.what_if(without="session-s@3") as branch:
            assert await branch.run(lambda it: it.owners["s"].owner) == "alice"
        with pytest.raises(LaterEventDepends):
            await journal.what_if(without="session-s@2").__aenter__()

    run(url, act)
