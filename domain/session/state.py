"""What a session's events add up to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..artifacts import OwnershipCapability, OwnershipReceipt, PresentedArtifact, ReadinessWitness, TerminalReason
from ..event import Event
from . import events


class SessionStatus(StrEnum):
    """Where a session stands in its life (telltale 4)."""

    ACTIVE = "active"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    FAULTED = "faulted"


class SessionState:
    """One session, folded from its events. Only ``apply`` changes it, and decisions only read it.

    Attributes:
        session_id: the session.
        incarnation: how often it was opened; 0 before the first time.
        status: active, or how it finished.
        roles: the roles of this incarnation.
        live: the live capability, or None.
        pending: the staged transfer, or None.
        terminal_reason: why ownership ended for good, or None.
        generation: the highest generation ever given; it never falls (law 1).
        claims: how many transfers were ever staged; the last claim id.
        witnesses: how many witnesses were ever issued; the last witness id.
        issued: every readiness witness ever issued, by id.
        outstanding: ids of the readiness witnesses that can still be consumed.
        consumed: ids of the readiness witnesses that were spent.
        refusals: how many refusals this incarnation has on record.
        refused: what was refused, and why, since the last command that was accepted.
    """

    __slots__ = (
        "claims",
        "consumed",
        "generation",
        "incarnation",
        "issued",
        "live",
        "outstanding",
        "pending",
        "refusals",
        "refused",
        "roles",
        "session_id",
        "status",
        "terminal_reason",
        "witnesses",
    )

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.incarnation = 0
        self.status = SessionStatus.ACTIVE
        self.roles: tuple[str, ...] = ()
        self.live: OwnershipCapability | None = None
        self.pending: OwnershipReceipt | None = None
        self.terminal_reason: TerminalReason | None = None
        self.generation = 0
        self.claims = 0
        self.witnesses = 0
        self.issued: dict[int, ReadinessWitness] = {}
        self.outstanding: set[int] = set()
        self.consumed: set[int] = set()
        self.refusals = 0
        self.refused: set[tuple[PresentedArtifact, str]] = set()

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
            if not isinstance(event, events.Rejection):
                self.refused.clear()

    def outstanding_witnesses(self) -> tuple[ReadinessWitness, ...]:
        """The readiness witnesses that can still be consumed, by id."""
        if not self.outstanding:
            return ()
        return tuple(self.issued[witness_id] for witness_id in sorted(self.outstanding))

    def _on_opened(self, event: events.SessionOpened) -> None:
        self.incarnation = event.incarnation
        self.roles = event.roles
        self.status = SessionStatus.ACTIVE
        self.terminal_reason = None
        self.refusals = 0

    def _on_claimed(self, event: events.OwnershipClaimed) -> None:
        self._hold(event.capability)

    def _on_replaced(
        self, event: events.OwnershipTransferred | events.ScopeAttenuated | events.TransferCommitted
    ) -> None:
        self._end_ownership()
        self._hold(event.capability)

    def _on_released(self, event: events.OwnershipReleased) -> None:
        self._end_ownership()

    def _on_begun(self, event: events.TransferBegun) -> None:
        self.pending = event.receipt
        self.claims = event.receipt.claim_id

    def _on_rolled_back(self, event: events.TransferRolledBack) -> None:
        self.pending = None

    def _on_issued(self, event: events.ReadinessWitnessIssued) -> None:
        witness = event.witness
        self.witnesses = witness.witness_id
        self.issued[witness.witness_id] = witness
        self.outstanding.add(witness.witness_id)

    def _on_consumed(self, event: events.ReadinessWitnessConsumed) -> None:
        self.outstanding.discard(event.witness.witness_id)
        self.consumed.add(event.witness.witness_id)

    def _on_owner_died(self, event: events.OwnerDied) -> None:
        self.witnesses = event.witness.witness_id
        self._finish(SessionStatus.FAULTED, event.witness.reason)

    def _on_abandoned(self, event: events.TransferAbandoned) -> None:
        self.witnesses = event.witness.witness_id
        self._finish(SessionStatus.CANCELLED, event.witness.reason)

    def _on_commit_failed(self, event: events.TransferCommitFailed) -> None:
        self._finish(SessionStatus.FAULTED, event.reason)

    def _on_closed(self, event: events.SessionClosed) -> None:
        self._finish(SessionStatus.CLOSED, None)

    def _on_rejection(self, event: events.Rejection) -> None:
        self.refusals += 1
        self.refused.add((event.artifact, event.reason))  # type: ignore[attr-defined]

    def _hold(self, capability: OwnershipCapability) -> None:
        self.live = capability
        self.generation = capability.generation

    def _end_ownership(self) -> None:
        self.live = None
        self.pending = None
        self.outstanding.clear()

    def _finish(self, status: SessionStatus, reason: TerminalReason | None) -> None:
        self._end_ownership()
        self.status = status
        self.terminal_reason = reason


_HANDLERS: dict[type[Event[Any]], Callable[[SessionState, Any], None]] = {
    events.SessionOpened: SessionState._on_opened,
    events.OwnershipClaimed: SessionState._on_claimed,
    events.OwnershipReleased: SessionState._on_released,
    events.OwnershipTransferred: SessionState._on_replaced,
    events.ScopeAttenuated: SessionState._on_replaced,
    events.TransferBegun: SessionState._on_begun,
    events.TransferCommitted: SessionState._on_replaced,
    events.TransferRolledBack: SessionState._on_rolled_back,
    events.ReadinessWitnessIssued: SessionState._on_issued,
    events.ReadinessWitnessConsumed: SessionState._on_consumed,
    events.OwnerDied: SessionState._on_owner_died,
    events.TransferAbandoned: SessionState._on_abandoned,
    events.TransferCommitFailed: SessionState._on_commit_failed,
    events.SessionClosed: SessionState._on_closed,
    events.CapabilityRejected: SessionState._on_rejection,
    events.ReceiptRejected: SessionState._on_rejection,
    events.WitnessRejected: SessionState._on_rejection,
}


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session at one moment, for reading.

    Attributes:
        session_id: the session.
        incarnation: how often it was opened.
        status: active, or how it finished.
        roles: the roles of this incarnation.
        capability: the live capability, or None while nobody owns it.
        pending_receipt: the staged transfer, or None.
        terminal_reason: why ownership ended for good, or None.
        outstanding_witnesses: the readiness witnesses that can still be consumed, by id.
        consumed_witnesses: the readiness witnesses that were spent, by id.
        generation: the highest generation ever given.
    """

    session_id: str
    incarnation: int
    status: SessionStatus
    roles: tuple[str, ...]
    capability: OwnershipCapability | None
    pending_receipt: OwnershipReceipt | None
    terminal_reason: TerminalReason | None
    outstanding_witnesses: tuple[ReadinessWitness, ...]
    consumed_witnesses: tuple[ReadinessWitness, ...]
    generation: int

    @classmethod
    def of(cls, state: SessionState) -> SessionView:
        """Copy what a reader may see out of the state."""
        return cls(
            session_id=state.session_id,
            incarnation=state.incarnation,
            status=state.status,
            roles=state.roles,
            capability=state.live,
            pending_receipt=state.pending,
            terminal_reason=state.terminal_reason,
            outstanding_witnesses=state.outstanding_witnesses(),
            consumed_witnesses=tuple(state.issued[witness_id] for witness_id in sorted(state.consumed)),
            generation=state.generation,
        )
