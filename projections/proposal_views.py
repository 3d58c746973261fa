"""The proposals of conversations, as they are now or as they were, and what happened to each."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..domain import Event, ProposalKind, ProposalRequest, Violation, conversation_stream
from ..domain.conversation import ConversationEvent, ProposalOpened, ProposalReceived, proposals_of
from ..domain.identifiers import natural_number
from .audit import Events
from .conversations import PROPOSALS, ConversationsProjection, ProposalStatus
from .projection import Projector
from .store import TemporalStore
from .temporal import Row
from .views import TableMapping


class ProposalRow(NamedTuple):
    """What is known of one proposal.

    Attributes:
        request: what is proposed.
        creator: who opened it.
        is_own: whether this member did.
        voters: how many are expected to vote.
        opened_at: when it was opened here, in ms.
        expires_at_s: from when on it cannot be voted on, UTC, in seconds since 1970.
        status: where it stands.
        resolved_at: when, in ms; None while it is open.
        incarnation: how often the conversation had been opened then; one that was removed may be opened again.
        since: the position of the event from which on all this holds.
    """

    request: ProposalRequest
    creator: str
    is_own: bool
    voters: int
    opened_at: int
    expires_at_s: int
    status: ProposalStatus
    resolved_at: int | None
    incarnation: int
    since: int


class ProposalEntry(NamedTuple):
    """One thing that happened to a proposal.

    Attributes:
        at: when, in ms.
        position: the position of the event.
        event: what happened, whole.
    """

    at: int
    position: int
    event: Event[Any]


class ProposalsView(TableMapping[tuple[str, int], ProposalRow]):
    """The proposals as a mapping from (conversation id, proposal id) to what is known of each; and their timelines.

    Args:
        events: where timelines are read: each line of one follows from one event alone, and is kept in no table.
        store: the tables.
        projector: what keeps them caught up.
        position: the position to read as of; None for now.
    """

    _table = PROPOSALS
    _projection = ConversationsProjection.name

    def __init__(self, events: Events, store: TemporalStore, projector: Projector, position: int | None = None) -> None:
        super().__init__(store, projector, position)
        self._events = events

    def _to_item(self, row: Row) -> tuple[tuple[str, int], ProposalRow]:
        """Read a row."""
        PROPOSALS.require_types(row)
        conversation_id, proposal_id, kind, target, violation, details, creator, is_own, *rest = row
        about = None if violation is None else Violation(violation)
        request = ProposalRequest(ProposalKind(kind), target, about, details)
        voters, opened_at, expires_at_s, status, resolved_at, incarnation, since = rest
        return (conversation_id, proposal_id), ProposalRow(
            request,
            creator,
            bool(is_own),
            voters,
            opened_at,
            expires_at_s,
            ProposalStatus(status),
            resolved_at,
            incarnation,
            since,
        )

    def of_conversation(self, conversation_id: str) -> dict[int, ProposalRow]:
        """One conversation's proposals, by number; those of earlier incarnations too, where no later one has theirs."""
        return {key[1]: row for key, row in map(self._read, self._select({"conversation_id": conversation_id}))}

    def timeline(self, conversation_id: str, proposal_id: int) -> list[ProposalEntry]:
        """What happened to a proposal, in order: opened, voted on, its deadlines, resolved, committed.

        It reads all events of the conversation. Where the number was used again, it is about the later one, as the row
        is.

        Raises:
            UnknownEventType, DamagedRecord: an event of the conversation cannot be decoded.
            InvalidArgument: a name or a number is none.
        """
        proposal_id = natural_number("proposal_id", proposal_id)
        entries: list[ProposalEntry] = []
        for record in self._events.read_stream(conversation_stream(conversation_id), through=self._position):
            event = record.event
            if not isinstance(event, ConversationEvent) or proposal_id not in proposals_of(event):
                continue
            # What undoing gives back is the same proposal.
            if isinstance(event, ProposalOpened | ProposalReceived) and record.metadata.compensates is None:
                entries.clear()
            entries.append(ProposalEntry(event.at, record.position, event))
        return entries
