"""Arguments that make no sense, journals that somebody made up, and tables that somebody edited, of conversations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import (
    AlreadyVoted,
    Cause,
    ConfigChanges,
    ConversationBlocked,
    ConversationConfig,
    ConversationExists,
    Event,
    InvalidArgument,
    InvalidIdentifier,
    InvalidInput,
    JournalReadOnly,
    LeaveReason,
    LimitReached,
    Operation,
    Phase,
    ProjectionStopped,
    ProposalNotFound,
    ProposalRequest,
    RejectedCandidate,
    RejectionReason,
    Role,
    StewardListReason,
    accept,
    conversation,
)
from muniment.journal import Journal

from ..conftest import Clock
from ..domain.conversation_facts import ADD, DEADLOCK, ELECTION
from .conversation_stories import approved, member, phase_of
from .damage import edit

BAD: dict[str, tuple[Callable[[Any], Any], type[InvalidInput]]] = {
    "no name": (lambda c: c.create("", "alice"), InvalidIdentifier),
    "a long name": (lambda c: c.create("x" * 10_000, "alice"), InvalidIdentifier),
    "a name that is none": (lambda c: c.create(7, "alice"), InvalidIdentifier),
    "a control character": (lambda c: c.join("a\nb", "alice"), InvalidIdentifier),
    "half a surrogate pair": (lambda c: c.join("\ud800", "alice"), InvalidIdentifier),
    "nobody": (lambda c: c.create("d", ""), InvalidIdentifier),
    "a config that is none": (lambda c: c.create("d", "alice", {"freeze_ms": 1}), InvalidArgument),
    "a time before time": (lambda c: c.create("d", "alice", now=-1), InvalidArgument),
    "a time after time": (lambda c: c.create("d", "alice", now=2**62), InvalidArgument),
    "a time that is none": (lambda c: c.tick(1.5), InvalidArgument),
    "a time of true": (lambda c: c.tick(True), InvalidArgument),
    "a tick before time": (lambda c: c.tick(-1), InvalidArgument),
    "a wake-up after time": (lambda c: c.next_wakeup(2**63), InvalidArgument),
    "a tick of a long name": (lambda c: c.tick(0, "x" * 10_000), InvalidIdentifier),
    "a wake-up of no name": (lambda c: c.next_wakeup(0, ""), InvalidIdentifier),
    "a negative number": (lambda c: c.vote("c", -1, True), InvalidArgument),
    "a huge number": (lambda c: c.vote("c", 2**63, True), InvalidArgument),
    "a vote that is none": (lambda c: c.vote("c", 1, "yes"), InvalidArgument),
    "no voters": (lambda c: c.open_proposal("c", 2, ADD, voters=0), InvalidArgument),
    "too many voters": (lambda c: c.open_proposal("c", 2, ADD, voters=10_001), InvalidArgument),
    "voters that are none": (lambda c: c.open_proposal("c", 2, ADD, voters=[]), InvalidArgument),
    "one name for voters": (lambda c: c.open_proposal("c", 2, ADD, voters="alice"), InvalidArgument),
    "voters of no name": (
        lambda c: c.receive_proposal("c", 2, ADD, creator="bob", voters=["bob", ""]),
        InvalidIdentifier,
    ),
    "half a voter": (lambda c: c.open_proposal("c", 2, ADD, voters=1.5), InvalidArgument),
    "a voter of true": (lambda c: c.open_proposal("c", 2, ADD, voters=True), InvalidArgument),
    "too many named voters": (
        lambda c: c.open_proposal("c", 2, ADD, voters=[f"m-{n}" for n in range(1_001)]),
        InvalidArgument,
    ),
    "a check of a negative number": (lambda c: c.check("c", Operation.VOTE, proposal_id=-1), InvalidArgument),
    "a phase that is none": (lambda c: c.enter("c", "freezing"), InvalidArgument),
    "a kind that is no name": (lambda c: c.tell("c", "", "x"), InvalidIdentifier),
    "no request": (lambda c: c.open_proposal("c", 2, "add", voters=3), InvalidArgument),
    "a request of nonsense": (
        lambda c: c.open_proposal("c", 2, ProposalRequest(DEADLOCK.kind), voters=3),
        InvalidArgument,
    ),
    "a creator's vote that is none": (
        lambda c: c.open_proposal("c", 2, ADD, voters=3, creator_vote="perhaps"),
        InvalidArgument,
    ),
    "an expiry before time": (
        lambda c: c.receive_proposal("c", 2, ADD, creator="bob", voters=3, expires_at_s=-1),
        InvalidArgument,
    ),
    "a delay before time": (lambda c: c.schedule_auto_vote("c", 1, True, delay_ms=-1), InvalidArgument),
    "a delay of ages": (lambda c: c.schedule_timeout("c", 1, delay_ms=2**62), InvalidArgument),
    "a zero in a synchronisation": (lambda c: c.sync_config("c", ConfigChanges(freeze_ms=0), epoch=5), InvalidArgument),
    "changes that are none": (lambda c: c.sync_config("c", {}, epoch=5), InvalidArgument),
    "an epoch of ages": (lambda c: c.joined("c", 2**62 + 1), InvalidArgument),
    "too many members": (lambda c: c.joined("j", 1, [f"m-{n}" for n in range(1_000)]), InvalidArgument),
    "members that are none": (lambda c: c.joined("j", 1, 5), InvalidArgument),
    "one name for members": (lambda c: c.joined("j", 1, "alice"), InvalidArgument),
    "no stewards": (lambda c: c.install_stewards("c", []), InvalidArgument),
    "stewards that are none": (lambda c: c.install_stewards("c", 5), InvalidArgument),
    "stewards of one name": (lambda c: c.install_stewards("c", "bob"), InvalidArgument),
    "a steward twice": (lambda c: c.accept_election("c", 1, ["bob", "bob"]), InvalidArgument),
    "an election without one": (
        lambda c: c.install_stewards("c", ["bob"], StewardListReason.ELECTION),
        InvalidArgument,
    ),
    "a reason that is none": (lambda c: c.install_stewards("c", ["bob"], "why not"), InvalidArgument),
    "a hash that is none": (lambda c: c.buffer_candidate("c", "", "bob", proposals=1), InvalidIdentifier),
    "negative proposals": (lambda c: c.buffer_candidate("c", "h", "bob", proposals=-1), InvalidArgument),
    "rejected that are none": (lambda c: c.no_commit_found("c", rejected=5), InvalidArgument),
    "a rejected that is none": (lambda c: c.no_commit_found("c", rejected=["h"]), InvalidArgument),
    "a message of ages": (lambda c: c.report_failure("c", "send", "x" * 10_000), InvalidArgument),
    "an operation that is none": (lambda c: c.check("c", "fly"), InvalidArgument),
    "a due time that is none": (lambda c: c.due("soon"), InvalidArgument),
    "a due time before time": (lambda c: c.due(-1), InvalidArgument),
    "a consumer that is none": (lambda c: list(c.notifications("")), InvalidIdentifier),
    "the state of no name": (lambda c: c.state(""), InvalidIdentifier),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_typed_error_and_appends_nothing(case: str) -> None:
    call, error = BAD[case]
    with Journal.open("memory://", clock=Clock(0)) as journal:
        member(journal)
        journal.conversations.join("j", "alice", now=0)
        journal.conversations.receive_proposal("c", 1, ELECTION, creator="bob", voters=3, now=0)
        head = journal.head()
        with pytest.raises(error):
            call(journal.conversations)
        assert journal.head() == head


@pytest.mark.parametrize("now", [-1, "soon", 1.5, True, None, 2**64])
def test_tables_are_asked_for_times(now: Any, journal: Journal) -> None:
    member(journal)
    for ask in (
        lambda: journal.deadlines.until(now),
        lambda: journal.deadlines.next_wakeup(now),
        lambda: journal.phase_visits.durations("c", now),
    ):
        with pytest.raises(InvalidArgument, match="now"):
            ask()


def test_rejected_candidates_say_what_they_are() -> None:
    with pytest.raises(InvalidArgument, match="member of RejectedCandidate"):
        RejectedCandidate("h", "", RejectionReason.UNSTAGEABLE)
    with pytest.raises(InvalidArgument, match="RejectedCandidate"):
        RejectedCandidate("h", "bob")  # type: ignore[call-arg]
    with pytest.raises(InvalidArgument, match="RejectedCandidate"):
        RejectedCandidate("h", "bob", RejectionReason.UNSTAGEABLE, "more")  # type: ignore[call-arg]


def test_a_group_that_would_grow_beyond_what_is_allowed_is_told_so(journal: Journal) -> None:
    journal.conversations.join("c", "m-0", now=0)
    journal.conversations.joined("c", 1, [f"m-{number}" for number in range(1_000)], now=0)
    approved(journal)
    head = journal.head()
    with pytest.raises(InvalidArgument, match="members"):
        journal.conversations.commit_applied("c", "h-1", "m-0", now=1)
    assert journal.head() == head
    journal.conversations.commit_applied("c", "h-1", "m-0", members=["m-0"], now=1)
    assert journal.conversations["c"].epoch == 2


def test_the_latest_epoch_has_a_next(journal: Journal) -> None:
    journal.conversations.join("c", "alice", now=0)
    journal.conversations.joined("c", 2**62, now=0)
    journal.conversations.commit_applied("c", "h-1", "alice", now=1)
    assert journal.conversations["c"].epoch == 2**62 + 1


def test_the_last_moment_of_the_calendar(journal: Journal) -> None:
    end = 253_402_300_799_999
    journal.conversations.create("c", "alice", now=end)
    journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=end)
    assert [each.deadline.due_at for each in journal.deadlines] == [end + 10_000]
    assert journal.conversations.tick(end) == {}
    assert journal.verify().findings == ()


def test_what_is_refused_says_why_and_appends_nothing_but_a_dropped_vote(journal: Journal) -> None:
    member(journal)
    conversations = journal.conversations
    conversations.receive_proposal("c", 1, DEADLOCK, creator="carol", voters=3, now=0)
    head = journal.head()
    with pytest.raises(ConversationExists, match="remove it first"):
        conversations.create("c", "alice", now=0)
    with pytest.raises(ProposalNotFound, match="no proposal 9"):
        conversations.vote("c", 9, True, now=0)
    assert journal.head() == head
    conversations.approve("c", 1, now=0)
    with pytest.raises(ConversationBlocked, match="send_chat is not permitted; it is permitted in reelection"):
        conversations.check("c", Operation.SEND_CHAT)
    journal.revert(journal.head())
    assert phase_of(journal) is Phase.WORKING
    conversations.receive_proposal("c", 2, ADD, creator="carol", voters=3, now=0)
    conversations.vote("c", 2, False, now=0)
    conversations.schedule_auto_vote("c", 2, True, delay_ms=5, now=0)
    with pytest.raises(AlreadyVoted, match="stays"):
        conversations.vote("c", 2, True, now=0)
    assert journal.record(journal.head()).type == "conversation.auto_vote_cancelled.v1"


def test_a_read_only_journal_shows_conversations_and_changes_none(file_url: str) -> None:
    with Journal.open(file_url) as journal:
        member(journal)
        journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=0)
    with Journal.open(file_url, read_only=True) as journal:
        assert phase_of(journal) is Phase.WORKING
        assert journal.conversations.next_wakeup(0) == 10_000
        assert list(journal.conversations.notifications("ui"))
        assert journal.conversations.tick(9_999) == {}
        with pytest.raises(JournalReadOnly):
            journal.conversations.tick(10_000)


# Journals that somebody has made up or edited

HUGE = 2**63 - 1


def test_a_time_with_no_room_for_a_window_is_no_time() -> None:
    makers: tuple[Callable[[], Any], ...] = (
        lambda: conversation.ConversationRemoved(conversation_id="c", at=HUGE, reason=LeaveReason.REMOVED),
        lambda: conversation.PhaseChanged(
            "c", 0, Phase.WORKING, Phase.FREEZING, Cause.DEADLOCK, conversation.AnchorAction.SET, anchor=HUGE
        ),
        lambda: conversation.AutoVoteScheduled("c", 0, 1, True, delay_ms=0, fire_at=HUGE),
        lambda: conversation.PendingJoinExpired("c", 0, anchored_at=HUGE, window_ms=0),
    )
    for make in makers:
        with pytest.raises(InvalidArgument, match="less than or equal to 4611686018427387904"):
            make()


def test_numbers_at_the_edge_that_came_from_elsewhere_end_in_typed_errors(journal: Journal) -> None:
    def forge(event: Event[Any]) -> None:
        journal.execute("conversation-c", lambda state: accept(event))

    late = 2**62
    forge(conversation.ConversationOpened("c", late, HUGE, Role.CREATOR, "alice", ConversationConfig()))
    forge(conversation.MemberJoined("c", late, HUGE, frozenset({"alice"})))
    forge(conversation.ScoreChanged("c", late, "alice", conversation.ScoreReason.REVERTED, 0, 2**62))
    assert journal.conversations["c"].epoch == HUGE
    head = journal.head()
    with pytest.raises(InvalidArgument, match="more than a journal holds"):
        journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, expires_at_s=HUGE)
    with pytest.raises(InvalidArgument, match="more than a journal holds"):
        journal.conversations.commit_applied("c", "h-1", "alice")
    assert journal.head() == head
    journal.conversations.remove("c")
    with pytest.raises(LimitReached, match="incarnations"):
        journal.conversations.create("c", "alice")
    assert journal.replay().differences == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE projection_deadlines_v2_2 SET due_at='soon'",
        "UPDATE projection_deadlines_v2_2 SET due_at=NULL",
        "UPDATE projection_deadlines_v2_2 SET kind='fly'",
        "UPDATE projection_deadlines_v2_2 SET conversation_id=x'00'",
        "UPDATE projection_conversations_v2_2 SET anchor='then'",
        "UPDATE projection_conversations_v2_2 SET life='undead'",
        "UPDATE projection_conversation_configs_v1_2 SET config='{'",
        "UPDATE projection_proposals_v1_2 SET opened_at='once'",
        "UPDATE projection_proposals_v1_2 SET status='pending'",
        "UPDATE projection_proposals_v1_2 SET target=''",
        "UPDATE projection_proposals_v1_2 SET details=NULL",
        "UPDATE projection_phase_visits_v1_2 SET entered_at='once'",
        "UPDATE projection_phase_visits_v1_2 SET entered_at=NULL",
        "UPDATE projection_conversations_v2_2 SET at=NULL",
        "UPDATE tracking SET notification_id=NULL",
        "UPDATE tracking SET notification_id='far'",
    ],
)
def test_a_table_that_somebody_edited_is_told_and_made_anew(statement: str, tmp_path: Path) -> None:
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        member(journal)
        journal.conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=0)
        before = dict(journal.conversations.items())
    edit(tmp_path / "journal.db", statement)
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        stopped = 0
        for read in (
            lambda: list(journal.conversations.items()),
            lambda: list(journal.deadlines),
            lambda: journal.conversations.next_wakeup(0),
            lambda: list(journal.proposals.items()),
            lambda: list(journal.phase_visits.items()),
            lambda: journal.phase_visits.durations("c", 0),
        ):
            try:
                read()
            except ProjectionStopped:
                stopped += 1
        assert stopped or "x'00'" in statement
        assert journal.verify().findings
        journal.replay()
        assert dict(journal.conversations.items()) == before
        assert journal.verify().findings == ()
