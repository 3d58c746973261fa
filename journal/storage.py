"""Where a journal is kept: its address, the checks before it is opened, and the library's application over it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType

from ..domain import (
    InvalidArgument,
    JournalDamaged,
    JournalLocked,
    JournalNotFound,
    JournalUnavailable,
    NewerSchema,
    NotAJournal,
    text,
)
from .datastore import SQLiteDatastore, library_error
from .mapper import EventMapper
from .sqlite import SQLiteApplicationRecorder, SQLiteFactory

SCHEMA_VERSION: Final = 1
"""The version of the file's layout, kept in SQLite's ``user_version``."""

APPLICATION_ID: Final = 0x4D756E69
"""What marks an SQLite file as a journal, kept in SQLite's ``application_id``: the letters ``Muni``."""

SYNCHRONOUS: Final = ("FULL", "NORMAL")

_MEMORY_URL = "memory://"
_SQLITE_PREFIX = "sqlite:///"
_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a journal is.

    Attributes:
        url: the address as it was given.
        path: the file, absolute; None for a journal in memory.
    """

    url: str
    path: Path | None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a journal's URL.

        Raises:
            InvalidArgument: it is not ``memory://``, ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.
        """
        if url == _MEMORY_URL:
            return cls(url, None)
        text("url", url)
        name = url.removeprefix(_SQLITE_PREFIX)
        if name == url or not name or "\0" in name or name == ":memory:":
            raise InvalidArgument(
                "url", f"must be sqlite:///relative.db, sqlite:////absolute.db or memory://, not {url!r}"
            )
        return cls(url, Path(name).absolute())

    def __str__(self) -> str:
        return self.url if self.path is None else str(self.path)


class JournalApplication(Application[str]):
    """The ``eventsourcing`` application that a journal writes through: our mapper over our SQLite recorder."""

    name = "muniment"
    factory: InfrastructureFactory[Any]
    recorder: SQLiteApplicationRecorder
    mapper: EventMapper

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Take the given settings only: the surrounding process may be configured for another application."""
        return Environment(name, dict(env or {}))

    def construct_mapper(self) -> EventMapper:
        """Map through the catalogue."""
        return EventMapper()

    @property
    def datastore(self) -> SQLiteDatastore:
        """The connections to the database."""
        if not isinstance(self.factory, SQLiteFactory):
            raise TypeError("a journal is kept by the SQLite module")
        return self.factory.datastore


def open_application(address: Address, *, create: bool, lock_timeout_s: float, synchronous: str) -> JournalApplication:
    """Open the database of a journal; make it if it is not there.

    Args:
        address: where it is.
        create: whether a missing journal is made.
        lock_timeout_s: how long to wait for other processes, in seconds.
        synchronous: ``FULL``, or ``NORMAL`` for a caller who can lose the last events in a power cut.

    Raises:
        JournalNotFound, NotAJournal, NewerSchema, JournalLocked, JournalUnavailable
    """
    if synchronous not in SYNCHRONOUS:
        raise InvalidArgument("synchronous", f"must be one of {', '.join(SYNCHRONOUS)}, not {synchronous!r}")
    if lock_timeout_s < 0:
        raise InvalidArgument("lock_timeout_s", "must not be negative")
    is_ready = address.path is not None and _inspect(address.path, create=create, lock_timeout_s=lock_timeout_s)
    application = JournalApplication(
        {
            "PERSISTENCE_MODULE": SQLiteFactory.__module__,
            "SQLITE_DBNAME": str(address.path) if address.path else ":memory:",
            "SQLITE_SYNCHRONOUS": synchronous,
            "ORIGINATOR_ID_TYPE": "text",
            "CREATE_TABLE": "no",
        }
    )
    datastore = application.datastore
    datastore.lock_timeout = lock_timeout_s
    datastore.translate_error = lambda error: storage_error(error, address, lock_timeout_s)
    if not is_ready:
        try:
            _create(application, address)
        except BaseException:
            application.close()
            raise
    return application


def _inspect(path: Path, *, create: bool, lock_timeout_s: float) -> bool:
    """Look at the file without touching it; say whether it is a journal already, rather than one to be made."""
    try:
        if not path.exists():
            if not create:
                raise JournalNotFound(str(path))
            if not path.parent.is_dir():
                raise JournalUnavailable(str(path), f"there is no folder {path.parent}")
            return False
        if path.is_dir():
            raise JournalUnavailable(str(path), "it is a folder")
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except OSError as error:
        raise JournalUnavailable(str(path), error.strerror or str(error)) from error
    if not header and create:
        return False
    if header != _HEADER:
        raise NotAJournal(str(path), "it is empty" if not header else "it is not an SQLite database")
    return _inspect_database(path, create=create, lock_timeout_s=lock_timeout_s)


def _inspect_database(path: Path, *, create: bool, lock_timeout_s: float) -> bool:
    # Without a write-ahead log the file alone is the database, and reading it as such leaves no trace beside it.
    log = path.with_name(f"{path.name}-wal")
    access = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?{access}", uri=True, timeout=lock_timeout_s)
        try:
            is_journal = _is_journal(connection, str(path))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise storage_error(error, Address("", path), lock_timeout_s) from error
    if not is_journal and not create:
        raise NotAJournal(str(path), "it is an empty database")
    return is_journal


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
        if version > SCHEMA_VERSION:
            raise NewerSchema(path, version, SCHEMA_VERSION)
        return True
    if application_id or version or tables:
        raise NotAJournal(path, "it is the database of another application")
    return False


def _create(application: JournalApplication, address: Address) -> None:
    recorder: Any = application.recorder
    with application.datastore.transaction(commit=True) as cursor:
        # Another process may have been faster since the file was looked at.
        if _is_journal(cursor, str(address)):  # type: ignore[arg-type]
            return
        for statement in recorder.create_table_statements:
            cursor.execute(statement)
        cursor.execute(f"PRAGMA application_id={APPLICATION_ID}")
        cursor.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def storage_error(error: sqlite3.Error, address: Address, lock_timeout_s: float) -> Exception:
    """What a failure of the storage means to the journal's user; a version conflict stays the library's error."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalLocked(str(address), round(lock_timeout_s * 1000))
    if isinstance(error, sqlite3.IntegrityError):
        return library_error(error)
    if code == sqlite3.SQLITE_NOTADB:
        return NotAJournal(str(address), "it is not an SQLite database")
    if code == sqlite3.SQLITE_CORRUPT:
        return JournalDamaged(str(address), str(error))
    return JournalUnavailable(str(address), str(error))
