"""Temporal tables in SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final, Protocol, cast

from eventsourcing.persistence import DataError

from ...projections.store import TemporalStore
from ...projections.table_writing import REBUILD, Differences, Rebuild, TableWriter
from ...projections.temporal import FOREVER, Row, TemporalTable, Value

_TYPES: Final = {str: "TEXT", int: "INTEGER"}
_TABLE_NAMES: Final = "SELECT name FROM sqlite_master WHERE type='table'"


class Datastore(Protocol):
    """What the store needs of an SQLite database."""

    def transaction(self, *, commit: bool, durable: bool = True) -> AbstractContextManager[Any]:
        """Run statements in one transaction, on a cursor; see ``muniment.journal.sqlite.datastore``."""


class SQLiteTemporalStore(TemporalStore):
    """Temporal tables in an SQLite database.

    Args:
        datastore: the database.
    """

    octets = "LENGTH(CAST({} AS BLOB))"

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore

    @contextmanager
    def write(self) -> Iterator[TableWriter]:
        with self.datastore.transaction(commit=True, durable=False) as cursor:
            yield SQLiteTableWriter(cursor)

    @contextmanager
    def rebuild(self) -> Iterator[Rebuild]:
        rebuild = _Rebuild(self)
        try:
            yield rebuild
        finally:
            if not rebuild.is_finished:
                rebuild.drop()

    def table_names(self) -> set[str]:
        return {name for (name,) in self.fetch(_TABLE_NAMES)}

    def fetch(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        with self.datastore.transaction(commit=False) as cursor:
            return rows_of(cursor, statement, parameters)


class SQLiteTableWriter(TableWriter):
    """A transaction that changes tables, on a cursor of its own."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def run(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return rows_of(self._cursor, statement, parameters)

    def table_names(self) -> set[str]:
        return {name for (name,) in self.run(_TABLE_NAMES)}

    def close_rows(self, table: TemporalTable, name: str, closed: Sequence[tuple[int, tuple[Value, ...]]]) -> None:
        if not closed:
            return
        keys = " AND ".join(f"{column}=?" for column in table.key)
        # The last row of a key is found by the primary key alone, which is faster than by the index of open rows.
        self._cursor.executemany(
            f"UPDATE {name} SET until=? WHERE {keys} AND until={FOREVER} "
            f"AND since=(SELECT MAX(since) FROM {name} WHERE {keys})",
            [(position, *key, *key) for position, key in closed],
        )

    def insert_rows(self, table: TemporalTable, name: str, rows: Sequence[Row]) -> None:
        if rows:
            marks = ",".join("?" * len(rows[0]))
            try:
                self._cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
            except OverflowError as error:
                # Elsewhere, this is what it is called.
                raise DataError(str(error)) from error

    def create(self, table: TemporalTable, name: str) -> None:
        columns = {**table.key, **table.columns, "since": int, "until": int}
        definitions = ", ".join(f"{column} {_TYPES[kind]}" for column, kind in columns.items())
        keys = ", ".join([*table.key, "since"])
        self._cursor.execute(f"CREATE TABLE {name} ({definitions}, PRIMARY KEY ({keys})) WITHOUT ROWID")

    def create_tracking(self) -> None:
        self._cursor.execute(
            "CREATE TABLE tracking (application_name TEXT PRIMARY KEY, notification_id INTEGER) WITHOUT ROWID"
        )

    def are_equal(self, table: TemporalTable, live: str, rebuilt: str) -> bool:
        """Read both side by side, which is faster than any set operation."""
        order = ", ".join([*table.key, "since"])
        readers = []
        for name in (live, rebuilt):
            reader = self._cursor.connection.cursor()
            reader.row_factory = None
            readers.append(reader.execute(f"SELECT {table.selected}, until FROM {name} ORDER BY {order}"))
        while True:
            pages = [reader.fetchmany(1_000) for reader in readers]
            if pages[0] != pages[1]:
                return False
            if not pages[0]:
                return True


class _Rebuild(Rebuild):
    """Tables under names of their own, written in many transactions so that appending never waits for long."""

    def __init__(self, store: SQLiteTemporalStore) -> None:
        super().__init__(store.tables)
        self._store = store
        self.is_finished = False
        with store.write() as writer:
            for name in writer.table_names():
                _, is_rebuild, owner = name.partition(REBUILD)
                if is_rebuild and not _is_alive(int(owner.partition("_")[0])):
                    # Its process died before it could drop it.
                    writer.run(f"DROP TABLE {name}")
            for table in store.tables:
                writer.create(table, table.physical_name + self._suffix)

    def finish(self, positions: Mapping[str, int], *, compare: bool, is_end: bool) -> Differences | None:
        with self._store.write() as writer:
            differences = self._swap(writer, positions, compare=compare, is_end=is_end)
        self.is_finished = differences is not None
        return differences

    def drop(self) -> None:
        with self._store.write() as writer:
            for table in self._foldings:
                writer.run(f"DROP TABLE IF EXISTS {table.physical_name}{self._suffix}")

    def _write(self) -> AbstractContextManager[TableWriter]:
        return self._store.write()


def rows_of(cursor: Any, statement: str, parameters: Sequence[Value]) -> list[Row]:
    """Run a statement on a cursor; return the rows that it finds."""
    plain = cast(sqlite3.Cursor, cursor)
    plain.row_factory = None
    return plain.execute(statement, parameters).fetchall()


def _is_alive(process: int) -> bool:
    try:
        with suppress(PermissionError):
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
