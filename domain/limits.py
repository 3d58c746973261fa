"""What a stream may hold at once, so that what ends it all fits into one event."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from .bounds import MAX_LISTED, MAX_LISTED_BYTES
from .errors import LimitReached
from .value import json_size

_FEW: Final = 16
"""So few of anything fit, whatever they are."""


def require_fewer(stream: str, what: str, count: int, most: int) -> None:
    """Make sure that one more is not too many.

    Args:
        stream: what they are counted in, for the message.
        what: what they are.
        count: how many there are.
        most: how many there may be.

    Raises:
        LimitReached: there are as many as may be.
    """
    if count >= most:
        raise LimitReached(stream, what, most)


def require_room(stream: str, what: str, listed: Collection[object]) -> None:
    """Make sure that things of a kind, the new ones included, fit into the event that would list them all.

    Raises:
        LimitReached: there are too many, or they are too large together.
    """
    if len(listed) > MAX_LISTED:
        raise LimitReached(stream, what, MAX_LISTED)
    if len(listed) > _FEW and json_size(list(listed)) > MAX_LISTED_BYTES:
        raise LimitReached(stream, f"bytes of {what}", MAX_LISTED_BYTES)
