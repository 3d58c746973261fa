"""What can happen to a bundle (aura 2.23, 2.24, 2.30)."""

from __future__ import annotations

from typing import Any

from ..artifacts import Counter
from ..event import Event, Fact, event_type
from ..identifiers import Identifier, Names, Text
from .values import ComposedBundle, RuntimeUpgradeArtifact, UpgradePhase


@event_type("bundle.registered")
class BundleRegistered(Fact):
    """A bundle was made known (aura 2.23)."""

    bundle: ComposedBundle


@event_type("bundle.linked")
class BundleLinked(Event[ComposedBundle]):
    """Two bundles were put together into this one, and stay what they are (aura 2.24).

    Attributes:
        bundle: the new bundle.
        left: the bundle whose protocols come first.
        right: the other.
    """

    bundle: ComposedBundle
    left: Identifier
    right: Identifier

    @property
    def outcome(self) -> ComposedBundle:
        return self.bundle


@event_type("bundle.withdrawn")
class BundleWithdrawn(Fact):
    """The registration, or the linking, was undone; the bundle is known no more (law 8)."""

    bundle: ComposedBundle


@event_type("bundle.link_rejected")
class BundleLinkRejected(Fact):
    """Two bundles could not be linked, and that is on the record of the left one (aura 2.34, R5).

    Attributes:
        left: the left bundle.
        right: the right bundle.
        linked: the bundle that they were to become.
        reason: why not.
        last: whether this bundle's refusals are recorded no further.
    """

    left: Identifier
    right: Identifier
    linked: Identifier
    reason: Text
    last: bool = False


@event_type("bundle.members_seeded")
class MembersSeeded(Fact):
    """It was said who runs the bundle; its upgrades stay on record (aura 2.30).

    Attributes:
        bundle_id: the bundle.
        members: who runs it.
        previous: who ran it before.
        epoch: how often its members were changed, this time included.
    """

    bundle_id: Identifier
    members: Names
    epoch: Counter
    previous: Names = frozenset()


class UpgradeEvent(Event[RuntimeUpgradeArtifact]):
    """An upgrade reached a phase."""

    __slots__ = ()
    artifact: RuntimeUpgradeArtifact

    @property
    def outcome(self) -> RuntimeUpgradeArtifact:
        return self.artifact


@event_type("bundle.upgrade_staged")
class UpgradeStaged(UpgradeEvent):
    """An upgrade was asked for."""

    artifact: RuntimeUpgradeArtifact


@event_type("bundle.upgrade_admitted")
class UpgradeAdmitted(UpgradeEvent):
    """The staged upgrade keeps the rules (aura 2.30, a to g; telltale 7.4)."""

    artifact: RuntimeUpgradeArtifact


@event_type("bundle.upgrade_committed")
class UpgradeCommitted(UpgradeEvent):
    """The admitted upgrade took effect: the bundle has new members.

    Attributes:
        artifact: the upgrade.
        epoch: how often the bundle's members were changed, this time included.
    """

    artifact: RuntimeUpgradeArtifact
    epoch: Counter


@event_type("bundle.upgrade_failed")
class UpgradeFailed(UpgradeEvent):
    """The staged upgrade breaks a rule, and failed (aura 2.30)."""

    artifact: RuntimeUpgradeArtifact


@event_type("bundle.upgrade_rolled_back")
class UpgradeRolledBack(UpgradeEvent):
    """The upgrade was given up before it took effect (telltale 7.3)."""

    artifact: RuntimeUpgradeArtifact


@event_type("bundle.members_restored")
class MembersRestored(Fact):
    """Members, and the upgrade that was under way, were restored as they had been (law 8).

    Attributes:
        bundle_id: the bundle.
        members: who runs it now.
        previous: who ran it before.
        epoch: how often its members were changed, this time included.
        previous_upgrade: the upgrade that this is about, as it stood; None if it is about none.
        upgrade: the same upgrade as it stands now.
    """

    bundle_id: Identifier
    members: Names
    epoch: Counter
    previous: Names = frozenset()
    previous_upgrade: RuntimeUpgradeArtifact | None = None
    upgrade: RuntimeUpgradeArtifact | None = None

    @property
    def pending(self) -> RuntimeUpgradeArtifact | None:
        """The upgrade, if it is under way again."""
        is_pending = self.upgrade is not None and self.upgrade.phase in (UpgradePhase.STAGED, UpgradePhase.ADMITTED)
        return self.upgrade if is_pending else None


def bundle_of(event: Event[Any]) -> str | None:
    """The bundle that an event is about; None if it is about something else."""
    if isinstance(event, BundleLinkRejected):
        return event.left
    if isinstance(event, BundleRegistered | BundleLinked | BundleWithdrawn):
        return event.bundle.bundle_id
    if isinstance(event, UpgradeEvent):
        return event.artifact.bundle_id
    if isinstance(event, MembersSeeded | MembersRestored):
        return event.bundle_id
    return None
