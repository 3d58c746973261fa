"""What a bundle's events add up to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import BundleNotFound
from ..event import Event
from . import events
from .values import ComposedBundle, RuntimeUpgradeArtifact, UpgradePhase


@dataclass(frozen=True, slots=True)
class BundleStanding:
    """Where a bundle stands: everything that is not a counter or a record of the past.

    Attributes:
        bundle: what is known of it, or None.
        sources: the two bundles that it was linked from; empty if it was registered.
        members: who runs it.
        pending: the upgrade under way, or None.
    """

    bundle: ComposedBundle | None
    sources: tuple[str, ...]
    members: frozenset[str]
    pending: RuntimeUpgradeArtifact | None


class BundleState:
    """One bundle, folded from its events. Only ``apply`` changes it, and decisions only read it.

    Attributes:
        bundle_id: the bundle.
        bundle: what is known of it; None before it is registered, and after that was undone.
        sources: the two bundles that it was linked from; empty if it was registered.
        members: who runs it.
        epoch: how often its members were changed; it never falls.
        pending: the upgrade under way, or None.
        placed_by: the upgrade that made the members what they are; None if none did, or if that was undone.
        last_upgrade: the upgrade that last reached a phase, in that phase; None if there was none.
        upgrades: the ids of all upgrades ever staged.
        refusals: how many refused links are on record.
        failures: how many upgrades failed, on the record.
        refused: which links were refused, and why, since it was last changed.
    """

    __slots__ = (
        "bundle",
        "bundle_id",
        "epoch",
        "failures",
        "last_upgrade",
        "members",
        "pending",
        "placed_by",
        "refusals",
        "refused",
        "sources",
        "upgrades",
    )

    def __init__(self, bundle_id: str) -> None:
        self.bundle_id = bundle_id
        self.bundle: ComposedBundle | None = None
        self.sources: tuple[str, ...] = ()
        self.members: frozenset[str] = frozenset()
        self.epoch = 0
        self.pending: RuntimeUpgradeArtifact | None = None
        self.last_upgrade: RuntimeUpgradeArtifact | None = None
        self.placed_by: RuntimeUpgradeArtifact | None = None
        self.upgrades: set[str] = set()
        self.refusals = 0
        self.failures = 0
        self.refused: set[tuple[str, str, str]] = set()

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
            if isinstance(event, events.UpgradeEvent):
                self.last_upgrade = event.artifact
            if not isinstance(event, events.BundleLinkRejected):
                self.refused.clear()

    def known(self) -> ComposedBundle:
        """What is known of the bundle.

        Raises:
            BundleNotFound: it is not registered.
        """
        if self.bundle is None:
            raise BundleNotFound(self.bundle_id)
        return self.bundle

    def standing(self, *, is_brief: bool = False) -> BundleStanding:
        """Where it stands now; it is brief either way."""
        return BundleStanding(self.bundle, self.sources, self.members, self.pending)

    def _on_registered(self, event: events.BundleRegistered) -> None:
        self.bundle, self.sources = event.bundle, ()

    def _on_linked(self, event: events.BundleLinked) -> None:
        self.bundle, self.sources = event.bundle, (event.left, event.right)

    def _on_withdrawn(self, event: events.BundleWithdrawn) -> None:
        self.bundle, self.sources = None, ()

    def _on_link_rejected(self, event: events.BundleLinkRejected) -> None:
        self.refusals += 1
        self.refused.add((event.right, event.linked, event.reason))

    def _on_seeded(self, event: events.MembersSeeded) -> None:
        self.members, self.epoch, self.placed_by = event.members, event.epoch, None

    def _on_under_way(self, event: events.UpgradeEvent) -> None:
        self.pending = event.artifact
        self.upgrades.add(event.artifact.upgrade_id)

    def _on_committed(self, event: events.UpgradeCommitted) -> None:
        self.pending = None
        self.members, self.epoch, self.placed_by = event.artifact.next_members, event.epoch, event.artifact

    def _on_failed(self, event: events.UpgradeFailed) -> None:
        self.pending = None
        self.failures += 1

    def _on_came_to_nothing(self, event: events.UpgradeEvent) -> None:
        self.pending = None

    def _on_restored(self, event: events.MembersRestored) -> None:
        self.members, self.epoch, self.pending = event.members, event.epoch, event.pending
        self.last_upgrade = event.upgrade or self.last_upgrade
        if event.upgrade is not None and event.upgrade.phase is UpgradePhase.COMMITTED_CUTOVER:
            self.placed_by = event.upgrade
        elif event.members != event.previous:
            self.placed_by = None


_HANDLERS: dict[type[Event[Any]], Callable[[BundleState, Any], None]] = {
    events.BundleRegistered: BundleState._on_registered,
    events.BundleLinked: BundleState._on_linked,
    events.BundleWithdrawn: BundleState._on_withdrawn,
    events.BundleLinkRejected: BundleState._on_link_rejected,
    events.MembersSeeded: BundleState._on_seeded,
    events.UpgradeStaged: BundleState._on_under_way,
    events.UpgradeAdmitted: BundleState._on_under_way,
    events.UpgradeCommitted: BundleState._on_committed,
    events.UpgradeFailed: BundleState._on_failed,
    events.UpgradeRolledBack: BundleState._on_came_to_nothing,
    events.MembersRestored: BundleState._on_restored,
}
