"""Streams in memory: the state of each, moved forward by what is appended, and read from the disk only when needed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from ..domain import Event, InvalidIdentifier, RecordedEvent
from ..domain.session import SessionState, session_of

CAPACITY: Final = 10_000
"""How many streams are kept in memory; the one unused for longest makes room."""


class State(Protocol):
    """What a stream's events add up to."""

    def apply(self, event: Event[Any]) -> None:
        """Take one event in."""


_STATES: Final[dict[str, Callable[[str], State]]] = {"session": SessionState}


class Stream:
    """One stream as far as it is known here. It may be behind, which the append finds out.

    Attributes:
        name: the stream's name, ``<kind>-<id>``.
        lock: held while a command is decided and appended, so that threads do not race each other.
        state: what the events up to ``version`` add up to.
        version: the version of the last event known.
        recorded_at: when that event was recorded, in ms.
    """

    __slots__ = ("lock", "name", "recorded_at", "state", "version")

    def __init__(self, name: str) -> None:
        kind, _, identity = name.partition("-")
        if kind not in _STATES:
            raise InvalidIdentifier("stream", f"must begin with one of {', '.join(sorted(_STATES))}, not {name!r}")
        self.name = name
        self.lock = threading.Lock()
        self.state = _STATES[kind](identity)
        self.version = 0
        self.recorded_at = 0

    def advance(self, records: Iterable[RecordedEvent]) -> None:
        """Take in events that follow the last known one."""
        for record in records:
            self.state.apply(record.event)
            self.version = record.version
            self.recorded_at = record.metadata.recorded_at


def belongs(record: RecordedEvent) -> bool:
    """Whether a record stands in the stream that its event is about."""
    session_id = session_of(record.event)
    kind, _, identity = record.stream.partition("-")
    return kind in _STATES and record.type.startswith(f"{kind}.") and session_id in (None, identity)


class StreamCache:
    """The streams used last. Dropping one is always safe: it is read again."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, Stream] = OrderedDict()
        self._lock = threading.Lock()

    def drop(self, stream: Stream) -> None:
        """Forget a stream; it begins empty the next time."""
        with self._lock:
            if self._streams.get(stream.name) is stream:
                del self._streams[stream.name]

    def get(self, name: str) -> Stream:
        """The stream of this name; one that was not used lately begins empty, behind its events."""
        with self._lock:
            stream = self._streams.get(name)
            if stream is None:
                stream = self._streams[name] = Stream(name)
                if len(self._streams) > CAPACITY:
                    self._streams.popitem(last=False)
            else:
                self._streams.move_to_end(name)
            return stream
