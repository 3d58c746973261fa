"""The decisions on conversations, made again: which commands lead to a run of events, with the arguments that it tells.

A command on a conversation may append many events. What it was given stands in the first of them, or not far behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from ..event import Decision, Event
from . import events, voting_events as voting
from .freezing import buffer_candidate, commit_applied, no_commit_found, removed_by_commit
from .lifecycle import (
    accept_election,
    install_stewards,
    joined,
    leave,
    open_conversation,
    remove,
    report_failure,
    sync_config,
    tell,
)
from .moves import enter
from .outcomes import resolve
from .phases import Cause
from .state import ConversationState
from .ticking import tick
from .values import (
    CancelReason,
    FreezeOutcome,
    Outcome,
    Proposal,
    RejectedCandidate,
    RejectionReason,
    ResolvedVia,
    ScoreReason,
    StewardListReason,
    VoteSource,
)
from .voting import (
    cancel_auto_vote,
    cancel_timeout,
    open_proposal,
    receive_proposal,
    receive_vote,
    schedule_auto_vote,
    schedule_timeout,
    vote,
)

Ahead: TypeAlias = Callable[[int], Event[Any] | None]
"""The event so many places ahead, in one run of the conversation's events; None where that has ended."""

Command: TypeAlias = Callable[[ConversationState], Decision[Any]]

_NEAR: Final = 4
"""How far behind its first event a command's arguments stand at most: dropped deadlines come between."""


def commands(event: Any, ahead: Ahead) -> Iterator[Command]:
    """The commands whose first event this may be, with the arguments that the run tells.

    Args:
        event: the first event.
        ahead: tells those behind it, from 1.
    """
    finder = _FINDERS.get(type(event))
    if finder is not None:
        for function, *arguments in finder(event, ahead):
            yield partial(_call, function, (*arguments, event.at))


def _call(
    function: Callable[..., Decision[Any]], arguments: tuple[Any, ...], state: ConversationState
) -> Decision[Any]:
    return function(state, *arguments)


Found: TypeAlias = Iterator[tuple[Any, ...]]
"""Commands with their arguments, but for the state and the time."""


def _time(event: Any, ahead: Ahead) -> Found:
    yield (tick,)


def _opened(event: events.ConversationOpened, ahead: Ahead) -> Found:
    yield open_conversation, event.role, event.self_id, event.config


def _left(event: Any, ahead: Ahead) -> Found:
    yield (leave,)
    yield (remove,)


def _proposal_opened(event: voting.ProposalOpened, ahead: Ahead) -> Found:
    proposal = event.proposal
    yield open_proposal, proposal.proposal_id, proposal.request, _voters(proposal), event.creator_vote
    yield (leave,)


def _proposal_received(event: voting.ProposalReceived, ahead: Ahead) -> Found:
    proposal = event.proposal
    given = (proposal.proposal_id, proposal.request, proposal.creator, _voters(proposal))
    for choice in (None, True, False):
        yield receive_proposal, *given, choice, proposal.expires_at_s


def _voters(proposal: Proposal) -> int | frozenset[str]:
    return proposal.voters if proposal.voter_names is None else proposal.voter_names


def _vote_cast(event: voting.VoteCast, ahead: Ahead) -> Found:
    if event.source is VoteSource.MANUAL:
        yield vote, event.proposal_id, event.vote
    elif event.source is VoteSource.PEER:
        yield receive_vote, event.proposal_id, event.voter, event.vote


def _auto_vote_cancelled(event: voting.AutoVoteCancelled, ahead: Ahead) -> Found:
    if event.reason is CancelReason.MANUAL:
        yield cancel_auto_vote, event.proposal_id
        for choice in (True, False):
            yield vote, event.proposal_id, choice
    elif event.reason is CancelReason.LEFT:
        yield from _left(event, ahead)
    else:
        yield resolve, event.proposal_id, Outcome.YES


def _timeout_cancelled(event: voting.ConsensusTimeoutCancelled, ahead: Ahead) -> Found:
    if event.reason is CancelReason.MANUAL:
        yield cancel_timeout, event.proposal_id
    elif event.reason is CancelReason.LEFT:
        yield from _left(event, ahead)
    else:
        yield resolve, event.proposal_id, Outcome.YES


def _resolved(event: voting.ConsensusResolved, ahead: Ahead) -> Found:
    if event.via is not ResolvedVia.HOST:
        return
    proposal_id = event.proposal.proposal_id
    yield resolve, proposal_id, event.result
    for place in range(1, _NEAR):
        installed = ahead(place)
        if isinstance(installed, events.StewardListInstalled) and installed.steward_list is not None:
            yield accept_election, proposal_id, installed.steward_list.stewards


