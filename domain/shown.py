"""What a message says of a value that somebody gave: short, and safe whatever the value is."""

from __future__ import annotations

from reprlib import Repr
from typing import Final

MAX_SHOWN: Final = 100
"""How many characters of a value a message shows."""

_MOST_BITS: Final = 300
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
