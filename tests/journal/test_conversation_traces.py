"""The golden traces of de-mls 5.7, at their very milliseconds, on every engine."""

from __future__ import annotations

from muniment.domain import CreatorVote, OperatingMode, Outcome, Phase, conversation
from muniment.domain.conversation import ConfigChanges, ConsensusResolved
from muniment.journal import Journal
from muniment.journal.testing import types

from ..domain.conversation_facts import ADD, BROKEN, DEADLOCK, ELECTION
from .conversation_stories import approved, member, newcomer, phase_of, phases, ticked, told


def test_a_a_solo_creator_with_one_approved_item(journal: Journal) -> None:
    conversations = journal.conversations
    conversations.create("c", "alice", now=0)
    conversations.install_stewards("c", ["alice"], now=0)
    conversations.open_proposal("c", 1, ADD, voters=1, now=1_000)
    assert told(journal, 2) == [
        (1_000, "proposal_opened"),
        (1_000, "consensus_timeout_scheduled"),
        (1_000, "vote_cast"),
        (1_000, "consensus_resolved"),
        (1_000, "consensus_timeout_cancelled"),
        (1_000, "proposal_approved"),
    ]
    scheduled = next(each for each in journal.read(2) if "timeout_scheduled" in each.type)
    assert scheduled.event.fire_at == 31_000  # type: ignore[attr-defined]
    assert ticked(journal, 2_000) == ["phase_timer_anchored"]
    assert conversations["c"].anchor == 2_000
    assert ticked(journal, 61_999) == []
    assert ticked(journal, 62_000) == ["freeze_round_opened", "phase_changed"]
    assert (conversations["c"].phase, conversations["c"].anchor) == (Phase.FREEZING, 62_000)
    conversations.buffer_candidate("c", "commit", "alice", proposals=1, is_local=True, now=62_000)
    assert ticked(journal, 64_000) == ["phase_changed"]
    assert conversations["c"].phase is Phase.SELECTION
    head = journal.head()
    assert conversations.commit_applied("c", "commit", "alice", now=64_000) is Phase.WORKING
    assert types(record.event for record in journal.read(head)) == [
        "freeze_round_finalized",
        "commit_applied",
        "score_changed",
        "phase_changed",
    ]
    after = conversations["c"]
    assert (after.phase, after.anchor, after.epoch, after.approved) == (Phase.WORKING, None, 1, 0)
    assert conversations.next_wakeup(64_000) is None


def test_a_deferred_the_vote_comes_from_the_automatic_one(journal: Journal) -> None:
    conversations = journal.conversations
    conversations.create("c", "alice", now=0)
    conversations.open_proposal("c", 1, ADD, voters=1, creator_vote=CreatorVote.DEFERRED, now=1_000)
    assert ticked(journal, 10_999) == []
    # What was approved by this tick is seen, and inactivity counted, from this tick on.
    assert ticked(journal, 11_000) == [
        "auto_vote_fired",
        "vote_cast",
        "consensus_resolved",
        "consensus_timeout_cancelled",
        "proposal_approved",
        "phase_timer_anchored",
    ]


def test_b_a_join_expires(journal: Journal) -> None:
    journal.conversations.join("c", "alice", now=0)
    assert ticked(journal, 179_999) == []
    assert phase_of(journal) is Phase.PENDING_JOIN
    assert ticked(journal, 180_000) == ["pending_join_expired", "member_leaving"]
    assert ticked(journal, 180_001) == []


def test_c_a_vote_is_cast_by_itself(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 1, ADD, creator="carol", voters=3, now=0)
    assert [each.deadline.due_at for each in journal.deadlines] == [10_000]
    assert ticked(journal, 9_999) == []
    assert ticked(journal, 10_000) == ["auto_vote_fired", "vote_cast"]
    cast = next(iter(journal.read(journal.head() - 1))).event
    assert (cast.voter, cast.vote, cast.source) == ("alice", True, "auto")  # type: ignore[attr-defined]


def test_c_a_vote_by_hand_takes_its_place(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 1, ADD, creator="carol", voters=3, now=0)
    journal.conversations.vote("c", 1, True, now=5_000)
    assert told(journal)[-2:] == [(5_000, "auto_vote_cancelled"), (5_000, "vote_cast")]
    assert ticked(journal, 10_000) == []


def test_c_an_election_is_voted_on_sooner(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 1, ELECTION, creator="carol", voters=3, now=0)
    assert ticked(journal, 4_999) == []
    assert ticked(journal, 5_000) == ["auto_vote_fired", "vote_cast"]


def test_d_scheduling_again_replaces(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 7, ADD, creator="carol", voters=3, now=0)
    journal.conversations.schedule_auto_vote("c", 7, True, delay_ms=10_000, now=0)
    journal.conversations.schedule_auto_vote("c", 7, False, delay_ms=20_000, now=2)
    (entry,) = journal.conversations["c"].deadlines
    assert (entry.kind, entry.due_at) == ("auto_vote", 20_002)
    assert ticked(journal, 20_001) == []
    happened = journal.conversations.tick(20_002)["c"]
    assert types(happened) == ["auto_vote_fired", "vote_cast"]
    assert happened[1].vote is False  # type: ignore[attr-defined]


