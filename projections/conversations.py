"""Conversations: where each stands, what is due in it, what became of its proposals, how long its phases took.

The facts that deadlines follow from are folded by the domain's own ``Situation``, and what is due is told by the
domain's own functions, so that tables and decisions cannot disagree (de-mls 5.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, StrEnum
from operator import attrgetter
from typing import Any, Final

from pydantic import TypeAdapter

from ..domain import ConversationConfig, Event, Proposal, RecordedEvent, conversation
from ..domain.conversation import DeadlineKind, Life, Phase, Situation, phase_deadline
from .projection import CurrentRow, Projection
from .temporal import Change, Row, Set, TemporalTable, Unset, Value

CONVERSATIONS = TemporalTable(
    name="conversations",
    version=2,
    key={"conversation_id": str},
    columns={
        "at": int,
        "life": str,
        "incarnation": int,
        "role": str,
        "reason": str,
        "phase": str,
        "entered_at": int,
        "visits": int,
        "anchor": int,
        "prompted_at": int,
        "mode": str,
        "epoch": int,
        "retries": int,
        "proposals": int,
        "own_elections": int,
        "emergencies": int,
        "approved": int,
        "approved_at_selection": int,
        "candidates": int,
        "stewards": int,
    },
    ordered=("at",),
    nullable=frozenset({"reason", "phase", "anchor", "prompted_at"}),
)
CONFIGS = TemporalTable(name="conversation_configs", version=1, key={"conversation_id": str}, columns={"config": str})
DEADLINES = TemporalTable(
    name="deadlines",
    version=2,
    # A phase's own deadline is about no proposal, and has none of a number there can be.
    key={"conversation_id": str, "kind": str, "proposal_id": int},
    columns={"due_at": int, "window_ms": int, "vote": int},
    ordered=("due_at",),
    nullable=frozenset({"window_ms", "vote"}),
)
PROPOSALS = TemporalTable(
    name="proposals",
    version=1,
    key={"conversation_id": str, "proposal_id": int},
    columns={
        "kind": str,
        "target": str,
        "violation": str,
        "details": str,
        "creator": str,
        "is_own": int,
        "voters": int,
        "opened_at": int,
        "expires_at_s": int,
        "status": str,
        "resolved_at": int,
        "incarnation": int,
    },
    nullable=frozenset({"target", "violation", "resolved_at"}),
)
PHASE_VISITS = TemporalTable(
    name="phase_visits",
    version=1,
    key={"conversation_id": str, "visit": int},
    columns={"phase": str, "entered_at": int, "left_at": int},
    nullable=frozenset({"left_at"}),
)
LATE_FIRINGS = TemporalTable(
    name="late_firings",
    version=1,
    key={"conversation_id": str, "position": int},
    columns={"kind": str, "proposal_id": int, "due_at": int, "fired_at": int},
    nullable=frozenset({"proposal_id"}),
)


class ProposalStatus(StrEnum):
    """Where a proposal stands: voted on, or the outcome of the vote; abandoned if this member left before."""

    OPEN = "open"
    YES = "yes"
    NO = "no"
    FAILED = "failed"
    ABANDONED = "abandoned"


NO_PROPOSAL: Final = -1
"""What stands in the place of a proposal's number where a deadline is about none."""

_CONFIG = TypeAdapter(ConversationConfig)
_FACTS: Final[Callable[[Situation], tuple[Any, ...]]] = attrgetter(*CONVERSATIONS.columns)
"""A conversation's facts in the order of the columns, which have their names."""

_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "life": Life,
    "role": conversation.Role,
    "reason": conversation.LeaveReason,
    "phase": Phase,
    "mode": conversation.OperatingMode,
}
"""What reads the columns that hold no plain value."""


def to_situation(row: Row, config: str) -> Situation:
    """Read where a conversation stands from its rows.

    Raises:
        KeyError, ValueError, TypeError: somebody changed one.
    """
    CONVERSATIONS.require_types(row)
    facts: dict[str, Any] = dict(zip(CONVERSATIONS.columns, row[1:], strict=False))
    for name, read in _READ.items():
        if facts[name] is not None:
            facts[name] = read(facts[name])
    return Situation(config=_CONFIG.validate_json(config), **facts)


def _to_columns(now: Situation) -> tuple[Value, ...]:
    return tuple(fact.value if isinstance(fact, Enum) else fact for fact in _FACTS(now))


