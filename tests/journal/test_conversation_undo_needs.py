"""What undo gives back in a conversation is what was there, and what an event there needed holds it in place."""

from __future__ import annotations

import pytest
from muniment.domain import (
    ConfigChanges,
    ConversationBlocked,
    ConversationConfig,
    CreatorVote,
    LaterEventDepends,
    NotCompensable,
    PartialFreeze,
    Phase,
    ProposalExpired,
    ProposalRequest,
)
from muniment.journal import Journal

from ..domain.conversation_facts import ADD, DEADLOCK, ELECTION
from .conversation_stories import approved, member, newcomer, phase_of

STREAM = "conversation-c"


def check_sound(journal: Journal) -> None:
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def elect(journal: Journal, number: int, steward: str) -> int:
    """Hold an election that only this member votes on; return where its list was installed."""
    conversations = journal.conversations
    conversations.open_proposal("c", number, ELECTION, voters=1, creator_vote=CreatorVote.DEFERRED, now=number)
    conversations.approve("c", number, now=number)
    conversations.accept_election("c", number, [steward], now=number)
    return journal.head()


def is_ignored(journal: Journal, number: int) -> bool:
    """Whether accepting an election changes nothing, as it was accepted before."""
    head = journal.head()
    journal.conversations.accept_election("c", number, ["alice"], now=9)
    return journal.head() == head


def test_an_older_election_stays_accepted_when_a_newer_one_is_undone_and_done_again(journal: Journal) -> None:
    journal.conversations.create("c", "alice", now=0)
    elect(journal, 1, "alice")
    newer = elect(journal, 2, "bob")
    journal.revert(newer)
    assert journal.conversations.state("c").stewards == ("alice",)
    assert is_ignored(journal, 1)
    journal.revert(journal.head())
    assert journal.conversations.state("c").stewards == ("bob",)
    assert is_ignored(journal, 1)
    assert is_ignored(journal, 2)
    # The one whose list is taken back can be accepted again.
    journal.revert(journal.head())
    assert not is_ignored(journal, 2)
    check_sound(journal)


def test_a_proposal_that_is_given_back_has_the_voters_that_it_had(journal: Journal) -> None:
    member(journal)
    conversations = journal.conversations
    conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=0)
    received = journal.record(journal.head()).version
    conversations.commit_applied("c", "h-1", "bob", members=["alice", "bob", "eve"], now=1)
    journal.conversations.cancel_auto_vote("c", 1, now=1)
    # Who is in the group has changed; the proposal is withdrawn, and given back.
    (opening,) = [each for each in journal.read_stream(STREAM) if each.type == "conversation.proposal_received.v1"]
    for each in (journal.record(journal.head()).id, f"{STREAM}@{received}", opening.id):
        journal.revert(each)
    assert conversations.state("c").proposals == {}
    journal.revert(journal.head())
    for voter in ("eve", "bob"):
        conversations.receive_vote("c", 1, voter, True, now=2)
        assert journal.proposals["c", 1].status == "open"
    conversations.receive_vote("c", 1, "carol", True, now=2)
    assert journal.proposals["c", 1].status == "yes"
    check_sound(journal)


def test_a_joiner_whose_request_is_done_again_waits_no_longer_than_before(journal: Journal) -> None:
    config = ConversationConfig(commit_inactivity_ms=10)
    journal.conversations.join("c", "alice", config, now=0)
    (deadline,) = journal.conversations["c"].deadlines
    journal.revert(1)
    journal.conversations.join("c", "alice", config, now=25)
    assert journal.conversations["c"].deadlines[0].due_at == 55
    journal.revert(journal.head())
    journal.rollback(STREAM, 1)
    assert journal.conversations["c"].deadlines == (deadline,)
    assert (deadline.due_at, journal.conversations["c"].anchor) == (30, 0)
    # By the next tick it has waited long enough.
    journal.conversations.tick(30)
    assert journal.conversations["c"].life == "leaving"
    check_sound(journal)


def freeze(journal: Journal) -> int:
    """Have approved work wait for too long; return the position of the phase change."""
    journal.conversations.tick(60_000)
    journal.conversations.tick(120_000)
    assert phase_of(journal) is Phase.FREEZING
    return journal.head()


def withdrawn_proposal(journal: Journal, request: ProposalRequest = ADD) -> int:
    """Open a proposal and have that undone; return the position of its withdrawal."""
    start = len(list(journal.read_stream(STREAM)))
    journal.conversations.open_proposal("c", 5, request, voters=3, creator_vote=CreatorVote.DEFERRED, now=0)
    return journal.rollback(STREAM, start).positions[-1]


def test_a_proposal_is_opened_again_only_where_it_could_be_opened(journal: Journal) -> None:
    member(journal)
    approved(journal)
    withdrawal = withdrawn_proposal(journal)
    freeze(journal)
    with pytest.raises(ConversationBlocked):
        journal.conversations.open_proposal("c", 6, ADD, voters=3, now=120_000)
    with pytest.raises(ConversationBlocked):
        journal.revert(withdrawal)
    journal.revert(journal.head())
    journal.revert(withdrawal)
    assert journal.conversations["c"].proposals == 1
    check_sound(journal)