def test_e_a_window_that_is_made_shorter_is_over_sooner_and_a_vote_is_not(journal: Journal) -> None:
    newcomer(journal)
    journal.conversations.receive_proposal("c", 2, ADD, creator="carol", voters=3, now=0)
    journal.conversations.schedule_auto_vote("c", 2, True, delay_ms=50_000, now=0)
    approved(journal, now=0)
    assert ticked(journal, 0) == ["phase_timer_anchored"]
    assert journal.conversations.next_wakeup(20_000) == 30_000
    journal.conversations.sync_config("c", ConfigChanges(commit_inactivity_ms=10_000), epoch=5, now=20_000)
    assert [(each.kind, each.due_at) for each in journal.conversations["c"].deadlines] == [
        ("inactivity", 10_000),
        ("auto_vote", 50_000),
    ]
    assert journal.conversations.next_wakeup(20_000) == 0
    happened = journal.conversations.tick(20_000)["c"]
    assert phases(happened) == [Phase.FREEZING]
    assert happened[-1].window_ms == 10_000  # type: ignore[attr-defined]
    assert [each.deadline.due_at for each in journal.deadlines] == [50_000, 50_000]


def test_f_a_silent_steward(journal: Journal) -> None:
    newcomer(journal)
    journal.conversations.sync_config("c", ConfigChanges(commit_inactivity_ms=1), epoch=5, now=0)
    journal.conversations.install_stewards("c", ["bob", "carol"], now=0)
    approved(journal, now=0)
    journal.conversations.tick(0)
    journal.conversations.tick(1)
    frozen_at = 1
    assert phase_of(journal) is Phase.FREEZING
    assert ticked(journal, frozen_at + 29_999) == []
    happened = journal.conversations.tick(frozen_at + 30_000)["c"]
    assert phases(happened) == [Phase.SELECTION, Phase.REELECTION]
    assert types(happened) == ["phase_changed", "freeze_round_finalized", "score_changed", "phase_changed"]
    # Bob's turn it was: the list begins with this epoch.
    assert journal.conversations.state("c").scores == {"bob": 60}
    after = journal.conversations["c"]
    assert (after.anchor, after.approved, after.deadlines) == (None, 1, ())
    assert ticked(journal, 10_000_000) == []
    # An emergency that is resolved ends it, and so would an election.
    journal.conversations.open_proposal("c", 9, BROKEN, voters=1, now=10_000_000)
    assert phase_of(journal) is Phase.WORKING


def test_g_an_empty_freeze(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 1, DEADLOCK, creator="carol", voters=3, now=0)
    assert journal.conversations.approve("c", 1, now=1_000) is Phase.FREEZING
    assert journal.conversations["c"].mode is OperatingMode.RECOVERY
    assert ticked(journal, 30_999) == []
    happened = journal.conversations.tick(31_000)["c"]
    assert phases(happened) == [Phase.SELECTION, Phase.WORKING]
    assert "score_changed" not in types(happened)


def test_h_two_deadlines_in_one_tick(journal: Journal) -> None:
    member(journal)
    conversations = journal.conversations
    conversations.open_proposal("c", 1, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=0)
    conversations.receive_vote("c", 1, "bob", True, now=1)
    happened = conversations.tick(40_000)["c"]
    # Two of three have voted, and who is silent counts as a yes: the vote decides, and nothing is left to time out.
    assert types(happened) == [
        "auto_vote_fired",
        "vote_cast",
        "consensus_resolved",
        "consensus_timeout_fired",
        "proposal_approved",
        "phase_timer_anchored",
    ]
    resolved, fired = happened[2], happened[3]
    assert isinstance(resolved, ConsensusResolved)
    assert (resolved.result, resolved.via) == (Outcome.YES, "votes")
    assert isinstance(fired, conversation.ConsensusTimeoutFired)
    assert not fired.session_active
    assert [each.lateness_ms for each in journal.late_firings.of_conversation("c")] == [30_000, 10_000]


def test_which_way_automatic_votes_go_and_that_all_are_cancelled_at_once(journal: Journal) -> None:
    member(journal)
    for number, vote in ((7, True), (8, False)):
        journal.conversations.receive_proposal("c", number, ADD, creator="carol", voters=3, now=0)
        journal.conversations.schedule_auto_vote("c", number, vote, delay_ms=10_000, now=0)
    votes = [each.deadline.vote for each in journal.deadlines if each.deadline.kind == "auto_vote"]
    assert votes == [True, False]
    assert [each.vote for each in journal.conversations["c"].deadlines if each.kind == "auto_vote"] == [True, False]
    before = journal.head()
    journal.conversations.cancel_auto_votes("c", now=1)
    assert journal.head() == before + 2
    assert [each.deadline.kind for each in journal.deadlines if each.deadline.kind == "auto_vote"] == []
    journal.conversations.cancel_auto_votes("c", now=2)
    assert journal.head() == before + 2
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_the_conversation_that_is_due_the_longest_comes_first(journal: Journal) -> None:
    for name, at in (("ahead", 5_000), ("late", 100), ("later", 200)):
        journal.conversations.join(name, "alice", now=at)
    window = 3 * journal.conversations.state("late").config.commit_inactivity_ms
    assert journal.conversations.due(5_000 + window) == ["late", "later", "ahead"]
