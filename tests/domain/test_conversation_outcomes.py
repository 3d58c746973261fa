"""What votes come to, and what that leads to: approvals, elections, emergencies, scores (de-mls 4.3, 4.4)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, strategies as st
from muniment.domain import (
    ApprovedRequest,
    ConversationConfig,
    CreatorVote,
    NotAnElection,
    OperatingMode,
    Outcome,
    Phase,
    ProposalExists,
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
    CancelReason,
    Cause,
    ConsensusTimeoutCancelled,
    ElectionRetriesChanged,
    OperatingModeChanged,
    PhaseTimerAnchored,
    ProposalApproved,
    RemovalDeduplicated,
    ScoreChanged,
    ScoreReason,
    StewardList,
    StewardListInstalled,
)
from muniment.journal.testing import given_conversation, types

from .conversation_facts import (
    ADD,
    BELOW,
    BROKEN,
    DEADLOCK,
    ELECTION,
    IN_PHASE,
    MEMBER,
    REMOVE_BOB,
    approved,
    auto_vote,
    member,
    proposal,
    received,
    resolved,
    timeout,
)

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


VOTES = st.integers(1, 12).flatmap(
    lambda voters: st.integers(0, voters).flatmap(
        lambda yes: st.tuples(st.just(voters), st.just(yes), st.integers(0, voters - yes))
    )
)


@given(VOTES, st.booleans(), st.booleans())
def test_the_tally_is_fair(votes: tuple[int, int, int], liveness_yes: bool, at_timeout: bool) -> None:
    voters, yes, no = votes

    def count(yes: int, no: int, *, liveness_yes: bool) -> Outcome | None:
        return conversation.tally(yes, no, voters, liveness_yes=liveness_yes, at_timeout=at_timeout)

    outcome = count(yes, no, liveness_yes=liveness_yes)
    # At the timeout it is over; before it, never by failing; and once all have voted, time changes nothing but that.
    assert outcome is not None if at_timeout else outcome is not Outcome.FAILED
    if yes + no == voters:
        over = conversation.tally(yes, no, voters, liveness_yes=liveness_yes, at_timeout=True)
        assert outcome is (over if at_timeout or over is not Outcome.FAILED else None)
    # Turning every vote and the silent round turns the outcome round. Two who disagree are a no either way.
    turned = {Outcome.YES: Outcome.NO, Outcome.NO: Outcome.YES, Outcome.FAILED: Outcome.FAILED, None: None}
    if (voters, yes, no) != (2, 1, 1):
        assert count(no, yes, liveness_yes=not liveness_yes) is turned[outcome]
    # A yes is not against more than a third, but for a tie of all; and one more yes makes it no less.
    if outcome is Outcome.YES:
        assert no * 3 <= voters or yes == no == voters - yes
        if yes + no < voters:
            assert count(yes + 1, no, liveness_yes=liveness_yes) is Outcome.YES


# What follows from each outcome, beside dropping the deadlines (de-mls 4.4).
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
    begin.go(*events)
    assert begin.state.scores == scores
    assert begin.state.resolved[1].outcome is outcome
    assert begin.state.situation.proposals == begin.state.situation.emergencies == 0
    # Nothing follows a second time.
    begin.when(conversation.resolve, 1, Outcome.YES, 10).then()
    begin.when(conversation.resolve, 1, Outcome.NO, 10).then()


def test_a_low_score_that_is_confirmed_is_an_urgent_removal() -> None:
    begin = given_conversation(*MEMBER, received(request=BELOW))
    events = begin.when(conversation.resolve, 1, Outcome.YES, 9).accepted()
    assert events[1] == ProposalApproved("c", 9, ApprovedRequest(1, REMOVE_BOB), is_urgent=True)
    assert begin.go(*events).state.urgent_target == "bob"


def test_a_removal_is_approved_once() -> None:
    twice = (received(request=BELOW), received(proposal_id=2, request=REMOVE_BOB))
    begin = given_conversation(*MEMBER, approved(7, REMOVE_BOB), *twice)
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
        begin.go(received(proposal_id=number), resolved(proposal(number), Outcome.NO))
    assert 1 not in begin.state.resolved
    begin.when(conversation.open_proposal, 1, ADD, 3, CreatorVote.YES, 9).refused(ProposalExists, proposal_id=1)
    begin.when(conversation.receive_proposal, 1, ADD, "carol", 3, None, None, 9).refused(ProposalExists)


def test_256_outcomes_are_remembered() -> None:
    begin = given_conversation(*MEMBER)
    for number in range(257):
        begin.go(received(proposal_id=number), resolved(proposal(number), Outcome.NO))
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
    begin.go(retries, approved())
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
    begin.go(*events)
    # Only a commit forgets the rejected ones (de-mls 4.5).
    assert begin.state.situation.retries == 1
    assert (begin.state.situation.mode, begin.state.situation.phase) == (OperatingMode.NORMAL, Phase.WORKING)
    begin.when(conversation.accept_election, 1, ("bob",), 40_001).then()


@pytest.mark.parametrize("phase", [Phase.WORKING, Phase.FREEZING, Phase.SELECTION])
def test_scenario_108_an_election_keeps_any_other_phase(phase: Phase) -> None:
    waiting = (approved(), PhaseTimerAnchored("c", 7, Phase.WORKING, 1, 60_000)) if phase is Phase.WORKING else ()
    begin = given_conversation(*IN_PHASE[phase], *waiting, received(at=30_100, request=ELECTION))
    before = begin.state.situation
    assert before.anchor is not None
    events = begin.when(conversation.accept_election, 1, ("carol",), 40_000).accepted()
    assert types(events) == ["consensus_resolved", "steward_list_installed"]
    after = begin.go(*events).state.situation
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
        begin.go(received(proposal_id=number, request=BROKEN))
        events = begin.when(conversation.resolve, number, Outcome.YES, 9).accepted()
        crossed += [each.crossed_down for each in events if isinstance(each, ScoreChanged) and each.member == "bob"]
        begin.go(*events)
    assert begin.state.scores["bob"] == -50
    # From 50 to 0: at the threshold is removable; and only once.
    assert crossed == [False, True, False]
    assert {each.reason for each in events if isinstance(each, ScoreChanged)} == {
        ScoreReason.EMERGENCY_CONFIRMED,
        ScoreReason.BROKEN_COMMIT,
    }
