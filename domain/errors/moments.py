"""What is wrong with a question about the past."""

from __future__ import annotations

from dataclasses import dataclass

from ..shown import shown, utc
from .base import InvalidInput

EXAMPLES = "4711, session-s-42@4, 2026-01-31T09:30:00Z, 10:42, 'yesterday 14:00', -10m, HEAD or HEAD~3"
"""Moments, as they may be said."""


@dataclass(eq=False)
class InvalidMoment(InvalidInput):
    """What was given is no moment, or may be more than one.

    Attributes:
        moment: what was given.
        problem: what is wrong with it.
    """

    moment: object
    problem: str

    def __str__(self) -> str:
        return f"{shown(self.moment)} {self.problem}; a moment is said as {EXAMPLES}"


@dataclass(eq=False)
class MomentInFuture(InvalidInput):
    """A time that neither the journal's clock nor any event has reached.

    Attributes:
        moment: what was given.
        time_ms: the time that it says, in ms.
        now_ms: the time by the journal's clock, in ms.
    """

    moment: object
    time_ms: int
    now_ms: int

    def __str__(self) -> str:
        return (
            f"{shown(self.moment)} is {utc(self.time_ms)}, which is in the future: the journal's clock says "
            f"{utc(self.now_ms)}, and no event is later; a moment is said as {EXAMPLES}"
        )


@dataclass(eq=False)
class MomentsReversed(InvalidInput):
    """The first of two moments lies behind the second.

    Attributes:
        first: the position of the first.
        second: the position of the second.
    """

    first: int
    second: int

    def __str__(self) -> str:
        return f"position {self.first} lies behind position {self.second}; give the earlier one first"


@dataclass(eq=False)
class UnknownTable(InvalidInput):
    """There is no table of this name.

    Attributes:
        table: the name.
        near: the tables whose names are most like it; all tables if none is.
    """

    table: object
    near: tuple[str, ...]

    def __str__(self) -> str:
        near = " or ".join(self.near) if len(self.near) < 4 else f"one of {', '.join(self.near)}"
        return f"there is no table {shown(self.table)}; did you mean {near}?"


@dataclass(eq=False)
class InvalidKey(InvalidInput):
    """A key that no row of the table can have.

    Attributes:
        table: the table.
        key: the key.
        columns: the columns that its keys consist of.
    """

    table: str
    key: object
    columns: tuple[str, ...]

    def __str__(self) -> str:
        if len(self.columns) == 1:
            return f"{shown(self.key)} is no key of {self.table}; its keys are a {self.columns[0]}"
        return f"{shown(self.key)} is no key of {self.table}; its keys are ({', '.join(self.columns)})"


@dataclass(eq=False)
class UnknownRow(InvalidInput):
    """A table has, or had then, no row under this key.

    Attributes:
        table: the table.
        key: the key.
        position: the position that was read as of.
    """

    table: str
    key: object
    position: int

    def __str__(self) -> str:
        return f"{self.table} has no row {shown(self.key)} at position {self.position}"


@dataclass(eq=False)
class UnknownCheck(InvalidInput):
    """There is no check of this name.

    Attributes:
        check: the name.
        near: the checks whose names are most like it; all if none is.
    """

    check: str
    near: tuple[str, ...]

    def __str__(self) -> str:
        return f"there is no check {shown(self.check)}; did you mean {' or '.join(self.near)}?"


@dataclass(eq=False)
class PredicateFailed(InvalidInput):
    """A predicate that was given raised an error instead of answering.

    Attributes:
        position: the position of the moment that it was asked about.
        problem: what it raised.
    """

    position: int
    problem: str

    def __str__(self) -> str:
        return f"the predicate raised at position {self.position}: {self.problem}"


@dataclass(eq=False)
class EndIsBad(InvalidInput):
    """The good end of what is to be halved is bad already, or cannot be told.

    Attributes:
        position: its position.
    """

    position: int

    def __str__(self) -> str:
        return (
            f"position {self.position} is given as good, and the predicate does not hold there, or cannot tell; "
            "begin earlier"
        )


@dataclass(eq=False)
class EndIsGood(InvalidInput):
    """The bad end of what is to be halved is good, or cannot be told.

    Attributes:
        position: its position.
    """

    position: int

    def __str__(self) -> str:
        return (
            f"position {self.position} is given as bad, and the predicate holds there, or cannot tell: "
            "up to there, there is nothing to find"
        )


@dataclass(eq=False)
class SearchStopped(InvalidInput):
    """What is asked about moments cannot go on. A predicate raises it to end the search.

    Attributes:
        problem: why.
    """

    problem: str

    def __str__(self) -> str:
        return f"the search is stopped: {self.problem}"
