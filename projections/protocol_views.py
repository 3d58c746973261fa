"""What a session's roles may do next, and what is known of its edges, for reading."""

from __future__ import annotations

import json
from typing import NamedTuple, TypeVar

from ..domain import InvalidArgument, UnknownEdge, inbox, inbox_stream
from ..domain.identifiers import natural_number
from ..domain.inbox import envelope_digest
from ..domain.protocol import DEFAULT_HANDLER, Edge, EdgeProof, LocalType, SessionPlan, TypeStep, proof_of
from ..domain.value import exact
from .audit import Events
from .inboxes import InboxRow, InboxView
from .projection import Projector
from .protocols import EDGES, PROTOCOLS, TYPES, ProtocolsProjection, plan_of, to_frontier
from .store import TemporalStore
from .temporal import Row, Value
from .views import MappingView, readable

RowT = TypeVar("RowT")


class TypeRow(NamedTuple):
    """Where a role's local type stands (``TypeEntry``).

    Attributes:
        current: what the role does from here on, unfolded, so that it says what comes next.
        original: the whole of what it does.
        permitted: the steps that may come next; none at the end.
        step: the number of the step that led here; 0 if it took none.
        since: the position of the event from which on it stands here.
    """

    current: LocalType
    original: LocalType
    permitted: tuple[TypeStep, ...]
    step: int
    since: int


class EdgeRow(NamedTuple):
    """What is known of an edge.

    Attributes:
        handler: what handles its messages: its own handler, or else the session's default.
        has_own_handler: whether it has a handler of its own.
        trace: which types of values the owner traced on it, in order.
        queued: how many envelopes were put along it in this incarnation.
        root: the root of the tree over them, 32 bytes (telltale 6); that of the empty tree if there is none.
        since: the position of the event from which on all this but the default handler holds.
    """

    handler: str
    has_own_handler: bool
    trace: tuple[str, ...]
    queued: int
    root: bytes
    since: int


class _ProtocolView(MappingView[tuple[str, ...], RowT]):
    """A table of protocols, read with the plans as of the same position."""

    _projection = ProtocolsProjection.name

    def __getitem__(self, key: tuple[str, ...]) -> RowT:
        names = tuple(self._table.key)
        found = {}
        if type(key) is tuple and len(key) == len(names):
            found = self._find(dict(zip(names, key, strict=True)))
        if not found:
            raise KeyError(key)
        return found[key]

    def __len__(self) -> int:
        return self._count()

    def of_session(self, session_id: str) -> dict[tuple[str, ...], RowT]:
        """Those of one session."""
        return self._find({"session_id": session_id})

    def _all(self) -> dict[tuple[str, ...], RowT]:
        return self._find({})

    def _find(self, where: dict[str, Value]) -> dict[tuple[str, ...], RowT]:
        # Both tables as of one position, whatever is written meanwhile.
        position = self._catch_up()
        of_session = {name: value for name, value in where.items() if name == "session_id"}
        protocols = {row[0]: row for row in self._select(of_session, position=position, table=PROTOCOLS)}
        found: dict[tuple[str, ...], RowT] = {}
        for row in self._select(where, position=position):
            with readable(self._projection, self._table, row):
                self._table.require_types(row)
                found[row[: len(self._table.key)]] = self._to_row(row, protocols[row[0]])
        return found

    def _to_row(self, row: Row, protocol: Row) -> RowT:
        """Read a row."""
        raise NotImplementedError


class TypesView(_ProtocolView[TypeRow]):
    """The local types, by session id and role; not those of sessions that are put away."""

    _table = TYPES

    def plan(self, session_id: str) -> SessionPlan | None:
        """The plan that a session was opened with; None if it was opened without one, or is put away."""
        position = self._catch_up()
        for row in self._select({"session_id": session_id}, position=position, table=PROTOCOLS):
            with readable(self._projection, PROTOCOLS, row):
                return None if row[1] is None else plan_of(row[1])
        return None

    def _to_row(self, row: Row, protocol: Row) -> TypeRow:
        _, role, state, step, since = row
        plan = plan_of(protocol[1])
        automaton = plan.automata[role]
        return TypeRow(automaton.type_at(state), dict(plan.types)[role], tuple(automaton.steps(state)), step, since)


