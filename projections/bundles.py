"""Bundles: which are known, who runs them, and what became of their upgrades (aura 2.23, 2.24, 2.30)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import TypeAdapter

from ..domain import ComposedBundle, RuntimeUpgradeArtifact, UpgradePhase, bundle
from .projection import Projection
from .temporal import Change, Row, Set, TemporalTable, Unset, Value
from .texts import read_names, text_of_names
from .views import MappingView, TableMapping, readable

BUNDLES = TemporalTable(
    name="bundles",
    version=1,
    key={"bundle_id": str},
    columns={"bundle": str, "left_source": str, "right_source": str},
    lookup=("left_source", "right_source"),
)
MEMBERS = TemporalTable(
    name="bundle_members",
    version=1,
    key={"bundle_id": str},
    columns={"members": str, "epoch": int},
)
UPGRADES = TemporalTable(
    name="upgrades",
    version=1,
    key={"bundle_id": str, "upgrade_id": str},
    columns={"phase": str, "previous_members": str, "next_members": str, "reason": str},
)

_BUNDLE = TypeAdapter(ComposedBundle)


class BundleRow(NamedTuple):
    """What is known of one bundle.

    Attributes:
        bundle: what was registered, or came of linking.
        linked_from: the two bundles that it was linked from; empty if it was registered.
        members: who runs it, sorted.
        epoch: how often its members were changed.
        since: the position of the event from which on it is known like this.
    """

    bundle: ComposedBundle
    linked_from: tuple[str, ...]
    members: tuple[str, ...]
    epoch: int
    since: int


class UpgradeRow(NamedTuple):
    """What is known of one upgrade.

    Attributes:
        phase: where it stands.
        previous_members: who ran the bundle before it, sorted.
        next_members: who runs the bundle after it, sorted.
        reason: why it failed or was rolled back; None otherwise.
        since: the position of the event from which on all this holds.
    """

    phase: UpgradePhase
    previous_members: tuple[str, ...]
    next_members: tuple[str, ...]
    reason: str | None
    since: int


class BundlesProjection(Projection):
    """Follows every bundle, its members and its upgrades."""

    name = "bundles"
    tables = (BUNDLES, MEMBERS, UPGRADES)


def _known(composed: ComposedBundle, left: str | None = None, right: str | None = None) -> tuple[Change]:
    return (Set(BUNDLES, (composed.bundle_id,), (_BUNDLE.dump_json(composed).decode(), left, right)),)


def _members(bundle_id: str, members: frozenset[str], epoch: int) -> Change:
    return Set(MEMBERS, (bundle_id,), (text_of_names(sorted(members)), epoch))


def _upgrade(artifact: RuntimeUpgradeArtifact) -> Change:
    members = (text_of_names(sorted(each)) for each in (artifact.previous_members, artifact.next_members))
    return Set(UPGRADES, (artifact.bundle_id, artifact.upgrade_id), (artifact.phase.value, *members, artifact.reason))


def _restored(event: bundle.MembersRestored) -> Iterator[Change]:
    yield _members(event.bundle_id, event.members, event.epoch)
    if event.upgrade is not None:
        yield _upgrade(event.upgrade)


BundlesProjection.handlers = {
    bundle.BundleRegistered: lambda event: _known(event.bundle),
    bundle.BundleLinked: lambda event: _known(event.bundle, event.left, event.right),
    bundle.BundleWithdrawn: lambda event: (Unset(BUNDLES, (event.bundle.bundle_id,)),),
    bundle.MembersSeeded: lambda event: (_members(event.bundle_id, event.members, event.epoch),),
    bundle.MembersRestored: _restored,
    bundle.UpgradeStaged: lambda event: (_upgrade(event.artifact),),
    bundle.UpgradeAdmitted: lambda event: (_upgrade(event.artifact),),
    bundle.UpgradeFailed: lambda event: (_upgrade(event.artifact),),
    bundle.UpgradeRolledBack: lambda event: (_upgrade(event.artifact),),
    bundle.UpgradeCommitted: lambda event: (
        _upgrade(event.artifact),
        _members(event.artifact.bundle_id, event.artifact.next_members, event.epoch),
    ),
}


class BundlesView(MappingView[str, BundleRow]):
    """The bundles that are known, as a mapping from bundle id to a row."""

    _table = BUNDLES
    _projection = BundlesProjection.name

    def __getitem__(self, bundle_id: str) -> BundleRow:
        found = self._find({"bundle_id": bundle_id})
        if not found:
            raise KeyError(bundle_id)
        (row,) = found.values()
        return row

    def linked_from(self, bundle_id: str) -> dict[str, BundleRow]:
        """The bundles that one was put into by linking."""
        return self._find({"left_source": bundle_id}) | self._find({"right_source": bundle_id})

    def _all(self) -> dict[str, BundleRow]:
        return self._find({})

    def _find(self, where: dict[str, Value]) -> dict[str, BundleRow]:
        # Both tables as of one position, whatever is written meanwhile.
        position = self._catch_up()
        known = self._select(where, position=position)
        only = {"bundle_id": where["bundle_id"]} if "bundle_id" in where else None
        members = {row[0]: row for row in self._select(only, position=position, table=MEMBERS)}
        return dict(self._read(row, members.get(row[0])) for row in known)

    def _read(self, row: Row, seeded: Row | None) -> tuple[str, BundleRow]:
        bundle_id, text, left, right, since = row
        with readable(self._projection, BUNDLES, row):
            bundle = _BUNDLE.validate_json(text)
        members: tuple[str, ...] = ()
        epoch = 0
        if seeded is not None:
            with readable(self._projection, MEMBERS, seeded):
                members, epoch = read_names(seeded[1]), seeded[2]
        return bundle_id, BundleRow(bundle, () if left is None else (left, right), members, epoch, since)


class UpgradesView(TableMapping[tuple[str, str], UpgradeRow]):
    """The upgrades as a mapping from (bundle id, upgrade id) to a row."""

    _table = UPGRADES
    _projection = BundlesProjection.name

    def _to_item(self, row: Row) -> tuple[tuple[str, str], UpgradeRow]:
        """Read a row."""
        bundle_id, upgrade_id, phase, previous, following, reason, since = row
        found = UpgradeRow(UpgradePhase(phase), read_names(previous), read_names(following), reason, since)
        return (bundle_id, upgrade_id), found

    def of_bundle(self, bundle_id: str) -> dict[str, UpgradeRow]:
        """One bundle's upgrades, by upgrade id."""
        return {key[1]: row for key, row in map(self._read, self._select({"bundle_id": bundle_id}))}
