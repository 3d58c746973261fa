"""Connections to one SQLite database: one that writes, and as many that read as are reading."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final, Literal

from eventsourcing import persistence, sqlite as library

from ...domain import JournalLocked
from ...domain.bounds import DEFAULT_LOCK_TIMEOUT_S
from ...projections import Grip, Locks
from ..storage.engine import LogHealth
from ..storage.forks import Inherited, InsideBlock, who_is_inside
from . import log
from .transactions import Reading, Writing
from .turns import Turns

CLOSE_S: Final = 2.0
"""How long ``close`` waits for whoever writes, before it has that fail."""

MAX_VALUE_BYTES: Final = 16 * 2**20
"""How large a value or a row may be to be read or written."""


def library_error(error: sqlite3.Error) -> Exception:
    """The library's counterpart of an error of the ``sqlite3`` module."""
    counterpart: type[Exception] = getattr(persistence, type(error).__name__, persistence.PersistenceError)
    return counterpart(*error.args)


class SQLiteDatastore(library.SQLiteDatastore, Inherited):
    """Connections to one SQLite database: one that writes, and as many that read as are reading.

    Args:
        db_name: the file's path, or ``:memory:``.
        lock_timeout: how long to wait for other processes, in seconds.
        synchronous: how far a commit is flushed: ``FULL`` reaches the disk.
        originator_id_type: whether originator ids are UUIDs or text.
        read_only: whether every change is to be refused.
        pool: what else the library's datastore takes; readers here are made as they are needed, and kept.

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
        **pool: Any,
    ) -> None:
        super().__init__(
            db_name, single_row_tracking=single_row_tracking, originator_id_type=originator_id_type, **pool
        )
        self.db_name = db_name
        self.lock_timeout = DEFAULT_LOCK_TIMEOUT_S if lock_timeout is None else lock_timeout
        self.translate_error: Callable[[sqlite3.Error], Exception] = library_error
        # The library takes any name with ":memory:" in it for memory; only the name itself, or a URI, says so.
        is_uri = db_name.startswith("file:")
        self._in_memory = db_name == ":memory:" or (is_uri and self.pool.is_sqlite_memory_mode)
        self._is_read_only = read_only
        self._synchronous = synchronous
        self._current_synchronous = ""
        self._locks = Locks(db_name, self.lock_timeout)
        self._lock = self._locks.new()
        self._turns: Turns | None = None
        self._path: Path | None = None
        self._file = (0, 0)
        self._writer: sqlite3.Connection | None = None
        self._idle_readers: list[sqlite3.Connection] = []
        self._watching: sqlite3.Connection | None = None
        self._watched = 0
        self._watch_lock = self._locks.new()
        self._closed = self._is_given_up = False
        self.watch_forks()

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
        self._locks.require_here()
        if commit and self._is_read_only:
            refusal = sqlite3.OperationalError("attempt to write a readonly database")
            refusal.sqlite_errorcode = sqlite3.SQLITE_READONLY
            raise self.translate_error(refusal)
        if commit or self._in_memory:
            is_lax = not durable and self._synchronous != "OFF"
            return Writing(self, commit=commit, synchronous="NORMAL" if is_lax else self._synchronous)
        return Reading(self)

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that opened it."""
        return self._locks.is_inherited

    def close(self) -> None:
        """Close every connection. One that is in use is interrupted, and closed by whoever uses it."""
        self._closed = True
        if self.is_inherited:
            return
        grip = Grip()
        try:
            for reading in self._readings():
                reading.interrupt()
            self._watch_lock.take(grip, CLOSE_S)
            self._close_idle()
            self._lock.take(grip, CLOSE_S)
            self._close_writer()
        except JournalLocked:
            # Whoever writes takes too long; its transaction is rolled back, and its end closes the connection.
            self._is_given_up = True
            if (writer := self._writer) is not None:
                writer.interrupt()
        finally:
            grip.over.put(None)
        super().close()

    def _readings(self) -> list[Reading]:
        return [each for each in who_is_inside() if isinstance(each, Reading) and each.datastore is self]

    def __del__(self) -> None:
        """Close what is left, and wait for nobody: nobody else can be there."""
        locks = getattr(self, "_locks", None)
        if locks is not None and not locks.is_inherited:
            self._closed = True
            self._close_idle()
            self._close_writer()

    def let_go(self) -> None:
        """Close what nobody uses; see ``Inherited``."""
        if not self._in_memory:
            self._close_idle()
            self._close_writer()

    def abandon(self, keep: Callable[[Any], None]) -> None:
        """Leave alone what was inherited; see ``Inherited``."""
        for thing in (self._writer, self._watching, *self._idle_readers):
            keep(thing)
        for inside in who_is_inside():
            if isinstance(inside, Writing | Reading) and inside.datastore is self:
                keep(inside)
        if self._turns is not None:
            # A copy of the descriptor would keep the turn when its writer is gone. Closing one copy gives nothing up.
            self._turns.abandon()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle_readers.pop().close()
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.close()

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        turns, self._turns = self._turns, None
        try:
            if writer is not None:
                writer.close()
        finally:
            if turns is not None:
                turns.close()

    def begin_writing(self, writing: Writing, begin: str, synchronous: str) -> sqlite3.Cursor:
        """Wait for the turn to write, and begin; ``end_writing`` must follow."""
        try:
            self._lock.take(writing)
        except JournalLocked as error:
            raise _busy() from error
        self._require_open()
        connection = self._writer or self._open_writer()
        if connection.in_transaction:
            # Left by one who was interrupted before it could end it.
            connection.rollback()
        cursor = connection.cursor()
        self._take_turn()
        if synchronous != self._current_synchronous:
            cursor.execute(f"PRAGMA synchronous={synchronous}")
            self._current_synchronous = synchronous
        self._require_in_place()
        cursor.execute(begin)
        return cursor

    def end_writing(self, writing: Writing) -> None:
        """Roll back what is not committed, and let the next one write."""
        # Interrupts arrive between calls, and each step has to be made all the same.
        try:
            if self._writer is not None:
                self._writer.rollback()
        finally:
            try:
                if self._turns is not None:
                    self._turns.release()
            finally:
                try:
                    if self._closed:
                        self._close_writer()
                finally:
                    writing.over.put(None)

    def mend(self) -> None:
        """End a transaction that was left open by one who was interrupted, unless somebody writes already."""
        grip = Grip()
        try:
            if self._lock.grab(grip):
                if self._writer is not None:
                    self._writer.rollback()
                if self._turns is not None:
                    self._turns.release()
        finally:
            grip.over.put(None)

    def is_writing(self, writing: Writing) -> bool:
        """Whether it is this transaction's turn to write."""
        return self._lock.is_with(writing)

    def require_writable(self) -> None:
        """Refuse to commit once ``close`` has given up waiting for it."""
        self._locks.require_here()
        if self._is_given_up:
            self._require_open()

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

    def after_long_read(self, reader: sqlite3.Connection) -> None:
        """Take over what had to stay in the log meanwhile."""
        if not self._is_read_only and not self._closed:
            log.take_over(reader, Path(self.db_name))

    def _require_in_place(self) -> None:
        """Make sure that what is written goes into the file that others find under its name."""
        if self._path is None:
            return
        try:
            found = os.stat(self._path)  # noqa: PTH116  # for every transaction, and a Path's own takes half as long again
            if (found.st_dev, found.st_ino) == self._file:
                return
        except OSError:
            pass
        moved = sqlite3.OperationalError("the file was removed or replaced")
        moved.sqlite_errorcode = sqlite3.SQLITE_READONLY_DBMOVED
        raise moved

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
            raise _busy()

    @property
    def is_shared(self) -> bool:
        """Whether other processes can write the database too."""
        return not self._in_memory

    def checkpoint(self) -> None:
        """Take the log over into the file, and wait for the disk."""
        if self._in_memory:
            return
        with InsideBlock():
            reader = self.take_reader()
            try:
                reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self.give_back(reader)

    def log_health(self) -> LogHealth | None:
        """The health of the log; None for a database in memory."""
        if self._in_memory:
            return None
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        reads = [(names.get(reading.thread, "?"), reading.since) for reading in self._readings()]
        return log.health(Path(self.db_name), reads)

    def data_version(self) -> int:
        """A number that changes whenever another connection commits."""
        grip, inside = Grip(), InsideBlock()
        try:
            inside.enter()
            self._watch_lock.take(grip)
            if self._watching is not None and _is_immutable(self._watching):
                self._watching.close()
                self._watching = None
            if self._watching is None:
                # It is a connection's own view, so another connection counts from elsewhere.
                self._watched += 1
                self._watching = self._connect()
            version = int(self._watching.execute("PRAGMA data_version").fetchone()[0])
            return (self._watched << 32) + version
        finally:
            try:
                inside.leave()
            finally:
                grip.over.put(None)

    def _open_writer(self) -> sqlite3.Connection:
        self._writer = self._connect()
        if not self._in_memory:
            self._switch_to_wal(self._writer)
            log.bound(self._writer)
            # The database knows its file, whether it was named by a path or by a URI.
            (path,) = {row[2] for row in self._writer.execute("PRAGMA database_list") if row[1] == "main"}
            self._turns = Turns(Path(f"{path}-turns"), Path(path))
            self._path = Path(path)
            found = self._path.stat()
            self._file = (found.st_dev, found.st_ino)
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

    def _require_open(self) -> None:
        if self._closed:
            raise sqlite3.ProgrammingError("the datastore is closed")

    def _connect(self) -> sqlite3.Connection:
        self._require_open()
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


def _busy() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error
