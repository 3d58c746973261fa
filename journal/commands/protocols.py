"""The part of ``journal.sessions`` that follows a protocol: the steps of its roles, and what is said of its edges."""

from __future__ import annotations

from collections.abc import Iterable

from ...domain import InvalidArgument, OwnershipCapability, inbox_stream, session, session_stream
from ...domain.bounds import MAX_NAMES
from ...domain.identifiers import identifier
from ...domain.protocol import Direction, Edge, SessionPlan, TypeAdvance, TypeStep
from ...domain.shown import shown
from ...domain.value import several
from .base import SessionCommands, checked, checked_or_none


class ProtocolCommands(SessionCommands):
    """Advances local types, and sets handlers and traces of edges."""

    def advance(
        self,
        capability: OwnershipCapability,
        role: str,
        direction: Direction | str,
        partner: str,
        label: str,
        value_type: str | None = None,
    ) -> TypeAdvance:
        """Take a step of a role's local type. ``journal.types[session_id, role]`` says which it permits.

        An envelope along an edge takes these steps by itself: its sender's when it is put, its receiver's when it is
        acknowledged.

        Args:
            capability: the live capability.
            role: the role.
            direction: ``send`` or ``receive``.
            partner: the other role.
            label: what the message is called.
            value_type: the type of the value that it carries; None if it carries none.

        Returns:
            The step as it stands on record.

        Raises:
            SessionNotFound, SessionTerminal: the session is not open.
            Unclaimed, StaleCapability: the capability is not live; this is recorded.
            UnknownRole: the session has no such role.
            NoLocalType: the session has no plan, or its plan has no type for the role.
            TypeViolation: the role's type does not permit the step.
        """
        presented = checked(capability, OwnershipCapability)
        typed = None if value_type is None else identifier("value_type", value_type)
        step = TypeStep(_direction(direction), identifier("partner", partner), identifier("label", label), typed)
        streams = (inbox_stream(presented.session_id), session_stream(presented.session_id))
        return self._journal.execute(streams, session.advance, presented, identifier("role", role), step)

    def set_default_handler(self, capability: OwnershipCapability, handler: str) -> None:
        """Name what handles the messages of every edge that has no handler of its own (telltale 2.7).

        Raises:
            SessionNotFound, SessionTerminal, Unclaimed, StaleCapability
            ScopeViolation: the capability covers fragments only.
        """
        named = identifier("handler", handler)
        return self._present(session.set_handler, checked(capability, OwnershipCapability), named)

    def set_edge_handler(self, capability: OwnershipCapability, edge: Edge, handler: str) -> None:
        """Name what handles the messages of one edge (telltale 2.7).

        Raises:
            SessionNotFound, SessionTerminal, Unclaimed, StaleCapability
            ScopeViolation: the capability covers fragments only.
            UnknownEdge: the edge is none of this session's.
        """
        named, of_edge = identifier("handler", handler), checked(edge, Edge, "edge")
        return self._present(session.set_handler, checked(capability, OwnershipCapability), named, of_edge)

    def set_edge_trace(self, capability: OwnershipCapability, edge: Edge, trace: Iterable[str]) -> None:
        """Write down which types of values went along an edge (telltale 2.7).

        Args:
            capability: the live capability.
            edge: the edge.
            trace: the types, in order; at most 1 000. None of them clears the trace.

        Raises:
            SessionNotFound, SessionTerminal, Unclaimed, StaleCapability
            ScopeViolation: the capability covers fragments only.
            UnknownEdge: the edge is none of this session's.
        """
        traced = tuple(identifier("trace", each) for each in several("trace", trace, MAX_NAMES))
        of_edge = checked(edge, Edge, "edge")
        return self._present(session.set_trace, checked(capability, OwnershipCapability), of_edge, traced)


def planned_roles(roles: tuple[str, ...], plan: SessionPlan | None) -> tuple[tuple[str, ...], SessionPlan | None]:
    """The roles of a session, which are those of its plan if it has one; and the plan, checked.

    Raises:
        InvalidArgument: the plan is none, or has other roles than those that are given.
    """
    given = checked_or_none(plan, SessionPlan)
    if given is None:
        return roles, None
    if roles not in ((), given.roles):
        raise InvalidArgument("roles", "must be those of the plan, in its order; leave them out")
    return given.roles, given


def _direction(given: object) -> Direction:
    for direction in Direction:
        if type(given) in (str, Direction) and given == direction.value:
            return direction
    raise InvalidArgument("direction", f"must be 'send' or 'receive', not {shown(given)}")
