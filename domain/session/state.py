"""What a session's events add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..artifacts import (
    CancellationWitness,
    FootprintClass,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    TerminalReason,
)
from ..delegation import DelegationOutcome
from ..effects import Effects, SessionStatus, WitnessStatus
from ..event import Event
from ..fragment import SessionFragment
from ..protocol.plan import SessionPlan
from ..scope import FULL_SESSION, OwnershipScope
from . import delegation_events, edge_events, events, ingress_events, life_events, restoration_events
from .edge_table import EdgeTable
from .standing import SessionStanding
from .terms import NO_TERMS, SessionEnding, SessionTerms


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
        plan: the protocol of this incarnation; None if it was opened without one.
        edges: the handlers and traces of its edges.
        claimable: how far the next claim may reach: as far as its last owner, or its owner, reaches (law 3).
        terms: what this incarnation was opened with, beside its roles.
        epoch: how often this incarnation was drained and closed; within it, it never falls.
        ending: how this incarnation ended, in numbers; None while it is open, or if that is not on record.
        is_archived: whether the finished incarnation is put away.
        was_archived: whether the incarnation before this one is.
        last_owner: the label of this incarnation's last owner; None if nobody ever owned it.
        owner_before: the same of the incarnation before this one.
        last_time: the latest time, in ms, at which it is known to have been opened, delegated or ended.
        ingresses: how many ingresses this incarnation accepted.
        rounds: how many rounds were recorded of it.
        refusals: how many refusals are on record, in all incarnations.
        refused: digests of what was refused, and why, since the last command that was accepted.
    """

    __slots__ = (
        "claimable",
        "claims",
        "consumed",
        "delegations",
        "edges",
        "ending",
        "epoch",
        "footprint",
        "fragments",
        "generation",
        "incarnation",
        "ingresses",
        "is_archived",
        "issued",
        "last_owner",
        "last_time",
        "live",
        "outcomes",
        "outstanding",
        "owner_before",
        "pending",
        "plan",
        "refusals",
        "refused",
        "role_set",
        "roles",
        "rounds",
        "session_id",
        "status",
        "terminal_reason",
        "terms",
        "was_archived",
        "witnesses",
    )

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.incarnation = 0
        self.status = SessionStatus.UNOPENED
        self.roles: tuple[str, ...] = ()
        self.role_set: frozenset[str] = frozenset()
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
        self.claimable: OwnershipScope = FULL_SESSION
        self.plan: SessionPlan | None = None
        self.edges = EdgeTable()
        self.terms = NO_TERMS
        self.epoch = 0
        self.ending: SessionEnding | None = None
        self.is_archived = False
        self.was_archived = False
        self.last_owner: str | None = None
        self.owner_before: str | None = None
        self.last_time = 0
        self.ingresses = 0
        self.rounds = 0
        self.refusals = 0
        self.refused: set[bytes] = set()

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        effects, handler = event.effects, _HANDLERS.get(type(event))
        if effects is not None:
            self._take(effects)
        if handler is not None:
            handler(self, event)
        if (effects is not None or handler is not None) and not isinstance(event, events.Rejection):
            self.refused.clear()

    def outstanding_witnesses(self) -> tuple[ReadinessWitness, ...]:
        """The readiness witnesses that can still be consumed, by id."""
        if not self.outstanding:
            return ()
        return tuple(self.issued[witness_id] for witness_id in sorted(self.outstanding))

    def not_before(self, now: int) -> int:
        """A time in ms, or the latest that is known of the session: an earlier one is not believed."""
        return max(now, self.last_time)

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

    def next_hosting(self, authority: str) -> delegation_events.SessionHosted:
        """The event that has an authority host it; with that, whoever claims it next may have all of it (law 3)."""
        is_bound = self.live is None and self.claimable is not FULL_SESSION
        return delegation_events.SessionHosted(self.session_id, authority, self.claimable if is_bound else None)

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

    def has_edge(self, sender: str, receiver: str) -> bool:
        """Whether messages go from one role to another; without a plan, they may between any two."""
        if self.plan is not None:
            return self.plan.has_edge(sender, receiver)
        return sender != receiver and {sender, receiver} <= self.role_set

    def standing(self, *, is_brief: bool = False) -> SessionStanding:
        """Where it stands now; briefly without the witnesses, of which there may be many."""
        return SessionStanding(
            status=self.status,
            terminal_reason=self.terminal_reason,
            ending=self.ending,
            roles=self.roles,
            terms=self.terms,
            capability=self.live,
            pending_receipt=self.pending,
            outstanding_witnesses=() if is_brief else self.outstanding_witnesses(),
            footprint=dict(self.footprint),
            fragments=dict(self.fragments),
            plan=self.plan,
            default_handler=self.edges.default_handler,
            handlers=dict(self.edges.handlers),
            traces=dict(self.edges.traces),
            claimable=self.claimable,
            last_owner=self.last_owner,
        )

    def _take(self, effects: Effects) -> None:
        if effects.ends_ownership:
            self.live = self.pending = None
            self.outstanding.clear()
        if effects.capability is not None:
            self.live = effects.capability
            self.last_owner = effects.capability.owner
            self.claimable = effects.capability.scope
        if effects.generation:
            self.generation = effects.generation
        for witness, became in effects.witnesses:
            self._take_witness(witness, became)
        if effects.status is not None:
            self.status = effects.status
        for authority, held in effects.footprint:
            if held is None:
                self.footprint.pop(authority, None)
            else:
                self.footprint[authority] = held

    def _take_witness(self, witness: ReadinessWitness | CancellationWitness, became: WitnessStatus) -> None:
        number = witness.witness_id
        if became is WitnessStatus.OUTSTANDING and isinstance(witness, ReadinessWitness):
            self.issued[number] = witness
            self.outstanding.add(number)
        else:
            self.outstanding.discard(number)
        if became is WitnessStatus.CONSUMED:
            self.consumed.add(number)
        if became in (WitnessStatus.OUTSTANDING, WitnessStatus.CANCELLATION):
            self.witnesses = number

    def _on_opened(self, event: events.SessionOpened) -> None:
        self.incarnation = event.incarnation
        self._play(event.roles, event.terms, event.plan)
        self.terminal_reason = self.ending = None
        self.owner_before, self.last_owner = self.last_owner, None
        self.was_archived, self.is_archived = self.is_archived, False
        self.epoch = self.ingresses = self.rounds = 0
        # Older events do not name all the authorities that had the incarnation before.
        self.footprint.clear()
        self.outcomes.clear()
        self.claimable = FULL_SESSION

    def _on_hosted(self, event: delegation_events.SessionHosted) -> None:
        # Whoever hosts the session may give all of it to its next owner.
        if self.live is None:
            self.claimable = FULL_SESSION

    def _on_hosting_withdrawn(self, event: restoration_events.HostingWithdrawn) -> None:
        if event.claimable is not None and self.live is None:
            self.claimable = event.claimable

    def _on_moved(
        self, event: events.OwnershipClaimed | events.OwnershipTransferred | events.TransferCommitted
    ) -> None:
        self._hold_fragments(event.moved_fragments)

    def _on_handed_over(self, event: delegation_events.SessionHandedOver) -> None:
        self._on_delegated(event)
        if event.witness.ownership_receipt is not None:
            self.claims = event.witness.ownership_receipt.claim_id

    def _on_delegated(self, event: delegation_events.SessionDelegated | delegation_events.SessionHandedOver) -> None:
        self._hold_fragments(event.moved_fragments)
        self.last_time = max(self.last_time, event.receipt.recorded_at or 0)
        self.delegations = event.receipt.delegation_id
        self.outcomes[event.receipt.delegation_id] = event.outcome

    def _on_delegation_reverted(
        self, event: restoration_events.DelegationReverted | restoration_events.HandOverReverted
    ) -> None:
        self._hold_fragments(event.restored_fragments)
        self.outcomes.pop(event.receipt.delegation_id, None)

    def _on_fragments_held(self, event: delegation_events.FragmentsClaimed | delegation_events.FragmentsMoved) -> None:
        self._hold_fragments(event.fragments)

    def _on_fragments_released(self, event: delegation_events.FragmentsReleased) -> None:
        self._release_fragments(event.fragments)

    def _on_fragments_restored(self, event: restoration_events.FragmentsRestored) -> None:
        self._hold_fragments(event.fragments)
        self._release_fragments(event.released_fragments)

    def _on_ownership_restored(self, event: restoration_events.OwnershipRestored) -> None:
        self._hold_fragments(event.restored_fragments)
        if event.capability is None:
            self.claimable = FULL_SESSION if event.claimable is None else event.claimable
            self.last_owner = event.last_owner
        if event.staged is not None:
            self.pending = event.staged
            self.claims = event.staged.claim_id

    def _on_opening_withdrawn(self, event: restoration_events.OpeningWithdrawn) -> None:
        self._play(event.roles, event.terms)
        self._finish(event.reason, event.ending)
        self.last_owner, self.is_archived = self.owner_before, self.was_archived
        if event.ending is None:
            self.epoch = self.ingresses = self.rounds = 0

    def _on_begun(self, event: events.TransferBegun) -> None:
        self.pending = event.receipt
        self.claims = event.receipt.claim_id

    def _on_rolled_back(self, event: events.TransferRolledBack) -> None:
        self.pending = None

    def _on_given_up(self, event: events.OwnerDied | events.TransferAbandoned) -> None:
        self._finish(event.witness.reason, event.ending)

    def _on_ended(self, event: events.TransferCommitFailed | life_events.SessionEnded) -> None:
        self._finish(event.reason, event.ending)

    def _on_closed(self, event: events.SessionClosed) -> None:
        self._finish(None, event.ending)

    def _on_drained(self, event: life_events.SessionDrained) -> None:
        self.epoch = event.epoch

    def _on_terms_changed(self, event: life_events.TermsChanged) -> None:
        self.terms = event.terms

    def _on_archived(self, event: life_events.SessionArchived) -> None:
        self.is_archived = True

    def _on_ingress(self, event: ingress_events.IngressAccepted) -> None:
        self.ingresses += 1

    def _on_round(self, event: ingress_events.RoundRecorded) -> None:
        self.rounds += 1

    def _on_edge(self, event: Any) -> None:
        self.edges.apply(event)

    def _on_rejection(self, event: events.Rejection) -> None:
        self.refusals += 1
        self.refused.add(event.key())

    def _hold_fragments(self, fragments: Iterable[SessionFragment]) -> None:
        for fragment in fragments:
            self.fragments[fragment.key] = fragment

    def _release_fragments(self, fragments: Iterable[SessionFragment]) -> None:
        for fragment in fragments:
            self.fragments.pop(fragment.key, None)

    def _play(self, roles: tuple[str, ...], terms: SessionTerms | None, plan: SessionPlan | None = None) -> None:
        self.roles, self.role_set, self.plan = roles, frozenset(roles), plan
        self.edges.clear()
        self.terms = NO_TERMS if terms is None else terms
        self.last_time = max(self.last_time, self.terms.started_at or 0)

    def _finish(self, reason: TerminalReason | None, ending: SessionEnding | None) -> None:
        self.fragments.clear()
        self.edges.close()
        self.claimable = FULL_SESSION
        self.terminal_reason, self.ending = reason, ending
        if ending is not None:
            self.epoch, self.ingresses, self.rounds = ending.epoch, ending.ingresses, ending.rounds
            self.last_time = max(self.last_time, ending.ended_at or 0)


