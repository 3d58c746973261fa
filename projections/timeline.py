"""The timeline: which position the journal had reached at a time."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..domain import InvalidArgument, RecordedEvent
from ..domain.identifiers import integer
from ..domain.shown import shown
from .audit import Events
from .projection import CurrentRow, Projection, Projector
from .stamps import STEP_MS, Stamp, Stamps
from .store import TemporalStore
from .temporal import FOREVER, Change, Row, Set, TemporalTable
from .views import TableReader, readable

_KEY = ("latest",)

TIMELINE = TemporalTable(
    name="timeline",
    version=1,
    key={"clock": str},
    columns={"recorded_at": int},
    lookup=("recorded_at",),
)

CLOCK_STEPS = TemporalTable(name="clock_steps", version=1, key={"clock": str}, columns={"lowest": int})
"""The lowest stamp that is more than an hour below one before it: from there up, stamps are in doubt."""


class TimelineProjection(Projection):
    """Keeps the latest stamp so far, a running maximum, and how far back clocks have stepped.

    While they have not stepped back by more than an hour, the running maximum says all. Otherwise the view sets the
    fewest stamps aside when it is asked.
    """

    name = "timeline"
    tables = (TIMELINE, CLOCK_STEPS)

    def __init__(self) -> None:
        self._latest = -1
        self._lowest = FOREVER

    def resume(self, current: CurrentRow) -> None:
        """Read the latest stamp so far, and the lowest after a step back."""
        latest, lowest = current(TIMELINE, _KEY), current(CLOCK_STEPS, _KEY)
        self._latest = -1 if latest is None else latest[1]
        self._lowest = FOREVER if lowest is None else lowest[1]

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Set the latest stamp if this record's is later, and the lowest if it is lower after a step back."""
        recorded_at = record.metadata.recorded_at
        if recorded_at > self._latest:
            self._latest = recorded_at
            return (Set(TIMELINE, _KEY, (recorded_at,)),)
        if recorded_at < self._latest - STEP_MS and recorded_at < self._lowest:
            self._lowest = recorded_at
            return (Set(CLOCK_STEPS, _KEY, (recorded_at,)),)
        return ()


class TimelineView(TableReader):
    """Finds positions by time, and times by position.

    Stamps that no clock can have told are set aside: the fewest without which none steps back by more than an hour. A
    stamp that only repeats its stream's last counts with that one.

    Args:
        events: where stamps that are in doubt are read.
        store: the tables.
        projector: what keeps them caught up.
        position: the position to read as of; None for now.
    """

    _table = TIMELINE
    _projection = TimelineProjection.name

    def __init__(self, events: Events, store: TemporalStore, projector: Projector, position: int | None = None) -> None:
        super().__init__(store, projector, position)
        self._events = events
        self._doubts = _Doubts(events, 0)
        # A signal handler may come here while its thread is here.
        self._lock = threading.RLock()

    def position_at(self, time_ms: int) -> int:
        """The position as of a time.

        Args:
            time_ms: UTC, in ms since 1970.

        Returns:
            The greatest position such that every event up to it was recorded at or before the time, but for those whose
            stamps are set aside; 0 if there is none. A journal read as of an earlier position knows no later ones.

        Raises:
            InvalidArgument: it is no integer.
        """
        time_ms = _integer("time_ms", time_ms)
        head = self._catch_up()
        position = self._position_by_all(time_ms, head)
        with self._in_doubt(head) as doubts:
            if doubts is None or position < doubts.after:
                return position
            return doubts.position_at(time_ms, head)

    def latest_at(self, position: int) -> int | None:
        """The latest time at which any event up to a position was recorded, in ms; None before the first event.

        Stamps that are set aside do not count.

        Raises:
            InvalidArgument: it is no integer.
        """
        position = _integer("position", position)
        head = self._catch_up()
        position = max(0, min(position, FOREVER - 1))
        with self._in_doubt(head) as doubts:
            row = self._store.get(TIMELINE, position if doubts is None else min(position, doubts.after), _KEY)
            latest = None if row is None else _time_of(row)
            if doubts is None or position <= doubts.after:
                return latest
            return doubts.latest_at(position, -1 if latest is None else latest)

    def greatest(self) -> int:
        """The greatest stamp of all, in ms, set aside or not; -1 before the first event."""
        row = self._store.get(TIMELINE, self._catch_up(), _KEY)
        return -1 if row is None else _time_of(row)

    def set_aside(self) -> tuple[Stamp, ...]:
        """The stamps that are set aside, by position; those that repeat one of them count with it."""
        head = self._catch_up()
        with self._in_doubt(head) as doubts:
            return () if doubts is None else doubts.stamps.set_aside()

    def _position_by_all(self, time_ms: int, head: int) -> int:
        """The position as of a time, no stamp set aside."""
        until = self._store.last_until(TIMELINE, "recorded_at", max(-1, min(time_ms, FOREVER)))
        if until is None:
            return 0
        return head if until == FOREVER else min(until - 1, head)

    @contextmanager
    def _in_doubt(self, head: int) -> Iterator[_Doubts | None]:
        """The stamps that are in doubt, for a block that looks at them; None if none is."""
        row = self._store.get(CLOCK_STEPS, head, _KEY)
        if row is None:
            yield None
            return
        # What is no more than an hour above the lowest contradicts nothing that came later.
        after = self._position_by_all(int(row[1]) + STEP_MS, head)
        with self._lock:
            # Put back only when all went well: what an error or an interrupt left half read is read again.
            doubts, self._doubts = self._doubts, _Doubts(self._events, 0)
            if doubts.after != after or doubts.through > head:
                doubts = _Doubts(self._events, after)
            doubts.read(head)
            yield doubts
            self._doubts = doubts


