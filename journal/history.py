"""One stream's past: what was undone in it, what stands on what, and how it stood before any event."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..domain import RecordedEvent
from ..domain.compensation import changes, stands_on
from .streams import new_state


class StreamHistory:
    """A stream's records, and the state that they add up to.

    Args:
        stream: the stream's name.
        records: all of them, from version 1.

    Attributes:
        state: the state now; undoing moves it on.
        version: the last version.
        recorded_at: when the last event was recorded, in ms.
        undone_by: for every event that was undone, and is, the id of the event that undid it.
    """

    def __init__(self, stream: str, records: list[RecordedEvent]) -> None:
        self._records = records
        self.stream = stream
        self.version = records[-1].version if records else 0
        self.recorded_at = records[-1].metadata.recorded_at if records else 0
        self.undone_by: dict[str, str] = {}
        for record in reversed(records):
            if record.id not in self.undone_by:
                self.undone_by.update(dict.fromkeys(record.metadata.compensates or (), record.id))
        self.state: Any = new_state(stream)
        for record in records:
            self.state.apply(record.event)

    def standing_before(self, versions: Collection[int]) -> dict[int, dict[str, Any]]:
        """How the stream stood before each of these versions."""
        found: dict[int, dict[str, Any]] = {}
        state = new_state(self.stream)
        for record in self._records:
            if record.version in versions:
                found[record.version] = state.standing()
            state.apply(record.event)
        return found

    def latest_that_stands_on(self, record: RecordedEvent, gone: Collection[str]) -> RecordedEvent | None:
        """The latest event, of those that hold, that stands on this one.

        Args:
            record: an event of this stream.
            gone: ids of events that are about to be undone first.
        """
        changed = changes(record.event)
        later: RecordedEvent
        for later in reversed(self._records[record.version :]):
            if later.id in gone or later.id in self.undone_by or self._undoes_only_after(later, record):
                continue
            if stands_on(later.event, changed):
                return later
        return None

    def _undoes_only_after(self, later: RecordedEvent, record: RecordedEvent) -> bool:
        """Whether an event only undid what came after another one, so that the two are as if they had not been."""
        undone = later.metadata.compensates
        return undone is not None and all(_version(each) > record.version for each in undone)


def _version(event_id: str) -> int:
    return int(event_id.rpartition("@")[2])
