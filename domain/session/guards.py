"""What every session command checks first, in this order (telltale 2.0)."""

from __future__ import annotations

from ..artifacts import OwnershipCapability, OwnershipReceipt
from ..effects import SessionStatus
from ..errors import (
    CapabilitySessionMismatch,
    HandOverRequired,
    ReceiptMismatch,
    ScopeViolation,
    SessionDraining,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TransferNotPending,
    TransferPending,
    Unclaimed,
)
from ..event import Placed, Refused
from ..policy import Policy
from ..scope import FULL_SESSION, OwnershipScope
from ..stream_names import session_stream
from .refusals import refuse
from .state import SessionState

_STRICT = Policy()

NOT_LIVE = "capability is not live"
NO_OWNER = "session has no owner"
NOT_PENDING = "receipt is no longer pending"
RECEIPT_MISMATCH = "receipt payload mismatch"


def require_opened(state: SessionState) -> None:
    """G0: the session was opened.

    Raises:
        SessionNotFound: it never was.
    """
    if state.status is SessionStatus.UNOPENED:
        raise SessionNotFound(state.session_id)


def require_open(state: SessionState) -> None:
    """G0 and G1: the session was opened, and has not finished; it may be draining (law 5).

    Raises:
        SessionNotFound: it was never opened.
        SessionTerminal: it is closed, cancelled or faulted.
    """
    require_opened(state)
    if not state.status.is_open:
        raise SessionTerminal(state.session_id, state.status, state.terminal_reason)


def require_not_draining(state: SessionState) -> None:
    """The session takes in what is new: envelopes, claims, delegations (telltale 4).

    Raises:
        SessionDraining: it runs out.
    """
    if state.status is SessionStatus.DRAINING:
        raise SessionDraining(state.session_id)


def refuse_unless_live(state: SessionState, capability: OwnershipCapability) -> Refused | None:
    """G0 to G2: the session is open, and this is the live capability, scope included (law 2).

    Returns:
        None if it is; otherwise the refusal, with ``Unclaimed`` or ``StaleCapability``.

    Raises:
        SessionNotFound, SessionTerminal: the session is not open.
    """
    require_open(state)
    live = state.live
    if capability == live:
        return None
    if live is None:
        return refuse(state, capability, NO_OWNER, Unclaimed(state.session_id))
    error = StaleCapability(
        state.session_id,
        capability.owner,
        capability.generation,
        capability.scope,
        live.owner,
        live.generation,
        live.scope,
    )
    return refuse(state, capability, NOT_LIVE, error)


def require_session(session_id: str, capability: OwnershipCapability) -> None:
    """The capability is of the session that is named (aura 2.10).

    Raises:
        CapabilitySessionMismatch: it is of another.
    """
    if capability.session_id != session_id:
        raise CapabilitySessionMismatch(session_id, capability.session_id, capability.owner)


def require_full_session(state: SessionState, capability: OwnershipCapability) -> None:
    """G3: the live capability reaches over the whole session.

    Raises:
        ScopeViolation: it covers fragments only.
    """
    if capability.scope != FULL_SESSION:
        raise ScopeViolation(state.session_id, capability.owner, FULL_SESSION, capability.scope)


def require_nothing_staged(state: SessionState) -> None:
    """G4: no transfer is staged.

    Raises:
        TransferPending: one is.
    """
    if state.pending is not None:
        raise TransferPending(state.session_id, state.pending.claim_id)


def require_no_owner(state: SessionState) -> None:
    """Nobody owns the session, so that its authority changes without leaving an owner behind (law 7).

    Raises:
        HandOverRequired: somebody does.
    """
    if state.live is not None:
        raise HandOverRequired(state.session_id, state.live.owner)


def require_narrower(capability: OwnershipCapability, scope: OwnershipScope, policy: Policy = _STRICT) -> None:
    """A new scope reaches no further than the live one (law 3).

    Raises:
        ScopeViolation: it does, and the policy does not permit that.
    """
    if not policy.scope_may_widen and not capability.scope.includes(scope):
        raise ScopeViolation(capability.session_id, capability.owner, scope, capability.scope)


def require_claimable(state: SessionState, scope: OwnershipScope, policy: Policy) -> None:
    """A claim reaches no further than the session's last owner did, whoever claims it (law 3).

    Otherwise an owner of fragments would have all of the session by giving it up and claiming it again.

    Raises:
        ScopeViolation: it does, and the policy does not permit that.
    """
    if not policy.scope_may_widen and not state.claimable.includes(scope):
        raise ScopeViolation(state.session_id, None, scope, state.claimable)


def refuse_unless_staged(state: SessionState, receipt: OwnershipReceipt) -> Refused | None:
    """The receipt is the staged one, compared whole (telltale 2.4).

    Returns:
        None if it is; otherwise the refusal, with ``TransferNotPending`` or ``ReceiptMismatch``.
    """
    pending = state.pending
    if pending is None:
        return refuse(state, receipt, NOT_PENDING, TransferNotPending(state.session_id))
    if receipt != pending:
        mismatch = ReceiptMismatch(state.session_id, receipt.claim_id, pending.claim_id)
        return refuse(state, receipt, RECEIPT_MISMATCH, mismatch)
    return None


def refuse_beside(state: SessionState, capability: OwnershipCapability) -> Refused | None:
    """The same for a command on the session's inbox: a refusal goes on record in the session's own stream.

    Raises:
        SessionNotFound, SessionTerminal
    """
    refused = refuse_unless_live(state, capability)
    if refused is None:
        return None
    stream = session_stream(state.session_id)
    return Refused(refused.error, (), tuple(Placed(stream, event) for event in refused.events))
