"""A bundle at one moment, for reading."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import MembersNotSeeded
from .placements import TransportBoundary
from .state import BundleState
from .values import RuntimeUpgradeArtifact, UpgradePhase


@dataclass(frozen=True, slots=True)
class BundleSnapshot:
    """Who runs a bundle, and where its last upgrade stands (telltale 7.1; aura 2.30).

    Attributes:
        bundle_id: the bundle.
        members: who runs it, sorted.
        epoch: how often its members were changed, undoing included.
        upgrade: the last upgrade, whole; None if there was none.
        boundaries: what lies between its members, if an upgrade made them members and says where they run. Undoing a
            later upgrade does not tell it again.
    """

    bundle_id: str
    members: tuple[str, ...]
    epoch: int
    upgrade: RuntimeUpgradeArtifact | None
    boundaries: tuple[TransportBoundary, ...] = ()

    @property
    def phase(self) -> UpgradePhase | None:
        """Where the last upgrade stands; None if there was none."""
        return None if self.upgrade is None else self.upgrade.phase


def snapshot_of(state: BundleState) -> BundleSnapshot:
    """Copy what a reader may see out of a bundle's state.

    Raises:
        BundleNotFound: the bundle is not registered.
        MembersNotSeeded: nobody said who runs it.
    """
    state.known()
    if not state.members:
        raise MembersNotSeeded(state.bundle_id)
    placed = () if state.placed_by is None else state.placed_by.request.plan.steps[-1].boundaries
    return BundleSnapshot(state.bundle_id, tuple(sorted(state.members)), state.epoch, state.last_upgrade, placed)
