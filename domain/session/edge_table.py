"""The handlers and traces of one incarnation's edges, folded from the events that name them."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

from .edge_events import HandlerRestored, HandlerSet, TraceRestored, TraceSet

Ends: TypeAlias = tuple[str, str]
"""The sender and the receiver of an edge."""

ValueT = TypeVar("ValueT")


class EdgeTable:
    """What the owner said of a session's edges. Only ``apply``, ``clear`` and ``close`` change it.

    Attributes:
        default_handler: what handles the messages of an edge without a handler of its own; None if nothing was said.
        handlers: what handles the messages of an edge.
        traces: which types of values went along an edge.
    """

    __slots__ = ("default_handler", "handlers", "traces")

    def __init__(self) -> None:
        self.default_handler: str | None = None
        self.handlers: dict[Ends, str] = {}
        self.traces: dict[Ends, tuple[str, ...]] = {}

    def apply(self, event: HandlerSet | HandlerRestored | TraceSet | TraceRestored) -> None:
        """Take one event in."""
        if event.edge is None:
            self.default_handler = event.handler
            return
        ends = event.edge.sender, event.edge.receiver
        if isinstance(event, TraceSet | TraceRestored):
            _put(self.traces, ends, event.trace or None)
        else:
            _put(self.handlers, ends, event.handler)

    def close(self) -> None:
        """The session ended: its traces are cleared, its handlers stay (telltale 2.15)."""
        self.traces.clear()

    def clear(self) -> None:
        """A new incarnation begins, of which nothing was said."""
        self.default_handler = None
        self.handlers.clear()
        self.traces.clear()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EdgeTable) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]


def _put(table: dict[Ends, ValueT], ends: Ends, value: ValueT | None) -> None:
    if value is None:
        table.pop(ends, None)
    else:
        table[ends] = value
