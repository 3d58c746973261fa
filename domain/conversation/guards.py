"""What may be done in which phase (de-mls 1.5)."""

from __future__ import annotations

from ..errors import ConversationBlocked
from ..event import Accepted, Decision, unkeyed
from .phases import PERMITTED, Operation
from .situation import Situation
from .state import ConversationState


def named(state: ConversationState) -> str:
    """What a conversation is called in errors on its bounds."""
    return f"conversation {state.conversation_id!r}"


def require_permitted(state: ConversationState, operation: Operation) -> Situation:
    """Make sure that an operation is permitted in the phase; return where the conversation stands.

    Raises:
        ConversationNotFound, ConversationEnded, ConversationBlocked
    """
    situation = state.opened()
    permitted = PERMITTED[operation]
    if situation.phase is None or situation.phase not in permitted:
        phases = tuple(sorted(permitted))
        raise ConversationBlocked(state.conversation_id, operation, situation.phase or "", phases)
    return situation


@unkeyed
def check(state: ConversationState, operation: Operation) -> Decision[None]:
    """Ask whether an operation is permitted now; append nothing.

    Raises:
        ConversationNotFound, ConversationEnded, ConversationBlocked
    """
    require_permitted(state, operation)
    return Accepted(None)
