"""What a session's roles may do next, and what is known of its edges, for reading."""

from __future__ import annotations

import json
from typing import ClassVar, NamedTuple, TypeVar

from ..domain import InvalidArgument, UnknownEdge, inbox, inbox_stream
from ..domain.identifiers import natural_number
from ..domain.inbox import envelope_digest
from ..domain.protocol import DEFAULT_HANDLER, Edge, EdgeProof, LocalType, SessionPlan, TypeStep, proof_of
from ..domain.protocol.edge_tree import EMPTY_ROOT
from ..domain.value import exact
from .audit import Events
from .inboxes import InboxRow, InboxView
from .projection import Projector
from .protocols import EDGES, PLANS, PROTOCOLS, TREES, TYPES, ProtocolsProjection, plan_of, to_frontier
from .store import TemporalStore
from .temporal import Row, TemporalTable, Value
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

    _beside: ClassVar[tuple[TemporalTable, ...]]
    """The other tables that its rows are read with, whose keys begin its own."""

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

    def _find(self, where: dict[str, Value], position: int | None = None) -> dict[tuple[str, ...], RowT]:
        # All tables as of one position, whatever is written meanwhile.
        as_of = self._catch_up() if position is None else position
        beside: list[dict[tuple[str, ...], Row]] = []
        for table in self._beside:
            of_table = {name: value for name, value in where.items() if name in table.key}
            rows = self._select(of_table, position=as_of, table=table)
            beside.append({row[: len(table.key)]: row[len(table.key) :] for row in rows})
        found: dict[tuple[str, ...], RowT] = {}
        for row in self._select(where, position=as_of):
            with readable(self._projection, self._table, row):
                self._table.require_types(row)
                key = row[: len(self._table.key)]
                others = [rows.get(key[: len(table.key)]) for table, rows in zip(self._beside, beside, strict=True)]
                found[key] = self._to_row(row, *others)
        return found

    def _to_row(self, row: Row, *beside: Row | None) -> RowT:
        """Read a row, with those of the other tables."""
        raise NotImplementedError


class TypesView(_ProtocolView[TypeRow]):
    """The local types, by session id and role; not those of sessions that are put away."""

    _table = TYPES
    _beside = (PLANS,)

    def plan(self, session_id: str) -> SessionPlan | None:
        """The plan that a session was opened with; None if it was opened without one, or is put away."""
        position = self._catch_up()
        for row in self._select({"session_id": session_id}, position=position, table=PLANS):
            with readable(self._projection, PLANS, row):
                return plan_of(row[1])
        return None

    def _to_row(self, row: Row, *beside: Row | None) -> TypeRow:
        _, role, state, step, since = row
        (with_plan,) = beside
        if with_plan is None:
            raise KeyError("session_plans")
        plan = plan_of(with_plan[0])
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
    _beside = (PROTOCOLS, TREES)

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
        found = self._find(_of_edge(wanted), position)
        if found:
            return next(iter(found.values())).handler
        for row in self._select({"session_id": wanted.session_id}, position=position, table=PROTOCOLS):
            return str(row[1] or DEFAULT_HANDLER)
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
        return self._row_of(edge, self._catch_up()).root

    def proof(self, edge: Edge, number: int) -> EdgeProof:
        """The proof that an envelope was put along an edge, for ``is_proven`` with its ``envelope_digest``.

        Args:
            edge: the edge.
            number: the envelope's number in the inbox.

        Raises:
            InvalidArgument: it is no edge, or no such envelope was put along it in this incarnation.
            UnknownEdge: the session has no such edge.
        """
        # The events up to the position that the count is of: others may be put meanwhile.
        position = self._catch_up()
        count = self._row_of(edge, position).queued
        wanted, leaves = natural_number("number", number), list[bytes]()
        index: int | None = None
        stream = inbox_stream(edge.session_id)
        for record in self._events.read_stream(stream, newest_first=True, through=position):
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

    def _row_of(self, edge: Edge, position: int) -> EdgeRow:
        wanted = exact("edge", edge, Edge)
        for row in self._find(_of_edge(wanted), position).values():
            return row
        raise UnknownEdge(wanted.session_id, wanted.session_id, wanted.sender, wanted.receiver)

    def _to_row(self, row: Row, *beside: Row | None) -> EdgeRow:
        _, _, _, handler, trace, since = row
        protocol, tree = beside
        default, leaves = None if protocol is None else protocol[0], 0
        root = EMPTY_ROOT
        if tree is not None:
            leaves, stored, grown = tree
            root, since = to_frontier(leaves, stored).root, max(since, grown)
        traced = () if trace is None else tuple(json.loads(trace))
        return EdgeRow(handler or default or DEFAULT_HANDLER, handler is not None, traced, leaves, root, since)


def _of_edge(edge: Edge) -> dict[str, Value]:
    return {"session_id": edge.session_id, "sender": edge.sender, "receiver": edge.receiver}
