"""A journal in an SQLite file: the checks before it is opened, and its upkeep."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from ...domain import (
    JournalDamaged,
    JournalLocked,
    JournalNotEmpty,
    JournalReadOnly,
    JournalReplaced,
    JournalUnavailable,
    NewerSchema,
    NotAJournal,
    NotStored,
)
from ...projections import PREFIX, TRACKING, all_projections
from ..storage.address import ENGINES, Address
from ..storage.application import JournalApplication
from ..storage.engine import LogHealth, Storage
from ..storage.identity_table import FORMAT, TABLE
from .address import MEMORY
from .datastore import MAX_VALUE_BYTES, SQLiteDatastore, library_error
from .file import advice_on_log, beside, foreign_log, is_there, require_fitting_log, whole_file
from .identity import SQLiteIdentityTable, mark_copy
from .problems import problems, schema
from .recorder import APPLICATION_ID, Altered, SQLiteApplicationRecorder, SQLiteFactory
from .tables import SQLiteTemporalStore

_EMPTY: Final = (
    "it is an empty database: nothing was written to it, or a power cut took all that was (which can be where it is "
    "written with synchronous=NORMAL); restore a backup, or open it with create=True"
)
_ARE_TABLES: Final = f"SELECT COUNT(*) FROM sqlite_master WHERE type='table' AND name IN ('stored_events', '{TABLE}')"
_COPY_WRITTEN_TO: Final = (
    f"SELECT COUNT(*) FROM {TABLE} WHERE kind='copy' "
    f"AND number > (SELECT COALESCE(MAX(number), 0) FROM {TABLE} WHERE kind='restore') "
    "AND position < (SELECT MAX(position) FROM stored_events)"
)

_OURS: Final = ("stored_events", TABLE, TRACKING)
_KEY_OF_EVENTS: Final = "SELECT name, type FROM pragma_table_info('stored_events') WHERE pk>0"
_TABLES_AND_VIEWS: Final = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"


class SQLiteStorage(Storage):
    """A journal in an SQLite file, or in memory."""

    _begins_after = 0

    def __init__(self, address: Address, datastore: SQLiteDatastore, *, is_read_only: bool) -> None:
        application = JournalApplication(self._factory(datastore))
        self._datastore = datastore
        self._recorder = cast(SQLiteApplicationRecorder, application.recorder)
        identity = SQLiteIdentityTable(datastore, self._recorder, str(address))
        super().__init__(address, application, SQLiteTemporalStore(datastore), identity, is_read_only=is_read_only)

    def _factory(self, datastore: SQLiteDatastore) -> SQLiteFactory:
        """What builds the recorder."""
        return SQLiteFactory({"SQLITE_DBNAME": ":memory:", "CREATE_TABLE": "no"}, datastore)

    def create(self) -> None:
        """Make the table of events in an empty database."""
        with self._datastore.transaction(commit=True) as cursor:
            # Another process may have been faster since the file was looked at.
            if _is_journal(cursor, str(self.address)):  # type: ignore[arg-type]
                return
            for statement in self._recorder.create_table_statements:
                cursor.execute(statement)
            cursor.execute(f"PRAGMA application_id={APPLICATION_ID}")
            cursor.execute(f"PRAGMA user_version={FORMAT}")
            self.identity.create(cursor)
        # Also with synchronous=NORMAL, a power cut leaves a journal, if perhaps an empty one.
        self._datastore.checkpoint()

    @contextmanager
    def _importing(self) -> Iterator[Any]:
        with self._datastore.transaction(commit=True) as cursor:
            if not self._recorder.is_empty(cursor):
                raise JournalNotEmpty(str(self.address))
            yield cursor

    def require_tables(self) -> None:
        """Make sure that no view stands where a table of ours is read: it could answer anything, and without an end.

        Raises:
            JournalDamaged: one does, or the events are in no table whose positions are numbers.
        """
        kinds = {name.lower(): kind for name, kind in self._recorder.fetch(_TABLES_AND_VIEWS, ())}
        for name, kind in kinds.items():
            if kind == "view" and (name in _OURS or name.startswith(PREFIX)):
                raise JournalDamaged(str(self.address), f"{name} is a view, and must be a table")
        # Only as the key that is the row's own number are positions sure to be numbers, each there once.
        self._recorder.fetch(
            "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events LIMIT 0", ()
        )
        if self._recorder.fetch(_KEY_OF_EVENTS, ()) != [("position", "INTEGER")]:
            raise JournalDamaged(str(self.address), "position is not the primary key of stored_events")

    def backup(self, path: Path) -> int:
        with whole_file(path) as made:
            return self._copy(made)

    def log_health(self) -> LogHealth | None:
        return self._datastore.log_health()

    def discard(self) -> None:
        """Do nothing: whoever fills a file that is not there yet makes it elsewhere first (``whole_file``)."""

    def problems(self) -> Iterator[str]:
        with self._datastore.transaction(commit=False) as cursor:
            # Collected before any is yielded: a slow caller must not keep the transaction open.
            plain = cast(sqlite3.Cursor, cursor)
            found = list(problems(plain, _expected_schema(), self.address.path, begins_after=self._begins_after))
        yield from found

    def _fail_with(self, error: Exception) -> None:
        self._datastore.translate_error = lambda _: error

    def _copy(self, path: Path) -> int:
        with self._datastore.transaction(commit=False) as cursor:
            try:
                copy = sqlite3.connect(path.absolute())
                try:
                    # All pages in one step: one moment of the database, whoever writes meanwhile.
                    cast(sqlite3.Cursor, cursor).connection.backup(copy)
                    with copy:
                        mark_copy(copy)
                    problems = [row[0] for row in copy.execute("PRAGMA integrity_check")]
                    (head,) = copy.execute("SELECT COALESCE(MAX(position), 0) FROM stored_events").fetchone()
                finally:
                    copy.close()
            except sqlite3.Error as error:
                raise storage_error(error, replace(self.address, path=path), 0) from error
        if problems != ["ok"]:
            raise JournalUnavailable(str(path), f"the copy is damaged: {problems[0]}")
        return int(head)


def open_storage(
    address: Address, *, create: bool, lock_timeout_s: float, synchronous: str, read_only: bool
) -> SQLiteStorage:
    """Open the database of a journal; make it if it is not there. See ``storage.engine.open_storage``."""
    is_ready = address.path is not None and _inspect(
        address.path, create=create, lock_timeout_s=lock_timeout_s, read_only=read_only
    )
    datastore = SQLiteDatastore(
        str(address.path) if address.path else ":memory:",
        lock_timeout=lock_timeout_s,
        synchronous=synchronous,
        originator_id_type="text",
        read_only=read_only,
    )
    datastore.translate_error = lambda error: storage_error(error, address, lock_timeout_s)
    storage = SQLiteStorage(address, datastore, is_read_only=read_only)
    try:
        if not is_ready:
            storage.create()
        storage.require_tables()
        storage.identity.prepare(read_only=read_only)
    except BaseException:
        storage.close()
        raise
    return storage


def _inspect(path: Path, *, create: bool, lock_timeout_s: float, read_only: bool) -> bool:
    """Ask SQLite what the file is; say whether it is a journal already, rather than one to be made."""
    if not is_there(path, create=create):
        return False
    has_log = any(beside(path, suffix).exists() for suffix in ("-wal", "-journal"))
    require_fitting_log(path)
    # Nothing of a log is taken over into the file before it is known whose it is. Without a log, what SQLite lays
    # beside the file to read it is gone again afterwards.
    address, access = Address("", ENGINES["sqlite"], path), "ro" if has_log else "rw"
    try:
        try:
            is_journal = _ask(f"{path.as_uri()}?mode={access}", path, lock_timeout_s)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK and not read_only:
                # Its maker was killed before there was a log of ours: SQLite first has to take back what was begun.
                is_journal = _ask(f"{path.as_uri()}?mode=rw", path, lock_timeout_s)
            elif has_log or error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
            else:
                # Nothing may be made beside it, and no log is there: the file alone is the database, and nobody writes.
                is_journal = _ask(f"{path.as_uri()}?mode=ro&immutable=1", path, lock_timeout_s)
    except sqlite3.Error as error:
        raise storage_error(error, address, lock_timeout_s) from error
    if not is_journal and not create:
        raise NotAJournal(str(path), _EMPTY)
    return is_journal


def _ask(uri: str, path: Path, lock_timeout_s: float) -> bool:
    connection = sqlite3.connect(uri, uri=True, timeout=lock_timeout_s)
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        # One state of the database: another process may be making the journal.
        connection.execute("BEGIN")
        is_journal = _is_journal(connection, str(path))
        are_tables = connection.execute(_ARE_TABLES).fetchone()[0] == 2
        if is_journal and are_tables and connection.execute(_COPY_WRITTEN_TO).fetchone()[0]:
            # Whoever writes to a copy says so first; these events are from the log of the file that was there before.
            raise foreign_log(path)
        return is_journal
    finally:
        connection.close()


@cache
def _expected_schema() -> dict[str, Any]:
    """What the database of a journal holds: that of one that is made for the purpose."""
    storage = open_storage(MEMORY, create=True, lock_timeout_s=0, synchronous="FULL", read_only=False)
    try:
        storage.tables.create_missing({each.tracking_name: each.tables for each in all_projections()})
        with storage._datastore.transaction(commit=False) as cursor:
            return schema(cast(sqlite3.Cursor, cursor))
    finally:
        storage.close()


def _is_journal(connection: sqlite3.Connection | sqlite3.Cursor, path: str) -> bool:
    """Whether the database is a journal; False if it is empty, so that it may become one.

    Raises:
        NotAJournal: it belongs to something else.
        NewerSchema: a newer Muniment wrote it.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application_id == APPLICATION_ID:
        if version > FORMAT:
            raise NewerSchema(path, version, FORMAT)
        return True
    if application_id or version or tables:
        raise NotAJournal(path, "it is the database of another application")
    return False


def storage_error(error: sqlite3.Error, address: Address, lock_timeout_s: float) -> Exception:
    """What a failure of the storage means to the journal's user; a version conflict stays the library's error."""
    if isinstance(error, Altered):
        return NotStored(str(address), str(error))
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return JournalReplaced(str(address))
    code &= 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalLocked(str(address), round(lock_timeout_s * 1000))
    if isinstance(error, sqlite3.IntegrityError):
        return library_error(error)
    if code == sqlite3.SQLITE_READONLY:
        return JournalReadOnly(str(address))
    if code == sqlite3.SQLITE_NOTADB:
        return NotAJournal(str(address), "it is not an SQLite database")
    advice = "" if address.path is None else advice_on_log(address.path)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_TOOBIG) or str(error).startswith("no such "):
        return JournalDamaged(str(address), f"{error}{advice}")
    return JournalUnavailable(str(address), f"{error}{advice}" if code == sqlite3.SQLITE_CANTOPEN else str(error))
