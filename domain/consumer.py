"""Consumers of notifications: how far each has come is on record, so that nothing is told twice or never.

Nothing is deleted when it was told; a consumer has a cursor, and acknowledging moves it (de-mls 5.1, 8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .artifacts import Counter
from .decision import decision
from .event import Accepted, Decision, Event, Fact, accept, event_type
from .identifiers import Identifier


@event_type("consumer.acknowledged")
class NotificationsAcknowledged(Fact):
    """A consumer was told everything up to here.

    Attributes:
        consumer: who.
        position: the position of the event that the last notification is from.
        part: which of that event's notifications it is, from 0.
        conversation_id: the conversation that it is about; None if it is about all.
    """

    consumer: Identifier
    position: Counter
    part: Counter = 0
    conversation_id: Identifier | None = None


class Cursor(NamedTuple):
    """What a consumer was told last.

    Attributes:
        position: the position of the event; 0 before the first.
        part: which of that event's notifications, from 0; -1 before the first.
    """

    position: int = 0
    part: int = -1


BEFORE_ALL: Final = Cursor()
"""Where a consumer begins."""


@dataclass(frozen=True, slots=True)
class Cursors:
    """How far a consumer has come.

    Attributes:
        everywhere: how far it has come when it follows all conversations.
        alone: how far it has come in single conversations, by their ids, where that is further.
    """

    everywhere: Cursor = BEFORE_ALL
    alone: dict[str, Cursor] = field(default_factory=dict)

    def of(self, conversation_id: str) -> Cursor:
        """What it was told last of a conversation."""
        return max(self.everywhere, self.alone.get(conversation_id, BEFORE_ALL))


class ConsumerState:
    """How far one consumer has come.

    Attributes:
        consumer: its name.
        cursors: what it was told last.
    """

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self.cursors = Cursors()

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def standing(self, *, is_brief: bool = False) -> Cursors:
        """How far it has come; there is nothing here that undoing restores."""
        return self.cursors

    def _on_acknowledged(self, event: NotificationsAcknowledged) -> None:
        cursor, alone = Cursor(event.position, event.part), self.cursors.alone
        if event.conversation_id is not None:
            self.cursors = Cursors(self.cursors.everywhere, {**alone, event.conversation_id: cursor})
        else:
            self.cursors = Cursors(cursor, {name: each for name, each in alone.items() if each > cursor})


_HANDLERS: Final[dict[type[Event[Any]], Callable[[ConsumerState, Any], None]]] = {
    NotificationsAcknowledged: ConsumerState._on_acknowledged
}


@decision("consumer.acknowledge")
def acknowledge(state: ConsumerState, position: int, part: int, conversation_id: str | None) -> Decision[None]:
    """Move a consumer's cursor forward; it never moves back."""
    cursors = state.cursors
    told = cursors.everywhere if conversation_id is None else cursors.of(conversation_id)
    if Cursor(position, part) <= told:
        return Accepted(None)
    return accept(NotificationsAcknowledged(state.consumer, position, part, conversation_id))
