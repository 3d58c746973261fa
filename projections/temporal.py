"""Tables that remember: every row says at which position it began, and at which it ended.

A projection sets and unsets facts; the table keeps their history. So time travel is a condition on rows: as of
position p are those with ``since <= p < until``.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, cast

from eventsourcing.persistence import Tracking
from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore, SQLiteTrackingRecorder

FOREVER: Final = 2**63 - 1
"""The ``until`` of a row that has not ended."""

Value: TypeAlias = str | int | None
Row: TypeAlias = tuple[Any, ...]
"""A row as read: the key's columns, the other columns, ``since``."""

_REBUILD: Final = "__rebuild_"

_SQL_TYPES = {str: "TEXT", int: "INTEGER"}


@dataclass(frozen=True, eq=False)
class TemporalTable:
    """The shape of a table that keeps the history of its rows.

    Attributes:
        name: the table's name, without its version.
        version: raise it when the same events come to different rows; the table is then built anew, beside the old.
        key: the columns that say which fact a row is about, and their types.
        columns: the columns that say what the fact is, and their types.
        lookup: columns by which rows are searched, other than the key's first.
        is_log: every key is set once and never changed or unset.
    """

    name: str
    version: int
    key: Mapping[str, type[str] | type[int]]
    columns: Mapping[str, type[str] | type[int]]
    lookup: tuple[str, ...] = ()
    is_log: bool = False

    @property
    def physical_name(self) -> str:
        """The table's name in the database."""
        return f"projection_{self.name}_v{self.version}"

    def order(self, row: Row) -> Row:
        """What rows are sorted by: the key, and the position they began at."""
        return (*row[: len(self.key)], self.row_position(row))

    def row_position(self, row: Row) -> int:
        """The position at which a row began."""
        return int(row[len(self.key) + len(self.columns)])

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


class Datastore(Protocol):
    """What a store needs of a database connection, beyond what the library's datastore offers."""

    def transaction(self, *, commit: bool, durable: bool = True) -> AbstractContextManager[SQLiteCursor]:
        """Run statements in one transaction; see ``muniment.journal.sqlite``."""


@dataclass(slots=True)
class _Batch:
    """The changes of one table in one run of events, folded before anything is written."""

    table: TemporalTable
    opened: dict[tuple[Value, ...], tuple[tuple[Value, ...], int]] = field(default_factory=dict)
    finished: list[tuple[Value, ...]] = field(default_factory=list)
    closed: list[tuple[Value, ...]] = field(default_factory=list)
    gone: set[tuple[Value, ...]] = field(default_factory=set)

    def take(self, position: int, change: Change) -> None:
        key = change.key
        current = self.opened.get(key)
        if current is not None:
            value, since = self.opened.pop(key)
            if since < position:
                self.finished.append((*key, *value, since, position))
        elif not self.table.is_log and key not in self.gone:
            self.closed.append((position, *key, *key))
        if isinstance(change, Set):
            self.opened[key] = (change.value, position)
            self.gone.discard(key)
        else:
            self.gone.add(key)

    def rows(self) -> list[tuple[Value, ...]]:
        opened = [(*key, *value, since, FOREVER) for key, (value, since) in self.opened.items()]
        return self.finished + opened


