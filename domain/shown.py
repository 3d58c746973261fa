"""What a message says of a value that somebody gave: short, and safe whatever the value is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from reprlib import Repr
from typing import Final

MAX_SHOWN: Final = 100
"""How many characters of a value a message shows."""

_MOST_BITS: Final = 300
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_repr: Final = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = MAX_SHOWN
_name_of = type.__dict__["__name__"].__get__


def shown(value: object) -> str:
    """The value, as a message shows it; what cannot be shown is told by its type."""
    try:
        # A repr may lie, fail, be endless, or hold what no file can: an integer of many digits has none at all.
        if type(value) is int and value.bit_length() > _MOST_BITS:
            return f"an integer of {value.bit_length()} bits"
        text = _repr.repr(value)
        if len(text) > MAX_SHOWN:
            text = text[: MAX_SHOWN - 3] + "..."
        return text.encode("utf-8", "backslashreplace").decode()
    except Exception:
        return f"a value of type {kind_of(value)}"


def kind_of(value: object) -> str:
    """The name of the value's real type, whatever it says of itself."""
    name: str = _name_of(type(value))
    return name[:MAX_SHOWN].encode("utf-8", "backslashreplace").decode()


def utc(time_ms: int) -> str:
    """A time as ISO 8601, UTC; in ms where the calendar of the language ends, as it does for some deadlines."""
    try:
        moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError):
        return f"{time_ms} ms"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lasted(duration_ms: int) -> str:
    """How long something took, in its two largest units: ``16 min 40 s``, ``350 ms``."""
    rest, parts = abs(duration_ms), []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return ("-" if duration_ms < 0 else "") + (" ".join(parts[:2]) or "0 ms")


def visible(value: object) -> str:
    """A value on one line: what would forge lines, drive a terminal or turn text round is shown as an escape."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(value))
