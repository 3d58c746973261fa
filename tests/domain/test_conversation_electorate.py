"""Whose votes count: the voters', and no more than there are (de-mls 4.3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from muniment.domain import ConversationConfig, CreatorVote, Outcome, conversation
from muniment.domain.conversation import ConsensusResolved, ConversationState, ProposalReceived, tally
from muniment.journal.testing import given_conversation, types

from .conversation_facts import ADD, CREATED, MEMBER, REMOVE_BOB, member, opened, proposal, received, timeout, voted

NAMED = frozenset({"alice", "bob", "carol"})


def outcome(events: Any) -> Outcome | None:
    """What was decided, if anything was."""
    return next((each.result for each in events if isinstance(each, ConsensusResolved)), None)


def after_votes(*votes: tuple[str, bool], begin: tuple[Any, ...] = (CREATED,), **facts: Any) -> tuple[Any, ...]:
    """A peer's proposal, and votes on it, one after the other; what the last led to."""
    state = ConversationState("c")
    for event in (*begin, received(**facts)):
        state.apply(event)
    events: tuple[Any, ...] = ()
    for voter, choice in votes:
        events = conversation.receive_vote(state, 1, voter, choice, 0).events
        for event in events:
            state.apply(event)
    return events


def test_a_vote_beyond_the_number_of_voters_decides_nothing() -> None:
    split = (("a", False), ("b", False), ("d", True), ("e", True), ("f", True))
    # Three to two is no two thirds: the five leave it open, and the sixth is not asked.
    for more in (True, False):
        assert types(after_votes(*split, ("g", more), ("h", more), voters=5)) == ["vote_cast"]


def test_at_the_timeout_only_voters_are_counted() -> None:
    votes = [voted(f"m-{number}", number > 1) for number in range(8)]
    events = given_conversation(CREATED, received(voters=5), timeout(1, 30_000), *votes).when(conversation.tick, 30_000)
    (resolved,) = [each for each in events.accepted() if isinstance(each, ConsensusResolved)]
    assert (resolved.yes, resolved.no, resolved.result) == (3, 2, Outcome.FAILED)


@pytest.mark.parametrize("order", [("mallory", "bob"), ("bob", "mallory"), ("mallory", "eve", "bob")])
def test_who_is_no_member_decides_nothing_where_the_members_are_known(order: tuple[str, ...]) -> None:
    votes = [voted(each) for each in order]
    # The strangers' votes are on record.
    last = given_conversation(*MEMBER, received(voters=3), *votes[:-1]).when(
        conversation.receive_vote, 1, order[-1], True, 0
    )
    last.then(votes[-1])
    after = given_conversation(*MEMBER, received(voters=3), *votes)
    events = after.when(conversation.receive_vote, 1, "carol", True, 0).accepted()
    (resolved,) = [each for each in events if isinstance(each, ConsensusResolved)]
    assert (resolved.yes, resolved.no, resolved.result) == (2, 0, Outcome.YES)


def test_where_nobody_said_who_is_in_the_group_any_vote_counts() -> None:
    assert outcome(after_votes(("x", True), ("y", True), voters=3)) is Outcome.YES
    assert outcome(after_votes(("x", True), ("y", True), ("z", True), begin=MEMBER, voters=4)) is Outcome.YES


def test_voters_who_are_named_are_asked_and_nobody_else() -> None:
    begin = given_conversation(CREATED)
    named = begin.when(conversation.receive_proposal, 1, ADD, "bob", NAMED, None, None, 0).accepted()
    assert named[0] == ProposalReceived("c", 0, proposal(creator="bob", voters=3, voter_names=NAMED, expires_at_s=600))
    asked = given_conversation(CREATED, *named)
    for events in (("x", "y", "z"), ("bob", "x", "y")):
        votes = [voted(each) for each in events]
        asked_more = given_conversation(CREATED, *named, *votes)
        more = asked_more.when(conversation.receive_vote, 1, "w", True, 0).accepted()
        assert types(more) == ["vote_cast"]
    asked.when(conversation.receive_vote, 1, "bob", True, 0).then(voted("bob"))
    both = given_conversation(CREATED, *named, voted("x", False), voted("bob"))
    assert outcome(both.when(conversation.receive_vote, 1, "carol", True, 0).accepted()) is Outcome.YES


