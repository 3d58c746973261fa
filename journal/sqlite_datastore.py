"""Connections to one SQLite database: one that writes, and as many that read as are reading."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, cast

from eventsourcing import persistence, sqlite as library

from .turns import Turns

DEFAULT_LOCK_TIMEOUT_S = 5.0

MAX_VALUE_BYTES: Final = 16 * 2**20
"""How large a value or a row may be to be read or written."""


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
        read_only: whether every change is to be refused.

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
        read_only: bool = False,
    ) -> None:
        super().__init__(db_name, single_row_tracking=single_row_tracking, originator_id_type=originator_id_type)
        self.db_name = db_name
        self.lock_timeout = DEFAULT_LOCK_TIMEOUT_S if lock_timeout is None else lock_timeout
        self.translate_error: Callable[[sqlite3.Error], Exception] = library_error
        # The library takes any name with ":memory:" in it for memory; only the name itself, or a URI, says so.
        is_uri = db_name.startswith("file:")
        self._in_memory = db_name == ":memory:" or (is_uri and self.pool.is_sqlite_memory_mode)
        self._is_read_only = read_only
        self._synchronous = synchronous
        self._current_synchronous = ""
        self._write_lock = threading.Lock()
        self._turns: Turns | None = None
        self._writer: sqlite3.Connection | None = None
        self._idle_readers: list[sqlite3.Connection] = []
        self._watching: sqlite3.Connection | None = None
        self._watch_lock = threading.Lock()
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
        if commit and self._is_read_only:
            refusal = sqlite3.OperationalError("attempt to write a readonly database")
            refusal.sqlite_errorcode = sqlite3.SQLITE_READONLY
            raise self.translate_error(refusal)
        if commit or self._in_memory:
            is_lax = not durable and self._synchronous != "OFF"
            return _Writing(self, commit=commit, synchronous="NORMAL" if is_lax else self._synchronous)
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
            if self._turns is not None:
                self._turns.close()
        with self._watch_lock:
            if self._watching is not None:
                self._watching.close()
                self._watching = None
        super().close()

    def begin_writing(self, begin: str, synchronous: str) -> sqlite3.Cursor:
        """Wait for the turn to write, and begin; ``end_writing`` must follow."""
        self._write_lock.acquire()
        try:
            cursor = (self._writer or self._open_writer()).cursor()
            self._take_turn()
            if synchronous != self._current_synchronous:
                cursor.execute(f"PRAGMA synchronous={synchronous}")
                self._current_synchronous = synchronous
            cursor.execute(begin)
        except BaseException:
            self._end_turn()
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
            self._end_turn()

    def take_reader(self) -> sqlite3.Connection:
        """A connection that nobody else reads through; ``give_back`` must follow."""
        with suppress(IndexError):
            return self._idle_readers.pop()
        return self._connect()

    def give_back(self, reader: sqlite3.Connection) -> None:
        """Keep a reader for the next one who reads."""
        if self._closed or _is_immutable(reader):
            # One that takes the file for unchangeable would never see what changes after all.
            reader.close()
        else:
            self._idle_readers.append(reader)

    def _take_turn(self) -> None:
        if self._turns is None:
            return
        try:
            is_my_turn = self._turns.acquire(self.lock_timeout)
        except OSError as error:
            failure = sqlite3.OperationalError(f"unable to open {error.filename}: {error.strerror}")
            failure.sqlite_errorcode = (
                sqlite3.SQLITE_READONLY if isinstance(error, PermissionError) else sqlite3.SQLITE_CANTOPEN
            )
            raise failure from error
        if not is_my_turn:
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise busy

    def _end_turn(self) -> None:
        if self._turns is not None:
            self._turns.release()
        self._write_lock.release()

    @property
    def is_shared(self) -> bool:
        """Whether other processes can write the database too."""
        return not self._in_memory

    def data_version(self) -> int:
        """A number that changes whenever another connection commits."""
        # It is a connection's own view, so it has to be the same connection every time.
        with self._watch_lock:
            if self._watching is not None and _is_immutable(self._watching):
                self._watching.close()
                self._watching = None
            if self._watching is None:
                self._watching = self._connect()
            return int(self._watching.execute("PRAGMA data_version").fetchone()[0])

    def _open_writer(self) -> sqlite3.Connection:
        self._writer = self._connect()
        if not self._in_memory:
            self._switch_to_wal(self._writer)
            # The database knows its file, whether it was named by a path or by a URI.
            (path,) = {row[2] for row in self._writer.execute("PRAGMA database_list") if row[1] == "main"}
            self._turns = Turns(Path(f"{path}-turns"))
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
        if not self._is_read_only:
            return self._connect_to(self.db_name)
        file = Path(self.db_name).absolute().as_uri()
        connection = self._connect_to(f"{file}?mode=ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError:
            connection.close()
            if Path(f"{self.db_name}-wal").exists():
                raise
            # There is no write-ahead log, and no permission to make one: the file alone is the database.
            return self._connect_to(f"{file}?mode=ro&immutable=1", factory=_ImmutableConnection)
        return connection

    def _connect_to(self, name: str, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
        connection = sqlite3.connect(
            name,
            timeout=self.lock_timeout,
            isolation_level=None,
            check_same_thread=False,
            uri=True,
            factory=factory,
        )
        connection.row_factory = sqlite3.Row
        # Whoever had the file may have put anything in it: no value is read that could fill the memory, and no view or
        # trigger calls a function that reaches beyond the database.
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection


class _ImmutableConnection(sqlite3.Connection):
    """A connection that takes its file for one that nobody changes."""


def _is_immutable(connection: sqlite3.Connection) -> bool:
    return isinstance(connection, _ImmutableConnection)


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
