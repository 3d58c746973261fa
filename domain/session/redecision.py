"""The decisions on sessions, made again: which command leads to an event, with the arguments that the event tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from ..artifacts import OwnershipCapability
from ..bundle.events import UpgradeCommitted, UpgradeFailed
from ..bundle.values import CompositionManifest, LinkSpec
from ..circumstances import Circumstances, Redecision
from ..errors import CommandRefused, FragmentNotHeld, Unclaimed, UpgradeNotPending
from ..event import Accepted, Decision, Event, Refused
from ..fragment import SessionFragment
from ..inbox import EnvelopesLost, InboxState
from ..scope import FULL_SESSION
from ..stream_names import bundle_stream, inbox_stream
from . import delegation_events, edge_events, events
from .delegation import (
    NOT_HOLDER,
    DelegationRequest,
    delegate,
    hand_over,
    host,
    refuse_unless_holder,
    reject,
    request_of,
)
from .edges import set_handler, set_trace
from .fragments import claim_fragments, move_fragments, release_fragments
from .guards import NO_OWNER, NOT_LIVE, NOT_PENDING, RECEIPT_MISMATCH, refuse_unless_live, require_open
from .ingress import OUT_OF_REACH, Ingress, accept_ingress, record_round
from .ingress_events import IngressAccepted, IngressRejected, RoundRecorded
from .life_events import SessionArchived, SessionDrained, SessionEnded, SessionStarted, TermsChanged
from .lifecycle import archive, change_terms, close, drain, end, open_session, owner_died
from .ownership import attenuate, claim, release
from .refusals import refuse_as, refuse_once
from .state import SessionState
from .terms import NO_TERMS
from .transfer import (
    abandon_transfer,
    begin_transfer,
    commit_transfer,
    fail_transfer_commit,
    rollback_transfer,
    transfer,
)
from .witness import ALREADY_CONSUMED, NEVER_ISSUED, NO_LONGER_MATCHES, WITNESS_MISMATCH, consume_witness, issue_witness


def _live(state: SessionState) -> OwnershipCapability:
    """The capability that must have been shown where an event does not hold it whole."""
    if state.live is None:
        raise Unclaimed(state.session_id)
    return state.live


def _begun(state: SessionState, event: events.TransferBegun, about: Circumstances) -> Decision[Any]:
    require_open(state)
    return begin_transfer(state, _live(state), event.receipt.to_owner, event.receipt.scope, policy=about.policy)


def _transferred(state: SessionState, event: events.OwnershipTransferred, about: Circumstances) -> Decision[Any]:
    given = event.capability
    return transfer(state, event.previous, given.owner, given.scope, policy=about.policy)


def _ownership_claimed(state: SessionState, event: events.OwnershipClaimed, about: Circumstances) -> Decision[Any]:
    policy = about.policy
    if about.is_before_endings:
        # A claim could reach further than the owner before had.
        policy = replace(policy, scope_may_widen=True)
    return claim(state, event.capability.owner, event.capability.scope, policy=policy)


def _attenuated(state: SessionState, event: events.ScopeAttenuated, about: Circumstances) -> Decision[Any]:
    return attenuate(state, event.previous, event.capability.scope, policy=about.policy)


def _issued(state: SessionState, event: events.ReadinessWitnessIssued, about: Circumstances) -> Decision[Any]:
    require_open(state)
    return issue_witness(state, _live(state), event.witness.predicate)


def _consumed(state: SessionState, event: Any, about: Circumstances) -> Decision[Any]:
    require_open(state)
    return consume_witness(state, _live(state), event.witness)


def _receipt_rejected(state: SessionState, event: events.ReceiptRejected, about: Circumstances) -> Decision[Any]:
    if event.omitted is not None:
        is_none = state.live is None or state.pending is None
        return _in_brief(state, event, NOT_PENDING if is_none else RECEIPT_MISMATCH)
    decision = commit_transfer(state, event.receipt)
    # Without an owner, a commit and a roll-back are refused for other reasons.
    return decision if decision.events == (event,) else rollback_transfer(state, event.receipt)


def _capability_rejected(state: SessionState, event: events.CapabilityRejected, about: Circumstances) -> Decision[Any]:
    if event.omitted is not None:
        return _in_brief(state, event, NO_OWNER if state.live is None else NOT_LIVE)
    return refuse_unless_live(state, event.capability) or Accepted(None)


def _witness_rejected(state: SessionState, event: events.WitnessRejected, about: Circumstances) -> Decision[Any]:
    if event.omitted is None:
        return _consumed(state, event, about)
    witness_id = event.witness.witness_id
    if witness_id in state.consumed:
        return _in_brief(state, event, ALREADY_CONSUMED)
    if witness_id not in state.issued:
        return _in_brief(state, event, NEVER_ISSUED)
    # Whether it was altered, what is left out would tell.
    return _in_brief(state, event, event.reason if event.reason == WITNESS_MISMATCH else NO_LONGER_MATCHES)


def _in_brief(state: SessionState, event: Any, reason: str) -> Decision[Any]:
    """A refusal that is recorded in brief, in the only way in which it can be recorded now."""
    require_open(state)
    return refuse_once(state, CommandRefused(), lambda last: replace(event, reason=reason, last=last))


def _bundle(bundle_id: str | None, about: Circumstances) -> Any:
    return None if bundle_id is None else about.state_of(bundle_stream(bundle_id))


def _delegated(state: SessionState, event: delegation_events.SessionDelegated, about: Circumstances) -> Decision[Any]:
    """A delegation; see ``_after_upgrade``."""
    receipt = event.receipt
    request, bundle = request_of(receipt, event.witness.boundary), _bundle(receipt.bundle_id, about)
    decision = delegate(state, bundle, request, None, receipt.claimed_at, now=receipt.recorded_at)
    if about.is_before_endings and isinstance(decision, Accepted):
        # Fragments stayed with whoever held them.
        made = (_without_fragments(each) for each in decision.events)
        decision = Accepted(decision.result, tuple(made))
    return _after_upgrade(decision, event, about)


def _without_fragments(event: Any) -> Any:
    return replace(event, witness=replace(event.witness, moved_fragments=()), moved_fragments=())


def _handed_over(
    state: SessionState, event: delegation_events.SessionHandedOver, about: Circumstances
) -> Decision[Any]:
    """A hand-over; see ``_after_upgrade``."""
    receipt, owner = event.receipt, event.capability.owner
    request, bundle = request_of(receipt, event.witness.boundary), _bundle(receipt.bundle_id, about)
    decision = hand_over(
        state,
        bundle,
        event.previous,
        owner,
        request,
        None,
        receipt.claimed_at,
        policy=about.policy,
        now=receipt.recorded_at,
    )
    return _after_upgrade(decision, event, about)


def _after_upgrade(
    decision: Decision[Any],
    event: delegation_events.SessionDelegated | delegation_events.SessionHandedOver,
    about: Circumstances,
) -> Decision[Any]:
    """The upgrade that is committed with a delegation stands right before it, and was decided on there."""
    upgrade = event.upgrade
    if upgrade is None or isinstance(decision, Refused) or not decision.events:
        return decision
    before, bundle_id = about.previous, event.receipt.bundle_id
    if not isinstance(before, UpgradeCommitted) or before.artifact != upgrade or bundle_id != upgrade.bundle_id:
        raise UpgradeNotPending(upgrade.bundle_id, upgrade.upgrade_id, None, "committed right before this")
    (made,) = decision.events
    return Accepted(None, (replace(made, witness=replace(made.witness, upgrade=upgrade)),))  # type: ignore[type-var, attr-defined]


def _delegation_rejected(
    state: SessionState, event: delegation_events.DelegationRejected, about: Circumstances
) -> Decision[Any]:
    require_open(state)
    request = DelegationRequest(event.from_authority, event.to_authority, event.bundle_id)
    if event.reason == NOT_HOLDER:
        return refuse_unless_holder(state, request) or Accepted(None)
    failed = about.previous
    if not isinstance(failed, UpgradeFailed) or failed.artifact.bundle_id != event.bundle_id:
        raise UpgradeNotPending(event.bundle_id or "", "", None, "failed right before this")
    return reject(state, request, "upgrade rejected: upgrade_rejected", CommandRefused())


def _claimed(state: SessionState, event: delegation_events.FragmentsClaimed, about: Circumstances) -> Decision[Any]:
    """What was claimed and held before is not in the event, and changes nothing."""
    protocol_id = _first(state, event.fragments).protocol_id
    specs = tuple(LinkSpec(each.bundle_id) for each in event.fragments if each.bundle_id is not None)
    return claim_fragments(state, event.capability, CompositionManifest(protocol_id, specs))


def _moved(state: SessionState, event: delegation_events.FragmentsMoved, about: Circumstances) -> Decision[Any]:
    to_owner = _first(state, event.fragments).owner
    return move_fragments(state, event.capability, frozenset(each.key for each in event.fragments), to_owner)


def _opened(state: SessionState, event: events.SessionOpened, about: Circumstances) -> Decision[Any]:
    terms = event.terms or NO_TERMS
    return open_session(state, event.roles, terms, event.plan, now=terms.started_at)


def _started(state: SessionState, event: SessionStarted, about: Circumstances) -> Decision[Any]:
    """A start stands right behind the claims that it is of."""
    previous = about.previous
    is_claim = isinstance(previous, events.OwnershipClaimed | delegation_events.FragmentsClaimed)
    if not is_claim or previous.capability != event.capability:  # type: ignore[union-attr]
        return Accepted(None)
    return refuse_unless_live(state, event.capability) or Accepted(None, (event,))


def _ended(
    decide: Callable[[SessionState, InboxState, Any, int | None], Decision[Any]],
) -> Callable[[SessionState, Any, Circumstances], Decision[Any]]:
    """Decide again that a session ended, of the inbox as it was before it lost what was unread, right before this."""

    def again(state: SessionState, event: Any, about: Circumstances) -> Decision[Any]:
        told = event.ending
        decision = decide(
            state, about.state_of(inbox_stream(state.session_id)), event, None if told is None else told.ended_at
        )
        lost = about.previous
        if not isinstance(lost, EnvelopesLost) or lost.session_id != state.session_id or isinstance(decision, Refused):
            return decision
        (made,) = decision.events
        ending = replace(made.ending, lost_envelopes=len(lost.numbers))  # type: ignore[attr-defined]
        return Accepted(None, (replace(made, ending=ending),))  # type: ignore[type-var]

    return again


def _host_ended(state: SessionState, inbox: InboxState, event: SessionEnded, now: int | None) -> Decision[Any]:
    return end(state, inbox, event.status, event.reason.reason, event.site, now=now)


def _ingress_accepted(state: SessionState, event: IngressAccepted, about: Circumstances) -> Decision[Any]:
    given = (event.kind, event.active_role, event.from_role, event.to_role, event.size, event.sha256, event.payload)
    return accept_ingress(state, event.capability, event.boundary, Ingress(*given))


def _ingress_rejected(state: SessionState, event: IngressRejected, about: Circumstances) -> Decision[Any]:
    """Which boundary it was, the record does not say; a capability over the full session reaches over all."""
    if event.omitted is not None:
        return _in_brief(state, event, OUT_OF_REACH)
    if event.capability.scope == FULL_SESSION:
        return Accepted(None)
    refused = refuse_unless_live(state, event.capability)
    return refused or refuse_as(IngressRejected, state, event.capability, OUT_OF_REACH, CommandRefused())


def _first(state: SessionState, fragments: tuple[SessionFragment, ...]) -> SessionFragment:
    if not fragments:
        raise FragmentNotHeld(state.session_id, "")
    return fragments[0]


AGAIN: Final[Mapping[type[Event[Any]], Redecision]] = {
    events.SessionOpened: _opened,
    events.OwnershipClaimed: _ownership_claimed,
    events.OwnershipReleased: lambda state, event, about: release(state, event.capability),
    events.OwnershipTransferred: _transferred,
    events.ScopeAttenuated: _attenuated,
    events.TransferBegun: _begun,
    events.TransferCommitted: lambda state, event, about: commit_transfer(state, event.receipt),
    events.TransferRolledBack: lambda state, event, about: rollback_transfer(state, event.receipt),
    events.TransferAbandoned: _ended(
        lambda state, inbox, event, now: abandon_transfer(state, inbox, event.receipt, now=now)
    ),
    events.TransferCommitFailed: _ended(
        lambda state, inbox, event, now: fail_transfer_commit(
            state, inbox, event.receipt, event.reason.reason or "", now=now
        )
    ),
    events.ReadinessWitnessIssued: _issued,
    events.ReadinessWitnessConsumed: _consumed,
    events.OwnerDied: _ended(
        lambda state, inbox, event, now: owner_died(state, inbox, event.capability.owner, now=now)
    ),
    events.SessionClosed: _ended(lambda state, inbox, event, now: close(state, inbox, event.capability, now=now)),
    SessionEnded: _ended(_host_ended),
    SessionStarted: _started,
    SessionDrained: lambda state, event, about: drain(state, event.capability),
    TermsChanged: lambda state, event, about: change_terms(state, event.terms),
    SessionArchived: lambda state, event, about: archive(state),
    edge_events.HandlerSet: lambda state, event, about: set_handler(state, event.capability, event.handler, event.edge),
    edge_events.TraceSet: lambda state, event, about: set_trace(state, event.capability, event.edge, event.trace),
    IngressAccepted: _ingress_accepted,
    IngressRejected: _ingress_rejected,
    RoundRecorded: lambda state, event, about: record_round(
        state, event.capability, event.boundary, event.role, event.result
    ),
    events.CapabilityRejected: _capability_rejected,
    events.ReceiptRejected: _receipt_rejected,
    events.WitnessRejected: _witness_rejected,
    delegation_events.SessionHosted: lambda state, event, about: host(state, event.authority),
    delegation_events.SessionDelegated: _delegated,
    delegation_events.SessionHandedOver: _handed_over,
    delegation_events.DelegationRejected: _delegation_rejected,
    delegation_events.FragmentsClaimed: _claimed,
    delegation_events.FragmentsMoved: _moved,
    delegation_events.FragmentsReleased: lambda state, event, about: release_fragments(
        state, event.capability, frozenset(each.key for each in event.fragments)
    ),
}
"""For every event type of a session that a command leads to: that command, decided again."""
