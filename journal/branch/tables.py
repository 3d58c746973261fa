"""The tables of a branch: the rows of another journal's tables as of a position, and what the branch made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from ...domain import NotInBranch
from ...projections import TemporalStore
from ...projections.table_writing import Rebuild, TableWriter
from ...projections.temporal import FOREVER, Row, TemporalTable, Value
from ..sqlite.tables import Datastore, SQLiteTableWriter, SQLiteTemporalStore, rows_of

_RANKS: Final = {int: 1, float: 1, str: 2}


class BranchTables(SQLiteTemporalStore):
    """Temporal tables in memory that go on from those of another journal, of which only rows are read.

    A row of the other journal that ends in the branch is copied as it ends: a row here that began before the branch
    did is one that held at its beginning, and says itself until when. Every other row of then holds still. So what
    holds now is what held there, less what of it is here, and what holds here.

    Args:
        datastore: where the branch's own rows are.
        base: the other journal's tables, which have come to the position.
        position: where the branch begins.
        place: what the branch is called in errors.
    """

    can_be_rebuilt = False

    def __init__(self, datastore: Datastore, base: TemporalStore, position: int, place: str) -> None:
        super().__init__(datastore)
        self._base = base
        self._begins = position
        self._place = place

    @contextmanager
    def write(self) -> Iterator[TableWriter]:
        with self.datastore.transaction(commit=True, durable=False) as cursor:
            yield _Writer(cursor, self._base, self._begins)

    @contextmanager
    def rebuild(self) -> Iterator[Rebuild]:
        """Refuse: the rows of the other journal are not the branch's to be made anew.

        Raises:
            NotInBranch
        """
        raise NotInBranch(self._place, "replay")
        yield

    def create_missing(self, projections: Mapping[str, tuple[TemporalTable, ...]]) -> None:
        """Make the tables; every projection has come to where the branch begins."""
        super().create_missing(projections)
        with self.write() as writer:
            for name in projections.keys() - writer.positions().keys():
                writer.track(name, self._begins)

    def select(
        self,
        table: TemporalTable,
        position: int | None,
        where: Mapping[str, Value] | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        between: tuple[str, int, int] | None = None,
        order: Sequence[str] = (),
    ) -> list[Row]:
        """Read rows as they are, or as they were."""
        asked: dict[str, Any] = {"after": after, "between": between, "order": order}
        if self._is_past(position):
            return self._base.select(table, position, where, limit=limit, **asked)
        with self._own() as own:
            gone = {_key(table, row) for row in own.select(table, self._begins, where, **asked)}
            rows = own.select(table, position, where, limit=limit, **asked)
        if after < self._begins:
            most = None if limit is None else limit + len(gone)
            past = self._base.select(table, self._begins, where, limit=most, **asked)
            rows = _in_order([*(row for row in past if _key(table, row) not in gone), *rows], table, order)
        return rows[:limit]

    def scan(self, table: TemporalTable, position: int) -> Iterator[Row]:
        """Read a table's whole history as it was at a position, by key and time."""
        if self._is_past(position):
            return self._base.scan(table, position)

        def order(row: Row) -> Any:
            return _comparable(table.order(row))

        rows = merge(super().scan(table, position), self._base.scan(table, self._begins), key=order)
        # Of two that began at once, the first is here, and tells the end.
        return (next(same) for _, same in groupby(rows, table.order))

    def get(self, table: TemporalTable, position: int | None, key: tuple[Value, ...]) -> Row | None:
        """Read one row as it is, or as it was."""
        if self._is_past(position):
            return self._base.get(table, position, key)
        rows = super().versions(table, key, FOREVER if position is None else min(position + 1, FOREVER), 1)
        if not rows:
            return self._base.get(table, self._begins, key)
        *row, until = rows[0]
        ended = until != FOREVER if position is None else until <= position
        return None if ended else tuple(row)

    def began(self, table: TemporalTable, after: int, through: int, key: Sequence[Value] = ()) -> list[Row]:
        """Read the rows that began behind a position and up to another, by that position."""
        here = super().began(table, after, through, key)
        past = self._base.began(table, after, min(through, self._begins), key) if after < self._begins else []
        return [*self._as_here(table, past, here), *(row for row in here if table.row_position(row) > self._begins)]

    def ended(self, table: TemporalTable, after: int, through: int, key: Sequence[Value] = ()) -> list[Row]:
        """Read the rows that ended behind a position and up to another, by that position."""
        past = self._base.ended(table, after, min(through, self._begins), key) if after < self._begins else []
        return [*past, *super().ended(table, after, through, key)]

    def changed(self, table: TemporalTable, after: int, through: int) -> list[int]:
        """Read the positions behind one and up to another at which rows began or ended, in order."""
        past = self._base.changed(table, after, min(through, self._begins)) if after < self._begins else []
        return sorted({*past, *super().changed(table, after, through)})

    def versions(self, table: TemporalTable, key: Sequence[Value], before: int, limit: int) -> list[Row]:
        """Read what a key's row was, newest first."""
        here = super().versions(table, key, before, limit)
        own = [row for row in here if table.row_position(row) > self._begins]
        if len(own) == limit:
            return own
        past = self._base.versions(table, key, min(before, self._begins + 1), limit - len(own))
        return [*own, *self._as_here(table, past, here)]

    def count(self, table: TemporalTable, position: int | None, where: Mapping[str, Value] | None = None) -> int:
        """How many rows there are, or were, of which these columns equal these values."""
        if self._is_past(position):
            return self._base.count(table, position, where)
        with self._own() as own:
            change = own.count(table, position, where) - own.count(table, self._begins, where)
        return self._base.count(table, self._begins, where) + change

    def last_position(self, table: TemporalTable, through: int = FOREVER) -> int:
        """The last position, up to one, at which a row of a table began; 0 if there is none."""
        own = super().last_position(table, through)
        return own if own > self._begins else self._base.last_position(table, min(through, self._begins))

    def latest(
        self, table: TemporalTable, column: str, at_most: Value, through: int = FOREVER
    ) -> tuple[Any, int, int] | None:
        """Find the row with the greatest value of a column that is at most this, and of those the last to begin."""
        own = super().latest(table, column, at_most, through)
        past = self._base.latest(table, column, at_most, min(through, self._begins))
        if past is not None and past[2] > self._begins:
            past = (*past[:2], FOREVER)
        # The one here comes first: where both are the same row, it tells the end.
        return max((each for each in (own, past) if each is not None), key=itemgetter(0, 1), default=None)

    def totals(
        self,
        table: TemporalTable,
        position: int,
        columns: Sequence[str],
        nullable: Sequence[str],
        sums: Sequence[str] = (),
    ) -> tuple[list[int], list[int]]:
        """Add up the rows that a table had come to at a position."""
        asked = columns, nullable, sums
        if self._is_past(position):
            return self._base.totals(table, position, *asked)
        with self._own() as own:
            (gone, _), (now, over) = own.totals(table, self._begins, *asked), own.totals(table, position, *asked)
        past_now, past_over = self._base.totals(table, self._begins, *asked)
        held = [there + here - less for there, here, less in zip(past_now, now, gone, strict=True)]
        return held, [there + here for there, here in zip(past_over, over, strict=True)]

    def _is_past(self, position: int | None) -> bool:
        """Whether a position is before the branch, where its tables are the other journal's."""
        return position is not None and position <= self._begins

    def _as_here(self, table: TemporalTable, past: Sequence[Row], here: Sequence[Row]) -> Iterator[Row]:
        """Rows of the other journal with their ends as the branch knows them."""
        ends = {table.order(row): row for row in here}
        for row in past:
            known = ends.get(table.order(row))
            yield known if known is not None else row if row[-1] <= self._begins else (*row[:-1], FOREVER)

    @contextmanager
    def _own(self) -> Iterator[TemporalStore]:
        """The branch's own rows, as they are at one moment."""
        with self.datastore.transaction(commit=False) as cursor:
            yield _OwnRows(self.datastore, cursor)


