"""Projections, and the projector that keeps their tables caught up with the journal, exactly once."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol, TypeAlias

from eventsourcing.sqlite import SQLiteCursor

from ..domain import Event, JournalError, MunimentError, ProjectionStopped, RecordedEvent
from .temporal import Change, Row, TemporalStore, TemporalTable, Value

BATCH_SIZE: Final = 2_000
"""Events per transaction: the longest that appending waits for a projection is the time one batch takes to write."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the position reached and the position aimed for."""

CurrentRow: TypeAlias = Callable[[TemporalTable, tuple[Value, ...]], Row | None]
"""Reads one row as it is before the batch at hand."""


class Projection:
    """Says which facts an event sets or unsets. Its tables keep their history.

    A subclass names its tables, and either maps event types to functions in ``handlers`` or overrides ``handle``.
    """

    name: ClassVar[str]
    tables: ClassVar[tuple[TemporalTable, ...]]
    handlers: ClassVar[dict[type[Event[Any]], Callable[[Any], Iterable[Change]]]] = {}

    @property
    def tracking_name(self) -> str:
        """The name under which its progress is kept; a table of a new version starts from the first event."""
        return f"{self.name}.{'.'.join(f'v{table.version}' for table in self.tables)}"

    def resume(self, current: CurrentRow) -> None:
        """Read what ``handle`` needs of the tables, before each batch. Most projections need nothing."""

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Say what a record sets and unsets."""
        handler = self.handlers.get(type(record.event))
        return handler(record.event) if handler is not None else ()


class Source(Protocol):
    """Where the projector reads the journal."""

    def head(self) -> int:
        """The last position; 0 when there is none."""

    def read(self, after: int, limit: int) -> Iterator[RecordedEvent]:
        """Decode records one by one, from the one behind ``after``."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild did.

    Attributes:
        events: how many events were folded.
        seconds: how long it took.
        differences: rows that were not as they had stood, by table: ``missing`` or ``added``, and the row.
    """

    events: int
    seconds: float
    differences: dict[str, list[tuple[str, Row]]]


class Projector:
    """Feeds records to projections, in batches.

    A record that cannot be decoded stops all of them before it, and only for as long as it cannot. A record that one
    projection cannot handle stops that one.
    """

    def __init__(
        self,
        store: TemporalStore,
        projections: Sequence[Projection],
        source: Source,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self._batch_size = batch_size
        self._store = store
        self._projections = tuple(projections)
        self._source = source
        self._lock = threading.Lock()
        self._reached = 0
        self._stopped: dict[str, ProjectionStopped] = {}
        store.create_missing({each.tracking_name: each.tables for each in self._projections})

    def catch_up(self, projection: str, through: int | None = None) -> int:
        """Bring the tables up to the journal's end, or at least to a position.

        Args:
            projection: the name of the projection that is about to be read.
            through: the position that must be reached; None for the journal's end.

        Returns:
            The position reached.

        Raises:
            ProjectionStopped: that projection cannot pass a record before the position.
            UnknownEventType, DamagedRecord: a record before the position cannot be read.
        """
        goal = self._source.head() if through is None else through
        if self._reached < goal:
            with self._lock, collector_paused():
                while self._reached < goal:
                    self._reached = self._advance(goal)
        stopped = self._stopped.get(projection)
        if stopped is not None and stopped.position <= goal:
            raise stopped
        return goal

    def rebuild(self, progress: Progress | None = None) -> RebuildReport:
        """Make every table anew from the first event, beside the live ones, compare, and swap.

        Raises:
            ProjectionStopped, UnknownEventType, DamagedRecord
        """
        started = time.monotonic()
        with self._lock, collector_paused():
            self._stopped.clear()
            suffix = self._store.begin_rebuild()
            try:
                rebuilt, differences = self._rebuild(suffix, progress)
            except BaseException:
                self._store.drop_rebuild(suffix)
                raise
        return RebuildReport(rebuilt, time.monotonic() - started, differences)

    def _rebuild(self, suffix: str, progress: Progress | None) -> tuple[int, dict[str, list[tuple[str, Row]]]]:
        rebuilt = 0
        while True:
            head = self._source.head()
            while self._reached < head:
                self._reached = self._advance(head)
            for stopped in self._stopped.values():
                raise stopped
            while rebuilt < head:
                rebuilt = self._rebuild_batch(rebuilt, suffix)
                if progress is not None:
                    progress(rebuilt, head)
            with self._store.write() as cursor:
                # Another process may have moved the live tables on since the head was read.
                if all(self._position(each, cursor) == rebuilt for each in self._projections):
                    return rebuilt, self._store.finish_rebuild(cursor, suffix)

    def _advance(self, goal: int) -> int:
        """Write one batch; return the position that every projection has reached or stopped before."""
        active = [each for each in self._projections if each.name not in self._stopped]
        if not active:
            return goal
        start = min(self._position(each) for each in active)
        records, failure = _collect(self._source.read(start, self._batch_size))
        reached = records[-1].position if records else start
        if records:
            with self._store.write() as cursor:
                for projection in active:
                    self._feed(cursor, projection, records)
        if failure is not None and reached < goal:
            raise failure
        return reached

    def _feed(self, cursor: SQLiteCursor, projection: Projection, records: Sequence[RecordedEvent]) -> None:
        # Asked again inside the transaction: another process may have written this batch meanwhile.
        position = self._position(projection, cursor)
        pending = [record for record in records if record.position > position]
        changes, reached = self._changes(cursor, projection, pending)
        if reached > position:
            self._store.apply(cursor, changes)
            self._store.track(cursor, projection.tracking_name, reached)

    def _changes(
        self, cursor: SQLiteCursor, projection: Projection, records: Sequence[RecordedEvent], suffix: str = ""
    ) -> tuple[list[tuple[int, Change]], int]:
        """What the records set and unset, and the last position that could be handled."""
        changes: list[tuple[int, Change]] = []
        reached = 0
        projection.resume(lambda table, key: self._store.current(cursor, table, key, suffix))
        for record in records:
            try:
                for change in projection.handle(record):
                    changes.append((record.position, change))
            except Exception as error:  # whatever a projection does wrong must not stop the others
                problem = f"{type(error).__name__}: {error}"
                stopped = ProjectionStopped(projection.name, record.position, problem)
                stopped.__cause__ = error
                self._stopped[projection.name] = stopped
                break
            reached = record.position
        return changes, reached

    def _rebuild_batch(self, after: int, suffix: str) -> int:
        records = list(self._source.read(after, self._batch_size))
        with self._store.write() as cursor:
            for projection in self._projections:
                changes, _ = self._changes(cursor, projection, records, suffix)
                if (stopped := self._stopped.get(projection.name)) is not None:
                    raise stopped
                self._store.apply(cursor, changes, suffix=suffix)
        return records[-1].position

    def _position(self, projection: Projection, cursor: SQLiteCursor | None = None) -> int:
        return self._store.position(projection.tracking_name, cursor)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from walking what is just being made; that is a fifth of the time, or far more."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _collect(records: Iterator[RecordedEvent]) -> tuple[list[RecordedEvent], MunimentError | None]:
    """Read as far as records can be decoded; what is before a bad one is still good."""
    collected: list[RecordedEvent] = []
    try:
        for record in records:
            collected.append(record)
    except JournalError as error:
        return collected, error
    return collected, None
