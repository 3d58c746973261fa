"""Appends what tasks want appended, in one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from eventsourcing.persistence import OperationalError

from ..storage.application import JournalApplication
from ..storage.group_commit import MAX_EVENTS, Request, write_together
from .execution import Append, Insist


class AsyncWriter:
    """Appends in one thread what tasks want appended, together."""

    def __init__(self, application: JournalApplication) -> None:
        self._recorder = application.recorder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="muniment-writer")
        self._pending: list[tuple[Request, asyncio.Future[Sequence[int] | None]]] = []
        self._is_writing = False
        self._idle = asyncio.Event()
        self._idle.set()

    def append(self, step: Append) -> asyncio.Future[Sequence[int] | None]:
        """Queue an append; the future is done when they are durable, or could not be appended."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[int] | None] = loop.create_future()
        self._pending.append((Request(step.events, step.conditions), future))
        if not self._is_writing:
            self._is_writing = True
            self._idle.clear()
            # Tasks that are ready now get to queue theirs before the first is written.
            loop.call_soon(self._write_next, loop)
        return future

    async def insist(self, step: Insist) -> Sequence[int] | None:
        """Decide, and append what is decided, while nobody else can append."""
        decided = partial(self._recorder.insert_events, (), decide=step.decide)
        return await asyncio.get_running_loop().run_in_executor(self._thread, decided)

    def end(self) -> None:
        """End the thread once it has written what it is at."""
        self._thread.shutdown(wait=False)

    async def close(self) -> None:
        """Wait for what is queued, and end the thread."""
        await self._idle.wait()
        await asyncio.to_thread(self._thread.shutdown)

    def _write_next(self, loop: asyncio.AbstractEventLoop) -> None:
        batch: list[tuple[Request, asyncio.Future[Sequence[int] | None]]] = []
        size = 0
        for queued in self._pending:
            size += len(queued[0].events)
            if batch and size > MAX_EVENTS:
                break
            batch.append(queued)
        del self._pending[: len(batch)]
        if not batch:
            self._is_writing = False
            self._idle.set()
            return
        written = loop.run_in_executor(self._thread, write_together, self._recorder, [request for request, _ in batch])
        written.add_done_callback(lambda done: self._answer(loop, batch, done))

    def _answer(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[tuple[Request, asyncio.Future[Sequence[int] | None]]],
        done: asyncio.Future[None],
    ) -> None:
        failure = OperationalError("the event loop is ending") if done.cancelled() else done.exception()
        for request, future in batch:
            if future.cancelled():
                continue
            if (error := failure or request.error) is not None:
                future.set_exception(error)
            else:
                future.set_result(request.positions)
        self._write_next(loop)
