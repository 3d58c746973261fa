"""Opening proposals, voting on them, and what the outcome leads to (de-mls 2.4, 2.5, 4.2 to 4.4)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, strategies as st
from muniment.domain import (
    AlreadyVoted,
    ApprovedRequest,
    ConversationConfig,
    CreatorVote,
    Event,
    InvalidArgument,
    NotAnElection,
    OperatingMode,
    Outcome,
    Phase,
    ProposalExists,
    ProposalExpired,
    ProposalKind,
    ProposalNotActive,
    ProposalNotFound,
    ProposalRequest,
    StewardListReason,
    Violation,
    conversation,
)
from muniment.domain.conversation import (
    AutoVoteCancelled,
    AutoVoteFailed,
    AutoVoteFired,
    AutoVoteScheduled,
    CancelReason,
    Cause,
    ConsensusResolved,
    ConsensusTimeoutCancelled,
    ConsensusTimeoutScheduled,
    ElectionRetriesChanged,
    OperatingModeChanged,
    ProposalApproved,
    ProposalOpened,
    ProposalReceived,
    RemovalDeduplicated,
    ResolvedVia,
    ScoreChanged,
    ScoreReason,
    StewardList,
    StewardListInstalled,
    VoteCast,
    VoteSource,
)

from ..given_when_then import Given, given_conversation
from .conversation_facts import (
    ADD,
    BELOW,
    BROKEN,
    CREATED,
    DEADLOCK,
    ELECTION,
    IN_PHASE,
    JOINING,
    LET_IN,
    MEMBER,
    REMOVE_BOB,
    approved,
    auto_vote,
    opened,
    own,
    proposal,
    received,
    resolved,
    timeout,
    types,
    voted,
)


def member(config: ConversationConfig) -> tuple[Event[Any], ...]:
    """Alice in the group, as a configuration says."""
    return (replace(JOINING, config=config), *MEMBER[1:])


def go(begin: Given, *events: Event[Any]) -> Given:
    """And then this happens."""
    for event in events:
        begin.state.apply(event)
    return begin


# Votes that have come, how many are expected, how the silent count: what that is before and at the timeout.
TALLIES = [
    # One or two vote: all must have voted, and all must agree; a timeout does not help.
    ((0, 0, 1, True), None, Outcome.FAILED),
    ((1, 0, 1, True), Outcome.YES, Outcome.YES),
    ((0, 1, 1, True), Outcome.NO, Outcome.NO),
    ((1, 0, 2, True), None, Outcome.FAILED),
    ((2, 0, 2, False), Outcome.YES, Outcome.YES),
    ((1, 1, 2, True), Outcome.NO, Outcome.NO),
    ((0, 2, 2, True), Outcome.NO, Outcome.NO),
    # More: two thirds must have voted before the silent count; at the timeout they count at once.
    ((1, 0, 3, True), None, Outcome.YES),
    ((0, 1, 3, True), None, Outcome.YES),
    ((0, 1, 3, False), None, Outcome.NO),
    ((0, 0, 3, True), None, Outcome.YES),
    ((0, 0, 3, False), None, Outcome.NO),
    ((1, 1, 3, True), Outcome.YES, Outcome.YES),
    ((1, 1, 3, False), Outcome.NO, Outcome.NO),
    ((2, 0, 3, False), Outcome.YES, Outcome.YES),
    # Three to two of five is neither.
    ((3, 2, 5, True), None, Outcome.FAILED),
    ((2, 3, 5, False), None, Outcome.FAILED),
    ((4, 1, 5, False), Outcome.YES, Outcome.YES),
    # A tie of all goes to the side of the silent.
    ((2, 2, 4, True), Outcome.YES, Outcome.YES),
    ((2, 2, 4, False), Outcome.NO, Outcome.NO),
    ((2, 1, 4, True), Outcome.YES, Outcome.YES),
    ((2, 1, 4, False), None, Outcome.FAILED),
]


@pytest.mark.parametrize(("votes", "before", "at_timeout"), TALLIES)
def test_what_votes_come_to(
    votes: tuple[int, int, int, bool], before: Outcome | None, at_timeout: Outcome | None
) -> None:
    yes, no, voters, liveness_yes = votes
    assert conversation.tally(yes, no, voters, liveness_yes=liveness_yes) is before
    assert conversation.tally(yes, no, voters, liveness_yes=liveness_yes, at_timeout=True) is at_timeout


@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 12), st.booleans(), st.booleans())
def test_the_tally_is_fair(voters: int, yes: int, no: int, liveness_yes: bool, at_timeout: bool) -> None:
    if yes + no > voters:
        return
    outcome = conversation.tally(yes, no, voters, liveness_yes=liveness_yes, at_timeout=at_timeout)
    # At the timeout it is over; before it, never by failing.
    assert outcome is not None if at_timeout else outcome is not Outcome.FAILED
    # Turning every vote and the silent round turns the outcome round. Two who disagree are a no either way.
    mirrored = conversation.tally(no, yes, voters, liveness_yes=not liveness_yes, at_timeout=at_timeout)
    turned = {Outcome.YES: Outcome.NO, Outcome.NO: Outcome.YES, Outcome.FAILED: Outcome.FAILED, None: None}
    if (voters, yes, no) != (2, 1, 1):
        assert mirrored is turned[outcome]
    # Nobody wins against two thirds of the votes that were cast.
    if outcome is Outcome.YES:
        assert no * 3 <= voters or no * 2 <= voters
    # One more yes turns no yes into a no.
    if outcome is Outcome.YES and yes + no < voters:
        assert conversation.tally(yes + 1, no, voters, liveness_yes=liveness_yes, at_timeout=at_timeout) is Outcome.YES


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
    go(begin, cancelled).when(conversation.tick, 10_000).then()


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


# What follows from each outcome, beside dropping the deadlines (de-mls 4.4).
REMOVAL = ProposalRequest.remove_member("bob")
CENSORED = ProposalRequest.emergency(Violation.CENSORSHIP, "bob")
MALFORMED = ProposalRequest.emergency(Violation.BROKEN_PROPOSAL, "bob")
OUTCOMES: list[tuple[ProposalRequest, Outcome, list[str], dict[str, int]]] = [
    (ADD, Outcome.YES, ["proposal_approved"], {}),
    (ADD, Outcome.NO, [], {}),
    (ADD, Outcome.FAILED, [], {}),
    (REMOVE_BOB, Outcome.YES, ["proposal_approved"], {}),
    (ELECTION, Outcome.YES, [], {}),
    (ELECTION, Outcome.NO, ["election_retries_changed"], {}),
    (ELECTION, Outcome.FAILED, ["election_retries_changed"], {}),
    (BROKEN, Outcome.YES, ["score_changed", "score_changed"], {"carol": 120, "bob": 50}),
    (MALFORMED, Outcome.YES, ["score_changed", "score_changed"], {"carol": 120, "bob": 70}),
    (CENSORED, Outcome.YES, ["score_changed", "score_changed"], {"carol": 120, "bob": 60}),
    (CENSORED, Outcome.NO, ["score_changed"], {"carol": 50}),
    (CENSORED, Outcome.FAILED, ["score_changed"], {"carol": 50}),
    (BELOW, Outcome.YES, ["proposal_approved", "score_changed", "phase_changed"], {"carol": 120}),
    (DEADLOCK, Outcome.YES, ["operating_mode_changed", "score_changed", "phase_changed"], {"carol": 120}),
    (DEADLOCK, Outcome.NO, ["score_changed"], {"carol": 50}),
]


@pytest.mark.parametrize(("request_", "outcome", "follows", "scores"), OUTCOMES)
def test_what_follows_from_an_outcome(
    request_: ProposalRequest, outcome: Outcome, follows: list[str], scores: dict[str, int]
) -> None:
    begin = given_conversation(*MEMBER, received(request=request_), auto_vote())
    events = begin.when(conversation.resolve, 1, outcome, 9).accepted()
    assert types(events) == ["consensus_resolved", "auto_vote_cancelled", *follows]
    go(begin, *events)
    assert begin.state.scores == scores
    assert begin.state.resolved[1].outcome is outcome
    assert begin.state.situation.proposals == begin.state.situation.emergencies == 0
    # Nothing follows a second time.
    begin.when(conversation.resolve, 1, Outcome.YES, 10).then()
    begin.when(conversation.resolve, 1, Outcome.NO, 10).then()


def test_a_low_score_that_is_confirmed_is_an_urgent_removal() -> None:
    begin = given_conversation(*MEMBER, received(request=BELOW))
    events = begin.when(conversation.resolve, 1, Outcome.YES, 9).accepted()
    assert events[1] == ProposalApproved("c", 9, ApprovedRequest(1, REMOVAL), is_urgent=True)
    assert go(begin, *events).state.urgent_target == "bob"


def test_a_removal_is_approved_once() -> None:
    twice = (received(request=BELOW), received(proposal_id=2, request=REMOVAL))
    begin = given_conversation(*MEMBER, approved(7, REMOVAL), *twice)
    deduplicated = begin.when(conversation.resolve, 2, Outcome.YES, 9).accepted()[1]
    assert deduplicated == RemovalDeduplicated("c", 9, 2, "bob", 7)
    # Also by an emergency, which then forces no freeze.
    events = begin.when(conversation.resolve, 1, Outcome.YES, 9).accepted()
    assert types(events) == ["consensus_resolved", "removal_deduplicated", "score_changed"]


def test_scenario_110_an_outcome_that_comes_again_drops_the_vote_and_nothing_else() -> None:
    begin = given_conversation(*MEMBER, received(), resolved(proposal(), Outcome.YES), auto_vote())
    begin.when(conversation.resolve, 1, Outcome.YES, 9).then(AutoVoteCancelled("c", 9, 1, CancelReason.RESOLVED))


def test_an_outcome_that_comes_again_with_a_vote_drops_what_is_due_too() -> None:
    begin = given_conversation(*MEMBER, received(), resolved(proposal(), Outcome.YES), auto_vote(), timeout())
    facts: Any = ("c", 9, 1, CancelReason.RESOLVED)
    dropped = (AutoVoteCancelled(*facts), ConsensusTimeoutCancelled(*facts))
    begin.when(conversation.receive_vote, 1, "bob", True, 9).then(*dropped)
    begin.when(conversation.resolve, 1, Outcome.NO, 9).then(*dropped)


def test_what_is_approved_keeps_its_number_when_its_outcome_is_forgotten() -> None:
    begin = given_conversation(*MEMBER, received(), resolved(proposal(), Outcome.YES), approved(1))
    for number in range(2, 259):
        go(begin, received(proposal_id=number), resolved(proposal(number), Outcome.NO))
    assert 1 not in begin.state.resolved
    begin.when(conversation.open_proposal, 1, ADD, 3, CreatorVote.YES, 9).refused(ProposalExists, proposal_id=1)
    begin.when(conversation.receive_proposal, 1, ADD, "carol", 3, None, None, 9).refused(ProposalExists)


def test_256_outcomes_are_remembered() -> None:
    begin = given_conversation(*MEMBER)
    for number in range(257):
        go(begin, received(proposal_id=number), resolved(proposal(number), Outcome.NO))
    begin.when(conversation.resolve, 0, Outcome.YES, 9).refused(ProposalNotFound)
    begin.when(conversation.resolve, 1, Outcome.YES, 9).then()


@pytest.mark.parametrize(("outcome", "spared"), list(product([Outcome.YES, Outcome.NO], [True, False])))
def test_scenario_109_an_emergency_that_is_resolved_ends_a_reelection(outcome: Outcome, spared: bool) -> None:
    config = ConversationConfig(only_approved_emergencies_end_reelection=spared)
    phases = IN_PHASE[Phase.REELECTION][len(MEMBER) :]
    begin = given_conversation(*member(config), *phases, received(at=30_100, request=BROKEN))
    events = begin.when(conversation.resolve, 1, outcome, 40_000).accepted()
    ends = outcome is Outcome.YES or not spared
    assert ("phase_changed" in types(events)) == ends
    if ends:
        last: Any = events[-1]
        assert (last.phase, last.cause) == (Phase.WORKING, Cause.EMERGENCY_RESOLVED)


def test_an_election_that_is_rejected_is_counted() -> None:
    begin = given_conversation(*MEMBER, received(request=ELECTION))
    (_, retries) = begin.when(conversation.resolve, 1, Outcome.NO, 9).accepted()
    assert retries == ElectionRetriesChanged("c", 9, 0, 1, 1)
    # The window is that of recovery from now on (de-mls 1.4, 3).
    go(begin, retries, approved())
    assert conversation.inactivity_window(begin.state.situation) == 5_000


def test_an_election_that_is_accepted_ends_reelection_and_recovery() -> None:
    begin = given_conversation(
        *IN_PHASE[Phase.REELECTION],
        OperatingModeChanged("c", 30_100, OperatingMode.NORMAL, OperatingMode.RECOVERY, Cause.DEADLOCK),
        ElectionRetriesChanged("c", 30_100, 0, 1, 1),
        received(at=30_100, request=ELECTION),
    )
    events = begin.when(conversation.accept_election, 1, ("carol", "alice"), 40_000).accepted()
    assert types(events) == [
        "consensus_resolved",
        "steward_list_installed",
        "operating_mode_changed",
        "phase_changed",
    ]
    installed = StewardList(("carol", "alice"), 5, 1, StewardListReason.ELECTION, 1)
    assert events[1] == StewardListInstalled("c", 40_000, installed)
    go(begin, *events)
    # Only a commit forgets the rejected ones (de-mls 4.5).
    assert begin.state.situation.retries == 1
    assert (begin.state.situation.mode, begin.state.situation.phase) == (OperatingMode.NORMAL, Phase.WORKING)
    begin.when(conversation.accept_election, 1, ("bob",), 40_001).then()


@pytest.mark.parametrize("phase", [Phase.WORKING, Phase.FREEZING, Phase.SELECTION])
def test_scenario_108_an_election_keeps_any_other_phase(phase: Phase) -> None:
    begin = given_conversation(*IN_PHASE[phase], received(at=30_100, request=ELECTION))
    before = begin.state.situation
    events = begin.when(conversation.accept_election, 1, ("carol",), 40_000).accepted()
    assert types(events) == ["consensus_resolved", "steward_list_installed"]
    after = go(begin, *events).state.situation
    assert (after.phase, after.anchor, after.stewards) == (before.phase, before.anchor, 1)


def test_only_an_election_that_was_won_installs_a_list() -> None:
    lost = given_conversation(*MEMBER, received(request=ELECTION), resolved(proposal(request=ELECTION), Outcome.NO))
    lost.when(conversation.accept_election, 1, ("bob",), 9).refused(ProposalNotActive, outcome="no")
    given_conversation(*MEMBER, received()).when(conversation.accept_election, 1, ("bob",), 9).refused(
        NotAnElection, kind=ProposalKind.ADD_MEMBER
    )
    won = given_conversation(*MEMBER, received(request=ELECTION), resolved(proposal(request=ELECTION), Outcome.YES))
    assert types(won.when(conversation.accept_election, 1, ("bob",), 9).accepted()) == ["steward_list_installed"]


def test_scores_say_when_they_come_down_to_where_a_member_is_removable() -> None:
    begin = given_conversation(*MEMBER)
    crossed = []
    for number in range(3):
        go(begin, received(proposal_id=number, request=BROKEN))
        events = begin.when(conversation.resolve, number, Outcome.YES, 9).accepted()
        crossed += [each.crossed_down for each in events if isinstance(each, ScoreChanged) and each.member == "bob"]
        go(begin, *events)
    assert begin.state.scores["bob"] == -50
    # From 50 to 0: at the threshold is removable; and only once.
    assert crossed == [False, True, False]
    assert {each.reason for each in events if isinstance(each, ScoreChanged)} == {
        ScoreReason.EMERGENCY_CONFIRMED,
        ScoreReason.BROKEN_COMMIT,
    }


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
    go(begin, fired, failed).when(conversation.tick, 10_001).then()


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
