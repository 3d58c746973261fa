"""What a host keeps of its own in the journal: bytes or JSON, bounded, with a digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, Literal, Self

from pydantic.dataclasses import dataclass

from .bounds import MAX_PAYLOAD_BYTES
from .errors.input import BoundExceeded, InvalidArgument
from .shown import kind_of, shown
from .value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Payload:
    """Bytes or JSON, as a host gives them. Make one with ``Payload.of``.

    It stays in the journal for good. What must be erasable belongs outside, and its SHA-256 here.

    Attributes:
        form: ``json`` or ``bytes``.
        data: the JSON, or the bytes in base64.
    """

    form: Literal["json", "bytes"]
    data: str

    def __post_init__(self) -> None:
        # Pydantic tells what a check raises as a problem of the value.
        if len(self.data) > _MOST_CHARACTERS or (size := len(self.raw)) > MAX_PAYLOAD_BYTES:
            given = f"{size} bytes" if len(self.data) <= _MOST_CHARACTERS else "more"
            raise ValueError(f"a payload takes at most {MAX_PAYLOAD_BYTES} bytes, not {given}")

    @classmethod
    def of(cls, content: object) -> Self:
        """Make a payload of bytes, or of a value that is JSON: None, booleans, numbers, text, lists, dictionaries.

        Raises:
            InvalidArgument: the content is neither.
            BoundExceeded: it takes more than 64 KiB.
        """
        if isinstance(content, bytes | bytearray | memoryview):
            data = bytes(content)
            _require_size(len(data))
            return cls("bytes", base64.b64encode(data).decode())
        try:
            text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            size = len(text.encode())
            # Tuples, and keys that are no text, would come back as something else.
            is_same = json.loads(text) == content
        except Exception as error:
            problem = f"must be bytes or JSON; {shown(content)} raises {kind_of(error)}"
            raise InvalidArgument("payload", problem) from error
        if not is_same:
            raise InvalidArgument(
                "payload", f"must be bytes or JSON, and {shown(content)} comes back as something else"
            )
        _require_size(size)
        return cls("json", text)

    @property
    def raw(self) -> bytes:
        """The bytes that size and digest are of: those given, or the JSON in UTF-8.

        Raises:
            ValueError: the data is no base64.
        """
        if self.form == "json":
            return self.data.encode()
        try:
            return base64.b64decode(self.data, validate=True)
        except binascii.Error as error:
            raise ValueError(f"the data is no base64: {error}") from error

    @property
    def content(self) -> Any:
        """What the host gave: bytes, or the JSON as Python has it."""
        return json.loads(self.data) if self.form == "json" else self.raw

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return len(self.raw)

    @property
    def sha256(self) -> str:
        """The SHA-256 of its bytes, in hexadecimal."""
        return hashlib.sha256(self.raw).hexdigest()


_MOST_CHARACTERS = 4 * (MAX_PAYLOAD_BYTES // 3 + 1)


def _require_size(size: int) -> None:
    if size > MAX_PAYLOAD_BYTES:
        raise BoundExceeded("payload", f"takes {size} bytes; at most {MAX_PAYLOAD_BYTES} are allowed")
