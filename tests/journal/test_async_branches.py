"""Branches of a journal for ``asyncio``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from muniment.domain import JournalClosed, LaterEventDepends
from muniment.journal import AsyncJournal

from ..conftest import Clock
from .awaiting import run


def in_story(url: str, clock: Clock, act: Callable[[AsyncJournal], Awaitable[None]]) -> None:
    async def begin() -> None:
        async with await AsyncJournal.open(url, clock=clock) as journal:
            await journal.sessions.open("s")
            held = await journal.sessions.claim("s", "alice")
            await journal.sessions.transfer(held, "bob")
            await act(journal)

    run(begin())


def test_commands_are_awaited_in_it_and_stay_in_it(url: str, clock: Clock) -> None:
    async def act(journal: AsyncJournal) -> None:
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

    in_story(url, clock, act)


def test_it_begins_without_an_event_or_says_what_is_in_the_way(url: str, clock: Clock) -> None:
    async def act(journal: AsyncJournal) -> None:
        async with journal.what_if(without="session-s@3") as branch:
            assert await branch.run(lambda it: it.owners["s"].owner) == "alice"
        with pytest.raises(LaterEventDepends):
            await journal.what_if(without="session-s@2").__aenter__()

    in_story(url, clock, act)
