"""Opening proposals, taking in those of peers, and voting on them (de-mls 2.4, 2.5, 4.2)."""

from __future__ import annotations

from ..bounds import MAX_STRANGERS, MAX_VOTES_OF_STRANGERS
from ..decision import decision
from ..errors import AlreadyVoted, CommandRefused, ProposalExists, ProposalExpired, ProposalNotActive, ProposalNotFound
from ..event import Accepted, Decision, Refused
from ..limits import require_fewer, require_room
from .draft import Draft
from .guards import named, require_openable, require_permitted
from .outcomes import apply_outcome, count_votes, end_auto_vote, end_deadlines, end_timeout
from .phases import Operation
from .situation import Situation
from .state import ConversationState
from .values import CancelReason, CreatorVote, Outcome, Phase, Proposal, ProposalKind, ProposalRequest, VoteSource
from .voting_events import AutoVoteScheduled, ConsensusTimeoutScheduled, ProposalOpened, ProposalReceived, VoteCast


@decision("conversation.open_proposal")
def open_proposal(
    state: ConversationState,
    proposal_id: int,
    request: ProposalRequest,
    voters: int | frozenset[str],
    creator_vote: CreatorVote,
    now: int,
) -> Decision[Phase | None]:
    """Open a proposal of this member's (de-mls 4.2).

    The voters are told by name, or how many there are.

    Raises:
        ConversationNotFound, ConversationEnded, ConversationBlocked, PartialFreeze, ProposalExists, LimitReached
    """
    situation = require_openable(state, request.kind)
    _require_new(state, proposal_id)
    draft = Draft(state, now)
    proposal = Proposal(
        proposal_id,
        request,
        creator=state.self_id,
        is_own=True,
        voters=_count(voters),
        liveness_yes=situation.config.liveness_yes,
        opened_at=draft.at,
        expires_at_s=expiry(situation, draft.at),
        voter_names=_names(voters),
    )
    require_room_for(state, proposal)
    draft.record(ProposalOpened, proposal=proposal, creator_vote=creator_vote)
    _schedule_timeout(draft, proposal_id, situation.config.consensus_timeout_ms)
    if creator_vote is CreatorVote.YES:
        cast_vote(draft, proposal_id, state.self_id, True, VoteSource.BUNDLED)
    else:
        _schedule_own_vote(draft, proposal)
    return draft.decided()


@decision("conversation.receive_proposal")
def receive_proposal(
    state: ConversationState,
    proposal_id: int,
    request: ProposalRequest,
    creator: str,
    voters: int | frozenset[str],
    vote: bool | None,
    expires_at_s: int | None,
    now: int,
) -> Decision[Phase | None]:
    """Receive a peer's proposal, and the vote that came with it, if one did (de-mls 4.2).

    One that only its creator votes on is taken only if it removes that creator; otherwise it is ignored, and so is
    every proposal before this member is let in.

    Raises:
        ConversationNotFound, ConversationEnded, ProposalExists, ProposalExpired
        LimitReached: too many are open, or came from those who are not known to be members.
    """
    situation = state.opened()
    is_fast = _count(voters) == 1
    is_voter = creator in (_names(voters) or {creator})
    removes_creator = request.kind is ProposalKind.REMOVE_MEMBER and request.target == creator and is_voter
    if situation.phase is Phase.PENDING_JOIN or (is_fast and not removes_creator):
        return Accepted(None)
    _require_new(state, proposal_id)
    draft = Draft(state, now)
    proposal = Proposal(
        proposal_id,
        request,
        creator=creator,
        is_own=False,
        voters=_count(voters),
        liveness_yes=situation.config.liveness_yes,
        opened_at=draft.at,
        expires_at_s=expiry(situation, draft.at) if expires_at_s is None else expires_at_s,
        voter_names=_names(voters),
    )
    if not proposal.is_open_at(draft.at):
        raise ProposalExpired(state.conversation_id, proposal_id, proposal.expires_at_s, draft.at)
    if creator not in state.members:
        require_fewer(named(state), "proposals of strangers in this epoch", state.strangers, MAX_STRANGERS)
    require_room_for(state, proposal)
    draft.record(ProposalReceived, proposal=proposal)
    if not is_fast:
        _schedule_own_vote(draft, proposal)
    # The vote of an only voter decides at once; where it did not come along, it may never come.
    may_wait = not is_fast or (vote is None and not state.is_older)
    if may_wait and situation.config.peers_time_out:
        _schedule_timeout(draft, proposal_id, situation.config.consensus_timeout_ms)
    if vote is not None:
        cast_vote(draft, proposal_id, creator, vote, VoteSource.PEER)
    return draft.decided()


