"""Time goes by: what is due is done, in a fixed order, and otherwise nothing happens (de-mls 2.6, 5.1, 5.5; law 10)."""

from __future__ import annotations

from typing import Any

from ..decision import decision
from ..errors import ConversationNotFound
from ..event import Accepted, Decision, Event
from .deadlines import Deadline, DeadlineKind, earliest_wakeup, phase_deadline
from .draft import Draft
from .events import PendingJoinExpired, PhaseTimerAnchored
from .freezing import finish_without_commit, open_round
from .lifecycle import begin_leaving
from .outcomes import apply_outcome, count_votes
from .phases import Cause
from .state import ConversationState
from .values import LeaveReason, Life, Phase, VoteSource
from .voting import refusal_of_auto_vote
from .voting_events import AutoVoteFailed, AutoVoteFired, ConsensusResolved, ConsensusTimeoutFired, VoteCast


@decision("conversation.tick")
def tick(state: ConversationState, now: int) -> Decision[tuple[Event[Any], ...]]:
    """Do what is due.

    The order is that of de-mls 5.1, 7: votes, then timeouts, each by time and number, all picked before the first is
    fired; then what the outcomes lead to; then the freeze; then inactivity, unless there was a freeze to look at (as
    the reference gateway does); then the expiry of a join. After a pause, what is overdue is done once.

    Args:
        state: the conversation.
        now: the time, in ms; not before its last event, whatever it says.

    Returns:
        What happened.

    Raises:
        ConversationNotFound
    """
    if state.situation.life is Life.UNOPENED:
        raise ConversationNotFound(state.conversation_id)
    at = max(now, state.situation.at)
    due = sorted((each for each in state.deadlines() if each.due_at <= at), key=lambda each: each.order)
    if not due:
        return Accepted(())
    draft = Draft(state, now)
    _fire(draft, due)
    if draft.situation.phase is Phase.FREEZING:
        _advance_freeze(draft)
    else:
        _notice_inactivity(draft)
        _expire_join(draft)
    return Accepted(tuple(draft.events), tuple(draft.events))


def next_wakeup(state: ConversationState, now: int) -> int | None:
    """How long until something is due, in ms: 0 if something is now, None if nothing ever will be.

    Raises:
        ConversationNotFound
    """
    if state.situation.life is Life.UNOPENED:
        raise ConversationNotFound(state.conversation_id)
    deadlines = list(state.deadlines())
    # What was due when the last event was recorded is due, also for a clock that went back.
    if any(each.due_at <= state.situation.at for each in deadlines):
        return 0
    return earliest_wakeup(deadlines, now)


def _fire(draft: Draft, due: list[Deadline]) -> None:
    resolved: list[ConsensusResolved | None] = []
    for each in due:
        if each.kind is DeadlineKind.AUTO_VOTE and each.proposal_id is not None:
            choice = draft.state.auto_votes[each.proposal_id].vote
            draft.record(AutoVoteFired, proposal_id=each.proposal_id, vote=choice, fire_at=each.due_at)
            resolved.append(_cast_due_vote(draft, each.proposal_id, choice))
    for each in due:
        if each.kind is DeadlineKind.CONSENSUS_TIMEOUT and each.proposal_id is not None:
            is_active = each.proposal_id in draft.state.proposals
            draft.record(
                ConsensusTimeoutFired, proposal_id=each.proposal_id, fire_at=each.due_at, session_active=is_active
            )
            if is_active:
                resolved.append(count_votes(draft, each.proposal_id, at_timeout=True))
    for outcome in resolved:
        if outcome is not None:
            apply_outcome(draft, outcome)


def _cast_due_vote(draft: Draft, proposal_id: int, choice: bool) -> ConsensusResolved | None:
    refusal = refusal_of_auto_vote(draft.state, proposal_id, draft.at)
    if refusal is not None:
        draft.record(AutoVoteFailed, proposal_id=proposal_id, error=refusal.code)
        return None
    draft.record(VoteCast, proposal_id=proposal_id, voter=draft.state.self_id, vote=choice, source=VoteSource.AUTO)
    return count_votes(draft, proposal_id)


def _advance_freeze(draft: Draft) -> None:
    deadline = _due(draft)
    if deadline is None:
        return
    is_full = deadline.kind is DeadlineKind.SELECTION
    draft.change_phase(Cause.ALL_CANDIDATES if is_full else Cause.FREEZE_WINDOW, deadline.window_ms)
    # Which candidate can be merged is for the host to find out; that there is none, is clear.
    if not draft.state.candidates:
        finish_without_commit(draft)


def _notice_inactivity(draft: Draft) -> None:
    deadline = _due(draft)
    if deadline is None or deadline.window_ms is None:
        return
    if deadline.kind is DeadlineKind.ANCHORING:
        draft.record(
            PhaseTimerAnchored,
            phase=Phase.WORKING,
            approved=draft.situation.approved,
            window_ms=deadline.window_ms,
        )
    elif deadline.kind is DeadlineKind.INACTIVITY:
        open_round(draft)
        draft.change_phase(Cause.INACTIVITY, deadline.window_ms)


def _expire_join(draft: Draft) -> None:
    deadline = _due(draft)
    if deadline is None or deadline.kind is not DeadlineKind.JOIN_EXPIRY or deadline.window_ms is None:
        return
    anchored_at = deadline.due_at - deadline.window_ms
    draft.record(PendingJoinExpired, anchored_at=anchored_at, window_ms=deadline.window_ms)
    begin_leaving(draft, LeaveReason.EXPIRED)


def _due(draft: Draft) -> Deadline | None:
    """What is due of the phase."""
    deadline = phase_deadline(draft.situation)
    return deadline if deadline is not None and deadline.due_at <= draft.at else None