class TemporalStore(SQLiteTrackingRecorder):
    """Temporal tables in SQLite, and how far each projection has come, changed in one transaction."""

    def __init__(self, datastore: SQLiteDatastore) -> None:
        super().__init__(datastore)
        self.tables: tuple[TemporalTable, ...] = ()

    def create_missing(self, projections: Mapping[str, tuple[TemporalTable, ...]]) -> None:
        """Make the tables that are not there. A projection that lost one starts again from the first event.

        Args:
            projections: the tables of each projection, by the name under which its progress is kept.
        """
        self.tables = tuple(table for tables in projections.values() for table in tables)
        needed = {table.physical_name for table in self.tables} | {"tracking"}
        with self.datastore.transaction(commit=False) as cursor:
            if needed <= self._table_names(cursor):
                return
        with self.write() as cursor:
            present = self._table_names(cursor)
            if "tracking" not in present:
                self._create_table(cursor)
            for name, tables in projections.items():
                if {table.physical_name for table in tables} <= present:
                    continue
                cursor.execute("DELETE FROM tracking WHERE application_name=?", [name])
                for table in tables:
                    cursor.execute(f"DROP TABLE IF EXISTS {table.physical_name}")
                    self._create(cursor, table, table.physical_name)
                    self._create_indexes(cursor, table)

    def write(self) -> AbstractContextManager[SQLiteCursor]:
        """A transaction that changes tables. What it writes can be made again, so it does not wait for the disk."""
        return cast(Datastore, self.datastore).transaction(commit=True, durable=False)

    def position(self, projection: str, cursor: SQLiteCursor | None = None) -> int:
        """How far a projection has come; 0 at the start."""
        if cursor is not None:
            return self._max_tracking_id(projection, cursor) or 0
        return self.max_tracking_id(projection) or 0

    def apply(self, cursor: SQLiteCursor, changes: Iterable[tuple[int, Change]], *, suffix: str = "") -> None:
        """Write changes, each with the position of its event, in the order of the events."""
        batches: dict[TemporalTable, _Batch] = {}
        for position, change in changes:
            batch = batches.get(change.table)
            if batch is None:
                batch = batches[change.table] = _Batch(change.table)
            batch.take(position, change)
        for table, batch in batches.items():
            self._write(cursor, batch, table.physical_name + suffix)

    def track(self, cursor: SQLiteCursor, projection: str, position: int) -> None:
        """Record how far a projection has come, in the same transaction as what it changed."""
        self._insert_tracking(cursor, Tracking(projection, position))

    def select(
        self,
        table: TemporalTable,
        position: int | None,
        where: Mapping[str, Value] | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
    ) -> Sequence[Row]:
        """Read rows as they are, or as they were.

        Args:
            table: which table.
            position: the position to read as of; None for now.
            where: columns, and what they must equal.
            after: only rows that began after this position.
            limit: at most so many rows.

        Returns:
            The rows, by key.
        """
        conditions, parameters = _as_of(position)
        for column, value in (where or {}).items():
            conditions.append(f"{column}=?")
            parameters.append(value)
        if after:
            conditions.append("since>?")
            parameters.append(after)
        statement = (
            f"SELECT {table.selected} FROM {table.physical_name} "
            f"WHERE {' AND '.join(conditions)} ORDER BY {', '.join(table.key)} LIMIT ?"
        )
        return self._fetch(statement, [*parameters, -1 if limit is None else limit])

    def current(self, cursor: SQLiteCursor, table: TemporalTable, key: tuple[Value, ...], suffix: str) -> Row | None:
        """Read one row as it is, inside a transaction."""
        keys = " AND ".join(f"{column}=?" for column in table.key)
        cursor.execute(
            f"SELECT {table.selected} FROM {table.physical_name}{suffix} WHERE {keys} AND until=?", [*key, FOREVER]
        )
        row = cursor.fetchone()
        return None if row is None else tuple(row)

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
            rows = self._fetch(
                f"SELECT {', '.join(columns)}, CASE WHEN until>? THEN {FOREVER} ELSE until END "
                f"FROM {table.physical_name} WHERE since<=? {behind}ORDER BY {', '.join(keys)} LIMIT 1000",
                [position, position, *after],
            )
            yield from rows
            if len(rows) < 1_000:
                return
            last = dict(zip([*columns, "until"], rows[-1], strict=True))
            after = [last[name] for name in keys]

    def get(self, table: TemporalTable, position: int | None, key: tuple[Value, ...]) -> Row | None:
        """Read one row as it is, or as it was."""
        as_of = FOREVER if position is None else position
        keys = " AND ".join(f"{column}=?" for column in table.key)
        rows = self._fetch(
            f"SELECT {table.selected}, until FROM {table.physical_name} "
            f"WHERE {keys} AND since<=? ORDER BY since DESC LIMIT 1",
            [*key, as_of],
        )
        if not rows:
            return None
        *row, until = rows[0]
        ended = until != FOREVER if position is None else until <= position
        return None if ended else tuple(row)

    def count(self, table: TemporalTable, position: int | None) -> int:
        """How many rows there are, or were."""
        conditions, parameters = _as_of(position)
        statement = f"SELECT COUNT(*) FROM {table.physical_name} WHERE {' AND '.join(conditions)}"
        return int(self._fetch(statement, parameters)[0][0])

    def last_until(self, table: TemporalTable, column: str, at_most: Value) -> int | None:
        """Where the latest row whose column is at most this ended; None if no row ever was.

        Returns:
            A position, or ``FOREVER`` if that row has not ended.
        """
        rows = self._fetch(
            f"SELECT until FROM {table.physical_name} WHERE {column}<=? ORDER BY {column} DESC, since DESC LIMIT 1",
            [at_most],
        )
        return int(rows[0][0]) if rows else None

    def begin_rebuild(self) -> str:
        """Make empty tables beside the live ones; what an interrupted rebuild left is dropped.

        Returns:
            The suffix of their names, which no other rebuild uses.
        """
        suffix = f"{_REBUILD}{os.getpid()}_{secrets.token_hex(4)}"
        with self.write() as cursor:
            for name in self._table_names(cursor):
                _, is_rebuild, owner = name.partition(_REBUILD)
                if is_rebuild and not _is_alive(int(owner.partition("_")[0])):
                    cursor.execute(f"DROP TABLE {name}")
            for table in self.tables:
                self._create(cursor, table, table.physical_name + suffix)
        return suffix

    def drop_rebuild(self, suffix: str) -> None:
        """Give a rebuild up."""
        with self.write() as cursor:
            for table in self.tables:
                cursor.execute(f"DROP TABLE IF EXISTS {table.physical_name}{suffix}")

    def finish_rebuild(self, cursor: SQLiteCursor, suffix: str) -> dict[str, list[tuple[str, Row]]]:
        """Compare the rebuilt tables with the live ones, and put them in their place.

        Returns:
            The rows that differ, by table: ``missing`` ones stood in the live table only, ``added`` ones in the
            rebuilt one only.
        """
        differences: dict[str, list[tuple[str, Row]]] = {}
        for table in self.tables:
            live, rebuilt = table.physical_name, table.physical_name + suffix
            if not self._are_equal(cursor, table, live, rebuilt):
                differences[table.name] = self._difference(cursor, table, live, rebuilt)
            cursor.execute(f"DROP TABLE {live}")
            cursor.execute(f"ALTER TABLE {rebuilt} RENAME TO {live}")
            self._create_indexes(cursor, table)
        self._drop_superseded(cursor)
        return differences

    def _write(self, cursor: SQLiteCursor, batch: _Batch, name: str) -> None:
        table = batch.table
        if batch.closed:
            keys = " AND ".join(f"{column}=?" for column in table.key)
            cursor.executemany(
                f"UPDATE {name} SET until=? WHERE {keys} AND until={FOREVER} "
                f"AND since=(SELECT MAX(since) FROM {name} WHERE {keys})",
                batch.closed,
            )
        rows = batch.rows()
        if rows:
            marks = ",".join("?" * len(rows[0]))
            cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)

    def _create(self, cursor: SQLiteCursor, table: TemporalTable, name: str) -> None:
        columns = {**table.key, **table.columns, "since": int, "until": int}
        definitions = ", ".join(f"{column} {_SQL_TYPES[kind]}" for column, kind in columns.items())
        keys = ", ".join([*table.key, "since"])
        cursor.execute(f"CREATE TABLE {name} ({definitions}, PRIMARY KEY ({keys})) WITHOUT ROWID")

    def _create_indexes(self, cursor: SQLiteCursor, table: TemporalTable) -> None:
        name = table.physical_name
        for column in table.lookup:
            cursor.execute(f"CREATE INDEX {name}_by_{column} ON {name} ({column}, since)")
        if not table.is_log:
            keys = ", ".join(table.key)
            cursor.execute(f"CREATE INDEX {name}_now ON {name} ({keys}) WHERE until={FOREVER}")

    def _are_equal(self, cursor: SQLiteCursor, table: TemporalTable, live: str, rebuilt: str) -> bool:
        """Whether two tables hold the same rows: read side by side, which is faster than any set operation."""
        order = ", ".join([*table.key, "since"])
        readers = []
        for name in (live, rebuilt):
            reader = cast(sqlite3.Cursor, cursor).connection.cursor()
            reader.row_factory = None
            readers.append(reader.execute(f"SELECT {table.selected}, until FROM {name} ORDER BY {order}"))
        while True:
            pages = [reader.fetchmany(1_000) for reader in readers]
            if pages[0] != pages[1]:
                return False
            if not pages[0]:
                return True

    def _difference(self, cursor: SQLiteCursor, table: TemporalTable, live: str, rebuilt: str) -> list[tuple[str, Row]]:
        columns = f"{table.selected}, until"
        rows: list[tuple[str, Row]] = []
        for what, left, right in (("missing", live, rebuilt), ("added", rebuilt, live)):
            cursor.execute(f"SELECT {columns} FROM {left} EXCEPT SELECT {columns} FROM {right}")
            rows += [(what, tuple(row)) for row in cursor.fetchall()]
        return rows

    def _drop_superseded(self, cursor: SQLiteCursor) -> None:
        current = {table.physical_name for table in self.tables}
        for name in self._table_names(cursor):
            if name.startswith("projection_") and name not in current and _REBUILD not in name:
                cursor.execute(f"DROP TABLE {name}")

    def _table_names(self, cursor: SQLiteCursor) -> set[str]:
        cursor.execute("SELECT name FROM sqlite_master WHERE type='table'")
        return {row[0] for row in cursor.fetchall()}

    def _fetch(self, statement: str, parameters: list[Value]) -> list[Row]:
        with self.datastore.transaction(commit=False) as cursor:
            plain = cast(sqlite3.Cursor, cursor)
            plain.row_factory = None
            return plain.execute(statement, parameters).fetchall()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _as_of(position: int | None) -> tuple[list[str], list[Value]]:
    if position is None:
        return [f"until={FOREVER}"], []
    return ["since<=?", "until>?"], [position, position]
