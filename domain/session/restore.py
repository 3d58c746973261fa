"""What undoes what happened to a session: the events that restore what there was before (law 8).

Each function takes the event to undo, what held before it, and the session as it is now. What is restored gets
new generations, claim ids, witness ids and delegation ids, so nothing from before is live again (law 1).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..artifacts import OwnershipCapability, OwnershipReceipt, ReadinessWitness
from ..errors import Unclaimed
from ..event import Event
from ..fragment import SessionFragment
from ..scope import FULL_SESSION
from .delegation_events import SessionDelegated, SessionHandedOver, SessionHosted
from .edge_events import HandlerRestored, HandlerSet, TraceRestored, TraceSet
from .events import ReadinessWitnessConsumed, ReadinessWitnessIssued, SessionOpened, TransferBegun, TransferRolledBack
from .guards import require_no_owner
from .life_events import DrainingWithdrawn, SessionDrained, TermsChanged
from .restoration_events import (
    DelegationReverted,
    FootprintEntry,
    FragmentsRestored,
    HandOverReverted,
    HostingWithdrawn,
    OpeningWithdrawn,
    OwnershipRestored,
    ReadinessWitnessWithdrawn,
)
from .standing import SessionStanding
from .state import SessionState
from .terms import NO_TERMS

CLAIMABLE = "claimable"
"""The part of a session that says how far a claim may reach."""


def withdraw_opening(event: SessionOpened, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo an opening."""
    return OpeningWithdrawn(
        session_id=now.session_id,
        incarnation=now.incarnation,
        status=before.status,
        roles=before.roles,
        reason=before.terminal_reason,
        footprint=_footprint(now, before, before.footprint),
        terms=None if before.terms == NO_TERMS else before.terms,
        archived=now.was_archived or None,
        ending=before.ending,
    )


