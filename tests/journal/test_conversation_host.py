"""What a host puts on record of its own: phases that it moves by hand, and what it has to tell (de-mls 1.2, 3.1)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from muniment.domain import (
    ConversationEnded,
    ConversationNotFound,
    IllegalMove,
    InvalidArgument,
    InvalidIdentifier,
    InvalidInput,
    NotCompensable,
    NotificationKind,
    Phase,
)
from muniment.domain.conversation import HostTold
from muniment.journal import AsyncJournal, Journal
from muniment.scripts.describe import describe

from ..domain.conversation_facts import ADD
from .conversation_stories import approved, member, phase_of, ticked
from .test_notifications import told


def test_what_the_host_tells_comes_out_in_order_with_the_rest(journal: Journal) -> None:
    conversations = journal.conversations
    member(journal)
    *_, last = conversations.notifications("ui")
    conversations.acknowledge(last)
    conversations.tell("c", "typing", "bob", now=1)
    conversations.receive_proposal("c", 1, ADD, creator="bob", voters=3, now=2)
    # Told twice is told twice; and a text may be empty.
    conversations.tell("c", "app_message", "hello", now=3)
    conversations.tell("c", "app_message", "hello", now=3)
    conversations.tell("c", "ping", "", now=3)
    found: list[Any] = list(conversations.notifications("ui"))
    assert [each.kind.value for each in found] == ["host", "vote_requested", "host", "host", "host"]
    mine = [(each.at, each.event.kind, each.event.message) for each in found if each.kind is NotificationKind.HOST]
    assert mine == [(1, "typing", "bob"), (3, "app_message", "hello"), (3, "app_message", "hello"), (3, "ping", "")]
    conversations.acknowledge(found[2])
    assert told(journal, only="c") == told(journal) == [("host", "c"), ("host", "c")]
    assert describe(HostTold("c", 1, "typing", "bob")) == "typing: bob"
    assert journal.verify().findings == ()


def test_it_is_told_in_every_phase_and_moves_no_deadline(journal: Journal) -> None:
    journal.conversations.join("c", "alice", now=0)
    journal.conversations.tell("c", "waiting", "for bob", now=5)
    assert journal.conversations.next_wakeup(5) == 179_995
    assert journal.conversations["c"].phase is Phase.PENDING_JOIN
    journal.conversations.remove("c", now=9)
    head = journal.head()
    with pytest.raises(ConversationEnded):
        journal.conversations.tell("c", "gone", "", now=9)
    with pytest.raises(ConversationNotFound):
        journal.conversations.tell("d", "gone", "", now=9)
    assert journal.head() == head


@pytest.mark.parametrize(
    ("kind", "message", "error"),
    [
        ("", "x", InvalidIdentifier),
        ("x" * 201, "x", InvalidIdentifier),
        ("a\nb", "x", InvalidIdentifier),
        (7, "x", InvalidIdentifier),
        ("x", "x" * 2_001, InvalidArgument),
        ("x", "\0", InvalidArgument),
        ("x", "\ud800", InvalidArgument),
        ("x", b"x", InvalidArgument),
        ("x", None, InvalidArgument),
    ],
)
def test_what_is_told_is_bounded(kind: Any, message: Any, error: type[InvalidInput], journal: Journal) -> None:
    journal.conversations.create("c", "alice", now=0)
    with pytest.raises(error):
        journal.conversations.tell("c", kind, message, now=0)
    assert journal.head() == 1
    journal.conversations.tell("c", "x" * 200, "x" * 2_000, now=0)


def test_what_was_told_is_not_undone(journal: Journal) -> None:
    journal.conversations.create("c", "alice", now=0)
    journal.conversations.tell("c", "app", "hello", now=0)
    with pytest.raises(NotCompensable, match="it was told"):
        journal.revert("conversation-c@2")
    # And it keeps nothing else from being undone.
    journal.revert("conversation-c@1")
    assert "c" not in journal.conversations


def test_a_freeze_by_hand_goes_on_by_itself(journal: Journal) -> None:
    member(journal)
    approved(journal)
    assert journal.conversations.enter("c", Phase.FREEZING, now=100) is Phase.FREEZING
    row = journal.conversations["c"]
    assert (row.phase, row.entered_at, row.anchor) == (Phase.FREEZING, 100, 100)
    assert [each.due_at for each in row.deadlines] == [30_100]
    journal.conversations.buffer_candidate("c", "h-1", "bob", proposals=1, now=200)
    assert ticked(journal, 30_099) == []
    assert ticked(journal, 30_100) == ["phase_changed"]
    assert phase_of(journal) is Phase.SELECTION
    assert journal.conversations.enter("c", Phase.REELECTION, now=30_200) is Phase.REELECTION
    assert journal.conversations.enter("c", Phase.WORKING, now=30_300) is Phase.WORKING
    assert journal.conversations["c"].anchor is None
    # A move by hand judges nobody, and what was approved is approved.
    assert journal.conversations.state("c").scores == {}
    assert journal.conversations["c"].approved == 1
    assert [each.phase for each in journal.phase_visits.of_conversation("c")[1:]] == [
        Phase.WORKING,
        Phase.FREEZING,
        Phase.SELECTION,
        Phase.REELECTION,
        Phase.WORKING,
    ]
    causes = [each.event.cause for each in journal.read() if hasattr(each.event, "cause")]
    assert causes == ["joined", "by_hand", "freeze_window", "by_hand", "by_hand"]
    assert "working to freezing: by_hand" in describe(
        next(each.event for each in journal.read() if getattr(each.event, "cause", "") == "by_hand")
    )
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_an_illegal_move_appends_nothing(journal: Journal) -> None:
    member(journal)
    head = journal.head()
    with pytest.raises(IllegalMove) as refused:
        journal.conversations.enter("c", Phase.REELECTION, now=1)
    assert (refused.value.phase, refused.value.target) == ("working", "reelection")
    assert refused.value.legal == ("working", "freezing")
    assert journal.conversations.enter("c", Phase.WORKING, now=1) is None
    for bad in ("working", None, 3):
        with pytest.raises(InvalidArgument, match="phase"):
            journal.conversations.enter("c", bad, now=1)  # type: ignore[arg-type]
    assert journal.head() == head


def test_a_move_by_hand_is_undone_and_done_again(journal: Journal) -> None:
    member(journal)
    approved(journal)
    journal.conversations.tick(10)
    journal.conversations.enter("c", Phase.FREEZING, now=100)
    moved = journal.head()
    journal.revert(moved)
    row = journal.conversations["c"]
    assert (row.phase, row.anchor) == (Phase.WORKING, 10)
    journal.revert(journal.head())
    row = journal.conversations["c"]
    assert (row.phase, row.anchor) == (Phase.FREEZING, 100)
    assert journal.verify().findings == ()


def test_both_are_awaited_too() -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            team = journal.conversations
            await team.create("c", "alice", now=0)
            assert await team.enter("c", Phase.FREEZING, now=5) is Phase.FREEZING
            await team.tell("c", "app", "hello", now=6)
            with pytest.raises(IllegalMove):
                await team.enter("c", Phase.REELECTION, now=7)
            found = await team.notifications("ui")
            assert [each.kind.value for each in found] == ["created", "phase_change", "phase_change", "host"]

    asyncio.run(story())
