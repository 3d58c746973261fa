"""Following a journal: records as they are committed, by this process or another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eventsourcing.persistence import Notification as StoredNotification

from ..domain import RecordedEvent
from .filtering import RecordFilter
from .storage.commits import Listener, Running
from .storage.mapper import EventMapper
from .storage.recording import PositionedRecorder


class Following(Running, Iterator[RecordedEvent]):
    """An endless iterator of records; use it in a ``with`` block, or ``stop`` it from any thread.

    Args:
        recorder: where events are recorded.
        mapper: decodes them.
        after: begin behind this position.
        wanted: chooses the records.
    """

    def __init__(self, recorder: PositionedRecorder, mapper: EventMapper, after: int, wanted: RecordFilter) -> None:
        self._mapper = mapper
        self._wanted = wanted
        self._subscription = recorder.subscribe(gt=after, topics=wanted.topics)

    def __next__(self) -> RecordedEvent:
        return next(self._chosen(self._subscription))

    def ready(self) -> Iterator[RecordedEvent] | None:
        """What can be had without waiting, decoded one by one; None if the iteration has ended."""
        found = self._subscription.ready()
        return None if found is None else self._chosen(found)

    def ring(self, listener: Listener) -> None:
        """Have a listener told of what is committed, and of the end, instead of waiting for it."""
        self._subscription.ring(listener)

    def tell(self) -> None:
        """Have the iteration end, also where another thread waits in it."""
        self._subscription.tell()

    def stop(self) -> None:
        """End the iteration, also where another thread waits in it."""
        self._subscription.stop()

    def _chosen(self, stored: Iterable[StoredNotification]) -> Iterator[RecordedEvent]:
        records = map(self._mapper.to_domain_event, filter(self._wanted.may_choose, stored))
        return filter(self._wanted.chooses, records)
