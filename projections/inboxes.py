"""Inboxes: the envelopes that were not acknowledged yet (aura 2.8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..domain import Envelope, RecordedEvent, inbox
from ..domain.content import content_bytes
from ..domain.protocol import Edge
from ..domain.value import exact
from .remembering import RememberingProjection
from .temporal import Change, Row, TemporalTable, Value
from .views import TableMapping

INBOX = TemporalTable(
    name="inbox",
    version=2,
    key={"session_id": str, "number": int},
    columns={
        "source": str,
        "destination": str,
        "context": str,
        "device": str,
        "name": str,
        "size": int,
        "sender": str,
        "receiver": str,
        "label": str,
        "taken_by": int,
    },
    nullable=frozenset({"device", "name", "sender", "receiver", "label", "taken_by"}),
)


class InboxRow(NamedTuple):
    """An envelope that was not acknowledged yet; ``snapshot`` has its payload and metadata.

    Attributes:
        source: the authority that it comes from.
        destination: the authority that it is for.
        context: the context that it belongs to.
        device: the device that it is for; None if it is for any.
        name: its name; None if it has none.
        size: how many bytes its payload takes.
        sender: the role that sends it along an edge; None if it goes along none.
        receiver: the role that receives it; None if it goes along none.
        label: what the message is called there; None if it goes along none.
        taken_by: the generation that took it; None if it waits.
        since: the position of the event from which on all this holds.
    """

    source: str
    destination: str
    context: str
    device: str | None
    name: str | None
    size: int
    sender: str | None
    receiver: str | None
    label: str | None
    taken_by: int | None
    since: int


class InboxProjection(RememberingProjection):
    """Sets a row when an envelope comes in or is taken, and unsets it when the envelope is over."""

    name = "inbox"
    tables = (INBOX,)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Say what a record sets and unsets."""
        match record.event:
            case inbox.EnvelopePut(session_id=session_id, number=number, envelope=envelope):
                return (self._set(INBOX, (session_id, number), _columns(envelope, None)),)
            case inbox.EnvelopeTaken(capability=held, number=number, envelope=envelope):
                return (self._set(INBOX, (held.session_id, number), _columns(envelope, held.generation)),)
            case inbox.TakingWithdrawn(capability=held, number=number, envelope=envelope):
                return (self._set(INBOX, (held.session_id, number), _columns(envelope, None)),)
            case inbox.EnvelopesGivenBack(session_id=session_id, numbers=numbers):
                return [change for number in numbers for change in self._given_back((session_id, number))]
            case inbox.EnvelopeAcknowledged(capability=held, number=number):
                return (self._unset(INBOX, (held.session_id, number)),)
            case inbox.EnvelopeWithdrawn(session_id=session_id, number=number):
                return (self._unset(INBOX, (session_id, number)),)
            case inbox.EnvelopesLost(session_id=session_id, numbers=numbers):
                return [self._unset(INBOX, (session_id, number)) for number in numbers]
        return ()

    def _given_back(self, key: tuple[Value, ...]) -> Iterable[Change]:
        row = self._row(INBOX, key)
        return () if row is None else (self._set(INBOX, key, (*row[:-1], None)),)


def _columns(envelope: Envelope, taken_by: int | None) -> tuple[Value, ...]:
    about = (envelope.source, envelope.destination, envelope.context, envelope.device, envelope.name)
    edge = (None, None) if envelope.edge is None else (envelope.edge.sender, envelope.edge.receiver)
    return (*about, len(content_bytes(envelope.payload)), *edge, envelope.label, taken_by)


class InboxView(TableMapping[tuple[str, int], InboxRow]):
    """The envelopes that were not acknowledged yet, by session id and number."""

    _table = INBOX
    _projection = InboxProjection.name

    def of_session(self, session_id: str) -> dict[int, InboxRow]:
        """Those of one session, by number."""
        return {key[1]: row for key, row in map(self._read, self._select({"session_id": session_id}))}

    def of_edge(self, edge: Edge) -> dict[int, InboxRow]:
        """Those that go along an edge, by number.

        Raises:
            InvalidArgument: it is no edge.
        """
        wanted = exact("edge", edge, Edge)
        where = {"session_id": wanted.session_id, "sender": wanted.sender, "receiver": wanted.receiver}
        return {key[1]: row for key, row in map(self._read, self._select(where))}

    def _to_item(self, row: Row) -> tuple[tuple[str, int], InboxRow]:
        INBOX.require_types(row)
        return (row[0], row[1]), InboxRow(*row[2:])
