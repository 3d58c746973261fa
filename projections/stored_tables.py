"""Any table as a mapping, by the columns that it is stored with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .projection import Projector
from .store import TemporalStore
from .temporal import Row, TemporalTable, Value
from .views import TableMapping


class StoredRow(NamedTuple):
    """A row as it is stored.

    Attributes:
        values: its columns by name, but for the key's.
        since: the position of the event from which on it holds.
    """

    values: dict[str, Value]
    since: int


class StoredTable(TableMapping[Any, StoredRow]):
    """A table as a mapping from key to row; a key of several columns is a tuple.

    Args:
        projection: the name of the projection that makes it.
        table: which table.
        store: the tables.
        projector: what keeps them caught up.
        position: the position to read as of; None for now.
    """

    def __init__(
        self,
        projection: str,
        table: TemporalTable,
        store: TemporalStore,
        projector: Projector,
        position: int | None = None,
    ) -> None:
        super().__init__(store, projector, position)
        self._projection, self._table = projection, table

    @property
    def key_columns(self) -> Mapping[str, type[str] | type[int]]:
        """The columns that a key consists of, and their types."""
        return self._table.key

    def _to_item(self, row: Row) -> tuple[Any, StoredRow]:
        return self._table.key_of(row), StoredRow(self._table.values_of(row), self._table.row_position(row))
