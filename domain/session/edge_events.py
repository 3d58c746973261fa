"""What the owner said of the edges of a session: who handles their messages, and what was traced on them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from ..artifacts import OwnershipCapability
from ..bounds import MAX_NAMES
from ..event import Fact, event_type
from ..identifiers import Identifier
from ..protocol.edges import Edge

Trace: TypeAlias = Annotated[tuple[Identifier, ...], Field(max_length=MAX_NAMES)]
"""Types of values, in order: at most 1 000."""


@event_type("session.handler_set")
class HandlerSet(Fact):
    """The owner named what handles the messages of an edge, or of every edge without a handler of its own.

    Attributes:
        capability: what the owner holds.
        handler: what handles them.
        edge: the edge; None for the default of the session.
    """

    capability: OwnershipCapability
    handler: Identifier
    edge: Edge | None = None


@event_type("session.handler_restored")
class HandlerRestored(Fact):
    """That a handler was named was undone (law 8).

    Attributes:
        session_id: the session.
        handler: what handles the messages again; None for whatever the default is.
        edge: the edge; None for the default of the session.
    """

    session_id: Identifier
    handler: Identifier | None = None
    edge: Edge | None = None


@event_type("session.trace_set")
class TraceSet(Fact):
    """The owner wrote down which types of values went along an edge.

    Attributes:
        capability: what the owner holds.
        edge: the edge.
        trace: the types, in order.
    """

    capability: OwnershipCapability
    edge: Edge
    trace: Trace


@event_type("session.trace_restored")
class TraceRestored(Fact):
    """That a trace was written down was undone (law 8).

    Attributes:
        session_id: the session.
        edge: the edge.
        trace: the types that stand there again, in order.
    """

    session_id: Identifier
    edge: Edge
    trace: Trace = ()
