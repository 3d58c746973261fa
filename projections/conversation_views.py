"""Conversations as mappings and lists: as they are now, or as they were at a position (de-mls 5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ..domain import Deadline, DeadlineKind, LeaveReason, Life, OperatingMode, Phase, Role
from ..domain.conversation import Situation, earliest_wakeup
from ..domain.identifiers import natural_number
from .conversations import (
    CONFIGS,
    CONVERSATIONS,
    DEADLINES,
    LATE_FIRINGS,
    NO_PROPOSAL,
    PHASE_VISITS,
    ConversationsProjection,
    to_situation,
)
from .temporal import FOREVER, Row, Value
from .views import MappingView, TableMapping, TableReader, readable

_LIFE: Final = 1 + list(CONVERSATIONS.columns).index("life")


class ConversationRow(NamedTuple):
    """What is known of one conversation.

    Attributes:
        life: where it stands in its life, for this member.
        role: how this member came to it.
        phase: its phase; None once it is removed.
        entered_at: since when it has been in it, in ms; None once it is removed.
        mode: whether it recovers from a deadlock.
        anchor: the time that the phase's window is counted from, in ms; None if there is none.
        deadlines: what is due, and when, earliest first.
        epoch: the group's epoch.
        proposals: how many proposals are voted on.
        own_elections: how many of those are elections that this member opened.
        emergencies: how many of them are emergencies.
        approved: how many approved requests wait for a commit.
        candidates: how many commits were offered in this freeze round.
        stewards: how many may commit.
        retries: how many elections were rejected since the last commit.
        incarnation: how often it was opened.
        reason: why this member leaves, or left; None otherwise.
        at: when its last event was, in ms.
        since: the position of the event from which on all this holds, but for what is due.
    """

    life: Life
    role: Role
    phase: Phase | None
    entered_at: int | None
    mode: OperatingMode
    anchor: int | None
    deadlines: tuple[Deadline, ...]
    epoch: int
    proposals: int
    own_elections: int
    emergencies: int
    approved: int
    candidates: int
    stewards: int
    retries: int
    incarnation: int
    reason: LeaveReason | None
    at: int
    since: int


class ConversationsView(MappingView[str, ConversationRow]):
    """The conversations as a mapping from conversation id to where each stands; not those whose opening was undone."""

    _table = CONVERSATIONS
    _projection = ConversationsProjection.name

    def __getitem__(self, conversation_id: str) -> ConversationRow:
        found = self._find({"conversation_id": conversation_id})
        if not found:
            raise KeyError(conversation_id)
        (row,) = found.values()
        return row

    def _ahead_of(self, now: int) -> dict[str, int]:
        """The open conversations whose last event was after a time in ms, and when: there a clock went back."""
        return _ahead_of(self._select(between=_after(now), order=("at",)))

    def _all(self) -> dict[str, ConversationRow]:
        return self._find({})

    def _find(self, where: dict[str, Value]) -> dict[str, ConversationRow]:
        # All tables as of one position, whatever is written meanwhile.
        position = self._catch_up()
        rows = self._select(where, position=position)
        configs = {row[0]: row for row in self._select(where, position=position, table=CONFIGS)}
        due: dict[str, list[Deadline]] = {}
        for row in self._select(where, position=position, table=DEADLINES):
            with readable(self._projection, DEADLINES, row):
                pending = to_pending(row)
            due.setdefault(pending.conversation_id, []).append(pending.deadline)
        found: dict[str, ConversationRow] = {}
        for row in rows:
            if row[_LIFE] == Life.UNOPENED:
                continue
            with readable(self._projection, CONVERSATIONS, row):
                situation = to_situation(row, configs[row[0]][1])
            found[row[0]] = _to_row(situation, sorted(due.get(row[0], ()), key=lambda each: each.order), row[-1])
        return found


def _after(now: int) -> tuple[str, int, int]:
    """The condition that a conversation's last event was after a time in ms."""
    return "at", min(max(now, -1), FOREVER - 1) + 1, FOREVER


def _ahead_of(rows: list[Row]) -> dict[str, int]:
    return {row[0]: row[1] for row in rows if row[_LIFE] == Life.OPEN}


def _to_row(now: Situation, deadlines: list[Deadline], since: int) -> ConversationRow:
    facts = {name: getattr(now, name) for name in _FACTS}
    entered_at = None if now.phase is None else now.entered_at
    return ConversationRow(**facts, entered_at=entered_at, deadlines=tuple(deadlines), since=since)


_FACTS: Final = [name for name in ConversationRow._fields if name not in ("entered_at", "deadlines", "since")]
"""What a row has of the facts that the tables hold, by their names."""


class PendingDeadline(NamedTuple):
    """A deadline of a conversation.

    Attributes:
        conversation_id: whose it is.
        deadline: what is due, and when.
        since: the position of the event from which on that is so.
    """

    conversation_id: str
    deadline: Deadline
    since: int


def to_pending(row: Row) -> PendingDeadline:
    """Read a row of the deadlines."""
    DEADLINES.require_types(row)
    conversation_id, kind, proposal_id, due_at, window_ms, vote, since = row
    about = None if proposal_id == NO_PROPOSAL else proposal_id
    deadline = Deadline(due_at, DeadlineKind(kind), about, window_ms, None if vote is None else bool(vote))
    return PendingDeadline(conversation_id, deadline, since)


