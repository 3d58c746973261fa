"""What the end of a session takes with it: its place in footprints, and what is unread in its inbox."""

from __future__ import annotations

from ..event import Accepted, Decision, Event, OutcomeT, Placed
from ..inbox import EnvelopesLost, InboxState
from ..stream_names import inbox_stream
from .state import SessionState
from .terms import SessionCounts, SessionEnding


def end_of(
    state: SessionState, inbox: InboxState, now: int | None, *, closes: bool = False
) -> tuple[SessionEnding, tuple[Placed, ...]]:
    """How a session ends now, in numbers, and what becomes of its inbox.

    Args:
        state: the session.
        inbox: its inbox.
        now: the time in ms; None where nobody tells it.
        closes: whether it is closed, which raises its epoch.

    Returns:
        The numbers, and what is appended to the inbox.
    """
    is_own = inbox.incarnation == state.incarnation
    numbers = tuple(inbox.unread) if is_own else ()
    started, ended_at = state.terms.started_at, None if now is None else state.not_before(now)
    ending = SessionEnding(
        ended_at=ended_at,
        duration_ms=None if started is None or ended_at is None else ended_at - started,
        epoch=state.epoch + 1 if closes else state.epoch,
        lost_envelopes=len(numbers),
        acknowledged_envelopes=inbox.acknowledged if is_own else 0,
        ingresses=state.ingresses,
        rounds=state.rounds,
        edge_envelopes=sum(inbox.queued.values()) if is_own else 0,
        used_edges=len(inbox.queued) if is_own else 0,
        edges=len(state.plan.edges if state.plan is not None else {*inbox.queued, *state.edges.handlers}),
        cleared=tuple(sorted(state.footprint)),
    )
    lost = EnvelopesLost(state.session_id, state.incarnation, numbers)
    return ending, (Placed(inbox_stream(state.session_id), lost),) if numbers else ()


def counts_of(state: SessionState) -> SessionCounts:
    """What a finished session consisted of (telltale 1.4)."""
    ending = SessionEnding() if state.ending is None else state.ending
    return SessionCounts(
        roles=len(state.roles),
        local_types=0 if state.plan is None else len(state.plan.types),
        edges=ending.edges,
        edge_handlers=len(state.edges.handlers),
        edge_leaves=ending.edge_envelopes,
        edge_trees=ending.used_edges,
        edge_roots=ending.used_edges,
    )


def finish(event: Event[OutcomeT], lost: tuple[Placed, ...]) -> Decision[OutcomeT]:
    """Decide for the end of a session, with what it does to its inbox."""
    return Accepted(event.outcome, (event,), lost)
