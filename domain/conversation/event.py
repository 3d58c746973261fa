"""What every event of a conversation says."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from ..event import Event, OutcomeT
from ..identifiers import Identifier
from ..value import VALUE, value_type
from .values import Time


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class ConversationEvent(Event[OutcomeT]):
    """Something that happened in a conversation.

    Attributes:
        conversation_id: the conversation.
        at: when, in ms; never lower than the event before (de-mls 5.1, 3).
    """

    conversation_id: Identifier
    at: Time


class ConversationFact(ConversationEvent[None]):
    """One whose command answers nothing."""

    __slots__ = ()

    @property
    def outcome(self) -> None:
        return None
