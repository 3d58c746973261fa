"""What happens in conversations, in a few words, as a table has room for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from muniment.domain import ApprovedRequest, Proposal, ProposalRequest, consumer, conversation
from muniment.domain.shown import utc


def _request(request: ProposalRequest) -> str:
    about = f" {request.target}" if request.target else ""
    return f"{request.violation or request.kind}{about}"


def _proposal(proposal: Proposal) -> str:
    return f"proposal {proposal.proposal_id} by {proposal.creator}: {_request(proposal.request)}"


def _approved(approved: ApprovedRequest) -> str:
    return f"proposal {approved.proposal_id}: {_request(approved.request)}"


def _choice(choice: bool) -> str:
    return "yes" if choice else "no"


def _phase(event: conversation.PhaseChanged) -> str:
    is_as_before = event.anchor is None or event.anchor == event.previous_anchor
    anchor = "" if is_as_before else f"; its window counts from {utc(event.anchor or 0)}"
    return f"{event.previous} to {event.phase}: {event.cause}{anchor}"


def _stewards(event: conversation.StewardListInstalled) -> str:
    installed = event.steward_list
    if installed is None:
        return "no stewards"
    return f"{', '.join(installed.stewards)} from epoch {installed.election_epoch} on: {installed.reason}"


def _finalized(event: conversation.FreezeRoundFinalized) -> str:
    winner = "" if event.winner is None else f", {event.winner} won"
    refused = f", {len(event.rejected)} refused" if event.rejected else ""
    return f"epoch {event.epoch}: {event.result}, {event.candidates} candidates{winner}{refused}"


def _commit(event: conversation.CommitApplied) -> str:
    batch = ", ".join(_request(each.request) for each in event.batch)
    return f"epoch {event.epoch} by {event.committer}: {batch or 'nothing that was approved'}"


def _synced(event: conversation.ConfigSynced) -> str:
    return f"epoch {event.source_epoch}: {', '.join(f'{name} {value}' for name, value in event.changes.given())}"


def _auto_vote(event: conversation.AutoVoteScheduled) -> str:
    return f"proposal {event.proposal_id}: {_choice(event.vote)} at {utc(event.fire_at)}"


def _resolved(event: conversation.ConsensusResolved) -> str:
    counts = f"{event.yes} yes, {event.no} no, of {event.proposal.voters}"
    return f"proposal {event.proposal.proposal_id}: {event.result} ({event.via}; {counts})"


def _acknowledged(event: consumer.NotificationsAcknowledged) -> str:
    only = f" of {event.conversation_id}" if event.conversation_id else ""
    return f"{event.consumer} was told everything{only} up to position {event.position}"


DESCRIPTIONS: Final[dict[type[Any], Callable[[Any], str]]] = {
    ApprovedRequest: _approved,
    Proposal: _proposal,
    ProposalRequest: _request,
    consumer.NotificationsAcknowledged: _acknowledged,
    conversation.ConversationOpened: lambda event: f"{event.self_id} as {event.role}, incarnation {event.incarnation}",
    conversation.ConversationWithdrawn: lambda event: f"{event.self_id} as {event.role} withdrawn",
    conversation.MemberJoined: lambda event: f"epoch {event.epoch}: {', '.join(sorted(event.members))}",
    conversation.PendingJoinExpired: lambda event: f"nobody let this member in within {event.window_ms} ms",
    conversation.LeaveInitiated: lambda event: f"proposal {event.proposal_id}",
    conversation.MemberLeaving: lambda event: str(event.reason),
    conversation.ConversationRemoved: lambda event: str(event.reason),
    conversation.ConfigSynced: _synced,
    conversation.PhaseChanged: _phase,
    conversation.PhaseTimerAnchored: lambda event: f"approved work ({event.approved}) may wait {event.window_ms} ms",
    conversation.OperatingModeChanged: lambda event: f"{event.previous} to {event.mode}: {event.cause}",
    conversation.ElectionRetriesChanged: lambda event: (
        f"rejected elections: {event.previous} to {event.retries}, of {event.maximum}"
    ),
    conversation.StewardListInstalled: _stewards,
    conversation.ScoreChanged: lambda event: f"{event.member} {event.delta:+} to {event.score}: {event.reason}",
    conversation.FreezeRoundOpened: lambda event: f"candidates of epoch {event.epoch} are collected",
    conversation.FreezeRoundWithdrawn: lambda event: f"candidates of epoch {event.epoch} are not collected",
    conversation.CandidateBuffered: lambda event: (
        f"{event.candidate.commit_hash} by {event.candidate.steward}, {event.received} of {event.expected}"
    ),
    conversation.FreezeRoundFinalized: _finalized,
    conversation.CommitApplied: _commit,
    conversation.OperationFailed: lambda event: f"{event.operation}: {event.message}",
    conversation.HostTold: lambda event: f"{event.kind}: {event.message}",
    conversation.ProposalOpened: lambda event: f"{_proposal(event.proposal)}; own vote {event.creator_vote}",
    conversation.ProposalReceived: lambda event: _proposal(event.proposal),
    conversation.ProposalWithdrawn: lambda event: f"{_proposal(event.proposal)}; withdrawn",
    conversation.AutoVoteScheduled: _auto_vote,
    conversation.AutoVoteCancelled: lambda event: f"proposal {event.proposal_id}: {event.reason}",
    conversation.AutoVoteFired: lambda event: (
        f"proposal {event.proposal_id}: {_choice(event.vote)}, due at {utc(event.fire_at)}"
    ),
    conversation.AutoVoteFailed: lambda event: f"proposal {event.proposal_id}: {event.error}",
    conversation.VoteCast: lambda event: (
        f"proposal {event.proposal_id}: {event.voter} {_choice(event.vote)} ({event.source})"
    ),
    conversation.ConsensusTimeoutScheduled: lambda event: (
        f"proposal {event.proposal_id}: votes are waited for until {utc(event.fire_at)}"
    ),
    conversation.ConsensusTimeoutCancelled: lambda event: f"proposal {event.proposal_id}: {event.reason}",
    conversation.ConsensusTimeoutFired: lambda event: (
        f"proposal {event.proposal_id}: due at {utc(event.fire_at)}{'' if event.session_active else ', was resolved'}"
    ),
    conversation.ConsensusResolved: _resolved,
    conversation.ProposalApproved: lambda event: f"{_approved(event.approved)}{', urgent' if event.is_urgent else ''}",
    conversation.RemovalDeduplicated: lambda event: (
        f"proposal {event.proposal_id}: the removal of {event.target} was approved by {event.approved_by}"
    ),
}
"""How values and events of conversations are told, by type."""
