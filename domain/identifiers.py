"""What a name may look like: checked where callers hand it in, and again whenever a value that holds it is built."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints

from .errors import InvalidArgument, InvalidIdentifier

MAX_IDENTIFIER_LENGTH = 200
MAX_PART_LENGTH = 190
MAX_TEXT_LENGTH = 2_000
MAX_NUMBER = 2**63 - 1
MAX_NAMES = 1_000

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
    """Return ``value`` if it may serve as a name.

    Args:
        argument: what the caller calls it, for the message.
        value: what the caller gave.

    Raises:
        InvalidIdentifier: it is not a string, is empty, is longer than 200 characters, or holds a control character
            or half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise InvalidIdentifier(argument, f"must be a string, not {type(value).__name__}")
    if _is_name(value):
        return value
    if not value:
        raise InvalidIdentifier(argument, "must not be empty")
    if len(value) > MAX_IDENTIFIER_LENGTH:
        raise InvalidIdentifier(argument, f"has {len(value)} characters; at most {MAX_IDENTIFIER_LENGTH} are allowed")
    if not _identifier.match(value):
        raise InvalidIdentifier(argument, f"holds a control character: {value!r}")
    raise InvalidIdentifier(argument, f"holds half of a surrogate pair: {value!r}")


def names(argument: str, values: Iterable[str]) -> frozenset[str]:
    """Return ``values`` as a set, if each may serve as a name.

    Raises:
        InvalidIdentifier: one may not.
        InvalidArgument: there are more than 1 000, or it is a single string.
    """
    if isinstance(values, str):
        raise InvalidArgument(argument, f"must be a set of names, not the single string {values!r}")
    if not isinstance(values, Iterable):
        raise InvalidArgument(argument, f"must be a set of names, not {type(values).__name__}")
    checked = frozenset(identifier(argument, value) for value in values)
    if len(checked) > MAX_NAMES:
        raise InvalidArgument(argument, f"has {len(checked)} names; at most {MAX_NAMES} are allowed")
    return checked


def text(argument: str, value: object) -> str:
    """Return ``value`` if it may serve as free text.

    Raises:
        InvalidArgument: it is not a string, is longer than 2 000 characters, holds NUL, or is not valid Unicode.
    """
    if not isinstance(value, str):
        raise InvalidArgument(argument, f"must be a string, not {type(value).__name__}")
    if len(value) > MAX_TEXT_LENGTH:
        raise InvalidArgument(argument, f"has {len(value)} characters; at most {MAX_TEXT_LENGTH} are allowed")
    if "\0" in value:
        # Not every database can hold it.
        raise InvalidArgument(argument, "holds a NUL character")
    if not _is_unicode(value):
        raise InvalidArgument(argument, "holds half of a surrogate pair")
    return value


def natural_number(argument: str, value: object, *, least: int = 0, most: int = MAX_NUMBER) -> int:
    """Return ``value`` if it may serve as a position, a count or a tick.

    Args:
        argument: what the caller calls it, for the message.
        value: what the caller gave.
        least: the least that it may be.
        most: the most; by default what a database holds.

    Raises:
        InvalidArgument: it is not an integer, or is less or more than it may be.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidArgument(argument, f"must be an integer from {least} to {most}, not {value!r}")
    return value


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
