"""What undoes what happened to a conversation: the events that give back what there was before (law 8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..event import Event
from . import events, voting_events as voting
from .config import ConfigChanges
from .phases import AnchorAction, Cause
from .scoring import comes_down
from .state import ConversationStanding, ConversationState
from .timelines import proposals_of
from .values import (
    CancelReason,
    CreatorVote,
    Life,
    ScoreReason,
)


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
    """Undo that a conversation was withdrawn. A joiner waits anew."""
    at, incarnation = now.situation.at, now.situation.incarnation + 1
    return events.ConversationOpened(now.conversation_id, at, incarnation, event.role, event.self_id, event.config)


def restore_phase(
    event: events.PhaseChanged | events.PhaseTimerAnchored, before: ConversationStanding, now: ConversationState
) -> Event[Any] | None:
    """Give back the phase, with the anchor that it had."""
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
        approved=situation.approved,
    )


def restore_config(event: events.ConfigSynced, before: ConversationStanding, now: ConversationState) -> Event[Any]:
    """Give back the configuration, as far as it was changed."""
    changes = ConfigChanges(**{name: getattr(before.config, name) for name, _ in event.changes.given()})
    return events.ConfigSynced(now.conversation_id, now.situation.at, event.source_epoch, changes)


def restore_mode(
    event: events.OperatingModeChanged, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Give back the operating mode."""
    at, mode = now.situation.at, now.situation.mode
    return events.OperatingModeChanged(now.conversation_id, at, mode, before.mode, Cause.REVERTED)


def restore_retries(
    event: events.ElectionRetriesChanged, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Give back the count of rejected elections."""
    at, retries = now.situation.at, now.situation.retries
    return events.ElectionRetriesChanged(now.conversation_id, at, retries, before.retries, event.maximum)


def restore_stewards(
    event: events.StewardListInstalled, before: ConversationStanding, now: ConversationState
) -> Event[Any]:
    """Give back the list of who may commit; an election whose list goes can be accepted again."""
    elected_by = None if event.steward_list is None else event.steward_list.proposal_id
    return events.StewardListInstalled(now.conversation_id, now.situation.at, before.steward_list, elected_by)


def restore_score(event: events.ScoreChanged, before: ConversationStanding, now: ConversationState) -> Event[Any]:
    """Take back what a member was thought better or worse of."""
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
    """Undo that a proposal was withdrawn."""
    at = now.situation.at
    if event.proposal.is_own:
        vote = event.creator_vote or CreatorVote.DEFERRED
        return voting.ProposalOpened(now.conversation_id, at, event.proposal, vote)
    return voting.ProposalReceived(now.conversation_id, at, event.proposal)


def restore_auto_vote(
    event: voting.AutoVoteScheduled | voting.AutoVoteCancelled, before: ConversationStanding, now: ConversationState
) -> Event[Any] | None:
    """Give back the vote that would have been cast by itself, due when it was; or that there was none.

    Where nothing is left to vote on, or this member has voted, none is given back.
    """
    proposal_id, at = event.proposal_id, now.situation.at
    standing, present = before.auto_votes.get(proposal_id), now.auto_votes.get(proposal_id)
    is_over = proposal_id not in now.proposals or now.self_id in now.votes[proposal_id]
    if standing is None or is_over:
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
    """Give back until when votes were waited for; or that they were waited for without an end.

    For what is not voted on any more, there is no waiting.
    """
    proposal_id, at = event.proposal_id, now.situation.at
    standing, present = before.timeouts.get(proposal_id), now.timeouts.get(proposal_id)
    if standing is None or proposal_id not in now.proposals:
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
    """The parts of a conversation's state that an event stands on and names itself."""
    for prefix in _NEEDED.get(type(event), ()):
        yield from (f"{prefix}:{number}" for number in proposals_of(event))


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
