"""Where temporal tables are kept: what is the same in every database, and what each has to say for itself."""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import ClassVar, Final, TypeAlias

from .temporal import FOREVER, PREFIX, Change, Folding, Row, TemporalTable, Value

REBUILD: Final = "__rebuild_"
"""What the name of a table that is being rebuilt has in it."""

MAX_OPENED: Final = 500_000
"""How many rows of a rebuild wait in memory for their end; about 200 bytes each."""

MAX_FINISHED: Final = 50_000
"""How many rows of a rebuild that have ended are written together."""

_PAGE_SIZE: Final = 1_000

Differences: TypeAlias = dict[str, list[tuple[str, Row]]]
"""Rows that are not as they had stood, by table: ``missing`` or ``added``, and the row."""

TRACKING: Final = "tracking"
"""The table of how far each projection has come; its columns are those of the ``eventsourcing`` library."""

_POSITIONS: Final = "SELECT application_name, notification_id FROM tracking"
_TRACK: Final = (
    "INSERT INTO tracking (application_name, notification_id) VALUES (?, ?) "
    "ON CONFLICT (application_name) DO UPDATE SET notification_id=excluded.notification_id"
)


class TableWriter(ABC):
    """One transaction that changes tables. It is the only one at its time."""

    def positions(self) -> dict[str, int]:
        """How far each projection has come."""
        return _positions(self.run(_POSITIONS))

    def current(self, table: TemporalTable, key: tuple[Value, ...], suffix: str = "") -> Row | None:
        """Read one row as it is."""
        keys = " AND ".join(f"{column}=?" for column in table.key)
        statement = f"SELECT {table.selected} FROM {table.physical_name}{suffix} WHERE {keys} AND until=?"
        rows = self.run(statement, [*key, FOREVER])
        return rows[0] if rows else None

    def apply(self, changes: Iterable[tuple[int, Change]]) -> None:
        """Write changes, each with the position of its event, in the order of the events."""
        foldings: dict[TemporalTable, Folding] = {}
        for position, change in changes:
            folding = foldings.get(change.table)
            if folding is None:
                folding = foldings[change.table] = Folding(change.table)
            folding.take(position, change)
        for folding in foldings.values():
            self.write(folding, folding.table.physical_name)

    def write(self, folding: Folding, name: str, *, opened: bool = True) -> None:
        """Write what was folded to a table, in the order of its keys.

        Args:
            folding: what was folded.
            name: the table's name in the database.
            opened: whether to write rows that have not ended.
        """
        closed, rows = folding.drain(opened=opened)
        self.close_rows(folding.table, name, closed)
        # In the order of their keys, rows meet the pages that they belong on one after the other.
        self.insert_rows(folding.table, name, sorted(rows, key=itemgetter(slice(len(folding.table.key)))))

    def track(self, projection: str, position: int) -> None:
        """Record how far a projection has come."""
        self.run(_TRACK, [projection, position])

    @abstractmethod
    def run(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run a statement with ``?`` for its parameters; return its rows."""

    @abstractmethod
    def close_rows(self, table: TemporalTable, name: str, closed: Sequence[tuple[int, tuple[Value, ...]]]) -> None:
        """End the rows that stand under these keys, each at its position."""

    @abstractmethod
    def insert_rows(self, table: TemporalTable, name: str, rows: Sequence[Row]) -> None:
        """Write new rows."""

    @abstractmethod
    def table_names(self) -> set[str]:
        """The names of the tables that there are."""

    @abstractmethod
    def create(self, table: TemporalTable, name: str) -> None:
        """Make a table, without the indexes that only readers need."""

    @abstractmethod
    def create_tracking(self) -> None:
        """Make the table of how far each projection has come, if there is none."""

    @abstractmethod
    def are_equal(self, table: TemporalTable, live: str, rebuilt: str) -> bool:
        """Whether two tables hold the same rows."""

    def create_indexes(self, table: TemporalTable) -> None:
        """Make the indexes that readers need."""
        name = table.physical_name
        for column in table.lookup:
            self.run(f"CREATE INDEX {name}_by_{column} ON {name} ({column}, since)")
        for column in table.ordered:
            # Of the rows that hold now alone, so that what is over does not make it longer.
            self.run(f"CREATE INDEX {name}_now_by_{column} ON {name} ({column}) WHERE until={FOREVER}")
        self.run(f"CREATE INDEX {name}_now ON {name} ({', '.join(table.key)}) WHERE until={FOREVER}")

    def difference(self, table: TemporalTable, live: str, rebuilt: str) -> list[tuple[str, Row]]:
        """The rows that only one of two tables holds."""
        columns = f"{table.selected}, until"
        rows: list[tuple[str, Row]] = []
        for what, left, right in (("missing", live, rebuilt), ("added", rebuilt, live)):
            statement = f"SELECT {columns} FROM {left} EXCEPT SELECT {columns} FROM {right}"
            rows += [(what, row) for row in self.run(statement)]
        return rows


class Rebuild(ABC):
    """Tables that are rebuilt beside the live ones, from the first event.

    Rows wait in memory until they have ended, so that most are written once, and none is looked for.

    Args:
        tables: which tables.
    """

    def __init__(self, tables: Sequence[TemporalTable]) -> None:
        self._foldings = {table: Folding(table, is_empty=True) for table in tables}
        # What their names end with until they are put in place; no other rebuild uses it.
        self._suffix = f"{REBUILD}{os.getpid()}_{secrets.token_hex(4)}"

    def current(self, table: TemporalTable, key: tuple[Value, ...]) -> Row | None:
        """Read one row as it is in the table that is being made."""
        folding = self._foldings[table]
        if folding.knows(key):
            return folding.current(key)
        with self._write() as writer:
            return writer.current(table, key, self._suffix)

    def take(self, changes: Iterable[tuple[int, Change]]) -> None:
        """Take changes in, each with the position of its event, in the order of the events."""
        foldings = self._foldings
        for position, change in changes:
            foldings[change.table].take(position, change)
        is_full = sum(folding.opened for folding in foldings.values()) > MAX_OPENED
        if is_full or sum(folding.finished for folding in foldings.values()) > MAX_FINISHED:
            with self._write() as writer:
                self._flush(writer, opened=is_full)

    @abstractmethod
    def finish(self, positions: Mapping[str, int], *, compare: bool, is_end: bool) -> Differences | None:
        """Put the rebuilt tables in the place of the live ones.

        Args:
            positions: how far each projection was rebuilt.
            compare: whether to look for differences first; the live tables have to have come as far for that.
            is_end: whether no event is behind these positions, so that live tables that claim more are wrong.

        Returns:
            The rows that differ; None if the live tables have come further meanwhile, and nothing was done.
        """

    @abstractmethod
    def _write(self) -> AbstractContextManager[TableWriter]:
        """The transaction that what was taken in is written in."""

    def _flush(self, writer: TableWriter, *, opened: bool) -> None:
        for table, folding in self._foldings.items():
            writer.write(folding, table.physical_name + self._suffix, opened=opened)

    def _swap(
        self, writer: TableWriter, positions: Mapping[str, int], *, compare: bool, is_end: bool
    ) -> Differences | None:
        current = writer.positions()
        if not is_end and any(current.get(name, 0) > position for name, position in positions.items()):
            return None
        self._flush(writer, opened=True)
        differences: Differences = {}
        for table in self._foldings:
            live, rebuilt = table.physical_name, table.physical_name + self._suffix
            if compare and not writer.are_equal(table, live, rebuilt):
                differences[table.name] = writer.difference(table, live, rebuilt)
            writer.run(f"DROP TABLE {live}")
            writer.run(f"ALTER TABLE {rebuilt} RENAME TO {live}")
            writer.create_indexes(table)
        for name, position in positions.items():
            writer.track(name, position)
        needed = {table.physical_name for table in self._foldings}
        for name in writer.table_names():
            if name.startswith(PREFIX) and name not in needed and REBUILD not in name:
                writer.run(f"DROP TABLE {name}")
        return differences


class TemporalStore(ABC):
    """Temporal tables in a database, and how far each projection has come, changed in one transaction."""

    tables: tuple[TemporalTable, ...] = ()
    octets: ClassVar[str]
    """The expression that tells how many bytes a value takes as text, ``{}`` being the value."""

    @abstractmethod
    def write(self) -> AbstractContextManager[TableWriter]:
        """A transaction that changes tables. What it writes can be made again, so it does not wait for the disk."""

    @abstractmethod
    def rebuild(self) -> AbstractContextManager[Rebuild]:
        """Rebuild every table; what is not finished when the block ends is dropped."""

    @abstractmethod
    def table_names(self) -> set[str]:
        """The names of the tables that there are."""

    @abstractmethod
    def fetch(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Read rows, by a statement with ``?`` for its parameters."""

    def create_missing(self, projections: Mapping[str, tuple[TemporalTable, ...]]) -> None:
        """Make the tables that are not there. A projection that lost one starts again from the first event.

        Args:
            projections: the tables of each projection, by the name under which its progress is kept.
        """
        self.tables = tuple(table for tables in projections.values() for table in tables)
        needed = {table.physical_name for table in self.tables} | {TRACKING}
        if needed <= self.table_names():
            return
        with self.write() as writer:
            present = writer.table_names()
            if TRACKING not in present:
                writer.create_tracking()
            for name, tables in projections.items():
                if {table.physical_name for table in tables} <= present:
                    continue
                writer.run("DELETE FROM tracking WHERE application_name=?", [name])
                for table in tables:
                    writer.run(f"DROP TABLE IF EXISTS {table.physical_name}")
                    writer.create(table, table.physical_name)
                    writer.create_indexes(table)

    def positions(self) -> dict[str, int]:
        """How far each projection has come."""
        return _positions(self.fetch(_POSITIONS))

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
        """Read rows as they are, or as they were.

        Args:
            table: which table.
            position: the position to read as of; None for now.
            where: columns, and what they must equal.
            after: only rows that began after this position.
            limit: at most so many rows.
            between: a column of numbers, and the least and the greatest that it may be.
            order: the columns that the rows are sorted by before the key.

        Returns:
            The rows, by those columns and by key.
        """
        conditions, parameters = _as_of(position)
        for column, value in (where or {}).items():
            conditions.append(f"{column}=?")
            parameters.append(value)
        if after:
            conditions.append("since>?")
            parameters.append(after)
        if between is not None:
            column, least, greatest = between
            conditions.append(f"{column}>=? AND {column}<=?")
            parameters += [least, greatest]
        statement = (
            f"SELECT {table.selected} FROM {table.physical_name} "
            f"WHERE {' AND '.join(conditions)} ORDER BY {', '.join([*order, *table.key])}"
        )
        if limit is not None:
            statement += " LIMIT ?"
            parameters.append(limit)
        return self.fetch(statement, parameters)

    def scan(self, table: TemporalTable, position: int) -> Iterator[Row]:
        """Read a table's whole history as it was at a position, in pages, by key and time.

        Yields:
            Rows with their ``until`` at the end, as they stood then.
        """
        keys = [*table.key, "since"]
        columns = [*table.key, *table.columns, "since"]
        after: list[Value] = []
        while True:
            behind = f"AND ({', '.join(keys)}) > ({', '.join('?' * len(keys))}) " if after else ""
            rows = self.fetch(
                f"SELECT {', '.join(columns)}, CASE WHEN until>? THEN {FOREVER} ELSE until END "
                f"FROM {table.physical_name} WHERE since<=? {behind}ORDER BY {', '.join(keys)} LIMIT {_PAGE_SIZE}",
                [position, position, *after],
            )
            yield from rows
            if len(rows) < _PAGE_SIZE:
                return
            last = dict(zip([*columns, "until"], rows[-1], strict=True))
            after = [last[name] for name in keys]

    def get(self, table: TemporalTable, position: int | None, key: tuple[Value, ...]) -> Row | None:
        """Read one row as it is, or as it was."""
        as_of = FOREVER if position is None else position
        keys = " AND ".join(f"{column}=?" for column in table.key)
        rows = self.fetch(
            f"SELECT {table.selected}, until FROM {table.physical_name} "
            f"WHERE {keys} AND since<=? ORDER BY since DESC LIMIT 1",
            [*key, as_of],
        )
        if not rows:
            return None
        *row, until = rows[0]
        ended = until != FOREVER if position is None else until <= position
        return None if ended else tuple(row)

    def last_position(self, table: TemporalTable) -> int:
        """The last position at which a row of a table began; 0 if there is none."""
        ((last,),) = self.fetch(f"SELECT coalesce(max(since), 0) FROM {table.physical_name}", [])
        return last if isinstance(last, int) else FOREVER

    def count(self, table: TemporalTable, position: int | None, where: Mapping[str, Value] | None = None) -> int:
        """How many rows there are, or were, of which these columns equal these values."""
        conditions, parameters = _as_of(position)
        for column, value in (where or {}).items():
            conditions.append(f"{column}=?")
            parameters.append(value)
        statement = f"SELECT COUNT(*) FROM {table.physical_name} WHERE {' AND '.join(conditions)}"
        return int(self.fetch(statement, parameters)[0][0])

    def last_until(self, table: TemporalTable, column: str, at_most: Value) -> int | None:
        """Where the latest row whose column is at most this ended; None if no row ever was.

        Returns:
            A position, or ``FOREVER`` if that row has not ended.
        """
        rows = self.fetch(
            f"SELECT until FROM {table.physical_name} WHERE {column}<=? ORDER BY {column} DESC, since DESC LIMIT 1",
            [at_most],
        )
        return int(rows[0][0]) if rows else None


def _as_of(position: int | None) -> tuple[list[str], list[Value]]:
    if position is None:
        return [f"until={FOREVER}"], []
    return ["since<=?", "until>?"], [position, position]


def _positions(rows: Iterable[Row]) -> dict[str, int]:
    """How far projections have come; what somebody made no number counts as nowhere."""
    return {name: position if isinstance(position, int) else 0 for name, position in rows}
