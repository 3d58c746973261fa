"""Opening proposals and voting on them, by hand and by themselves (de-mls 2.4, 2.5, 4.2, 4.3)."""

from __future__ import annotations

from typing import Any

import pytest
from muniment.domain import (
    AlreadyVoted,
    ApprovedRequest,
    ConversationConfig,
    CreatorVote,
    Event,
    InvalidArgument,
    Outcome,
    Phase,
    ProposalExists,
    ProposalExpired,
    ProposalKind,
    ProposalNotActive,
    ProposalNotFound,
    ProposalRequest,
    Violation,
    conversation,
)
from muniment.domain.conversation import (
    AutoVoteCancelled,
    AutoVoteFailed,
    AutoVoteFired,
    AutoVoteScheduled,
    CancelReason,
    ConsensusResolved,
    ConsensusTimeoutCancelled,
    ConsensusTimeoutScheduled,
    ProposalApproved,
    ProposalOpened,
    ProposalReceived,
    ResolvedVia,
    VoteCast,
    VoteSource,
)
from muniment.journal.testing import given_conversation, types

from .conversation_facts import (
    ADD,
    BROKEN,
    CREATED,
    ELECTION,
    IN_PHASE,
    JOINING,
    LET_IN,
    MEMBER,
    REMOVE_BOB,
    auto_vote,
    member,
    opened,
    own,
    proposal,
    received,
    resolved,
    timeout,
    voted,
)


def test_a_proposal_is_opened_with_a_yes() -> None:
    made = own(expires_at_s=601, opened_at=1_500)
    given_conversation(*MEMBER).when(conversation.open_proposal, 1, ADD, 3, CreatorVote.YES, 1_500).then(
        ProposalOpened("c", 1_500, made, CreatorVote.YES),
        ConsensusTimeoutScheduled("c", 1_500, 1, 30_000, 31_500),
        VoteCast("c", 1_500, 1, "alice", True, VoteSource.BUNDLED),
    )


@pytest.mark.parametrize(("request_", "delay"), [(ADD, 10_000), (BROKEN, 10_000), (ELECTION, 5_000)])
def test_a_proposal_is_opened_to_be_voted_on_later(request_: ProposalRequest, delay: int) -> None:
    given_conversation(*MEMBER).when(conversation.open_proposal, 1, request_, 3, CreatorVote.DEFERRED, 0).then(
        ProposalOpened("c", 0, own(request=request_), CreatorVote.DEFERRED),
        ConsensusTimeoutScheduled("c", 0, 1, 30_000, 30_000),
        AutoVoteScheduled("c", 0, 1, True, delay, delay),
    )


def test_scenario_19_elections_have_a_delay_of_their_own() -> None:
    config = ConversationConfig(voting_delay_ms=7_000, election_voting_delay_ms=3_000, liveness_yes=False)
    begin = given_conversation(*member(config))
    for number, request_, delay in ((1, ADD, 7_000), (2, ELECTION, 3_000), (3, BROKEN, 7_000)):
        events = begin.when(conversation.receive_proposal, number, request_, "carol", 3, None, None, 0).accepted()
        # What is voted by itself is what the silent would have.
        assert events[1] == AutoVoteScheduled("c", 0, number, False, delay, delay)


def test_a_peers_proposal_comes_with_its_vote_and_has_no_timeout_here() -> None:
    given_conversation(*MEMBER).when(conversation.receive_proposal, 1, ADD, "carol", 3, True, 600, 0).then(
        ProposalReceived("c", 0, proposal()),
        auto_vote(),
        VoteCast("c", 0, 1, "carol", True, VoteSource.PEER),
    )


def test_a_peers_proposal_times_out_here_if_the_configuration_says_so() -> None:
    begin = given_conversation(*member(ConversationConfig(peers_time_out=True)))
    events = begin.when(conversation.receive_proposal, 1, ADD, "carol", 3, None, None, 0).accepted()
    assert types(events) == ["proposal_received", "auto_vote_scheduled", "consensus_timeout_scheduled"]


@pytest.mark.parametrize(
    ("request_", "creator"), [(ADD, "carol"), (REMOVE_BOB, "carol"), (BROKEN, "bob"), (ELECTION, "bob")]
)
def test_what_only_its_creator_votes_on_can_only_remove_it(request_: ProposalRequest, creator: str) -> None:
    begin = given_conversation(*MEMBER)
    begin.when(conversation.receive_proposal, 1, request_, creator, 1, True, None, 0).then()
    events = begin.when(conversation.receive_proposal, 1, REMOVE_BOB, "bob", 1, True, None, 0).accepted()
    assert types(events) == ["proposal_received", "vote_cast", "consensus_resolved", "proposal_approved"]


