"""``journal.saga`` and ``journal.sagas`` of an ``AsyncJournal``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager, suppress
from copy import copy
from types import TracebackType
from typing import Any, Self, TypeVar

from ...domain import JournalClosed
from ..commands.awaited import AsyncCommands, Awaits, awaited, read_in_a_thread
from ..commands.base import Checks, Command, Steps
from ..writing.context import ContextHolder
from .sagas import Saga, Sagas, UndoOutside, unseen

ResultT = TypeVar("ResultT")


class AsyncSaga:
    """A saga at work, in an ``async with`` block of one task; see ``Saga``.

    Args:
        saga: the saga.
        sagas: carries out what it takes, each to its end.

    Attributes:
        id: the saga's id.
        name: what it is called.
    """

    def __init__(self, saga: Saga, sagas: AsyncSagas) -> None:
        self.id = saga.id
        self.name = saga.name
        self._saga = saga
        self._carry_out = sagas._carry_out

    def joined(self) -> AbstractContextManager[None]:
        """A block in which what this task appends belongs to the saga; a plain ``with``. See ``Saga.joined``."""
        return self._saga.joined()

    async def register_undo(self, step: str, undo: UndoOutside, details: str = "") -> None:
        """Say how a step outside the journal is undone; see ``Saga.register_undo``. The function may be async."""
        await self._carry_out(self._saga._registering(step, undo, details))

    async def __aenter__(self) -> Self:
        try:
            await self._carry_out(self._saga._beginning())
            # In this task, and not in the one that recorded it.
            self._saga._enter()
        except BaseException as error:
            # Its block is never entered, so nobody else ends it.
            await self._end(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._saga._leave()
        await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        """Complete or undo the saga. What the block raised is never replaced, not even if this task is cancelled."""
        try:
            await self._carry_out(self._saga._ending(error))
        except BaseException as failure:
            if error is None:
                await self._note(failure)
                raise
            if isinstance(failure, JournalClosed):
                self._saga._tell(error, unseen(failure), failure)

    async def _note(self, failure: BaseException) -> None:
        """A cancelled task's error says where the saga stands, like any that leaves the block."""
        if isinstance(failure, asyncio.CancelledError | JournalClosed):
            with suppress(JournalClosed, asyncio.CancelledError):
                await self._carry_out(self._saga._telling(failure))


class AsyncSagas(AsyncCommands):
    """What ``journal.sagas`` does, to be awaited. Functions that undo steps may be async.

    Args:
        journal: carries commands out.
        blocking: the same of the blocking journal, for what only reads.
        context: says in whose saga and under which key commands are given.
    """

    def __init__(self, journal: Awaits, blocking: Sagas, context: ContextHolder) -> None:
        noting = copy(blocking)
        noting._journal = Checks()
        super().__init__(journal, noting, blocking)
        self._sagas = noting
        self._context = context

    compensate = awaited(Sagas.compensate)
    resolve = awaited(Sagas.resolve)
    steps = read_in_a_thread(Sagas.steps)
    unfinished = read_in_a_thread(Sagas.unfinished)

    def _new(self, name: str) -> AsyncSaga:
        return AsyncSaga(self._sagas._new(name), self)

    async def _carry_out(self, noted: Command | Steps[Any]) -> Any:
        """Do something to its end, also if this task is cancelled meanwhile; only then is it cancelled."""
        context = self._context.current

        async def carry_out() -> Any:
            with self._context.on_behalf_of(context):
                return await super(AsyncSagas, self)._carry_out(noted)

        return await _to_its_end(carry_out())


async def _to_its_end(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    done = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from done.exception()
    return done.result()
