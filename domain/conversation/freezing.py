"""Freeze rounds: candidates come in, one is merged or none is (de-mls 1.3, T7, T11 to T15; 4.6)."""

from __future__ import annotations

from ..bounds import MAX_CANDIDATES, MAX_STRANGERS
from ..decision import decision
from ..event import Accepted, Decision
from ..identifiers import names
from ..limits import require_fewer
from .draft import Draft
from .events import CandidateBuffered, CommitApplied, FreezeRoundFinalized, FreezeRoundOpened
from .guards import named
from .lifecycle import begin_leaving, reason_of_removal
from .phases import Cause
from .scoring import score_absence, score_offers, score_rejections
from .state import ConversationState
from .values import ApprovedRequest, Candidate, FreezeOutcome, Phase, ProposalKind, RejectedCandidate


def open_round(draft: Draft) -> None:
    """Collect candidates for this epoch; a round of the same epoch goes on."""
    epoch = draft.situation.epoch
    if draft.state.freeze_round != epoch:
        draft.record(FreezeRoundOpened, epoch=epoch)


@decision("conversation.buffer_candidate")
def buffer_candidate(state: ConversationState, candidate: Candidate, now: int) -> Decision[Phase | None]:
    """Receive a commit that a member offers, be it this one or another. It freezes a conversation that works.

    The commit is ignored if it was received or merged before, if no round is open and nothing is approved, and before
    this member is let in.

    Raises:
        ConversationNotFound, ConversationEnded
        LimitReached: too many were offered, or by those who are not known to be stewards.
    """
    situation = state.opened()
    is_expected = state.freeze_round == situation.epoch or bool(situation.approved)
    is_known = candidate.commit_hash in state.committed or (
        state.freeze_round == situation.epoch and candidate.commit_hash in state.candidates
    )
    if situation.phase is Phase.PENDING_JOIN or is_known or not is_expected:
        return Accepted(None)
    draft = Draft(state, now)
    open_round(draft)
    _require_room(draft.state, candidate)
    draft.record(
        CandidateBuffered,
        epoch=situation.epoch,
        candidate=candidate,
        received=draft.situation.candidates + 1,
        expected=situation.stewards,
    )
    draft.change_phase(Cause.CANDIDATE)
    return draft.decided()


def _require_room(state: ConversationState, candidate: Candidate) -> None:
    """Those who are not known to be stewards cannot fill a round, nor keep those who are from it."""
    require_fewer(named(state), "candidates in this round", len(state.candidates), MAX_CANDIDATES)
    stewards = () if state.steward_list is None else state.steward_list.stewards
    if candidate.steward not in stewards:
        strangers = sum(each.steward not in stewards for each in state.candidates.values())
        require_fewer(named(state), "candidates of strangers in this round", strangers, MAX_STRANGERS)


@decision("conversation.commit_applied")
def commit_applied(
    state: ConversationState,
    commit_hash: str,
    committer: str,
    members: frozenset[str] | None,
    rejected: tuple[RejectedCandidate, ...],
    now: int,
) -> Decision[Phase | None]:
    """Record that the host merged a commit (de-mls 1.3, T12, T18).

    A commit after which this member is not in the group removed it, so that it leaves (de-mls 1.3, T13).

    Raises:
        ConversationNotFound, ConversationEnded
        InvalidArgument: the group would have more members than are allowed.
    """
    if not _can_merge(state, commit_hash):
        return Accepted(None)
    draft = Draft(state, now)
    if _takes_out(state, members) and not state.is_older:
        _be_removed(draft, commit_hash, committer, members, rejected)
        return draft.decided()
    _merge(draft, commit_hash, committer, members, rejected, FreezeOutcome.APPLIED)
    draft.change_phase(Cause.COMMIT_APPLIED)
    return draft.decided()


@decision("conversation.removed_by_commit")
def removed_by_commit(
    state: ConversationState,
    commit_hash: str,
    committer: str,
    rejected: tuple[RejectedCandidate, ...],
    now: int,
) -> Decision[None]:
    """Record that the host merged a commit that removed this member (de-mls 1.3, T13).

    Raises:
        ConversationNotFound, ConversationEnded
    """
    if not _can_merge(state, commit_hash):
        return Accepted(None)
    draft = Draft(state, now)
    _be_removed(draft, commit_hash, committer, None, rejected)
    return draft.decided()


