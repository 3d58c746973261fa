"""Streams in memory: the state of each, moved forward by what is appended, and read from the disk only when needed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final, Generic, TypeVar

from ...domain import RecordedEvent
from ...domain.states import new_state
from ...domain.subject import subject_of

LockT = TypeVar("LockT")

_BY_NAME = attrgetter("name")

CAPACITY: Final = 10_000
"""How many streams are kept in memory; one that was not used for long makes room."""


class Stream(Generic[LockT]):
    """A cached stream. It may be stale; the append then fails, and it is read again.

    Attributes:
        name: the stream's name, ``<kind>-<id>``.
        lock: held while a command is decided and appended, so that threads, or tasks, do not race each other.
        state: what the events up to ``version`` add up to.
        version: the version of the last event known.
        recorded_at: when that event was recorded, in ms.
        is_recent: whether it was used since the cache last looked for one to drop.
    """

    __slots__ = ("_is_whole", "is_recent", "lock", "name", "recorded_at", "state", "version")

    def __init__(self, name: str, lock: LockT) -> None:
        self.state = new_state(name)
        self.name = name
        self.lock = lock
        self.version = 0
        self.recorded_at = 0
        self.is_recent = False
        self._is_whole = True

    def advance(self, records: Iterable[RecordedEvent]) -> None:
        """Fold events that follow the last known one."""
        for record in records:
            # Whoever is interrupted in between leaves a state that is neither the one nor the other.
            self._is_whole = False
            self.state.apply(record.event)
            self.version = record.version
            self.recorded_at = record.metadata.recorded_at
            self._is_whole = True

    def make_whole(self) -> None:
        """Begin again from the first event, if somebody was interrupted while the state was moved forward."""
        if not self._is_whole:
            self.version = self.recorded_at = 0
            self.state = new_state(self.name)
            self._is_whole = True


def belongs(record: RecordedEvent) -> bool:
    """Whether a record stands in the stream that its event is about."""
    kind, whose = subject_of(record.event)
    return record.stream == f"{kind}-{whose}" or (whose is None and record.stream.startswith(f"{kind}-"))


def in_lock_order(streams: Iterable[Stream[LockT]]) -> list[Stream[LockT]]:
    """Each stream once, in the order in which everybody takes their locks."""
    distinct = set(streams)
    return sorted(distinct, key=_BY_NAME) if len(distinct) > 1 else list(distinct)


class StreamCache(Generic[LockT]):
    """The streams used lately. Dropping one is always safe: it is read again.

    Args:
        new_lock: makes the lock of a stream.
    """

    def __init__(self, new_lock: Callable[[], LockT]) -> None:
        self._new_lock = new_lock
        self._streams: OrderedDict[str, Stream[LockT]] = OrderedDict()
        # A signal handler may come here while its thread is here.
        self._lock = threading.RLock()

    def get(self, name: str) -> Stream[LockT]:
        """The stream of this name; one that was not used lately begins empty, behind its events."""
        stream = self._streams.get(name)
        if stream is None:
            with self._lock:
                stream = self._streams.get(name)
                if stream is None:
                    stream = self._streams[name] = Stream(name, self._new_lock())
                    self._make_room()
        stream.is_recent = True
        return stream

    def has(self, stream: Stream[LockT]) -> bool:
        """Whether a stream is still the one of its name."""
        return self._streams.get(stream.name) is stream

    def drop(self, stream: Stream[LockT]) -> None:
        """Forget a stream; it begins empty the next time."""
        with self._lock:
            if self._streams.get(stream.name) is stream:
                del self._streams[stream.name]

    def _make_room(self) -> None:
        # A second chance for what was used meanwhile: nearly the least recently used goes, and using one costs nothing.
        while len(self._streams) > CAPACITY:
            name, stream = self._streams.popitem(last=False)
            if stream.is_recent:
                stream.is_recent = False
                self._streams[name] = stream
