"""Undoing what was undone, what needs something that is gone, and what is one act with something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from muniment.domain import (
    AlreadyCompensated,
    BundleNotFound,
    ComposedBundle,
    LaterEventDepends,
    NotCompensable,
    UpgradeRejected,
)
from muniment.journal import Journal

from .stories import claim, claim_fragments, hand_over, host, live, open_session, register, seed, upgrade_to


def check_sound(journal: Journal) -> None:
    assert journal.verify().findings == ()
    assert journal.coherence() == ()
    assert journal.replay().differences == {}


def delegate(journal: Journal) -> Any:
    return journal.sessions.delegate("s-1", "A", "B")


def test_what_was_done_again_is_undone_by_what_did_it_again(journal: Journal) -> None:
    for act in (open_session, host, delegate):
        act(journal)
    for _ in range(3):
        # By the number of the delegation itself, whichever event stands for it by now.
        journal.revert("session-s-1@3")
        with pytest.raises(AlreadyCompensated) as caught:
            journal.revert("session-s-1@3")
        journal.revert(caught.value.compensated_by)
    assert [row.status for row in journal.delegations.values()] == ["reverted"] * 3 + ["committed"]
    # Each delegation has a number of its own, also where it was done again, and none is left out.
    assert [number for _, number in journal.delegations] == [1, 2, 3, 4]
    journal.rollback("session-s-1", 2)
    assert [row.status for row in journal.delegations.values()] == ["reverted"] * 4
    assert journal.footprints.of_session("s-1") == {"A": "native"}
    journal.sessions.delegate("s-1", "A", "B")
    assert ("s-1", 5) in journal.delegations
    check_sound(journal)


def test_a_witness_that_was_issued_again_is_the_one_that_is_withdrawn(journal: Journal) -> None:
    for act in (open_session, claim):
        act(journal)
    journal.sessions.issue_witness(live(journal), "ready")
    journal.revert(3)
    journal.revert(4)
    (again,) = journal.sessions.state("s-1").outstanding_witnesses
    assert again.witness_id == 2
    journal.rollback("session-s-1", 2)
    assert journal.sessions.state("s-1").outstanding_witnesses == ()
    check_sound(journal)


def test_a_witness_that_ended_with_its_ownership_is_not_withdrawn(journal: Journal) -> None:
    for act in (open_session, claim):
        act(journal)
    journal.sessions.issue_witness(live(journal), "ready")
    journal.sessions.transfer(live(journal), "bob")
    journal.revert(4)
    with pytest.raises(NotCompensable, match="ended by itself"):
        journal.revert(3)
    # It is in nobody's way, though.
    assert [step.event_id for step in journal.rollback("session-s-1", 1).steps] == ["session-s-1@2"]
    check_sound(journal)


NEEDS: dict[str, tuple[tuple[Callable[[Journal], Any], ...], str, str]] = {
    "an owner needs an open session": (
        (open_session, claim, lambda journal: journal.revert(2), lambda journal: journal.revert(1)),
        "session-s-1@3",
        "session-s-1@4",
    ),
    "a witness needs its owner": (
        (
            open_session,
            claim,
            lambda journal: journal.sessions.issue_witness(live(journal), "ready"),
            lambda journal: journal.revert(3),
            lambda journal: journal.sessions.close(live(journal)),
        ),
        "session-s-1@4",
        "session-s-1@5",
    ),
    "fragments need their owner": (
        (
            open_session,
            claim,
            claim_fragments,
            lambda journal: journal.sessions.release_fragments(live(journal), ["bundle:chat", "bundle:vote"]),
            lambda journal: journal.sessions.transfer(live(journal), "bob"),
        ),
        "session-s-1@4",
        "session-s-1@5",
    ),
    "a finished session stays as it is": (
        (open_session, host, claim, lambda journal: journal.sessions.close(live(journal))),
        "session-s-1@2",
        "session-s-1@4",
    ),
    "an owner is not left behind by its authority": (
        (open_session, host, delegate, claim),
        "session-s-1@3",
        "session-s-1@4",
    ),
    "nor is it when a delegation is done again": (
        (open_session, host, delegate, lambda journal: journal.revert(3), claim),
        "session-s-1@4",
        "session-s-1@5",
    ),
    "members need their bundle": (
        (register, seed, lambda journal: journal.revert(2), lambda journal: journal.revert(1)),
        "bundle-chat@3",
        "bundle-chat@4",
    ),
}


@pytest.mark.parametrize("story", NEEDS)
def test_what_needs_something_that_has_changed_since_is_not_undone(story: str, journal: Journal) -> None:
    acts, event_id, later = NEEDS[story]
    for act in acts:
        act(journal)
    head = journal.head()
    with pytest.raises(LaterEventDepends) as caught:
        journal.revert(event_id)
    assert caught.value.later_event_id == later
    assert journal.head() == head
    check_sound(journal)


def test_nothing_is_done_again_through_a_bundle_that_is_gone(journal: Journal) -> None:
    for act in (register, open_session, host):
        act(journal)
    journal.sessions.delegate("s-1", "A", "B", "chat")
    undone = journal.revert(journal.head()).positions[0]
    journal.bundles.register(ComposedBundle("vote"))
    journal.bundles.register(ComposedBundle("quiz"))
    journal.bundles.link("vote", "quiz", "both")
    unlinked = journal.revert(journal.head()).positions[0]
    for stream in ("bundle-chat", "bundle-vote"):
        journal.rollback(stream, 0)
    head = journal.head()
    for position in (undone, unlinked):
        with pytest.raises(BundleNotFound):
            journal.revert(position)
        (obstacle,) = journal.revert(position, dry_run=True).obstacles
        assert isinstance(obstacle, BundleNotFound)
    assert journal.head() == head


def test_a_bundle_that_only_a_finished_session_went_through_can_be_withdrawn(journal: Journal) -> None:
    for act in (register, open_session, host):
        act(journal)
    journal.sessions.delegate("s-1", "A", "B", "chat")
    claim(journal)
    with pytest.raises(LaterEventDepends):
        journal.revert("bundle-chat@1")
    journal.sessions.close(live(journal))
    journal.revert("bundle-chat@1")
    assert "chat" not in journal.bundles


def handed_over(journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, claim_fragments, hand_over):
        act(journal)


@pytest.mark.parametrize(
    "undo",
    [
        lambda journal: journal.revert("session-s-1@5"),
        lambda journal: journal.revert("bundle-chat@5"),
        lambda journal: journal.revert("bundle-chat@3"),
        lambda journal: journal.rollback("bundle-chat", 2),
        lambda journal: journal.rollback("session-s-1", 4),
        lambda journal: journal.rollback("bundle-chat", 4),
    ],
)
def test_a_hand_over_and_its_upgrade_are_one_act_from_both_sides(
    undo: Callable[[Journal], Any], journal: Journal
) -> None:
    handed_over(journal)
    plan = undo(journal)
    assert {step.stream for step in plan.steps} == {"session-s-1", "bundle-chat"}
    assert (live(journal).owner, journal.bundles["chat"].members) == ("alice", ("x", "y"))
    assert journal.upgrades["chat", "u-1"].phase == "rolled_back"
    check_sound(journal)
    # From any of its parts it is done again as one, and undone as one once more.
    again = journal.revert(plan.positions[-1])
    assert (live(journal).owner, journal.bundles["chat"].members) == ("bob", ("y", "z"))
    assert journal.upgrades["chat", "u-1"].phase == "committed_cutover"
    journal.revert(again.positions[0])
    assert (live(journal).owner, journal.bundles["chat"].members) == ("alice", ("x", "y"))
    check_sound(journal)


def test_an_upgrade_by_itself_is_undone_by_itself(journal: Journal) -> None:
    for act in (register, seed, open_session):
        act(journal)
    journal.bundles.upgrade("chat", upgrade_to("y", "z"))
    claim(journal)
    assert {step.stream for step in journal.revert("bundle-chat@5").steps} == {"bundle-chat"}
    assert journal.upgrades["chat", "u-1"].phase == "admitted"


def test_a_failed_upgrade_stays_failed(journal: Journal) -> None:
    for act in (register, seed):
        act(journal)
    journal.bundles.stage_upgrade("chat", upgrade_to("z"))
    with pytest.raises(UpgradeRejected):
        journal.bundles.admit_upgrade("chat", "u-1")
    with pytest.raises(NotCompensable):
        journal.revert("bundle-chat@4")
    with pytest.raises(LaterEventDepends):
        journal.revert("bundle-chat@3")
    with pytest.raises(NotCompensable):
        # At version 3 it was under way.
        journal.rollback("bundle-chat", 3)
    # Before it was staged, nothing was, and nothing is.
    assert journal.rollback("bundle-chat", 2).steps == ()
    assert journal.upgrades["chat", "u-1"].phase == "failed"
    journal.rollback("bundle-chat", 0)
    assert "chat" not in journal.bundles
    check_sound(journal)


def test_pairs_that_cancel_out_are_in_nobodys_way(journal: Journal) -> None:
    for act in (open_session, claim):
        act(journal)
    journal.sessions.transfer(live(journal), "bob")
    journal.revert(3)
    journal.revert(4)
    journal.revert(5)
    assert live(journal).owner == "alice"
    journal.revert("session-s-1@2")
    assert journal.owners["s-1"].owner is None
    assert [step.undone.type for step in journal.rollback("session-s-1", 0).steps] == ["session.opened.v1"]
    check_sound(journal)


def test_the_delegation_before_is_the_latest_again(journal: Journal) -> None:
    for act in (open_session, host):
        act(journal)
    first = delegate(journal)
    journal.sessions.delegate("s-1", "B", "C")
    journal.revert(journal.head())
    head = journal.head()
    assert delegate(journal) == first
    assert journal.head() == head


def test_withdrawing_a_bundle_gets_through_while_others_write(shared_url: str) -> None:
    stop = threading.Event()
    with Journal.open(shared_url) as journal:

        def write(name: str) -> int:
            count = 0
            while not stop.is_set():
                count += 1
                journal.sessions.open(f"{name} {count}")
            return count

        with ThreadPoolExecutor(2) as pool:
            writing = [pool.submit(write, name) for name in ("a", "b")]
            try:
                for number in range(5):
                    journal.bundles.register(ComposedBundle(f"bundle {number}"))
                    journal.revert(f"bundle-bundle {number}@1")
            finally:
                stop.set()
            assert all(each.result() for each in writing)
        assert len(journal.bundles) == 0


def test_the_same_key_at_the_same_moment_gets_the_same_answer(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        for number in range(10):
            journal.sessions.open(f"s {number}")

            def undo(number: int = number) -> Any:
                with journal.context(idempotency_key=f"k {number}"):
                    return journal.revert(f"session-s {number}@1")

            with ThreadPoolExecutor(4) as pool:
                plans = [each.result() for each in [pool.submit(undo) for _ in range(4)]]
            assert all(plan == plans[0] for plan in plans)
        assert journal.head() == 20


def test_a_stream_that_others_write_at_full_speed_can_be_undone_in(shared_url: str) -> None:
    stop = threading.Event()
    with Journal.open(shared_url) as journal:
        for act in (open_session, host, claim):
            act(journal)
        held = live(journal)

        def write() -> int:
            count = 0
            while not stop.is_set():
                count += 1
                journal.sessions.issue_witness(held, "ready")
            return count

        with ThreadPoolExecutor(2) as pool:
            writing = [pool.submit(write) for _ in range(2)]
            try:
                event_id = "session-s-1@2"
                for _ in range(4):
                    event_id = journal.record(journal.revert(event_id).positions[0]).id
            finally:
                stop.set()
            assert all(each.result() for each in writing)
        assert journal.footprints.of_session("s-1") == {"A": "native"}
        assert journal.verify().findings == ()
