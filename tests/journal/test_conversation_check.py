"""What ``check`` says is what the command says at that moment; it appends nothing (de-mls 1.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from muniment.domain import (
    AlreadyVoted,
    CommandRefused,
    ConversationBlocked,
    ConversationEnded,
    ConversationNotFound,
    CreatorVote,
    InvalidArgument,
    LimitReached,
    MunimentError,
    Operation,
    Outcome,
    PartialFreeze,
    Phase,
    ProposalExists,
    ProposalExpired,
    ProposalNotActive,
    ProposalNotFound,
    ProposalRequest,
    Refused,
    Violation,
    conversation,
)
from muniment.domain.bounds import MAX_LISTED
from muniment.domain.conversation import ConversationState
from muniment.journal import Journal
from muniment.journal.testing import given_conversation

from ..conftest import Clock
from ..conversation_sequences import COMMANDS, Command, begin, give
from ..domain.conversation_facts import (
    ADD,
    BROKEN,
    DEADLOCK,
    IN_PHASE,
    MEMBER,
    approved,
    proposal,
    received,
    resolved,
    voted,
)
from ..drawing import drawn
from .conversation_stories import member, reelecting
from .test_conversation_laws import SWITCHES, timed
from .test_conversation_undo import STREAM

OPENED = {
    Operation.OPEN_COMMIT_PROPOSAL: ADD,
    Operation.BAN: ProposalRequest.remove_member("bob"),
    Operation.OPEN_STEWARD_ELECTION: ProposalRequest.steward_election(),
    Operation.OPEN_EMERGENCY: ProposalRequest.emergency(Violation.CENSORSHIP, "bob"),
}


def refusal(command: Any, state: ConversationState, *arguments: Any) -> MunimentError | None:
    """What refuses a command, also on the record; the state stays as it is."""
    try:
        decided = command(state, *arguments)
    except CommandRefused as error:
        return error
    return decided.error if isinstance(decided, Refused) else None


def facts(error: MunimentError | None) -> object:
    """What an error says; a ban is refused by its own name where the phase does not permit it."""
    return None if error is None else (type(error), {**vars(error), "operation": None})


def agree(state: ConversationState, now: int) -> None:
    """Compare what is checked with what the commands say, whatever the number."""
    known = {*state.proposals, *state.approved, *state.resolved}
    for number in [*sorted(known), max(known, default=0) + 1]:
        said = refusal(conversation.vote, state, number, True, now)
        assert facts(refusal(conversation.check, state, Operation.VOTE, number, now)) == facts(said)
        for operation, request in OPENED.items():
            asked = (number, request, 3, CreatorVote.YES, now)
            said = refusal(conversation.open_proposal, state, *asked)
            assert facts(refusal(conversation.check, state, operation, number, now)) == facts(said)
    for operation, request in OPENED.items():
        asked = (max(known, default=0) + 1, request, 3, CreatorVote.DEFERRED, now)
        said = refusal(conversation.open_proposal, state, *asked)
        assert facts(refusal(conversation.check, state, operation, None, now)) == facts(said)


@given(COMMANDS, SWITCHES)
@settings(max_examples=drawn(40))
def test_check_says_what_the_command_says(commands: list[Command], switches: int) -> None:
    with Journal.open("memory://", clock=Clock(0)) as journal:
        begin(journal, switches)
        for command, now in timed(commands):
            give(journal, command, now)
            state = journal.read_state(STREAM, lambda state: state.copy())
            before = state.copy().__dict__
            agree(state, now)
            assert state.copy().__dict__ == before


def test_an_emergency_keeps_lower_kinds_from_being_opened_and_check_says_so(journal: Journal) -> None:
    member(journal)
    conversations = journal.conversations
    conversations.receive_proposal("c", 1, DEADLOCK, creator="carol", voters=3, now=0)
    head = journal.head()
    for operation in (Operation.OPEN_COMMIT_PROPOSAL, Operation.BAN, Operation.OPEN_STEWARD_ELECTION):
        with pytest.raises(PartialFreeze) as refused:
            conversations.check("c", operation)
        assert refused.value.emergencies == (1,)
    conversations.check("c", Operation.OPEN_EMERGENCY)
    conversations.check("c", Operation.SEND_CHAT)
    conversations.check("c", Operation.VOTE)
    assert journal.head() == head


@pytest.mark.parametrize(
    ("events", "number", "now", "error"),
    [
        ((), 1, 0, ProposalNotFound),
        ((received(),), 1, 0, None),
        ((received(),), 1, 599_999, None),
        ((received(),), 1, 600_000, ProposalExpired),
        ((received(), voted("alice")), 1, 0, AlreadyVoted),
        ((received(), voted("bob")), 1, 0, None),
        ((received(), resolved(proposal(), Outcome.YES)), 1, 0, None),
        ((received(), resolved(proposal(), Outcome.FAILED)), 1, 0, ProposalNotActive),
    ],
)
def test_a_vote_is_checked_by_its_number(
    events: tuple[Any, ...], number: int, now: int, error: type[CommandRefused] | None
) -> None:
    asked = given_conversation(*MEMBER, *events).when(conversation.check, Operation.VOTE, number, now)
    if error is None:
        asked.then()
    else:
        asked.refused(error, proposal_id=number)


@pytest.mark.parametrize("operation", OPENED)
def test_a_number_that_is_taken_and_a_list_that_is_full_are_told(operation: Operation) -> None:
    taken = given_conversation(*MEMBER, received(), approved(7))
    for number in (1, 7):
        taken.when(conversation.check, operation, number).refused(ProposalExists, proposal_id=number)
    taken.when(conversation.check, operation, 2).then()
    many = (received(proposal_id=number) for number in range(MAX_LISTED))
    full = given_conversation(*MEMBER, *many)
    full.when(conversation.check, operation).refused(LimitReached)
    full.when(conversation.check, Operation.SEND_CHAT).then()


def test_what_a_check_is_asked_in_a_journal(journal: Journal) -> None:
    now = reelecting(journal)
    conversations = journal.conversations
    conversations.receive_proposal("c", 2, BROKEN, creator="carol", voters=3, now=now)
    conversations.check("c", Operation.VOTE, proposal_id=2, now=now)
    head = journal.head()
    with pytest.raises(ConversationBlocked):
        conversations.check("c", Operation.OPEN_COMMIT_PROPOSAL, proposal_id=2, now=now)
    with pytest.raises(ProposalExists):
        conversations.check("c", Operation.OPEN_EMERGENCY, proposal_id=2, now=now)
    with pytest.raises(InvalidArgument):
        conversations.check("c", Operation.VOTE, proposal_id=-1)
    with pytest.raises(ConversationNotFound):
        conversations.check("d", Operation.VOTE, proposal_id=2)
    # A vote that is refused drops the automatic one; asking whether it would be does not.
    late = now + 600_000
    with pytest.raises(ProposalExpired):
        conversations.check("c", Operation.VOTE, proposal_id=2, now=late)
    assert journal.head() == head
    conversations.remove("c", now=late)
    with pytest.raises(ConversationEnded):
        conversations.check("c", Operation.SEND_CHAT, now=late)


def test_a_joiner_is_told_by_number_that_there_is_nothing_to_vote_on() -> None:
    waiting = given_conversation(*IN_PHASE[Phase.PENDING_JOIN])
    waiting.when(conversation.check, Operation.VOTE).then()
    waiting.when(conversation.check, Operation.VOTE, 1).refused(ProposalNotFound)
