"""What may be done in which phase (de-mls 1.5)."""

from __future__ import annotations

from ..errors import ConversationBlocked, PartialFreeze
from .phases import PERMITTED, Operation, operation_of
from .situation import Situation
from .state import ConversationState
from .values import ProposalKind


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


def require_openable(state: ConversationState, kind: ProposalKind) -> Situation:
    """Make sure that this member may open a proposal of a kind; return where the conversation stands.

    Raises:
        ConversationNotFound, ConversationEnded, ConversationBlocked
        PartialFreeze: an emergency is voted on, and this is none.
    """
    situation = require_permitted(state, operation_of(kind))
    if situation.emergencies and kind is not ProposalKind.EMERGENCY:
        emergencies = sorted(
            proposal_id for proposal_id, each in state.proposals.items() if each.request.kind is ProposalKind.EMERGENCY
        )
        raise PartialFreeze(state.conversation_id, operation_of(kind), tuple(emergencies))
    return situation
