"""Projections, and the projector that keeps their tables caught up with the journal, exactly once."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol, TypeAlias

from eventsourcing.persistence import DataError, IntegrityError

from ..domain import Event, JournalError, MunimentError, ProjectionStopped, RecordedEvent
from .holding import Held, Locks
from .store import TemporalStore
from .table_writing import Differences, Rebuild
from .temporal import Change, Row, TemporalTable, Value

BATCH_SIZE: Final = 2_000
"""Events per transaction: the longest that appending waits for a projection is the time one batch takes to write."""

FAR_BEHIND: Final = 20_000
"""From how many events on tables that have less than half of them are rebuilt, which is faster than catching up."""

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
        return f"{self.name}.{'.'.join(table.shape for table in self.tables)}"

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
    differences: Differences


class Projector:
    """Feeds records to projections, in batches.

    A record that cannot be decoded stops all of them before it, and only for as long as it cannot. A record that one
    projection cannot handle stops that one.

    Args:
        store: where the tables are.
        projections: what they are made by.
        source: where the journal is read.
        batch_size: how many events one transaction takes.
        locks: how long threads that catch up wait for each other.

    Attributes:
        tables: every table by name, with the name of the projection that makes it.
    """

    def __init__(
        self,
        store: TemporalStore,
        projections: Sequence[Projection],
        source: Source,
        *,
        batch_size: int = BATCH_SIZE,
        locks: Locks | None = None,
    ) -> None:
        self._batch_size = batch_size
        self._store = store
        self._projections = tuple(projections)
        self.tables = {table.name: (each.name, table) for each in self._projections for table in each.tables}
        self._source = source
        self._lock = (locks or Locks("the tables")).new()
        self._reached = 0
        self._stopped: dict[str, ProjectionStopped] = {}
        self._may_rebuild = store.can_be_rebuilt
        store.create_missing({each.tracking_name: each.tables for each in self._projections})
        self._has_to_rebuild = False

    def notice_lost_events(self) -> None:
        """See whether the tables are of events that are gone, before anything is appended, which would hide it."""
        self._has_to_rebuild = self._is_ahead()

    def catch_up(self, projection: str, through: int | None = None) -> int:
        """Bring the tables up to the journal's end, or at least to a position, for one projection to be read.

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
            self.advance(goal)
        stopped = self._stopped.get(projection)
        if stopped is not None and stopped.position <= goal:
            raise stopped
        return goal

    def catch_up_all(self, through: int | None = None) -> int:
        """Bring the tables up to the journal's end, or a position, for all of them to be read; see ``catch_up``."""
        goal = self._source.head() if through is None else through
        for projection in self._projections:
            self.catch_up(projection.name, goal)
        return goal

    def advance(self, goal: int, progress: Progress | None = None) -> None:
        """Bring the tables up to a position, but for projections that are stopped.

        Raises:
            UnknownEventType, DamagedRecord: a record before the position cannot be read.
        """
        with Held(self._lock), collector_paused():
            if self._reached < goal and (self._has_to_rebuild or self._is_far_behind(goal)):
                # If a record cannot be digested, what comes before it is still to be had, batch by batch.
                self._has_to_rebuild = False
                try:
                    self._reached, _ = self._rebuild(progress, compare=False)
                except (JournalError, IntegrityError, DataError):
                    self._may_rebuild = False
            while self._reached < goal:
                self._reached = self._advance(goal, self._stopped)
                if progress is not None:
                    progress(self._reached, goal)

    def health(self) -> dict[str, tuple[int, ProjectionStopped | None]]:
        """How far each projection has come, by name, and what stopped it, if anything did."""
        positions = self._store.positions()
        return {
            each.name: (positions.get(each.tracking_name, 0), self._stopped.get(each.name))
            for each in self._projections
        }

    def rebuild(self, progress: Progress | None = None) -> RebuildReport:
        """Rebuild every table from the first event, beside the live ones, compare, and swap.

        Raises:
            ProjectionStopped, UnknownEventType, DamagedRecord
        """
        started = time.monotonic()
        with Held(self._lock), collector_paused():
            rebuilt, differences = self._rebuild(progress, compare=True)
            self._reached = rebuilt
            self._stopped.clear()
            self._may_rebuild = True
        return RebuildReport(rebuilt, time.monotonic() - started, differences)

    def _is_ahead(self) -> bool:
        """Whether the tables are of more events than there are, as somebody has deleted the last."""
        positions = self._store.positions()
        # Asked afterwards: what is appended meanwhile only moves it on.
        return max(positions.get(each.tracking_name, 0) for each in self._projections) > self._source.head()

    def _is_far_behind(self, goal: int) -> bool:
        if self._stopped or not self._may_rebuild or goal < FAR_BEHIND:
            return False
        positions = self._store.positions()
        return min(positions.get(each.tracking_name, 0) for each in self._projections) < goal // 2

    def _rebuild(self, progress: Progress | None, *, compare: bool) -> tuple[int, Differences]:
        rebuilt = 0
        if compare:
            self._catch_all_up(self._source.head())
        with self._store.rebuild() as rebuild:
            while True:
                head = self._source.head()
                while rebuilt < head:
                    rebuilt = self._rebuild_batch(rebuild, rebuilt)
                    if progress is not None:
                        progress(rebuilt, head)
                if compare:
                    # What is compared has to have come as far.
                    self._catch_all_up(rebuilt)
                # Another process may have moved the live tables on since the head was read; or they are of more events
                # than there are, as somebody has deleted the last.
                positions = {each.tracking_name: rebuilt for each in self._projections}
                is_end = self._is_ahead() and self._source.head() == rebuilt
                differences = rebuild.finish(positions, compare=compare, is_end=is_end)
                if differences is not None:
                    return rebuilt, differences

    def _catch_all_up(self, goal: int) -> None:
        """Catch up, with the projections that are stopped, which may get on by now.

        One that does not is left where it is: what is in its way may be a row of the table that is being replaced.
        """
        stopped: dict[str, ProjectionStopped] = {}
        reached = min(self._store.positions().get(each.tracking_name, 0) for each in self._projections)
        while reached < goal:
            reached = self._advance(goal, stopped)

    def _rebuild_batch(self, rebuild: Rebuild, after: int) -> int:
        self._lock.go_on()
        records = list(self._source.read(after, self._batch_size))
        for projection in self._projections:
            changes, stopped = _changes(projection, records, rebuild.current)
            if stopped is not None:
                raise stopped
            rebuild.take(changes)
        return records[-1].position

    def _advance(self, goal: int, stopped: dict[str, ProjectionStopped]) -> int:
        """Write one batch; return the position that every projection has reached or stopped before."""
        self._lock.go_on()
        active = [each for each in self._projections if each.name not in stopped]
        if not active:
            return goal
        positions = self._store.positions()
        start = min(positions.get(each.tracking_name, 0) for each in active)
        records, failure = _collect(self._source.read(start, self._batch_size))
        # Where nothing follows, there is nothing to wait for, whatever the goal was taken from.
        reached = records[-1].position if records else (goal if failure is None else start)
        if records:
            try:
                self._feed(active, records, stopped)
            except (IntegrityError, DataError):
                # One of them met a row that it cannot write; each alone tells whose it is, and where.
                for projection in active:
                    self._feed_alone(projection, records, stopped)
        if failure is not None and reached < goal:
            raise failure
        return reached

    def _feed(
        self, projections: Iterable[Projection], records: Sequence[RecordedEvent], stopped: dict[str, ProjectionStopped]
    ) -> None:
        found: dict[str, ProjectionStopped] = {}
        with self._store.write() as writer:
            # Asked again inside the transaction: another process may have written this batch meanwhile.
            positions = writer.positions()
            for projection in projections:
                position = positions.get(projection.tracking_name, 0)
                pending = [record for record in records if record.position > position]
                changes, error = _changes(projection, pending, writer.current)
                reached = records[-1].position
                if error is not None:
                    found[projection.name] = error
                    reached = error.position - 1
                if reached > position:
                    writer.apply(changes)
                    writer.track(projection.tracking_name, reached)
        # Only now is what came before the stop there to stay.
        stopped.update(found)

    def _feed_alone(
        self, projection: Projection, records: Sequence[RecordedEvent], stopped: dict[str, ProjectionStopped]
    ) -> None:
        """Feed one projection; stop it before the first record whose rows cannot be written."""
        if projection.name in stopped:
            return
        try:
            self._feed([projection], records, stopped)
        except (IntegrityError, DataError) as error:
            if len(records) > 1:
                middle = len(records) // 2
                self._feed_alone(projection, records[:middle], stopped)
                self._feed_alone(projection, records[middle:], stopped)
            else:
                stopped[projection.name] = _stopped(projection, records[0], error)


def _changes(
    projection: Projection, records: Sequence[RecordedEvent], current: CurrentRow
) -> tuple[list[tuple[int, Change]], ProjectionStopped | None]:
    """What the records set and unset, up to one that cannot be handled."""
    changes: list[tuple[int, Change]] = []
    handle = projection.handle
    projection.resume(current)
    for record in records:
        try:
            for change in handle(record):
                changes.append((record.position, change))
        except Exception as error:  # whatever a projection does wrong must not stop the others
            return [each for each in changes if each[0] < record.position], _stopped(projection, record, error)
    return changes, None


def _stopped(projection: Projection, record: RecordedEvent, error: Exception) -> ProjectionStopped:
    stopped = ProjectionStopped(projection.name, record.position, f"{type(error).__name__}: {error}")
    stopped.__cause__ = error
    return stopped


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
