"""For every event, what undoes it, or why nothing can (law 8).

A rule says which parts of its stream's state an event changes, and which its command needed. A part has a name such as
``ownership`` or ``fragment:bundle:chat``. A later event depends on an earlier one if it changed or needed what that one
changed, or changed what that one needed. The earlier one cannot be undone before the later one is. A later event whose
effect has ended by itself blocks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import bundle, consumer, conversation, idempotency, inbox, saga, session, site
from ..bundle import restore as bundles
from ..conversation import restore as conversations
from ..event import Event
from ..inbox import restore as inboxes
from ..session import restore as sessions
from .rule import Compensate, HasEnded, Part, Rule

_OWNED: Final = frozenset({Part.LIFE, Part.OWNERSHIP})
_ALIVE: Final = frozenset({Part.LIFE})
_CLAIMED: Final = _ALIVE | {sessions.CLAIMABLE}
_NOTHING: Final = frozenset[str]()


def _compensated_by(
    compensate: Compensate,
    *changes: Part,
    needs: frozenset[str] = _NOTHING,
    has_ended: HasEnded | None = None,
) -> Rule:
    return Rule(compensate, changes=frozenset(changes), needs=needs, has_ended=has_ended)


def _final(reason: str, *changes: Part, needs: frozenset[str] = _NOTHING) -> Rule:
    return Rule(reason=reason, changes=frozenset(changes), needs=needs)


def _record_only(reason: str) -> Rule:
    return Rule(reason=reason, is_mere_record=True)


def _owner_changed(
    compensate: Compensate = sessions.restore_ownership,
    *,
    needs: frozenset[str] = _ALIVE,
    has_ended: HasEnded | None = None,
) -> Rule:
    return _compensated_by(compensate, Part.OWNERSHIP, needs=needs, has_ended=has_ended)


def _fragments_changed() -> Rule:
    return _compensated_by(sessions.restore_fragments, needs=_OWNED)


def _footprint_changed(compensate: Compensate, *also: Part, needs: frozenset[str] = _ALIVE) -> Rule:
    return _compensated_by(compensate, Part.FOOTPRINT, *also, needs=needs)


def _edge_changed(compensate: Compensate) -> Rule:
    return _compensated_by(compensate, needs=_OWNED)


def _delegated(compensate: Compensate) -> Rule:
    # Only a session that nobody owns changes its authority without its owner (law 7).
    return _footprint_changed(compensate, needs=_OWNED)


def _finished(reason: str) -> Rule:
    # What came before the end of a session is not undone after it: a finished session stays finished (law 5).
    return _final(reason, Part.LIFE, Part.OWNERSHIP, Part.FOOTPRINT, Part.DRAINING, Part.TERMS)


def _members_changed(compensate: Compensate, *, has_ended: HasEnded | None = None) -> Rule:
    return _compensated_by(compensate, Part.MEMBERS, needs=frozenset({Part.BUNDLE}), has_ended=has_ended)


def _of_conversation(compensate: Compensate, *changes: Part, has_ended: HasEnded | None = None) -> Rule:
    return _compensated_by(compensate, *changes, needs=frozenset({Part.CONVERSATION}), has_ended=has_ended)


def _stays(reason: str, *changes: Part) -> Rule:
    """What happened in a conversation and stays; a vote and the like also change a part that they name themselves."""
    return _final(reason, *changes, needs=frozenset({Part.CONVERSATION}))


_SPENT: Final = "a spent witness stays spent"
_FAULT: Final = "a fault stays a fault"
_CANCELLED: Final = "a cancellation is proven by a witness, and stays"
_CLOSED: Final = "a closed session stays closed; open it again"
_ENDED: Final = "what its host ended stays ended; open it again"
_CAME_IN: Final = "it says what came in or was done, and that stays"
_ARCHIVED: Final = "what is put away stays put away"
_ACKNOWLEDGED: Final = "an acknowledged envelope stays acknowledged"
_GIVEN_BACK: Final = "an envelope that was given back can be taken again"
_LOST: Final = "what was lost with the end of a session stays lost"
_SITE: Final = "a site's time-outs and crashes are the runtime's own"
_REFUSAL: Final = "a refusal is a record of the past, and changed nothing"
_KEY: Final = "a key that was used stays used"
_SAGA: Final = "a saga is a record of work; what was appended in it can be undone"
_UPGRADE_FAILED: Final = "a failed upgrade stays failed, and changed no members"
_TOLD: Final = "what a consumer was told, it was told"
_GROUP: Final = "the group knows of it, and it stays; what follows is for the group to decide"
_VOTED: Final = "a vote that was cast stays cast"
_FIRED: Final = "a deadline that has passed has passed"
_CANDIDATE: Final = "a candidate that came in stays in"
_FROZEN: Final = "a freeze that is over is over"
_DIAGNOSTIC: Final = "it says what could not be done, and changed nothing"

_AUTO_VOTE: Final = _of_conversation(conversations.restore_auto_vote, has_ended=conversations.is_vote_over)
_TIMEOUT: Final = _of_conversation(conversations.restore_timeout, has_ended=conversations.is_waiting_over)

RULES: Final[Mapping[type[Event[Any]], Rule]] = {
    session.SessionOpened: _compensated_by(sessions.withdraw_opening, Part.LIFE, Part.FOOTPRINT),
    session.OwnershipClaimed: _owner_changed(needs=_CLAIMED),
    session.OwnershipReleased: _owner_changed(),
    session.OwnershipTransferred: _owner_changed(),
    session.ScopeAttenuated: _owner_changed(),
    session.TransferBegun: _owner_changed(sessions.withdraw_transfer, has_ended=sessions.is_staged_no_more),
    session.TransferCommitted: _owner_changed(),
    session.TransferRolledBack: _owner_changed(sessions.stage_again),
    session.ReadinessWitnessIssued: _compensated_by(
        sessions.withdraw_witness, needs=_OWNED, has_ended=sessions.is_outstanding_no_more
    ),
    session.ReadinessWitnessConsumed: _final(_SPENT, needs=_OWNED),
    session.OwnerDied: _finished(_FAULT),
    session.TransferAbandoned: _finished(_CANCELLED),
    session.TransferCommitFailed: _finished(_FAULT),
    session.SessionClosed: _finished(_CLOSED),
    session.SessionStarted: _record_only(_CAME_IN),
    session.SessionDrained: _compensated_by(sessions.stop_draining, Part.DRAINING, needs=_OWNED),
    session.DrainingWithdrawn: _compensated_by(sessions.drain_again, Part.DRAINING, needs=_OWNED),
    session.TermsChanged: _compensated_by(sessions.restore_terms, Part.TERMS, needs=_ALIVE),
    session.SessionEnded: _finished(_ENDED),
    session.HandlerSet: _edge_changed(sessions.restore_handler),
    session.HandlerRestored: _edge_changed(sessions.restore_handler),
    session.TraceSet: _edge_changed(sessions.restore_trace),
    session.TraceRestored: _edge_changed(sessions.restore_trace),
    session.SessionArchived: _record_only(_ARCHIVED),
    session.IngressAccepted: _record_only(_CAME_IN),
    session.IngressRejected: _record_only(_REFUSAL),
    session.RoundRecorded: _record_only(_CAME_IN),
    session.CapabilityRejected: _record_only(_REFUSAL),
    session.ReceiptRejected: _record_only(_REFUSAL),
    session.WitnessRejected: _record_only(_REFUSAL),
    session.SessionHosted: _footprint_changed(sessions.withdraw_hosting),
    session.SessionDelegated: _delegated(sessions.revert_delegation),
    session.SessionHandedOver: _footprint_changed(sessions.revert_hand_over, Part.OWNERSHIP),
    session.DelegationRejected: _record_only(_REFUSAL),
    session.FragmentsClaimed: _fragments_changed(),
    session.FragmentsMoved: _fragments_changed(),
    session.FragmentsReleased: _fragments_changed(),
    session.OwnershipRestored: _owner_changed(needs=_CLAIMED),
    session.OpeningWithdrawn: _compensated_by(sessions.open_again, Part.LIFE, Part.FOOTPRINT),
    session.ReadinessWitnessWithdrawn: _compensated_by(sessions.issue_again, needs=_OWNED),
    session.HostingWithdrawn: _footprint_changed(sessions.host_again),
    session.DelegationReverted: _delegated(sessions.delegate_again),
    session.HandOverReverted: _footprint_changed(sessions.hand_over_again, Part.OWNERSHIP),
    session.FragmentsRestored: _fragments_changed(),
    inbox.EnvelopePut: _compensated_by(inboxes.withdraw, has_ended=inboxes.has_no_effect),
    inbox.EnvelopeWithdrawn: _compensated_by(inboxes.put_again),
    inbox.EnvelopeTaken: _compensated_by(inboxes.withdraw_taking, has_ended=inboxes.is_taken_no_more),
    inbox.TakingWithdrawn: _compensated_by(inboxes.take_again, has_ended=inboxes.is_over),
    inbox.EnvelopeAcknowledged: _final(_ACKNOWLEDGED),
    inbox.EnvelopesGivenBack: _record_only(_GIVEN_BACK),
    inbox.EnvelopesLost: _final(_LOST),
    inbox.TypeAdvanced: _compensated_by(inboxes.step_back),
    inbox.TypeRestored: _compensated_by(inboxes.step_again),
    site.SiteTimedOut: _record_only(_SITE),
    site.TimeoutExpired: _record_only(_SITE),
    site.SiteCrashed: _record_only(_SITE),
    bundle.BundleRegistered: _compensated_by(bundles.withdraw, Part.BUNDLE),
    bundle.BundleLinked: _compensated_by(bundles.withdraw, Part.BUNDLE),
    bundle.BundleWithdrawn: _compensated_by(bundles.make_known_again, Part.BUNDLE),
    bundle.BundleLinkRejected: _record_only(_REFUSAL),
    bundle.MembersSeeded: _members_changed(bundles.restore_members),
    bundle.MembersRestored: _members_changed(bundles.restore_members),
    bundle.UpgradeStaged: _members_changed(bundles.roll_upgrade_back, has_ended=bundles.is_under_way_no_more),
    bundle.UpgradeAdmitted: _members_changed(bundles.restore_members),
    bundle.UpgradeCommitted: _members_changed(bundles.restore_members),
    bundle.UpgradeRolledBack: _members_changed(bundles.restore_members),
    # It changed no members, so it keeps nothing in place but the staging of the upgrade itself.
    bundle.UpgradeFailed: _final(_UPGRADE_FAILED, Part.UPGRADES),
    conversation.ConversationOpened: _compensated_by(
        conversations.withdraw_conversation, Part.CONVERSATION, Part.PHASE, Part.MODE, Part.CONFIG
    ),
    conversation.ConversationWithdrawn: _compensated_by(
        conversations.open_again, Part.CONVERSATION, Part.PHASE, Part.MODE, Part.CONFIG
    ),
    # Whose turn it is follows from the epoch.
    conversation.MemberJoined: _stays(_GROUP, Part.STEWARDS),
    conversation.PendingJoinExpired: _record_only(_FIRED),
    conversation.LeaveInitiated: _record_only(_GROUP),
    conversation.MemberLeaving: _final(_GROUP, Part.CONVERSATION, Part.PHASE),
    conversation.ConversationRemoved: _final(_GROUP, Part.CONVERSATION, Part.PHASE),
    conversation.ConfigSynced: _of_conversation(conversations.restore_config, Part.CONFIG),
    conversation.PhaseChanged: _of_conversation(conversations.restore_phase, Part.PHASE),
    conversation.PhaseTimerAnchored: _of_conversation(conversations.restore_phase, Part.PHASE),
    conversation.OperatingModeChanged: _of_conversation(conversations.restore_mode, Part.MODE),
    conversation.ElectionRetriesChanged: _of_conversation(conversations.restore_retries, Part.RETRIES),
    conversation.StewardListInstalled: _of_conversation(conversations.restore_stewards, Part.STEWARDS),
    conversation.ScoreChanged: _of_conversation(conversations.restore_score),
    conversation.FreezeRoundOpened: _of_conversation(conversations.withdraw_round, Part.ROUND),
    conversation.FreezeRoundWithdrawn: _of_conversation(conversations.collect_again, Part.ROUND),
    conversation.CandidateBuffered: _stays(_CANDIDATE, Part.ROUND),
    # Whose turn it was is judged by the list of stewards.
    conversation.FreezeRoundFinalized: _final(
        _GROUP, Part.ROUND, Part.PHASE, needs=frozenset({Part.CONVERSATION, Part.STEWARDS})
    ),
    conversation.CommitApplied: _stays(_GROUP, Part.APPROVED, Part.PHASE, Part.RETRIES, Part.STEWARDS, Part.ROUND),
    conversation.OperationFailed: _record_only(_DIAGNOSTIC),
    conversation.HostTold: _record_only(_TOLD),
    conversation.ProposalOpened: _of_conversation(conversations.withdraw_proposal),
    conversation.ProposalReceived: _of_conversation(conversations.withdraw_proposal),
    conversation.ProposalWithdrawn: _of_conversation(conversations.propose_again),
    conversation.AutoVoteScheduled: _AUTO_VOTE,
    conversation.AutoVoteCancelled: _AUTO_VOTE,
    conversation.AutoVoteFired: _stays(_FIRED),
    conversation.AutoVoteFailed: _record_only(_DIAGNOSTIC),
    conversation.VoteCast: _stays(_VOTED),
    conversation.ConsensusTimeoutScheduled: _TIMEOUT,
    conversation.ConsensusTimeoutCancelled: _TIMEOUT,
    conversation.ConsensusTimeoutFired: _stays(_FIRED),
    conversation.ConsensusResolved: _stays(_VOTED),
    conversation.ProposalApproved: _stays(_VOTED, Part.APPROVED),
    conversation.RemovalDeduplicated: _record_only(_VOTED),
    consumer.NotificationsAcknowledged: _record_only(_TOLD),
    idempotency.KeyUsed: _record_only(_KEY),
    saga.SagaBegun: _record_only(_SAGA),
    saga.SagaUndoRegistered: _record_only(_SAGA),
    saga.SagaStepUndone: _record_only(_SAGA),
    saga.SagaCompleted: _record_only(_SAGA),
    saga.SagaCompensationBegun: _record_only(_SAGA),
    saga.SagaCompensated: _record_only(_SAGA),
    saga.SagaCompensationFailed: _record_only(_SAGA),
    saga.SagaResolved: _record_only(_SAGA),
}
"""The rule of every event type in the catalogue."""

_PHASES_STAY: Final[Mapping[conversation.Cause, str]] = {
    conversation.Cause.JOINED: _GROUP,
    conversation.Cause.COMMIT_APPLIED: _GROUP,
    conversation.Cause.NO_COMMIT: _FROZEN,
    conversation.Cause.NOTHING_APPROVED: _FROZEN,
}
"""The phase changes that nothing undoes, since they follow from what stays, and why."""

_OPERATIONS: Final[Mapping[type[Event[Any]], str]] = {
    bundle.BundleLinked: "bundle linking",
    session.SessionDelegated: "session delegation",
    session.DelegationReverted: "session delegation",
    session.SessionHandedOver: "session delegation",
    session.HandOverReverted: "session delegation",
}
_UNDER_WAY_OR_DONE: Final = (
    bundle.UpgradePhase.STAGED,
    bundle.UpgradePhase.ADMITTED,
    bundle.UpgradePhase.COMMITTED_CUTOVER,
)


def changes(event: Event[Any]) -> frozenset[str]:
    """The parts of its stream's state that an event changed."""
    return RULES[type(event)].changes.union(
        sessions.parts_changed(event),
        inboxes.parts_changed(event),
        (f"upgrade:{upgrade_id}" for upgrade_id in bundles.upgrade_ids(event)),
        conversations.parts_changed(event),
    )


