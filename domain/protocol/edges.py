"""Edges: which way messages go between two roles of a session (telltale 1.2, 8.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic.dataclasses import dataclass

from ..errors.input import InvalidArgument, InvalidIdentifier
from ..errors.protocol import InvalidEdge
from ..identifiers import Identifier, identifier
from ..shown import shown
from ..value import VALUE, several, value_type

_FIELDS: Final = ("session_id", "sender", "receiver")

DEFAULT_HANDLER: Final = "default_handler"
"""What handles the messages of an edge, where nothing else was said (telltale 2.7)."""


@value_type()
@dataclass(frozen=True, slots=True, order=True, config=VALUE)
class Edge:
    """The way from one role of a session to another.

    Attributes:
        session_id: the session.
        sender: the role that sends.
        receiver: the role that receives.
    """

    session_id: Identifier
    sender: Identifier
    receiver: Identifier

    def to_json(self) -> dict[str, str]:
        """The edge as ``decode_edge`` reads it."""
        return {"session_id": self.session_id, "sender": self.sender, "receiver": self.receiver}

    def __str__(self) -> str:
        return f"{self.sender} to {self.receiver}"


def decode_edge(value: object, session_hint: str | None = None) -> Edge:
    """Read an edge from JSON (telltale 8.2).

    Args:
        value: an object with ``sender``, ``receiver``, and perhaps ``session_id``.
        session_hint: the session that it is of, where it does not say.

    Raises:
        InvalidEdge: it is no such object, or nothing says of which session it is.
    """
    if not isinstance(value, Mapping):
        raise InvalidEdge(f"it must be an object with sender and receiver, not {shown(value)}")
    if more := [name for name in several("edge", value, len(_FIELDS) + 1) if name not in _FIELDS]:
        raise InvalidEdge(f"it must have {', '.join(_FIELDS)} alone, and has {shown(more[0])} as well")
    fields: dict[str, Any] = {name: value.get(name) for name in _FIELDS}
    if fields["session_id"] is None:
        fields["session_id"] = session_hint
    if missing := [name for name in _FIELDS if fields[name] is None]:
        raise InvalidEdge(f"it must have {', '.join(_FIELDS)}, and lacks {', '.join(missing)}")
    try:
        return Edge(**{name: identifier(name, each) for name, each in fields.items()})
    except (InvalidIdentifier, InvalidArgument) as error:
        raise InvalidEdge(str(error)) from None
