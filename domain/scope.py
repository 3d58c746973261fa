"""How much of a session a capability covers: all of it, or named fragments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Final, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator

from .bounds import MAX_NAMES, MAX_NAMES_BYTES
from .errors.input import InvalidArgument
from .identifiers import identifier, is_name
from .shown import shown
from .value import require_size, several


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
        checked = frozenset(identifier("fragment key", key) for key in several("fragments", keys, MAX_NAMES))
        object.__setattr__(self, "keys", checked)

    def includes(self, other: OwnershipScope) -> bool:
        """Whether ``other`` reaches no further than this."""
        return type(other) is Fragments and other.keys <= self.keys

    def __str__(self) -> str:
        return f"fragments {{{', '.join(sorted(self.keys))}}}"


OwnershipScope: TypeAlias = FullSession | Fragments

FULL_SESSION: Final = FullSession.SESSION


def scope(value: object) -> OwnershipScope:
    """Return ``value`` if it is a scope.

    Raises:
        InvalidArgument: it is something else, or its keys take more than 128 KiB.
    """
    if value is FULL_SESSION:
        return FULL_SESSION
    if type(value) is Fragments:
        made = _sound(value)
        require_size("scope", sorted(made.keys), MAX_NAMES_BYTES)
        return made
    raise InvalidArgument("scope", f"must be FULL_SESSION or Fragments, not {shown(value)}")


def scope_to_json(value: OwnershipScope) -> str | list[str]:
    """The scope as it is stored: ``"session"``, or a sorted list of fragment keys.

    Raises:
        InvalidArgument: it is no scope.
    """
    if value is FULL_SESSION:
        return "session"
    if type(value) is not Fragments:
        raise InvalidArgument("scope", f"must be FULL_SESSION or Fragments, not {shown(value)}")
    return sorted(value.keys)


def scope_from_json(value: object) -> OwnershipScope:
    """Read what ``scope_to_json`` wrote; a scope is returned as it is.

    Raises:
        InvalidArgument: it is neither.
    """
    if type(value) is str and value == "session":
        return FULL_SESSION
    if type(value) is list:
        return Fragments(value)
    if value is FULL_SESSION:
        return FULL_SESSION
    if type(value) is Fragments:
        return _sound(value)
    raise InvalidArgument("scope", f"must be one as it is stored, not {shown(value)}")


def _sound(value: Fragments) -> Fragments:
    """The same, checked as if it were made now: it may have been made past its checks."""
    keys = getattr(value, "keys", None)
    if type(keys) is frozenset and len(keys) <= MAX_NAMES and all(map(is_name, keys)):
        return value
    return Fragments(keys)  # type: ignore[arg-type]  # which says what is wrong


def _validated(value: object) -> OwnershipScope:
    # A validator's own errors say where in the row they are.
    if type(value) not in (str, list, FullSession, Fragments):
        raise ValueError("not a scope")
    try:
        return scope_from_json(value)
    except InvalidArgument as error:
        raise ValueError(str(error)) from error


# An enum is decoded without a call of Python, and most scopes are the full session.
ScopeField = Annotated[
    FullSession | Annotated[Fragments, PlainValidator(_validated)],
    Field(union_mode="left_to_right"),
    PlainSerializer(scope_to_json),
]
"""A scope as a field of a stored value."""
