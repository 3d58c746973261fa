"""What changed in tables, read off where their rows begin and end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from .store import TemporalStore
from .temporal import FOREVER, Row, TemporalTable, Value

FoundT = TypeVar("FoundT")

_FEW: Final = 1_000
"""Below how many rows the next window is wider, and above four times how many it is narrower."""

_WINDOW: Final = 2_000
"""How many positions the first window has."""

_MANY: Final = 500


class TableChange(NamedTuple):
    """One row that one event changed.

    Attributes:
        position: the event's position.
        table: the table.
        key: the columns of the row's key.
        was: the row as it was, with its ``until``; None if there was none.
        now: the row as it is from here on, with its ``until``; None if there is none.
    """

    position: int
    table: TemporalTable
    key: tuple[Value, ...]
    was: Row | None
    now: Row | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that differ; of a row that came or went, all of them."""
        was, now, size = self.was, self.now, len(self.table.key)
        if was is None or now is None:
            return tuple(self.table.columns) if was is not now else ()
        return tuple(column for place, column in enumerate(self.table.columns, size) if was[place] != now[place])


def changes(
    store: TemporalStore, table: TemporalTable, after: int, through: int, key: Sequence[Value] = ()
) -> Iterator[TableChange]:
    """Read every change of a table between two positions, in the order of the events.

    An event that set a row to what it was already changed nothing. What has to be read is what changed, and no more.

    Args:
        store: where the table is.
        table: which one.
        after: the position behind which.
        through: the position up to which the table is caught up.
        key: only rows whose key begins with these.
    """
    for found in _windows(after, through, lambda begin, end: _in_window(store, table, begin, end, key)):
        yield from (change for change in found if change.columns)


def changed_positions(store: TemporalStore, tables: Sequence[TemporalTable], after: int, through: int) -> Iterator[int]:
    """Read the positions between two at which an event set or unset a row of any of these tables, in order."""

    def changed(begin: int, end: int) -> list[int]:
        return sorted({position for table in tables for position in store.changed(table, begin, end)})

    for found in _windows(after, through, changed):
        yield from found


def _windows(after: int, through: int, read: Callable[[int, int], list[FoundT]]) -> Iterator[list[FoundT]]:
    """Read from one position to another, in windows that hold neither little nor very much."""
    width = _WINDOW
    while after < through:
        end = min(through, after + width)
        found = read(after, end)
        yield found
        width = width * 2 if len(found) < _FEW else max(1, width // 2) if len(found) > 4 * _FEW else width
        after = end


def _in_window(
    store: TemporalStore, table: TemporalTable, after: int, through: int, key: Sequence[Value]
) -> list[TableChange]:
    size = len(table.key)
    found: dict[tuple[int, tuple[Value, ...]], list[Row | None]] = {}
    for row in store.ended(table, after, through, key):
        found[row[-1], tuple(row[:size])] = [row, None]
    for row in store.began(table, after, through, key):
        found.setdefault((row[-2], tuple(row[:size])), [None, None])[1] = row
    # By position alone: a column may hold what cannot be compared, if somebody changed it by hand.
    return [
        TableChange(position, table, columns, was, now)
        for (position, columns), (was, now) in sorted(found.items(), key=lambda each: each[0][0])
    ]


def history(store: TemporalStore, table: TemporalTable, key: Sequence[Value], through: int = FOREVER) -> Iterator[Row]:
    """Read every row that a key ever had, newest first, each with its ``until``.

    Args:
        store: where the table is.
        table: which one.
        key: the key, whole.
        through: only rows that began up to this position.
    """
    before = min(through, FOREVER - 1) + 1
    while True:
        rows = store.versions(table, key, before, _MANY)
        yield from rows
        if len(rows) < _MANY:
            return
        before = table.row_position(rows[-1])
