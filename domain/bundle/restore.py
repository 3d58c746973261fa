"""What undoes what happened to a bundle: the events that restore what there was before (law 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..event import Event
from .events import (
    BundleLinked,
    BundleRegistered,
    BundleWithdrawn,
    MembersRestored,
    UpgradeEvent,
    UpgradeRolledBack,
    UpgradeStaged,
)
from .state import BundleStanding, BundleState
from .values import UpgradePhase


def withdraw(event: BundleRegistered | BundleLinked, before: BundleStanding, now: BundleState) -> Event[Any]:
    """Undo a registration, or a linking."""
    return BundleWithdrawn(event.bundle)


def make_known_again(event: BundleWithdrawn, before: BundleStanding, now: BundleState) -> Event[Any]:
    """Undo that a registration was undone."""
    if before.sources:
        left, right = before.sources
        return BundleLinked(event.bundle, left, right)
    return BundleRegistered(event.bundle)


def restore_members(event: Event[Any], before: BundleStanding, now: BundleState) -> Event[Any]:
    """Give back the members, and the upgrade that was under way."""
    if isinstance(event, MembersRestored):
        previous, upgrade = event.upgrade, event.previous_upgrade
    else:
        previous = event.artifact if isinstance(event, UpgradeEvent) else None
        upgrade = before.pending
    return MembersRestored(
        bundle_id=now.bundle_id,
        members=before.members,
        epoch=now.epoch + (before.members != now.members),
        previous=now.members,
        previous_upgrade=previous,
        upgrade=upgrade,
    )


def roll_upgrade_back(event: UpgradeStaged, before: BundleStanding, now: BundleState) -> Event[Any] | None:
    """Undo the staging of an upgrade, if it is under way; one that failed has its end on record."""
    if is_under_way_no_more(event, now):
        return None
    artifact = event.artifact
    return UpgradeRolledBack(
        replace(artifact, phase=UpgradePhase.ROLLED_BACK, next_members=artifact.previous_members, reason="reverted")
    )


def is_under_way_no_more(event: UpgradeStaged, now: BundleState) -> bool:
    """Whether the upgrade that an event staged has ended."""
    return now.pending is None or now.pending.upgrade_id != event.artifact.upgrade_id


def upgrade_ids(event: Event[Any]) -> tuple[str, ...]:
    """The upgrade whose phase an event changes, if it changes one's."""
    if isinstance(event, UpgradeEvent):
        return (event.artifact.upgrade_id,)
    if isinstance(event, MembersRestored):
        return tuple({each.upgrade_id for each in (event.previous_upgrade, event.upgrade) if each is not None})
    return ()
