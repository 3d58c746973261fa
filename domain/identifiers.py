"""What a name may look like: checked where callers hand it in, and again whenever a value that holds it is built."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints

from .bounds import (
    MAX_IDENTIFIER_LENGTH,
    MAX_NAMES,
    MAX_NAMES_BYTES,
    MAX_NUMBER,
    MAX_PART_LENGTH,
    MAX_ROLES,
    MAX_TEXT_LENGTH,
)
from .errors.input import InvalidArgument, InvalidIdentifier
from .shown import shown
from .value import require_size, several

# Control characters and line separators would let a name forge lines in a log or drive a terminal.
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_IDENTIFIER = rf"^[^{_CONTROL}]{{1,{MAX_IDENTIFIER_LENGTH}}}$"
_identifier = re.compile(_IDENTIFIER.removesuffix("$") + r"\Z")

Identifier = Annotated[str, StringConstraints(pattern=_IDENTIFIER)]
"""A session id, an owner label, a fragment key: 1 to 200 characters, none of them a control character."""

PartIdentifier = Annotated[str, StringConstraints(pattern=_IDENTIFIER, max_length=MAX_PART_LENGTH)]
"""A bundle's or protocol's id: 190 characters, so that its fragment's key, which has it in it, is an identifier too."""

Text = Annotated[str, StringConstraints(pattern=rf"^[^\x00]{{0,{MAX_TEXT_LENGTH}}}$")]
"""Free text that is kept but never compared with a name: at most 2 000 characters, none of them NUL."""


def _to_set(value: Any) -> Any:
    return frozenset(value) if isinstance(value, list | tuple | set) else value


Names = Annotated[frozenset[Identifier], Field(max_length=MAX_NAMES), BeforeValidator(_to_set), PlainSerializer(sorted)]
"""A set of names: at most 1 000, stored as a sorted list."""


def identifier(argument: str, value: object) -> str:
    """Return ``value`` if it may serve as a name; of a subclass of ``str``, the plain string in it.

    Args:
        argument: what the caller calls it, for the message.
        value: what the caller gave.

    Raises:
        InvalidIdentifier: it is not a string, is empty, is longer than 200 characters, or holds a control character
            or half of a surrogate pair.
    """
    given = value if type(value) is str else _plain(value)
    if given is None:
        raise InvalidIdentifier(argument, f"must be a string, not {shown(value)}")
    # A long text is not worth remembering.
    if len(given) <= MAX_IDENTIFIER_LENGTH and _is_name(given):
        return given
    if not given:
        raise InvalidIdentifier(argument, "must not be empty")
    if len(given) > MAX_IDENTIFIER_LENGTH:
        raise InvalidIdentifier(argument, f"has {len(given)} characters; at most {MAX_IDENTIFIER_LENGTH} are allowed")
    if not _identifier.match(given):
        raise InvalidIdentifier(argument, f"holds a control character: {given!r}")
    raise InvalidIdentifier(argument, f"holds half of a surrogate pair: {given!r}")


def names(argument: str, values: Iterable[str]) -> frozenset[str]:
    """Return ``values`` as a set, if each may serve as a name.

    Raises:
        InvalidIdentifier: one may not.
        InvalidArgument: it is a single string, or nothing to go through.
        BoundExceeded: there are more than 1 000, or they take more than 128 KiB.
    """
    checked = frozenset(identifier(argument, value) for value in several(argument, values, MAX_NAMES))
    require_size(argument, sorted(checked), MAX_NAMES_BYTES)
    return checked


def role_names(roles: object) -> tuple[str, ...]:
    """The names of roles, if each may serve as one, and they are distinct.

    Raises:
        InvalidIdentifier, InvalidArgument, BoundExceeded
    """
    names = tuple(identifier("role", role) for role in several("roles", roles, MAX_ROLES))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidArgument("roles", f"must be distinct, and {twice!r} is named twice")
    return names


def text(argument: str, value: object) -> str:
    """Return ``value`` if it may serve as free text; of a subclass of ``str``, the plain string in it.

    Raises:
        InvalidArgument: it is not a string, is longer than 2 000 characters, holds NUL, or is not valid Unicode.
    """
    given = value if type(value) is str else _plain(value)
    if given is None:
        raise InvalidArgument(argument, f"must be a string, not {shown(value)}")
    if len(given) > MAX_TEXT_LENGTH:
        raise InvalidArgument(argument, f"has {len(given)} characters; at most {MAX_TEXT_LENGTH} are allowed")
    if "\0" in given:
        # Not every database can hold it.
        raise InvalidArgument(argument, "holds a NUL character")
    if not _is_unicode(given):
        raise InvalidArgument(argument, "holds half of a surrogate pair")
    return given


def is_storable_text(value: str) -> bool:
    """Whether every database can hold a text."""
    return "\0" not in value and _is_unicode(value)


def natural_number(argument: str, value: object, *, least: int = 0, most: int = MAX_NUMBER) -> int:
    """Return ``value`` if it may serve as a position, a count or a tick; of a subclass of ``int``, the plain integer.

    Args:
        argument: what the caller calls it, for the message.
        value: what the caller gave.
        least: the least that it may be.
        most: the most; by default what a database holds.

    Raises:
        InvalidArgument: it is not an integer, or is less or more than it may be.
    """
    given = integer(value)
    if given is None or not least <= given <= most:
        raise InvalidArgument(argument, f"must be an integer from {least} to {most}, not {shown(value)}")
    return given


def integer(value: object) -> int | None:
    """The plain integer in ``value``; None if it is no integer, or is True or False."""
    if type(value) is int:
        return value
    kind = type(value)
    # What an object says of its class is no matter, and a subclass may answer anything by its methods.
    return int.__int__(value) if issubclass(kind, int) and kind is not bool else None  # type: ignore[arg-type]


def plain_text(value: object) -> str:
    """The plain string in ``value``, whatever it says.

    Raises:
        InvalidIdentifier: it is none.
    """
    given = value if type(value) is str else _plain(value)
    if given is None:
        raise InvalidIdentifier("name", f"must be a string, not {shown(value)}")
    return given


def _plain(value: object) -> str | None:
    """The plain string in ``value``; None if that is none."""
    return str.__str__(value) if issubclass(type(value), str) else None


def is_name(value: object) -> bool:
    """Whether ``value`` is a plain string that may serve as a name."""
    return type(value) is str and len(value) <= MAX_IDENTIFIER_LENGTH and _is_name(value)


# The same few names come again and again.
@lru_cache(maxsize=16_384)
def _is_name(value: str) -> bool:
    return _identifier.match(value) is not None and _is_unicode(value)


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