@pytest.mark.parametrize("before", [received(), resolved(proposal(), Outcome.NO)], ids=["open", "resolved"])
def test_a_number_is_used_once(before: Event[Any]) -> None:
    begin = given_conversation(*MEMBER, received(), *([before] if before.type != received().type else []))
    begin.when(conversation.open_proposal, 1, ADD, 3, CreatorVote.YES, 0).refused(ProposalExists, proposal_id=1)
    begin.when(conversation.receive_proposal, 1, ADD, "carol", 3, None, None, 0).refused(ProposalExists)


@pytest.mark.parametrize(("now", "is_open"), [(599_999, True), (600_000, False)])
def test_a_proposal_can_be_voted_on_until_its_second(now: int, is_open: bool) -> None:
    begin = given_conversation(*MEMBER, received())
    if is_open:
        assert begin.when(conversation.vote, 1, True, now).accepted()
        assert begin.when(conversation.receive_vote, 1, "bob", True, now).accepted()
        assert begin.when(conversation.receive_proposal, 2, ADD, "carol", 3, None, 600, now).accepted()
        return
    begin.when(conversation.vote, 1, True, now).refused_on_record(ProposalExpired, expires_at_s=600, now=now)
    begin.when(conversation.receive_vote, 1, "bob", True, now).refused(ProposalExpired)
    begin.when(conversation.receive_proposal, 2, ADD, "carol", 3, None, 600, now).refused(ProposalExpired)


def test_a_vote_by_hand_takes_the_place_of_the_one_that_would_be_cast() -> None:
    given_conversation(*MEMBER, received(), auto_vote()).when(conversation.vote, 1, False, 5_000).then(
        AutoVoteCancelled("c", 5_000, 1, CancelReason.MANUAL),
        VoteCast("c", 5_000, 1, "alice", False, VoteSource.MANUAL),
    )


def test_scenario_106_a_vote_by_hand_that_fails_leaves_no_other() -> None:
    begin = given_conversation(*MEMBER, received(), auto_vote(), voted("alice", source=VoteSource.MANUAL))
    cancelled = AutoVoteCancelled("c", 5_000, 1, CancelReason.MANUAL)
    begin.when(conversation.vote, 1, True, 5_000).refused_on_record(AlreadyVoted, cancelled, voter="alice")
    begin.go(cancelled).when(conversation.tick, 10_000).then()


def test_a_vote_by_hand_that_fails_leaves_the_other_if_the_configuration_says_so() -> None:
    config = ConversationConfig(failed_votes_keep_auto_votes=True)
    begin = given_conversation(*member(config), received(), auto_vote(), voted("alice"))
    begin.when(conversation.vote, 1, True, 5_000).refused(AlreadyVoted)


def test_one_vote_each() -> None:
    begin = given_conversation(*MEMBER, received(), voted("bob"))
    begin.when(conversation.receive_vote, 1, "bob", False, 1).refused(AlreadyVoted, voter="bob", proposal_id=1)


@pytest.mark.parametrize("result", [Outcome.YES, Outcome.NO])
def test_a_vote_after_the_outcome_changes_nothing(result: Outcome) -> None:
    begin = given_conversation(*MEMBER, received(), resolved(proposal(), result))
    begin.when(conversation.vote, 1, True, 1).then()
    begin.when(conversation.receive_vote, 1, "bob", True, 1).then()


def test_a_vote_after_voting_failed_is_refused() -> None:
    begin = given_conversation(*MEMBER, received(), resolved(proposal(), Outcome.FAILED))
    begin.when(conversation.receive_vote, 1, "bob", True, 1).refused(ProposalNotActive, outcome="failed")
    begin.when(conversation.vote, 1, True, 1).refused_on_record(ProposalNotActive, outcome="failed")


def test_of_an_unknown_proposal_nothing_is_done() -> None:
    begin = given_conversation(*MEMBER)
    begin.when(conversation.vote, 1, True, 1).refused_on_record(ProposalNotFound, proposal_id=1)
    begin.when(conversation.receive_vote, 1, "bob", True, 1).refused(ProposalNotFound)
    begin.when(conversation.resolve, 1, Outcome.YES, 1).refused(ProposalNotFound)
    begin.when(conversation.accept_election, 1, ("bob",), 1).refused(ProposalNotFound)
    begin.when(conversation.schedule_auto_vote, 1, True, 5, 1).refused(ProposalNotFound)
    begin.when(conversation.schedule_timeout, 1, 5, 1).refused(ProposalNotFound)
    # Dropping what is not there is nothing.
    begin.when(conversation.cancel_auto_vote, 1, 1).then()
    begin.when(conversation.cancel_timeout, 1, 1).then()


