"""The table ``journal`` in an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from ..storage.identity_table import FORMAT, TABLE, IdentityTable
from ..storage.recording import PositionedRecorder
from .datastore import SQLiteDatastore

STATEMENTS: Final = (
    f"CREATE TABLE {TABLE} ("
    "number INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, position INTEGER NOT NULL)",
    *(
        f"CREATE TRIGGER {TABLE}_refuse_{operation} BEFORE {operation.upper()} ON {TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only'); END"
        for operation in ("update", "delete")
    ),
)
"""What makes the table, and the triggers that keep it append-only."""


class SQLiteIdentityTable(IdentityTable):
    """The table ``journal`` in an SQLite file, or in memory."""

    def __init__(self, datastore: SQLiteDatastore, recorder: PositionedRecorder, place: str) -> None:
        super().__init__(recorder, place)
        self._datastore = datastore

    @property
    def _table(self) -> str:
        return TABLE

    def _reading(self) -> AbstractContextManager[Any]:
        return self._datastore.transaction(commit=False)

    def _writing(self) -> AbstractContextManager[Any]:
        return self._datastore.transaction(commit=True)

    def _run(self, cursor: sqlite3.Cursor, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        cursor.row_factory = None
        return cursor.execute(statement, parameters).fetchall()

    def _columns(self, cursor: sqlite3.Cursor) -> list[str]:
        # A view of this name could be endless, and is not looked into.
        is_table = f"SELECT 1 FROM sqlite_master WHERE type='table' AND lower(name)='{TABLE}'"
        statement = f"SELECT name FROM pragma_table_info('{TABLE}') WHERE EXISTS ({is_table})"
        return [name for (name,) in self._run(cursor, statement)]

    def _create(self, cursor: sqlite3.Cursor) -> None:
        for statement in STATEMENTS:
            cursor.execute(statement)

    def _version(self, cursor: sqlite3.Cursor) -> int:
        return int(self._run(cursor, "PRAGMA user_version")[0][0])

    def _set_version(self, cursor: sqlite3.Cursor) -> None:
        cursor.execute(f"PRAGMA user_version={FORMAT}")


def mark_copy(connection: sqlite3.Connection) -> None:
    """Say in a copy of a journal that it is one, so that its first write tells it from the original.

    Args:
        connection: to the copy; its transaction is the caller's. A journal of an older format is left as it is.
    """
    if not connection.execute(f"SELECT COUNT(*) FROM pragma_table_info('{TABLE}')").fetchone()[0]:
        return
    (last,) = connection.execute(f"SELECT kind FROM {TABLE} ORDER BY number DESC LIMIT 1").fetchone() or (None,)
    if last != "copy":
        connection.execute(
            f"INSERT INTO {TABLE} SELECT COALESCE(MAX(number), 0) + 1, 'copy', '', "
            f"(SELECT COALESCE(MAX(position), 0) FROM stored_events) FROM {TABLE}"
        )
