"""For every event, what undoes it, or why nothing can (law 8).

A rule says which parts of its stream's state an event changes, and which it stands on; a part has a name such as
``ownership`` or ``fragment:bundle:chat``. A later event that changes or needs what an earlier one changed stands on it,
and the earlier one is then not undone before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from . import bundle, saga, session
from .bundle import restore as bundles
from .event import Event
from .session import restore as sessions

Compensate: TypeAlias = Callable[[Any, dict[str, Any], Any], Event[Any]]
"""Makes the event that undoes one: of that event, what held before it, and the state as it is now."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How an event type is undone.

    Attributes:
        compensate: makes the compensating event; None if nothing undoes it.
        reason: why nothing does; empty otherwise.
        changes: the parts of the state that it changes, beside fragments and witnesses, which the event names itself.
        needs: the parts of the state that it stands on.
        is_mere_record: whether it changed nothing, so that there is nothing to undo.
    """

    compensate: Compensate | None = None
    reason: str = ""
    changes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    is_mere_record: bool = False


def _undone_by(compensate: Compensate, changes: str, needs: str = "") -> Rule:
    return Rule(compensate, changes=frozenset(changes.split()), needs=frozenset(needs.split()))


def _not_undone(reason: str, changes: str, needs: str = "") -> Rule:
    return Rule(reason=reason, changes=frozenset(changes.split()), needs=frozenset(needs.split()))


def _mere_record(reason: str) -> Rule:
    return Rule(reason=reason, is_mere_record=True)


_SPENT: Final = "a spent witness stays spent"
_FAULT: Final = "a fault stays a fault"
_CANCELLED: Final = "a cancellation is proven by a witness, and stays"
_CLOSED: Final = "a closed session stays closed; open it again"
_REFUSAL: Final = "a refusal is a record of the past, and changed nothing"
_SAGA: Final = "a saga is a record of work; what was appended in it can be undone"
_UPGRADE_FAILED: Final = "a failed upgrade is a record of the past, and changed no members"

RULES: Final[Mapping[type[Event[Any]], Rule]] = {
    session.SessionOpened: _undone_by(sessions.withdraw_opening, "life footprint"),
    session.OwnershipClaimed: _undone_by(sessions.restore_ownership, "ownership", "life"),
    session.OwnershipReleased: _undone_by(sessions.restore_ownership, "ownership", "life"),
    session.OwnershipTransferred: _undone_by(sessions.restore_ownership, "ownership", "life"),
    session.ScopeAttenuated: _undone_by(sessions.restore_ownership, "ownership", "life"),
    session.TransferBegun: _undone_by(sessions.withdraw_transfer, "ownership", "life"),
    session.TransferCommitted: _undone_by(sessions.restore_ownership, "ownership", "life"),
    session.TransferRolledBack: _undone_by(sessions.stage_again, "ownership", "life"),
    session.ReadinessWitnessIssued: _undone_by(sessions.withdraw_witness, "", "life ownership"),
    session.ReadinessWitnessConsumed: _not_undone(_SPENT, "", "life ownership"),
    session.OwnerDied: _not_undone(_FAULT, "life ownership"),
    session.TransferAbandoned: _not_undone(_CANCELLED, "life ownership"),
    session.TransferCommitFailed: _not_undone(_FAULT, "life ownership"),
    session.SessionClosed: _not_undone(_CLOSED, "life ownership"),
    session.CapabilityRejected: _mere_record(_REFUSAL),
    session.ReceiptRejected: _mere_record(_REFUSAL),
    session.WitnessRejected: _mere_record(_REFUSAL),
    session.SessionHosted: _undone_by(sessions.withdraw_hosting, "footprint", "life"),
    session.SessionDelegated: _undone_by(sessions.revert_delegation, "footprint", "life"),
    session.SessionHandedOver: _undone_by(sessions.revert_hand_over, "footprint ownership", "life"),
    session.DelegationRejected: _mere_record(_REFUSAL),
    session.FragmentsClaimed: _undone_by(sessions.restore_fragments, "", "life ownership"),
    session.FragmentsMoved: _undone_by(sessions.restore_fragments, "", "life ownership"),
    session.FragmentsReleased: _undone_by(sessions.restore_fragments, "", "life ownership"),
    session.OwnershipRestored: _undone_by(sessions.restore_ownership, "ownership", "life"),
    session.OpeningWithdrawn: _undone_by(sessions.open_again, "life footprint"),
    session.ReadinessWitnessWithdrawn: _undone_by(sessions.issue_again, "", "life ownership"),
    session.HostingWithdrawn: _undone_by(sessions.host_again, "footprint", "life"),
    session.DelegationReverted: _undone_by(sessions.delegate_again, "footprint", "life"),
    session.HandOverReverted: _undone_by(sessions.hand_over_again, "footprint ownership", "life"),
    session.FragmentsRestored: _undone_by(sessions.restore_fragments, "", "life ownership"),
    bundle.BundleRegistered: _undone_by(bundles.withdraw, "bundle"),
    bundle.BundleLinked: _undone_by(bundles.withdraw, "bundle"),
    bundle.BundleWithdrawn: _undone_by(bundles.make_known_again, "bundle"),
    bundle.BundleLinkRejected: _mere_record(_REFUSAL),
    bundle.MembersSeeded: _undone_by(bundles.restore_members, "members", "bundle"),
    bundle.MembersRestored: _undone_by(bundles.restore_members, "members", "bundle"),
    bundle.UpgradeStaged: _undone_by(bundles.roll_upgrade_back, "members", "bundle"),
    bundle.UpgradeAdmitted: _undone_by(bundles.restore_members, "members", "bundle"),
    bundle.UpgradeCommitted: _undone_by(bundles.restore_members, "members", "bundle"),
    bundle.UpgradeRolledBack: _undone_by(bundles.restore_members, "members", "bundle"),
    bundle.UpgradeFailed: _mere_record(_UPGRADE_FAILED),
    saga.SagaBegun: _mere_record(_SAGA),
    saga.SagaStepTaken: _mere_record(_SAGA),
    saga.SagaStepUndone: _mere_record(_SAGA),
    saga.SagaCompleted: _mere_record(_SAGA),
    saga.SagaCompensated: _mere_record(_SAGA),
    saga.SagaCompensationFailed: _mere_record(_SAGA),
}
"""The rule of every event type in the catalogue."""


def changes(event: Event[Any]) -> frozenset[str]:
    """The parts of its stream's state that an event changed."""
    return RULES[type(event)].changes.union(
        (f"fragment:{key}" for key in sessions.fragment_keys(event)),
        (f"witness:{witness_id}" for witness_id in _witness_ids(event)),
    )


def stands_on(later: Event[Any], changed: Iterable[str]) -> bool:
    """Whether a later event changed, or needed, a part of the state that was changed."""
    touched = changes(later) | RULES[type(later)].needs
    return not touched.isdisjoint(changed)


def _witness_ids(event: Event[Any]) -> set[int]:
    ids = {witness.witness_id for witness in getattr(event, "voided", ())}
    if isinstance(
        event, session.ReadinessWitnessIssued | session.ReadinessWitnessConsumed | session.ReadinessWitnessWithdrawn
    ):
        ids.add(event.witness.witness_id)
    return ids
