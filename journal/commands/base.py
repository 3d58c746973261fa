"""What every facade of commands on sessions is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ...domain import (
    Decision,
    OwnershipCapability,
    OwnershipReceipt,
    Policy,
    Surfaces,
    identifier,
    session_stream,
)
from ...domain.value import exact

ResultT = TypeVar("ResultT")
ValueT = TypeVar("ValueT")


class Executes(Protocol):
    """What carries commands out: a journal."""

    def execute(
        self, stream: str | tuple[str, ...], command: Callable[..., Decision[ResultT]], *arguments: object
    ) -> ResultT:
        """See ``Journal.execute``."""

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        """See ``Journal.read_state``."""


class SessionCommands:
    """Checks arguments, and has commands on sessions carried out.

    Args:
        journal: what carries commands out.
        policy: what is permitted beyond the laws.
        surfaces: what the runtime offers.
    """

    def __init__(self, journal: Executes, policy: Policy, surfaces: Surfaces) -> None:
        self._journal = journal
        self._policy = policy
        self._surfaces = surfaces

    def _present(
        self, command: Callable[..., Decision[ResultT]], artifact: OwnershipCapability | OwnershipReceipt, *rest: object
    ) -> ResultT:
        return self._run(command, artifact.session_id, artifact, *rest)

    def _run(self, command: Callable[..., Decision[ResultT]], session_id: str, *arguments: object) -> ResultT:
        stream = session_stream(identifier("session_id", session_id))
        return self._journal.execute(stream, command, *arguments)


def checked(value: object, kind: type[ValueT], argument: str = "") -> ValueT:
    """Return ``value`` if it is of this very kind, and sound.

    Args:
        value: what the caller gave.
        kind: what it has to be.
        argument: what the caller calls it, for the message, if the kind alone does not tell.

    Raises:
        InvalidArgument: it is something else.
    """
    return exact(argument or kind.__name__, value, kind)


def checked_or_none(value: object, kind: type[ValueT]) -> ValueT | None:
    """The same, where None stands for nothing."""
    return None if value is None else checked(value, kind)
