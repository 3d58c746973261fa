"""What a command would say now, asked without giving it (de-mls 1.5)."""

from __future__ import annotations

from itertools import count
from typing import Any

from ..decision import decision
from ..event import Accepted, Decision, Refused
from .guards import require_permitted
from .phases import Operation
from .state import ConversationState
from .values import CreatorVote, ProposalRequest, Violation
from .voting import open_proposal, vote


@decision("conversation.check", uses_key=False)
def check(
    state: ConversationState, operation: Operation, proposal_id: int | None = None, now: int = 0
) -> Decision[None]:
    """Ask whether an operation would be permitted; append nothing.

    The very command is decided, and what it would append is dropped. Without a number, a proposal is opened under one
    that is free, and of voting only the phase is asked about. What is proposed is as small as can be, and a ban is the
    proposal to remove a member.

    Args:
        state: the conversation.
        operation: what may be wanted.
        proposal_id: the proposal to vote on, or to open.
        now: the time, in ms; by default that of the last event.

    Raises:
        ConversationNotFound, ConversationEnded, ConversationBlocked
        PartialFreeze, ProposalExists, LimitReached: no such proposal can be opened.
        ProposalNotFound, ProposalNotActive, ProposalExpired, AlreadyVoted: it cannot be voted on.
    """
    require_permitted(state, operation)
    decided: Decision[Any] = Accepted(None)
    if operation is Operation.VOTE and proposal_id is not None:
        decided = vote(state, proposal_id, True, now)
    elif operation not in (Operation.VOTE, Operation.SEND_CHAT):
        number = _free(state) if proposal_id is None else proposal_id
        decided = open_proposal(state, number, _smallest(state, operation), 1, CreatorVote.DEFERRED, now)
    if isinstance(decided, Refused):
        raise decided.error
    return Accepted(None)


def _free(state: ConversationState) -> int:
    taken = (state.proposals, state.approved, state.resolved)
    return next(number for number in count() if not any(number in each for each in taken))


def _smallest(state: ConversationState, operation: Operation) -> ProposalRequest:
    """What takes the least room of all that an operation proposes."""
    match operation:
        case Operation.OPEN_STEWARD_ELECTION:
            return ProposalRequest.steward_election()
        case Operation.OPEN_EMERGENCY:
            return ProposalRequest.emergency(Violation.DEADLOCK)
        case _:
            return ProposalRequest.remove_member(state.self_id)