class DeadlinesView(TableReader):
    """What is due in all conversations, earliest first; at one time in the order in which a tick does it.

    No conversation's time runs back: at a time before its last event, what was due then is due (de-mls 5.1, 3). So
    ``until`` and ``next_wakeup`` say what ``conversations.due``, ``next_wakeup`` and ``tick`` do of the same time.
    """

    _table = DEADLINES
    _projection = ConversationsProjection.name

    def __iter__(self) -> Iterator[PendingDeadline]:
        return iter(self._read())

    def __len__(self) -> int:
        return self._count()

    def until(self, now: int) -> list[PendingDeadline]:
        """What is due at a time in ms.

        Raises:
            InvalidArgument: it is no such number.
        """
        now = natural_number("now", now)
        found = self._read(between=("due_at", 0, now)) + self._due_ahead_of(now)
        return sorted(found, key=lambda each: each.deadline.order)

    def of_conversation(self, conversation_id: str) -> list[PendingDeadline]:
        """What is due in one conversation."""
        return self._read(where={"conversation_id": conversation_id})

    def next_wakeup(self, now: int) -> int | None:
        """How long until something is due anywhere, in ms: 0 if something is now, None if nothing ever will be.

        Raises:
            InvalidArgument: ``now`` is no time in ms.
        """
        now = natural_number("now", now)
        wakeup = earliest_wakeup((each.deadline for each in self._read(limit=1)), now)
        return 0 if wakeup and self._due_ahead_of(now) else wakeup

    def _due_ahead_of(self, now: int) -> list[PendingDeadline]:
        """What is due only after a time in ms, in conversations whose last event was later still, and due by then."""
        rows = self._select(between=_after(now), order=("at",), table=CONVERSATIONS)
        return [
            each
            for conversation_id, at in _ahead_of(rows).items()
            for each in self.of_conversation(conversation_id)
            if now < each.deadline.due_at <= at
        ]

    def _read(self, **conditions: Any) -> list[PendingDeadline]:
        found = []
        for row in self._select(order=("due_at",), **conditions):
            with readable(self._projection, self._table, row):
                found.append(to_pending(row))
        return sorted(found, key=lambda each: each.deadline.order)


class PhaseVisit(NamedTuple):
    """A time that a conversation spent in one phase.

    Attributes:
        phase: the phase.
        entered_at: from when on, in ms.
        left_at: until when; None while it is there.
    """

    phase: Phase
    entered_at: int
    left_at: int | None

    @property
    def lasted_ms(self) -> int | None:
        """How long it lasted, in ms; None while the conversation is there."""
        return None if self.left_at is None else self.lasted(self.left_at)

    def lasted(self, now: int) -> int:
        """How long it lasted, in ms, or has lasted at a time in ms."""
        return max(0, (now if self.left_at is None else self.left_at) - self.entered_at)


class PhaseVisitsView(TableMapping[tuple[str, int], PhaseVisit]):
    """Which phases each conversation went through: a mapping from (conversation id, number) to a visit."""

    _table = PHASE_VISITS
    _projection = ConversationsProjection.name

    def _to_item(self, row: Row) -> tuple[tuple[str, int], PhaseVisit]:
        """Read a row."""
        PHASE_VISITS.require_types(row)
        conversation_id, visit, phase, entered_at, left_at, _ = row
        return (conversation_id, visit), PhaseVisit(Phase(phase), entered_at, left_at)

    def of_conversation(self, conversation_id: str) -> list[PhaseVisit]:
        """One conversation's phases, in order."""
        return [self._read(row)[1] for row in self._select({"conversation_id": conversation_id})]

    def durations(self, conversation_id: str, now: int) -> dict[Phase, int]:
        """How long a conversation was in each phase by a time, in ms.

        Raises:
            InvalidArgument: ``now`` is no time in ms.
        """
        now = natural_number("now", now)
        totals: dict[Phase, int] = {}
        for visit in self.of_conversation(conversation_id):
            totals[visit.phase] = totals.get(visit.phase, 0) + visit.lasted(now)
        return totals


class LateFiring(NamedTuple):
    """A deadline that was fired after it was due.

    Attributes:
        kind: what was due.
        proposal_id: the proposal that it was about; None for the phase's own.
        due_at: when it was due, in ms.
        fired_at: when it was fired, in ms.
    """

    kind: DeadlineKind
    proposal_id: int | None
    due_at: int
    fired_at: int

    @property
    def lateness_ms(self) -> int:
        """How late it was, in ms."""
        return self.fired_at - self.due_at


class LateFiringsView(TableMapping[tuple[str, int], LateFiring]):
    """What was fired late: a mapping from (conversation id, position) to what it was, and how late."""

    _table = LATE_FIRINGS
    _projection = ConversationsProjection.name

    def _to_item(self, row: Row) -> tuple[tuple[str, int], LateFiring]:
        """Read a row."""
        LATE_FIRINGS.require_types(row)
        conversation_id, position, kind, *rest, _ = row
        return (conversation_id, position), LateFiring(DeadlineKind(kind), *rest)

    def of_conversation(self, conversation_id: str) -> list[LateFiring]:
        """What was fired late in one conversation, in order."""
        return [self._read(row)[1] for row in self._select({"conversation_id": conversation_id})]
