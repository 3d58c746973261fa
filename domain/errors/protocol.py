"""What refuses a protocol, and a step that it does not permit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import CommandRefused, InvalidInput

if TYPE_CHECKING:
    from ..step import TypeStep


@dataclass(eq=False)
class InvalidLocalType(InvalidInput):
    """What a role is to do makes no sense, whatever the session is.

    Attributes:
        problem: what is wrong with it.
    """

    problem: str

    def __str__(self) -> str:
        return f"the local type makes no sense: {self.problem}"


@dataclass(eq=False)
class InvalidEdge(InvalidInput):
    """What was given as an edge is none.

    Attributes:
        problem: what is wrong with it.
    """

    problem: str

    def __str__(self) -> str:
        return f"the edge makes no sense: {self.problem}"


@dataclass(eq=False)
class NoLocalType(CommandRefused):
    """The session has no plan, or its plan has no type for the role, so that no step of it can be judged.

    Attributes:
        session_id: the session.
        role: the role.
    """

    session_id: str
    role: str

    def __str__(self) -> str:
        return (
            f"role {self.role!r} of session {self.session_id!r} has no local type; "
            "open the session with a plan that has one"
        )


@dataclass(eq=False)
class TypeViolation(CommandRefused):
    """A role's local type does not permit the step (``TypeEntry``). Nothing was appended.

    Attributes:
        session_id: the session.
        role: the role.
        step: the step that was to be taken.
        expected: the steps that its type permits; none if it is at its end.
    """

    session_id: str
    role: str
    step: TypeStep
    expected: tuple[TypeStep, ...]

    def __str__(self) -> str:
        return (
            f"role {self.role!r} of session {self.session_id!r} cannot {self.step}: "
            f"its type permits {self._permitted()}; take a step that it permits"
        )

    def _permitted(self) -> str:
        return ", or ".join(map(str, self.expected)) or "nothing more, since it is at its end"


@dataclass(eq=False)
class UnknownEdge(CommandRefused):
    """The session has no such edge: its plan does not have it, or it is of another session (telltale 2.7).

    Attributes:
        session_id: the session.
        edge_session_id: the session that the edge is of.
        sender: the role that sends.
        receiver: the role that receives.
    """

    session_id: str
    edge_session_id: str
    sender: str
    receiver: str

    def __str__(self) -> str:
        edge = f"edge from {self.sender!r} to {self.receiver!r}"
        if self.edge_session_id != self.session_id:
            return f"the {edge} is of session {self.edge_session_id!r}, not of {self.session_id!r}; name that session's"
        return f"session {self.session_id!r} has no {edge}; name one on which its plan, or its roles, exchange messages"


@dataclass(eq=False)
class EnvelopeNeedsCapability(CommandRefused):
    """An envelope on an edge takes a step of its sender's type, which only the session's owner does.

    Attributes:
        session_id: the session.
        sender: the role that sends.
        receiver: the role that receives.
    """

    session_id: str
    sender: str
    receiver: str

    def __str__(self) -> str:
        return (
            f"an envelope on the edge from {self.sender!r} to {self.receiver!r} of session {self.session_id!r} takes a "
            f"step of its sender's type; {self.advice}"
        )

    @property
    def advice(self) -> str:
        return "put it with capability=, the live capability"


@dataclass(eq=False)
class EnvelopeOutOfOrder(CommandRefused):
    """An envelope of the same edge came before, and is not acknowledged: an edge keeps its order.

    Attributes:
        session_id: the session.
        number: the envelope that was to be acknowledged.
        first: the envelope that comes first.
    """

    session_id: str
    number: int
    first: int

    def __str__(self) -> str:
        return (
            f"envelope {self.first} of session {self.session_id!r} came before {self.number} on the same edge, and is "
            "unread; acknowledge it first"
        )
