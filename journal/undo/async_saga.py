"""``journal.saga`` and ``journal.sagas`` of an ``AsyncJournal``."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias

from ...domain import JournalClosed
from ...domain.compensation import UndoPlan
from ...projections import SagaRow
from .sagas import Saga, Sagas, UndoOutside, undo_functions

Call: TypeAlias = Callable[[Callable[[], Any]], Coroutine[Any, Any, Any]]
"""Has something done in a thread."""


class AsyncSaga:
    """A saga at work, in an ``async with`` block of one task; see ``Saga``.

    Args:
        saga: the saga.
        call: has something done in a thread.

    Attributes:
        id: the saga's id.
        name: what it is called.
    """

    def __init__(self, saga: Saga, call: Call) -> None:
        self.id = saga.id
        self.name = saga.name
        self._saga = saga
        self._call = call

    def joined(self) -> AbstractContextManager[None]:
        """A block in which what this task appends belongs to the saga; a plain ``with``. See ``Saga.joined``."""
        return self._saga.joined()

    async def register_undo(self, step: str, undo: UndoOutside, details: str = "") -> None:
        """Say how a step outside the journal is undone; see ``Saga.register_undo``. The function may be async."""
        undo = waited_for(undo, asyncio.get_running_loop())
        await self._finish(partial(self._saga.register_undo, step, undo, details))

    async def __aenter__(self) -> Self:
        try:
            await self._finish(self._saga._begin)
            # In this task, and not in the thread that recorded it.
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
            await self._finish(partial(self._saga._end, error))
        except BaseException as failure:
            if error is None:
                await self._note(failure)
                raise
            if isinstance(failure, JournalClosed):
                self._saga._tell(error, failure)

    async def _note(self, failure: BaseException) -> None:
        """A cancelled task's error says where the saga stands, like any that leaves the block."""
        if isinstance(failure, asyncio.CancelledError | JournalClosed):
            with suppress(JournalClosed, asyncio.CancelledError):
                await self._finish(partial(self._saga._tell, failure))

    async def _finish(self, function: Callable[[], None]) -> None:
        """Have something done to its end, also if this task is cancelled meanwhile; only then is it cancelled."""
        done = asyncio.ensure_future(self._call(function))
        cancelled: asyncio.CancelledError | None = None
        while not done.done():
            try:
                await asyncio.wait([done])
            except asyncio.CancelledError as error:
                cancelled = error
        failure = done.exception()
        if cancelled is not None:
            raise cancelled from failure
        if failure is not None:
            raise failure


class AsyncSagas:
    """What ``journal.sagas`` does, to be awaited. Functions that undo steps may be async."""

    def __init__(self, sagas: Sagas, call: Call) -> None:
        self._sagas = sagas
        self._call = call

    async def unfinished(self) -> dict[str, SagaRow]:
        """See ``SagasView.unfinished``."""
        found: dict[str, SagaRow] = await self._call(self._sagas.unfinished)
        return found

    async def steps(self, saga_id: str) -> tuple[tuple[str, str], ...]:
        """See ``Sagas.steps``."""
        found: tuple[tuple[str, str], ...] = await self._call(partial(self._sagas.steps, saga_id))
        return found

    async def compensate(
        self,
        saga_id: str,
        undo: Mapping[str, UndoOutside] | None = None,
        *,
        leave: Iterable[str] = (),
        reason: str = "its process is gone",
        dry_run: bool = False,
    ) -> UndoPlan:
        """See ``Sagas.compensate``."""
        loop = asyncio.get_running_loop()
        functions = {step: waited_for(function, loop) for step, function in undo_functions(undo).items()}
        compensate = partial(self._sagas.compensate, saga_id, functions, leave=leave, reason=reason, dry_run=dry_run)
        plan: UndoPlan = await self._call(compensate)
        return plan

    async def resolve(self, saga_id: str, reason: str) -> None:
        """See ``Sagas.resolve``."""
        await self._call(partial(self._sagas.resolve, saga_id, reason))


def waited_for(undo: UndoOutside, loop: asyncio.AbstractEventLoop) -> UndoOutside:
    """A plain function that calls one which may be async, from another thread, and waits for it."""
    if not callable(undo):
        return undo

    def call(details: str) -> object:
        answer = undo(details)
        if not inspect.isawaitable(answer):
            return answer

        async def wait() -> object:
            return await answer

        return asyncio.run_coroutine_threadsafe(wait(), loop).result()

    return call
