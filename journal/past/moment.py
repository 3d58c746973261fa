"""The journal as it was at one position."""

from __future__ import annotations

from ...domain import RecordedEvent, UnknownPosition
from ...projections import Events, Projector, TemporalStore
from ..tables import Projections


class Moment(Projections):
    """The tables, sessions, bundles and conversations as they were at one position. Nothing can be written by it.

    Attributes:
        position: the position; 0 before the first event.
        notes: how it was found, where what was said left that open: which zone a time was read in, or that it is before
            the first event.
    """

    position: int

    def __init__(
        self, events: Events, store: TemporalStore, projector: Projector, position: int, notes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(events, store, projector, position)
        self.notes = notes

    @property
    def event(self) -> RecordedEvent | None:
        """The record at the position; None at 0.

        Raises:
            UnknownPosition: somebody deleted it.
            UnknownEventType, DamagedRecord: it cannot be decoded.
        """
        return self._events.record(self.position) if self.position else None

    @property
    def time(self) -> int | None:
        """The latest time at which any event up to here was recorded, in ms; None at 0."""
        return self.timeline.latest_at(self.position)

    def previous(self) -> Moment:
        """The moment one event earlier.

        Raises:
            UnknownPosition: nothing is before the first event.
        """
        return self._moved(self.position - 1)

    def next(self) -> Moment:
        """The moment one event later.

        Raises:
            UnknownPosition: it is the journal's last.
        """
        return self._moved(self.position + 1)

    def _moved(self, position: int) -> Moment:
        head = self._events.head()
        if not 0 <= position <= head:
            raise UnknownPosition(position, head)
        return Moment(self._events, self._store, self._projector, position)

    def __repr__(self) -> str:
        return f"<Moment: position {self.position}>"