def test_a_proposal_is_not_opened_again_while_an_emergency_is_voted_on(journal: Journal) -> None:
    member(journal)
    withdrawal = withdrawn_proposal(journal)
    journal.conversations.receive_proposal("c", 6, DEADLOCK, creator="carol", voters=3, now=0)
    with pytest.raises(PartialFreeze):
        journal.revert(withdrawal)
    journal.conversations.reject("c", 6, now=1)
    journal.revert(withdrawal)
    check_sound(journal)


def test_a_proposal_that_was_withdrawn_in_a_phase_is_given_back_in_it(journal: Journal) -> None:
    member(journal)
    approved(journal)
    start = len(list(journal.read_stream(STREAM)))
    journal.conversations.open_proposal("c", 5, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=0)
    opened = [record.id for record in journal.read_stream(STREAM)][start:]
    journal.conversations.cancel_auto_vote("c", 5, now=1)
    journal.conversations.cancel_timeout("c", 5, now=1)
    freeze(journal)
    for event_id in (f"{STREAM}@{start + 4}", f"{STREAM}@{start + 5}", *reversed(opened)):
        journal.revert(event_id)
    assert journal.conversations["c"].proposals == 0
    journal.revert(journal.head())
    assert (phase_of(journal), journal.conversations["c"].proposals) == (Phase.FREEZING, 1)
    check_sound(journal)


def test_a_received_proposal_that_has_expired_since_is_not_given_back(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 5, ADD, creator="carol", voters=3, expires_at_s=10, now=0)
    plan = journal.rollback(STREAM, len(list(journal.read_stream(STREAM))) - 2)
    journal.conversations.install_stewards("c", ["bob"], now=10_000)
    with pytest.raises(ProposalExpired):
        journal.revert(plan.positions[-1])


def test_what_was_permitted_in_a_phase_keeps_it(journal: Journal) -> None:
    member(journal)
    approved(journal)
    frozen = freeze(journal)
    # Undone, so that the conversation works again, and somebody relies on that.
    works = journal.revert(frozen).positions[0]
    journal.conversations.open_proposal("c", 5, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=120_000)
    opened = next(record for record in journal.read(works) if record.type == "conversation.proposal_opened.v1")
    with pytest.raises(LaterEventDepends) as caught:
        journal.revert(works)
    assert caught.value.later_event_id == opened.id
    journal.rollback(STREAM, opened.version - 1)
    journal.revert(works)
    assert phase_of(journal) is Phase.FREEZING
    check_sound(journal)


def test_what_made_it_time_for_a_phase_change_is_held_by_it(journal: Journal) -> None:
    newcomer(journal)
    approved(journal)
    journal.conversations.tick(0)
    journal.conversations.sync_config("c", ConfigChanges(commit_inactivity_ms=5), epoch=5, now=0)
    synced = journal.head()
    journal.conversations.tick(5)
    frozen = journal.head()
    assert phase_of(journal) is Phase.FREEZING
    for position in (synced, frozen - 1):
        with pytest.raises(LaterEventDepends) as caught:
            journal.revert(position)
        assert caught.value.later_event_id == journal.record(frozen).id
    journal.revert(frozen)
    journal.revert(frozen - 1)
    journal.revert(synced)
    assert phase_of(journal) is Phase.WORKING
    check_sound(journal)


def test_a_selection_that_is_given_back_has_begun_with_what_it_began_with(journal: Journal) -> None:
    member(journal)
    approved(journal)
    freeze(journal)
    journal.conversations.buffer_candidate("c", "h-1", "carol", proposals=1, now=120_000)
    journal.conversations.tick(200_000)
    assert phase_of(journal) is Phase.SELECTION
    # An emergency in the selection brings more to do, and then a freeze is judged by what there was at first.
    before = journal.read_state(STREAM, lambda state: state.situation.approved_at_selection)
    selection = journal.head()
    undone = journal.revert(selection).positions[0]
    journal.conversations.receive_proposal("c", 7, ADD, creator="carol", voters=3, now=200_000)
    journal.conversations.approve("c", 7, now=200_000)
    journal.revert(undone)
    assert journal.read_state(STREAM, lambda state: state.situation.approved_at_selection) == before
    check_sound(journal)


def test_a_vote_that_cannot_be_cast_any_more_is_in_nobodys_way(journal: Journal) -> None:
    member(journal)
    journal.conversations.receive_proposal("c", 5, ADD, creator="carol", voters=9, now=0)
    scheduled = journal.head()
    journal.conversations.vote("c", 5, True, now=1)
    # The vote by hand took its place: it has ended, and so has what ended it.
    for position in (scheduled, scheduled + 1):
        with pytest.raises(NotCompensable, match="ended by itself"):
            journal.revert(position)