_HANDLERS: dict[type[Event[Any]], Callable[[SessionState, Any], None]] = {
    events.SessionOpened: SessionState._on_opened,
    events.OwnershipClaimed: SessionState._on_moved,
    events.OwnershipTransferred: SessionState._on_moved,
    events.TransferBegun: SessionState._on_begun,
    events.TransferCommitted: SessionState._on_moved,
    events.TransferRolledBack: SessionState._on_rolled_back,
    events.OwnerDied: SessionState._on_given_up,
    events.TransferAbandoned: SessionState._on_given_up,
    events.TransferCommitFailed: SessionState._on_ended,
    events.SessionClosed: SessionState._on_closed,
    life_events.SessionDrained: SessionState._on_drained,
    life_events.TermsChanged: SessionState._on_terms_changed,
    life_events.SessionEnded: SessionState._on_ended,
    life_events.SessionArchived: SessionState._on_archived,
    edge_events.HandlerSet: SessionState._on_edge,
    edge_events.HandlerRestored: SessionState._on_edge,
    edge_events.TraceSet: SessionState._on_edge,
    edge_events.TraceRestored: SessionState._on_edge,
    ingress_events.IngressAccepted: SessionState._on_ingress,
    ingress_events.IngressRejected: SessionState._on_rejection,
    ingress_events.RoundRecorded: SessionState._on_round,
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
    restoration_events.DelegationReverted: SessionState._on_delegation_reverted,
    restoration_events.HandOverReverted: SessionState._on_delegation_reverted,
    restoration_events.HostingWithdrawn: SessionState._on_hosting_withdrawn,
    restoration_events.FragmentsRestored: SessionState._on_fragments_restored,
}
