"""The timeline: which position the journal had reached at a time."""

from __future__ import annotations

from collections.abc import Iterable

from ..domain import InvalidArgument, RecordedEvent
from ..domain.identifiers import integer
from ..domain.shown import shown
from .projection import CurrentRow, Projection
from .temporal import FOREVER, Change, Set, TemporalTable
from .views import TableReader

_KEY = ("latest",)

TIMELINE = TemporalTable(
    name="timeline",
    version=1,
    key={"clock": str},
    columns={"recorded_at": int},
    lookup=("recorded_at",),
)


class TimelineProjection(Projection):
    """Keeps the latest time recorded so far: a running maximum, so it is monotone whatever clocks do."""

    name = "timeline"
    tables = (TIMELINE,)

    def __init__(self) -> None:
        self._latest = -1

    def resume(self, current: CurrentRow) -> None:
        """Read the latest time so far."""
        row = current(TIMELINE, _KEY)
        self._latest = -1 if row is None else row[1]

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Set the latest time if this record is later."""
        recorded_at = record.metadata.recorded_at
        if recorded_at <= self._latest:
            return ()
        self._latest = recorded_at
        return (Set(TIMELINE, _KEY, (recorded_at,)),)


class TimelineView(TableReader):
    """Finds positions by time, and times by position."""

    table = TIMELINE
    projection = TimelineProjection.name

    def position_at(self, time_ms: int) -> int:
        """The position as of a time.

        Args:
            time_ms: UTC, in ms since 1970.

        Returns:
            The greatest position such that every event up to it was recorded at or before the time; 0 if there is
            none. A journal read as of an earlier position knows no later ones.

        Raises:
            InvalidArgument: it is no integer.
        """
        time_ms = _integer("time_ms", time_ms)
        head = self._catch_up()
        until = self._store.last_until(TIMELINE, "recorded_at", max(-1, min(time_ms, FOREVER)))
        if until is None:
            return 0
        return head if until == FOREVER else min(until - 1, head)

    def latest_at(self, position: int) -> int | None:
        """The latest time at which any event up to a position was recorded, in ms; None before the first event.

        Raises:
            InvalidArgument: it is no integer.
        """
        position = _integer("position", position)
        self._catch_up()
        row = self._store.get(TIMELINE, max(0, min(position, FOREVER - 1)), _KEY)
        return None if row is None else int(row[1])


def _integer(argument: str, value: object) -> int:
    given = integer(value)
    if given is None:
        raise InvalidArgument(argument, f"must be an integer, not {shown(value)}")
    return given