def needs(event: Event[Any]) -> frozenset[str]:
    """The parts of its stream's state that the command of an event needed to be as they were."""
    return RULES[type(event)].needs.union(conversations.parts_needed(event))


def why_it_stays(event: Event[Any]) -> str:
    """Why nothing undoes an event; empty if something does."""
    if isinstance(event, conversation.PhaseChanged):
        return _PHASES_STAY.get(event.cause, "")
    return RULES[type(event)].reason


def has_ended(event: Event[Any], now: Any) -> bool:
    """Whether what an event did has ended by itself, so that nothing undoes it and it is in nobody's way.

    Args:
        event: the event.
        now: the state of its stream as it is now.
    """
    ended = RULES[type(event)].has_ended
    return ended is not None and ended(event, now)


def operation(event: Event[Any]) -> str | None:
    """What a compensating event does that the runtime must have its surfaces for (aura 2.22); None for nothing.

    Args:
        event: the event that undoes another, or does it again.
    """
    if isinstance(event, bundle.MembersRestored):
        # An upgrade that is only given up takes none, as its rollback by command does.
        goes_on = event.upgrade is not None and event.upgrade.phase in _UNDER_WAY_OR_DONE
        return "runtime upgrade" if goes_on else None
    return _OPERATIONS.get(type(event))


def stands_on(later: Event[Any], event: Event[Any]) -> bool:
    """Whether a later event keeps an earlier one of its stream from being undone.

    It does if it changed or needed what the earlier one changed, or if it changed what the earlier one needed, and what
    undoes that one would need again.
    """
    changed, changed_since = changes(event), changes(later)
    touched = changed_since.union(needs(later), conversations.parts_needed_then(later))
    is_disjoint = touched.isdisjoint(changed) and changed_since.isdisjoint(needs(event))
    return not is_disjoint or conversations.needed_the_phase(later, event)


def bundles_needed(event: Event[Any]) -> tuple[str, ...]:
    """The bundles that must be known for a compensating event to hold."""
    if isinstance(event, bundle.BundleLinked):
        return event.left, event.right
    if isinstance(event, session.SessionDelegated | session.SessionHandedOver) and event.receipt.bundle_id is not None:
        return (event.receipt.bundle_id,)
    return ()
