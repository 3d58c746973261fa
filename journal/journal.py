"""The journal: where commands are decided and written, and where the past is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakSet

from ..domain import (
    Decision,
    InvalidArgument,
    JournalClosed,
    JournalReadOnly,
    Policy,
    RecordedEvent,
    UnknownPosition,
    natural_number,
    text,
)
from ..projections import (
    IdempotencyProjection,
    IdempotencyView,
    OwnersProjection,
    Progress,
    Projection,
    Projector,
    RebuildReport,
    TimelineProjection,
    WitnessesProjection,
)
from .changes import Running
from .cloudevents import from_lines, to_lines
from .context import ContextHolder
from .execution import Clock, Executor, Planner
from .follow import Following
from .mapper import decode
from .projecting import Projecting
from .recording import PAGE_SIZE
from .scratch import ScratchTables
from .sessions import Sessions
from .sqlite_datastore import DEFAULT_LOCK_TIMEOUT_S
from .storage import Address, Storage, open_storage
from .tables import Projections
from .times import system_clock, to_ms
from .verification import VerificationReport, verify

ResultT = TypeVar("ResultT")


class Journal(Projections):
    """An append-only journal of who holds what. Open one with ``Journal.open``; use it from as many threads as needed.

    Attributes:
        sessions: the commands on session ownership.
        application: the ``eventsourcing`` application that it is kept by.
        planner: how commands are carried out, for other drivers than this one.
    """

    def __init__(self, storage: Storage, policy: Policy, clock: Clock) -> None:
        self._storage = storage
        self.application = application = storage.application
        self._context = ContextHolder()
        self._running: WeakSet[Running] = WeakSet()
        self._is_closed = False
        # Who may only read cannot keep the stored tables caught up, and has tables elsewhere.
        self._scratch = ScratchTables() if storage.is_read_only else None
        self._store = store = self._scratch or storage.tables
        self._projector = Projector(store, _projections(), self)
        super().__init__(self, store, self._projector)
        idempotency_keys = IdempotencyView(store, self._projector)
        self.planner = Planner(application, str(storage.address), clock, self._context, idempotency_keys)
        self._executor = Executor(self.planner, application)
        self.sessions = Sessions(self, policy)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        policy: Policy | None = None,
        create: bool = True,
        synchronous: str = "FULL",
        lock_timeout_s: float = DEFAULT_LOCK_TIMEOUT_S,
        clock: Clock = system_clock,
        read_only: bool = False,
    ) -> Self:
        """Open a journal.

        Args:
            url: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``memory://``, or
                ``postgresql://user@host/database`` with the extra ``postgres``; the schema is ``muniment``, or
                another with ``?schema=NAME``.
            policy: what is permitted beyond the laws; nothing by default.
            create: whether a missing journal is made.
            synchronous: ``FULL``: an acknowledged event survives a power cut. ``NORMAL``: the last ones may not, and
                writing is faster.
            lock_timeout_s: how long to wait for other processes that write, in seconds.
            clock: tells the time, UTC, in ms since 1970.
            read_only: no event and no table is written, and nothing need be permitted but reading. Commands that
                append raise ``JournalReadOnly``. The tables are made anew from the events, in a temporary file, when
                the first of them is read. SQLite leaves its ``-wal`` and ``-shm`` beside a file, where it may.

        Raises:
            InvalidArgument: the URL or a setting makes no sense.
            JournalNotFound: it is missing, and ``create`` is false.
            NotAJournal: the file is something else.
            NewerSchema: a newer Muniment wrote it.
            JournalDamaged: its storage is damaged.
            JournalLocked: another process kept it locked.
            JournalReadOnly: nobody may write it; open it to be read only.
            JournalUnavailable: it cannot be read or written.
        """
        storage = open_storage(
            Address.parse(url),
            create=create,
            lock_timeout_s=lock_timeout_s,
            synchronous=synchronous,
            read_only=read_only,
        )
        try:
            return cls(storage, policy or Policy(), clock)
        except BaseException:
            storage.close()
            raise

    @property
    def url(self) -> str:
        """The address that it was opened with; a password is not shown."""
        return self._storage.address.url

    def close(self) -> None:
        """Close the journal, and what follows or projects it. Whatever is asked of it then raises ``JournalClosed``."""
        self._is_closed = True
        for each in list(self._running):
            each.stop()
        self._storage.close(JournalClosed(self.url))
        if self._scratch is not None:
            self._scratch.close(JournalClosed(self.url))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def context(
        self,
        *,
        actor: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        idempotency_key: str | None = None,
        tick: int | None = None,
    ) -> AbstractContextManager[None]:
        """Give everything that is appended in a ``with`` block this metadata. Blocks nest, per thread and task.

        Args:
            actor: on whose behalf.
            correlation_id: the conversation or request that it belongs to.
            causation_id: what caused it.
            idempotency_key: a key for one command. The same command with the same arguments under the same key
                answers what it answered first, and appends nothing; with other arguments it is a conflict. A command
                that was refused does not use its key. Two commands on different streams that come at the very same
                moment under one key may both be accepted: keys tell repeats, they are not a lock.
            tick: the embedding runtime's own logical clock.

        Raises:
            InvalidIdentifier, InvalidArgument
        """
        return self._context.changed(
            actor=actor,
            correlation_id=correlation_id,
            causation_id=causation_id,
            idempotency_key=idempotency_key,
            tick=tick,
        )

    def execute(self, stream: str, command: Callable[..., Decision[ResultT]], *arguments: object) -> ResultT:
        """Decide a command on the state of a stream, and append what it comes to, all of it or nothing.

        Args:
            stream: the stream's name, such as ``session-s-42``.
            command: a pure function of the state and the arguments.
            arguments: what it takes beyond the state.

        Returns:
            What the command answers.

        Raises:
            CommandRefused: the state does not permit it.
            IdempotencyConflict: the context's key was used for something else.
            ConcurrencyConflict: other writers were faster at every attempt.
            JournalError: the storage failed; nothing was appended.
        """
        return self._executor.execute(stream, command, arguments)

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        """Bring a stream's state up to date, and look at it.

        Args:
            stream: the stream's name.
            view: copies out of the state what the caller needs.
        """
        return self._executor.read_state(stream, view)

    def at(self, *, position: int | None = None, time: int | datetime | None = None) -> Projections:
        """The tables as they were.

        Args:
            position: as of this position; 0 is before the first event.
            time: as of this time: UTC ms since 1970, or a ``datetime`` that knows its time zone.

        Raises:
            UnknownPosition: the journal has not reached the position.
            InvalidArgument: neither or both are given, or the time has no time zone.
        """
        if (position is None) == (time is None):
            raise InvalidArgument("at", "takes either a position or a time")
        if time is not None:
            position = self.timeline.position_at(to_ms(time))
        elif not isinstance(position, int) or isinstance(position, bool):
            raise InvalidArgument("position", f"must be an integer, not {type(position).__name__}")
        elif position < 0 or position > self.head():
            raise UnknownPosition(position, self.head())
        return Projections(self, self._store, self._projector, position)

    def head(self) -> int:
        """The last position; 0 when nothing was appended yet."""
        return self.application.recorder.max_notification_id() or 0

    def record(self, position: int) -> RecordedEvent:
        """Read the record at a position.

        Raises:
            UnknownPosition: there is none.
            UnknownEventType, DamagedRecord: it cannot be decoded.
        """
        if not 1 <= position <= self.head():
            raise UnknownPosition(position, self.head())
        for record in self.read(position - 1, 1):
            if record.position == position:
                return record
        raise UnknownPosition(position, self.head())

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[RecordedEvent]:
        """Read records of all streams, by position.

        Args:
            after: begin behind this position.
            limit: at most so many.

        Raises:
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
            InvalidArgument: a number is negative, or too large for any journal.
        """
        natural_number("after", after)
        size = PAGE_SIZE if limit is None else min(natural_number("limit", limit), PAGE_SIZE)
        if size:
            rows = chain.from_iterable(self.application.recorder.pages(after, size=size))
            yield from map(decode, rows if limit is None else islice(rows, limit))

    def read_stream(
        self,
        stream: str,
        after: int = 0,
        *,
        newest_first: bool = False,
        limit: int | None = None,
        behind: int = 0,
        through: int | None = None,
    ) -> Iterator[RecordedEvent]:
        """Read one stream's records, by version.

        Args:
            stream: the stream's name.
            after: only those behind this version.
            newest_first: whether to begin with the last.
            limit: at most so many.
            behind: only those behind this position of the journal.
            through: only those up to this position of the journal.

        Raises:
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
            InvalidArgument: a number is negative, or too large for any journal.
        """
        for name, value in (("after", after), ("limit", limit), ("behind", behind), ("through", through)):
            if value is not None:
                natural_number(name, value)
        stored = self.application.recorder.select_events(
            text("stream", stream), gt=after, desc=newest_first, limit=limit, behind=behind, through=through
        )
        yield from map(self.application.mapper.to_domain_event, stored)

    def follow(self, after: int = 0, types: Collection[str] = ()) -> Following:
        """Yield records as they are committed, by this process or another, beginning with those that are there.

        Args:
            after: begin behind this position; ``journal.head()`` for new ones only.
            types: only records of these types, such as ``session.closed.v1``; all if there are none.

        Returns:
            An endless iterator, to be used in a ``with`` block. Closing the journal ends it too.

        Raises:
            InvalidArgument: a type or the position makes no sense.
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
            JournalUnavailable: when the server is lost; follow again, behind the last record that was yielded.
        """
        natural_number("after", after)
        self.head()  # so that a closed journal says so here, and not in the thread that reads
        following = Following(self.application.recorder, self.application.mapper, after, types)
        self._keep(following)
        return following

    def project(self) -> Projecting:
        """Keep the tables caught up in the background, so that those who read find little to do.

        Returns:
            What does it, to be used in a ``with`` block; it says how each projection fares. Closing the journal ends
            it too.
        """
        self.head()  # so that a closed journal says so here, and not in the thread
        projecting = Projecting(self._projector, self.head, self.application.recorder.changes)
        self._keep(projecting)
        return projecting

    def catch_up(self, progress: Progress | None = None) -> int:
        """Bring the tables up to the journal's end now. A read does that too, but says nothing while it takes long.

        Args:
            progress: called with the position reached and the position aimed for.

        Returns:
            The position reached.

        Raises:
            UnknownEventType, DamagedRecord: a record cannot be read.
        """
        head = self.head()
        self._projector.advance(head, progress)
        return head

    def replay(self, progress: Progress | None = None) -> RebuildReport:
        """Make every table anew from the first event, and compare it with what stood before.

        Args:
            progress: called with the position reached and the position aimed for.

        Raises:
            ProjectionStopped, UnknownEventType, DamagedRecord: an event cannot be folded; the tables stay as they were.
            JournalReadOnly: the journal was opened to be read only.
        """
        if self._storage.is_read_only:
            raise JournalReadOnly(self.url)
        return self._projector.rebuild(progress)

    def verify(self, progress: Progress | None = None) -> VerificationReport:
        """Check the storage, every record, laws 1 and 4 over the whole past, and the tables; write nothing.

        Args:
            progress: called with how much is done, and how much there is.

        Returns:
            What was found, each with its layer and position.
        """
        return verify(self._storage, _projections(), progress)

    def backup(self, path: str | Path) -> int:
        """Copy the journal to a file while it is in use, as it is at one moment, and check the copy.

        The copy is a journal in an SQLite file, also where the original is on a server.

        Args:
            path: where to; nothing may be there.

        Returns:
            The copy's last position.

        Raises:
            JournalNotEmpty: something is there.
            JournalUnavailable: it cannot be written, or the copy is damaged.
        """
        return self._storage.backup(Path(path))

    def export(self, progress: Progress | None = None) -> Iterator[bytes]:
        """Write every event as a line of JSON, a CloudEvent of version 1.0.

        Args:
            progress: called with the position reached and the position aimed for.

        Raises:
            DamagedRecord: when a row that is no record is reached.
        """
        return to_lines(self.application.recorder, progress)

    def import_export(self, lines: Iterable[bytes | str]) -> int:
        """Append what ``export`` wrote, to an empty journal: the same positions, ids, times. All of it, or nothing.

        Returns:
            How many events were appended.

        Raises:
            InvalidExport: a line is no event, or not the one that comes next.
            JournalNotEmpty: the journal holds events already.
            JournalReadOnly: the journal was opened to be read only.
        """
        return self._storage.import_events(from_lines(lines))

    def _keep(self, running: Running) -> None:
        """Have it stopped when the journal is closed, which may be happening now."""
        self._running.add(running)
        if self._is_closed:
            running.stop()
            raise JournalClosed(self.url)

    def __repr__(self) -> str:
        return f"<Journal {self.url}>"


def _projections() -> tuple[Projection, ...]:
    """Every projection, made anew: some remember where they stand, and are for one projector."""
    return OwnersProjection(), WitnessesProjection(), TimelineProjection(), IdempotencyProjection()
