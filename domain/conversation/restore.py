"""What undoes what happened to a conversation: the events that restore what there was before (law 8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import ProposalExpired
from ..event import Event
from . import events, voting_events as voting
from .config import ConfigChanges
from .guards import require_openable
from .phases import PERMITTED, AnchorAction, Cause, Operation, operation_of
from .scoring import comes_down
from .state import ConversationStanding, ConversationState
from .timelines import proposals_of
from .values import CancelReason, CreatorVote, Life, Phase, ScoreReason, VoteSource
from .voting import require_room_for


def withdraw_conversation(
    event: events.ConversationOpened, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Undo that a conversation was created, or asked to be joined. It is as it was: unknown, or removed."""
    return events.ConversationWithdrawn(
        now.conversation_id,
        now.situation.at,
        event.role,
        event.self_id,
        event.config,
        None if before.reason is None else before.role,
        before.reason,
    )


def open_again(event: events.ConversationWithdrawn, before: ConversationStanding, now: ConversationState) -> Event[Any]:
    """Undo that a conversation was withdrawn. A joiner waits for as long as it would have."""
    at, incarnation = now.situation.at, now.situation.incarnation + 1
    return events.ConversationOpened(
        now.conversation_id, at, incarnation, event.role, event.self_id, event.config, before.anchor
    )


def restore_phase(
    event: events.PhaseChanged | events.PhaseTimerAnchored, before: ConversationStanding, now: ConversationState
) -> Event[Any] | None:
    """Restore the phase, with the anchor that it had."""
    situation = now.situation
    if before.phase is None or situation.phase is None or situation.life is not Life.OPEN:
        return None
    return events.PhaseChanged(
        conversation_id=now.conversation_id,
        at=situation.at,
        previous=situation.phase,
        phase=before.phase,
        cause=Cause.REVERTED,
        anchor_action=AnchorAction.RESTORE,
        anchor=before.anchor,
        previous_anchor=situation.anchor,
        approved=before.approved_at_selection if before.phase is Phase.SELECTION else situation.approved,
    )


def restore_config(event: events.ConfigSynced, before: ConversationStanding, now: ConversationState) -> Event[Any]:
    """Restore the configuration, as far as it was changed."""
    changes = ConfigChanges(**{name: getattr(before.config, name) for name, _ in event.changes.given()})
    return events.ConfigSynced(now.conversation_id, now.situation.at, event.source_epoch, changes)


