"""The table ``journal`` in a schema of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from psycopg import Cursor
from psycopg.rows import tuple_row
from psycopg.sql import Identifier

from ..storage.identity_table import FORMAT, TABLE, IdentityTable
from .datastore import PostgresDatastore
from .recorder import TRIGGERS, PostgresApplicationRecorder
from .schema import VERSION_TABLE


class PostgresIdentityTable(IdentityTable):
    """The table ``journal`` in a schema of a PostgreSQL database."""

    def __init__(self, datastore: PostgresDatastore, recorder: PostgresApplicationRecorder, place: str) -> None:
        super().__init__(recorder, place)
        self._datastore = datastore
        self._events = recorder
        self._version_table = Identifier(datastore.schema, VERSION_TABLE).as_string()

    @property
    def _table(self) -> str:
        return Identifier(self._datastore.schema, TABLE).as_string()

    def create(self, cursor: Cursor[Any]) -> None:
        """Make the table in a new journal."""
        super().create(cursor)
        self._run(cursor, f"CREATE TABLE {self._version_table} (schema_version integer NOT NULL)")
        self._run(cursor, f"INSERT INTO {self._version_table} VALUES (?)", [FORMAT])

    def _reading(self) -> AbstractContextManager[Cursor[Any]]:
        return self._datastore.transaction()

    @contextmanager
    def _writing(self) -> Iterator[Cursor[Any]]:
        with self._datastore.transaction(commit=True) as cursor:
            for statement, key in (self._datastore.lock("create"), self._events.append_lock()):
                cursor.execute(statement.encode(), [key])
            yield cursor

    def _run(self, cursor: Cursor[Any], statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        cursor.row_factory = tuple_row
        cursor.execute(statement.replace("?", "%s").encode(), parameters)
        return [] if cursor.description is None else cursor.fetchall()

    def _columns(self, cursor: Cursor[Any]) -> list[str]:
        statement = (
            "SELECT attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid=attrelid "
            "WHERE attrelid=to_regclass(?) AND relkind='r' AND attnum>0 AND NOT attisdropped ORDER BY attnum"
        )
        return [name for (name,) in self._run(cursor, statement, [self._table])]

    def _create(self, cursor: Cursor[Any]) -> None:
        self._run(
            cursor,
            f"CREATE TABLE {self._table} "
            "(number bigint PRIMARY KEY, kind text NOT NULL, value text NOT NULL, position bigint NOT NULL)",
        )
        for name, operation in TRIGGERS.items():
            self._run(
                cursor,
                f"CREATE TRIGGER {name} BEFORE {operation} ON {self._table} "
                f"EXECUTE FUNCTION {self._events.refuse_function}()",
            )

    def _version(self, cursor: Cursor[Any]) -> int:
        return int(self._run(cursor, f"SELECT schema_version FROM {self._version_table}")[0][0])

    def _set_version(self, cursor: Cursor[Any]) -> None:
        # The function that appends, and the triggers, are those of this Muniment from now on.
        for statement in self._events.sql_create_statements:
            cursor.execute(statement)
        self._run(cursor, f"UPDATE {self._version_table} SET schema_version=?", [FORMAT])
