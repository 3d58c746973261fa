"""Protocols: the plan of every session, where each role's local type stands, and what is known of each edge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter

from ..domain import Envelope, RecordedEvent, inbox, session
from ..domain.inbox import envelope_digest
from ..domain.protocol import Edge, Frontier, SessionPlan, TypeAdvance
from .remembering import RememberingProjection
from .temporal import Change, TemporalTable, Value

PLANS = TemporalTable(
    name="session_plans",
    version=1,
    key={"session_id": str},
    columns={"plan": str},
)
PROTOCOLS = TemporalTable(
    name="protocols",
    version=1,
    key={"session_id": str},
    columns={"default_handler": str, "other_edges": int},
    nullable=frozenset({"default_handler"}),
)
OTHER_EDGES = TemporalTable(
    name="other_edges",
    version=1,
    key={"session_id": str, "place": int},
    columns={"sender": str, "receiver": str},
)
TYPES = TemporalTable(
    name="local_types",
    version=1,
    key={"session_id": str, "role": str},
    columns={"state": int, "step": int},
)
EDGES = TemporalTable(
    name="edges",
    version=1,
    key={"session_id": str, "sender": str, "receiver": str},
    columns={"handler": str, "trace": str},
    nullable=frozenset({"handler", "trace"}),
)
TREES = TemporalTable(
    name="edge_trees",
    version=1,
    key={"session_id": str, "sender": str, "receiver": str},
    columns={"leaves": int, "tree": str},
)

_HANDLER, _TRACE = 0, 1
"""The places of columns in a row of edges, behind its key."""

_NO_PROTOCOL: Final[tuple[Value, ...]] = (None, 0)
_NEW_EDGE: Final[tuple[Value, ...]] = (None, None)
_PLANS: Final = TypeAdapter(SessionPlan)


class ProtocolsProjection(RememberingProjection):
    """Follows what a session's roles and edges do, from its opening until it is put away."""

    name = "protocols"
    tables = (PLANS, PROTOCOLS, OTHER_EDGES, TYPES, EDGES, TREES)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Say what a record sets and unsets."""
        event: Any = record.event
        match event:
            case session.SessionOpened():
                return self._opened(event)
            case session.SessionArchived() | session.OpeningWithdrawn():
                return self._forgotten(event.session_id)
            case session.HandlerSet() | session.HandlerRestored():
                return self._handled(_session_of(event), event.edge, event.handler)
            case session.TraceSet() | session.TraceRestored():
                trace = json.dumps(event.trace, ensure_ascii=False) if event.trace else None
                return self._edge_changed(event.edge, _TRACE, trace)
            case inbox.EnvelopePut():
                return (*self._queued(event.envelope), *self._stepped(event.session_id, event.advance))
            case inbox.EnvelopeAcknowledged() | inbox.TypeAdvanced():
                return self._stepped(event.capability.session_id, event.advance)
            case inbox.EnvelopeWithdrawn():
                return self._stepped_back(event.session_id, event.undone)
            case inbox.TypeRestored():
                return self._stepped_back(event.capability.session_id, event.undone)
        effects = event.effects
        if effects is None or effects.status is None or not effects.status.is_finished:
            return ()
        return self._ended(effects.session_id)

    def _opened(self, event: session.SessionOpened) -> Iterator[Change]:
        plan = event.plan
        if plan is None:
            return
        yield self._set(PLANS, (event.session_id,), (_PLANS.dump_json(plan).decode(),))
        for role, automaton in plan.automata.items():
            yield self._set(TYPES, (event.session_id, role), (automaton.start, 0))
        for edge in plan.edges:
            yield self._set(EDGES, (event.session_id, edge.sender, edge.receiver), _NEW_EDGE)

    def _forgotten(self, session_id: str) -> Iterator[Change]:
        """Nothing is known of the session any more."""
        for key in self._edges(session_id):
            for table in (EDGES, TREES):
                if self._row(table, key) is not None:
                    yield self._unset(table, key)
        for place in range(self._others(session_id)):
            yield self._unset(OTHER_EDGES, (session_id, place))
        plan = self._plan(session_id)
        for role, _ in () if plan is None else plan.types:
            yield self._unset(TYPES, (session_id, role))
        for table in (PLANS, PROTOCOLS):
            if self._row(table, (session_id,)) is not None:
                yield self._unset(table, (session_id,))

    def _ended(self, session_id: str) -> Iterator[Change]:
        """The traces go with the session; its types and handlers stay (telltale 2.15)."""
        for key in self._edges(session_id):
            row = self._row(EDGES, key)
            if row is not None and row[_TRACE] is not None:
                yield from self._edge_changed(Edge(*map(str, key)), _TRACE, None)

    def _handled(self, session_id: str, edge: Edge | None, handler: str | None) -> Iterable[Change]:
        if edge is not None:
            return self._edge_changed(edge, _HANDLER, handler)
        return (self._set(PROTOCOLS, (session_id,), (handler, self._others(session_id))),)

    def _queued(self, envelope: Envelope) -> Iterator[Change]:
        edge = envelope.edge
        if edge is None:
            return
        yield from self._known(edge)
        key = (edge.session_id, edge.sender, edge.receiver)
        grown = to_frontier(*(self._row(TREES, key) or (0, ""))).appended(envelope_digest(envelope))
        yield self._set(TREES, key, (grown.count, "".join(each.hex() for each in grown.hashes)))

    def _edge_changed(self, edge: Edge, place: int, value: Value) -> Iterator[Change]:
        yield from self._known(edge)
        key = (edge.session_id, edge.sender, edge.receiver)
        row = list(self._row(EDGES, key) or _NEW_EDGE)
        row[place] = value
        if tuple(row) != _NEW_EDGE or self._row(TREES, key) is not None or self._is_planned(edge):
            yield self._set(EDGES, key, tuple(row))
        else:
            # Nothing is said of it any more, and it is none of a plan's.
            yield self._unset(EDGES, key)

    def _known(self, edge: Edge) -> Iterator[Change]:
        """Have a row of an edge; of one that no plan has, remember that there is one."""
        key = (edge.session_id, edge.sender, edge.receiver)
        if self._row(EDGES, key) is not None:
            return
        count = self._others(edge.session_id)
        row = self._row(PROTOCOLS, (edge.session_id,)) or _NO_PROTOCOL
        yield self._set(PROTOCOLS, (edge.session_id,), (row[0], count + 1))
        yield self._set(OTHER_EDGES, (edge.session_id, count), (edge.sender, edge.receiver))
        yield self._set(EDGES, key, _NEW_EDGE)

    def _plan(self, session_id: str) -> SessionPlan | None:
        row = self._row(PLANS, (session_id,))
        return None if row is None else plan_of(str(row[0]))

    def _is_planned(self, edge: Edge) -> bool:
        plan = self._plan(edge.session_id)
        return plan is not None and plan.has_edge(edge.sender, edge.receiver)

    def _others(self, session_id: str) -> int:
        """How many rows there are of edges that no plan has."""
        row = self._row(PROTOCOLS, (session_id,)) or _NO_PROTOCOL
        return int(row[1] or 0)

    def _edges(self, session_id: str) -> Iterator[tuple[Value, ...]]:
        """The keys of a session's edges."""
        plan = self._plan(session_id)
        for edge in () if plan is None else plan.edges:
            yield session_id, edge.sender, edge.receiver
        for place in range(self._others(session_id)):
            row = self._row(OTHER_EDGES, (session_id, place))
            if row is not None:
                yield session_id, *row

    def _stepped(self, session_id: str, advance: TypeAdvance | None) -> Iterable[Change]:
        if advance is None:
            return ()
        return (self._set(TYPES, (session_id, advance.role), (advance.state, advance.number)),)

    def _stepped_back(self, session_id: str, undone: TypeAdvance | None) -> Iterable[Change]:
        if undone is None:
            return ()
        return (self._set(TYPES, (session_id, undone.role), (undone.state_before, undone.previous)),)


def _session_of(event: session.HandlerSet | session.HandlerRestored) -> str:
    return event.capability.session_id if isinstance(event, session.HandlerSet) else event.session_id


@lru_cache(maxsize=256)
def plan_of(stored: str) -> SessionPlan:
    """The plan that a row holds.

    Raises:
        ValueError, InvalidInput: somebody changed it.
    """
    return _PLANS.validate_json(stored)


def to_frontier(leaves: Any, tree: Any) -> Frontier:
    """As much of an edge's tree as its row holds.

    Raises:
        ValueError: somebody changed it.
    """
    joined = bytes.fromhex(tree or "")
    hashes = tuple(joined[place : place + 32] for place in range(0, len(joined), 32))
    if len(joined) % 32 or len(hashes) != leaves.bit_count():
        raise ValueError(f"a tree of {leaves} leaves cannot have {len(hashes)} hashes")
    return Frontier(leaves, hashes)