def _stewards(event: events.StewardListInstalled, ahead: Ahead) -> Found:
    made = event.steward_list
    if made is None:
        return
    if made.proposal_id is not None:
        yield accept_election, made.proposal_id, made.stewards
    elif made.reason is not StewardListReason.ELECTION:
        yield install_stewards, made.stewards, made.reason


def _round_opened(event: events.FreezeRoundOpened, ahead: Ahead) -> Found:
    yield (tick,)
    buffered = ahead(1)
    if isinstance(buffered, events.CandidateBuffered):
        yield buffer_candidate, buffered.candidate


def _round_over(event: events.FreezeRoundFinalized, ahead: Ahead) -> Found:
    if event.result is FreezeOutcome.NOTHING:
        yield no_commit_found, event.rejected
    applied = ahead(1)
    if isinstance(applied, events.CommitApplied):
        yield from _merged(applied, event.rejected)


def _committed(event: events.CommitApplied, ahead: Ahead) -> Found:
    yield from _merged(event, ())


def _merged(event: events.CommitApplied, rejected: tuple[RejectedCandidate, ...]) -> Found:
    yield commit_applied, event.commit_hash, event.committer, event.members, rejected
    yield removed_by_commit, event.commit_hash, event.committer, rejected


_BLAMED: Final = {
    ScoreReason.UNSTAGEABLE_COMMIT: RejectionReason.UNSTAGEABLE,
    ScoreReason.BROKEN_COMMIT: RejectionReason.NOT_A_STEWARD,
    ScoreReason.BROKEN_PROPOSAL: RejectionReason.OTHER_ACTIONS,
}
"""For each reason why a score fell, a reason to reject a candidate that makes it fall so."""


def _scored(event: events.ScoreChanged, ahead: Ahead) -> Found:
    """A selection that chose nothing, of a round that was undone: the scores alone tell what was rejected."""
    rejected: list[RejectedCandidate] = []
    scored: Any = event
    while isinstance(scored, events.ScoreChanged) and scored.reason in _BLAMED:
        rejected.append(RejectedCandidate(str(len(rejected) + 1), scored.member, _BLAMED[scored.reason]))
        scored = ahead(len(rejected))
    yield no_commit_found, tuple(rejected)


def _phase_changed(event: events.PhaseChanged, ahead: Ahead) -> Found:
    yield (tick,)
    yield no_commit_found, ()
    if event.cause is Cause.BY_HAND:
        yield enter, event.phase


_FINDERS: Final[Mapping[type[Event[Any]], Callable[[Any, Ahead], Found]]] = {
    events.ConversationOpened: _opened,
    events.MemberJoined: lambda event, ahead: iter([(joined, event.epoch, event.members)]),
    events.PendingJoinExpired: _time,
    events.MemberLeaving: _left,
    events.ConversationRemoved: _left,
    events.ConfigSynced: lambda event, ahead: iter([(sync_config, event.source_epoch, event.changes)]),
    events.PhaseChanged: _phase_changed,
    events.PhaseTimerAnchored: _time,
    events.StewardListInstalled: _stewards,
    events.ScoreChanged: _scored,
    events.FreezeRoundOpened: _round_opened,
    events.CandidateBuffered: lambda event, ahead: iter([(buffer_candidate, event.candidate)]),
    events.FreezeRoundFinalized: _round_over,
    events.CommitApplied: _committed,
    events.HostTold: lambda event, ahead: iter([(tell, event.kind, event.message)]),
    events.OperationFailed: lambda event, ahead: iter([(report_failure, event.operation, event.message)]),
    voting.ProposalOpened: _proposal_opened,
    voting.ProposalReceived: _proposal_received,
    voting.AutoVoteScheduled: lambda event, ahead: iter(
        [(schedule_auto_vote, event.proposal_id, event.vote, event.delay_ms)]
    ),
    voting.AutoVoteCancelled: _auto_vote_cancelled,
    voting.AutoVoteFired: _time,
    voting.VoteCast: _vote_cast,
    voting.ConsensusTimeoutScheduled: lambda event, ahead: iter(
        [(schedule_timeout, event.proposal_id, event.delay_ms)]
    ),
    voting.ConsensusTimeoutCancelled: _timeout_cancelled,
    voting.ConsensusTimeoutFired: _time,
    voting.ConsensusResolved: _resolved,
}
"""For every event type that a command on a conversation may begin with: those commands."""
