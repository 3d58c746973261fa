"""What a host keeps of its own in the journal: bytes, or a value that is JSON; with a bound and a digest.

It stays in the journal for good. What must be erasable belongs outside, and its SHA-256 here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Annotated, Any, NoReturn, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from .bounds import MAX_PAYLOAD_BYTES
from .errors.input import BoundExceeded, InvalidArgument
from .shown import kind_of, shown


def content(value: object) -> Any:
    """Return a copy of ``value`` if it is bytes or JSON: None, booleans, numbers, text, lists, dictionaries by text.

    Raises:
        InvalidArgument: it is neither.
        BoundExceeded: it takes more than 64 KiB.
    """
    try:
        if isinstance(value, bytes | bytearray | memoryview):
            raw = bytes(value)
            copied: Any = raw
        else:
            raw = content_bytes(value)
            copied = json.loads(raw)
        # Tuples, and keys that are no text, would come back as something else.
        is_same = copied == value
    except Exception as error:
        problem = f"must be bytes or JSON; {shown(value)} raises {kind_of(error)}"
        raise InvalidArgument("payload", problem) from error
    if not is_same:
        _refuse(f"must be bytes or JSON, and {shown(value)} would come back as something else")
    if len(raw) > MAX_PAYLOAD_BYTES:
        raise BoundExceeded("payload", f"takes {len(raw)} bytes; at most {MAX_PAYLOAD_BYTES} are allowed")
    return copied


def content_bytes(value: object) -> bytes:
    """The bytes that size and digest of a content are of: those given, or the JSON in UTF-8."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def content_digest(value: object) -> str:
    """The SHA-256 of a content, in hexadecimal."""
    return hashlib.sha256(content_bytes(value)).hexdigest()


def _refuse(problem: str) -> NoReturn:
    raise InvalidArgument("payload", problem)


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
"""Bytes or JSON, at most 64 KiB; copied when it is given and when it is handed out."""
