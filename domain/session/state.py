"""What a session's events add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..artifacts import FootprintClass, OwnershipCapability, OwnershipReceipt, ReadinessWitness, TerminalReason
from ..delegation import DelegationOutcome
from ..event import Event
from ..fragment import SessionFragment
from ..scope import OwnershipScope
from . import delegation_events, events, restoration_events
from .events import SessionStatus
from .standing import SessionStanding


class SessionState:
    """One session, folded from its events. Only ``apply`` changes it, and decisions only read it.

    Attributes:
        session_id: the session.
        incarnation: how often it was opened; 0 before the first time.
        status: unopened, active, or how it finished.
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
        footprint: how each authority has the session (aura 1.7).
        delegations: how many delegations there ever were; the last delegation id.
        outcomes: what each delegation of this incarnation that was not undone answered, by number.
        fragments: the fragments that are held, by key.
        refusals: how many refusals are on record, in all incarnations.
        refused: digests of what was refused, and why, since the last command that was accepted.
    """

    __slots__ = (
        "claims",
        "consumed",
        "delegations",
        "footprint",
        "fragments",
        "generation",
        "incarnation",
        "issued",
        "live",
        "outcomes",
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
        self.status = SessionStatus.UNOPENED
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
        self.footprint: dict[str, FootprintClass] = {}
        self.delegations = 0
        self.outcomes: dict[int, DelegationOutcome] = {}
        self.fragments: dict[str, SessionFragment] = {}
        self.refusals = 0
        self.refused: set[bytes] = set()

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

    @property
    def holder(self) -> str | None:
        """The authority that holds the session, natively or by delegation; None if none does."""
        for authority, held in self.footprint.items():
            if held is not FootprintClass.DELEGATED_OUT:
                return authority
        return None

    @property
    def last_delegation(self) -> DelegationOutcome | None:
        """What the last delegation that was not undone answered; None if there is none."""
        return next(reversed(self.outcomes.values()), None)

    def next_capability(self, owner: str, scope: OwnershipScope) -> OwnershipCapability:
        """The capability that an owner would get now, under the next generation (law 1)."""
        return OwnershipCapability(self.session_id, owner, self.generation + 1, scope)

    def next_receipt(self, held: OwnershipCapability, to_owner: str, scope: OwnershipScope) -> OwnershipReceipt:
        """The receipt that handing over what is held would get now, under the next claim id (telltale 2.3)."""
        return OwnershipReceipt(
            session_id=self.session_id,
            claim_id=self.claims + 1,
            from_owner=held.owner,
            from_generation=held.generation,
            to_owner=to_owner,
            to_generation=self.generation + 1,
            scope=scope,
        )

    def standing(self, *, is_brief: bool = False) -> SessionStanding:
        """Where it stands now; briefly without the witnesses, of which there may be many."""
        return SessionStanding(
            status=self.status,
            terminal_reason=self.terminal_reason,
            roles=self.roles,
            capability=self.live,
            pending_receipt=self.pending,
            outstanding_witnesses=() if is_brief else self.outstanding_witnesses(),
            footprint=dict(self.footprint),
            fragments=dict(self.fragments),
        )

    def _on_opened(self, event: events.SessionOpened) -> None:
        self.incarnation = event.incarnation
        self.roles = event.roles
        self.status = SessionStatus.ACTIVE
        self.terminal_reason = None
        self.footprint.clear()
        self.outcomes.clear()

    def _on_claimed(self, event: events.OwnershipClaimed) -> None:
        self._hold(event.capability)

    def _on_attenuated(self, event: events.ScopeAttenuated) -> None:
        self._end_ownership()
        self._hold(event.capability)

    def _on_transferred(
        self, event: events.OwnershipTransferred | events.TransferCommitted | delegation_events.SessionHandedOver
    ) -> None:
        self._end_ownership()
        self._hold(event.capability)
        self._hold_fragments(event.moved_fragments)

    def _on_handed_over(self, event: delegation_events.SessionHandedOver) -> None:
        self._on_transferred(event)
        self._on_delegated(event)
        if event.witness.ownership_receipt is not None:
            self.claims = event.witness.ownership_receipt.claim_id

    def _on_hosted(self, event: delegation_events.SessionHosted) -> None:
        self.footprint[event.authority] = FootprintClass.NATIVE

    def _on_hosting_withdrawn(self, event: restoration_events.HostingWithdrawn) -> None:
        self.footprint.pop(event.authority, None)

    def _on_delegated(self, event: delegation_events.SessionDelegated | delegation_events.SessionHandedOver) -> None:
        receipt = event.receipt
        for authority in receipt.cleared:
            self.footprint.pop(authority, None)
        self.footprint[receipt.from_authority] = receipt.from_after
        self.footprint[receipt.to_authority] = receipt.to_after
        self.delegations = receipt.delegation_id
        self.outcomes[receipt.delegation_id] = event.outcome

    def _on_delegation_reverted(
        self, event: restoration_events.DelegationReverted | restoration_events.HandOverReverted
    ) -> None:
        self._set_footprint(event.footprint)
        self.outcomes.pop(event.receipt.delegation_id, None)

    def _on_hand_over_reverted(self, event: restoration_events.HandOverReverted) -> None:
        self._end_ownership()
        self._hold(event.capability)
        self._hold_fragments(event.restored_fragments)
        self._on_delegation_reverted(event)

    def _on_fragments_held(self, event: delegation_events.FragmentsClaimed | delegation_events.FragmentsMoved) -> None:
        self._hold_fragments(event.fragments)

    def _on_fragments_released(self, event: delegation_events.FragmentsReleased) -> None:
        self._release_fragments(event.fragments)

    def _on_fragments_restored(self, event: restoration_events.FragmentsRestored) -> None:
        self._hold_fragments(event.fragments)
        self._release_fragments(event.released_fragments)

    def _on_ownership_restored(self, event: restoration_events.OwnershipRestored) -> None:
        self._end_ownership()
        self.live = event.capability
        self.generation = event.generation
        self._hold_fragments(event.restored_fragments)
        if event.staged is not None:
            self.pending = event.staged
            self.claims = event.staged.claim_id

    def _on_opening_withdrawn(self, event: restoration_events.OpeningWithdrawn) -> None:
        self.status, self.roles, self.terminal_reason = event.status, event.roles, event.reason
        self._set_footprint(event.footprint)

    def _on_witness_withdrawn(self, event: restoration_events.ReadinessWitnessWithdrawn) -> None:
        self.outstanding.discard(event.witness.witness_id)

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
        self.refused.add(event.key())

    def _hold(self, capability: OwnershipCapability) -> None:
        self.live = capability
        self.generation = capability.generation

    def _hold_fragments(self, fragments: Iterable[SessionFragment]) -> None:
        for fragment in fragments:
            self.fragments[fragment.key] = fragment

    def _release_fragments(self, fragments: Iterable[SessionFragment]) -> None:
        for fragment in fragments:
            self.fragments.pop(fragment.key, None)

    def _set_footprint(self, footprint: Iterable[restoration_events.FootprintEntry]) -> None:
        for authority, held in footprint:
            if held is None:
                self.footprint.pop(authority, None)
            else:
                self.footprint[authority] = held

    def _end_ownership(self) -> None:
        self.live = None
        self.pending = None
        self.outstanding.clear()

    def _finish(self, status: SessionStatus, reason: TerminalReason | None) -> None:
        self._end_ownership()
        self.fragments.clear()
        self.status = status
        self.terminal_reason = reason


_HANDLERS: dict[type[Event[Any]], Callable[[SessionState, Any], None]] = {
    events.SessionOpened: SessionState._on_opened,
    events.OwnershipClaimed: SessionState._on_claimed,
    events.OwnershipReleased: SessionState._on_released,
    events.OwnershipTransferred: SessionState._on_transferred,
    events.ScopeAttenuated: SessionState._on_attenuated,
    events.TransferBegun: SessionState._on_begun,
    events.TransferCommitted: SessionState._on_transferred,
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
    delegation_events.SessionHosted: SessionState._on_hosted,
    delegation_events.SessionDelegated: SessionState._on_delegated,
    delegation_events.SessionHandedOver: SessionState._on_handed_over,
    delegation_events.DelegationRejected: SessionState._on_rejection,
    delegation_events.FragmentsClaimed: SessionState._on_fragments_held,
    delegation_events.FragmentsMoved: SessionState._on_fragments_held,
    delegation_events.FragmentsReleased: SessionState._on_fragments_released,
    restoration_events.OwnershipRestored: SessionState._on_ownership_restored,
    restoration_events.OpeningWithdrawn: SessionState._on_opening_withdrawn,
    restoration_events.ReadinessWitnessWithdrawn: SessionState._on_witness_withdrawn,
    restoration_events.HostingWithdrawn: SessionState._on_hosting_withdrawn,
    restoration_events.DelegationReverted: SessionState._on_delegation_reverted,
    restoration_events.HandOverReverted: SessionState._on_hand_over_reverted,
    restoration_events.FragmentsRestored: SessionState._on_fragments_restored,
}
