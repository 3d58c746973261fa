"""What a storage engine does for a journal, and how the one that a URL names is opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

from eventsourcing.persistence import StoredEvent

from ...domain import InvalidArgument, JournalReadOnly
from ...domain.bounds import MAX_LOCK_TIMEOUT_S
from ...domain.shown import shown
from ...domain.value import exact
from ...projections import Locks, TemporalStore
from .address import Address, engine_room
from .application import JournalApplication
from .identity import Identity
from .identity_table import IdentityTable
from .recording import MAX_PAGE_BYTES, PAGE_SIZE

SYNCHRONOUS: Final = ("FULL", "NORMAL")


class LogHealth(NamedTuple):
    """The health of SQLite's log.

    Attributes:
        size: how long it is, in bytes; it is kept below 16 MiB while nobody reads for long.
        held_by: the reads that keep it from being taken over into the file, longest first, each with its thread and how
            long it has lasted; empty where nothing does.
    """

    size: int
    held_by: tuple[str, ...]


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
        self.application.recorder.commits.announce()
        return imported

    @abstractmethod
    def discard(self) -> None:
        """Take back that the journal was made, if this opening made it and nothing was appended to it since."""

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
        """The health of SQLite's log, and who keeps it from being checkpointed; None where there is none."""
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
    if read_only and not address.is_stored:
        raise InvalidArgument("read_only", "is for a journal that is stored; one in memory begins empty")
    storage: Storage = engine_room(address.engine, "storage").open_storage(
        address,
        create=create and not read_only,
        lock_timeout_s=lock_timeout_s,
        synchronous=synchronous,
        read_only=read_only,
    )
    storage.locks = Locks(str(address), lock_timeout_s)
    return storage
