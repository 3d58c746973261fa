"""The rollback matrix: what the reference restores in each of twelve cases, and what is appended here (aura 2.34)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from muniment.domain import (
    FULL_SESSION,
    AlreadyClaimed,
    CompositionManifest,
    Fragments,
    IncompatibleInterfaces,
    LaterEventDepends,
    LinkSpec,
    MissingSurface,
    NotActiveHolder,
    OwnershipCapability,
    StaleCapability,
    Surfaces,
    UpgradeRejected,
)
from muniment.journal import Journal

from .stories import (
    CHAT,
    MANIFEST,
    claim,
    claim_fragments,
    hand_over,
    host,
    live,
    open_session,
    register,
    seed,
    upgrade_to,
)


class FailedOutside(Exception):
    """A step outside the journal went wrong."""


def elsewhere(act: Callable[[], object]) -> None:
    """Do something in another thread, so in no saga."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def types(journal: Journal, after: int) -> list[str]:
    """What was appended after a position, sagas apart."""
    found = [record.type.removesuffix(".v1") for record in journal.read(after)]
    return [name for name in found if not name.startswith("saga.")]


def ready(journal: Journal) -> None:
    """A live session of alice, hosted by A, with the fragments of two bundles."""
    for act in (register, seed, open_session, host, claim, claim_fragments):
        act(journal)


def test_r1_a_claim_that_comes_too_late_does_not_destroy_the_others_session(journal: Journal) -> None:
    with pytest.raises(AlreadyClaimed), journal.saga("start") as saga:
        open_session(journal)
        elsewhere(lambda: journal.sessions.claim("s-1", "bob"))
        claim(journal)
    # The opening is not undone under the feet of who stands on it; the saga says so.
    assert live(journal).owner == "bob"
    assert journal.sagas[saga.id].status == "in_doubt"
    with pytest.raises(LaterEventDepends):
        journal.sagas.compensate(saga.id)


def test_r2_what_fails_after_opening_leaks_nothing(journal: Journal) -> None:
    with pytest.raises(FailedOutside), journal.saga("open"):
        open_session(journal)
        claim(journal)
        raise FailedOutside
    assert types(journal, 0) == [
        "session.opened",
        "session.ownership_claimed",
        "session.ownership_restored",
        "session.opening_withdrawn",
    ]
    assert "s-1" not in journal.owners


def test_r3_exactly_the_newly_claimed_fragments_are_released(journal: Journal) -> None:
    open_session(journal)
    claim(journal)
    journal.sessions.claim_fragments(live(journal), MANIFEST)
    journal.sessions.release_fragments(live(journal), ["bundle:vote"])
    with pytest.raises(FailedOutside), journal.saga("attach"):
        assert [each.key for each in journal.sessions.claim_fragments(live(journal), MANIFEST)] == ["bundle:vote"]
        raise FailedOutside
    assert list(journal.sessions.state("s-1").fragments) == ["bundle:chat"]


def test_r4_what_fails_before_fragments_are_claimed_undoes_opening_and_claim(journal: Journal) -> None:
    with pytest.raises(StaleCapability), journal.saga("open"):
        open_session(journal)
        claim(journal)
        journal.sessions.claim_fragments(OwnershipCapability("s-1", "mallory", 1, FULL_SESSION), MANIFEST)
    # The refusal stays on record, and is in nobody's way.
    assert types(journal, 0)[2:] == [
        "session.capability_rejected",
        "session.ownership_restored",
        "session.opening_withdrawn",
    ]


def test_r5_a_link_that_fails_changes_nothing_but_the_record(journal: Journal) -> None:
    register(journal)
    journal.bundles.register_manifests(CompositionManifest("q", (LinkSpec("vote", imports=frozenset({"count"})),)))
    before = dict(journal.bundles.items())
    for _ in range(2):
        with pytest.raises(IncompatibleInterfaces):
            journal.bundles.link("chat", "vote", "both")
    assert dict(journal.bundles.items()) == before
    assert types(journal, 2) == ["bundle.link_rejected"]


def test_r6_a_delegation_that_is_refused_changes_nothing_but_the_record(journal: Journal) -> None:
    open_session(journal)
    host(journal)
    before = dict(journal.footprints.items())
    for _ in range(2):
        with pytest.raises(NotActiveHolder):
            journal.sessions.delegate("s-1", "B", "C")
    assert dict(journal.footprints.items()) == before
    assert types(journal, 2) == ["session.delegation_rejected"]


def test_r7_a_hand_over_whose_upgrade_fails_keeps_the_evidence_and_moves_nothing(journal: Journal) -> None:
    ready(journal)
    head, held = journal.head(), live(journal)
    before = (dict(journal.footprints.items()), journal.sessions.state("s-1"), journal.bundles["chat"])
    with pytest.raises(UpgradeRejected):
        journal.sessions.hand_over(
            held, "bob", from_authority="A", to_authority="B", bundle_id="chat", upgrade=upgrade_to("z")
        )
    assert types(journal, head) == ["bundle.upgrade_staged", "bundle.upgrade_failed", "session.delegation_rejected"]
    assert (dict(journal.footprints.items()), journal.sessions.state("s-1"), journal.bundles["chat"]) == before
    assert journal.upgrades["chat", "u-1"].phase == "failed"
    journal.sessions.check(held)


