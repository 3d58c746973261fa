"""What a host keeps of its own in the journal: bytes, or a value that is JSON; with a bound and a digest.

It stays in the journal for good. What must be erasable belongs outside, and its SHA-256 here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from .bounds import MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH
from .errors.input import BoundExceeded, InvalidArgument
from .shown import kind_of, shown


def content(value: object) -> Any:
    """Return a copy of ``value`` if it is bytes or JSON: None, booleans, numbers, text, lists, dictionaries by text.

    Raises:
        InvalidArgument: it is neither, or a whole number that does not fit into 64 bits.
        BoundExceeded: it takes more than 64 KiB, or is nested more than 100 deep.
    """
    try:
        if isinstance(value, bytes | bytearray | memoryview):
            copied: Any = bytes(value)
        else:
            copied = _Copy().of(value, 0)
        size = len(content_bytes(copied))
    except InvalidArgument:
        raise
    except Exception as error:
        problem = f"must be bytes or JSON; {shown(value)} raises {kind_of(error)}"
        raise InvalidArgument("payload", problem) from error
    if size > MAX_PAYLOAD_BYTES:
        raise BoundExceeded("payload", f"takes {size} bytes; at most {MAX_PAYLOAD_BYTES} are allowed")
    return copied


class _Copy:
    """Copies JSON that every reader of a journal reads the same, and no more of it than may be kept."""

    def __init__(self) -> None:
        self._left = MAX_PAYLOAD_BYTES

    def of(self, value: object, depth: int) -> Any:
        """A copy of what stands so deep inside others."""
        # Each takes a byte at least; lists that hold one another would have no end.
        self._left -= 1
        if self._left < 0:
            raise BoundExceeded("payload", f"takes more than {MAX_PAYLOAD_BYTES} bytes")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return self._whole(int.__index__(value))
        if isinstance(value, float):
            return self._finite(float.__float__(value))
        if depth >= MAX_PAYLOAD_DEPTH:
            raise BoundExceeded("payload", f"is nested more than {MAX_PAYLOAD_DEPTH} deep")
        if isinstance(value, list):
            return [self.of(each, depth + 1) for each in list.__iter__(value)]
        if isinstance(value, dict):
            return {self._name(name): self.of(each, depth + 1) for name, each in dict.items(value)}
        raise InvalidArgument("payload", f"must be bytes or JSON, and {shown(value)} is neither")

    def _name(self, name: object) -> str:
        if not isinstance(name, str):
            raise InvalidArgument("payload", f"must have names that are text, not {shown(name)}")
        return str.__str__(name)

    def _whole(self, number: int) -> int:
        if not -(2**63) <= number < 2**64:
            raise InvalidArgument(
                "payload", f"must have whole numbers of 64 bits, not {shown(number)}; give it as text"
            )
        return number

    def _finite(self, number: float) -> float:
        if not math.isfinite(number):
            raise InvalidArgument("payload", f"must be bytes or JSON, which has no {number}")
        return number


def content_bytes(value: object) -> bytes:
    """The bytes that size and digest of a content are of: those given, or the JSON in UTF-8."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def size_and_sha256(value: object) -> tuple[int, str]:
    """How many bytes a content takes, and their SHA-256, in hexadecimal."""
    raw = content_bytes(value)
    return len(raw), hashlib.sha256(raw).hexdigest()


def _validated(value: Any, info: ValidationInfo) -> Any:
    """Read what was stored, or copy what a caller gave."""
    if info.mode != "json":
        return content(value)
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("a content is stored under one name, json or bytes")
    ((name, stored),) = value.items()
    if name == "json":
        return stored
    if name != "bytes" or not isinstance(stored, str):
        raise ValueError("a content is stored under one name, json or bytes")
    return base64.b64decode(stored, validate=True)


def stored_content(value: Any) -> dict[str, Any]:
    """A content as JSON has it: bytes in base64, by the name ``bytes``; anything else by the name ``json``."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    return {"json": value}


Content: TypeAlias = Annotated[Any, BeforeValidator(_validated), PlainSerializer(stored_content)]
"""Bytes or JSON, at most 64 KiB. A copy is taken whenever a value is made of it."""
