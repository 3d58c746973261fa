"""The past, read from an event loop: records by filters, and as they are committed."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Collection
from functools import partial
from itertools import islice
from typing import Any, Final

from ..domain import MunimentError, RecordedEvent
from .journal import Journal
from .storage.commits import LoopBell

_LOOK_AGAIN_S: Final = 5.0
"""How often a task that follows looks all the same."""

_AT_ONCE: Final = 100
"""How many records are read without coming back to the event loop."""


class AsyncReading:
    """What is read of a journal, awaited.

    Args:
        journal: the journal that blocks.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @abstractmethod
    def _require_own_loop(self) -> None:
        """Refuse another event loop than the journal's own.

        Raises:
            JournalForked, OtherEventLoop
        """

    async def cursor(self, position: int | None = None) -> str:
        """What a consumer keeps to go on behind a position; see ``Journal.cursor``."""
        self._require_own_loop()
        return await asyncio.to_thread(self._journal.cursor, position)

    async def records(self, **filters: Any) -> AsyncIterator[RecordedEvent]:
        """Yield the records that filters choose; see ``Journal.records``, which takes the same."""
        self._require_own_loop()
        found = await asyncio.to_thread(partial(self._journal.records, **filters))
        is_more = True
        while is_more:
            page: list[RecordedEvent] = []
            problem = None
            try:
                await asyncio.to_thread(page.extend, islice(found, _AT_ONCE))
            except MunimentError as error:
                # What was read before it is handed out first.
                problem = error
            for record in page:
                yield record
            if problem is not None:
                raise problem
            is_more = len(page) == _AT_ONCE

    async def last_not_undone(self, stream: str, types: Collection[str] = ()) -> RecordedEvent | None:
        """The last event of a stream that stands; see ``Journal.last_not_undone``."""
        self._require_own_loop()
        return await asyncio.to_thread(self._journal.last_not_undone, stream, types)

    async def similar_streams(self, stream: str, most: int = 3) -> tuple[str, ...]:
        """The streams whose names are most like one that is not there; see ``Journal.similar_streams``."""
        self._require_own_loop()
        return await asyncio.to_thread(self._journal.similar_streams, stream, most)

    async def follow(
        self, after: int | str = 0, types: Collection[str] = (), **filters: Any
    ) -> AsyncIterator[RecordedEvent]:
        """Yield records as they are committed, by this process or another; see ``Journal.follow``."""
        self._require_own_loop()
        following = await asyncio.to_thread(partial(self._journal.follow, after, types, **filters))
        # No thread waits for the next record: it would keep the process from ending, or others from being read.
        committed = LoopBell()
        following.ring(committed)
        try:
            while True:
                committed.mute()
                if (found := await asyncio.to_thread(following.ready)) is None:
                    return
                is_anything = False
                for record in found:
                    is_anything = True
                    yield record
                if not is_anything:
                    await committed.wait(_LOOK_AGAIN_S)
        finally:
            following.stop()