def open_again(event: OpeningWithdrawn, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo that an opening was undone; the incarnation is a new one."""
    terms = None if before.terms == NO_TERMS else before.terms
    cleared = tuple(sorted(now.footprint))
    return SessionOpened(now.session_id, now.incarnation + 1, before.roles, cleared, terms, before.plan)


def stop_draining(event: SessionDrained, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo that a session runs out; its epoch stays."""
    return DrainingWithdrawn(now.session_id)


def drain_again(event: DrainingWithdrawn, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo that a draining was undone; this raises the epoch once more."""
    return SessionDrained(_owned(now), now.epoch + 1)


def restore_terms(event: TermsChanged, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Give back the terms that there were."""
    return TermsChanged(now.session_id, before.terms)


def restore_handler(event: HandlerSet | HandlerRestored, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Give back the handler that there was."""
    edge = event.edge
    had = before.default_handler if edge is None else before.handlers.get((edge.sender, edge.receiver))
    return HandlerRestored(now.session_id, had, edge)


def restore_trace(event: TraceSet | TraceRestored, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Give back the trace that there was."""
    return TraceRestored(now.session_id, event.edge, before.traces.get((event.edge.sender, event.edge.receiver), ()))


def restore_ownership(event: Event[Any], before: SessionStanding, now: SessionState) -> Event[Any]:
    """Give back owner, scope, staged transfer, and the fragments that the event moved."""
    generation = now.generation + 1
    held = before.capability
    capability = None if held is None else replace(held, generation=generation)
    pending = before.pending_receipt
    staged = None if pending is None else _staged_again(pending, now, generation)
    return OwnershipRestored(
        session_id=now.session_id,
        generation=generation,
        previous=now.live,
        capability=capability,
        staged=staged,
        voided=now.outstanding_witnesses(),
        restored_fragments=_given_back(event, before),
        dropped=now.pending,
        claimable=None if held is not None or before.claimable is FULL_SESSION else before.claimable,
        last_owner=None if held is not None else before.last_owner,
    )


def withdraw_transfer(event: TransferBegun, before: SessionStanding, now: SessionState) -> Event[Any] | None:
    """Undo the staging of a transfer, if it is still staged."""
    return None if now.pending is None else TransferRolledBack(now.pending)


def stage_again(event: TransferRolledBack, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo that a staged transfer was withdrawn; the receipt is a new one."""
    return TransferBegun(_staged_again(event.receipt, now, now.generation))


def withdraw_witness(event: ReadinessWitnessIssued, before: SessionStanding, now: SessionState) -> Event[Any] | None:
    """Undo the issue of a readiness witness, if it did not end by itself."""
    return None if is_outstanding_no_more(event, now) else ReadinessWitnessWithdrawn(event.witness)


def issue_again(event: ReadinessWitnessWithdrawn, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo that a readiness witness was taken back; the witness is a new one, for whoever owns the session now."""
    witness: ReadinessWitness = replace(event.witness, witness_id=now.witnesses + 1)
    if now.live is not None:
        witness = replace(witness, owner=now.live.owner, generation=now.live.generation, scope=now.live.scope)
    return ReadinessWitnessIssued(witness)


def withdraw_hosting(event: SessionHosted, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo that an authority hosts the session."""
    return HostingWithdrawn(now.session_id, event.authority, event.lifted)


def host_again(event: HostingWithdrawn, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo that a hosting was undone."""
    return now.next_hosting(event.authority)


def revert_delegation(event: SessionDelegated, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo a delegation.

    Raises:
        HandOverRequired: the session has an owner now.
    """
    require_no_owner(now)
    footprint = _footprint(now, before, _parties(event))
    return DelegationReverted(event.receipt, event.witness, footprint, _given_back(event, before))


def delegate_again(event: DelegationReverted, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Delegate again after a delegation was undone; it is a new delegation.

    Raises:
        HandOverRequired: the session has an owner now.
    """
    require_no_owner(now)
    number = now.delegations + 1
    witness = replace(event.witness, delegation_id=number)
    return SessionDelegated(replace(event.receipt, delegation_id=number), witness, _given_back(event, before))


def revert_hand_over(event: SessionHandedOver, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo a hand-over: owner and scope are those of the capability that was handed over."""
    return HandOverReverted(
        previous=_owned(now),
        capability=now.next_capability(event.previous.owner, event.previous.scope),
        receipt=event.receipt,
        witness=event.witness,
        footprint=_footprint(now, before, _parties(event)),
        voided=now.outstanding_witnesses(),
        restored_fragments=_given_back(event, before),
    )


def hand_over_again(event: HandOverReverted, before: SessionStanding, now: SessionState) -> Event[Any]:
    """Undo that a hand-over was undone; it is a new hand-over."""
    owned, held = _owned(now), before.capability or event.previous
    capability = now.next_capability(held.owner, held.scope)
    number = now.delegations + 1
    receipt = now.next_receipt(owned, capability.owner, capability.scope)
    return SessionHandedOver(
        previous=owned,
        capability=capability,
        receipt=replace(event.receipt, delegation_id=number),
        witness=replace(event.witness, delegation_id=number, ownership_receipt=receipt),
        voided=now.outstanding_witnesses(),
        moved_fragments=_given_back(event, before),
    )


def restore_fragments(event: Event[Any], before: SessionStanding, now: SessionState) -> Event[Any]:
    """Give back the fragments that the event claimed, moved or released; exactly those."""
    held = _given_back(event, before)
    keys = fragment_keys(event) - {fragment.key for fragment in held}
    released = tuple(now.fragments[key] for key in sorted(keys) if key in now.fragments)
    return FragmentsRestored(now.session_id, held, released)


def is_staged_no_more(event: TransferBegun, now: SessionState) -> bool:
    """Whether the transfer that an event staged has ended."""
    return now.pending is None


def is_outstanding_no_more(event: ReadinessWitnessIssued, now: SessionState) -> bool:
    """Whether the witness that an event issued is spent, withdrawn or void."""
    return event.witness.witness_id not in now.outstanding


def parts_changed(event: Event[Any]) -> set[str]:
    """The parts of a session that an event names itself: fragments, witnesses, edges, how far a claim may reach."""
    parts = {f"fragment:{key}" for key in fragment_keys(event)}
    parts.update(f"witness:{witness_id}" for witness_id in _witness_ids(event))
    lifts = isinstance(event, SessionHosted) and event.lifted is not None
    if lifts or (isinstance(event, HostingWithdrawn) and event.claimable is not None):
        parts.add(CLAIMABLE)
    if isinstance(event, HandlerSet | HandlerRestored):
        parts.add(f"handler:{event.edge!r}")
    if isinstance(event, TraceSet | TraceRestored):
        parts.add(f"trace:{event.edge!r}")
    return parts


def _witness_ids(event: Event[Any]) -> set[int]:
    ids = {witness.witness_id for witness in getattr(event, "voided", ())}
    if isinstance(event, ReadinessWitnessIssued | ReadinessWitnessConsumed | ReadinessWitnessWithdrawn):
        ids.add(event.witness.witness_id)
    return ids


def fragment_keys(event: Event[Any]) -> set[str]:
    """The keys of the fragments that an event claims, moves or releases."""
    return {
        fragment.key
        for name in ("fragments", "moved_fragments", "released_fragments", "restored_fragments")
        for fragment in getattr(event, name, ())
    }


def _given_back(event: Event[Any], before: SessionStanding) -> tuple[SessionFragment, ...]:
    """The fragments that the event touched, as they were held before it."""
    return tuple(before.fragments[key] for key in sorted(fragment_keys(event)) if key in before.fragments)


def _owned(now: SessionState) -> OwnershipCapability:
    """The live capability of a session that was handed over; since then somebody owns it."""
    if now.live is None:
        raise Unclaimed(now.session_id)
    return now.live


def _parties(event: SessionDelegated | SessionHandedOver) -> tuple[str, ...]:
    receipt = event.receipt
    return receipt.from_authority, receipt.to_authority, *receipt.cleared


def _footprint(now: SessionState, before: SessionStanding, authorities: Any) -> tuple[FootprintEntry, ...]:
    """How each of these, and whoever has the session now, had it before."""
    return tuple((each, before.footprint.get(each)) for each in sorted({*authorities, *now.footprint}))


def _staged_again(receipt: OwnershipReceipt, now: SessionState, generation: int) -> OwnershipReceipt:
    return replace(receipt, claim_id=now.claims + 1, from_generation=generation, to_generation=generation + 1)
