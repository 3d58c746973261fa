"""The last 256 outcomes are remembered, and those that wait for a commit; all calls keep to that (de-mls 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from muniment.domain import (
    MunimentError,
    NotAnElection,
    Operation,
    ProposalExists,
    ProposalNotActive,
    ProposalNotFound,
    ProposalRequest,
)
from muniment.domain.conversation import self_leave_id
from muniment.domain.conversation.state import RESOLVED_CAPACITY
from muniment.journal import Journal

from ..domain.conversation_facts import ADD, ELECTION
from .conversation_stories import member

OTHER = ProposalRequest(ADD.kind, "eve")

CALLS: dict[str, Callable[[Any, int], Any]] = {
    "vote": lambda c, number: c.vote("c", number, True, now=9),
    "check of a vote": lambda c, number: c.check("c", Operation.VOTE, proposal_id=number, now=9),
    "receive_vote": lambda c, number: c.receive_vote("c", number, "bob", True, now=9),
    "approve": lambda c, number: c.approve("c", number, now=9),
    "reject": lambda c, number: c.reject("c", number, now=9),
    "accept_election": lambda c, number: c.accept_election("c", number, ["bob"], now=9),
    "schedule_auto_vote": lambda c, number: c.schedule_auto_vote("c", number, True, delay_ms=5, now=9),
    "schedule_timeout": lambda c, number: c.schedule_timeout("c", number, delay_ms=5, now=9),
}
OPENING: dict[str, Callable[[Any, int], Any]] = {
    "open_proposal": lambda c, number: c.open_proposal("c", number, OTHER, voters=3, now=9),
    "check of opening": lambda c, number: c.check("c", Operation.OPEN_COMMIT_PROPOSAL, proposal_id=number, now=9),
    "receive_proposal": lambda c, number: c.receive_proposal("c", number, OTHER, creator="bob", voters=3, now=9),
}
RESOLVED: dict[str, Callable[[Any], Any]] = {
    "no": lambda c: c.reject("c", 1, now=0),
    "failed": lambda c: c.reject("c", 1, failed=True, now=0),
    "yes": lambda c: c.approve("c", 1, now=0),
}


def answer(journal: Journal, call: Callable[[Any, int], Any], number: int = 1) -> Any:
    """What a call answers, or is refused with."""
    try:
        return call(journal.conversations, number)
    except MunimentError as error:
        return type(error)


def push_out(journal: Journal, how_many: int = RESOLVED_CAPACITY) -> None:
    """So many are resolved since, and none of them waits for a commit."""
    for number in range(1_000, 1_000 + how_many):
        journal.conversations.receive_proposal("c", number, OTHER, creator="bob", voters=3, now=1)
        journal.conversations.reject("c", number, now=1)


@pytest.fixture
def journal() -> Any:
    with Journal.open("memory://", clock=lambda: 0) as opened:
        member(opened)
        yield opened


@pytest.mark.parametrize("outcome", ["no", "failed"])
def test_what_is_pushed_out_is_not_found_by_any_call_and_its_number_is_free(outcome: str, journal: Journal) -> None:
    journal.conversations.receive_proposal("c", 1, ADD, creator="carol", voters=3, now=0)
    RESOLVED[outcome](journal.conversations)
    push_out(journal, RESOLVED_CAPACITY - 1)
    head = journal.head()
    # The last that is remembered is known to every call.
    known = {name: answer(journal, call) for name, call in CALLS.items() if "schedule" not in name}
    assert ProposalNotFound not in known.values()
    assert journal.conversations.state("c").resolved[1] == outcome
    assert {answer(journal, call) for call in OPENING.values()} == {ProposalExists}
    assert (known["vote"], known["receive_vote"], known["check of a vote"]) == (
        3 * ((ProposalNotActive,) if outcome == "failed" else (None,))
    )
    assert journal.head() == head
    push_out_one_more(journal)
    head = journal.head()
    assert {name: answer(journal, call) for name, call in CALLS.items()} == dict.fromkeys(CALLS, ProposalNotFound)
    assert journal.head() == head
    assert 1 not in journal.conversations.state("c").resolved
    # The tables tell what became of the last proposal that had the number.
    assert (journal.proposals["c", 1].status, journal.proposals["c", 1].creator) == (outcome, "carol")
    assert [each.at for each in journal.proposals.timeline("c", 1)][-1] == 0
    assert answer(journal, OPENING["check of opening"]) is None
    for name in ("open_proposal", "receive_proposal"):
        answer(journal, OPENING[name])
    row, timeline = journal.proposals["c", 1], journal.proposals.timeline("c", 1)
    assert (row.status, row.creator, row.request) == ("open", "alice", OTHER)
    assert {each.at for each in timeline} == {9}
    assert {name: answer(journal, CALLS[name]) for name in ("vote", "receive_vote")}["receive_vote"] is None
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def push_out_one_more(journal: Journal) -> None:
    journal.conversations.receive_proposal("c", 2_000, OTHER, creator="bob", voters=3, now=1)
    journal.conversations.reject("c", 2_000, now=1)


def test_what_waits_for_a_commit_is_known_to_every_call_until_then(journal: Journal) -> None:
    journal.conversations.receive_proposal("c", 1, ADD, creator="carol", voters=3, now=0)
    journal.conversations.approve("c", 1, now=0)
    before = {name: answer(journal, call) for name, call in CALLS.items() if "schedule" not in name}
    push_out(journal)
    head = journal.head()
    after = {name: answer(journal, call) for name, call in CALLS.items() if "schedule" not in name}
    assert after == before
    assert (after["vote"], after["receive_vote"], after["accept_election"]) == (None, None, NotAnElection)
    assert {answer(journal, call) for call in OPENING.values()} == {ProposalExists}
    assert journal.head() == head
    assert (journal.proposals["c", 1].status, journal.conversations.state("c").resolved[1]) == ("yes", "yes")
    assert len(journal.conversations.state("c").resolved) == RESOLVED_CAPACITY + 1
    # A deadline that is set for it by hand ends with its outcome, as that of any that is remembered does.
    for name in ("schedule_auto_vote", "schedule_timeout"):
        assert answer(journal, CALLS[name]) is None
    assert journal.conversations["c"].deadlines
    journal.conversations.approve("c", 1, now=9)
    assert all(each.proposal_id is None for each in journal.conversations["c"].deadlines)
    journal.conversations.commit_applied("c", "h-1", "bob", now=10)
    assert {name: answer(journal, call) for name, call in CALLS.items()} == dict.fromkeys(CALLS, ProposalNotFound)
    assert answer(journal, OPENING["check of opening"]) is None
    assert journal.verify().findings == ()


def test_an_election_that_is_pushed_out_is_accepted_by_nobody(journal: Journal) -> None:
    journal.conversations.receive_proposal("c", 1, ELECTION, creator="carol", voters=3, now=0)
    journal.conversations.accept_election("c", 1, ["carol"], now=0)
    assert answer(journal, CALLS["accept_election"]) is None
    push_out(journal)
    head = journal.head()
    assert {name: answer(journal, call) for name, call in CALLS.items()} == dict.fromkeys(CALLS, ProposalNotFound)
    assert journal.head() == head
    assert journal.conversations.state("c").stewards == ("carol",)


def test_a_number_that_is_used_again_is_remembered_from_then_on(journal: Journal) -> None:
    number = self_leave_id("alice")
    stays = ["alice", "bob", "carol"]
    assert journal.conversations.leave("c", now=0) == number
    push_out(journal, RESOLVED_CAPACITY - 1)
    journal.conversations.commit_applied("c", "h-1", "bob", members=stays, now=2)
    assert journal.conversations.leave("c", now=3) == number
    journal.conversations.commit_applied("c", "h-2", "bob", members=stays, now=4)
    push_out_one_more(journal)
    assert journal.conversations.state("c").resolved[number] == "yes"
    assert answer(journal, CALLS["vote"], number) is None
    assert journal.verify().findings == ()


def test_a_proposal_that_is_withdrawn_and_given_back_keeps_its_timeline(journal: Journal) -> None:
    start = journal.head()
    journal.conversations.receive_proposal("c", 1, ADD, creator="carol", voters=3, now=0)
    version = journal.record(journal.head()).version
    first = journal.proposals.timeline("c", 1)
    journal.rollback("conversation-c", journal.record(start).version)
    journal.rollback("conversation-c", version)
    timeline = journal.proposals.timeline("c", 1)
    assert timeline[: len(first)] == first
    assert len(timeline) == 3 * len(first)


def test_the_refusal_says_that_it_may_have_been_forgotten(journal: Journal) -> None:
    with pytest.raises(ProposalNotFound, match="knows no proposal 1, or not any more"):
        journal.conversations.vote("c", 1, True)
