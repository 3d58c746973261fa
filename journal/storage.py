"""Where a journal is kept: its address, and what a storage engine does for it."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from eventsourcing.application import Application
from eventsourcing.persistence import BaseInfrastructureFactory, InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment, EnvType

from ..domain import InvalidArgument, JournalReadOnly, RecordedEvent, text
from ..domain.bounds import MAX_LOCK_TIMEOUT_S
from ..domain.shown import shown
from ..domain.value import exact
from ..projections import Locks, TemporalStore
from .identity import Identity
from .identity_table import IdentityTable
from .mapper import EventMapper
from .recording import MAX_PAGE_BYTES, PAGE_SIZE, PositionedRecorder
from .sqlite_file import file_path
from .sqlite_log import LogHealth

SYNCHRONOUS: Final = ("FULL", "NORMAL")

_MEMORY_URL = "memory://"
_SQLITE_PREFIX = "sqlite:///"
_POSTGRES_PREFIXES = ("postgresql://", "postgres://")
_DEFAULT_SCHEMA = "muniment"
_POOLINGS: Final = ("session", "transaction")
_MAX_SCHEMA_BYTES: Final = 63
_HIDDEN = "***"
_SECRETS = ("password", "sslpassword")
_UNENCODED = re.compile(r"#|%(?![0-9a-fA-F]{2})")
_URLS = "sqlite:///relative.db, sqlite:////absolute.db, memory:// or postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a journal is.

    Attributes:
        url: the address as it was given, without a password.
        path: the file, absolute; None for a journal that is none.
        server: the URL that PostgreSQL's client library takes; None for a journal that is on no server.
        schema: the schema that a journal on a server is in.
        pooling: how a connection pool before the server works, ``session`` or ``transaction``; empty if there is none.
    """

    url: str
    path: Path | None = None
    server: str | None = field(default=None, repr=False)
    schema: str = ""
    pooling: str = ""

    @classmethod
    def parse(cls, url: str | os.PathLike[str]) -> Address:
        """Read a journal's URL.

        Raises:
            InvalidArgument: it is none of ``memory://``, ``sqlite:///relative.db``, ``sqlite:////absolute.db`` and
                ``postgresql://user@host/database``.
        """
        if not issubclass(type(url), str) and issubclass(type(url), os.PathLike):
            path = file_path("url", url)
            return cls(f"{_SQLITE_PREFIX}{path}", path)
        url = text("url", url)
        if url == _MEMORY_URL:
            return cls(url)
        if url.startswith(_POSTGRES_PREFIXES):
            return cls._parse_server(url)
        name = url.removeprefix(_SQLITE_PREFIX)
        if name == url or not name or "\0" in name or name == ":memory:":
            # Whatever it is, it may hold a password.
            given = repr(url) if "@" not in url else f"one that begins with {url.partition(':')[0]!r}"
            raise InvalidArgument("url", f"must be {_URLS}, not {given}")
        if "?" in name:
            raise InvalidArgument("url", f"takes no parameters behind a ? for a file, as in {url!r:.300}")
        return cls(url, file_path("url", name))

    @classmethod
    def _parse_server(cls, url: str) -> Address:
        _, _, rest = url.partition("://")
        place, _, query = rest.partition("?")
        authority, _, database = place.partition("/")
        if _UNENCODED.search(rest) or "@" in database or "@" in query:
            # The URL is not shown: where its password ends is just what is not clear.
            raise InvalidArgument("url", "must have each of @ / ? # % in its user name and password percent-encoded")
        parameters = dict(each.partition("=")[::2] for each in query.split("&") if each)
        # The client library knows no such parameter; other programs that take such URLs call it that too.
        schema = unquote(parameters.pop("schema", _DEFAULT_SCHEMA))
        if not schema or len(schema.encode()) > _MAX_SCHEMA_BYTES or "\0" in schema:
            raise InvalidArgument("url", f"names a schema of 1 to {_MAX_SCHEMA_BYTES} bytes, not {schema!r}")
        pooling = parameters.pop("pooling", "")
        if pooling and pooling not in _POOLINGS:
            raise InvalidArgument("url", f"has a pooling of {' or '.join(_POOLINGS)}, not {pooling!r}")
        login, at, host = authority.rpartition("@")
        user, colon, _ = login.partition(":")
        shown = {name: _HIDDEN if name in _SECRETS else value for name, value in parameters.items()}
        if schema != _DEFAULT_SCHEMA:
            shown["schema"] = quote(schema)
        if pooling:
            shown["pooling"] = pooling
        return cls(
            url=_join(f"{user}{colon and f':{_HIDDEN}'}{at}{host}", database, shown),
            server=_join(authority, database, parameters),
            schema=schema,
            pooling=pooling,
        )

    def __str__(self) -> str:
        return self.url if self.path is None else str(self.path)


def _join(authority: str, database: str, parameters: Mapping[str, str]) -> str:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://{authority}/{database}{query and f'?{query}'}"


