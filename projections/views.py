"""Read-only mappings over temporal tables: as they are now, or as they were at a position."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeGuard, TypeVar

from ..domain import InvalidInput, ProjectionStopped
from .projection import Projector, collector_paused
from .store import TemporalStore
from .temporal import FOREVER, Row, TemporalTable, Value

KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT")

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

_UNREADABLE = (KeyError, ValueError, TypeError, InvalidInput)
"""What reading a row raises that somebody changed."""


class TableReader:
    """Reads one projection's table, caught up first, so that a caller reads its own writes.

    Args:
        store: the tables.
        projector: what keeps them caught up.
        position: the position to read as of; None for now.
    """

    _table: TemporalTable
    _projection: str

    def __init__(self, store: TemporalStore, projector: Projector, position: int | None = None) -> None:
        self._store = store
        self._projector = projector
        self._position = position

    def _select(
        self,
        where: Mapping[str, Value] | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        position: int | None = None,
        table: TemporalTable | None = None,
        between: tuple[str, int, int] | None = None,
        order: tuple[str, ...] = (),
    ) -> list[Row]:
        """Read rows, caught up; or as of a position that was caught up to before, also of another table."""
        if position is None:
            self._catch_up()
        wanted = table or self._table
        if not all(_may_be_in(wanted, column, value) for column, value in (where or {}).items()):
            return []
        where = {column: _plain(value) for column, value in (where or {}).items()}
        if not is_storable(after):
            return []
        if limit is not None and not is_storable(limit):
            limit = None
        as_of = self._position if position is None else position
        return self._store.select(wanted, as_of, where, after=after, limit=limit, between=between, order=order)

    def _get(self, key: tuple[Value, ...]) -> Row | None:
        self._catch_up()
        return self._store.get(self._table, self._position, key) if all(map(is_storable, key)) else None

    def _count(self) -> int:
        self._catch_up()
        return self._store.count(self._table, self._position)

    def _catch_up(self) -> int:
        return self._projector.catch_up(self._projection, self._position)


def to_columns(table: TemporalTable, key: object) -> tuple[Value, ...] | None:
    """A key's columns: of several, a tuple; None if no row can have such a key."""
    columns = key if len(table.key) > 1 else (key,)
    if type(columns) is not tuple or len(columns) != len(table.key):
        return None
    is_key = all(_is_of(value, expected) for expected, value in zip(table.key.values(), columns, strict=True))
    return tuple(map(_plain, columns)) if is_key else None


def _may_be_in(table: TemporalTable, column: str, value: object) -> bool:
    """Whether a column of a table can hold a value."""
    expected = table.key.get(column) or table.columns[column]
    return _is_of(value, expected) and is_storable(_plain(value))


def _is_of(value: object, expected: type) -> TypeGuard[str | int]:
    """Whether a value is of a column's type."""
    return issubclass(type(value), expected) and type(value) is not bool


def _plain(value: Any) -> Value:
    """The plain text or number in a value: a subclass may compare, and say of itself, what it likes."""
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    return int.__int__(value) if issubclass(kind, int) else value


def is_storable(value: Value) -> bool:
    """Whether a row can hold a value: what no database can hold, no row has."""
    if isinstance(value, int):
        return abs(value) <= FOREVER
    return value is None or _UNSTORABLE.search(value) is None


class MappingView(TableReader, Mapping[KeyT, RowT], Generic[KeyT, RowT]):
    """What tables say, as a mapping. ``items``, ``values`` and iteration each read one consistent state."""

    @abstractmethod
    def _all(self) -> dict[KeyT, RowT]:
        """Every key and row, read at once."""

    def __iter__(self) -> Iterator[KeyT]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def items(self) -> ItemsView[KeyT, RowT]:
        """Every key and row, read at once."""
        return self._all().items()

    def values(self) -> ValuesView[RowT]:
        """Every row, read at once."""
        return self._all().values()

    def __repr__(self) -> str:
        as_of = "" if self._position is None else f" as of position {self._position}"
        return f"<{type(self).__name__}: {len(self)} rows{as_of}>"


class TableMapping(MappingView[KeyT, RowT]):
    """One table as a mapping."""

    @abstractmethod
    def _to_item(self, row: Row) -> tuple[KeyT, RowT]:
        """Read a row."""

    def __getitem__(self, key: KeyT) -> RowT:
        columns = to_columns(self._table, key)
        row = None if columns is None else self._get(columns)
        if row is None:
            raise KeyError(key)
        return self._read(row)[1]

    def __len__(self) -> int:
        return self._count()

    def _all(self) -> dict[KeyT, RowT]:
        with collector_paused():
            rows = self._select()
            try:
                return dict(map(self._to_item, rows))
            except _UNREADABLE:
                # One by one, to tell which it is.
                return dict(map(self._read, rows))

    def _read(self, row: Row) -> tuple[KeyT, RowT]:
        with readable(self._projection, self._table, row):
            return self._to_item(row)


@contextmanager
def readable(projection: str, table: TemporalTable, row: Row) -> Iterator[None]:
    """Say of a row that cannot be read which it is.

    Raises:
        ProjectionStopped: it cannot be read.
    """
    try:
        yield
    except _UNREADABLE as error:
        problem = f"a stored row cannot be read ({type(error).__name__}: {error}); replay rebuilds it"
        raise ProjectionStopped(projection, table.row_position(row), problem) from error
