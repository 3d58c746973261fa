"""Handing a session over: in one step, or staged and then committed, rolled back, abandoned or failed."""

from __future__ import annotations

from ..artifacts import CancellationWitness, OwnershipCapability, OwnershipReceipt, TerminalReason
from ..decision import decision
from ..errors import Unclaimed
from ..event import Decision, accept
from ..inbox import InboxState
from ..policy import Policy
from ..scope import OwnershipScope
from .ending import end_of, finish
from .events import (
    OwnershipTransferred,
    TransferAbandoned,
    TransferBegun,
    TransferCommitFailed,
    TransferCommitted,
    TransferRolledBack,
)
from .fragments import fragments_to_move, held_fragments
from .guards import (
    NOT_PENDING,
    refuse_unless_live,
    refuse_unless_staged,
    require_narrower,
    require_nothing_staged,
    require_open,
)
from .refusals import refuse
from .state import SessionState


@decision("session.transfer")
def transfer(
    state: SessionState,
    capability: OwnershipCapability,
    to_owner: str,
    scope: OwnershipScope | None,
    *,
    policy: Policy,
) -> Decision[OwnershipCapability]:
    """Hand the session over at once; without a scope, the live one is kept (aura 2.12).

    Raises:
        SessionNotFound, SessionTerminal, TransferPending, ScopeViolation
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    scope = _scope_to_hand_over(state, capability, scope, policy)
    handed = state.next_capability(to_owner, scope)
    moved = fragments_to_move(state, capability.owner, handed)
    return accept(OwnershipTransferred(capability, handed, state.outstanding_witnesses(), moved))


@decision("session.begin_transfer")
def begin_transfer(
    state: SessionState,
    capability: OwnershipCapability,
    to_owner: str,
    scope: OwnershipScope | None,
    *,
    policy: Policy,
) -> Decision[OwnershipReceipt]:
    """Stage a transfer; the owner stays fully live until it commits (telltale 2.3).

    Raises:
        SessionNotFound, SessionTerminal, TransferPending, ScopeViolation
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    scope = _scope_to_hand_over(state, capability, scope, policy)
    return accept(TransferBegun(state.next_receipt(capability, to_owner, scope)))


@decision("session.commit_transfer")
def commit_transfer(state: SessionState, receipt: OwnershipReceipt) -> Decision[OwnershipCapability]:
    """Let the staged transfer take effect (telltale 2.4). The receipt is the authority to do so.

    Raises:
        SessionNotFound, SessionTerminal
    """
    require_open(state)
    if state.live is None:
        return refuse(state, receipt, NOT_PENDING, Unclaimed(state.session_id))
    if refused := refuse_unless_staged(state, receipt):
        return refused
    handed = OwnershipCapability(state.session_id, receipt.to_owner, receipt.to_generation, receipt.scope)
    moved = fragments_to_move(state, state.live.owner, handed)
    return accept(TransferCommitted(receipt, state.live, handed, state.outstanding_witnesses(), moved))


@decision("session.rollback_transfer")
def rollback_transfer(state: SessionState, receipt: OwnershipReceipt) -> Decision[None]:
    """Withdraw the staged transfer (telltale 2.5).

    Raises:
        SessionNotFound, SessionTerminal
    """
    require_open(state)
    return refuse_unless_staged(state, receipt) or accept(TransferRolledBack(receipt))


@decision("session.abandon_transfer", takes_time=True)
def abandon_transfer(
    state: SessionState, inbox: InboxState, receipt: OwnershipReceipt, *, now: int | None = None
) -> Decision[CancellationWitness]:
    """Give the staged transfer up, and cancel the session with it (telltale 2.10).

    Raises:
        SessionNotFound, SessionTerminal, Unclaimed
    """
    require_open(state)
    if refused := refuse_unless_staged(state, receipt):
        return refused
    live = _live(state)
    reason = TerminalReason("transfer_abandoned", receipt.from_owner, receipt.claim_id)
    witness = CancellationWitness(
        state.witnesses + 1, state.session_id, receipt.from_owner, receipt.from_generation, reason
    )
    ending, lost = end_of(state, inbox, now)
    voided, fragments = state.outstanding_witnesses(), held_fragments(state)
    return finish(TransferAbandoned(live, receipt, witness, voided, fragments, ending), lost)


@decision("session.fail_transfer_commit", takes_time=True)
def fail_transfer_commit(
    state: SessionState, inbox: InboxState, receipt: OwnershipReceipt, reason: str, *, now: int | None = None
) -> Decision[None]:
    """Record that the staged transfer could not be committed, and fault the session with it (telltale 2.10).

    Raises:
        SessionNotFound, SessionTerminal, Unclaimed
    """
    require_open(state)
    if refused := refuse_unless_staged(state, receipt):
        return refused
    live = _live(state)
    failure = TerminalReason("transfer_commit_failed", receipt.from_owner, receipt.claim_id, reason)
    ending, lost = end_of(state, inbox, now)
    voided, fragments = state.outstanding_witnesses(), held_fragments(state)
    return finish(TransferCommitFailed(live, receipt, failure, voided, fragments, ending), lost)


def _scope_to_hand_over(
    state: SessionState, capability: OwnershipCapability, scope: OwnershipScope | None, policy: Policy
) -> OwnershipScope:
    """The scope that the new owner is to hold; without one the live scope is kept."""
    require_nothing_staged(state)
    if scope is None:
        return capability.scope
    require_narrower(capability, scope, policy)
    return scope


def _live(state: SessionState) -> OwnershipCapability:
    """The live capability of a session with a staged transfer; staging one takes an owner."""
    if state.live is None:
        raise Unclaimed(state.session_id)
    return state.live
