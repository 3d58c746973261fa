"""Records events in an SQLite table, append-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, cast
from uuid import UUID

from eventsourcing import sqlite as library
from eventsourcing.persistence import ApplicationRecorder, ProcessRecorder, StoredEvent
from eventsourcing.utils import Environment, EnvType

from ...domain import NotForApplications
from ...domain.condition import Condition
from ..storage.commits import Commits, poll
from ..storage.group_commit import Together
from ..storage.recording import MAX_PAGE_BYTES, MAX_STATE_BYTES, Outcome, PositionedRecorder
from .datastore import SQLiteDatastore

APPLICATION_ID: Final = 0x4D756E69
"""What marks an SQLite file as a journal, kept in SQLite's ``application_id``: the letters ``Muni``."""

_MAX_ROWS: Final = 64
"""How many rows one statement inserts at most; the connection keeps that many statements prepared."""

_FETCHED: Final = 32
"""After how many rows it is looked how large they are."""

_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")


class Altered(sqlite3.OperationalError):
    """What was inserted does not stand there as it was inserted."""


class SQLiteApplicationRecorder(PositionedRecorder, library.SQLiteApplicationRecorder):
    """Records events in one table, each at its own position, and never changes one."""

    # A blob that is too large is not even read; SQLite knows its length without it. Text is bounded by the connection.
    _columns = (
        "position, originator_id, originator_version, topic, "
        f"CASE WHEN typeof(state)='text' OR length(state)<={MAX_STATE_BYTES} THEN state END"
    )
    _position = "position"
    _octets = "LENGTH(CAST({} AS BLOB))"
    is_certain = True
    datastore: library.SQLiteDatastore

    def __init__(self, datastore: library.SQLiteDatastore, events_table_name: str = "stored_events") -> None:
        super().__init__(datastore, events_table_name)
        self._table = events_table_name
        self._inserts: dict[int, str] = {}
        self._select_rows = (
            f"SELECT {self._columns} FROM {events_table_name} WHERE position>? ORDER BY position LIMIT ?"
        )
        self.select_max_notification_id_statement = f"SELECT MAX(position) FROM {events_table_name}"
        is_shared = isinstance(datastore, SQLiteDatastore) and datastore.is_shared
        self.commits = Commits(poll(cast(SQLiteDatastore, datastore).data_version) if is_shared else None)
        # In memory there is one connection for all.
        self.reads_while_it_writes = is_shared

    def construct_create_table_statements(self) -> list[str]:
        """The table, and the triggers that keep it append-only."""
        table = self.events_table_name
        # Not calling the base class's method: its table keeps positions in the implicit rowid, which may be reused.
        return [
            f"CREATE TABLE IF NOT EXISTS {table} ("
            "position INTEGER PRIMARY KEY AUTOINCREMENT, "
            "originator_id TEXT NOT NULL, "
            "originator_version INTEGER NOT NULL, "
            "topic TEXT NOT NULL, "
            "state BLOB NOT NULL, "
            "UNIQUE (originator_id, originator_version))",
            *(
                f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {operation} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                for name, operation in zip(self.trigger_names, ("UPDATE", "DELETE"), strict=True)
            ),
        ]

    @property
    def trigger_names(self) -> tuple[str, str]:
        """The names of the triggers that refuse changes."""
        return f"{self.events_table_name}_refuse_update", f"{self.events_table_name}_refuse_delete"

    @property
    def _is_extended(self) -> bool:
        return type(self)._insert_events is not SQLiteApplicationRecorder._insert_events

    def insert_now(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        conditions: Sequence[Condition] = (),
        decide: Callable[[], Sequence[StoredEvent]] | None = None,
        outcome: Outcome | None = None,
        **kwargs: Any,
    ) -> Sequence[int] | None:
        """Append events in a transaction of their own; see ``insert_events``."""
        writing = self.datastore.transaction(commit=True)
        over = getattr(writing, "over", None) or SimpleQueue()
        positions = None
        try:
            with writing as c:
                if conditions:
                    self.require(partial(_value, c), conditions)
                if decide is not None:
                    stored_events = decide()
                if self.before_append is not None:
                    self.before_append(c)
                positions = self._insert_events(c, stored_events, **kwargs)
        except BaseException:
            if getattr(writing, "is_committed", False):
                # Interrupted when it was recorded.
                if outcome is not None:
                    outcome.positions = positions
                self.commits.announce()
            raise
        finally:
            # An interrupt can keep the end of the block from being run, and nothing but this.
            over.put(None)
        self.commits.announce()
        return positions

    def _insert_events(
        self, c: library.SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any
    ) -> Sequence[int] | None:
        cursor = cast(sqlite3.Cursor, c)
        count = len(stored_events)
        stored, changes = 0, cursor.connection.total_changes
        for start in range(0, count, _MAX_ROWS):
            values: list[Any] = []
            for each in stored_events[start : start + _MAX_ROWS]:
                values += (_text(each.originator_id), each.originator_version, each.topic, each.state)
            # A statement with many rows is one step, during which other threads run; one for each row is as many.
            cursor.execute(self._insert_rows(len(values) // 4), values)
            stored += cursor.rowcount
        # Nobody else writes meanwhile, so a transaction's positions follow each other.
        last = cast(int, cursor.lastrowid) if count else 0
        positions = list(range(last - count + 1, last + 1))
        if stored != count or cursor.connection.total_changes - changes != count:
            # A trigger was at work. Whether it left these as they are, only they can tell.
            self._require_stored(cursor, stored_events, positions)
        return positions

    def _require_stored(
        self, cursor: sqlite3.Cursor, stored_events: Sequence[StoredEvent], positions: Sequence[int]
    ) -> None:
        statement = (
            f"SELECT position, originator_id, originator_version, topic, state FROM {self._table} "
            "ORDER BY position DESC LIMIT ?"
        )
        cursor.row_factory = None
        found = cursor.execute(statement, [len(positions)]).fetchall()[::-1]
        expected = [
            (position, _text(each.originator_id), each.originator_version, each.topic, each.state)
            for position, each in zip(positions, stored_events, strict=True)
        ]
        if found != expected:
            raise Altered("a trigger drops or changes what is inserted")

    def _insert_rows(self, count: int) -> str:
        statement = self._inserts.get(count)
        if statement is None:
            marks = ",".join(["(?,?,?,?)"] * count)
            columns = "originator_id, originator_version, topic, state"
            statement = self._inserts[count] = f"INSERT INTO {self._table} ({columns}) VALUES {marks}"
        return statement

    def is_empty(self, c: library.SQLiteCursor) -> bool:
        """Whether nothing was ever recorded, asked inside a transaction."""
        return self._max_notification_id(c) is None

    def append(self, c: library.SQLiteCursor, stored_events: Sequence[StoredEvent]) -> Sequence[int] | None:
        """Append events inside a transaction."""
        return self._insert_events(c, stored_events)

    def select_rows(self, after: int, limit: int) -> list[Any]:
        """Events of all originators behind a position, as plain rows: the fastest way to read many."""
        rows: list[Any] = []
        size = 0
        with self.datastore.transaction(commit=False) as c:
            plain = cast(sqlite3.Cursor, c)
            plain.row_factory = None
            plain.execute(self._select_rows, (after, limit))
            while size < MAX_PAGE_BYTES and (some := plain.fetchmany(_FETCHED)):
                rows += some
                # Somebody may have put a number there, or nothing.
                size += sum(len(row[4]) for row in some if isinstance(row[4], bytes | str))
        return rows

    def fetch(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        """Read rows."""
        with self.datastore.transaction(commit=False) as c:
            plain = cast(sqlite3.Cursor, c)
            plain.row_factory = None
            return plain.execute(statement, parameters).fetchall()

    def _to_column(self, originator_id: UUID | str) -> str:
        return _text(originator_id)

    def _from_column(self, originator_id: Any) -> UUID | str:
        return self.convert_originator_id(originator_id)


class SQLiteProcessRecorder(library.SQLiteProcessRecorder, SQLiteApplicationRecorder):
    """Records events together with how far another application's events were processed."""


class SQLiteFactory(library.SQLiteFactory):
    """Builds the recorders of this module from the library's environment variables.

    Threads that append at the same time share a transaction.

    Args:
        env: the library's settings.
        datastore: the database to use, instead of one that the settings name.

    Raises:
        OSError: a setting makes no sense.
        NotForApplications: the database is a journal, or that of the library's own module.
    """

    SQLITE_SYNCHRONOUS = "SQLITE_SYNCHRONOUS"

    aggregate_recorder_class = library.SQLiteAggregateRecorder
    application_recorder_class = SQLiteApplicationRecorder
    tracking_recorder_class = library.SQLiteTrackingRecorder
    process_recorder_class = SQLiteProcessRecorder

    datastore: SQLiteDatastore

    def __init__(self, env: Environment | EnvType | None, datastore: SQLiteDatastore | None = None) -> None:
        super().__init__(env)
        self._is_given = datastore is not None
        self.datastore = self._made(self.datastore) if datastore is None else datastore

    def application_recorder(self) -> ApplicationRecorder:
        """A recorder of events."""
        if not self._is_given:
            require_for_applications(self.datastore)
        recorder = super().application_recorder()
        if not self._is_given and isinstance(recorder, SQLiteApplicationRecorder):
            recorder.together = Together(recorder, self.datastore.db_name).insert_events
        return recorder

    def process_recorder(self) -> ProcessRecorder:
        """A recorder of events, and of how far another application's were processed."""
        if not self._is_given:
            require_for_applications(self.datastore)
        return super().process_recorder()

    def _made(self, checked: library.SQLiteDatastore) -> SQLiteDatastore:
        synchronous = (self.env.get(self.SQLITE_SYNCHRONOUS) or "FULL").upper()
        if synchronous not in _SYNCHRONOUS:
            raise OSError(f"{self.SQLITE_SYNCHRONOUS} must be one of {', '.join(_SYNCHRONOUS)}, not {synchronous!r}")
        return SQLiteDatastore(
            checked.pool.db_name,
            lock_timeout=checked.pool.lock_timeout,
            synchronous=synchronous,
            single_row_tracking=checked.single_row_tracking,
            originator_id_type=checked.originator_id_type,
        )


def require_for_applications(datastore: SQLiteDatastore, table: str = "stored_events") -> None:
    """Refuse a database whose events are not those of an application of this module.

    Raises:
        NotForApplications
    """
    with datastore.transaction(commit=False) as c:
        cursor = cast(sqlite3.Cursor, c)
        cursor.row_factory = None
        (application_id,) = cursor.execute("PRAGMA application_id").fetchone()
        columns = [row[1] for row in cursor.execute(f"PRAGMA table_info({table})")]
    if application_id == APPLICATION_ID:
        raise NotForApplications(datastore.db_name, "it is a journal")
    if columns and "position" not in columns:
        raise NotForApplications(datastore.db_name, f"its table {table} was made by another persistence module")


def _value(c: library.SQLiteCursor, statement: str, parameters: Sequence[Any]) -> Any:
    return cast(sqlite3.Cursor, c).execute(statement, parameters).fetchone()[0]


def _text(originator_id: UUID | str) -> str:
    return originator_id.hex if isinstance(originator_id, UUID) else originator_id
