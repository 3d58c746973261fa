"""A persistence module for the ``eventsourcing`` library: an append-only SQLite event store.

Any application of the library can use it: ``PERSISTENCE_MODULE=muniment.journal.sqlite`` and ``SQLITE_DBNAME``.
It differs from the library's own SQLite module in that

- positions are explicit and never reused, and triggers refuse to change or delete an event;
- transactions that write start with ``BEGIN IMMEDIATE``, so that they wait their turn instead of failing halfway;
- what is acknowledged is on the disk (``PRAGMA synchronous=FULL``), unless ``SQLITE_SYNCHRONOUS`` says otherwise;
- one process writes through one connection, and readers never wait for it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, Literal, cast
from uuid import UUID

from eventsourcing import persistence, sqlite as library
from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.utils import Environment, EnvType

DEFAULT_LOCK_TIMEOUT_S = 5.0

_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")


def library_error(error: sqlite3.Error) -> Exception:
    """The library's counterpart of an error of the ``sqlite3`` module."""
    counterpart: type[Exception] = getattr(persistence, type(error).__name__, persistence.PersistenceError)
    return counterpart(*error.args)


class SQLiteDatastore(library.SQLiteDatastore):
    """Connections to one SQLite database: one that writes, and as many that read as are reading.

    Args:
        db_name: the file's path, or ``:memory:``.
        lock_timeout: how long to wait for other processes, in seconds.
        synchronous: how far a commit is flushed: ``FULL`` reaches the disk.
        originator_id_type: whether originator ids are UUIDs or text.

    Attributes:
        translate_error: turns an error of the ``sqlite3`` module into the one to raise.
    """

    def __init__(
        self,
        db_name: str,
        *,
        lock_timeout: float | None = None,
        synchronous: str = "FULL",
        single_row_tracking: bool = True,
        originator_id_type: Literal["uuid", "text"] = "uuid",
    ) -> None:
        super().__init__(db_name, single_row_tracking=single_row_tracking, originator_id_type=originator_id_type)
        self.db_name = db_name
        self.lock_timeout = DEFAULT_LOCK_TIMEOUT_S if lock_timeout is None else lock_timeout
        self.translate_error: Callable[[sqlite3.Error], Exception] = library_error
        self._in_memory = self.pool.is_sqlite_memory_mode
        self._synchronous = synchronous
        self._current_synchronous = ""
        self._write_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._idle_readers: list[sqlite3.Connection] = []
        self._closed = False

    def transaction(  # type: ignore[override]  # the library's return type is that of a decorated generator
        self, *, commit: bool, durable: bool = True
    ) -> AbstractContextManager[library.SQLiteCursor]:
        """Run statements in one transaction.

        Args:
            commit: whether to write and commit; otherwise the transaction reads, and sees one state of the database.
            durable: whether the commit waits for the disk. One that does not is still whole or absent after a power
                cut, and is meant for what can be made again from the events.

        Returns:
            A context manager that gives a cursor.
        """
        if commit or self._in_memory:
            return _Writing(self, commit=commit, synchronous=self._synchronous if durable else "NORMAL")
        return _Reading(self)

    def close(self) -> None:
        """Close every connection."""
        with self._write_lock:
            self._closed = True
            while self._idle_readers:
                self._idle_readers.pop().close()
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        super().close()

    def begin_writing(self, begin: str, synchronous: str) -> sqlite3.Cursor:
        """Wait for the turn to write, and begin; ``end_writing`` must follow."""
        self._write_lock.acquire()
        try:
            cursor = (self._writer or self._open_writer()).cursor()
            if synchronous != self._current_synchronous:
                cursor.execute(f"PRAGMA synchronous={synchronous}")
                self._current_synchronous = synchronous
            cursor.execute(begin)
        except BaseException:
            self._write_lock.release()
            raise
        return cursor

    def end_writing(self, cursor: sqlite3.Cursor, *, commit: bool) -> None:
        """Commit or roll back what ``begin_writing`` began."""
        try:
            if commit:
                cursor.execute("COMMIT")
        finally:
            if cursor.connection.in_transaction:
                cursor.connection.rollback()
            self._write_lock.release()

    def take_reader(self) -> sqlite3.Connection:
        """A connection that nobody else reads through; ``give_back`` must follow."""
        with suppress(IndexError):
            return self._idle_readers.pop()
        return self._connect()

    def give_back(self, reader: sqlite3.Connection) -> None:
        """Keep a reader for the next one who reads."""
        if self._closed:
            reader.close()
        else:
            self._idle_readers.append(reader)

    def _open_writer(self) -> sqlite3.Connection:
        self._writer = self._connect()
        if not self._in_memory:
            self._switch_to_wal(self._writer)
        self._current_synchronous = ""
        return self._writer

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        # SQLite does not wait for locks when it changes the journal mode, and two processes may create one file.
        deadline = time.monotonic() + self.lock_timeout
        while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("the datastore is closed")
        connection = sqlite3.connect(
            self.db_name, timeout=self.lock_timeout, isolation_level=None, check_same_thread=False, uri=True
        )
        connection.row_factory = sqlite3.Row
        return connection


class _Writing:
    """A transaction on the connection that writes."""

    __slots__ = ("_begin", "_commit", "_cursor", "_datastore", "_synchronous")

    def __init__(self, datastore: SQLiteDatastore, *, commit: bool, synchronous: str) -> None:
        self._datastore = datastore
        self._commit = commit
        self._begin = "BEGIN IMMEDIATE" if commit else "BEGIN"
        self._synchronous = synchronous

    def __enter__(self) -> library.SQLiteCursor:
        try:
            self._cursor = self._datastore.begin_writing(self._begin, self._synchronous)
        except sqlite3.Error as error:
            raise self._datastore.translate_error(error) from error
        # The library's cursor class only forwards to this one.
        return cast(library.SQLiteCursor, self._cursor)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._datastore.end_writing(self._cursor, commit=self._commit and error is None)
        except sqlite3.Error as failure:
            raise self._datastore.translate_error(failure) from failure
        if isinstance(error, sqlite3.Error):
            raise self._datastore.translate_error(error) from error


