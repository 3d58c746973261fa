"""``journal.sessions``: every command on session ownership."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from ...domain import (
    FULL_SESSION,
    CancellationWitness,
    Decision,
    OwnershipCapability,
    OwnershipReceipt,
    OwnershipScope,
    ReadinessWitness,
    SessionNotFound,
    session,
    session_stream,
)
from ...domain.identifiers import identifier, text
from ...domain.scope import scope as checked_scope
from .base import checked
from .delegations import DelegationCommands
from .lifecycle import timed
from .protocols import ProtocolCommands
from .running import RunningCommands

ResultT = TypeVar("ResultT")


class Sessions(RunningCommands, DelegationCommands, ProtocolCommands):
    """Opens, claims, hands over, runs and ends sessions; and how each stands: a mapping from session id to a row.

    Every command either appends its event and returns, or raises. All of them raise ``SessionNotFound`` for an id that
    was never opened, ``SessionTerminal`` for a finished session, ``InvalidInput`` for arguments that make no sense,
    ``ConcurrencyConflict`` when other writers win every race, and ``JournalError`` when the storage fails. Those that
    take a capability raise ``Unclaimed`` or ``StaleCapability`` if it is not the live one, and record the refusal.
    """

    def claim(self, session_id: str, owner: str, scope: OwnershipScope = FULL_SESSION) -> OwnershipCapability:
        """Make ``owner`` the owner of a session that has none (telltale 2.1).

        Raises:
            SessionDraining: it runs out.
            ScopeViolation: its last owner held less; see ``SessionView.claimable`` (law 3).
            AlreadyClaimed: it has one. Under ``Policy.reference()`` the same label gets the live capability (aura 2.9).
        """
        claim = partial(session.claim, policy=self._policy)
        return self._run(claim, session_id, identifier("owner", owner), checked_scope(scope))

    def release(self, capability: OwnershipCapability, *, session_id: str | None = None) -> None:
        """Give the session up (telltale 2.2).

        Args:
            capability: the live capability.
            session_id: the session that it must be of; None for whichever it says.

        Raises:
            CapabilitySessionMismatch: the capability is of another session.
            TransferPending: a transfer is staged.
        """
        return self._present(session.release, _of_session(capability, session_id))

    def transfer(
        self,
        capability: OwnershipCapability,
        to_owner: str,
        scope: OwnershipScope | None = None,
        *,
        session_id: str | None = None,
    ) -> OwnershipCapability:
        """Hand the session over in one step (aura 2.12).

        Args:
            capability: the live capability.
            to_owner: the new owner's label; it may be the old one.
            scope: the scope to hand over; None keeps the live one.
            session_id: the session that the capability must be of; None for whichever it says.

        Raises:
            CapabilitySessionMismatch: the capability is of another session.
            TransferPending: a transfer is staged.
            ScopeViolation: the scope is wider than the live one.
        """
        return self._hand_over(session.transfer, _of_session(capability, session_id), to_owner, scope)

    def begin_transfer(
        self, capability: OwnershipCapability, to_owner: str, scope: OwnershipScope | None = None
    ) -> OwnershipReceipt:
        """Stage a transfer; the owner stays fully live until it commits (telltale 2.3).

        Args:
            capability: the live capability.
            to_owner: the new owner's label; it may be the old one.
            scope: the scope to hand over; None keeps the live one.

        Raises:
            TransferPending: a transfer is staged already.
            ScopeViolation: the scope is wider than the live one.
        """
        return self._hand_over(session.begin_transfer, capability, to_owner, scope)

    def commit_transfer(self, receipt: OwnershipReceipt) -> OwnershipCapability:
        """Let the staged transfer take effect; the receipt is the authority to do so (telltale 2.4).

        Raises:
            Unclaimed: the session has no owner.
            TransferNotPending: nothing is staged.
            ReceiptMismatch: something else is.
        """
        return self._present(session.commit_transfer, checked(receipt, OwnershipReceipt))

    def rollback_transfer(self, receipt: OwnershipReceipt) -> None:
        """Withdraw the staged transfer; its claim id stays spent (telltale 2.5).

        Raises:
            TransferNotPending: nothing is staged.
            ReceiptMismatch: something else is.
        """
        return self._present(session.rollback_transfer, checked(receipt, OwnershipReceipt))

    def abandon_transfer(self, receipt: OwnershipReceipt, *, now: int | None = None) -> CancellationWitness:
        """Give the staged transfer up, and cancel the session with it (telltale 2.10).

        Args:
            receipt: the staged transfer.
            now: the time, in ms; by default the journal's clock tells it.

        Raises:
            TransferNotPending: nothing is staged.
            ReceiptMismatch: something else is.
        """
        presented = checked(receipt, OwnershipReceipt)
        return self._finish(timed(session.abandon_transfer, now), presented.session_id, presented)

    def fail_transfer_commit(self, receipt: OwnershipReceipt, reason: str, *, now: int | None = None) -> None:
        """Record that the staged transfer could not be committed, and fault the session with it (telltale 2.10).

        Args:
            receipt: the staged transfer.
            reason: why, in at most 2 000 characters.
            now: the time, in ms; by default the journal's clock tells it.

        Raises:
            TransferNotPending: nothing is staged.
            ReceiptMismatch: something else is.
        """
        presented, why = checked(receipt, OwnershipReceipt), text("reason", reason)
        return self._finish(timed(session.fail_transfer_commit, now), presented.session_id, presented, why)

    def attenuate(self, capability: OwnershipCapability, scope: OwnershipScope) -> OwnershipCapability:
        """Narrow the live scope, under a new generation (telltale 2.6; law 3).

        Raises:
            TransferPending: a transfer is staged.
            ScopeViolation: the scope is wider than the live one.
        """
        attenuate = partial(session.attenuate, policy=self._policy)
        return self._present(attenuate, checked(capability, OwnershipCapability), checked_scope(scope))

    def check(self, capability: OwnershipCapability, *, session_id: str | None = None) -> None:
        """Return if this is the live capability, scope included; raise otherwise (telltale 2.12; law 2).

        Args:
            capability: the capability.
            session_id: the session that it must be of; None for whichever it says.

        Raises:
            CapabilitySessionMismatch: it is of another session.
        """
        return self._present(session.check, _of_session(capability, session_id))

    def issue_witness(self, capability: OwnershipCapability, predicate: str) -> ReadinessWitness:
        """Attest that a readiness check passed under the live capability (telltale 2.8).

        Args:
            capability: the live capability, over the full session.
            predicate: which check passed, in at most 2 000 characters.

        Raises:
            ScopeViolation: the capability covers fragments only.
            LimitReached: 1 000 are outstanding, or they take 256 KiB.
        """
        presented = checked(capability, OwnershipCapability)
        return self._present(session.issue_witness, presented, text("predicate", predicate))

    def consume_witness(self, capability: OwnershipCapability, witness: ReadinessWitness) -> None:
        """Spend a readiness witness, once and for all (telltale 2.9; law 4).

        Raises:
            ScopeViolation: the capability covers fragments only.
            WitnessConsumed: it was spent before.
            InvalidWitness: it was never issued, was altered, or ended with the ownership it was issued under.
        """
        presented = checked(capability, OwnershipCapability)
        return self._present(session.consume_witness, presented, checked(witness, ReadinessWitness))

    def state(self, session_id: str) -> session.SessionView:
        """Read a session as it is now.

        Raises:
            SessionNotFound: it was never opened.
        """
        state = self._journal.read_state(session_stream(identifier("session_id", session_id)), _view)
        if state.status is session.SessionStatus.UNOPENED:
            raise SessionNotFound(session_id)
        return state

    def _hand_over(
        self,
        command: Callable[..., Decision[ResultT]],
        capability: OwnershipCapability,
        to_owner: str,
        scope: OwnershipScope | None,
    ) -> ResultT:
        presented = checked(capability, OwnershipCapability)
        to_scope = None if scope is None else checked_scope(scope)
        return self._present(
            partial(command, policy=self._policy), presented, identifier("to_owner", to_owner), to_scope
        )


def _of_session(capability: OwnershipCapability, session_id: str | None) -> OwnershipCapability:
    presented = checked(capability, OwnershipCapability)
    if session_id is not None:
        session.require_session(identifier("session_id", session_id), presented)
    return presented


def _view(state: Any) -> session.SessionView:
    return session.SessionView.of(state)
