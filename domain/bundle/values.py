"""What bundles, manifests and upgrades are made of: frozen values, compared whole (aura 1.7, 1.8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Literal, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer
from pydantic.dataclasses import dataclass

from ..artifacts import Footprint, Omitted, left_out
from ..bounds import MAX_NAMES, MAX_PARTS, MAX_ROLES, MAX_UPGRADE_STEPS
from ..errors import ManifestWithoutBundles
from ..identifiers import Identifier, Names, PartIdentifier, Text, names
from ..value import VALUE, exact, several, value_type
from .placements import Placement, TransportBoundary, boundaries, in_order


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class LinkSpec:
    """What one bundle of a manifest offers and needs (aura 1.7).

    Attributes:
        bundle_id: the bundle.
        exports: the interfaces that it offers.
        imports: the interfaces that it needs.
        role: the role that it is linked into; None if the manifest does not say.
    """

    bundle_id: PartIdentifier
    exports: Names = frozenset()
    imports: Names = frozenset()
    role: Identifier | None = None


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class DelegationConstraint:
    """Through which bundle one role may be delegated to another (aura 6, O-37).

    Attributes:
        from_role: the role that delegates.
        to_role: the role that it delegates to.
        bundle_id: the bundle that the delegation must be made through.
    """

    from_role: Identifier
    to_role: Identifier
    bundle_id: PartIdentifier


@value_type(link_specs=MAX_PARTS, role_names=MAX_ROLES, delegation_constraints=MAX_PARTS)
@dataclass(frozen=True, slots=True, config=VALUE)
class CompositionManifest:
    """How a protocol is put together from bundles (aura 1.5).

    Attributes:
        protocol_id: the protocol.
        link_specs: its parts; a bundle may have several.
        role_names: the roles that are played in it.
        delegation_constraints: through which bundles its roles may be delegated.
    """

    protocol_id: PartIdentifier
    link_specs: tuple[LinkSpec, ...] = ()
    role_names: tuple[Identifier, ...] = ()
    delegation_constraints: tuple[DelegationConstraint, ...] = ()

    @property
    def bundle_ids(self) -> tuple[str, ...]:
        """The bundles that it names, each once, sorted."""
        return tuple(sorted({spec.bundle_id for spec in self.link_specs}))


@value_type(protocol_ids=MAX_PARTS)
@dataclass(frozen=True, slots=True, config=VALUE)
class ComposedBundle:
    """Protocols that are linked and upgraded together (aura 1.7).

    Attributes:
        bundle_id: the bundle.
        protocol_ids: its protocols, in the order in which they were put together, each once.
        exports: the interfaces that it offers.
        imports: the interfaces that it needs.
        footprint: the sessions that it has.
    """

    bundle_id: PartIdentifier
    protocol_ids: tuple[PartIdentifier, ...] = ()
    exports: Names = frozenset()
    imports: Names = frozenset()
    footprint: Footprint = Footprint()


def bundles_from_manifests(manifests: Iterable[CompositionManifest]) -> tuple[ComposedBundle, ...]:
    """The bundles that manifests name, by id: each with the protocols, exports and imports of all its parts.

    Raises:
        ManifestWithoutBundles: a manifest has no link specs.
        InvalidArgument: something is no manifest, or a bundle has more names of a kind than it may.
    """
    parts: dict[str, list[tuple[str, LinkSpec]]] = {}
    for given in several("manifests", manifests, MAX_PARTS):
        manifest = exact("CompositionManifest", given, CompositionManifest)
        if not manifest.link_specs:
            raise ManifestWithoutBundles(manifest.protocol_id)
        for spec in manifest.link_specs:
            parts.setdefault(spec.bundle_id, []).append((manifest.protocol_id, spec))
    return tuple(
        ComposedBundle(
            bundle_id=bundle_id,
            protocol_ids=tuple(dict.fromkeys(protocol_id for protocol_id, _ in specs)),
            exports=names("exports", frozenset[str]().union(*(spec.exports for _, spec in specs))),
            imports=names("imports", frozenset[str]().union(*(spec.imports for _, spec in specs))),
        )
        for bundle_id, specs in sorted(parts.items())
    )


def bundles_from_manifest(manifest: CompositionManifest) -> tuple[ComposedBundle, ...]:
    """The bundles that one manifest names, by id; see ``bundles_from_manifests``."""
    return bundles_from_manifests([manifest])


@value_type(placements=MAX_NAMES)
@dataclass(frozen=True, slots=True, config=VALUE)
class UpgradeStep:
    """One step of an upgrade plan: who runs the bundle after it, and where (aura 1.8; telltale 7.1).

    Attributes:
        step_id: the step.
        next_members: who runs the bundle after it.
        placements: where each of them runs; none if that is not said.
    """

    step_id: Identifier
    next_members: Names = frozenset()
    placements: tuple[Placement, ...] = ()

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        # A step that says nothing of it is the same as before there were placements, also under an idempotency key.
        written: dict[str, object] = handler(self)
        if not self.placements:
            written.pop("placements", None)
        return written

    @property
    def boundaries(self) -> tuple[TransportBoundary, ...]:
        """What lies between every two members, by their names; nothing if it is not said where they run.

        Raises:
            InvalidArgument: the placements contradict each other, as in no upgrade that was admitted.
        """
        return tuple(boundaries(self.placements))


@value_type(steps=MAX_UPGRADE_STEPS)
@dataclass(frozen=True, slots=True, config=VALUE)
class UpgradePlan:
    """The steps of an upgrade, in order (aura 1.8)."""

    plan_id: Identifier
    steps: tuple[UpgradeStep, ...] = ()


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class UpgradeCompatibility:
    """What an upgrade promises about what was there before (aura 1.8; telltale 7.1).

    Attributes:
        execution_constraint: whether the bundle's execution profile is kept, or determinism may be mixed. It is kept
            for the runtime, which alone can judge it.
        ownership_continuity_required: whether each step must keep a member of the one before.
        pending_effect_treatment: what becomes of effects that are under way.
        canonical_publication_continuity: whether what was published stays true.
    """

    execution_constraint: Literal["preserve_bundle_profile", "mixed_determinism_allowed"] = "preserve_bundle_profile"
    ownership_continuity_required: bool = True
    pending_effect_treatment: Literal["preserve_pending", "invalidate_blocked"] = "preserve_pending"
    canonical_publication_continuity: Literal["preserve_canonical_truth", "reissue_canonical_truth"] = (
        "preserve_canonical_truth"
    )


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class RuntimeUpgradeRequest:
    """What an upgrade is to do (aura 1.8).

    Attributes:
        upgrade_id: the upgrade; a bundle has each once.
        plan: who runs the bundle, step by step.
        compatibility: what it promises.
        carried_publications: publications that go on.
        invalidated_publications: publications that end.
        carried_obligations: obligations that go on.
        invalidated_obligations: obligations that end.
    """

    upgrade_id: Identifier
    plan: UpgradePlan
    compatibility: UpgradeCompatibility = UpgradeCompatibility()
    carried_publications: Names = frozenset()
    invalidated_publications: Names = frozenset()
    carried_obligations: Names = frozenset()
    invalidated_obligations: Names = frozenset()

    def canonical(self) -> Self:
        """The same as it is recorded: the placements of each step by role (telltale 7.4)."""
        steps = tuple(replace(step, placements=in_order(step.placements)) for step in self.plan.steps)
        return replace(self, plan=replace(self.plan, steps=steps))


class UpgradePhase(StrEnum):
    """Where an upgrade stands (aura 1.8, ``TransitionArtifactPhase``)."""

    STAGED = "staged"
    ADMITTED = "admitted"
    COMMITTED_CUTOVER = "committed_cutover"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class RuntimeUpgradeArtifact:
    """An upgrade of a bundle in one of its phases (aura 1.8).

    Attributes:
        bundle_id: the bundle.
        request: what was asked for, whole.
        phase: where it stands.
        previous_members: who ran the bundle before it.
        next_members: who runs the bundle after it; the previous members if it failed or was rolled back.
        reason: why it failed or was rolled back; None otherwise.
        omitted: what is left out of an upgrade that failed at once and is recorded in brief: its request beside the
            ids, and the members. None of all others.
    """

    bundle_id: Identifier
    request: RuntimeUpgradeRequest
    phase: UpgradePhase
    previous_members: Names
    next_members: Names
    reason: Text | None = None
    omitted: Omitted | None = None

    def in_brief(self) -> Self:
        """The same, without its members and what its request says beside the ids."""
        request = RuntimeUpgradeRequest(self.upgrade_id, UpgradePlan(self.request.plan.plan_id))
        nobody = frozenset[str]()
        omitted = left_out({"request": self.request, "previous_members": sorted(self.previous_members)})
        return replace(self, request=request, previous_members=nobody, next_members=nobody, omitted=omitted)

    @property
    def upgrade_id(self) -> str:
        """The upgrade."""
        return self.request.upgrade_id
