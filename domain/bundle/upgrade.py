"""Upgrading who runs a bundle: staged, admitted, committed; or failed, or rolled back (aura 2.30; telltale 7.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..bounds import MAX_RECORDED_REFUSALS, MAX_REQUEST_BYTES, MAX_TEXT_LENGTH, MAX_WHOLE_REFUSAL_BYTES
from ..decision import decision
from ..errors import (
    InvalidArgument,
    MembersNotSeeded,
    UpgradeExists,
    UpgradeNotPending,
    UpgradePending,
    UpgradeRejected,
)
from ..event import Accepted, Decision, Event, Refused, accept
from ..value import json_size, require_size
from .events import MembersSeeded, UpgradeAdmitted, UpgradeCommitted, UpgradeFailed, UpgradeRolledBack, UpgradeStaged
from .placements import problem_with
from .state import BundleState
from .values import RuntimeUpgradeArtifact, RuntimeUpgradeRequest, UpgradePhase

_LISTED: Final = 5
"""How many names of members or publications a reason lists."""


@decision("bundle.seed_members")
def seed_members(state: BundleState, members: frozenset[str]) -> Decision[None]:
    """Say who runs a bundle. Unlike the reference's, this forgets no upgrade, and the epoch goes on (aura 6, O-39).

    Raises:
        BundleNotFound, InvalidArgument, UpgradePending
    """
    state.known()
    if not members:
        raise InvalidArgument("members", "must not be empty")
    _require_none_pending(state)
    if members == state.members:
        return Accepted(None)
    return accept(MembersSeeded(state.bundle_id, members, state.epoch + 1, state.members))


@decision("bundle.stage")
def stage(state: BundleState, request: RuntimeUpgradeRequest) -> Decision[RuntimeUpgradeArtifact]:
    """Ask for an upgrade.

    Raises:
        BundleNotFound, MembersNotSeeded, UpgradePending, UpgradeExists
        BoundExceeded: the request takes more than 256 KiB of JSON.
        UpgradeRejected: it breaks a rule, and no more failures of this bundle are recorded (law 6). Until then it is
            staged all the same, and fails when it is to be admitted.
    """
    staged = _staged(state, request)
    if state.failures >= MAX_RECORDED_REFUSALS and (rejected := _broken_rule(state, staged.request)):
        return Refused(rejected)
    return accept(UpgradeStaged(staged))


@decision("bundle.admit")
def admit(state: BundleState, upgrade_id: str) -> Decision[RuntimeUpgradeArtifact]:
    """Check a staged upgrade against the rules; one that breaks a rule has failed, on the record.

    Raises:
        BundleNotFound, UpgradeNotPending
    """
    staged = _pending(state, upgrade_id, UpgradePhase.STAGED)
    if rejected := _broken_rule(state, staged.request):
        return Refused(rejected, (UpgradeFailed(_came_to_nothing(staged, UpgradePhase.FAILED, rejected.reason)),))
    return accept(UpgradeAdmitted(replace(staged, phase=UpgradePhase.ADMITTED)))


@decision("bundle.commit")
def commit(state: BundleState, upgrade_id: str) -> Decision[RuntimeUpgradeArtifact]:
    """Let an admitted upgrade take effect.

    Raises:
        BundleNotFound, UpgradeNotPending
    """
    admitted = _pending(state, upgrade_id, UpgradePhase.ADMITTED)
    return accept(UpgradeCommitted(replace(admitted, phase=UpgradePhase.COMMITTED_CUTOVER), state.epoch + 1))


@decision("bundle.roll_back")
def roll_back(state: BundleState, upgrade_id: str, reason: str) -> Decision[RuntimeUpgradeArtifact]:
    """Give up an upgrade that has not taken effect.

    Raises:
        BundleNotFound, UpgradeNotPending
    """
    pending = _pending(state, upgrade_id, None)
    return accept(UpgradeRolledBack(_came_to_nothing(pending, UpgradePhase.ROLLED_BACK, reason)))


@decision("bundle.upgrade")
def upgrade(state: BundleState, request: RuntimeUpgradeRequest) -> Decision[RuntimeUpgradeArtifact]:
    """Stage, admit and commit at once. One that breaks a rule has failed, on the record.

    Raises:
        BundleNotFound, MembersNotSeeded, UpgradePending, UpgradeExists
    """
    staged = _staged(state, request)
    if rejected := _broken_rule(state, staged.request):
        if state.failures >= MAX_RECORDED_REFUSALS:
            return Refused(rejected)
        failed = _came_to_nothing(staged, UpgradePhase.FAILED, rejected.reason)
        if json_size(failed) > MAX_WHOLE_REFUSAL_BYTES:
            staged, failed = staged.in_brief(), failed.in_brief()
        return Refused(rejected, (UpgradeStaged(staged), UpgradeFailed(failed)))
    events: tuple[Event[RuntimeUpgradeArtifact], ...] = (UpgradeStaged(staged),)
    committed = replace(staged, phase=UpgradePhase.COMMITTED_CUTOVER)
    events += (
        UpgradeAdmitted(replace(staged, phase=UpgradePhase.ADMITTED)),
        UpgradeCommitted(committed, state.epoch + 1),
    )
    return Accepted(committed, events)


def _staged(state: BundleState, request: RuntimeUpgradeRequest) -> RuntimeUpgradeArtifact:
    state.known()
    if not state.members:
        raise MembersNotSeeded(state.bundle_id)
    _require_none_pending(state)
    if request.upgrade_id in state.upgrades:
        raise UpgradeExists(state.bundle_id, request.upgrade_id)
    require_size("request", request, MAX_REQUEST_BYTES)
    request = request.canonical()
    steps = request.plan.steps
    following = steps[-1].next_members if steps else frozenset()
    return RuntimeUpgradeArtifact(state.bundle_id, request, UpgradePhase.STAGED, state.members, following)


def _broken_rule(state: BundleState, request: RuntimeUpgradeRequest) -> UpgradeRejected | None:
    """The first rule that a request breaks, in the order of their letters (aura 2.30, a to g; telltale 7.4)."""

    def broken(rule: str, reason: str) -> UpgradeRejected:
        return UpgradeRejected(state.bundle_id, request.upgrade_id, rule, reason)

    steps = request.plan.steps
    if not steps:
        return broken("a", "the plan has no steps")
    promised = request.compatibility
    if both := request.carried_publications & request.invalidated_publications:
        return broken("b", f"publications both carried and invalidated: {_listed(both)}")
    if both := request.carried_obligations & request.invalidated_obligations:
        return broken("c", f"obligations both carried and invalidated: {_listed(both)}")
    if promised.ownership_continuity_required:
        members = state.members
        for number, step in enumerate(steps):
            # The reference asks this of the first step only, so that a longer plan can drop everybody. A later step
            # without members breaks rule g, as there.
            if number and not step.next_members:
                break
            if not members & step.next_members:
                return broken("d", f"step {step.step_id!r} keeps none of the members {_listed(members)}")
            members = step.next_members
    names_obligations = request.carried_obligations or request.invalidated_obligations
    if promised.pending_effect_treatment == "invalidate_blocked" and not names_obligations:
        return broken("e", "blocked effects are to be invalidated, and no obligation is named")
    preserves = promised.canonical_publication_continuity == "preserve_canonical_truth"
    if preserves and request.invalidated_publications:
        ended = _listed(request.invalidated_publications)
        return broken("f", f"what was published is to stay true, and publications are invalidated: {ended}")
    for step in steps:
        if not step.next_members:
            return broken("g", f"step {step.step_id!r} has no members")
        if step.placements and (problem := problem_with(step.placements, step.next_members)):
            return broken("h", f"step {step.step_id!r} places its members wrongly: {problem}"[:MAX_TEXT_LENGTH])
    return None


def _listed(names: frozenset[str]) -> str:
    """Names as a reason has room for them."""
    some = sorted(names)[:_LISTED]
    return ", ".join(some) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def _pending(state: BundleState, upgrade_id: str, phase: UpgradePhase | None) -> RuntimeUpgradeArtifact:
    state.known()
    pending = state.pending
    if pending is None or pending.upgrade_id != upgrade_id:
        raise UpgradeNotPending(state.bundle_id, upgrade_id, None, phase or "under way")
    if phase is not None and pending.phase is not phase:
        raise UpgradeNotPending(state.bundle_id, upgrade_id, pending.phase, phase)
    return pending


def _require_none_pending(state: BundleState) -> None:
    if state.pending is not None:
        raise UpgradePending(state.bundle_id, state.pending.upgrade_id)


def _came_to_nothing(artifact: RuntimeUpgradeArtifact, phase: UpgradePhase, reason: str) -> RuntimeUpgradeArtifact:
    return replace(artifact, phase=phase, next_members=artifact.previous_members, reason=reason)
