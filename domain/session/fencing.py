"""By which event a capability was lost: what a worker is told that comes too late (law 2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..artifacts import OwnershipCapability
from ..record import RecordedEvent
from .delegation_events import SessionHandedOver
from .events import (
    OwnerDied,
    OwnershipClaimed,
    OwnershipReleased,
    OwnershipTransferred,
    ScopeAttenuated,
    SessionClosed,
    TransferAbandoned,
    TransferCommitFailed,
    TransferCommitted,
)
from .life_events import SessionEnded
from .restoration_events import HandOverReverted, OwnershipRestored

OWNERSHIP_TYPES: Final = tuple(
    each.type
    for each in (
        OwnershipClaimed,
        OwnershipReleased,
        OwnershipTransferred,
        ScopeAttenuated,
        TransferCommitted,
        OwnerDied,
        TransferAbandoned,
        TransferCommitFailed,
        SessionClosed,
        SessionEnded,
        SessionHandedOver,
        HandOverReverted,
        OwnershipRestored,
    )
)
"""The types of events by which a capability begins to be live, or ceases to be."""


def lost_by(presented: OwnershipCapability, newest_first: Iterable[RecordedEvent]) -> RecordedEvent | None:
    """Find the event since which a capability is not live any more.

    Args:
        presented: the capability.
        newest_first: the session's events of ``OWNERSHIP_TYPES``, or the last of them.

    Returns:
        None if the capability was never given out, or was lost longer ago than these tell.
    """
    since: RecordedEvent | None = None
    for record in newest_first:
        effects = record.event.effects
        given = None if effects is None else effects.capability
        if given is not None and given.generation <= presented.generation:
            return since if given == presented else None
        since = record
    return None
