"""What the public is told of what happens in a conversation (de-mls 3)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from ..event import Event
from . import events, voting_events as voting
from .values import CreatorVote


class NotificationKind(StrEnum):
    """What is told (de-mls 3.1, 3.2)."""

    CREATED = "created"
    REMOVED = "removed"
    PHASE_CHANGE = "phase_change"
    JOINED = "joined"
    LEAVING = "leaving"
    VOTE_REQUESTED = "vote_requested"
    OWN_PROPOSAL_SUBMITTED = "own_proposal_submitted"
    CONSENSUS_REACHED = "consensus_reached"
    FREEZE_PROGRESS = "freeze_progress"
    COMMIT_APPLIED = "commit_applied"
    ERROR = "error"
    HOST = "host"


class Notification(NamedTuple):
    """One thing that one consumer is told.

    Attributes:
        kind: what it is.
        conversation_id: the conversation that it is about.
        at: when it happened, in ms.
        event: what happened, whole.
        position: the position of that event.
        part: which of the things it is that the event tells, from 0.
        consumer: who is told.
        only: whether the consumer had asked for this conversation alone.
    """

    kind: NotificationKind
    conversation_id: str
    at: int
    event: Event[Any]
    position: int
    part: int
    consumer: str
    only: bool


def kinds_told(event: Event[Any]) -> tuple[NotificationKind, ...]:
    """What an event tells, in order; most often nothing, or one thing."""
    tell = _TOLD.get(type(event))
    return () if tell is None else tell(event)


def _always(*kinds: NotificationKind) -> Callable[[Any], tuple[NotificationKind, ...]]:
    return lambda _: kinds


def _opened(event: voting.ProposalOpened) -> tuple[NotificationKind, ...]:
    if event.creator_vote is CreatorVote.YES:
        return (NotificationKind.OWN_PROPOSAL_SUBMITTED,)
    return (NotificationKind.VOTE_REQUESTED,)


def _received(event: voting.ProposalReceived) -> tuple[NotificationKind, ...]:
    return (NotificationKind.VOTE_REQUESTED,) if event.proposal.voters > 1 else ()


def _committed(event: events.CommitApplied) -> tuple[NotificationKind, ...]:
    return (NotificationKind.COMMIT_APPLIED,) if event.batch else ()


_TOLD: Final[dict[type[Event[Any]], Callable[[Any], tuple[NotificationKind, ...]]]] = {
    events.ConversationOpened: _always(NotificationKind.CREATED, NotificationKind.PHASE_CHANGE),
    events.ConversationRemoved: _always(NotificationKind.REMOVED),
    events.ConversationWithdrawn: _always(NotificationKind.REMOVED),
    events.PhaseChanged: _always(NotificationKind.PHASE_CHANGE),
    events.MemberJoined: _always(NotificationKind.JOINED),
    events.MemberLeaving: _always(NotificationKind.LEAVING),
    events.CandidateBuffered: _always(NotificationKind.FREEZE_PROGRESS),
    events.CommitApplied: _committed,
    events.OperationFailed: _always(NotificationKind.ERROR),
    events.HostTold: _always(NotificationKind.HOST),
    voting.ProposalOpened: _opened,
    voting.ProposalReceived: _received,
    voting.ConsensusResolved: _always(NotificationKind.CONSENSUS_REACHED),
}

TELLING_TYPES: Final = tuple(event_class.type for event_class in _TOLD)
"""The types of the events that tell anything."""