@decision("conversation.vote")
def vote(state: ConversationState, proposal_id: int, choice: bool, now: int) -> Decision[Phase | None]:
    """Vote by hand; that takes the place of the vote that would be cast by itself (de-mls 2.4).

    A vote on what is resolved is accepted and not counted: its outcome comes again (de-mls 4.3). One that fails drops
    the automatic vote all the same, on the record, unless the configuration keeps it.

    Raises:
        ConversationNotFound, ConversationEnded, ConversationBlocked
        ProposalNotFound, ProposalNotActive, ProposalExpired, AlreadyVoted
    """
    situation = require_permitted(state, Operation.VOTE)
    draft = Draft(state, now)
    try:
        is_resolved = _require_votable(state, proposal_id, state.self_id, draft.at)
    except CommandRefused as error:
        if situation.config.failed_votes_keep_auto_votes:
            raise
        end_auto_vote(draft, proposal_id, CancelReason.MANUAL)
        return Refused(error, tuple(draft.events))
    end_auto_vote(draft, proposal_id, CancelReason.MANUAL)
    if is_resolved:
        end_deadlines(draft, proposal_id)
    else:
        cast_vote(draft, proposal_id, state.self_id, choice, VoteSource.MANUAL)
    return draft.decided()


@decision("conversation.receive_vote")
def receive_vote(
    state: ConversationState, proposal_id: int, voter: str, choice: bool, now: int
) -> Decision[Phase | None]:
    """Receive a peer's vote, in any phase. Before this member is let in, it is ignored (de-mls 1.5).

    Raises:
        ConversationNotFound, ConversationEnded
        LimitReached: too many came from those who are not known to be members.
        ProposalNotFound, ProposalNotActive, ProposalExpired, AlreadyVoted
    """
    if state.opened().phase is Phase.PENDING_JOIN:
        return Accepted(None)
    draft = Draft(state, now)
    if _require_votable(state, proposal_id, voter, draft.at):
        end_deadlines(draft, proposal_id)
    else:
        if voter not in state.members:
            votes = state.votes_of_strangers
            require_fewer(named(state), "votes of strangers in this epoch", votes, MAX_VOTES_OF_STRANGERS)
        cast_vote(draft, proposal_id, voter, choice, VoteSource.PEER)
    return draft.decided()


@decision("conversation.schedule_auto_vote")
def schedule_auto_vote(
    state: ConversationState, proposal_id: int, choice: bool, delay_ms: int, now: int
) -> Decision[None]:
    """Have a vote cast by itself after a delay, instead of any that would be (de-mls 2.4).

    Raises:
        ConversationNotFound, ConversationEnded, ProposalNotFound
    """
    _require_known(state, proposal_id)
    draft = Draft(state, now)
    _schedule_auto_vote(draft, proposal_id, delay_ms, choice)
    return draft.decided()


@decision("conversation.cancel_auto_vote")
def cancel_auto_vote(state: ConversationState, proposal_id: int, now: int) -> Decision[None]:
    """Cancel the automatic vote, if there is one (de-mls 2.4).

    Raises:
        ConversationNotFound, ConversationEnded
    """
    state.opened()
    draft = Draft(state, now)
    end_auto_vote(draft, proposal_id, CancelReason.MANUAL)
    return draft.decided()


@decision("conversation.cancel_auto_votes")
def cancel_auto_votes(state: ConversationState, now: int) -> Decision[None]:
    """Cancel every automatic vote (de-mls 2.4).

    Raises:
        ConversationNotFound, ConversationEnded
    """
    state.opened()
    draft = Draft(state, now)
    for proposal_id in sorted(state.auto_votes):
        end_auto_vote(draft, proposal_id, CancelReason.MANUAL)
    return draft.decided()


@decision("conversation.schedule_timeout")
def schedule_timeout(state: ConversationState, proposal_id: int, delay_ms: int, now: int) -> Decision[None]:
    """Wait for votes for ``delay_ms`` from now on; this replaces any earlier deadline (de-mls 2.5).

    Raises:
        ConversationNotFound, ConversationEnded, ProposalNotFound
    """
    _require_known(state, proposal_id)
    draft = Draft(state, now)
    _schedule_timeout(draft, proposal_id, delay_ms)
    return draft.decided()