def test_who_is_not_named_has_no_automatic_vote() -> None:
    others = frozenset({"bob", "carol"})
    for events in (
        given_conversation(CREATED).when(conversation.receive_proposal, 1, ADD, "bob", others, None, None, 0),
        given_conversation(CREATED).when(conversation.open_proposal, 1, ADD, others, CreatorVote.DEFERRED, 0),
    ):
        assert "auto_vote_scheduled" not in types(events.accepted())


def test_only_who_leaves_decides_that_it_does() -> None:
    leaving = received(request=REMOVE_BOB, creator="bob", voters=1)
    begin = given_conversation(*MEMBER, leaving)
    assert types(begin.when(conversation.receive_vote, 1, "carol", True, 0).accepted()) == ["vote_cast"]
    after = given_conversation(*MEMBER, leaving, voted("carol"))
    assert outcome(after.when(conversation.receive_vote, 1, "bob", True, 0).accepted()) is Outcome.YES
    # One who is named as the only voter, and is not its creator, has no say in it.
    other = (1, REMOVE_BOB, "bob", frozenset({"carol"}), True, None, 0)
    given_conversation(*MEMBER).when(conversation.receive_proposal, *other).then()


def test_who_left_the_group_meanwhile_was_a_voter() -> None:
    removed = conversation.CommitApplied(
        "c", 0, 6, "bob", "h-1", (), 0, members=frozenset({"alice", "dave", "eve", "bob"})
    )
    votes = (voted("carol"), removed)
    begin = given_conversation(*MEMBER, received(voters=3), *votes)
    # Carol was in the group when it was asked; eve was not.
    begin.when(conversation.receive_vote, 1, "eve", True, 0).then(voted("eve"))
    assert outcome(begin.when(conversation.receive_vote, 1, "bob", True, 0).accepted()) is Outcome.YES


def test_an_own_proposal_counts_its_voters_as_well() -> None:
    begin = given_conversation(*member(ConversationConfig()), opened(voters=3), voted("x"), voted("y"), voted("z"))
    assert types(begin.when(conversation.vote, 1, True, 0).accepted()) == ["vote_cast"]
    more = given_conversation(*MEMBER, opened(voters=3), voted("x"), voted("alice"))
    assert outcome(more.when(conversation.receive_vote, 1, "bob", True, 0).accepted()) is Outcome.YES


@given(
    st.lists(st.tuples(st.sampled_from([f"m-{n}" for n in range(9)]), st.booleans()), unique_by=lambda each: each[0]),
    st.integers(2, 6),
    st.booleans(),
    st.booleans(),
)
def test_the_outcome_is_that_of_the_first_votes_of_voters(
    votes: list[tuple[str, bool]], voters: int, is_named: bool, liveness_yes: bool
) -> None:
    names = frozenset(f"m-{number}" for number in range(voters))
    state = ConversationState("c")
    facts: dict[str, Any] = {"voter_names": names} if is_named else {}
    state.apply(CREATED)
    state.apply(received(voters=voters, liveness_yes=liveness_yes, **facts))
    counted: list[bool] = []
    expected = None
    for voter, choice in votes:
        events = conversation.receive_vote(state, 1, voter, choice, 0).events
        if (not is_named or voter in names) and len(counted) < voters:
            counted.append(choice)
        yes = sum(counted)
        expected = tally(yes, len(counted) - yes, voters, liveness_yes=liveness_yes)
        assert outcome(events) == expected
        for event in events:
            state.apply(event)
        if expected is not None:
            break
    assert (1 in state.proposals) == (expected is None)