def restore_mode(
    event: events.OperatingModeChanged, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Restore the operating mode."""
    at, mode = now.situation.at, now.situation.mode
    return events.OperatingModeChanged(now.conversation_id, at, mode, before.mode, Cause.REVERTED)


def restore_retries(
    event: events.ElectionRetriesChanged, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Restore the count of rejected elections."""
    at, retries = now.situation.at, now.situation.retries
    return events.ElectionRetriesChanged(now.conversation_id, at, retries, before.retries, event.maximum)


def restore_stewards(
    event: events.StewardListInstalled, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Restore the list of who may commit. An election that was accepted with the event can be accepted again."""
    elected_by = None if event.steward_list is None else event.steward_list.proposal_id
    taken_back = None if elected_by in before.accepted_elections else elected_by
    return events.StewardListInstalled(now.conversation_id, now.situation.at, before.steward_list, taken_back)


def restore_score(event: events.ScoreChanged, before: ConversationStanding, now: ConversationState) -> Event[Any]:
    """Undo the change of a member's score."""
    member, delta, standing = event.member, -event.delta, now.score(event.member)
    score, is_down = standing + delta, comes_down(standing, standing + delta)
    return events.ScoreChanged(
        now.conversation_id, now.situation.at, member, ScoreReason.REVERTED, delta, score, is_down
    )


def withdraw_round(event: events.FreezeRoundOpened, before: ConversationStanding, now: ConversationState) -> Event[Any]:
    """Undo that candidates were collected, of which none came."""
    return events.FreezeRoundWithdrawn(now.conversation_id, now.situation.at, event.epoch)


def collect_again(
    event: events.FreezeRoundWithdrawn, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Undo that a freeze round was withdrawn."""
    return events.FreezeRoundOpened(now.conversation_id, now.situation.at, event.epoch)


def withdraw_proposal(
    event: voting.ProposalOpened | voting.ProposalReceived, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Undo that a proposal was opened or received, on which nobody has voted."""
    creator_vote = event.creator_vote if isinstance(event, voting.ProposalOpened) else None
    return voting.ProposalWithdrawn(now.conversation_id, now.situation.at, event.proposal, creator_vote)


def propose_again(event: voting.ProposalWithdrawn, before: ConversationStanding, now: ConversationState) -> Event[Any]:
    """Undo that a proposal was withdrawn, where it could be opened or received now, or nothing changed since.

    Its voters are those that it had, also if the group has changed since.

    Raises:
        ConversationBlocked, PartialFreeze: this member may not open it any more.
        ProposalExpired: it has expired since.
        LimitReached: too many are open.
    """
    proposal, at = event.proposal, now.situation.at
    is_as_it_was = (now.situation.phase, now.situation.emergencies) == (before.phase, before.emergencies)
    if proposal.is_own and not is_as_it_was:
        require_openable(now, proposal.request.kind)
    if not proposal.is_own and proposal.is_open_at(event.at) and not proposal.is_open_at(at):
        raise ProposalExpired(now.conversation_id, proposal.proposal_id, proposal.expires_at_s, at)
    require_room_for(now, proposal)
    group = before.groups[proposal.proposal_id]
    members = None if group == now.members else group
    if event.proposal.is_own:
        vote = event.creator_vote or CreatorVote.DEFERRED
        return voting.ProposalOpened(now.conversation_id, at, event.proposal, vote, members)
    return voting.ProposalReceived(now.conversation_id, at, event.proposal, members)


def restore_auto_vote(
    event: voting.AutoVoteScheduled | voting.AutoVoteCancelled, before: ConversationStanding, now: ConversationState
) -> Event[Any] | None:
    """Restore the automatic vote, due when it was, or its absence.

    None is restored once this member has voted or the proposal is resolved, and no automatic vote is pending.
    """
    proposal_id, at = event.proposal_id, now.situation.at
    standing, present = before.auto_votes.get(proposal_id), now.auto_votes.get(proposal_id)
    # A vote by hand and an outcome cancel the automatic vote. So one that is pending now was scheduled after them, and
    # so was the one that it replaced.
    if standing is None or is_vote_over(event, now):
        if present is None:
            return None
        return voting.AutoVoteCancelled(now.conversation_id, at, proposal_id, CancelReason.REVERTED)
    replaced = None if present is None else present.fire_at
    return voting.AutoVoteScheduled(
        now.conversation_id, at, proposal_id, standing.vote, standing.delay_ms, standing.fire_at, replaced
    )


def restore_timeout(
    event: voting.ConsensusTimeoutScheduled | voting.ConsensusTimeoutCancelled,
    before: ConversationStanding,
    now: ConversationState,
) -> Event[Any] | None:
    """Restore the deadline for votes as it was, or its absence.

    Nothing is restored if the proposal is no longer voted on, and no deadline is pending.
    """
    proposal_id, at = event.proposal_id, now.situation.at
    standing, present = before.timeouts.get(proposal_id), now.timeouts.get(proposal_id)
    if standing is None or is_waiting_over(event, now):
        if present is None:
            return None
        return voting.ConsensusTimeoutCancelled(now.conversation_id, at, proposal_id, CancelReason.REVERTED)
    replaced = None if present is None else present.fire_at
    return voting.ConsensusTimeoutScheduled(
        now.conversation_id, at, proposal_id, standing.delay_ms, standing.fire_at, replaced
    )


def parts_changed(event: Event[Any]) -> Iterator[str]:
    """The parts of a conversation's state that an event changed and names itself."""
    if isinstance(event, events.ScoreChanged):
        yield f"score:{event.member}"
    prefix = _CHANGED.get(type(event))
    if prefix is not None:
        yield from (f"{prefix}:{number}" for number in proposals_of(event))


def parts_needed(event: Event[Any]) -> Iterator[str]:
    """The parts of a conversation's state that an event needed and names itself."""
    for prefix in _NEEDED.get(type(event), ()):
        yield from (f"{prefix}:{number}" for number in proposals_of(event))


def parts_needed_then(event: Event[Any]) -> Iterator[str]:
    """The parts of a conversation's state that an event needed when it happened, and that undoing it does not need."""
    if isinstance(event, events.PhaseChanged):
        yield from _CAUSES_NEED.get(event.cause, ())


def needed_the_phase(later: Event[Any], event: Event[Any]) -> bool:
    """Whether an event was permitted in the phase that an earlier one led to, and would not have been before that."""
    if not isinstance(event, events.PhaseChanged):
        return False
    if isinstance(later, voting.ProposalOpened):
        return event.previous not in PERMITTED[operation_of(later.proposal.request.kind)]
    is_by_hand = isinstance(later, voting.VoteCast) and later.source is VoteSource.MANUAL
    return is_by_hand and event.previous not in PERMITTED[Operation.VOTE]


def is_vote_over(event: voting.AutoVoteScheduled | voting.AutoVoteCancelled, now: ConversationState) -> bool:
    """Whether no automatic vote is pending, and this member has voted or the proposal is resolved."""
    proposal_id = event.proposal_id
    has_voted = proposal_id not in now.proposals or now.self_id in now.votes[proposal_id]
    return has_voted and proposal_id not in now.auto_votes


def is_waiting_over(
    event: voting.ConsensusTimeoutScheduled | voting.ConsensusTimeoutCancelled, now: ConversationState
) -> bool:
    """Whether no deadline for votes is pending, and the proposal is no longer voted on."""
    return event.proposal_id not in now.proposals and event.proposal_id not in now.timeouts


# What makes it time for a phase change: the window and what it is counted with, the round, the stewards.
_CAUSES_NEED: dict[Cause, tuple[str, ...]] = {
    Cause.INACTIVITY: ("config", "mode", "retries", "round"),
    Cause.CANDIDATE: ("round",),
    Cause.FREEZE_WINDOW: ("config",),
    Cause.ALL_CANDIDATES: ("stewards",),
}
_CHANGED: dict[type[Event[Any]], str] = {
    voting.ProposalOpened: "proposal",
    voting.ProposalReceived: "proposal",
    voting.ProposalWithdrawn: "proposal",
    voting.ConsensusResolved: "proposal",
    voting.VoteCast: "votes",
    voting.AutoVoteScheduled: "auto_vote",
    voting.AutoVoteCancelled: "auto_vote",
    voting.AutoVoteFired: "auto_vote",
    voting.ConsensusTimeoutScheduled: "timeout",
    voting.ConsensusTimeoutCancelled: "timeout",
    voting.ConsensusTimeoutFired: "timeout",
}
_NEEDED: dict[type[Event[Any]], tuple[str, ...]] = {
    voting.VoteCast: ("proposal",),
    voting.ConsensusResolved: ("votes",),
    voting.AutoVoteScheduled: ("proposal",),
    voting.AutoVoteCancelled: ("proposal",),
    voting.ConsensusTimeoutScheduled: ("proposal",),
    voting.ConsensusTimeoutCancelled: ("proposal",),
}
