"""Running a story with a journal whose commands are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from muniment.journal import AsyncJournal


def run(url: str, story: Callable[[AsyncJournal], Awaitable[None]]) -> None:
    """Run a story with a journal, in an event loop of its own."""

    async def main() -> None:
        async with await AsyncJournal.open(url) as journal:
            await story(journal)

    asyncio.run(main())
