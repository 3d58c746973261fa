"""The outcome of votes, and what follows from it (de-mls 4.3, 4.4)."""

from __future__ import annotations

from ..decision import decision
from ..errors import ProposalNotFound
from ..event import Decision
from .draft import Draft
from .events import ElectionRetriesChanged, OperatingModeChanged
from .phases import Cause
from .scoring import score_emergency
from .state import ConversationState
from .values import (
    ApprovedRequest,
    CancelReason,
    OperatingMode,
    Outcome,
    Phase,
    Proposal,
    ProposalKind,
    ProposalRequest,
    ResolvedVia,
    Violation,
)
from .voting_events import (
    AutoVoteCancelled,
    ConsensusResolved,
    ConsensusTimeoutCancelled,
    ProposalApproved,
    RemovalDeduplicated,
)


def tally(yes: int, no: int, voters: int, *, liveness_yes: bool, at_timeout: bool = False) -> Outcome | None:
    """The outcome of the votes; None while that is open (de-mls 4.3).

    Args:
        yes: how many voters voted for it.
        no: how many voted against it; both together are no more than ``voters``.
        voters: how many are expected to vote.
        liveness_yes: how those who are silent count, once two thirds have voted or the time is over.
        at_timeout: whether the time is over.
    """
    voted = yes + no
    undecided = Outcome.FAILED if at_timeout else None
    if voters <= 2:
        if voted < voters:
            return undecided
        return Outcome.YES if no == 0 else Outcome.NO
    needed = -(-2 * voters // 3)
    if not at_timeout and voted < needed:
        return None
    silent = max(0, voters - voted)
    for_it, against_it = (yes + silent, no) if liveness_yes else (yes, no + silent)
    if for_it >= needed and for_it > against_it:
        return Outcome.YES
    if against_it >= needed and against_it > for_it:
        return Outcome.NO
    if voted >= voters and yes == no:
        return Outcome.YES if liveness_yes else Outcome.NO
    return undecided


def count_votes(draft: Draft, proposal_id: int, *, at_timeout: bool = False) -> ConsensusResolved | None:
    """Resolve a proposal if its votes decide it; what follows from that is for ``apply_outcome``."""
    proposal, votes = draft.state.proposals[proposal_id], draft.state.counted_votes(proposal_id)
    yes = sum(votes)
    outcome = tally(yes, len(votes) - yes, proposal.voters, liveness_yes=proposal.liveness_yes, at_timeout=at_timeout)
    if outcome is None:
        return None
    return _resolve(draft, proposal, outcome, ResolvedVia.TIMEOUT if at_timeout else ResolvedVia.VOTES)


def _resolve(draft: Draft, proposal: Proposal, outcome: Outcome, via: ResolvedVia) -> ConsensusResolved:
    votes = draft.state.counted_votes(proposal.proposal_id)
    yes = sum(votes)
    resolved: ConsensusResolved = draft.record(
        ConsensusResolved, proposal=proposal, result=outcome, via=via, yes=yes, no=len(votes) - yes
    )
    return resolved


def resolve_by_host(draft: Draft, proposal: Proposal, outcome: Outcome) -> None:
    """Resolve a proposal as the host says, with everything that follows."""
    apply_outcome(draft, _resolve(draft, proposal, outcome, ResolvedVia.HOST))


@decision("conversation.resolve")
def resolve(state: ConversationState, proposal_id: int, outcome: Outcome, now: int) -> Decision[Phase | None]:
    """Record the outcome of a vote as the host reports it; the host may know it from elsewhere (de-mls 4.4).

    If the proposal was resolved before, nothing follows again. Its pending deadlines are cancelled all the same.

    Raises:
        ConversationNotFound, ConversationEnded, ProposalNotFound
    """
    state.opened()
    proposal = state.proposals.get(proposal_id)
    if proposal is None and state.resolution_of(proposal_id) is None:
        raise ProposalNotFound(state.conversation_id, proposal_id)
    draft = Draft(state, now)
    if proposal is None:
        end_deadlines(draft, proposal_id)
    else:
        resolve_by_host(draft, proposal, outcome)
    return draft.decided()


def apply_outcome(draft: Draft, resolved: ConsensusResolved) -> None:
    """Do what follows from an outcome (de-mls 4.4).

    Unlike in the reference, the phase changes last, since a command answers what its last event says.
    """
    proposal, outcome = resolved.proposal, resolved.result
    end_deadlines(draft, proposal.proposal_id)
    is_yes, kind = outcome is Outcome.YES, proposal.request.kind
    cause = _approve(draft, proposal) if is_yes else None
    if kind is ProposalKind.STEWARD_ELECTION and not is_yes:
        before, maximum = draft.situation.retries, draft.situation.config.max_reelection_attempts
        draft.record(ElectionRetriesChanged, previous=before, retries=before + 1, maximum=maximum)
    if kind is not ProposalKind.EMERGENCY:
        return
    score_emergency(draft, proposal, outcome)
    if cause is not None:
        draft.change_phase(cause)
    if is_yes or not draft.situation.config.only_approved_emergencies_end_reelection:
        draft.change_phase(Cause.EMERGENCY_RESOLVED)


def end_deadlines(draft: Draft, proposal_id: int) -> None:
    """Cancel a proposal's deadlines, as its outcome is known; also if the outcome comes again (de-mls 2.4, 2.5)."""
    end_auto_vote(draft, proposal_id, CancelReason.RESOLVED)
    end_timeout(draft, proposal_id, CancelReason.RESOLVED)


def end_auto_vote(draft: Draft, proposal_id: int, reason: CancelReason) -> None:
    """Drop a vote that would be cast by itself, if there is one."""
    if proposal_id in draft.state.auto_votes:
        draft.record(AutoVoteCancelled, proposal_id=proposal_id, reason=reason)


def end_timeout(draft: Draft, proposal_id: int, reason: CancelReason) -> None:
    """Wait for votes no longer, if they are waited for."""
    if proposal_id in draft.state.timeouts:
        draft.record(ConsensusTimeoutCancelled, proposal_id=proposal_id, reason=reason)


def _approve(draft: Draft, proposal: Proposal) -> Cause | None:
    """Queue what was approved; return what that does to the phase, if anything."""
    request = proposal.request
    if request.kind is ProposalKind.STEWARD_ELECTION:
        # The list has to be found valid first, which is for the host.
        return None
    if request.kind is not ProposalKind.EMERGENCY:
        _queue(draft, proposal.proposal_id, request)
        return None
    if request.violation is Violation.DEADLOCK:
        before = draft.situation.mode
        if before is not OperatingMode.RECOVERY:
            draft.record(OperatingModeChanged, previous=before, mode=OperatingMode.RECOVERY, cause=Cause.DEADLOCK)
        return Cause.DEADLOCK
    if request.violation is Violation.SCORE_BELOW_THRESHOLD and request.target is not None:
        removal = ProposalRequest.remove_member(request.target, request.details)
        if _queue(draft, proposal.proposal_id, removal, is_urgent=True):
            return Cause.URGENT_REMOVAL
    return None


def _queue(draft: Draft, proposal_id: int, request: ProposalRequest, *, is_urgent: bool = False) -> bool:
    """Queue a request; say whether it was, and not the same removal before it."""
    if request.kind is ProposalKind.REMOVE_MEMBER and request.target is not None:
        before = draft.state.approved_removal_of(request.target)
        if before is not None:
            draft.record(RemovalDeduplicated, proposal_id=proposal_id, target=request.target, approved_by=before)
            return False
    draft.record(ProposalApproved, approved=ApprovedRequest(proposal_id, request), is_urgent=is_urgent)
    return True