def test_r8_a_delegation_whose_outside_part_fails_is_undone_and_nothing_else_is(journal: Journal) -> None:
    open_session(journal)
    host(journal)
    journal.sessions.delegate("s-1", "A", "B")
    journal.sessions.open("s-2")
    journal.sessions.host("s-2", "A")
    with pytest.raises(FailedOutside), journal.saga("delegate"):
        outcome = journal.sessions.delegate("s-1", "B", "C")
        # Others go on meanwhile, and what they did stays.
        elsewhere(lambda: journal.sessions.delegate("s-2", "A", "D"))
        elsewhere(lambda: register(journal))
        raise FailedOutside
    assert outcome.receipt.cleared == ("A",)
    # From, to, and everybody that the delegation had cleared.
    assert journal.footprints.of_session("s-1") == {"A": "delegated_out", "B": "delegated_in"}
    assert journal.footprints.of_session("s-2") == {"A": "delegated_out", "D": "delegated_in"}
    assert "chat" in journal.bundles
    # The receipt stays on record, and is void.
    assert journal.delegations["s-1", 2].status == "reverted"
    fates = [record.event for record in journal.audit.records("s-1") if record.artifact == outcome.receipt]
    assert fates == ["issued", "invalidated"]
    # Two that fail do not bring each other back.
    with pytest.raises(NotActiveHolder):
        journal.sessions.delegate("s-1", "C", "E")


def test_r9_a_hand_over_that_is_undone_gives_back_the_original_scope_under_a_new_generation(journal: Journal) -> None:
    ready(journal)
    held = live(journal)
    with pytest.raises(FailedOutside), journal.saga("hand over"):
        hand_over(journal)
        assert live(journal) == OwnershipCapability("s-1", "bob", 2, Fragments({"bundle:chat"}))
        raise FailedOutside
    view = journal.sessions.state("s-1")
    assert view.capability == OwnershipCapability("s-1", "alice", 3, FULL_SESSION)
    assert {key: fragment.owner for key, fragment in view.fragments.items()} == {
        "bundle:chat": "alice",
        "bundle:vote": "alice",
    }
    assert (view.holder, journal.bundles["chat"].members) == ("A", ("x", "y"))
    with pytest.raises(StaleCapability):
        journal.sessions.check(held)
    # With the full session given back, the owner can close it.
    journal.sessions.close(view.capability)


def test_r10_an_undo_that_fails_leaves_the_saga_in_doubt_with_the_reason(journal: Journal) -> None:
    ready(journal)
    with pytest.raises(FailedOutside) as caught, journal.saga("hand over") as saga:
        journal.sessions.hand_over(live(journal), "bob", from_authority="A", to_authority="B")
        elsewhere(lambda: journal.sessions.transfer(live(journal), "carol"))
        raise FailedOutside
    assert "in doubt" in caught.value.__notes__[0]
    row = journal.sagas[saga.id]
    assert row.status == "in_doubt"
    assert "session.ownership_transferred" in (row.reason or "")
    # Nothing is half undone.
    view = journal.sessions.state("s-1")
    assert (view.capability and view.capability.owner, view.holder) == ("carol", "B")


def test_r11_a_direct_upgrade_that_is_rejected_is_a_record(journal: Journal) -> None:
    register(journal)
    seed(journal)
    with pytest.raises(UpgradeRejected):
        journal.bundles.upgrade("chat", upgrade_to("z"))
    assert types(journal, 2) == ["bundle.upgrade_staged", "bundle.upgrade_failed"]
    row = journal.bundles["chat"]
    assert (row.members, row.epoch) == (("x", "y"), 1)
    assert journal.upgrades["chat", "u-1"].reason is not None


KILLED = """
import sys
from muniment.journal import Journal
from tests.journal.stories import *
with Journal.open(sys.argv[1]) as journal:
    for act in (register, seed, open_session, host, claim, claim_fragments):
        act(journal)
    with journal.saga("hand over") as saga:
        hand_over(journal)
        print("handed over", flush=True)
        sys.stdin.read()
"""


def test_r12_a_process_that_dies_in_the_middle_leaves_a_record_to_finish_from(shared_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, shared_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "handed over\n"
        os.kill(process.pid, signal.SIGKILL)
    with Journal.open(shared_url) as journal:
        assert live(journal).owner == "bob"
        (saga_id,) = journal.sagas.unfinished()
        journal.sagas.compensate(saga_id)
        view = journal.sessions.state("s-1")
        assert (view.capability and view.capability.owner, view.holder) == ("alice", "A")
        assert journal.bundles["chat"].members == ("x", "y")
        assert journal.verify().findings == ()


def test_what_a_runtime_lacks_is_found_out_before_anything_moves(url: str) -> None:
    # The reference finds out after it has moved the owner, and narrows its scope when it moves it back.
    with Journal.open(url, surfaces=Surfaces(semantic_handoff=False)) as journal:
        ready(journal)
        head, held = journal.head(), live(journal)
        for act in (
            lambda: journal.sessions.hand_over(held, "bob", from_authority="A", to_authority="B"),
            lambda: journal.sessions.delegate("s-1", "A", "B"),
            lambda: journal.bundles.link("chat", "chat", "both"),
            lambda: journal.bundles.upgrade("chat", upgrade_to("y")),
            lambda: journal.bundles.stage_upgrade("chat", upgrade_to("y")),
        ):
            with pytest.raises(MissingSurface) as caught:
                act()
            assert caught.value.missing == ("semantic_handoff",)
        assert journal.head() == head
        journal.sessions.check(held)
        assert CHAT.bundle_id in journal.bundles
