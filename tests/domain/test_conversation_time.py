"""What is due when, and what a tick does about it (de-mls 2, 5.1, 5.5, 6.1, 6.2, 6.9; law 10)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from muniment.domain import (
    ConfigChanges,
    ConversationConfig,
    Event,
    InvalidArgument,
    OperatingMode,
    Outcome,
    Phase,
    conversation,
)
from muniment.domain.conversation import (
    AutoVoteCancelled,
    AutoVoteFired,
    CancelReason,
    Cause,
    ConfigSynced,
    ConsensusTimeoutCancelled,
    ConsensusTimeoutFired,
    ConversationState,
    Deadline,
    DeadlineKind,
    FreezeRoundOpened,
    LeaveReason,
    MemberLeaving,
    OperatingModeChanged,
    OperationFailed,
    PendingJoinExpired,
    PhaseTimerAnchored,
    VoteCast,
    VoteSource,
    inactivity_window,
    next_wakeup,
    phase_deadline,
    require_synchronisable,
)
from muniment.journal.testing import Given, given_conversation, types

from .conversation_facts import (
    ELECTION,
    FREEZING,
    IN_PHASE,
    JOINING,
    MEMBER,
    STEWARDS,
    approved,
    auto_vote,
    opened,
    proposal,
    received,
    resolved,
    timeout,
    voted,
)

WAITING = (*MEMBER, approved())


def anchored(at: int = 0) -> PhaseTimerAnchored:
    """Approved work was seen for the first time."""
    return PhaseTimerAnchored("c", at, Phase.WORKING, 1, 60_000)


def ticks(begin: Given, *times: int) -> list[list[str]]:
    """What each of several ticks does."""
    told = []
    for now in times:
        events = begin.when(conversation.tick, now).accepted()
        told.append(types(events))
        for event in events:
            begin.state.apply(event)
    return told


def joining(window: int = 50, **facts: Any) -> Event[Any]:
    return replace(JOINING, config=ConversationConfig(commit_inactivity_ms=window, **facts))


@pytest.mark.parametrize(("age", "is_over"), [(0, False), (125, False), (149, False), (150, True), (200, True)])
def test_scenario_1_a_joiner_waits_for_three_windows(age: int, is_over: bool) -> None:
    begin = given_conversation(joining())
    asked = begin.when(conversation.tick, age)
    if is_over:
        asked.then(PendingJoinExpired("c", age, 0, 150), MemberLeaving("c", age, LeaveReason.EXPIRED))
    else:
        asked.then()


def test_scenario_2_who_is_let_in_does_not_expire() -> None:
    begin = given_conversation(*WAITING, anchored())
    deadline = phase_deadline(begin.state.situation)
    assert deadline is not None
    assert deadline.kind is DeadlineKind.INACTIVITY
    assert ticks(begin, 3_600_000) == [["freeze_round_opened", "phase_changed"]]


def test_scenario_3_the_first_tick_that_sees_approved_work_starts_the_window() -> None:
    begin = given_conversation(*WAITING)
    begin.when(conversation.tick, 7).then(anchored(7))
    begin.state.apply(anchored(7))
    assert (begin.state.situation.phase, begin.state.situation.anchor) == (Phase.WORKING, 7)
    assert ticks(begin, 60_006) == [[]]


def test_scenario_4_without_approved_work_nothing_is_anchored() -> None:
    begin = given_conversation(*MEMBER)
    assert ticks(begin, 0, 10**9) == [[], []]
    assert begin.state.situation.anchor is None


def test_an_anchor_stays_while_there_is_no_work_and_while_an_own_election_is_open() -> None:
    begin = given_conversation(*WAITING, anchored(), opened(proposal_id=2, request=ELECTION))
    assert ticks(begin, 10**6) == [[]]
    assert begin.state.situation.anchor == 0
    begin.state.apply(resolved(proposal(2, ELECTION, is_own=True), Outcome.YES, at=10**6))
    assert ticks(begin, 10**6) == [["freeze_round_opened", "phase_changed"]]
    # A peer's election does not hold it up.
    peers = given_conversation(*WAITING, anchored(), received(proposal_id=2, request=ELECTION))
    assert ticks(peers, 60_000) == [["freeze_round_opened", "phase_changed"]]


def test_scenario_6_registering_again_replaces_deadline_and_vote() -> None:
    begin = given_conversation(*MEMBER, received(proposal_id=7))
    for now, delay, choice in ((0, 10_000, True), (2, 20_000, False)):
        for event in begin.when(conversation.schedule_auto_vote, 7, choice, delay, now).accepted():
            begin.state.apply(event)
    assert event.replaced_fire_at == 10_000  # type: ignore[attr-defined]
    assert begin.state.auto_votes == {7: (20_002, False, 20_000)}
    assert list(begin.state.deadlines()) == [Deadline(20_002, DeadlineKind.AUTO_VOTE, 7, vote=False)]


def test_scenario_7_cancelling_one_leaves_the_others_and_leaving_none() -> None:
    three = [event for number in (1, 2, 3) for event in (received(proposal_id=number), auto_vote(number))]
    begin = given_conversation(*MEMBER, *three)
    cancelled = AutoVoteCancelled("c", 1, 2, CancelReason.MANUAL)
    begin.when(conversation.cancel_auto_vote, 2, 1).then(cancelled)
    begin.state.apply(cancelled)
    assert list(begin.state.auto_votes) == [1, 3]
    for event in begin.when(conversation.remove, 2).accepted():
        begin.state.apply(event)
    assert begin.state.auto_votes == {}


def test_scenario_8_a_timeout_is_as_far_away_as_it_says_and_can_be_dropped() -> None:
    begin = given_conversation(*MEMBER, received(proposal_id=42))
    (event,) = begin.when(conversation.schedule_timeout, 42, 30_000, 1_000).accepted()
    begin.state.apply(event)
    assert begin.state.timeouts == {42: (31_000, 30_000)}
    dropped = ConsensusTimeoutCancelled("c", 1_000, 42, CancelReason.MANUAL)
    begin.when(conversation.cancel_timeout, 42, 1_000).then(dropped)
    begin.state.apply(dropped)
    assert begin.state.timeouts == {}
    begin.when(conversation.cancel_timeout, 999, 1_000).then()


@pytest.mark.parametrize("now", [0, 10**6, 10**12])
def test_scenario_14_without_an_anchor_no_window_is_ever_over(now: int) -> None:
    begin = given_conversation(replace(JOINING, config=ConversationConfig(commit_inactivity_ms=0)), *MEMBER[1:])
    begin.state.apply(approved())
    begin.when(conversation.tick, now).then(replace(anchored(now), window_ms=0))


@pytest.mark.parametrize(("now", "is_over"), [(59_999, False), (60_000, True), (60_001, True)])
def test_scenarios_15_16_and_102_a_window_is_over_at_its_very_end(now: int, is_over: bool) -> None:
    begin = given_conversation(*WAITING, anchored())
    assert ticks(begin, now) == [["freeze_round_opened", "phase_changed"] if is_over else []]
    if is_over:
        # The freeze begins now, not when the window was over.
        assert begin.state.situation.anchor == now


def test_scenario_17_work_that_is_done_takes_the_anchor_away() -> None:
    begin = given_conversation(*WAITING, anchored())
    for event in begin.when(conversation.commit_applied, "h-1", "bob", None, (), 5).accepted():
        begin.state.apply(event)
    assert begin.state.situation.anchor is None
    assert ticks(begin, 10**9) == [[]]


def test_scenario_18_all_times_that_are_synchronised_are_taken() -> None:
    times: dict[str, Any] = {
        "commit_inactivity_ms": 1,
        "freeze_ms": 2,
        "recovery_inactivity_ms": 3,
        "proposal_expiration_ms": 4_000,
        "consensus_timeout_ms": 5,
    }
    changes = ConfigChanges(**times)
    begin = given_conversation(*MEMBER[:3])
    synced = ConfigSynced("c", 9, 4, changes)
    begin.when(conversation.sync_config, 4, changes, 9).then(synced)
    begin.state.apply(synced)
    config = begin.state.situation.config
    assert {name: getattr(config, name) for name in times} == times
    untouched = {field.name for field in fields(config)} - set(times)
    assert all(getattr(config, name) == getattr(ConversationConfig(), name) for name in untouched)
    # What is as it was is no change.
    begin.when(conversation.sync_config, 5, changes, 10).then()
    begin.when(conversation.sync_config, 5, ConfigChanges(), 10).then()
    other = replace(changes, freeze_ms=8)
    begin.when(conversation.sync_config, 5, other, 10).then(ConfigSynced("c", 10, 5, ConfigChanges(freeze_ms=8)))
    # Nor is there one of an epoch that is not reached, once a list of stewards is installed, or before it is let in.
    begin.when(conversation.sync_config, 6, other, 10).then()
    begin.state.apply(STEWARDS)
    begin.when(conversation.sync_config, 5, other, 10).then()
    given_conversation(JOINING).when(conversation.sync_config, 0, other, 10).then()


def test_what_the_next_tick_has_to_do_is_due_since_it_can_be_done() -> None:
    begin = given_conversation(*WAITING)
    due = phase_deadline(begin.state.situation)
    begin.state.apply(OperationFailed("c", 500, "send", "no route"))
    assert phase_deadline(begin.state.situation) == due


@pytest.mark.parametrize(("given", "derived"), [(0, 65_000), (12_000, 12_000)])
def test_scenario_20_backups_take_over_after_a_window_of_their_own_or_a_derived_one(given: int, derived: int) -> None:
    assert ConversationConfig(voting_inactivity_ms=given).takeover_ms == derived


def test_scenario_21_what_is_zero_where_that_says_nothing_keeps_its_value() -> None:
    begin = given_conversation(replace(JOINING, config=ConversationConfig(voting_inactivity_ms=12_000)), *MEMBER[1:3])
    changes = ConfigChanges(freeze_ms=7, voting_inactivity_ms=0)
    begin.when(conversation.sync_config, 5, changes, 9).then(ConfigSynced("c", 9, 5, ConfigChanges(freeze_ms=7)))
    begin.when(conversation.sync_config, 5, ConfigChanges(voting_inactivity_ms=0), 9).then()
    begin.when(conversation.sync_config, 5, ConfigChanges(voting_inactivity_ms=1), 9).then(
        ConfigSynced("c", 9, 5, ConfigChanges(voting_inactivity_ms=1))
    )


@pytest.mark.parametrize("mode", list(OperatingMode))
@pytest.mark.parametrize("retries", [0, 1])
def test_the_window_of_inactivity_is_that_of_recovery_when_it_recovers(mode: OperatingMode, retries: int) -> None:
    begin = given_conversation(*WAITING)
    situation = replace(begin.state.situation, mode=mode, retries=retries)
    is_recovering = mode is OperatingMode.RECOVERY or retries > 0
    assert inactivity_window(situation) == (5_000 if is_recovering else 60_000)


@pytest.mark.parametrize(
    "name",
    [
        "commit_inactivity_ms",
        "freeze_ms",
        "recovery_inactivity_ms",
        "proposal_expiration_ms",
        "consensus_timeout_ms",
    ],
)
def test_a_synchronisation_with_a_zero_is_refused_whole(name: str) -> None:
    changes: dict[str, Any] = {"max_reelection_attempts": 3, name: 0}
    with pytest.raises(InvalidArgument, match=name):
        require_synchronisable(ConfigChanges(**changes))
    require_synchronisable(ConfigChanges(max_reelection_attempts=0, liveness_yes=False))


@pytest.mark.parametrize(
    "facts",
    [
        {"commit_inactivity_ms": -1},
        {"freeze_ms": 2**63},
        {"consensus_timeout_ms": 0},
        {"proposal_expiration_ms": 999},
        {"max_reelection_attempts": -1},
        {"liveness_yes": "maybe"},
        {"voting_delay_ms": 1.5},
        {"voting_delay_ms": True},
    ],
)
def test_a_configuration_of_nonsense_is_a_typed_error(facts: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ConversationConfig(**facts)
    assert next(iter(facts)) in str(caught.value)


def test_scenario_104_a_shorter_window_moves_the_phase_and_no_vote() -> None:
    begin = given_conversation(*WAITING, anchored(), received(), auto_vote(fire_at=50_000))
    begin.state.apply(ConfigSynced("c", 20_000, 6, ConfigChanges(commit_inactivity_ms=10_000)))
    due = {each.kind: each.due_at for each in begin.state.deadlines()}
    assert due == {DeadlineKind.AUTO_VOTE: 50_000, DeadlineKind.INACTIVITY: 10_000}
    assert ticks(begin, 20_000) == [["freeze_round_opened", "phase_changed"]]


def test_recovery_moves_a_window_that_runs() -> None:
    begin = given_conversation(*WAITING, anchored())
    assert ticks(begin, 20_000) == [[]]
    begin.state.apply(OperatingModeChanged("c", 20_000, OperatingMode.NORMAL, OperatingMode.RECOVERY, Cause.DEADLOCK))
    (_, changed) = begin.when(conversation.tick, 20_000).accepted()
    # The window that was over is told.
    assert (changed.window_ms, changed.previous_anchor) == (5_000, 0)  # type: ignore[attr-defined]


def test_scenario_105_votes_are_fired_by_time_then_number() -> None:
    begin = given_conversation(
        *MEMBER,
        *(received(proposal_id=number) for number in (9, 3, 5)),
        auto_vote(9, 10),
        auto_vote(5, 20),
        auto_vote(3, 20),
    )
    events = begin.when(conversation.tick, 20).accepted()
    fired = [(each.fire_at, each.proposal_id) for each in events if isinstance(each, AutoVoteFired)]
    assert fired == [(10, 9), (20, 3), (20, 5)]


def test_votes_come_before_timeouts_and_those_before_what_follows() -> None:
    begin = given_conversation(
        *WAITING,
        anchored(),
        received(proposal_id=1),
        voted("bob"),
        auto_vote(1, 50_000),
        received(proposal_id=2),
        timeout(2, 40_000),
    )
    assert ticks(begin, 60_000) == [
        [
            "auto_vote_fired",
            "vote_cast",
            "consensus_resolved",
            "consensus_timeout_fired",
            "consensus_resolved",
            "proposal_approved",
            "proposal_approved",
            "freeze_round_opened",
            "phase_changed",
        ]
    ]


def test_a_freeze_ends_with_what_is_approved_at_its_end() -> None:
    # It began by force, without approved work; some came since, and nobody committed it.
    begin = given_conversation(*MEMBER, FREEZING, approved(at=100))
    assert ticks(begin, 30_100) == [["phase_changed", "score_changed", "phase_changed"]]
    assert begin.state.situation.phase is Phase.REELECTION
    empty = given_conversation(*MEMBER, FREEZING, received(at=100), auto_vote(1, 200))
    assert ticks(empty, 30_100) == [["auto_vote_fired", "vote_cast", "phase_changed", "phase_changed"]]
    assert (empty.state.situation.phase, empty.state.situation.anchor) == (Phase.WORKING, None)


def test_scenario_107_an_expiry_is_told_once() -> None:
    begin = given_conversation(joining())
    assert ticks(begin, 150, 150, 10**6) == [["pending_join_expired", "member_leaving"], [], []]


def test_scenario_111_a_timeout_of_what_is_resolved_says_so_and_nothing_else() -> None:
    begin = given_conversation(*MEMBER, received(), resolved(proposal(), Outcome.YES), timeout())
    begin.when(conversation.tick, 30_000).then(ConsensusTimeoutFired("c", 30_000, 1, 30_000, session_active=False))


def test_scenario_112_what_is_overdue_is_done_once_at_the_first_tick() -> None:
    begin = given_conversation(*WAITING, anchored(), received(), auto_vote(), timeout())
    late = 10**9
    events = begin.when(conversation.tick, late).accepted()
    fired = [each for each in events if isinstance(each, AutoVoteFired | ConsensusTimeoutFired)]
    assert [(each.at, each.fire_at) for each in fired] == [(late, 10_000), (late, 30_000)]
    for event in events:
        begin.state.apply(event)
    # One window at a time: the freeze begins when it is seen.
    assert (begin.state.situation.phase, begin.state.situation.anchor) == (Phase.FREEZING, late)
    assert ticks(begin, late) == [[]]


def test_scenario_113_a_clock_that_goes_back_is_not_believed() -> None:
    begin = given_conversation(*WAITING, anchored(50_000))
    begin.when(conversation.receive_proposal, 1, ELECTION, "carol", 3, None, None, 10).then(
        conversation.ProposalReceived("c", 50_000, proposal(request=ELECTION, opened_at=50_000, expires_at_s=650)),
        conversation.AutoVoteScheduled("c", 50_000, 1, True, 5_000, 55_000),
    )
    assert ticks(begin, 0, 109_999) == [[], []]
    assert ticks(begin, 110_000) == [["freeze_round_opened", "phase_changed"]]


def test_a_vote_cast_by_itself_is_by_this_member() -> None:
    given_conversation(*MEMBER, received(), auto_vote(vote=False)).when(conversation.tick, 10_000).then(
        AutoVoteFired("c", 10_000, 1, False, 10_000), VoteCast("c", 10_000, 1, "alice", False, VoteSource.AUTO)
    )


def test_voting_that_times_out_undecided_has_failed() -> None:
    begin = given_conversation(*MEMBER, received(voters=2), timeout())
    events = begin.when(conversation.tick, 30_000).accepted()
    assert types(events) == ["consensus_timeout_fired", "consensus_resolved"]
    assert events[1].result is Outcome.FAILED  # type: ignore[attr-defined]


def test_the_window_of_a_freeze_begins_where_it_froze_whatever_came_since() -> None:
    begin = given_conversation(*IN_PHASE[Phase.FREEZING], FreezeRoundOpened("c", 200, 5))
    assert ticks(begin, 30_099) == [[]]
    assert ticks(begin, 30_100) == [["phase_changed", "freeze_round_finalized", "phase_changed"]]


@pytest.mark.parametrize("phase", list(Phase))
def test_the_wake_up_is_when_a_tick_does_something(phase: Phase) -> None:
    """The wake-up and the tick go by one function: one ms before nothing happens, at it something does."""
    begin = given_conversation(*IN_PHASE[phase], approved(at=30_100))
    now = begin.state.situation.at
    wakeup = next_wakeup(begin.state, now)
    if wakeup is None:
        assert phase in (Phase.SELECTION, Phase.REELECTION)
        assert ticks(begin, 10**12) == [[]]
        return
    if wakeup > 0:
        assert ticks(begin, now + wakeup - 1) == [[]]
    assert ticks(begin, now + wakeup) != [[]]


def test_a_clock_that_went_back_is_woken_for_what_was_due_then() -> None:
    state = ConversationState("c")
    for event in (*WAITING, received(at=90_000, proposal_id=3), auto_vote(3, 90_000)):
        state.apply(event)
    assert next_wakeup(state, 5) == 0


def test_what_is_due_at_the_very_time_of_the_last_event_is_due_for_a_clock_that_went_back() -> None:
    scheduled = conversation.AutoVoteScheduled("c", 90_000, 3, True, 0, 90_000)
    state = given_conversation(*MEMBER, received(at=90_000, proposal_id=3), scheduled).state
    assert state.situation.at == 90_000
    assert next_wakeup(state, 89_999) == next_wakeup(state, 5) == 0
