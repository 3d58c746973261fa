"""Which authority has a session: hosting, delegating, and handing a live session over (aura 2.25 to 2.31; law 7)."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from pydantic.dataclasses import dataclass

from ..artifacts import DelegationReceipt, FootprintClass, OwnershipCapability, ProvenancedTime
from ..boundary import LinkBoundary
from ..bundle import BundleState, upgrade as decide_upgrade
from ..bundle.values import RuntimeUpgradeArtifact, RuntimeUpgradeRequest
from ..decision import decision
from ..delegation import DelegationOutcome, DelegationWitness
from ..errors import (
    AlreadyHosted,
    BoundaryBundleMismatch,
    BoundaryScopeMismatch,
    DelegationConstrained,
    InvalidArgument,
    MunimentError,
    NotActiveHolder,
    SelfDelegation,
    UnknownRole,
)
from ..event import Accepted, Decision, Placed, Refused, accept
from ..identifiers import Identifier
from ..policy import Policy
from ..scope import FULL_SESSION, Fragments
from ..stream_names import bundle_stream
from ..value import VALUE, value_type
from .delegation_events import DelegationRejected, SessionDelegated, SessionHandedOver
from .fragments import fragments_to_leave, fragments_to_move, require_boundary
from .guards import (
    refuse_unless_live,
    require_narrower,
    require_no_owner,
    require_not_draining,
    require_nothing_staged,
    require_open,
)
from .refusals import refuse_once
from .state import SessionState

NOT_HOLDER = "authority is not the active holder"


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class DelegationRequest:
    """Which authority is to give a session to which, and through what (aura 1.7, ``SessionDelegationTransfer``).

    Attributes:
        bundle_id: the bundle that it is made through, or None.
        boundary: the boundary; None for the bundle's own.
        context_id: the context that it belongs to; None for the session's.
        from_role: the role that delegates; None if it is not said.
        to_role: the role that it goes to; None if it is not said.
    """

    from_authority: Identifier
    to_authority: Identifier
    bundle_id: Identifier | None = None
    boundary: LinkBoundary | None = None
    context_id: Identifier | None = None
    from_role: Identifier | None = None
    to_role: Identifier | None = None


@decision("session.host")
def host(state: SessionState, authority: str) -> Decision[None]:
    """Have an authority host a session that none holds; asked for again, nothing changes (aura 2.25).

    Raises:
        SessionNotFound, SessionTerminal, AlreadyHosted
    """
    require_open(state)
    if state.footprint.get(authority) is FootprintClass.NATIVE:
        return Accepted(None)
    if state.holder is not None:
        raise AlreadyHosted(state.session_id, authority, state.holder)
    return accept(state.next_hosting(authority))


@decision("session.delegate", takes_time=True)
def delegate(
    state: SessionState,
    bundle: BundleState | None,
    request: DelegationRequest,
    upgrade: RuntimeUpgradeRequest | None = None,
    claimed_at: ProvenancedTime | None = None,
    *,
    now: int | None = None,
) -> Decision[DelegationOutcome]:
    """Give a session without an owner to another authority (aura 2.27, 2.29).

    The last owner's fragments go along, and are held by whoever claims the session next (law 7). Repeating the latest
    delegation answers what it answered, and appends nothing.

    Args:
        state: the session.
        bundle: the bundle that the request names, or None.
        request: who gives it to whom.
        upgrade: an upgrade of the bundle, to be committed with it; None for none.
        claimed_at: when somebody claims that it was made; None for now.
        now: the time in ms; None where nobody tells it.

    Raises:
        SessionNotFound, SessionTerminal, SessionDraining, DelegationConstrained, UnknownRole, SelfDelegation,
        BundleNotFound, BoundaryBundleMismatch, BoundaryScopeMismatch, HandOverRequired, and what an upgrade raises
        NotActiveHolder: no authority holds the session.
        InvalidArgument: there is an upgrade, and no bundle.
    """
    require_open(state)
    request, boundary = _in_context(state, request), _boundary(state, bundle, request)
    if (last := _repeated(state, request, boundary, upgrade, claimed_at)) is not None:
        return Accepted(last)
    require_not_draining(state)
    _require_constraints(state, request)
    if refused := refuse_unless_holder(state, request):
        return refused
    require_no_owner(state)
    upgraded = _upgraded(state, bundle, request, upgrade)
    if isinstance(upgraded, Refused):
        return upgraded
    receipt = _receipt(state, request, claimed_at, now)
    left = fragments_to_leave(state, FULL_SESSION if boundary is None else boundary.scope)
    witness = DelegationWitness(
        session_id=state.session_id,
        delegation_id=receipt.delegation_id,
        boundary=boundary,
        moved_fragments=tuple(fragment.key for fragment in left),
        upgrade=upgraded.artifact,
    )
    event = SessionDelegated(receipt, witness, left)
    return Accepted(event.outcome, (event,), upgraded.placed)


@decision("session.hand_over", takes_time=True)
def hand_over(
    state: SessionState,
    bundle: BundleState | None,
    capability: OwnershipCapability,
    to_owner: str,
    request: DelegationRequest,
    upgrade: RuntimeUpgradeRequest | None,
    claimed_at: ProvenancedTime | None = None,
    *,
    policy: Policy,
    now: int | None = None,
) -> Decision[DelegationOutcome]:
    """Give a live session to another authority and another owner, with its fragments (aura 2.31; law 7).

    Args:
        state: the session.
        bundle: the bundle that the request names, or None.
        capability: the live capability.
        to_owner: the new owner's label.
        request: which authority gives it to which.
        upgrade: an upgrade of the bundle, to be committed with it; None for none.
        claimed_at: when somebody claims that it was made; None for now.
        policy: what is permitted beyond the laws.
        now: the time in ms; None where nobody tells it.

    Raises:
        SessionNotFound, SessionTerminal, SessionDraining, DelegationConstrained, UnknownRole, SelfDelegation,
        BundleNotFound, BoundaryBundleMismatch, BoundaryScopeMismatch, TransferPending, BoundaryRejected,
        ScopeViolation, and what an upgrade raises
        NotActiveHolder: no authority holds the session.
        InvalidArgument: there is an upgrade, and no bundle.
    """
    require_open(state)
    request, boundary = _in_context(state, request), _boundary(state, bundle, request)
    require_not_draining(state)
    _require_constraints(state, request)
    if refused := refuse_unless_holder(state, request) or refuse_unless_live(state, capability):
        return refused
    require_nothing_staged(state)
    scope = capability.scope
    if boundary is not None:
        require_boundary(capability, boundary)
        require_narrower(capability, boundary.scope, policy)
        scope = boundary.scope
    upgraded = _upgraded(state, bundle, request, upgrade)
    if isinstance(upgraded, Refused):
        return upgraded
    handed = state.next_capability(to_owner, scope)
    moved = fragments_to_move(state, capability.owner, handed)
    receipt = _receipt(state, request, claimed_at, now)
    witness = DelegationWitness(
        session_id=state.session_id,
        delegation_id=receipt.delegation_id,
        boundary=boundary,
        moved_fragments=tuple(fragment.key for fragment in moved),
        ownership_receipt=state.next_receipt(capability, to_owner, scope),
        upgrade=upgraded.artifact,
    )
    event = SessionHandedOver(capability, handed, receipt, witness, state.outstanding_witnesses(), moved)
    return Accepted(event.outcome, (event,), upgraded.placed)


class _Upgraded(NamedTuple):
    """The upgrade that is committed with a delegation, and its events; nothing where there is none."""

    artifact: RuntimeUpgradeArtifact | None = None
    placed: tuple[Placed, ...] = ()


def _upgraded(
    state: SessionState,
    bundle: BundleState | None,
    request: DelegationRequest,
    upgrade: RuntimeUpgradeRequest | None,
) -> _Upgraded | Refused:
    """Decide on the upgrade that comes with a delegation; with one that breaks a rule, nothing is delegated.

    Raises:
        InvalidArgument: there is an upgrade, and no bundle.
    """
    if upgrade is None:
        return _Upgraded()
    if bundle is None:
        raise InvalidArgument("upgrade", "is of a bundle, so bundle_id must name one")
    decision = decide_upgrade(bundle, upgrade)
    placed = tuple(Placed(bundle_stream(bundle.bundle_id), event) for event in decision.events)
    if not isinstance(decision, Refused):
        return _Upgraded(decision.result, placed)
    if not placed:
        # The failure of the upgrade is recorded no further, and neither is what failed with it (law 6).
        return decision
    refusal = reject(state, request, f"upgrade rejected: {decision.error.code}", decision.error)
    return Refused(decision.error, refusal.events, placed)


def _in_context(state: SessionState, request: DelegationRequest) -> DelegationRequest:
    """The request in the session's own context, if it says none (aura 2.29)."""
    if request.context_id is not None or state.terms.context_id is None:
        return request
    return replace(request, context_id=state.terms.context_id)


