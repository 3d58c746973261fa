"""What consumers are told of conversations: in order, and once they have acknowledged it, no more (de-mls 3, 5.1)."""

from __future__ import annotations

from typing import Any

import pytest
from muniment.domain import (
    ApprovedRequest,
    CreatorVote,
    InvalidArgument,
    InvalidIdentifier,
    InvalidInput,
    Notification,
    NotificationKind,
    Outcome,
    Phase,
    ProposalRequest,
    UnknownPosition,
)
from muniment.journal import Journal

from ..domain.conversation_facts import ADD
from .conversation_stories import member, reelecting


def told(journal: Journal, consumer: str = "ui", only: str | None = None) -> list[tuple[str, str]]:
    """What a consumer is told, and of which conversation."""
    return [(each.kind.value, each.conversation_id) for each in journal.conversations.notifications(consumer, only)]


def test_scenario_5_what_happened_is_told_in_order_and_once_it_is_acknowledged_no_more(journal: Journal) -> None:
    journal.conversations.join("c", "alice", now=0)
    journal.conversations.joined("c", 5, ["bob"], now=1)
    journal.conversations.removed_by_commit("c", "h-1", "bob", now=2)
    expected = ["created", "phase_change", "joined", "phase_change", "leaving"]
    assert [kind for kind, _ in told(journal)] == expected
    # It is told until it is acknowledged.
    first, *_ = journal.conversations.notifications("ui")
    assert [kind for kind, _ in told(journal)] == expected
    journal.conversations.acknowledge(first)
    assert [kind for kind, _ in told(journal)] == expected[1:]
    *_, last = journal.conversations.notifications("ui")
    journal.conversations.acknowledge(last)
    assert told(journal) == []
    # Another consumer is told everything.
    assert [kind for kind, _ in told(journal, "audit")] == expected
    journal.conversations.remove("c", now=3)
    assert told(journal) == [("removed", "c")]


def test_a_failed_freeze_and_a_commit_are_told_as_the_reference_does(journal: Journal) -> None:
    now = reelecting(journal)
    *_, last = journal.conversations.notifications("ui")
    assert [each.event.phase for each in journal.conversations.notifications("ui") if each.kind == "phase_change"] == [  # type: ignore[attr-defined]
        Phase.PENDING_JOIN,
        Phase.WORKING,
        Phase.FREEZING,
        Phase.SELECTION,
        Phase.REELECTION,
    ]
    journal.conversations.acknowledge(last)
    journal.conversations.buffer_candidate("c", "h-1", "bob", proposals=1, now=now)
    journal.conversations.commit_applied("c", "h-1", "bob", now=now)
    # What was committed comes before the phase (de-mls 3.3).
    assert [kind for kind, _ in told(journal)] == ["freeze_progress", "commit_applied", "phase_change"]
    commit = [
        each for each in journal.conversations.notifications("ui") if each.kind is NotificationKind.COMMIT_APPLIED
    ]
    assert commit[0].event.batch == (ApprovedRequest(1, ADD),)  # type: ignore[attr-defined]


def test_what_is_told_of_proposals(journal: Journal) -> None:
    member(journal)
    *_, last = journal.conversations.notifications("ui")
    journal.conversations.acknowledge(last)
    conversations = journal.conversations
    conversations.open_proposal("c", 1, ADD, voters=3, now=0)
    conversations.open_proposal("c", 2, ADD, voters=3, creator_vote=CreatorVote.DEFERRED, now=0)
    conversations.receive_proposal("c", 3, ProposalRequest.remove_member("bob"), creator="bob", voters=1, now=0)
    conversations.receive_proposal("c", 4, ADD, creator="bob", voters=3, now=0)
    conversations.reject("c", 4, failed=True, now=0)
    conversations.report_failure("c", "send", "no route", now=0)
    found: list[Any] = list(conversations.notifications("ui"))
    numbers = [each.event.proposal.proposal_id if hasattr(each.event, "proposal") else None for each in found]
    assert list(zip([each.kind.value for each in found], numbers, strict=True)) == [
        ("own_proposal_submitted", 1),
        ("vote_requested", 2),
        ("vote_requested", 4),
        ("consensus_reached", 4),
        ("error", None),
    ]
    assert found[3].event.result is Outcome.FAILED


