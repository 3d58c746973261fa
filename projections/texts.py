"""Lists of names as tables hold them: JSON."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import from_json, to_json


def text_of_names(names: Iterable[str]) -> str:
    """Write names in the order given."""
    return to_json(list(names)).decode()


def read_names(text: str) -> tuple[str, ...]:
    """Read what ``text_of_names`` wrote.

    Raises:
        ValueError: it is something else.
    """
    names = from_json(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"not a list of names: {text!r}")
    return tuple(names)
