"""What is due: every question says the same of every time; nothing of a peer waits for ever (de-mls 2, 5.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import ConversationConfig, DeadlineKind, ProposalRequest
from muniment.journal import Journal

from ..conftest import Clock
from ..conversation_sequences import COMMANDS, Command, begin, give
from ..domain.conversation_facts import ADD
from ..drawing import drawn
from .conversation_stories import approved, member, ticked
from .test_conversation_laws import SWITCHES, timed

OF_PHASE = {DeadlineKind.SELECTION, DeadlineKind.FREEZE, DeadlineKind.INACTIVITY, DeadlineKind.JOIN_EXPIRY}


def who_is_due(journal: Journal, now: int) -> set[str]:
    """The conversations in which something is due at a time, as every question says."""
    pending = journal.deadlines.until(now)
    names = {each.conversation_id for each in pending}
    assert set(journal.conversations.due(now)) == names
    wakeups = {name: journal.conversations.next_wakeup(now, name) for name in journal.conversations}
    assert {name for name, wakeup in wakeups.items() if wakeup == 0} == names
    assert journal.deadlines.next_wakeup(now) == journal.conversations.next_wakeup(now)
    assert journal.conversations.next_wakeup(now) == min(
        (each for each in wakeups.values() if each is not None), default=None
    )
    assert (journal.conversations.next_wakeup(now) == 0) == bool(names)
    assert len(pending) == len(set(pending))
    assert [each.deadline.order for each in pending] == sorted(each.deadline.order for each in pending)
    then = journal.at(position=journal.head())
    assert then.deadlines.until(now) == pending
    assert then.deadlines.next_wakeup(now) == journal.deadlines.next_wakeup(now)
    return names


def check(journal: Journal, now: int) -> None:
    """Nothing is due before the wake-up, and something from then on."""
    names = who_is_due(journal, now)
    wakeup = journal.conversations.next_wakeup(now)
    if wakeup is None:
        assert not names
        assert list(journal.deadlines) == []
    elif wakeup:
        assert not who_is_due(journal, now + wakeup - 1)
        assert who_is_due(journal, now + wakeup)


@given(COMMANDS, SWITCHES, st.data())
@settings(max_examples=drawn(60))
def test_every_question_says_the_same_of_every_time(
    commands: list[Command], switches: int, data: st.DataObject
) -> None:
    with Journal.open("memory://", clock=Clock(0)) as journal:
        begin(journal, switches)
        # One conversation is ahead of the others, or behind.
        elsewhere = data.draw(st.sampled_from([0, 30, 500]))
        journal.conversations.create("d", "alice", replace(ConversationConfig(), voting_delay_ms=20), now=elsewhere)
        journal.conversations.receive_proposal("d", 1, ADD, creator="bob", voters=3, now=elsewhere)
        if data.draw(st.booleans()):
            journal.conversations.approve("d", 1, now=elsewhere)
        for number, (command, now) in enumerate(timed(commands)):
            give(journal, command, now)
            if number % 6:
                continue
            for time in (now, data.draw(st.integers(0, 700))):
                check(journal, time)
            names = who_is_due(journal, now)
            assert set(journal.conversations.tick(now)) == names
            # Only what the tick has just begun may be over at once: a freeze whose candidates are there already.
            for each in journal.deadlines.until(now):
                assert each.deadline.kind in OF_PHASE
                assert each.conversation_id in names
            for _ in range(3):
                journal.conversations.tick(now)
            assert not who_is_due(journal, now)
            assert journal.conversations.tick(now) == {}


def test_a_clock_that_went_back_finds_due_what_was_due(journal: Journal) -> None:
    member(journal, now=1_000)
    approved(journal, now=1_000)
    # At once: the next tick anchors the wait for a commit.
    for now in (0, 999, 1_000):
        assert [each.deadline.kind for each in journal.deadlines.until(now)] == [DeadlineKind.ANCHORING]
        assert journal.deadlines.next_wakeup(now) == journal.conversations.next_wakeup(now) == 0
        assert journal.conversations.due(now) == ["c"]
    assert ticked(journal, 0) == ["phase_timer_anchored"]
    assert journal.deadlines.until(60_999) == []
    assert (journal.deadlines.next_wakeup(0), journal.conversations.next_wakeup(0)) == (61_000, 61_000)


def test_a_peer_that_leaves_without_its_vote_is_not_waited_for_for_ever(journal: Journal) -> None:
    leaves = ProposalRequest.remove_member("bob")
    for name, switch in (("c", True), ("d", False)):
        journal.conversations.create(name, "alice", ConversationConfig(peers_time_out=switch), now=0)
        journal.conversations.receive_proposal(name, 1, leaves, creator="bob", voters=1, now=0)
        # One whose vote comes with it is decided at once.
        journal.conversations.receive_proposal(name, 2, leaves, creator="bob", voters=1, vote=True, now=0)
    pending = [each.deadline for each in journal.deadlines.of_conversation("c")]
    assert (30_000, DeadlineKind.CONSENSUS_TIMEOUT, 1, None, None) in pending
    journal.conversations.tick(30_000)
    assert [journal.proposals[name, 1].status for name in ("c", "d")] == ["failed", "open"]
    assert journal.verify().findings == ()


@given(COMMANDS, SWITCHES)
@settings(max_examples=drawn(50))
def test_where_peers_time_out_nothing_of_theirs_stays_open(commands: list[Command], switches: int) -> None:
    with Journal.open("memory://", clock=Clock(0)) as journal:
        begin(journal, switches | 1)
        for command, now in timed(commands):
            if command.op not in ("cancel_timeout", "join", "create"):
                give(journal, command, now)
        journal.conversations.tick(10**6)
        journal.conversations.tick(10**6)
        open_ones = [row for row in journal.proposals.values() if row.status == "open" and not row.is_own]
        assert open_ones == []


@pytest.mark.parametrize("now", [0, 1, 59_999, 60_000, 10**12])
def test_a_removed_conversation_is_due_at_no_time(now: int, journal: Journal) -> None:
    member(journal)
    approved(journal)
    journal.conversations.remove("c", now=100)
    found: Any = (journal.deadlines.until(now), journal.conversations.due(now), journal.deadlines.next_wakeup(now))
    assert found == ([], [], None)
