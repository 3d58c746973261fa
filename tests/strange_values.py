"""Values that nobody would pass, and some that make sense, by what they are passed for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from itertools import count, repeat
from pathlib import Path
from typing import Any, Final

from muniment import domain as d


class Lying:
    """Says that it is something else, and fails whatever is asked of it."""

    def __init__(self, kind: type) -> None:
        object.__setattr__(self, "kind", kind)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return object.__getattribute__(self, "kind")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no attribute is told")

    def _fail(self, *_: Any) -> Any:
        raise RuntimeError("nothing is told")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __repr__ = __str__ = __iter__ = __len__ = _fail
    __index__ = __int__ = __float__ = __bool__ = __fspath__ = __getitem__ = __contains__ = __hash__ = _fail
    __format__ = __bytes__ = _fail


class LyingText(str):
    """A text that answers wrongly."""

    def _fail(self, *_: Any) -> Any:
        raise RuntimeError("nothing is told")

    __eq__ = __hash__ = __repr__ = __str__ = __len__ = __iter__ = encode = __format__ = _fail  # type: ignore[assignment]


class LyingNumber(int):
    """A number that answers wrongly."""

    def _fail(self, *_: Any) -> Any:
        raise RuntimeError("nothing is told")

    __eq__ = __hash__ = __repr__ = __str__ = __lt__ = __le__ = __gt__ = __ge__ = __index__ = __int__ = _fail


def deep(depth: int = 5_000) -> list[Any]:
    """A list in a list in a list."""
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def failing() -> Iterator[str]:
    """Ends in an error after the first."""
    yield "a"
    raise OSError("the caller's own")


def past_its_checks(kind: type) -> Any:
    """An instance without its fields, or with others."""
    made: Any = object.__new__(kind)
    for name in list(kind.__dataclass_fields__)[:2]:  # type: ignore[attr-defined]
        object.__setattr__(made, name, Lying(str))
    return made


VALUE_TYPES: Final = [
    kind
    for kind in vars(d).values()
    if isinstance(kind, type) and is_dataclass(kind) and not issubclass(kind, Exception)
]
ENUMS: Final = [kind for kind in vars(d).values() if isinstance(kind, type) and issubclass(kind, Enum)]

NAMES: Final = ("s-1", "s-2", "alice", "bob", "b-1", "b-2", "c-1", "m-1", "session-s-1", "session-s-1@2", "bundle-b-1")

BY_NAME: Final[dict[str, tuple[Any, ...]]] = {
    "session_id": ("s-1", "s-2", "s-3"),
    "owner": ("alice", "bob"),
    "bundle_id": ("b-1", "b-2", None),
    "conversation_id": ("c-1", "c-2"),
    "position": (0, 1, 2, 5, 100),
    "stream": ("session-s-1", "bundle-b-1", "conversation-c-1"),
    "event": ("session-s-1@1", "bundle-b-1@2", 1, 3, 7, 12, 20),
    "now": (None, 0, 1_000, 10**7),
    "command": (lambda *_: d.Accepted(None), lambda *_: None, lambda *_: d.Accepted(1, ("no event",))),  # type: ignore[arg-type]
    "path": ("a-copy.db", Path("b-copy.db")),
    "url": ("memory://", "sqlite:///a.db", Path("b.db"), "sqlite:///a.db?x=1", "nothing://"),
    "lock_timeout_s": (0, 0.05, 1),
    "clock": (lambda: 1_000, lambda: -1, lambda: None, lambda: 10**30),
    "progress": (None, lambda *_: None),
    "boundary": (None,),
    "upgrade": (None,),
}
"""What is passed for a parameter of a name when the call is to make sense."""


STRANGE: Final[tuple[Callable[[], Any], ...]] = (
    lambda: None,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: -float("inf"),
    lambda: 10**5_000,
    lambda: -(10**5_000),
    lambda: 2**63,
    lambda: 2**63 - 1,
    lambda: -1,
    lambda: True,
    lambda: 1.5,
    lambda: 1j,
    lambda: Decimal("NaN"),
    lambda: b"bytes",
    lambda: bytearray(b"bytes"),
    lambda: memoryview(b"bytes"),
    lambda: Path("a-path"),
    lambda: "\ud800",
    lambda: "a\0b",
    lambda: "a\nb",
    lambda: "",
    lambda: "x" * 201,
    lambda: "\x01" * 2_000,
    lambda: "x" * 2_001,
    lambda: object(),
    lambda: d.Fragments,
    lambda: Ellipsis,
    lambda: {},
    lambda: {"a": "b"},
    lambda: {1: None},
    lambda: set(),
    lambda: frozenset({"a", "b"}),
    lambda: frozenset({None, 1}),
    lambda: ["a", None],
    lambda: ["a", "a"],
    lambda: ("a", "b"),
    lambda: ["\ud800"],
    lambda: [["a"]],
    lambda: range(10**12),
    lambda: count(),
    lambda: repeat("a"),
    lambda: (f"n-{number}" for number in count()),
    lambda: failing(),
    lambda: deep(),
    lambda: lambda *_, **__: None,
    lambda: lambda *_: 1,
    lambda: datetime(2020, 1, 1),
    lambda: datetime.max.replace(tzinfo=UTC),
    lambda: datetime.min.replace(tzinfo=UTC),
    lambda: Lying(str),
    lambda: Lying(int),
    lambda: Lying(bool),
    lambda: Lying(list),
    lambda: Lying(dict),
    lambda: Lying(float),
    lambda: Lying(Path),
    lambda: Lying(datetime),
    lambda: Lying(d.OwnershipCapability),
    lambda: Lying(d.Fragments),
    lambda: Lying(d.Phase),
    lambda: LyingText("alice"),
    lambda: LyingNumber(1),
    lambda: [Lying(str)],
    lambda: {"a": Lying(str)},
    lambda: ("a", LyingText("b")),
    lambda: ValueError("a value"),
)
