"""The terms of one incarnation: what it was opened with, beside its roles, and what it ended with."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from pydantic.dataclasses import dataclass

from ..artifacts import Counter
from ..bundle.values import DelegationConstraint
from ..identifiers import Identifier, PartIdentifier
from ..value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class SessionTerms:
    """What a host says of a session when it opens it (aura 1.2, ``ChoreographySessionState``). None: not said.

    Attributes:
        protocol_id: the protocol that it runs.
        context_id: the context that it belongs to.
        current_role: the role that this host plays in it.
        timeout_ms: how long it may take, in ms.
        started_at: when it was opened, in ms.
        inbox_capacity: how many envelopes may wait in its inbox.
        constraints: through which bundles its roles may be delegated.
    """

    protocol_id: PartIdentifier | None = None
    context_id: Identifier | None = None
    current_role: Identifier | None = None
    timeout_ms: Counter | None = None
    started_at: Counter | None = None
    inbox_capacity: Counter | None = None
    constraints: tuple[DelegationConstraint, ...] = ()

    @property
    def due_at(self) -> int | None:
        """The last moment, in ms, at which it is still in time; None if it may take for ever (aura 2.7)."""
        if self.started_at is None or self.timeout_ms is None:
            return None
        return self.started_at + self.timeout_ms

    def started(self, at: int) -> Self:
        """The same of a session that was opened at a time, in ms."""
        return replace(self, started_at=at)

    def with_protocol(self, protocol_id: str | None) -> Self:
        """The same with another protocol."""
        return replace(self, protocol_id=protocol_id)

    def with_timeout(self, timeout_ms: int | None) -> Self:
        """The same with another time-out, in ms."""
        return replace(self, timeout_ms=timeout_ms)


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class SessionEnding:
    """How an incarnation ended, in numbers.

    Attributes:
        ended_at: when it ended, in ms; None if nobody told the time.
        duration_ms: how long it had been open, in ms; None if it is not known when it was opened.
        epoch: how often it was drained and closed.
        lost_envelopes: how many envelopes were unread, and are delivered to nobody.
        acknowledged_envelopes: how many envelopes were acknowledged.
        ingresses: how many ingresses were accepted.
        rounds: how many rounds were recorded.
        edge_envelopes: how many envelopes were put along its edges.
        used_edges: along how many edges.
        edges: how many edges it had: those of its plan; without one, those that were used or had a handler.
        cleared: the authorities that had the session, and have it no more, sorted.
    """

    ended_at: Counter | None = None
    duration_ms: Counter | None = None
    epoch: Counter = 0
    lost_envelopes: Counter = 0
    acknowledged_envelopes: Counter = 0
    ingresses: Counter = 0
    rounds: Counter = 0
    cleared: tuple[Identifier, ...] = ()
    edge_envelopes: Counter = 0
    used_edges: Counter = 0
    edges: Counter = 0


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class SessionCounts:
    """What an incarnation consisted of (telltale 1.4, ``ClosedSessionSummary``).

    Attributes:
        roles: how many roles it had.
        local_types: for how many of them its plan had a local type.
        edges: how many edges its plan had; without a plan, how many were used or had a handler.
        edge_handlers: how many edges had a handler of their own.
        edge_leaves: how many envelopes are proven by the trees of its edges.
        edge_trees: how many edges have a tree.
        edge_roots: how many of those have a root.
    """

    roles: Counter
    local_types: Counter = 0
    edges: Counter = 0
    edge_handlers: Counter = 0
    edge_leaves: Counter = 0
    edge_trees: Counter = 0
    edge_roots: Counter = 0


NO_TERMS = SessionTerms()
"""What is known of an incarnation that was opened without any, or before there were terms."""
