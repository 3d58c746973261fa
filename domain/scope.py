"""How much of a session a capability covers: all of it, or named fragments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Final, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator

from .errors import InvalidArgument
from .identifiers import identifier

MAX_FRAGMENTS = 1_000


class FullSession(Enum):
    """Authority over the whole session (telltale 1.2, ``Session``). Use the constant ``FULL_SESSION``."""

    SESSION = "session"

    def includes(self, other: OwnershipScope) -> bool:
        """Whether ``other`` reaches no further than this: always."""
        return True

    def __str__(self) -> str:
        return "full session"


@dataclass(frozen=True, slots=True, init=False)
class Fragments:
    """Authority over the named fragments only; the empty set is legal (telltale 1.2).

    Attributes:
        keys: the fragment keys, such as ``bundle:chat``.
    """

    keys: frozenset[str]

    def __init__(self, keys: Iterable[str]) -> None:
        if isinstance(keys, str):
            raise InvalidArgument("fragments", f"must be a set of keys, not the single string {keys!r}")
        checked = frozenset(identifier("fragment key", key) for key in keys)
        if len(checked) > MAX_FRAGMENTS:
            raise InvalidArgument("fragments", f"has {len(checked)} keys; at most {MAX_FRAGMENTS} are allowed")
        object.__setattr__(self, "keys", checked)

    def includes(self, other: OwnershipScope) -> bool:
        """Whether ``other`` reaches no further than this."""
        return isinstance(other, Fragments) and other.keys <= self.keys

    def __str__(self) -> str:
        return f"fragments {{{', '.join(sorted(self.keys))}}}"


OwnershipScope: TypeAlias = FullSession | Fragments

FULL_SESSION: Final = FullSession.SESSION


def scope(value: object) -> OwnershipScope:
    """Return ``value`` if it is a scope.

    Raises:
        InvalidArgument: it is something else.
    """
    if isinstance(value, FullSession | Fragments):
        return value
    raise InvalidArgument("scope", f"must be FULL_SESSION or Fragments, not {type(value).__name__}")


def scope_to_json(value: OwnershipScope) -> str | list[str]:
    """The scope as it is stored: ``"session"``, or a sorted list of fragment keys."""
    return sorted(value.keys) if isinstance(value, Fragments) else "session"


def scope_from_json(value: object) -> OwnershipScope:
    """Read what ``scope_to_json`` wrote; a scope is returned as it is.

    Raises:
        ValueError: it is neither.
    """
    if value == "session":
        return FULL_SESSION
    if isinstance(value, list):
        return Fragments(value)
    if isinstance(value, FullSession | Fragments):
        return value
    raise ValueError(f"not a scope: {value!r}")


# An enum is decoded without a call of Python, and most scopes are the full session.
ScopeField = Annotated[
    FullSession | Annotated[Fragments, PlainValidator(scope_from_json)],
    Field(union_mode="left_to_right"),
    PlainSerializer(scope_to_json),
]
"""A scope as a field of a stored value."""