class _Doubts:
    """The stamps behind a position, of which some have to be set aside.

    Args:
        events: where they are read.
        after: the position.
    """

    def __init__(self, events: Events, after: int) -> None:
        self.after = after
        self.through = after
        self.stamps = Stamps()
        self._events = events
        self._last: dict[str, int] = {}
        self._positions: list[int] = []
        self._latest: list[int] = []

    def read(self, through: int) -> None:
        """Read on, up to a position."""
        if through <= self.through:
            return
        for record in self._events.read(self.through, through - self.through):
            recorded_at = record.metadata.recorded_at
            if recorded_at != self._last_of(record):
                self.stamps.take(Stamp(record.position, recorded_at))
            self._last[record.stream] = recorded_at
        self.through = through
        self._positions, self._latest, latest = [], [], -1
        for stamp in reversed(list(self.stamps.newest_kept())):
            if stamp.recorded_at > latest:
                latest = stamp.recorded_at
                self._positions.append(stamp.position)
                self._latest.append(latest)

    def position_at(self, time_ms: int, head: int) -> int:
        """The position before the first stamp that is kept and later than a time."""
        index = bisect_right(self._latest, time_ms)
        return self._positions[index] - 1 if index < len(self._positions) else head

    def latest_at(self, position: int, before: int) -> int:
        """The latest stamp that is kept, up to a position."""
        index = bisect_right(self._positions, position)
        return max(before, self._latest[index - 1]) if index else before

    def _last_of(self, record: RecordedEvent) -> int | None:
        """The stamp of the event that one follows in its stream."""
        if record.version == 1:
            return None
        if record.stream not in self._last:
            for earlier in self._events.read_stream(record.stream, newest_first=True, limit=1, through=self.after):
                return earlier.metadata.recorded_at
        return self._last.get(record.stream)


def _time_of(row: Row) -> int:
    """The time that a row of the timeline tells.

    Raises:
        ProjectionStopped: somebody put there what is no time.
    """
    with readable(TimelineProjection.name, TIMELINE, row):
        return int(row[1])


def _integer(argument: str, value: object) -> int:
    given = integer(value)
    if given is None:
        raise InvalidArgument(argument, f"must be an integer, not {shown(value)}")
    return given
