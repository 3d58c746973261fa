"""Temporal tables in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol

from psycopg.rows import tuple_row

from ...projections.store import TemporalStore
from ...projections.table_writing import Differences, Rebuild, TableWriter
from ...projections.temporal import FOREVER, Row, TemporalTable, Value

# Text is compared byte by byte, as everywhere else, so that every engine has the same order.
_TYPES: Final = {str: 'text COLLATE "C"', int: "bigint"}
_ARRAYS: Final = {str: "text[]", int: "bigint[]"}
_TABLE_NAMES: Final = "SELECT tablename::text FROM pg_tables WHERE schemaname=current_schema()"


class Datastore(Protocol):
    """What the store needs of a PostgreSQL database."""

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Read rows outside of any transaction; see ``muniment.journal.postgres.datastore``."""

    def transaction(self, *, commit: bool, durable: bool = True) -> AbstractContextManager[Any]:
        """Run statements in one transaction, on a cursor."""

    def allow_long(self, cursor: Any) -> None:
        """Let the transaction at hand do nothing as long as it likes, and its statements take long."""

    def lock(self, purpose: str) -> tuple[str, int]:
        """The statement that takes a lock of this journal until the transaction ends, and its parameter."""


class PostgresTemporalStore(TemporalStore):
    """Temporal tables in a PostgreSQL database.

    Args:
        datastore: the database; the tables are in the first schema of its search path.
    """

    octets = "OCTET_LENGTH(CAST({} AS TEXT))"

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore

    @contextmanager
    def write(self) -> Iterator[TableWriter]:
        with self.datastore.transaction(commit=True, durable=False) as cursor:
            writer = _Writer(cursor)
            writer.lock(self.datastore)
            yield writer

    @contextmanager
    def rebuild(self) -> Iterator[Rebuild]:
        with self.datastore.transaction(commit=True, durable=False) as cursor:
            # It holds nobody up before it is finished, and may wait long for what it folds.
            self.datastore.allow_long(cursor)
            yield _Rebuild(self, _Writer(cursor))

    def table_names(self) -> set[str]:
        return {name for (name,) in self.fetch(_TABLE_NAMES)}

    def fetch(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return self.datastore.fetch(statement.replace("?", "%s"), parameters)


class _Writer(TableWriter):
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        cursor.row_factory = tuple_row

    def lock(self, datastore: Datastore) -> None:
        """Wait until nobody else changes tables."""
        statement, key = datastore.lock("tables")
        self._cursor.execute(statement, [key])

    def run(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        self._cursor.execute(statement.replace("?", "%s"), parameters)
        return [] if self._cursor.description is None else self._cursor.fetchall()

    def table_names(self) -> set[str]:
        return {name for (name,) in self.run(_TABLE_NAMES)}

    def close_rows(self, table: TemporalTable, name: str, closed: Sequence[tuple[int, tuple[Value, ...]]]) -> None:
        if not closed:
            return
        arrays = ", ".join(f"%s::{_ARRAYS[kind]}" for kind in (int, *table.key.values()))
        keys = " AND ".join(f"{name}.{column}=closed.{column}" for column in table.key)
        self._cursor.execute(
            f"UPDATE {name} SET until=closed.ended FROM unnest({arrays}) AS closed (ended, {', '.join(table.key)}) "
            f"WHERE {keys} AND {name}.until={FOREVER}",
            _columns([(position, *key) for position, key in closed]),
        )

    def insert_rows(self, table: TemporalTable, name: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        kinds = (*table.key.values(), *table.columns.values(), int, int)
        arrays = ", ".join(f"%s::{_ARRAYS[kind]}" for kind in kinds)
        self._cursor.execute(f"INSERT INTO {name} SELECT * FROM unnest({arrays})", _columns(rows))

    def create(self, table: TemporalTable, name: str) -> None:
        columns = {**table.key, **table.columns, "since": int, "until": int}
        definitions = ", ".join(f"{column} {_TYPES[kind]}" for column, kind in columns.items())
        keys = ", ".join([*table.key, "since"])
        self._cursor.execute(f"CREATE TABLE {name} ({definitions}, PRIMARY KEY ({keys}))")

    def create_tracking(self) -> None:
        self._cursor.execute(
            'CREATE TABLE tracking (application_name text COLLATE "C" PRIMARY KEY, notification_id bigint)'
        )

    def are_equal(self, table: TemporalTable, live: str, rebuilt: str) -> bool:
        columns = f"{table.selected}, until"
        (differs,) = self.run(
            f"SELECT (SELECT COUNT(*) FROM {live}) <> (SELECT COUNT(*) FROM {rebuilt}) "
            f"OR EXISTS (SELECT {columns} FROM {live} EXCEPT SELECT {columns} FROM {rebuilt})"
        )[0]
        return not differs


class _Rebuild(Rebuild):
    """Tables that exist in one transaction only until it is committed, so that an interrupted rebuild leaves none."""

    def __init__(self, store: PostgresTemporalStore, writer: _Writer) -> None:
        super().__init__(store.tables)
        self._datastore = store.datastore
        self._writer = writer
        for table in store.tables:
            writer.create(table, table.physical_name + self._suffix)

    def finish(self, positions: Mapping[str, int], *, compare: bool, is_end: bool) -> Differences | None:
        # Giving the lock back, for the live tables to be caught up, takes a savepoint from before it was taken.
        self._writer.run("SAVEPOINT before_lock")
        self._writer.lock(self._datastore)
        differences = self._swap(self._writer, positions, compare=compare, is_end=is_end)
        if differences is None:
            self._writer.run("ROLLBACK TO SAVEPOINT before_lock")
        return differences

    def _write(self) -> AbstractContextManager[TableWriter]:
        return nullcontext(self._writer)


def _columns(rows: Sequence[Row]) -> list[list[Any]]:
    """Rows as one array for each column: one statement for any number of them."""
    return [list(column) for column in zip(*rows, strict=True)]
