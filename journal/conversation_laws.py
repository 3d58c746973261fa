"""Law 10 over the whole past: time never runs back in a conversation, and nothing was done before it was due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..domain import RecordedEvent
from ..domain.conversation import (
    AutoVoteCancelled,
    AutoVoteFired,
    AutoVoteScheduled,
    Cause,
    ConsensusResolved,
    ConsensusTimeoutCancelled,
    ConsensusTimeoutFired,
    ConsensusTimeoutScheduled,
    PendingJoinExpired,
    PhaseChanged,
    ProposalOpened,
    ProposalReceived,
    ProposalWithdrawn,
    Situation,
    transition,
)

_SCHEDULED = {AutoVoteScheduled: "vote", ConsensusTimeoutScheduled: "timeout"}
_GONE = {AutoVoteCancelled: "vote", ConsensusTimeoutCancelled: "timeout"}
_FIRED = {AutoVoteFired: "vote", ConsensusTimeoutFired: "timeout"}


class ConversationLaws:
    """What has to be remembered of one conversation to tell whether its next event breaks a law."""

    def __init__(self) -> None:
        self._situation = Situation()
        self._due: dict[tuple[str, int], int] = {}
        self._open: set[int] = set()

    def broken_by(self, record: RecordedEvent) -> Iterator[str]:
        """Say which laws an event breaks; every event of the conversation is shown once, in order."""
        event: Any = record.event
        before = self._situation
        if event.at < before.at:
            yield f"law 10: {event.at} ms comes after {before.at} ms"
        if isinstance(event, PhaseChanged):
            yield from self._phase(event)
        elif isinstance(event, PendingJoinExpired):
            yield from _not_before(event.at, event.anchored_at + event.window_ms, "the join expires")
        else:
            yield from self._deadline(event)
            yield from self._proposal(event)
        self._situation = before.after(event)

    def _phase(self, event: PhaseChanged) -> Iterator[str]:
        before = self._situation
        if (event.previous, event.previous_anchor) != (before.phase, before.anchor):
            yield f"law 10: the phase is {before.phase} since {before.anchor}, and the event says otherwise"
        row = transition(event.previous, event.cause)
        if event.cause is not Cause.REVERTED and (row is None or row.phase is not event.phase):
            yield f"law 10: {event.cause} does not lead from {event.previous} to {event.phase}"
        if event.window_ms is not None and event.previous_anchor is not None:
            yield from _not_before(
                event.at, event.previous_anchor + event.window_ms, f"{event.cause} changes the phase"
            )

    def _deadline(self, event: Any) -> Iterator[str]:
        kind = type(event)
        if name := _SCHEDULED.get(kind):
            self._due[name, event.proposal_id] = event.fire_at
        elif name := _GONE.get(kind) or _FIRED.get(kind):
            due = self._due.pop((name, event.proposal_id), None)
            if due is None:
                yield f"law 10: a {name} of proposal {event.proposal_id} is fired or dropped, and none is due"
            elif kind in _FIRED:
                if due != event.fire_at:
                    yield f"law 10: the {name} of proposal {event.proposal_id} is due at {due} ms, not {event.fire_at}"
                yield from _not_before(event.at, due, f"the {name} of proposal {event.proposal_id} is fired")

    def _proposal(self, event: Any) -> Iterator[str]:
        if isinstance(event, ProposalOpened | ProposalReceived):
            self._open.add(event.proposal.proposal_id)
        elif isinstance(event, ConsensusResolved | ProposalWithdrawn):
            if event.proposal.proposal_id not in self._open:
                yield f"law 10: proposal {event.proposal.proposal_id} is not voted on, and comes to an end"
            self._open.discard(event.proposal.proposal_id)


def _not_before(at: int, due: int, what: str) -> Iterator[str]:
    if at < due:
        yield f"law 10: {what} at {at} ms, and that is due at {due} ms"
