"""Delegation, hand-over, fragments and bundles through the journal, on every engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from muniment.domain import (
    AlreadyHosted,
    BoundaryBundleMismatch,
    BundleNotFound,
    CommandRefused,
    ComposedBundle,
    CompositionManifest,
    DuplicateBundle,
    Footprint,
    FootprintClass,
    Fragments,
    IdempotencyConflict,
    InvalidArgument,
    InvalidIdentifier,
    LinkBoundary,
    LinkSpec,
    ManifestWithoutBundles,
    MunimentError,
    NotActiveHolder,
    SelfDelegation,
    SessionNotFound,
    UpgradeRejected,
)
from muniment.journal import AsyncJournal, Journal
from muniment.projections import CoherenceViolation, ViolationKind, coherence_violations

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

NATIVE, IN, OUT = FootprintClass.NATIVE, FootprintClass.DELEGATED_IN, FootprintClass.DELEGATED_OUT


def test_footprints_say_who_has_what_now_and_then(journal: Journal) -> None:
    open_session(journal)
    host(journal)
    journal.sessions.open("s-2")
    journal.sessions.host("s-2", "B")
    journal.sessions.delegate("s-1", "A", "B")
    journal.sessions.delegate("s-1", "B", "C")
    assert dict(journal.footprints.items()) == {
        "B": Footprint(native=frozenset({"s-2"}), delegated_out=frozenset({"s-1"})),
        "C": Footprint(delegated_in=frozenset({"s-1"})),
    }
    assert journal.footprints["C"].sessions == {"s-1"}
    assert journal.footprints.of_session("s-1") == {"B": OUT, "C": IN}
    assert "A" not in journal.footprints
    with pytest.raises(KeyError):
        journal.footprints["A"]
    then = journal.at(position=5)
    assert then.footprints.of_session("s-1") == {"A": OUT, "B": IN}
    assert (len(then.footprints), len(then.delegations), then.coherence()) == (2, 1, ())
    assert [row.cleared for row in journal.delegations.values()] == [(), ("A",)]
    assert list(journal.delegations.of_session("s-1")) == [1, 2]
    assert journal.delegations.of_session("s-2") == {}
    assert journal.coherence() == ()


def test_one_sessions_trouble_does_not_block_another(journal: Journal) -> None:
    open_session(journal)
    host(journal)
    with pytest.raises(AlreadyHosted):
        journal.sessions.host("s-1", "B")
    journal.sessions.open("s-2")
    journal.sessions.host("s-2", "B")
    assert journal.sessions.delegate("s-2", "B", "A").receipt.delegation_id == 1


def test_contradictions_are_typed_sorted_and_complete() -> None:
    sessions = {
        "s-4": [("A", OUT)],
        "s-1": [("B", IN), ("A", NATIVE)],
        "s-3": [("A", OUT), ("B", OUT), ("C", IN)],
        "s-2": [("C", IN), ("B", IN), ("A", OUT)],
        "s-0": [("A", IN)],
        "s-5": [("A", NATIVE)],
    }
    kinds = ViolationKind
    assert coherence_violations(sessions) == (
        CoherenceViolation(kinds.MULTIPLE_ACTIVE_OWNERS, "s-1", ("A", "B")),
        CoherenceViolation(kinds.MULTIPLE_ACTIVE_OWNERS, "s-2", ("B", "C")),
        CoherenceViolation(kinds.MULTIPLE_RECEIVERS, "s-2", ("B", "C")),
        CoherenceViolation(kinds.MULTIPLE_DELEGATORS, "s-3", ("A", "B")),
        CoherenceViolation(kinds.DELEGATED_OUT_WITHOUT_RECEIVER, "s-4", ("A",)),
    )


def test_a_row_that_somebody_changed_is_found_incoherent(journal: Journal) -> None:
    open_session(journal)
    host(journal)
    journal.sessions.delegate("s-1", "A", "B")
    assert journal.coherence() == ()
    with journal._store.write() as writer:
        writer.run("UPDATE projection_footprints_v1_2 SET class='native' WHERE authority='A' AND class='delegated_out'")
    assert journal.coherence() == (CoherenceViolation(ViolationKind.MULTIPLE_ACTIVE_OWNERS, "s-1", ("A", "B")),)
    assert [finding.layer for finding in journal.verify().findings] == ["table", "table"]
    journal.replay()
    assert journal.coherence() == ()


def test_bundles_say_what_is_known_and_who_runs_it_now_and_then(journal: Journal) -> None:
    made = journal.bundles.register_manifests(
        CompositionManifest("p", (LinkSpec("vote", frozenset({"count"})), LinkSpec("chat", frozenset({"say"})))),
        CompositionManifest("q", (LinkSpec("chat", imports=frozenset({"count"})),)),
    )
    assert [each.bundle_id for each in made] == ["chat", "vote"]
    assert journal.bundles["chat"].bundle == made[0]
    assert made[0].protocol_ids == ("p", "q")
    linked = journal.bundles.link("chat", "vote", "both")
    assert journal.bundles["both"].linked_from == ("chat", "vote")
    assert journal.bundles["both"].bundle == linked
    journal.bundles.seed_members("chat", {"y", "x"})
    head = journal.head()
    committed = journal.bundles.upgrade("chat", upgrade_to("y", "z"))
    assert committed.phase == "committed_cutover"
    row = journal.bundles["chat"]
    assert (row.members, row.epoch) == (("y", "z"), 2)
    then = journal.at(position=head)
    assert (then.bundles["chat"].members, then.bundles["chat"].epoch) == (("x", "y"), 1)
    assert dict(then.upgrades.items()) == {}
    assert (sorted(journal.bundles), len(journal.bundles), len(journal.at(position=0).bundles)) == (
        ["both", "chat", "vote"],
        3,
        0,
    )
    assert journal.upgrades.of_bundle("chat") == {"u-1": journal.upgrades["chat", "u-1"]}
    assert journal.upgrades["chat", "u-1"].next_members == ("y", "z")
    assert "none" not in journal.bundles
    with pytest.raises(KeyError):
        journal.bundles["none"]


def test_manifests_are_registered_whole_or_not_at_all(journal: Journal) -> None:
    journal.bundles.register(ComposedBundle("vote"))
    with pytest.raises(DuplicateBundle):
        journal.bundles.register_manifests(MANIFEST)
    assert list(journal.bundles) == ["vote"]
    assert journal.head() == 1


def test_an_upgrade_step_by_step(journal: Journal) -> None:
    register(journal)
    seed(journal)
    bundles = journal.bundles
    assert bundles.stage_upgrade("chat", upgrade_to("y", "z")).phase == "staged"
    assert bundles.admit_upgrade("chat", "u-1").phase == "admitted"
    assert bundles.commit_upgrade("chat", "u-1").phase == "committed_cutover"
    bundles.stage_upgrade("chat", upgrade_to("z", upgrade_id="u-2"))
    assert bundles.rollback_upgrade("chat", "u-2", "not now").phase == "rolled_back"
    bundles.stage_upgrade("chat", upgrade_to("w", upgrade_id="u-3"))
    with pytest.raises(UpgradeRejected):
        bundles.admit_upgrade("chat", "u-3")
    phases = {upgrade_id: row.phase for upgrade_id, row in journal.upgrades.of_bundle("chat").items()}
    assert phases == {"u-1": "committed_cutover", "u-2": "rolled_back", "u-3": "failed"}
    assert journal.upgrades["chat", "u-2"].reason == "not now"


def test_a_hand_over_is_one_append(journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, claim_fragments):
        act(journal)
    head = journal.head()
    hand_over(journal)
    records = list(journal.read(head))
    assert [record.type for record in records] == [
        "bundle.upgrade_staged.v1",
        "bundle.upgrade_admitted.v1",
        "bundle.upgrade_committed.v1",
        "session.handed_over.v1",
    ]
    view = journal.sessions.state("s-1")
    assert view.capability is not None
    assert (view.holder, view.capability.owner, view.capability.scope) == ("B", "bob", Fragments({"bundle:chat"}))
    row = journal.delegations["s-1", 1]
    assert (row.bundle_id, row.new_owner, row.status) == ("chat", "bob", "committed")
    trail = [(each.kind.value, each.event.value) for each in journal.audit.records("s-1", after=head)]
    assert trail == [
        ("ownership_capability", "invalidated"),
        ("ownership_receipt", "committed"),
        ("ownership_capability", "issued"),
        ("delegation_receipt", "issued"),
    ]
    assert journal.owners["s-1"].owner == "bob"
    assert journal.verify().findings == ()


BAD: dict[str, tuple[Callable[[Journal], Any], type[MunimentError]]] = {
    "unknown session": (lambda journal: journal.sessions.host("none", "A"), SessionNotFound),
    "unknown session to delegate": (lambda journal: journal.sessions.delegate("none", "A", "B"), SessionNotFound),
    "unknown bundle": (lambda journal: journal.sessions.delegate("s-1", "A", "B", "none"), BundleNotFound),
    "unknown bundle to upgrade": (lambda journal: journal.bundles.upgrade("none", upgrade_to("x")), BundleNotFound),
    "unknown bundle to seed": (lambda journal: journal.bundles.seed_members("none", ["x"]), BundleNotFound),
    "unknown bundle to link": (lambda journal: journal.bundles.link("chat", "none", "both"), BundleNotFound),
    "a manifest without bundles": (
        lambda journal: journal.bundles.register_manifests(CompositionManifest("p")),
        ManifestWithoutBundles,
    ),
    "no manifest": (lambda journal: journal.bundles.register_manifests(), InvalidArgument),
    "a boundary of another bundle": (
        lambda journal: journal.sessions.delegate("s-1", "A", "B", "chat", LinkBoundary.for_bundle_id("vote")),
        BoundaryBundleMismatch,
    ),
    "empty members": (lambda journal: journal.bundles.seed_members("chat", []), InvalidArgument),
    "a string of members": (lambda journal: journal.bundles.seed_members("chat", "xy"), InvalidArgument),
    "too many members": (lambda journal: journal.bundles.seed_members("chat", map(str, range(1_001))), InvalidArgument),
    "self-delegation": (lambda journal: journal.sessions.delegate("s-1", "A", "A"), SelfDelegation),
    "an authority of 10 000 characters": (
        lambda journal: journal.sessions.host("s-1", "A" * 10_000),
        InvalidIdentifier,
    ),
    "an empty authority": (lambda journal: journal.sessions.delegate("s-1", "A", ""), InvalidIdentifier),
    "a context that is a number": (
        lambda journal: journal.sessions.delegate("s-1", "A", "B", None, None, 1),  # type: ignore[arg-type]
        InvalidIdentifier,
    ),
    "a boundary that is a string": (
        lambda journal: journal.sessions.delegate("s-1", "A", "B", "chat", "bundle:chat"),  # type: ignore[arg-type]
        InvalidArgument,
    ),
    "a bundle that is a string": (lambda journal: journal.bundles.register("chat"), InvalidArgument),  # type: ignore[arg-type]
    "an upgrade without a bundle": (
        lambda journal: journal.sessions.hand_over(
            live(journal), "b", from_authority="A", to_authority="B", upgrade=upgrade_to("x")
        ),
        InvalidArgument,
    ),
    "a capability that is a string": (
        lambda journal: journal.sessions.hand_over("s-1", "b", from_authority="A", to_authority="B"),  # type: ignore[arg-type]
        InvalidArgument,
    ),
    "fragments in one string": (
        lambda journal: journal.sessions.release_fragments(live(journal), "bundle:chat"),
        InvalidArgument,
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_a_typed_error_and_appends_nothing(case: str, journal: Journal) -> None:
    act, error = BAD[case]
    for before in (register, seed, open_session, host, claim):
        before(journal)
    head = journal.head()
    with pytest.raises(error) as caught:
        act(journal)
    assert str(caught.value)
    assert journal.head() == head


def test_a_bundle_that_was_withdrawn_elsewhere_is_not_delegated_through(shared_url: str) -> None:
    with Journal.open(shared_url) as journal, Journal.open(shared_url) as other:
        for act in (register, seed, open_session, host):
            act(journal)
        journal.sessions.delegate("s-1", "A", "B", "chat")
        journal.revert(journal.head())
        # The one journal still knows the bundle from before.
        other.rollback("bundle-chat", 0)
        with pytest.raises(BundleNotFound):
            journal.sessions.delegate("s-1", "A", "B", "chat")
        assert journal.footprints.of_session("s-1") == {"A": NATIVE}
        assert "chat" not in journal.bundles


def test_a_bundle_is_withdrawn_or_delegated_through_but_not_both(shared_url: str) -> None:
    for number in range(10):
        bundle_id, session_id = f"bundle {number}", f"session {number}"
        with Journal.open(shared_url) as journal, Journal.open(shared_url) as other:
            journal.bundles.register(ComposedBundle(bundle_id))
            journal.sessions.open(session_id)
            journal.sessions.host(session_id, "A")
            registered = f"bundle-{bundle_id}@1"
            start = threading.Barrier(2)

            def attempt(act: Callable[[], Any], start: threading.Barrier = start) -> bool:
                start.wait()
                try:
                    act()
                except CommandRefused:
                    return False
                return True

            with ThreadPoolExecutor(2) as pool:
                delegated = pool.submit(
                    attempt,
                    lambda: journal.sessions.delegate(session_id, "A", "B", bundle_id),  # noqa: B023
                )
                withdrawn = pool.submit(attempt, lambda: other.revert(registered))  # noqa: B023
                assert delegated.result() is not withdrawn.result()
            assert (bundle_id in journal.bundles) is delegated.result()
    with Journal.open(shared_url) as journal:
        assert journal.verify().findings == ()


def test_the_same_event_is_undone_once_however_many_try(shared_url: str) -> None:
    with Journal.open(shared_url) as journal, Journal.open(shared_url) as other:
        open_session(journal)
        claim(journal)

        def attempt(each: Journal) -> bool:
            try:
                each.revert(2)
            except CommandRefused:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(attempt, [journal, other] * 4))
        assert sum(outcomes) == 1
        assert journal.head() == 3


def test_bundles_linked_from_both_sides_at_once_do_not_wait_for_each_other(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        for name in ("a", "b"):
            journal.bundles.register(ComposedBundle(name))
        with ThreadPoolExecutor(8) as pool:
            made = [
                pool.submit(journal.bundles.link, *(("a", "b") if number % 2 else ("b", "a")), f"linked {number}")
                for number in range(40)
            ]
            assert len([each.result(timeout=60) for each in made]) == 40
        assert len(journal.bundles) == 42


def test_idempotency_keys_of_commands_on_several_streams(journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim):
        act(journal)
    held = live(journal)
    request = upgrade_to("y", "z")
    with journal.context(idempotency_key="k-1"):
        outcome = journal.sessions.hand_over(
            held, "bob", from_authority="A", to_authority="B", bundle_id="chat", upgrade=request
        )
        head = journal.head()
        assert (
            journal.sessions.hand_over(
                held, "bob", from_authority="A", to_authority="B", bundle_id="chat", upgrade=request
            )
            == outcome
        )
        with pytest.raises(IdempotencyConflict):
            journal.sessions.hand_over(
                held, "carol", from_authority="A", to_authority="B", bundle_id="chat", upgrade=request
            )
    with journal.context(idempotency_key="k-2"):
        made = journal.bundles.register_manifests(CompositionManifest("q", (LinkSpec("v"), LinkSpec("w"))))
        assert journal.bundles.register_manifests(CompositionManifest("q", (LinkSpec("w"), LinkSpec("v")))) == made
    with journal.context(idempotency_key="k-3"):
        linked = journal.bundles.link("v", "w", "vw")
        assert journal.bundles.link("v", "w", "vw") == linked
    assert journal.head() == head + 3


def test_who_is_refused_under_a_key_does_not_use_it_up(journal: Journal) -> None:
    open_session(journal)
    host(journal)
    with journal.context(idempotency_key="k-1"):
        with pytest.raises(NotActiveHolder):
            journal.sessions.delegate("s-1", "B", "C")
        journal.sessions.delegate("s-1", "A", "B")


def test_every_command_of_tasks(url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(url) as journal:
            sessions, bundles = journal.sessions, journal.bundles
            await bundles.register(CHAT)
            await bundles.register_manifests(CompositionManifest("q", (LinkSpec("vote"),)))
            linked = await bundles.link("chat", "vote", "both")
            assert linked.bundle_id == "both"
            await bundles.seed_members("chat", ["x", "y"])
            await bundles.stage_upgrade("chat", upgrade_to("x"))
            await bundles.admit_upgrade("chat", "u-1")
            await bundles.commit_upgrade("chat", "u-1")
            await bundles.stage_upgrade("chat", upgrade_to("x", upgrade_id="u-2"))
            await bundles.rollback_upgrade("chat", "u-2", "no")
            await bundles.upgrade("chat", upgrade_to("x", "y", upgrade_id="u-3"))
            await sessions.open("s-1")
            await sessions.host("s-1", "A")
            await sessions.delegate("s-1", "A", "B", "chat")
            held = await sessions.claim("s-1", "alice")
            await sessions.check_boundary(held, LinkBoundary.for_bundle(CHAT))
            claimed = await sessions.claim_fragments(held, MANIFEST)
            await sessions.move_fragments(held, [claimed[0].key], "bob")
            await sessions.release_fragments(held, [claimed[1].key])
            request = upgrade_to("x", upgrade_id="u-4")
            outcome = await sessions.hand_over(
                held, "bob", from_authority="B", to_authority="A", bundle_id="chat", upgrade=request
            )
            assert outcome.capability is not None
            await sessions.check(outcome.capability)
            with pytest.raises(NotActiveHolder):
                await sessions.delegate("s-1", "B", "C")
            assert await journal.run(lambda each: each.verify().findings) == ()

    asyncio.run(story())