class ConversationsProjection(Projection):
    """Follows every conversation."""

    name = "conversations"
    tables = (CONVERSATIONS, CONFIGS, DEADLINES, PROPOSALS, PHASE_VISITS, LATE_FIRINGS)

    def __init__(self) -> None:
        self._situations: dict[str, Situation] = {}
        self._current: CurrentRow = lambda table, key: None

    def resume(self, current: CurrentRow) -> None:
        """Read a conversation's rows when its first event of the batch comes."""
        self._situations.clear()
        self._current = current

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Say what a record sets and unsets."""
        event: Any = record.event
        if not isinstance(event, conversation.ConversationEvent):
            return ()
        before = self._situations.get(event.conversation_id) or self._read(event.conversation_id)
        after = self._situations[event.conversation_id] = before.after(event)
        return self._changes(record, event, before, after)

    def _read(self, conversation_id: str) -> Situation:
        key = (conversation_id,)
        row, config = self._current(CONVERSATIONS, key), self._current(CONFIGS, key)
        return Situation() if row is None or config is None else to_situation(row, config[1])

    def _changes(self, record: RecordedEvent, event: Any, before: Situation, after: Situation) -> Iterator[Change]:
        key = (event.conversation_id,)
        if after != before:
            yield Set(CONVERSATIONS, key, _to_columns(after))
        if after.config != before.config or before.life is Life.UNOPENED:
            yield Set(CONFIGS, key, (_CONFIG.dump_json(after.config).decode(),))
        yield from _visits(event, before, after)
        yield from _phase_deadline(event.conversation_id, before, after)
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            yield from handler(event, after.incarnation)
        yield from _late(record, event)


def _visits(event: Any, before: Situation, after: Situation) -> Iterator[Change]:
    left = before.phase is not None and (after.phase is None or after.visits != before.visits)
    if left:
        key = (event.conversation_id, before.visits)
        yield Set(PHASE_VISITS, key, (before.phase, before.entered_at, event.at))
    if after.phase is not None and after.visits != before.visits:
        yield Set(PHASE_VISITS, (event.conversation_id, after.visits), (after.phase, after.entered_at, None))


def _phase_deadline(conversation_id: str, before: Situation, after: Situation) -> Iterator[Change]:
    was, is_now = phase_deadline(before), phase_deadline(after)
    if was == is_now:
        return
    if was is not None and (is_now is None or is_now.kind is not was.kind):
        yield Unset(DEADLINES, (conversation_id, was.kind.value, NO_PROPOSAL))
    if is_now is not None:
        yield _due(conversation_id, is_now.kind, NO_PROPOSAL, is_now.due_at, is_now.window_ms)


def _due(
    conversation_id: str,
    kind: DeadlineKind,
    proposal_id: int,
    due_at: int,
    window_ms: int | None = None,
    vote: bool | None = None,
) -> Change:
    key = (conversation_id, kind.value, proposal_id)
    return Set(DEADLINES, key, (due_at, window_ms, None if vote is None else int(vote)))


def _not_due(event: Any, kind: DeadlineKind) -> tuple[Change]:
    return (Unset(DEADLINES, (event.conversation_id, kind.value, event.proposal_id)),)


def _proposal(
    event: Any,
    incarnation: int,
    proposal: Proposal,
    status: ProposalStatus = ProposalStatus.OPEN,
    resolved_at: int | None = None,
) -> Change:
    request = proposal.request
    value = (
        request.kind.value,
        request.target,
        request.violation,
        request.details,
        proposal.creator,
        int(proposal.is_own),
        proposal.voters,
        proposal.opened_at,
        proposal.expires_at_s,
        status.value,
        resolved_at,
        incarnation,
    )
    return Set(PROPOSALS, (event.conversation_id, proposal.proposal_id), value)


def _late(record: RecordedEvent, event: Any) -> Iterator[Change]:
    """A deadline that was fired after it was due."""
    found = _fired(event)
    if found is None:
        return
    kind, proposal_id, due_at = found
    if event.at > due_at:
        value = (kind.value, proposal_id, due_at, event.at)
        yield Set(LATE_FIRINGS, (event.conversation_id, record.position), value)


def _fired(event: Any) -> tuple[DeadlineKind, int | None, int] | None:
    match event:
        case conversation.AutoVoteFired():
            return DeadlineKind.AUTO_VOTE, event.proposal_id, event.fire_at
        case conversation.ConsensusTimeoutFired():
            return DeadlineKind.CONSENSUS_TIMEOUT, event.proposal_id, event.fire_at
        case conversation.PendingJoinExpired():
            return DeadlineKind.JOIN_EXPIRY, None, event.anchored_at + event.window_ms
        case conversation.PhaseChanged() if event.window_ms is not None and event.previous_anchor is not None:
            is_freeze = event.cause is conversation.Cause.FREEZE_WINDOW
            kind = DeadlineKind.FREEZE if is_freeze else DeadlineKind.INACTIVITY
            return kind, None, event.previous_anchor + event.window_ms
    return None


_HANDLERS: Final[dict[type[Event[Any]], Callable[[Any, int], Iterable[Change]]]] = {
    conversation.AutoVoteScheduled: lambda event, _: (
        _due(event.conversation_id, DeadlineKind.AUTO_VOTE, event.proposal_id, event.fire_at, vote=event.vote),
    ),
    conversation.AutoVoteCancelled: lambda event, _: _not_due(event, DeadlineKind.AUTO_VOTE),
    conversation.AutoVoteFired: lambda event, _: _not_due(event, DeadlineKind.AUTO_VOTE),
    conversation.ConsensusTimeoutScheduled: lambda event, _: (
        _due(event.conversation_id, DeadlineKind.CONSENSUS_TIMEOUT, event.proposal_id, event.fire_at),
    ),
    conversation.ConsensusTimeoutCancelled: lambda event, _: _not_due(event, DeadlineKind.CONSENSUS_TIMEOUT),
    conversation.ConsensusTimeoutFired: lambda event, _: _not_due(event, DeadlineKind.CONSENSUS_TIMEOUT),
    conversation.ProposalOpened: lambda event, incarnation: (_proposal(event, incarnation, event.proposal),),
    conversation.ProposalReceived: lambda event, incarnation: (_proposal(event, incarnation, event.proposal),),
    conversation.ConsensusResolved: lambda event, incarnation: (
        _proposal(event, incarnation, event.proposal, ProposalStatus(event.result.value), event.at),
    ),
    conversation.MemberLeaving: lambda event, incarnation: tuple(
        _proposal(event, incarnation, each, ProposalStatus.ABANDONED, event.at) for each in event.abandoned
    ),
    conversation.ProposalWithdrawn: lambda event, _: (
        Unset(PROPOSALS, (event.conversation_id, event.proposal.proposal_id)),
    ),
}
