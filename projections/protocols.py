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

PROTOCOLS = TemporalTable(
    name="protocols",
    version=1,
    key={"session_id": str},
    columns={"plan": str, "default_handler": str, "other_edges": str},
    nullable=frozenset({"plan", "default_handler", "other_edges"}),
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
    columns={"handler": str, "trace": str, "leaves": int, "tree": str},
    nullable=frozenset({"handler", "trace", "tree"}),
)

_PLAN, _DEFAULT, _OTHERS = 0, 1, 2
_HANDLER, _TRACE, _LEAVES, _TREE = 0, 1, 2, 3
"""The places of columns in a row, behind its key."""

_NO_PROTOCOL: Final[tuple[Value, ...]] = (None, None, None)
_NEW_EDGE: Final[tuple[Value, ...]] = (None, None, 0, None)
_PLANS: Final = TypeAdapter(SessionPlan)


class ProtocolsProjection(RememberingProjection):
    """Follows what a session's roles and edges do, from its opening until it is put away."""

    name = "protocols"
    tables = (PROTOCOLS, TYPES, EDGES)

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
                trace = json.dumps(event.trace) if event.trace else None
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
        yield self._set(PROTOCOLS, (event.session_id,), (_PLANS.dump_json(plan).decode(), None, None))
        for role, automaton in plan.automata.items():
            yield self._set(TYPES, (event.session_id, role), (automaton.start, 0))
        for edge in plan.edges:
            yield self._set(EDGES, (event.session_id, edge.sender, edge.receiver), _NEW_EDGE)

    def _forgotten(self, session_id: str) -> Iterator[Change]:
        row = self._row(PROTOCOLS, (session_id,))
        if row is None:
            return
        for key in self._edges(session_id, row):
            yield self._unset(EDGES, key)
        if row[_PLAN] is not None:
            for role, _ in plan_of(str(row[_PLAN])).types:
                yield self._unset(TYPES, (session_id, role))
        yield self._unset(PROTOCOLS, (session_id,))

    def _ended(self, session_id: str) -> Iterator[Change]:
        """The traces go with the session; its types and handlers stay (telltale 2.15)."""
        row = self._row(PROTOCOLS, (session_id,))
        for key in () if row is None else self._edges(session_id, row):
            edge = self._row(EDGES, key)
            if edge is not None and edge[_TRACE] is not None:
                yield self._set(EDGES, key, _changed(edge, _TRACE, None))

    def _handled(self, session_id: str, edge: Edge | None, handler: str | None) -> Iterable[Change]:
        if edge is not None:
            return self._edge_changed(edge, _HANDLER, handler)
        row = self._row(PROTOCOLS, (session_id,)) or _NO_PROTOCOL
        return (self._set(PROTOCOLS, (session_id,), _changed(row, _DEFAULT, handler)),)

    def _queued(self, envelope: Envelope) -> Iterable[Change]:
        edge = envelope.edge
        if edge is None:
            return ()
        row = self._row(EDGES, (edge.session_id, edge.sender, edge.receiver)) or _NEW_EDGE
        grown = to_frontier(row[_LEAVES], row[_TREE]).appended(envelope_digest(envelope))
        tree = "".join(each.hex() for each in grown.hashes)
        return self._edge_set(edge, (*row[:_LEAVES], grown.count, tree))

    def _edge_changed(self, edge: Edge, place: int, value: Value) -> Iterable[Change]:
        row = self._row(EDGES, (edge.session_id, edge.sender, edge.receiver)) or _NEW_EDGE
        return self._edge_set(edge, _changed(row, place, value))

    def _edge_set(self, edge: Edge, value: tuple[Value, ...]) -> Iterator[Change]:
        """Set an edge's row; of one that no plan has, remember that there is one."""
        key = (edge.session_id, edge.sender, edge.receiver)
        if self._row(EDGES, key) is None:
            row = self._row(PROTOCOLS, (edge.session_id,)) or _NO_PROTOCOL
            others = [*_other_edges(row), [edge.sender, edge.receiver]]
            yield self._set(PROTOCOLS, (edge.session_id,), _changed(row, _OTHERS, json.dumps(others)))
        yield self._set(EDGES, key, value)

    def _edges(self, session_id: str, row: tuple[Value, ...]) -> Iterator[tuple[Value, ...]]:
        """The keys of a session's edges."""
        if row[_PLAN] is not None:
            for edge in plan_of(str(row[_PLAN])).edges:
                yield session_id, edge.sender, edge.receiver
        for sender, receiver in _other_edges(row):
            yield session_id, sender, receiver

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


def _changed(row: tuple[Value, ...], place: int, value: Value) -> tuple[Value, ...]:
    return (*row[:place], value, *row[place + 1 :])


def _other_edges(row: tuple[Value, ...]) -> list[list[str]]:
    return [] if row[_OTHERS] is None else json.loads(str(row[_OTHERS]))


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
