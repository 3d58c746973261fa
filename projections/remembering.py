"""Projections whose events change a part of a row, so that the row before it has to be known."""

from __future__ import annotations

from .projection import CurrentRow, Projection
from .temporal import Row, Set, TemporalTable, Unset, Value


class RememberingProjection(Projection):
    """Knows the rows as the events of the batch at hand leave them."""

    def __init__(self) -> None:
        self._rows: dict[tuple[TemporalTable, tuple[Value, ...]], tuple[Value, ...] | None] = {}
        self._current: CurrentRow = lambda table, key: None

    def resume(self, current: CurrentRow) -> None:
        """Read a row when its first event of the batch comes."""
        self._rows.clear()
        self._current = current

    def _row(self, table: TemporalTable, key: tuple[Value, ...]) -> tuple[Value, ...] | None:
        """The columns of a row behind its key; None if there is no such row."""
        if (table, key) not in self._rows:
            row: Row | None = self._current(table, key)
            self._rows[table, key] = None if row is None else tuple(row[len(table.key) : -1])
        return self._rows[table, key]

    def _set(self, table: TemporalTable, key: tuple[Value, ...], value: tuple[Value, ...]) -> Set:
        self._rows[table, key] = value
        return Set(table, key, value)

    def _unset(self, table: TemporalTable, key: tuple[Value, ...]) -> Unset:
        self._rows[table, key] = None
        return Unset(table, key)
