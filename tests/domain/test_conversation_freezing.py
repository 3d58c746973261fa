"""Freeze rounds, commits, and what members are thought of (de-mls 1.3, T7, T11 to T15; 4.5, 4.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from muniment.domain import (
    ApprovedRequest,
    Event,
    Phase,
    ProposalRequest,
    RejectedCandidate,
    RejectionReason,
    StewardListReason,
    conversation,
)
from muniment.domain.conversation import (
    Candidate,
    CandidateBuffered,
    Cause,
    CommitApplied,
    ElectionRetriesChanged,
    FreezeOutcome,
    FreezeRoundFinalized,
    FreezeRoundOpened,
    LeaveReason,
    MemberJoined,
    MemberLeaving,
    PhaseChanged,
    ScoreChanged,
    StewardList,
    StewardListInstalled,
)
from muniment.journal.testing import given_conversation, types

from .conversation_facts import (
    ADD,
    AT,
    FREEZING,
    IN_PHASE,
    JOINING,
    MEMBER,
    REMOVE_BOB,
    SELECTION,
    STEWARDS,
    approved,
    auto_vote,
    proposal,
    received,
    timeout,
)

REMOVE_ALICE = ProposalRequest.remove_member("alice")
ROUND = FreezeRoundOpened("c", 0, 5)


def candidate(steward: str, commit_hash: str = "", proposals: int = 1) -> Candidate:
    return Candidate(commit_hash or f"by-{steward}", steward, proposals)


def buffered(steward: str, received: int = 1) -> CandidateBuffered:
    return CandidateBuffered("c", 0, 5, candidate(steward), received, 2)


def test_a_candidate_freezes_a_conversation_that_works() -> None:
    events = given_conversation(*MEMBER, approved()).when(conversation.buffer_candidate, candidate("bob"), 9).accepted()
    assert events[:2] == (
        FreezeRoundOpened("c", 9, 5),
        CandidateBuffered("c", 9, 5, candidate("bob"), received=1, expected=2),
    )
    frozen: Any = events[2]
    assert (frozen.phase, frozen.cause, frozen.anchor, frozen.approved) == (Phase.FREEZING, Cause.CANDIDATE, 9, 1)


@pytest.mark.parametrize("phase", [Phase.FREEZING, Phase.SELECTION, Phase.REELECTION])
def test_elsewhere_a_candidate_is_only_counted(phase: Phase) -> None:
    begin = given_conversation(*IN_PHASE[phase], approved(at=AT[phase]))
    events = begin.when(conversation.buffer_candidate, candidate("bob"), AT[phase]).accepted()
    assert types(events) == ["freeze_round_opened", "candidate_buffered"]
    assert begin.go(*events).state.situation.candidates == 1


@pytest.mark.parametrize(
    "before",
    [
        MEMBER,  # nothing is approved, and no round is open
        (JOINING,),
        (*MEMBER, approved(), ROUND, buffered("bob")),  # it is in the round already
        (
            *MEMBER,
            approved(),
            CommitApplied("c", 0, 5, "bob", "by-bob", (), 0, frozenset({"alice"})),  # it was merged
        ),
    ],
    ids=["not expected", "not let in", "known", "merged"],
)
def test_a_candidate_that_is_not_wanted_is_ignored(before: tuple[Event[Any], ...]) -> None:
    given_conversation(*before).when(conversation.buffer_candidate, candidate("bob"), 9).then()


def test_a_round_of_another_epoch_is_replaced() -> None:
    older = (FreezeRoundOpened("c", 0, 4), CandidateBuffered("c", 0, 4, candidate("bob"), 1, 2))
    begin = given_conversation(*MEMBER, approved(), *older)
    events = begin.when(conversation.buffer_candidate, candidate("bob"), 9).accepted()
    assert types(events) == ["freeze_round_opened", "candidate_buffered", "phase_changed"]
    begin.go(*events)
    assert (begin.state.freeze_round, len(begin.state.candidates), begin.state.situation.candidates) == (5, 1, 1)


def test_when_all_stewards_have_offered_the_next_tick_selects() -> None:
    begin = given_conversation(*MEMBER, approved(), ROUND, buffered("bob"), FREEZING)
    begin.when(conversation.tick, 101).then()
    begin.go(CandidateBuffered("c", 101, 5, candidate("carol"), 2, 2))
    (selected,) = begin.when(conversation.tick, 101).accepted()
    assert isinstance(selected, PhaseChanged)
    assert (selected.cause, selected.phase, selected.window_ms) == (Cause.ALL_CANDIDATES, Phase.SELECTION, None)
    # The choice is the host's: nothing is due until it says what came of it.
    assert list(begin.go(selected).state.deadlines()) == []


def test_without_a_list_of_stewards_the_window_has_to_run_out() -> None:
    begin = given_conversation(*MEMBER[:3], approved(), ROUND, buffered("bob"), FREEZING)
    begin.when(conversation.tick, 30_099).then()
    (selected,) = begin.when(conversation.tick, 30_100).accepted()
    assert selected.cause is Cause.FREEZE_WINDOW  # type: ignore[attr-defined]


def test_a_commit_takes_everything_that_was_approved() -> None:
    removal = ApprovedRequest(8, ProposalRequest.remove_member("carol"))
    begin = given_conversation(
        *MEMBER,
        approved(7),
        approved(8, removal.request),
        ElectionRetriesChanged("c", 0, 0, 1, 1),
        ROUND,
        buffered("bob"),
        FREEZING,
        SELECTION,
    )
    events = begin.when(conversation.commit_applied, "by-bob", "bob", None, (), 40_000).accepted()
    assert events[:2] == (
        FreezeRoundFinalized("c", 40_000, 5, FreezeOutcome.APPLIED, 1, "by-bob"),
        CommitApplied(
            "c",
            40_000,
            6,
            "bob",
            "by-bob",
            (ApprovedRequest(7, ADD), removal),
            0,
            frozenset({"alice", "bob", "dave"}),
        ),
    )
    assert types(events[2:]) == ["score_changed", "phase_changed"]
    state = begin.go(*events).state
    # It is told of last that work goes on (de-mls 3.3).
    assert (state.situation.phase, state.situation.anchor, state.situation.epoch) == (Phase.WORKING, None, 6)
    assert (state.approved, state.situation.approved, state.situation.retries) == ({}, 0, 0)
    assert state.scores == {"bob": 110}
    # The same commit is merged once.
    begin.when(conversation.commit_applied, "by-bob", "bob", None, (), 40_001).then()
    begin.when(conversation.removed_by_commit, "by-bob", "bob", (), 40_001).then()


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.PENDING_JOIN])
def test_a_commit_leads_back_to_work_from_anywhere(phase: Phase) -> None:
    begin = given_conversation(*IN_PHASE[phase])
    # From work itself too, and that is told again (T18).
    last: Any = begin.when(conversation.commit_applied, "h", "bob", frozenset({"alice"}), (), 40_000).accepted()[-1]
    assert (last.previous, last.phase, last.anchor) == (phase, Phase.WORKING, None)
    given_conversation(JOINING).when(conversation.commit_applied, "h", "bob", None, (), 40_000).then()


def test_the_host_says_who_is_in_the_group_if_it_knows_better() -> None:
    begin = given_conversation(*MEMBER, approved(7))
    members = frozenset({"alice", "zoe"})
    (commit, _) = begin.when(conversation.commit_applied, "h", "bob", members, (), 9).accepted()
    assert commit.members == members  # type: ignore[attr-defined]


def test_an_urgent_removal_is_committed_alone() -> None:
    begin = given_conversation(*MEMBER, approved(7), approved(8, REMOVE_BOB, is_urgent=True), approved(9, ADD))
    (commit, _) = begin.when(conversation.commit_applied, "h", "carol", None, (), 9).accepted()
    assert isinstance(commit, CommitApplied)
    assert (commit.batch, commit.left, commit.is_urgent) == ((ApprovedRequest(8, REMOVE_BOB),), 2, True)
    state = begin.go(commit).state
    assert (list(state.approved), state.situation.approved, state.urgent_target) == ([7, 9], 2, None)
    (next_commit, _) = begin.when(conversation.commit_applied, "h-2", "carol", None, (), 9).accepted()
    assert [each.proposal_id for each in next_commit.batch] == [7, 9]  # type: ignore[attr-defined]


def test_a_commit_that_removes_this_member_leaves_the_phase_and_ends_the_rest() -> None:
    begin = given_conversation(
        *MEMBER, approved(7, REMOVE_ALICE), received(), auto_vote(1, 90_000), timeout(1, 90_000), FREEZING, SELECTION
    )
    events = begin.when(conversation.removed_by_commit, "h", "bob", (), 40_000).accepted()
    assert types(events) == ["commit_applied", "auto_vote_cancelled", "consensus_timeout_cancelled", "member_leaving"]
    assert events[-1] == MemberLeaving("c", 40_000, LeaveReason.REMOVED, (proposal(),))
    state = begin.go(*events).state
    assert (state.situation.phase, state.members) == (Phase.SELECTION, frozenset({"bob", "carol"}))
    assert list(state.deadlines()) == []


def test_who_is_removed_is_no_member_whatever_else_the_commit_did() -> None:
    begin = given_conversation(*MEMBER, approved(7, REMOVE_BOB))
    (commit, _) = begin.when(conversation.removed_by_commit, "h", "carol", (), 9).accepted()
    assert commit.members == frozenset({"carol"})  # type: ignore[attr-defined]


@pytest.mark.parametrize(("work", "phase"), [(True, Phase.REELECTION), (False, Phase.WORKING)])
def test_a_selection_that_finds_no_commit_ends_in_reelection_or_in_work(work: bool, phase: Phase) -> None:
    before = [approved()] if work else []
    begin = given_conversation(*MEMBER, *before, ROUND, buffered("carol"), FREEZING)
    selected = begin.when(conversation.tick, 30_100).accepted()
    begin.go(*selected)
    rejected = (RejectedCandidate("by-carol", "carol", RejectionReason.OTHER_ACTIONS),)
    events = begin.when(conversation.no_commit_found, rejected, 30_200).accepted()
    assert events[0] == FreezeRoundFinalized("c", 30_200, 5, FreezeOutcome.NOTHING, 1, None, rejected)
    state = begin.go(*events).state
    assert (state.situation.phase, state.situation.anchor, state.freeze_round) == (phase, None, None)
    # Bob's turn it was; that counts only if there was something to commit.
    assert state.scores == ({"carol": 70, "bob": 60} if work else {"carol": 70})
    # What was approved stays approved.
    assert len(state.approved) == len(before)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.SELECTION])
def test_that_nothing_was_found_is_heard_in_selection_only(phase: Phase) -> None:
    given_conversation(*IN_PHASE[phase]).when(conversation.no_commit_found, (), 40_000).then()


@pytest.mark.parametrize(
    ("reason", "score"),
    [
        (RejectionReason.UNSTAGEABLE, 70),
        (RejectionReason.FORGED_SENDER, 50),
        (RejectionReason.NOT_A_STEWARD, 50),
        (RejectionReason.OTHER_ACTIONS, 70),
    ],
)
def test_who_offered_what_could_not_be_merged_is_thought_worse_of(reason: RejectionReason, score: int) -> None:
    begin = given_conversation(*MEMBER, approved(), ROUND, buffered("bob"), FREEZING, SELECTION)
    rejected = (RejectedCandidate("by-mallory", "mallory", reason),)
    begin.go(*begin.when(conversation.commit_applied, "by-bob", "bob", None, rejected, 40_000).accepted())
    assert begin.state.scores == {"mallory": score, "bob": 110}


def test_who_offered_and_was_not_picked_and_who_did_not_offer() -> None:
    both = given_conversation(*MEMBER, approved(), ROUND, buffered("bob"), buffered("carol", 2), FREEZING, SELECTION)
    both.go(*both.when(conversation.commit_applied, "by-carol", "carol", None, (), 40_000).accepted())
    # It was bob's turn, and he brought no commit about; he did offer one.
    assert both.state.scores == {"carol": 110, "bob": 65}
    absent = given_conversation(*MEMBER, approved(), ROUND, buffered("carol"), FREEZING, SELECTION)
    absent.go(*absent.when(conversation.commit_applied, "by-carol", "carol", None, (), 40_000).accepted())
    assert absent.state.scores == {"bob": 60, "carol": 110}


@pytest.mark.parametrize("forged", [True, False])
def test_a_name_on_a_candidate_that_cannot_be_merged_excuses_nobody(forged: bool) -> None:
    begin = given_conversation(*MEMBER, approved(), ROUND, buffered("bob"), FREEZING, SELECTION)
    reason = RejectionReason.FORGED_SENDER if forged else RejectionReason.UNSTAGEABLE
    rejected = (RejectedCandidate("by-bob", "mallory" if forged else "bob", reason),)
    begin.go(*begin.when(conversation.no_commit_found, rejected, 40_000).accepted())
    # SELECTION says that nothing was approved when it began; with work, it was bob's turn.
    assert begin.state.scores == ({"mallory": 50} if forged else {"bob": 70})
    begin = given_conversation(*MEMBER, approved(), ROUND, buffered("bob"), FREEZING, replace(SELECTION, approved=1))
    begin.go(*begin.when(conversation.no_commit_found, rejected, 40_000).accepted())
    assert begin.state.scores == ({"mallory": 50, "bob": 60} if forged else {"bob": 30})


def test_this_member_does_not_blame_itself() -> None:
    mine = StewardListInstalled("c", 0, StewardList(("alice",), 5))
    begin = given_conversation(*MEMBER, mine, approved(), FREEZING)
    events = begin.when(conversation.tick, 30_100).accepted()
    assert not [each for each in events if isinstance(each, ScoreChanged)]


@pytest.mark.parametrize(("epoch", "steward"), [(4, None), (5, "bob"), (6, "carol"), (7, None)])
def test_stewards_take_turns_by_epoch_until_the_list_is_exhausted(epoch: int, steward: str | None) -> None:
    let_in = MemberJoined("c", 0, epoch, frozenset({"bob", "carol"}))
    begin = given_conversation(JOINING, let_in, STEWARDS)
    assert begin.state.epoch_steward() == steward


def test_a_steward_who_is_to_be_removed_has_no_turn() -> None:
    begin = given_conversation(*MEMBER, approved(8, REMOVE_BOB))
    assert begin.state.epoch_steward() == "carol"
    assert given_conversation(*MEMBER[:3]).state.epoch_steward() is None


def test_a_list_of_stewards_is_installed_once() -> None:
    begin = given_conversation(*MEMBER)
    installed = StewardListInstalled("c", 9, StewardList(("carol",), 5, 0, StewardListReason.SYNC))
    begin.when(conversation.install_stewards, ("carol",), StewardListReason.SYNC, 9).then(installed)
    begin.go(installed)
    begin.when(conversation.install_stewards, ("carol",), StewardListReason.SYNC, 10).then()


def test_ten_commits_are_remembered() -> None:
    begin = given_conversation(*MEMBER, approved())
    for number in range(11):
        begin.go(*begin.when(conversation.commit_applied, f"h-{number}", "bob", None, (), 9).accepted())
    begin.when(conversation.commit_applied, "h-1", "bob", None, (), 9).then()
    assert begin.when(conversation.commit_applied, "h-0", "bob", None, (), 9).accepted()


def test_a_failure_is_put_on_record() -> None:
    given_conversation(*MEMBER).when(conversation.report_failure, "reelection stuck", "no proposer", 9).then(
        conversation.OperationFailed("c", 9, "reelection stuck", "no proposer")
    )