@decision("conversation.cancel_timeout")
def cancel_timeout(state: ConversationState, proposal_id: int, now: int) -> Decision[None]:
    """Wait for votes without end: cancel their deadline, if there is one (de-mls 2.5).

    Raises:
        ConversationNotFound, ConversationEnded
    """
    state.opened()
    draft = Draft(state, now)
    end_timeout(draft, proposal_id, CancelReason.MANUAL)
    return draft.decided()


def refusal_of_auto_vote(state: ConversationState, proposal_id: int, at: int) -> CommandRefused | None:
    """What keeps a vote that is due from being cast; None if nothing does."""
    try:
        if state.situation.config.auto_votes_keep_phases:
            require_permitted(state, Operation.VOTE)
        resolution = state.resolution_of(proposal_id)
        if _require_votable(state, proposal_id, state.self_id, at) and resolution is not None:
            return ProposalNotActive(state.conversation_id, proposal_id, resolution.outcome)
    except CommandRefused as error:
        return error
    return None


def cast_vote(draft: Draft, proposal_id: int, voter: str, choice: bool, source: VoteSource) -> None:
    """Record a vote, and what follows if it decides."""
    draft.record(VoteCast, proposal_id=proposal_id, voter=voter, vote=choice, source=source)
    resolved = count_votes(draft, proposal_id)
    if resolved is not None:
        apply_outcome(draft, resolved)


def _schedule_own_vote(draft: Draft, proposal: Proposal) -> None:
    if proposal.voter_names is not None and draft.state.self_id not in proposal.voter_names:
        return
    config = draft.situation.config
    is_election = proposal.request.kind is ProposalKind.STEWARD_ELECTION
    delay_ms = config.election_voting_delay_ms if is_election else config.voting_delay_ms
    _schedule_auto_vote(draft, proposal.proposal_id, delay_ms, config.liveness_yes)


def _schedule_auto_vote(draft: Draft, proposal_id: int, delay_ms: int, choice: bool) -> None:
    before = draft.state.auto_votes.get(proposal_id)
    draft.record(
        AutoVoteScheduled,
        proposal_id=proposal_id,
        vote=choice,
        delay_ms=delay_ms,
        fire_at=draft.at + delay_ms,
        replaced_fire_at=None if before is None else before.fire_at,
    )


def _schedule_timeout(draft: Draft, proposal_id: int, delay_ms: int) -> None:
    before = draft.state.timeouts.get(proposal_id)
    draft.record(
        ConsensusTimeoutScheduled,
        proposal_id=proposal_id,
        delay_ms=delay_ms,
        fire_at=draft.at + delay_ms,
        replaced_fire_at=None if before is None else before.fire_at,
    )


def expiry(situation: Situation, at: int) -> int:
    """From when on a proposal of now cannot be voted on; whole seconds count (de-mls 2.1)."""
    return at // 1_000 + situation.config.proposal_expiration_ms // 1_000


def _count(voters: int | frozenset[str]) -> int:
    return voters if isinstance(voters, int) else len(voters)


def _names(voters: int | frozenset[str]) -> frozenset[str] | None:
    return None if isinstance(voters, int) else voters


def _require_new(state: ConversationState, proposal_id: int) -> None:
    if any(proposal_id in each for each in (state.proposals, state.resolved, state.approved)):
        raise ProposalExists(state.conversation_id, proposal_id)


def require_room_for(state: ConversationState, proposal: Proposal) -> None:
    """What is voted on, and what waits for a commit, fits into the event that ends it all."""
    require_room(
        named(state), "open and approved proposals", [*state.proposals.values(), *state.approved.values(), proposal]
    )


def _require_known(state: ConversationState, proposal_id: int) -> None:
    state.opened()
    if proposal_id not in state.proposals and state.resolution_of(proposal_id) is None:
        raise ProposalNotFound(state.conversation_id, proposal_id)


def _require_votable(state: ConversationState, proposal_id: int, voter: str, at: int) -> bool:
    """Make sure that a member may vote on a proposal; say whether that is resolved, so that a vote changes nothing.

    Raises:
        ProposalNotFound, ProposalNotActive, ProposalExpired, AlreadyVoted
    """
    _require_known(state, proposal_id)
    resolution = state.resolution_of(proposal_id)
    if resolution is not None:
        if resolution.outcome is Outcome.FAILED:
            raise ProposalNotActive(state.conversation_id, proposal_id, resolution.outcome)
        return True
    if not state.proposals[proposal_id].is_open_at(at):
        raise ProposalExpired(state.conversation_id, proposal_id, state.proposals[proposal_id].expires_at_s, at)
    if voter in state.votes[proposal_id]:
        raise AlreadyVoted(state.conversation_id, proposal_id, voter)
    return False
