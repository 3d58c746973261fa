"""Times: UTC, in ms since 1970, and what they are elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from ...domain import InvalidArgument
from ...domain.identifiers import integer
from ...domain.shown import kind_of, shown
from ...projections import Birth

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


NEAR_MS: Final = 3_600_000
"""How far ahead of the clock a conversation may be, in ms, and still move the time of all others."""

_END_OF_TIME_MS: Final = 253_402_300_800_000
"""The end of the year 9999."""


def system_clock() -> int:
    """The system's time, UTC, in ms since 1970."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """A clock for what waits: where the one beneath steps back, the time is counted on from where it was.

    Args:
        clock: tells the time, UTC, in ms since 1970.
        birth: the process that may read it.
    """

    def __init__(self, clock: Callable[[], int], birth: Birth) -> None:
        self._clock = clock
        self._birth = birth
        # Read inside, lest threads that wait for each other take their own order for a step back.
        self._lock = threading.RLock()
        self._told = 0
        self._ahead = 0
        # How far ahead of that some conversations are, in ms.
        self._own: dict[str, int] = {}

    def __call__(self, conversation_id: str | None = None) -> int:
        """The time in ms, which never runs back; or that in a conversation, which may have a time of its own.

        Raises:
            JournalForked: this process is a fork of the one that may read it.
        """
        # Before the lock, which a thread that this process does not have may hold for ever.
        self._birth.require_here()
        with self._lock:
            return min(self._time() + self._own.get(conversation_id or "", 0), _END_OF_TIME_MS - 1)

    def counted_on(self, last: Mapping[str, int]) -> tuple[int, dict[str, int]]:
        """The time in ms, and what it is in conversations that have a time of their own.

        If a conversation's last event is ahead of the clock, the time goes on from that event. Up to an hour ahead, it
        does so in all conversations. Further ahead, it does so in that conversation alone: one wild time must not make
        the deadlines of the others due.

        Args:
            last: when the last event was of each conversation that may be ahead, in ms.

        Raises:
            JournalForked: see above.
        """
        self._birth.require_here()
        with self._lock:
            time = self._time()
            near = max((at - time for at in last.values() if at - time <= NEAR_MS), default=0)
            if near > 0:
                self._ahead += near
                time += near
            for conversation_id, at in last.items():
                if at - time > self._own.get(conversation_id, 0):
                    self._own[conversation_id] = at - time
            return time, {each: min(time + own, _END_OF_TIME_MS - 1) for each, own in self._own.items()}

    def forget(self, conversation_id: str) -> None:
        """Give a conversation in which nothing waits no time of its own any more."""
        with self._lock:
            self._own.pop(conversation_id, None)

    def _time(self) -> int:
        told = self._clock()
        self._ahead += max(0, self._told - told)
        self._told = told
        return min(told + self._ahead, _END_OF_TIME_MS - 1)


def to_ms(time: int | datetime) -> int:
    """A time as UTC ms since 1970.

    Raises:
        InvalidArgument: it is no time, or does not know its time zone.
    """
    if issubclass(type(time), datetime):
        return _of_datetime(cast(datetime, time))
    given = integer(time)
    if given is None or abs(given) >= 2**63:
        raise InvalidArgument("time", f"must be ms since 1970 or a datetime, not {shown(time)}")
    return given


def _of_datetime(time: datetime) -> int:
    try:
        if time.utcoffset() is not None:
            return (time - _EPOCH) // timedelta(milliseconds=1)
    except Exception as error:
        # A time zone is the caller's own code.
        raise InvalidArgument(
            "time", f"must be a datetime that can be read, not one that raises {kind_of(error)}"
        ) from error
    raise InvalidArgument(
        "time", "must know its time zone (Z, or +02:00, at its end); without one it means another moment elsewhere"
    )


def time_ms(argument: str, value: object) -> int:
    """Return ``value`` if it may be the time that something happens at.

    Raises:
        InvalidArgument: it is no integer, or no row can hold it, or no calendar show it.
    """
    # What is recorded with such a time would make the journal unreadable for good.
    given = integer(value)
    if given is None or not 0 <= given < _END_OF_TIME_MS:
        problem = f"must be UTC ms since 1970 as an integer, before the year 10000, not {shown(value)}"
        raise InvalidArgument(argument, problem)
    return given


def to_iso(time_ms: int) -> str:
    """A time as ISO 8601, UTC.

    Raises:
        OverflowError: no calendar shows it.
    """
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
