"""Rows that are read again and again, as of one position after the other."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

from ..domain import JournalError
from .projection import Projector
from .store import TemporalStore
from .temporal import FOREVER, Row, TemporalTable, Value

_KEYS: Final = 10_000
"""How many keys are remembered at most."""

_VERSIONS: Final = 1_000
"""A key that had more rows than this is not remembered."""

_Past = tuple[list[int], list[Row]]
"""Where the rows of a key began, and the rows, each with its ``until``; oldest first."""


class InPassing:
    """A store of tables, for whoever looks at the same keys at many positions: it remembers all that they ever were.

    Everything but reading single rows is the store's own.

    Args:
        store: the tables.
        projector: what keeps them caught up.
        end: the last position that is looked at.
    """

    def __init__(self, store: TemporalStore, projector: Projector, end: int) -> None:
        self._store = store
        self._projector = projector
        self._end = end
        self._past: dict[tuple[TemporalTable, tuple[Value, ...]], _Past | None] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get(self, table: TemporalTable, position: int | None, key: tuple[Value, ...]) -> Row | None:
        """Read one row as it was."""
        known = (table, key)
        if known not in self._past:
            if len(self._past) == _KEYS:
                self._past.clear()
            self._past[known] = self._all_of(table, key)
        past = self._past[known]
        if past is None or position is None:
            return self._store.get(table, position, key)
        begins, rows = past
        place = bisect_right(begins, position)
        return rows[place - 1][:-1] if place and rows[place - 1][-1] > position else None

    def _all_of(self, table: TemporalTable, key: tuple[Value, ...]) -> _Past | None:
        try:
            # What is remembered has to be all that there will be to see.
            self._projector.catch_up(self._projector.tables[table.name][0], self._end)
        except JournalError:
            # A record on the way cannot be read; the moments before it can.
            return None
        rows = self._store.versions(table, key, FOREVER, _VERSIONS + 1)[::-1]
        return None if len(rows) > _VERSIONS else ([table.row_position(row) for row in rows], rows)
