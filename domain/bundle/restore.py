"""What undoes what happened to a bundle: the events that give back what there was before (law 8)."""

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
    artifact = event.artifact
    if now.pending is None or now.pending.upgrade_id != artifact.upgrade_id:
        return None
    return UpgradeRolledBack(
        replace(artifact, phase=UpgradePhase.ROLLED_BACK, next_members=artifact.previous_members, reason="reverted")
    )
