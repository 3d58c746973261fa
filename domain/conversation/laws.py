"""Law 10 over the whole past: time never runs back in a conversation, and nothing was done before it was due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from .. import RecordedEvent
from . import (
    AnchorAction,
    AutoVoteCancelled,
    AutoVoteFired,
    Cause,
    ConsensusResolved,
    ConsensusTimeoutCancelled,
    ConsensusTimeoutFired,
    ConversationState,
    DeadlineKind,
    PendingJoinExpired,
    PhaseChanged,
    ProposalWithdrawn,
    move,
    phase_deadline,
    transition,
)

_BY_TIME: Final = {
    Cause.INACTIVITY: DeadlineKind.INACTIVITY,
    Cause.FREEZE_WINDOW: DeadlineKind.FREEZE,
    Cause.ALL_CANDIDATES: DeadlineKind.SELECTION,
}
"""The phase changes that time brings, and what is due then."""


class ConversationLaws:
    """What has to be remembered of one conversation to tell whether its next event breaks a law."""

    def __init__(self, conversation_id: str) -> None:
        self._state = ConversationState(conversation_id)

    def broken_by(self, record: RecordedEvent) -> Iterator[str]:
        """Say which laws an event breaks; every event of the conversation is shown once, in order."""
        event: Any = record.event
        before = self._state.situation.at
        if event.at < before:
            yield f"law 10: {event.at} ms comes after {before} ms"
        is_undoing = "reverted" in (getattr(event, "cause", None), getattr(event, "reason", None))
        if is_undoing and not record.metadata.compensates:
            yield f"law 8: {record.id} says that it undoes, and names nothing that it does"
        match event:
            case PhaseChanged():
                yield from self._phase(event)
            case PendingJoinExpired():
                yield from self._due(event, DeadlineKind.JOIN_EXPIRY, event.anchored_at)
            case AutoVoteFired() | AutoVoteCancelled():
                yield from _deadline(event, "vote", self._state.auto_votes)
            case ConsensusTimeoutFired() | ConsensusTimeoutCancelled():
                yield from _deadline(event, "timeout", self._state.timeouts)
            case ConsensusResolved() | ProposalWithdrawn():
                if event.proposal.proposal_id not in self._state.proposals:
                    yield f"law 10: proposal {event.proposal.proposal_id} is not voted on, and comes to an end"
        self._state.apply(event)

    def _phase(self, event: PhaseChanged) -> Iterator[str]:
        before, anchor = self._state.situation, event.previous_anchor
        if (event.previous, anchor) != (before.phase, before.anchor):
            yield f"law 10: the phase is {before.phase} since {before.anchor}, and the event says otherwise"
        is_by_hand = event.cause is Cause.BY_HAND
        row = move(event.previous, event.phase) if is_by_hand else transition(event.previous, event.cause)
        if row is None or (row.phase, row.anchor) != (event.phase, event.anchor_action):
            if event.cause is not Cause.REVERTED:
                yield f"law 10: {event.cause} does not lead from {event.previous} to {event.phase}"
        elif event.anchor != {AnchorAction.SET: event.at, AnchorAction.KEEP: anchor}.get(row.anchor):
            yield f"law 10: the anchor is not {event.anchor} after {event.cause}"
        if event.cause in _BY_TIME:
            yield from self._due(event, _BY_TIME[event.cause], anchor)

    def _due(self, event: PhaseChanged | PendingJoinExpired, kind: DeadlineKind, anchor: int | None) -> Iterator[str]:
        """What the passing of time did to the phase was due, by the very function that decides."""
        due = phase_deadline(self._state.situation)
        if due is None or due.kind is not kind:
            yield f"law 10: what is due is {due and due.kind}, and {kind} is done"
        elif due.window_ms != event.window_ms:
            yield f"law 10: the window is {due.window_ms} ms, not {event.window_ms}"
        elif self._state.situation.anchor != anchor:
            yield f"law 10: the window counts from {self._state.situation.anchor}, not {anchor}"
        else:
            yield from _not_before(event.at, due.due_at, f"{kind} is done")


def _deadline(event: Any, name: str, pending: dict[int, Any]) -> Iterator[str]:
    """What is fired or dropped is due, and is not fired before that."""
    what = f"the {name} of proposal {event.proposal_id}"
    if event.proposal_id not in pending:
        yield f"law 10: {what} is fired or dropped, and none is due"
    elif isinstance(event, AutoVoteFired | ConsensusTimeoutFired):
        due = pending[event.proposal_id].fire_at
        if due != event.fire_at:
            yield f"law 10: {what} is due at {due} ms, not {event.fire_at}"
        yield from _not_before(event.at, due, f"{what} is fired")


def _not_before(at: int, due: int, what: str) -> Iterator[str]:
    if at < due:
        yield f"law 10: {what} at {at} ms, and that is due at {due} ms"
