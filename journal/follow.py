"""Following a journal: records as they are committed, by this process or another."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..domain import CATALOGUE, InvalidArgument, RecordedEvent
from ..domain.bounds import MAX_PARTS
from ..domain.identifiers import plain_text
from ..domain.shown import shown
from ..domain.value import several
from .storage.commits import Listener, Running
from .storage.mapper import EventMapper
from .storage.recording import PositionedRecorder


class Following(Running, Iterator[RecordedEvent]):
    """An endless iterator of records; use it in a ``with`` block, or ``stop`` it from any thread.

    Args:
        recorder: where events are recorded.
        mapper: decodes them.
        after: begin behind this position.
        types: only records of these types; all if there are none.
    """

    def __init__(self, recorder: PositionedRecorder, mapper: EventMapper, after: int, types: Collection[str]) -> None:
        wanted = {plain_text(each) for each in several("types", types, MAX_PARTS)}
        # What an older Muniment stored is of the same type, under an older name.
        topics = {name for each in wanted for name in _stored_names(each)}
        self._mapper = mapper
        self._subscription = recorder.subscribe(gt=after, topics=sorted(topics))

    def __next__(self) -> RecordedEvent:
        return self._mapper.to_domain_event(next(self._subscription))

    def ready(self) -> Iterator[RecordedEvent] | None:
        """What can be had without waiting, decoded one by one; None if the iteration has ended."""
        found = self._subscription.ready()
        return None if found is None else map(self._mapper.to_domain_event, found)

    def ring(self, listener: Listener) -> None:
        """Have a listener told of what is committed, and of the end, instead of waiting for it."""
        self._subscription.ring(listener)

    def tell(self) -> None:
        """Have the iteration end, also where another thread waits in it."""
        self._subscription.tell()

    def stop(self) -> None:
        """End the iteration, also where another thread waits in it."""
        self._subscription.stop()


def _stored_names(type_name: str) -> tuple[str, ...]:
    try:
        return CATALOGUE.stored_names(type_name)
    except (KeyError, ValueError):
        raise InvalidArgument("types", f"must be names of event types; {shown(type_name)} is none") from None
