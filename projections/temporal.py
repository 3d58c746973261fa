"""Tables that remember: every row says at which position it began, and at which it ended.

A projection sets and unsets facts; the table keeps their history. So time travel is a condition on rows: as of
position p are those with ``since <= p < until``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

FOREVER: Final = 2**63 - 1
"""The ``until`` of a row that has not ended."""

LAYOUT: Final = 2
"""Raised when all tables have other indexes, or other columns beside those of their own."""

PREFIX: Final = "projection_"
"""What the names of all tables begin with in the database."""

Value: TypeAlias = str | int | None
Row: TypeAlias = tuple[Any, ...]
"""A row as read: the key's columns, the other columns, ``since``."""


@dataclass(frozen=True, eq=False)
class TemporalTable:
    """The shape of a table that keeps the history of its rows.

    Attributes:
        name: the table's name, without its version.
        version: raise it when the same events result in different rows; the table is then rebuilt beside the old one.
        key: the columns that say which fact a row is about, and their types.
        columns: the columns that say what the fact is, and their types.
        lookup: columns by which rows are searched, other than the key's first.
        ordered: columns of numbers by whose order the rows that hold now are read.
        nullable: the columns that may say nothing.
    """

    name: str
    version: int
    key: Mapping[str, type[str] | type[int]]
    columns: Mapping[str, type[str] | type[int]]
    lookup: tuple[str, ...] = ()
    ordered: tuple[str, ...] = ()
    nullable: frozenset[str] = frozenset()

    @property
    def physical_name(self) -> str:
        """The table's name in the database."""
        return f"{PREFIX}{self.name}_{self.shape}"

    @property
    def shape(self) -> str:
        """What tells tables of this version, in this layout, from others."""
        return f"v{self.version}_{LAYOUT}"

    def order(self, row: Row) -> Row:
        """What rows are sorted by: the key, and the position they began at."""
        return (*row[: len(self.key)], self.row_position(row))

    def row_position(self, row: Row) -> int:
        """The position at which a row began."""
        return int(row[len(self.key) + len(self.columns)])

    def key_of(self, row: Row) -> Any:
        """The key of a row, as callers know it: of several columns, a tuple."""
        return row[0] if len(self.key) == 1 else tuple(row[: len(self.key)])

    def values_of(self, row: Row) -> dict[str, Value]:
        """The columns of a row behind its key, by name."""
        return dict(zip(self.columns, row[len(self.key) :], strict=False))

    def require_types(self, row: Row) -> None:
        """Make sure that a row as read holds what its columns may.

        Raises:
            TypeError: somebody changed it.
        """
        for value, (column, kind) in zip(row, (*self.key.items(), *self.columns.items()), strict=False):
            if not isinstance(value, kind) and not (value is None and column in self.nullable):
                raise TypeError(f"{column} is {value!r:.100}, which is no {kind.__name__}")

    @property
    def indexes(self) -> Mapping[str, str]:
        """The indexes that readers need: what each is called, and what it covers."""
        name = self.physical_name
        # Where an index is of the rows that hold now alone, what is over does not make it longer.
        now = f"WHERE until={FOREVER}"
        return {
            **{f"{name}_by_{column}": f"({column}, since)" for column in self.lookup},
            **{f"{name}_now_by_{column}": f"({column}) {now}" for column in self.ordered},
            f"{name}_now": f"({', '.join(self.key)}) {now}",
            f"{name}_began": "(since)",
            f"{name}_ended": f"(until) WHERE until<{FOREVER}",
        }

    @property
    def selected(self) -> str:
        """The columns of a ``Row``, for a SELECT."""
        return ", ".join([*self.key, *self.columns, "since"])


class Set(NamedTuple):
    """From this event on, the fact with this key is this."""

    table: TemporalTable
    key: tuple[Value, ...]
    value: tuple[Value, ...]


class Unset(NamedTuple):
    """From this event on, there is no fact with this key."""

    table: TemporalTable
    key: tuple[Value, ...]


Change: TypeAlias = Set | Unset


class Folding:
    """The changes of one table in a run of events, folded before anything is written.

    Rows that were opened wait here, so that one which ends in the same run is written once, with its end. A row that
    was written before is closed where it stands.

    Args:
        table: which table.
        is_empty: whether the table was empty before the run, so that there is nothing to close.
    """

    __slots__ = ("_closed", "_finished", "_is_closing", "_opened", "_touched", "table")

    def __init__(self, table: TemporalTable, *, is_empty: bool = False) -> None:
        self.table = table
        self._is_closing = not is_empty
        self._opened: dict[tuple[Value, ...], tuple[tuple[Value, ...], int]] = {}
        self._touched: set[tuple[Value, ...]] = set()
        self._finished: list[Row] = []
        self._closed: list[tuple[int, tuple[Value, ...]]] = []

    def take(self, position: int, change: Change) -> None:
        """Take a change in; changes come in the order of their events."""
        key = change.key
        current = self._opened.pop(key, None)
        if current is not None:
            value, since = current
            if since < position:
                self._finished.append((*key, *value, since, position))
        elif self._is_closing and key not in self._touched:
            self._closed.append((position, key))
            self._touched.add(key)
        if isinstance(change, Set):
            self._opened[key] = (change.value, position)

    def knows(self, key: tuple[Value, ...]) -> bool:
        """Whether this run says what the row of a key is; otherwise it is as it stood before."""
        return not self._is_closing or key in self._touched or key in self._opened

    def current(self, key: tuple[Value, ...]) -> Row | None:
        """The row of a key as this run leaves it."""
        opened = self._opened.get(key)
        return None if opened is None else (*key, *opened[0], opened[1])

    def drain(self, *, opened: bool) -> tuple[list[tuple[int, tuple[Value, ...]]], list[Row]]:
        """Hand over what is to be written: first the rows to close, then those to add.

        Args:
            opened: whether rows that have not ended are handed over too, and a new run begins; otherwise they wait on.

        Returns:
            Where which keys' rows that stood before have to be closed, and the rows to write.
        """
        closed, self._closed = self._closed, []
        rows, self._finished = self._finished, []
        if opened:
            rows += [(*key, *value, since, FOREVER) for key, (value, since) in self._opened.items()]
            self._opened.clear()
            self._touched.clear()
            self._is_closing = True
        return closed, rows

    @property
    def opened(self) -> int:
        """How many rows wait for their end."""
        return len(self._opened)

    @property
    def finished(self) -> int:
        """How many rows have ended and wait to be written."""
        return len(self._finished)