def test_a_consumer_may_ask_for_one_conversation(journal: Journal) -> None:
    for name in ("c", "d"):
        journal.conversations.create(name, "alice", now=0)
    assert told(journal, only="d") == [("created", "d"), ("phase_change", "d")]
    *_, last = journal.conversations.notifications("ui", "d")
    journal.conversations.acknowledge(last)
    assert told(journal, only="d") == []
    assert told(journal) == [("created", "c"), ("phase_change", "c")]
    # And what is acknowledged of all is acknowledged of each.
    journal.conversations.create("e", "alice", now=0)
    *_, last = journal.conversations.notifications("ui")
    journal.conversations.acknowledge(last)
    assert told(journal, only="e") == told(journal, only="c") == told(journal) == []
    journal.conversations.remove("d", now=1)
    assert told(journal, only="d") == [("leaving", "d"), ("removed", "d")]
    assert told(journal, only="nowhere") == []


def test_a_consumer_goes_on_after_a_restart_and_an_import(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        journal.conversations.create("c", "alice", now=0)
        first, _ = journal.conversations.notifications("ui")
        journal.conversations.acknowledge(first)
    with Journal.open(shared_url) as journal:
        assert told(journal) == [("phase_change", "c")]
        # Acknowledging the same, or an earlier one, again changes nothing.
        head = journal.head()
        journal.conversations.acknowledge(first)
        assert journal.head() == head
        with Journal.open("memory://") as copy:
            copy.import_export(journal.export())
            assert told(copy) == [("phase_change", "c")]


def test_what_was_told_in_a_past_that_a_restore_replaced_is_not_acknowledged(journal: Journal) -> None:
    journal.conversations.create("c", "alice", now=0)
    with Journal.open("memory://") as restored:
        restored.import_export(journal.export())
        journal.conversations.remove("c", now=1)
        restored.conversations.remove("c", now=2)
        *_, lost = journal.conversations.notifications("ui")
        with pytest.raises(InvalidArgument):
            restored.conversations.acknowledge(lost)
        *_, last = restored.conversations.notifications("ui")
        assert last.position == lost.position
        restored.conversations.acknowledge(last)
        assert told(restored) == []


def test_a_consumer_that_was_told_everything_is_told_what_comes(journal: Journal) -> None:
    for number in range(3):
        assert told(journal) == told(journal, only="c") == []
        journal.sessions.open(f"s-{number}")
        assert told(journal) == []
    journal.conversations.create("c", "alice", now=0)
    assert told(journal) == told(journal, only="c") == [("created", "c"), ("phase_change", "c")]
    assert told(journal, "other") == told(journal)
    *_, last = journal.conversations.notifications("ui")
    journal.conversations.acknowledge(last)
    assert told(journal) == []
    journal.conversations.remove("c", now=0)
    assert told(journal) == [("leaving", "c"), ("removed", "c")]


def test_notifications_cross_pages(journal: Journal) -> None:
    for number in range(1_500):
        journal.sessions.open(f"s-{number}")
        if number % 2:
            journal.conversations.create(f"c-{number}", "alice", now=0)
    found = told(journal)
    assert len(found) == len(set(found)) == 1_500
    assert found == sorted(found, key=lambda each: (int(each[1][2:]), each[0]))


def test_what_was_undone_is_told_as_what_happened(journal: Journal) -> None:
    journal.conversations.create("c", "alice", now=0)
    journal.revert(1)
    assert told(journal) == [("created", "c"), ("phase_change", "c"), ("removed", "c")]


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"position": 0}, UnknownPosition),
        ({"position": 99}, UnknownPosition),
        ({"position": -1}, InvalidArgument),
        ({"position": True}, InvalidArgument),
        ({"position": "1"}, InvalidArgument),
        ({"position": 2**70}, InvalidArgument),
        ({"position": 2}, InvalidArgument),  # a session's event tells nothing
        ({"part": -1}, InvalidArgument),
        ({"part": 2}, InvalidArgument),
        ({"part": "x"}, InvalidArgument),
        ({"conversation_id": "d"}, InvalidArgument),
        ({"conversation_id": 7, "only": True}, InvalidArgument),
        ({"consumer": ""}, InvalidIdentifier),
        ({"consumer": None}, InvalidIdentifier),
        ({"only": "maybe"}, InvalidArgument),
    ],
)
def test_a_notification_that_was_made_up_is_not_acknowledged(
    facts: dict[str, Any], error: type[InvalidInput], journal: Journal
) -> None:
    journal.conversations.create("c", "alice", now=0)
    journal.sessions.open("s-1")
    first, _ = journal.conversations.notifications("ui")
    with pytest.raises(error):
        journal.conversations.acknowledge(first._replace(**facts))
    with pytest.raises(InvalidArgument):
        journal.conversations.acknowledge((1, 2))  # type: ignore[arg-type]
    assert journal.head() == 2
    assert isinstance(first, Notification)
