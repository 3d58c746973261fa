"""On whose behalf commands are given: metadata for everything that is appended in a block.

Actor, correlation, causation and tick go where Python's own context goes: into tasks begun in the block, and into
``asyncio.to_thread``. An idempotency key and a saga belong to the task or thread that entered the block alone.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from ...domain import Metadata, Policy
from ...domain.identifiers import identifier, natural_number

ResultT = TypeVar("ResultT")

Worker: TypeAlias = "asyncio.Task[Any] | threading.Thread"
"""A task, or a thread where no task runs."""


@dataclass(frozen=True)
class Context:
    """What ``Journal.context`` sets; see ``muniment.domain.Metadata`` for the meanings.

    Attributes:
        entered_by: the task or thread that the key and the saga belong to; None if there is neither.
        policy: the name of the policy that the journal was opened with; None for the strict one.
    """

    actor: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    idempotency_key: str | None = None
    tick: int | None = None
    saga: str | None = None
    entered_by: weakref.ref[Worker] | None = None
    policy: str | None = None

    def with_changes(self, **changes: Any) -> Context:
        """This context with some settings replaced; those that are None stay as they are.

        Raises:
            InvalidIdentifier, InvalidArgument
        """
        given = {name: value for name, value in changes.items() if value is not None}
        checked: dict[str, Any] = {
            name: natural_number(name, value) if name == "tick" else identifier(name, value)
            for name, value in given.items()
        }
        return replace(self, **checked)

    @cached_property
    def elsewhere(self) -> Context:
        """This context as another task or thread has it: under no key, and in no saga."""
        return replace(self, idempotency_key=None, saga=None, entered_by=None)

    def owned_here(self) -> Context:
        """This context, with its key and saga belonging to the task or thread that asks."""
        if self.idempotency_key is None and self.saga is None:
            return self
        return replace(self, entered_by=weakref.ref(current_worker()))

    def metadata(
        self, recorded_at: int, command: str | None = None, compensates: tuple[str, ...] | None = None
    ) -> Metadata:
        """The metadata of an event appended now.

        Args:
            recorded_at: the time, in ms.
            command: the command that the idempotency key is filed under; without one the key is left out.
            compensates: ids of the events that it compensates.
        """
        present: dict[str, Any] = {"recorded_at": recorded_at, **self._circumstances}
        if command is not None:
            present.update(idempotency_key=self.idempotency_key, command=command)
        if self.tick is not None:
            present["tick"] = self.tick
        if compensates is not None:
            present["compensates"] = compensates
        return Metadata.of(present)

    @cached_property
    def _circumstances(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in ("actor", "correlation_id", "causation_id", "saga", "policy")}
        return {name: value for name, value in given.items() if value is not None}


class ContextHolder:
    """The context of each thread and task.

    Args:
        policy: what the journal permits beyond the laws.
    """

    def __init__(self, policy: Policy) -> None:
        self._outermost = Context(policy=policy.name)
        self._current: ContextVar[Context] = ContextVar("muniment_context")

    @property
    def current(self) -> Context:
        """The context that commands are given in here and now."""
        context = self._current.get(self._outermost)
        if context.entered_by is None or context.entered_by() is current_worker():
            return context
        return context.elsewhere

    def changed(self, **changes: Any) -> AbstractContextManager[None]:
        """Run a block in a changed context; blocks nest.

        Raises:
            InvalidIdentifier, InvalidArgument
        """
        return self.on_behalf_of(self.current.with_changes(**changes))

    def cleared(self) -> AbstractContextManager[None]:
        """Run a block in no saga, and under no idempotency key."""
        return self.on_behalf_of(self.current.elsewhere)

    @contextmanager
    def on_behalf_of(self, context: Context) -> Iterator[None]:
        """Run a block in a context, with its key and saga, also where another task or thread had entered it."""
        token = self._current.set(context.owned_here())
        try:
            yield
        finally:
            # In another context than it began in, as a generator may be closed, there is nothing to go back to.
            with suppress(ValueError):
                self._current.reset(token)

    def carried(self, function: Callable[[], ResultT]) -> Callable[[], ResultT]:
        """The function, to be called in a thread on behalf of the task or thread that asks."""
        context = self.current

        def call() -> ResultT:
            with self.on_behalf_of(context):
                return function()

        return call


def current_worker() -> Worker:
    """The task that runs here, or the thread where none does."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        task = None
    return task or threading.current_thread()
