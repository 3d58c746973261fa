"""On whose behalf commands are given: metadata for everything that is appended in a block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from pydantic_core import to_json

from ..domain import Fragments, FullSession, Metadata, identifier, natural_number, scope_to_json


@dataclass(frozen=True)
class Context:
    """What ``Journal.context`` sets; see ``muniment.domain.Metadata`` for the meanings."""

    actor: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    idempotency_key: str | None = None
    tick: int | None = None
    saga: str | None = None

    def with_changes(self, **changes: Any) -> Context:
        """This context with some settings replaced; those that are None stay as they are.

        Raises:
            InvalidIdentifier, InvalidArgument
        """
        given = {name: value for name, value in changes.items() if value is not None}
        for name, value in given.items():
            if name == "tick":
                natural_number(name, value)
            else:
                identifier(name, value)
        return replace(self, **given)

    def metadata(
        self, recorded_at: int, command: str | None = None, compensates: tuple[str, ...] | None = None
    ) -> Metadata:
        """The metadata of an event appended now.

        Args:
            recorded_at: the time, in ms.
            command: the digest of the command to file the idempotency key under; without one the key is left out.
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
        given = {name: getattr(self, name) for name in ("actor", "correlation_id", "causation_id", "saga")}
        return {name: value for name, value in given.items() if value is not None}


class ContextHolder:
    """The context of each thread and task."""

    def __init__(self) -> None:
        self._current: ContextVar[Context] = ContextVar("muniment_context")

    @property
    def current(self) -> Context:
        """The context that commands are given in here and now."""
        return self._current.get(_EMPTY)

    @contextmanager
    def changed(self, **changes: Any) -> Iterator[None]:
        """Run a block in a changed context; blocks nest."""
        token = self._current.set(self.current.with_changes(**changes))
        try:
            yield
        finally:
            self._current.reset(token)

    @contextmanager
    def cleared(self) -> Iterator[None]:
        """Run a block in no saga, and under no idempotency key."""
        token = self._current.set(replace(self.current, saga=None, idempotency_key=None))
        try:
            yield
        finally:
            self._current.reset(token)


_EMPTY: Final = Context()


def command_digest(name: str, arguments: tuple[object, ...]) -> str:
    """What an idempotency key is filed under: a command's name and a digest of its arguments."""
    # A set has another order in every process, and the digest must be the same in all of them.
    plain = list(map(_in_order, arguments))
    digest = hashlib.sha256(to_json(plain)).hexdigest()
    return f"{name}:{digest[:32]}"


def _in_order(argument: object) -> object:
    if isinstance(argument, FullSession | Fragments):
        return scope_to_json(argument)
    return sorted(argument) if isinstance(argument, frozenset) else argument
