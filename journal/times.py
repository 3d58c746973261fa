"""Times: UTC, in ms since 1970, and what they are elsewhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from ..domain import InvalidArgument

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> int:
    """The system's time, UTC, in ms since 1970."""
    return time.time_ns() // 1_000_000


def to_ms(time: int | datetime) -> int:
    """A time as UTC ms since 1970.

    Raises:
        InvalidArgument: it is no time, or does not know its time zone.
    """
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise InvalidArgument("time", "must know its time zone; a bare date means another moment elsewhere")
        return (time - _EPOCH) // timedelta(milliseconds=1)
    if not isinstance(time, int) or isinstance(time, bool):
        raise InvalidArgument("time", f"must be ms since 1970 or a datetime, not {type(time).__name__}")
    if abs(time) >= 2**63:
        raise InvalidArgument("time", f"must be ms since 1970, not {time}")
    return time


def to_iso(time_ms: int) -> str:
    """A time as ISO 8601, UTC.

    Raises:
        OverflowError: no calendar shows it.
    """
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