def _boundary(state: SessionState, bundle: BundleState | None, request: DelegationRequest) -> LinkBoundary | None:
    """The boundary of a delegation, checked against the bundle and against itself (aura 2.28)."""
    if request.from_authority == request.to_authority:
        raise SelfDelegation(state.session_id, request.from_authority)
    boundary = request.boundary
    if bundle is not None:
        known = bundle.known()
        boundary = boundary or LinkBoundary.for_bundle(known)
    if boundary is None:
        return None
    if boundary.bundle_id != request.bundle_id:
        raise BoundaryBundleMismatch(state.session_id, request.bundle_id, boundary.bundle_id)
    if isinstance(boundary.scope, Fragments) and not boundary.is_allowed_by(boundary.scope):
        raise BoundaryScopeMismatch(state.session_id, tuple(sorted(boundary.fragment_keys)), boundary.scope)
    return boundary


def request_of(receipt: DelegationReceipt, boundary: LinkBoundary | None) -> DelegationRequest:
    """The request that a delegation was made for, as its receipt tells it."""
    return DelegationRequest(
        receipt.from_authority,
        receipt.to_authority,
        receipt.bundle_id,
        boundary,
        receipt.context_id,
        receipt.from_role,
        receipt.to_role,
    )


def _require_constraints(state: SessionState, request: DelegationRequest) -> None:
    """The delegation is made through the bundle that the session's manifest requires between the roles (aura 6, O-37).

    Raises:
        DelegationConstrained, UnknownRole
    """
    for role in (request.from_role, request.to_role):
        if role is not None and role not in state.role_set:
            raise UnknownRole(state.session_id, role)
    constraints = state.terms.constraints
    if not constraints:
        return
    asked = (state.session_id, request.from_role, request.to_role, request.bundle_id)
    if request.from_role is None or request.to_role is None:
        raise DelegationConstrained(*asked, None)
    required = [
        each.bundle_id for each in constraints if (each.from_role, each.to_role) == (request.from_role, request.to_role)
    ]
    if required and request.bundle_id not in required:
        raise DelegationConstrained(*asked, required[0])