class JournalApplication(Application[str]):
    """The ``eventsourcing`` application that a journal writes through: our mapper over a recorder of ours."""

    name = "muniment"
    factory: InfrastructureFactory[Any]
    recorder: PositionedRecorder
    mapper: EventMapper

    def __init__(self, factory: BaseInfrastructureFactory[Any]) -> None:
        self._given_factory = factory
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Take no settings: the surrounding process may be configured for another application."""
        return Environment(name)

    def construct_factory(self, env: Environment) -> Any:
        """Take the factory that was given."""
        return self._given_factory

    def construct_mapper(self) -> EventMapper:
        """Map through the catalogue."""
        return EventMapper()

    def records(self, stream: str, **bounds: Any) -> Iterator[RecordedEvent]:
        """The records of a stream, within the bounds of ``PositionedRecorder.select_events``.

        Raises:
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
        """
        return map(self.mapper.to_domain_event, self.recorder.select_events(stream, **bounds))

    def record(self, stream: str, version: int) -> RecordedEvent | None:
        """The record at a version of a stream; None if there is none.

        Raises:
            UnknownEventType, DamagedRecord: it cannot be decoded.
        """
        return next(self.records(stream, gt=version - 1, lte=version), None)


class Storage(ABC):
    """What a storage engine does for a journal.

    Attributes:
        address: where the journal is.
        application: the ``eventsourcing`` application that it is kept by.
        tables: the tables that are stored with it.
        identity: the table that says which journal it is.
        is_read_only: whether nothing may be changed.
        locks: how long threads wait for each other.
    """

    def __init__(
        self,
        address: Address,
        application: JournalApplication,
        tables: TemporalStore,
        identity: IdentityTable,
        *,
        is_read_only: bool,
    ) -> None:
        self.address = address
        self.application = application
        self.tables = tables
        self.identity = identity
        self.is_read_only = is_read_only
        self.locks = Locks(str(address))

    def import_events(self, events: Iterable[StoredEvent], origin: Callable[[], Identity]) -> int:
        """Append events to an empty journal, all of them or none; return how many.

        Args:
            events: what to append.
            origin: which journal they are from; asked when they are appended.

        Raises:
            JournalNotEmpty, JournalReadOnly
        """
        if self.is_read_only:
            raise JournalReadOnly(str(self.address))
        imported = 0
        with self._importing() as cursor:
            for batch in _batches(events):
                self.application.recorder.append(cursor, batch)
                imported += len(batch)
            self.identity.adopt(cursor, origin(), imported)
        self.application.recorder.changes.announce()
        return imported

    @abstractmethod
    def _importing(self) -> AbstractContextManager[Any]:
        """A transaction during which nobody else appends to an empty journal; it gives a cursor.

        Raises:
            JournalNotEmpty
        """

    @abstractmethod
    def backup(self, path: Path) -> int:
        """Copy the journal to a file that is not there yet, and check the copy; return its last position.

        Raises:
            JournalNotEmpty, JournalUnavailable
        """

    def log_health(self) -> LogHealth | None:
        """How SQLite's log fares, and who keeps it from being taken over; None where there is none."""
        return None

    @abstractmethod
    def problems(self) -> Iterator[str]:
        """Say what is wrong with what lies below the events, as far as the engine can tell."""

    @abstractmethod
    def _fail_with(self, error: Exception) -> None:
        """Raise this error whatever is asked from now on."""

    def close(self, error: Exception | None = None) -> None:
        """Close every connection; whatever is asked afterwards raises the error."""
        if error is not None:
            self._fail_with(error)
        self.application.close()


def _batches(events: Iterable[StoredEvent]) -> Iterator[list[StoredEvent]]:
    """As many events at once as a page has."""
    batch: list[StoredEvent] = []
    size = 0
    for event in events:
        batch.append(event)
        size += len(event.state)
        if len(batch) == PAGE_SIZE or size > MAX_PAGE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def without_password(url: str | os.PathLike[str]) -> str:
    """A journal's URL as it may be shown.

    Raises:
        InvalidArgument: it is no such URL.
    """
    return Address.parse(url).url


def open_storage(
    address: Address, *, create: bool, lock_timeout_s: float, synchronous: str, read_only: bool
) -> Storage:
    """Open a journal's storage; make it if it is not there.

    Args:
        address: where it is.
        create: whether a missing journal is made.
        lock_timeout_s: how long to wait for other processes, in seconds.
        synchronous: ``FULL``, or ``NORMAL`` for a caller who can lose the last events in a power cut.
        read_only: whether nothing may be changed; nothing is made then either.

    Raises:
        JournalNotFound, NotAJournal, NewerSchema, JournalLocked, JournalUnavailable, JournalDamaged, InvalidArgument
    """
    if type(synchronous) is not str or synchronous not in SYNCHRONOUS:
        raise InvalidArgument("synchronous", f"must be one of {', '.join(SYNCHRONOUS)}, not {shown(synchronous)}")
    create, read_only = exact("create", create, bool), exact("read_only", read_only, bool)
    if type(lock_timeout_s) not in (int, float) or not 0 <= lock_timeout_s <= MAX_LOCK_TIMEOUT_S:
        problem = f"must be a number of seconds from 0 to {MAX_LOCK_TIMEOUT_S}, not {shown(lock_timeout_s)}"
        raise InvalidArgument("lock_timeout_s", problem)
    if read_only and address.path is None and address.server is None:
        raise InvalidArgument("read_only", "is for a journal that is stored; one in memory begins empty")
    engine = "sqlite_storage" if address.server is None else "postgres_storage"
    try:
        module = import_module(f".{engine}", __package__)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("psycopg", "psycopg_pool"):
            raise
        raise InvalidArgument("url", f"needs {error.name}: pip install 'muniment[postgres]'") from error
    storage: Storage = module.open_storage(
        address,
        create=create and not read_only,
        lock_timeout_s=lock_timeout_s,
        synchronous=synchronous,
        read_only=read_only,
    )
    storage.locks = Locks(str(address), lock_timeout_s)
    return storage