def test_before_a_joiner_is_let_in_the_group_is_not_heard() -> None:
    begin = given_conversation(JOINING)
    begin.when(conversation.receive_proposal, 1, ADD, "carol", 3, None, None, 1).then()
    begin.when(conversation.receive_vote, 1, "bob", True, 1).then()


def test_the_last_vote_decides_and_everything_follows_at_once() -> None:
    begin = given_conversation(*MEMBER, opened(), timeout(), auto_vote(), voted("bob"))
    begin.when(conversation.receive_vote, 1, "carol", True, 9).then(
        VoteCast("c", 9, 1, "carol", True, VoteSource.PEER),
        ConsensusResolved("c", 9, own(), Outcome.YES, ResolvedVia.VOTES, 2, 0),
        AutoVoteCancelled("c", 9, 1, CancelReason.RESOLVED),
        ConsensusTimeoutCancelled("c", 9, 1, CancelReason.RESOLVED),
        ProposalApproved("c", 9, ApprovedRequest(1, ADD)),
    )


@pytest.mark.parametrize("refuses", [True, False])
def test_a_vote_that_is_due_in_a_freeze_is_cast_unless_the_configuration_refuses(refuses: bool) -> None:
    config = ConversationConfig(auto_votes_keep_phases=refuses)
    begin = given_conversation(*member(config), received(), auto_vote(fire_at=50), IN_PHASE[Phase.FREEZING][-1])
    events = begin.when(conversation.tick, 100).accepted()
    assert events[0] == AutoVoteFired("c", 100, 1, True, 50)
    if refuses:
        assert events[1:] == (AutoVoteFailed("c", 100, 1, "conversation_blocked"),)
    else:
        assert events[1:] == (VoteCast("c", 100, 1, "alice", True, VoteSource.AUTO),)


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ((received(), auto_vote(), voted("alice")), "already_voted"),
        ((received(expires_at_s=1), auto_vote()), "proposal_expired"),
        ((received(), resolved(proposal(), Outcome.YES), auto_vote()), "proposal_not_active"),
    ],
)
def test_a_vote_that_cannot_be_cast_is_not_tried_again(before: tuple[Event[Any], ...], code: str) -> None:
    begin = given_conversation(*MEMBER, *before)
    fired, failed = AutoVoteFired("c", 10_000, 1, True, 10_000), AutoVoteFailed("c", 10_000, 1, code)
    begin.when(conversation.tick, 10_000).then(fired, failed)
    begin.go(fired, failed).when(conversation.tick, 10_001).then()


def test_a_solo_creators_yes_decides_at_once() -> None:
    begin = given_conversation(CREATED, LET_IN)
    events = begin.when(conversation.open_proposal, 1, ADD, 1, CreatorVote.YES, 0).accepted()
    assert types(events)[-3:] == ["consensus_resolved", "consensus_timeout_cancelled", "proposal_approved"]


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": ProposalKind.EMERGENCY, "target": "bob"},
        {"kind": ProposalKind.EMERGENCY, "violation": Violation.CENSORSHIP},
        {"kind": ProposalKind.EMERGENCY, "violation": Violation.DEADLOCK, "target": "bob"},
        {"kind": ProposalKind.ADD_MEMBER},
        {"kind": ProposalKind.REMOVE_MEMBER},
        {"kind": ProposalKind.ADD_MEMBER, "target": "bob", "violation": Violation.DEADLOCK},
        {"kind": ProposalKind.STEWARD_ELECTION, "target": "bob"},
        {"kind": ProposalKind.OTHER, "violation": Violation.DEADLOCK},
    ],
)
def test_a_request_says_what_its_kind_needs_and_nothing_else(facts: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        ProposalRequest(**facts).require_sense()


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "no_kind"},
        {"kind": ProposalKind.ADD_MEMBER, "target": ""},
        {"kind": ProposalKind.ADD_MEMBER, "target": "x" * 10_000},
        {"kind": ProposalKind.ADD_MEMBER, "target": "a\nb"},
        {"kind": ProposalKind.ADD_MEMBER, "target": 7},
        {"kind": ProposalKind.OTHER, "details": "x" * 10_000_000},
    ],
)
def test_a_request_of_nonsense_is_a_typed_error(facts: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="ProposalRequest"):
        ProposalRequest(**facts)


@pytest.mark.parametrize("target", [None, "bob"])
def test_other_requests_are_the_hosts(target: str | None) -> None:
    ProposalRequest(ProposalKind.OTHER, target, details="anything").require_sense()