def _repeated(
    state: SessionState,
    request: DelegationRequest,
    boundary: LinkBoundary | None,
    upgrade: RuntimeUpgradeRequest | None,
    claimed_at: ProvenancedTime | None,
) -> DelegationOutcome | None:
    """What the last delegation answered, if this is the same again."""
    last = state.last_delegation
    if last is None or last.capability is not None:
        return None
    receipt, witness = last.receipt, last.witness
    upgraded = None if witness.upgrade is None else witness.upgrade.request
    upgrade = None if upgrade is None else upgrade.canonical()
    told = (request_of(receipt, request.boundary), witness.boundary, upgraded, receipt.claimed_at)
    return last if (request, boundary, upgrade, claimed_at) == told else None


def refuse_unless_holder(state: SessionState, request: DelegationRequest) -> Refused | None:
    """The authority that is to delegate holds the session.

    Raises:
        NotActiveHolder: none does.

    Returns:
        None if it does; otherwise the refusal, with ``NotActiveHolder``.
    """
    if state.holder == request.from_authority:
        return None
    error = NotActiveHolder(state.session_id, request.from_authority, state.holder)
    if state.holder is None:
        # Nobody can have been mistaken for the holder; the record would say nothing.
        raise error
    return reject(state, request, NOT_HOLDER, error)


def reject(state: SessionState, request: DelegationRequest, reason: str, error: MunimentError) -> Refused:
    """Refuse a delegation, on the record, within bounds (law 6)."""
    parties = (request.from_authority, request.to_authority, request.bundle_id)
    return refuse_once(state, error, lambda last: DelegationRejected(state.session_id, *parties, reason, last))


def _receipt(
    state: SessionState, request: DelegationRequest, claimed_at: ProvenancedTime | None, now: int | None
) -> DelegationReceipt:
    """What a delegation by the holder changes (aura 2.27): when it passes on, those before it have no part any more."""
    held = state.footprint[request.from_authority]
    cleared: tuple[str, ...] = ()
    if held is FootprintClass.DELEGATED_IN:
        others = (name for name in state.footprint if name not in (request.from_authority, request.to_authority))
        cleared = tuple(sorted(others))
    return DelegationReceipt(
        session_id=state.session_id,
        delegation_id=state.delegations + 1,
        from_authority=request.from_authority,
        to_authority=request.to_authority,
        bundle_id=request.bundle_id,
        context_id=request.context_id,
        from_before=held,
        from_after=FootprintClass.DELEGATED_OUT,
        to_before=state.footprint.get(request.to_authority),
        to_after=FootprintClass.DELEGATED_IN,
        cleared=cleared,
        from_role=request.from_role,
        to_role=request.to_role,
        delegated_at=claimed_at if claimed_at is not None or now is None else ProvenancedTime(state.not_before(now)),
    )