@decision("conversation.no_commit_found")
def no_commit_found(
    state: ConversationState, rejected: tuple[RejectedCandidate, ...], now: int
) -> Decision[Phase | None]:
    """Record that the host could merge no candidate; ignored outside of selection (de-mls 1.3, T14, T15).

    Raises:
        ConversationNotFound, ConversationEnded
    """
    if state.opened().phase is not Phase.SELECTION:
        return Accepted(None)
    draft = Draft(state, now)
    finish_without_commit(draft, rejected)
    return draft.decided()


def finish_without_commit(draft: Draft, rejected: tuple[RejectedCandidate, ...] = ()) -> None:
    """End a selection that chose nothing; what was approved stays approved."""
    _finalize(draft, FreezeOutcome.NOTHING, None, rejected)
    score_rejections(draft, rejected)
    if draft.situation.approved_at_selection:
        score_absence(draft, draft.state.epoch_steward(), None)
        draft.change_phase(Cause.NO_COMMIT)
    else:
        draft.change_phase(Cause.NOTHING_APPROVED)


def _can_merge(state: ConversationState, commit_hash: str) -> bool:
    return state.opened().phase is not Phase.PENDING_JOIN and commit_hash not in state.committed


def _batch(state: ConversationState) -> tuple[ApprovedRequest, ...]:
    """What a commit puts into effect: all that is approved, or an urgent removal alone."""
    target = state.urgent_target
    return tuple(each for each in state.approved.values() if target is None or _removes(each, target))


def _takes_out(state: ConversationState, members: frozenset[str] | None) -> bool:
    """Whether a commit leaves this member out of the group: as the host lists its members, or by what takes effect."""
    if members is not None:
        return state.self_id not in members
    batch = _batch(state)
    return any(_removes(each, state.self_id) for each in batch) and state.self_id not in _after(state.members, batch)


def _be_removed(
    draft: Draft,
    commit_hash: str,
    committer: str,
    members: frozenset[str] | None,
    rejected: tuple[RejectedCandidate, ...],
) -> None:
    reason = reason_of_removal(draft.state)
    _merge(draft, commit_hash, committer, members, rejected, FreezeOutcome.REMOVED_US)
    begin_leaving(draft, reason)


def _merge(
    draft: Draft,
    commit_hash: str,
    committer: str,
    members: frozenset[str] | None,
    rejected: tuple[RejectedCandidate, ...],
    outcome: FreezeOutcome,
) -> None:
    state = draft.state
    steward, candidates, was_round = state.epoch_steward(), tuple(state.candidates.values()), state.freeze_round
    _finalize(draft, outcome, commit_hash, rejected)
    batch = _batch(state)
    gone = {state.self_id} if outcome is FreezeOutcome.REMOVED_US else set()
    draft.record(
        CommitApplied,
        epoch=draft.situation.epoch + 1,
        committer=committer,
        commit_hash=commit_hash,
        batch=batch,
        left=len(state.approved) - len(batch),
        members=names("members", _after(state.members, batch) - gone) if members is None else members,
        is_urgent=state.urgent_target is not None,
    )
    if was_round is not None:
        score_rejections(draft, rejected)
        score_absence(draft, steward, committer)
        score_offers(draft, candidates, committer, rejected)


def _finalize(
    draft: Draft, outcome: FreezeOutcome, winner: str | None, rejected: tuple[RejectedCandidate, ...]
) -> None:
    if draft.state.freeze_round is None:
        return
    draft.record(
        FreezeRoundFinalized,
        epoch=draft.state.freeze_round,
        result=outcome,
        candidates=len(draft.state.candidates),
        winner=winner,
        rejected=rejected,
    )


def _removes(approved: ApprovedRequest, member: str) -> bool:
    return approved.request.kind is ProposalKind.REMOVE_MEMBER and approved.request.target == member


def _after(members: frozenset[str], batch: tuple[ApprovedRequest, ...]) -> frozenset[str]:
    """Who is in the group once a batch took effect."""
    present = set(members)
    for each in batch:
        target = each.request.target
        if target is None:
            continue
        if each.request.kind is ProposalKind.ADD_MEMBER:
            present.add(target)
        elif each.request.kind is ProposalKind.REMOVE_MEMBER:
            present.discard(target)
    return frozenset(present)