class EdgesView(_ProtocolView[EdgeRow]):
    """The edges, by session id, sender and receiver: those of plans, and those that were used otherwise.

    Args:
        events: where the envelopes are read for a proof.
        store: the tables.
        projector: what keeps them caught up.
        position: the position to read as of; None for now.
    """

    _table = EDGES

    def __init__(self, events: Events, store: TemporalStore, projector: Projector, position: int | None = None) -> None:
        super().__init__(store, projector, position)
        self._events = events
        self._inbox: InboxView = InboxView(store, projector, position)

    def handler_of(self, edge: Edge) -> str:
        """What handles the messages of an edge: its own handler, or the session's default (telltale 2.7).

        Raises:
            InvalidArgument: it is no edge.
        """
        wanted = exact("edge", edge, Edge)
        position = self._catch_up()
        for row in self._select(
            {"session_id": wanted.session_id, "sender": wanted.sender, "receiver": wanted.receiver}, position=position
        ):
            if row[3] is not None:
                return str(row[3])
        for row in self._select({"session_id": wanted.session_id}, position=position, table=PROTOCOLS):
            if row[2] is not None:
                return str(row[2])
        return DEFAULT_HANDLER

    def buffer(self, edge: Edge) -> dict[int, InboxRow]:
        """The envelopes of an edge that are not acknowledged, by number: what its receiver has still to receive.

        Raises:
            InvalidArgument: it is no edge.
        """
        return self._inbox.of_edge(edge)

    def root(self, edge: Edge) -> bytes:
        """The root of the tree over all that was put along an edge in this incarnation: 32 bytes (telltale 6).

        Raises:
            InvalidArgument: it is no edge.
            UnknownEdge: the session has no such edge.
        """
        return self._row_of(edge).root

    def proof(self, edge: Edge, number: int) -> EdgeProof:
        """The proof that an envelope was put along an edge, for ``is_proven`` with its ``envelope_digest``.

        Args:
            edge: the edge.
            number: the envelope's number in the inbox.

        Raises:
            InvalidArgument: it is no edge, or no such envelope was put along it in this incarnation.
            UnknownEdge: the session has no such edge.
        """
        count = self._row_of(edge).queued
        wanted, leaves = natural_number("number", number), list[bytes]()
        index: int | None = None
        stream = inbox_stream(edge.session_id)
        for record in self._events.read_stream(stream, newest_first=True, through=self._position):
            event = record.event
            if len(leaves) == count:
                break
            if isinstance(event, inbox.EnvelopePut) and event.envelope.edge == edge:
                if event.number == wanted:
                    index = count - 1 - len(leaves)
                leaves.append(envelope_digest(event.envelope))
        if index is None:
            raise InvalidArgument(
                "number", f"is of no envelope along the edge from {edge.sender!r} to {edge.receiver!r}"
            )
        return proof_of(leaves[::-1], index)

    def _row_of(self, edge: Edge) -> EdgeRow:
        wanted = exact("edge", edge, Edge)
        try:
            return self[wanted.session_id, wanted.sender, wanted.receiver]
        except KeyError:
            raise UnknownEdge(wanted.session_id, wanted.session_id, wanted.sender, wanted.receiver) from None

    def _to_row(self, row: Row, protocol: Row) -> EdgeRow:
        _, _, _, handler, trace, leaves, tree, since = row
        handled_by = handler or protocol[2] or DEFAULT_HANDLER
        traced = () if trace is None else tuple(json.loads(trace))
        return EdgeRow(handled_by, handler is not None, traced, leaves, to_frontier(leaves, tree).root, since)