class _OwnRows(SQLiteTemporalStore):
    """Tables that are read in a transaction of the caller's."""

    def __init__(self, datastore: Datastore, cursor: Any) -> None:
        super().__init__(datastore)
        self._cursor = cursor

    def fetch(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return rows_of(self._cursor, statement, parameters)


class _Writer(SQLiteTableWriter):
    """Writes the branch's own rows, and copies what ends of the other journal's."""

    def __init__(self, cursor: Any, base: TemporalStore, begins: int) -> None:
        super().__init__(cursor)
        self._base = base
        self._begins = begins

    def current(self, table: TemporalTable, key: tuple[Value, ...], suffix: str = "") -> Row | None:
        """Read one row as it is."""
        if self._is_here(table, key):
            return super().current(table, key, suffix)
        return self._base.get(table, self._begins, key)

    def close_rows(self, table: TemporalTable, name: str, closed: Sequence[tuple[int, tuple[Value, ...]]]) -> None:
        """End the rows that stand under these keys, each at its position."""
        here: list[tuple[int, tuple[Value, ...]]] = []
        copies: list[Row] = []
        for position, key in closed:
            if self._is_here(table, key):
                here.append((position, key))
            elif (row := self._base.get(table, self._begins, key)) is not None:
                copies.append((*row, position))
        super().close_rows(table, name, here)
        self.insert_rows(table, name, copies)

    def _is_here(self, table: TemporalTable, key: tuple[Value, ...]) -> bool:
        """Whether the branch says what the row of a key is."""
        keys = " AND ".join(f"{column}=?" for column in table.key)
        return bool(self.run(f"SELECT 1 FROM {table.physical_name} WHERE {keys} LIMIT 1", key))


def _key(table: TemporalTable, row: Row) -> Row:
    return tuple(row[: len(table.key)])


def _in_order(rows: list[Row], table: TemporalTable, order: Sequence[str]) -> list[Row]:
    """Sort rows by some columns and by key, as a database does."""
    columns = [*table.key, *table.columns, "since"]
    ordered_by = itemgetter(*map(columns.index, [*order, *table.key, "since"]))
    try:
        return sorted(rows, key=ordered_by)
    except TypeError:
        # A column says nothing, or holds what somebody put there by hand.
        return sorted(rows, key=lambda row: _comparable(ordered_by(row)))


def _comparable(values: Row) -> list[tuple[int, Any]]:
    """Values of any type in an order: nothing, numbers, text, and what else there may be."""
    return [(0, 0) if each is None else (_RANKS.get(type(each), 3), each) for each in values]
