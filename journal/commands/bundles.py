"""``journal.bundles``: every command on bundles and their upgrades, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from ...domain import (
    BundleSnapshot,
    ComposedBundle,
    CompositionManifest,
    Decision,
    InvalidArgument,
    RuntimeUpgradeArtifact,
    RuntimeUpgradeRequest,
    Surfaces,
    bundle,
    bundle_stream,
    bundles_from_manifests,
)
from ...domain.identifiers import identifier, names, text
from ...projections import BundlesView, Projector, TemporalStore
from .base import Command, Executes, Steps, carry_out, checked

ResultT = TypeVar("ResultT")


class BundleCommands:
    """Registers, links and upgrades bundles.

    Every command either appends its events and returns, or raises. All of them raise ``BundleNotFound`` for a bundle
    that is not registered, ``InvalidInput`` for arguments that make no sense, ``ConcurrencyConflict`` when other
    writers win every race, and ``JournalError`` when the storage fails.
    """

    def __init__(self, journal: Executes, surfaces: Surfaces) -> None:
        self._journal = journal
        self._surfaces = surfaces

    def register(self, composed: ComposedBundle) -> None:
        """Make a bundle known (aura 2.23).

        Raises:
            DuplicateBundle: one of this id is known already.
        """
        return self._run(bundle.register, checked(composed, ComposedBundle).bundle_id, composed)

    def register_manifests(self, *manifests: CompositionManifest) -> tuple[ComposedBundle, ...]:
        """Make known every bundle that manifests name, all in one append (aura 1.7).

        Returns:
            The bundles, by id, each put together from all its parts.

        Raises:
            ManifestWithoutBundles: a manifest names none.
            DuplicateBundle: one is known already.
        """
        made = bundles_from_manifests(checked(manifest, CompositionManifest) for manifest in manifests)
        if not made:
            raise InvalidArgument("manifests", "must name at least one")
        return carry_out(self._journal, _registering(made))

    def link(self, left: str, right: str, linked: str) -> ComposedBundle:
        """Put two bundles together into a new one; they stay what they are (aura 2.24).

        Returns:
            The new bundle.

        Raises:
            MissingSurface: the runtime cannot link.
            IncompatibleInterfaces: one imports what neither exports; this is recorded.
            OverlappingSessions: both have a session; this is recorded.
            DuplicateBundle: the new bundle is known already.
        """
        self._surfaces.require("bundle linking")
        ids = [identifier(name, value) for name, value in (("linked", linked), ("left", left), ("right", right))]
        return self._journal.execute(tuple(bundle_stream(each) for each in ids), bundle.link)

    def seed_members(self, bundle_id: str, members: Iterable[str]) -> None:
        """Say who runs a bundle; its upgrades stay on record, and its epoch goes on (aura 2.30).

        Raises:
            InvalidArgument: there are no members.
            UpgradePending: an upgrade is under way.
        """
        return self._run(bundle.seed_members, bundle_id, names("members", members))

    def upgrade(self, bundle_id: str, request: RuntimeUpgradeRequest) -> RuntimeUpgradeArtifact:
        """Stage, admit and commit an upgrade in one append (aura 2.30).

        Returns:
            The upgrade as it was committed.

        Raises:
            MissingSurface: the runtime cannot upgrade.
            MembersNotSeeded: there is nothing to upgrade from.
            UpgradePending, UpgradeExists: another one is under way, or the id was used before.
            BoundExceeded: the request takes more than 256 KiB of JSON.
            UpgradeRejected: it breaks a rule, and is recorded as failed.
        """
        return self._run_upgrade(bundle.upgrade, bundle_id, checked(request, RuntimeUpgradeRequest))

    def stage_upgrade(self, bundle_id: str, request: RuntimeUpgradeRequest) -> RuntimeUpgradeArtifact:
        """Ask for an upgrade, to be admitted and committed later; see ``upgrade``."""
        return self._run_upgrade(bundle.stage, bundle_id, checked(request, RuntimeUpgradeRequest))

    def admit_upgrade(self, bundle_id: str, upgrade_id: str) -> RuntimeUpgradeArtifact:
        """Check the staged upgrade against the rules (aura 2.30, a to g; telltale 7.4).

        Raises:
            UpgradeNotPending: it is not staged.
            UpgradeRejected: it breaks a rule, and is recorded as failed.
        """
        return self._run_upgrade(bundle.admit, bundle_id, identifier("upgrade_id", upgrade_id))

    def commit_upgrade(self, bundle_id: str, upgrade_id: str) -> RuntimeUpgradeArtifact:
        """Let the admitted upgrade take effect.

        Raises:
            UpgradeNotPending: it is not admitted.
        """
        return self._run_upgrade(bundle.commit, bundle_id, identifier("upgrade_id", upgrade_id))

    def rollback_upgrade(self, bundle_id: str, upgrade_id: str, reason: str) -> RuntimeUpgradeArtifact:
        """Give up an upgrade that has not taken effect (telltale 7.3).

        Args:
            bundle_id: the bundle.
            upgrade_id: the upgrade.
            reason: why, in at most 2 000 characters.

        Raises:
            UpgradeNotPending: it is not under way.
        """
        return self._run(bundle.roll_back, bundle_id, identifier("upgrade_id", upgrade_id), text("reason", reason))

    def snapshot(self, bundle_id: str) -> BundleSnapshot:
        """Read who runs a bundle now, how often that changed, and where its last upgrade stands (telltale 7.1).

        ``journal.bundles[id]`` has members and epoch, ``journal.upgrades`` every upgrade's phase, also as they were.

        Raises:
            MembersNotSeeded: nobody said who runs it.
        """
        stream = bundle_stream(identifier("bundle_id", bundle_id))
        return self._journal.read_state(stream, bundle.snapshot_of)

    def _run_upgrade(self, command: Callable[..., Decision[ResultT]], bundle_id: str, argument: object) -> ResultT:
        self._surfaces.require("runtime upgrade")
        return self._run(command, bundle_id, argument)

    def _run(self, command: Callable[..., Decision[ResultT]], bundle_id: str, *arguments: object) -> ResultT:
        return self._journal.execute(bundle_stream(identifier("bundle_id", bundle_id)), command, *arguments)


def _registering(made: tuple[ComposedBundle, ...]) -> Steps[tuple[ComposedBundle, ...]]:
    yield Command(tuple(bundle_stream(each.bundle_id) for each in made), bundle.register_all, (made,))
    return made


class Bundles(BundleCommands, BundlesView):
    """The commands on bundles, and the bundles that are known: a mapping from bundle id to a row."""

    def __init__(self, journal: Executes, surfaces: Surfaces, store: TemporalStore, projector: Projector) -> None:
        BundleCommands.__init__(self, journal, surfaces)
        BundlesView.__init__(self, store, projector)
