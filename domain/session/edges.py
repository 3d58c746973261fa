"""Host mutations: the handlers and traces of a session's edges (telltale 2.7).

Unlike in the reference, each is on record, and an edge is one of this session.
"""

from __future__ import annotations

from ..artifacts import OwnershipCapability
from ..decision import decision
from ..errors import UnknownEdge
from ..event import Accepted, Decision, accept
from ..protocol.edges import Edge
from .edge_events import HandlerSet, TraceSet
from .guards import refuse_unless_live, require_full_session
from .state import SessionState


@decision("session.set_handler")
def set_handler(
    state: SessionState, capability: OwnershipCapability, handler: str, edge: Edge | None = None
) -> Decision[None]:
    """Name what handles the messages of an edge, or those of every edge that has no handler of its own.

    The same again appends nothing.

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation, UnknownEdge
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_full_session(state, capability)
    if edge is not None:
        require_edge(state, edge)
    now = state.edges.default_handler if edge is None else state.edges.handlers.get((edge.sender, edge.receiver))
    return Accepted(None) if now == handler else accept(HandlerSet(capability, handler, edge))


@decision("session.set_trace")
def set_trace(
    state: SessionState, capability: OwnershipCapability, edge: Edge, trace: tuple[str, ...]
) -> Decision[None]:
    """Write down which types of values went along an edge. The same again appends nothing.

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation, UnknownEdge
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_full_session(state, capability)
    require_edge(state, edge)
    if state.edges.traces.get((edge.sender, edge.receiver), ()) == trace:
        return Accepted(None)
    return accept(TraceSet(capability, edge, trace))


def require_edge(state: SessionState, edge: Edge) -> None:
    """The edge is one of this session: of its plan, or between two of its roles if it has no plan.

    Raises:
        UnknownEdge: it is none.
    """
    if edge.session_id != state.session_id or not state.has_edge(edge.sender, edge.receiver):
        raise UnknownEdge(state.session_id, edge.session_id, edge.sender, edge.receiver)