class _Reading:
    """A transaction that reads, on a connection of its own."""

    __slots__ = ("_cursor", "_datastore")

    def __init__(self, datastore: SQLiteDatastore) -> None:
        self._datastore = datastore

    def __enter__(self) -> library.SQLiteCursor:
        try:
            reader = self._datastore.take_reader()
            try:
                self._cursor = reader.execute("BEGIN")
            except BaseException:
                reader.close()
                raise
        except sqlite3.Error as error:
            raise self._datastore.translate_error(error) from error
        return cast(library.SQLiteCursor, self._cursor)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        reader = self._cursor.connection
        self._cursor.close()
        try:
            reader.rollback()
        except sqlite3.Error:
            # Closed under the reader's feet; what it was doing says so itself.
            reader.close()
        else:
            self._datastore.give_back(reader)
        if isinstance(error, sqlite3.Error):
            raise self._datastore.translate_error(error) from error


class SQLiteApplicationRecorder(library.SQLiteApplicationRecorder):
    """Records events in one table, each at its own position, and never changes one."""

    def __init__(self, datastore: library.SQLiteDatastore, events_table_name: str = "stored_events") -> None:
        super().__init__(datastore, events_table_name)
        self.insert_events_statement = (
            f"INSERT INTO {events_table_name} (originator_id, originator_version, topic, state) VALUES (?,?,?,?)"
        )
        self._select = f"SELECT position, originator_id, originator_version, topic, state FROM {events_table_name} "
        self.select_max_notification_id_statement = f"SELECT MAX(position) FROM {events_table_name}"

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
                f"CREATE TRIGGER IF NOT EXISTS {table}_refuse_{operation.lower()} BEFORE {operation} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                for operation in ("UPDATE", "DELETE")
            ),
        ]

    def _insert_events(
        self, c: library.SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any
    ) -> Sequence[int] | None:
        positions: list[int] = []
        for stored in stored_events:
            parameters = (_text(stored.originator_id), stored.originator_version, stored.topic, stored.state)
            c.execute(self.insert_events_statement, parameters)
            positions.append(c.lastrowid)
        return positions

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[Notification]:
        """One originator's events, by version; each says its position too."""
        conditions = ["originator_id=?"]
        parameters: list[Any] = [_text(originator_id)]
        if gt is not None:
            conditions.append("originator_version>?")
            parameters.append(gt)
        if lte is not None:
            conditions.append("originator_version<=?")
            parameters.append(lte)
        order = f"originator_version {'DESC' if desc else 'ASC'}"
        return self._notifications(conditions, parameters, order, -1 if limit is None else limit)

    def select_rows(self, after: int, limit: int) -> list[Any]:
        """Events of all originators behind a position, as plain rows: the fastest way to read many."""
        with self.datastore.transaction(commit=False) as c:
            plain = cast(sqlite3.Cursor, c)
            plain.row_factory = None
            plain.execute(f"{self._select}WHERE position>? ORDER BY position LIMIT ?", (after, limit))
            return plain.fetchall()

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Events of all originators, by position."""
        conditions: list[str] = []
        parameters: list[Any] = []
        if start is not None:
            conditions.append("position>=?" if inclusive_of_start else "position>?")
            parameters.append(start)
        if stop is not None:
            conditions.append("position<=?")
            parameters.append(stop)
        if topics:
            conditions.append(f"topic IN ({','.join('?' * len(topics))})")
            parameters += topics
        return self._notifications(conditions, parameters, "position", limit)

    def _notifications(
        self, conditions: list[str], parameters: list[Any], order: str, limit: int
    ) -> Sequence[Notification]:
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        with self.datastore.transaction(commit=False) as c:
            c.execute(f"{self._select}{where}ORDER BY {order} LIMIT ?", [*parameters, limit])
            rows = c.fetchall()
        return [
            Notification(
                id=position,
                originator_id=self.convert_originator_id(originator_id),
                originator_version=version,
                topic=topic,
                state=state,
            )
            for position, originator_id, version, topic, state in rows
        ]


class SQLiteProcessRecorder(library.SQLiteProcessRecorder, SQLiteApplicationRecorder):
    """Records events together with how far another application's events were processed."""


class SQLiteFactory(library.SQLiteFactory):
    """Builds the recorders of this module from the library's environment variables."""

    SQLITE_SYNCHRONOUS = "SQLITE_SYNCHRONOUS"

    aggregate_recorder_class = library.SQLiteAggregateRecorder
    application_recorder_class = SQLiteApplicationRecorder
    tracking_recorder_class = library.SQLiteTrackingRecorder
    process_recorder_class = SQLiteProcessRecorder

    datastore: SQLiteDatastore

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        synchronous = (self.env.get(self.SQLITE_SYNCHRONOUS) or "FULL").upper()
        if synchronous not in _SYNCHRONOUS:
            raise OSError(f"{self.SQLITE_SYNCHRONOUS} must be one of {', '.join(_SYNCHRONOUS)}, not {synchronous!r}")
        checked = self.datastore
        self.datastore = SQLiteDatastore(
            checked.pool.db_name,
            lock_timeout=checked.pool.lock_timeout,
            synchronous=synchronous,
            single_row_tracking=checked.single_row_tracking,
            originator_id_type=checked.originator_id_type,
        )


def _text(originator_id: UUID | str) -> str:
    return originator_id.hex if isinstance(originator_id, UUID) else originator_id
