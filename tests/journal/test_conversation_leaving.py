"""Who is out of the group is out of the conversation, and why is told in one way (de-mls 1.3, T5, T13; 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from muniment.domain import (
    ConversationEnded,
    LeaveReason,
    Life,
    Operation,
    Phase,
    ProposalRequest,
)
from muniment.domain.conversation import (
    ConversationRemoved,
    FreezeRoundFinalized,
    MemberLeaving,
    self_leave_id,
)
from muniment.journal import Journal
from muniment.journal.testing import types
from muniment.scripts.describe import describe

from ..domain.conversation_facts import ADD, BELOW
from .conversation_stories import REMOVE_ALICE, approved, member

WITHOUT_ALICE = ("bob", "carol")

COMMITS: dict[str, Callable[[Any, int], Any]] = {
    "as its batch says": lambda c, now: c.commit_applied("c", "h-1", "bob", now=now),
    "as the host lists": lambda c, now: c.commit_applied("c", "h-1", "bob", members=WITHOUT_ALICE, now=now),
    "as the host says": lambda c, now: c.removed_by_commit("c", "h-1", "bob", now=now),
}


def reasons(journal: Journal) -> dict[str, Any]:
    """Every place that says why this member left."""
    row, seen = journal.conversations["c"], list(journal.conversations.notifications("ui"))
    events = [each.event for each in journal.read() if isinstance(each.event, MemberLeaving | ConversationRemoved)]
    return {
        "row": row.reason,
        "events": [each.reason for each in events],
        "descriptions": [describe(each) for each in events],
        "notifications": [
            (each.kind.value, each.event.reason)  # type: ignore[attr-defined]
            for each in seen
            if each.kind in ("leaving", "removed")
        ],
    }


def everywhere(reason: LeaveReason) -> dict[str, Any]:
    """The same reason in all of them, of one that has left and was removed."""
    return {
        "row": reason,
        "events": [reason, reason],
        "descriptions": [reason.value, reason.value],
        "notifications": [("leaving", reason), ("removed", reason)],
    }


@pytest.mark.parametrize("commit", COMMITS)
@pytest.mark.parametrize("by_itself", [True, False])
def test_after_a_commit_that_removes_this_member_nothing_is_open(
    commit: str, by_itself: bool, journal: Journal
) -> None:
    member(journal)
    conversations = journal.conversations
    conversations.receive_proposal("c", 2, ADD, creator="bob", voters=3, now=0)
    if by_itself:
        conversations.leave("c", now=0)
    else:
        approved(journal, REMOVE_ALICE)
    assert COMMITS[commit](conversations, 1) is None
    row = conversations["c"]
    assert (row.life, row.epoch, row.deadlines, row.proposals) == (Life.LEAVING, 6, (), 0)
    assert conversations.state("c").members == set(WITHOUT_ALICE)
    assert journal.proposals["c", 2].status == "abandoned"
    head = journal.head()
    calls: tuple[Callable[[], Any], ...] = (
        lambda: conversations.open_proposal("c", 3, ADD, voters=3, now=2),
        lambda: conversations.vote("c", 2, True, now=2),
        lambda: conversations.receive_vote("c", 2, "bob", True, now=2),
        lambda: conversations.commit_applied("c", "h-2", "bob", now=2),
        lambda: conversations.buffer_candidate("c", "h-2", "bob", proposals=1, now=2),
        lambda: conversations.leave("c", now=2),
        lambda: conversations.check("c", Operation.SEND_CHAT, now=2),
        lambda: conversations.enter("c", Phase.FREEZING, now=2),
        lambda: conversations.tell("c", "app", "", now=2),
    )
    for call in calls:
        with pytest.raises(ConversationEnded, match="leaving"):
            call()
    assert journal.head() == head
    assert conversations.tick(10**6) == {}
    conversations.remove("c", now=2)
    assert reasons(journal) == everywhere(LeaveReason.SELF_LEAVE if by_itself else LeaveReason.REMOVED)
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_a_freeze_that_removed_this_member_says_so(journal: Journal) -> None:
    member(journal)
    approved(journal, REMOVE_ALICE)
    journal.conversations.buffer_candidate("c", "h-1", "bob", proposals=1, now=0)
    journal.conversations.commit_applied("c", "h-1", "bob", now=1)
    events = [each.event for each in journal.read()]
    (over,) = [each for each in events if isinstance(each, FreezeRoundFinalized)]
    assert over.result == "removed_us"
    assert types(events)[-1] == "member_leaving"
    assert journal.verify().findings == ()


def test_another_commit_leaves_this_member_where_it_is(journal: Journal) -> None:
    member(journal)
    approved(journal, ProposalRequest.remove_member("carol"))
    assert journal.conversations.commit_applied("c", "h-1", "bob", now=1) is Phase.WORKING
    # It is removed, and let in again by the same commit.
    approved(journal, REMOVE_ALICE, 2, now=1)
    approved(journal, ProposalRequest.add_member("alice"), 3, now=1)
    assert journal.conversations.commit_applied("c", "h-2", "bob", now=2) is Phase.WORKING
    assert "alice" in journal.conversations.state("c").members


def test_who_asked_to_leave_and_stayed_can_ask_again(journal: Journal) -> None:
    member(journal)
    conversations, number = journal.conversations, self_leave_id("alice")
    assert conversations.leave("c", now=0) == number
    # It was sent, and waits for a commit.
    assert conversations.leave("c", now=0) is None
    stays = ["alice", *WITHOUT_ALICE]
    assert conversations.commit_applied("c", "h-1", "bob", members=stays, now=1) is Phase.WORKING
    assert conversations["c"].approved == 0
    assert conversations.leave("c", now=2) == number
    assert conversations.leave("c", now=2) is None
    assert (journal.proposals["c", number].status, journal.proposals["c", number].opened_at) == ("yes", 2)
    assert [each.at for each in journal.proposals.timeline("c", number)] == [2, 2, 2, 2, 2]
    conversations.commit_applied("c", "h-2", "bob", now=3)
    assert conversations["c"].reason is LeaveReason.SELF_LEAVE
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_an_urgent_removal_of_another_leaves_the_wish_to_leave_waiting(journal: Journal) -> None:
    member(journal)
    conversations = journal.conversations
    conversations.leave("c", now=0)
    approved(journal, BELOW)
    conversations.commit_applied("c", "h-1", "carol", now=1)
    assert conversations["c"].approved == 1
    assert conversations.leave("c", now=2) is None
    conversations.commit_applied("c", "h-2", "carol", now=3)
    assert conversations["c"].reason is LeaveReason.SELF_LEAVE


WAYS: dict[str, Callable[[Any], Any]] = {
    "leave": lambda c: c.leave("c", now=5),
    "remove": lambda c: c.remove("c", now=5),
}


@pytest.mark.parametrize("way", WAYS)
def test_who_is_not_let_in_yet_leaves_in_one_way(way: str, journal: Journal) -> None:
    journal.conversations.join("c", "alice", now=0)
    assert WAYS[way](journal.conversations) is None
    assert journal.conversations["c"].life is Life.REMOVED
    assert reasons(journal) == everywhere(LeaveReason.LEFT_PENDING)
    assert journal.verify().findings == ()


def test_a_member_leaves_in_one_way() -> None:
    found = []
    for is_asked in (True, False):
        with Journal.open("memory://") as other:
            member(other)
            if is_asked:
                other.conversations.leave("c", now=1)
                other.conversations.removed_by_commit("c", "h-1", "bob", now=2)
            other.conversations.remove("c", now=3)
            found.append(reasons(other))
    assert found == [everywhere(LeaveReason.SELF_LEAVE)] * 2


def test_who_expired_and_who_was_removed_are_told_as_that(journal: Journal) -> None:
    journal.conversations.join("c", "alice", now=0)
    journal.conversations.tick(180_000)
    journal.conversations.remove("c", now=180_000)
    assert reasons(journal) == everywhere(LeaveReason.EXPIRED)
