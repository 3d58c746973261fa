"""``journal.saga`` of an ``AsyncJournal``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

from .sagas import Saga, UndoStepOutside


class AsyncSaga:
    """A saga at work, in an ``async with`` block of one task; see ``Saga``.

    Args:
        saga: the saga.
        call: has something done in a thread.

    Attributes:
        id: the saga's id.
        name: what it is called.
    """

    def __init__(self, saga: Saga, call: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self.id = saga.id
        self.name = saga.name
        self._saga = saga
        self._call = call
        self._block = ExitStack()

    async def register_undo(self, step: str, undo: UndoStepOutside, details: str = "") -> None:
        """Say how a step outside the journal is undone; see ``Saga.register_undo``."""
        await self._call(partial(self._saga.register_undo, step, undo, details))

    async def __aenter__(self) -> Self:
        await self._call(self._saga.begin)
        # In this task, and not in the thread that recorded it.
        self._block.enter_context(self._saga.context())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.close()
        await self._call(partial(self._saga.end, error))
