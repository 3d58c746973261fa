"""What is told of a bundle: who runs it, where its last upgrade stands, what lies between its members."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from muniment.domain import (
    BundleNotFound,
    BundleSnapshot,
    InvalidIdentifier,
    MembersNotSeeded,
    Placement,
    RuntimeUpgradeRequest,
    TransportBoundary,
    UpgradePlan,
    UpgradeRejected,
    UpgradeStep,
)
from muniment.journal import AsyncJournal, Journal

from .stories import admit, register, seed, stage, upgrade_to

PLACED = RuntimeUpgradeRequest(
    "u-1",
    UpgradePlan(
        "plan",
        (
            UpgradeStep(
                "1", frozenset({"y", "z"}), (Placement.remote("z", "tcp://z:1", region="eu"), Placement.local("y"))
            ),
        ),
    ),
)


def test_a_bundle_that_was_never_seeded_has_none(journal: Journal) -> None:
    with pytest.raises(BundleNotFound):
        journal.bundles.snapshot("chat")
    register(journal)
    with pytest.raises(MembersNotSeeded):
        journal.bundles.snapshot("chat")
    with pytest.raises(InvalidIdentifier):
        journal.bundles.snapshot("")
    assert journal.head() == 1


def test_it_follows_an_upgrade_through_its_phases(journal: Journal) -> None:
    for act in (register, seed):
        act(journal)
    assert journal.bundles.snapshot("chat") == BundleSnapshot("chat", ("x", "y"), 1, None)
    assert journal.bundles.snapshot("chat").phase is None
    stage(journal)
    assert journal.bundles.snapshot("chat").phase == "staged"
    admit(journal)
    assert journal.bundles.snapshot("chat").phase == "admitted"
    committed = journal.bundles.commit_upgrade("chat", "u-1")
    assert journal.bundles.snapshot("chat") == BundleSnapshot("chat", ("y", "z"), 2, committed)
    journal.bundles.stage_upgrade("chat", upgrade_to("z", upgrade_id="u-2"))
    rolled_back = journal.bundles.rollback_upgrade("chat", "u-2", "no time")
    assert journal.bundles.snapshot("chat") == BundleSnapshot("chat", ("y", "z"), 2, rolled_back)
    with pytest.raises(UpgradeRejected):
        journal.bundles.upgrade("chat", upgrade_to("w", upgrade_id="u-3"))
    failed = journal.bundles.snapshot("chat")
    assert (failed.members, failed.epoch, failed.phase) == (("y", "z"), 2, "failed")


def test_undoing_shows_in_it(journal: Journal) -> None:
    for act in (register, seed):
        act(journal)
    journal.bundles.upgrade("chat", PLACED)
    journal.rollback("bundle-chat", 2)
    undone = journal.bundles.snapshot("chat")
    assert (undone.members, undone.epoch, undone.phase, undone.boundaries) == (("x", "y"), 3, "rolled_back", ())
    journal.bundles.upgrade("chat", upgrade_to("y", upgrade_id="u-2"))
    committed = journal.head()
    journal.bundles.seed_members("chat", ["w"])
    # Who was seeded, and that it was undone, is about no upgrade.
    journal.revert(journal.head())
    assert journal.bundles.snapshot("chat").phase == "committed_cutover"
    journal.revert(committed)
    again = journal.bundles.snapshot("chat")
    assert (again.members, again.phase) == (("x", "y"), "admitted")
    assert again.upgrade is not None
    assert again.upgrade.upgrade_id == "u-2"
    assert journal.verify().findings == ()


def test_it_tells_what_lies_between_the_members(journal: Journal) -> None:
    for act in (register, seed):
        act(journal)
    assert journal.bundles.snapshot("chat").boundaries == ()
    journal.bundles.upgrade("chat", PLACED)
    snapshot = journal.bundles.snapshot("chat")
    assert snapshot.boundaries == (TransportBoundary("y", "z", "network", False),)
    assert snapshot.upgrade is not None
    assert [each.role for each in snapshot.upgrade.request.plan.steps[0].placements] == ["y", "z"]
    # An upgrade that has not taken effect, or is given up, moves nobody.
    journal.bundles.stage_upgrade("chat", upgrade_to("q", "y", upgrade_id="u-2"))
    assert journal.bundles.snapshot("chat").boundaries == snapshot.boundaries
    journal.bundles.rollback_upgrade("chat", "u-2", "no time")
    assert journal.bundles.snapshot("chat").boundaries == snapshot.boundaries
    # Where others run that were seeded since, nobody said.
    journal.bundles.seed_members("chat", ["w"])
    assert journal.bundles.snapshot("chat").boundaries == ()
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_it_can_be_awaited() -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            with pytest.raises(BundleNotFound):
                await journal.bundles.snapshot("chat")
            await journal.run(register)
            await journal.run(seed)
            assert (await journal.bundles.snapshot("chat")).members == ("x", "y")

    asyncio.run(story())


AS_BEFORE = (
    b'{"upgrade_id":"u-1","plan":{"plan_id":"plan","steps":[{"step_id":"step","next_members":["y","z"]}]},'
    b'"compatibility":{"execution_constraint":"preserve_bundle_profile","ownership_continuity_required":true,'
    b'"pending_effect_treatment":"preserve_pending","canonical_publication_continuity":"preserve_canonical_truth"},'
    b'"carried_publications":[],"invalidated_publications":[],"carried_obligations":[],"invalidated_obligations":[]}'
)
"""What an upgrade asked for, as versions without placements wrote it."""

NO_STEPS = RuntimeUpgradeRequest("u-1", UpgradePlan("plan"))
WRONGLY_PLACED = RuntimeUpgradeRequest(
    "u-1", UpgradePlan("plan", (UpgradeStep("1", frozenset({"x"}), (Placement.colocated("x", "q"),)),))
)


def at_once(journal: Journal, request: RuntimeUpgradeRequest) -> Any:
    return journal.bundles.upgrade("chat", request)


def in_steps(journal: Journal, request: RuntimeUpgradeRequest) -> Any:
    journal.bundles.stage_upgrade("chat", request)
    return journal.bundles.admit_upgrade("chat", "u-1")


@pytest.mark.parametrize(
    "request_", [NO_STEPS, WRONGLY_PLACED, upgrade_to(), upgrade_to("w")], ids=["a", "h", "g", "d"]
)
@pytest.mark.parametrize("act", [at_once, in_steps])
def test_whichever_rule_is_broken_the_same_is_on_record(
    act: Callable[..., Any], request_: RuntimeUpgradeRequest, journal: Journal
) -> None:
    for before in (register, seed):
        before(journal)
    with pytest.raises(UpgradeRejected):
        act(journal, request_)
    assert [record.type for record in journal.read(2)] == ["bundle.upgrade_staged.v1", "bundle.upgrade_failed.v1"]
    row = journal.upgrades["chat", "u-1"]
    assert (row.phase, row.next_members, journal.bundles["chat"].epoch) == ("failed", ("x", "y"), 1)
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_a_large_request_that_breaks_a_rule_is_recorded_in_brief_and_verifies(journal: Journal) -> None:
    for before in (register, seed):
        before(journal)
    many = tuple(
        UpgradeStep(f"{number}", frozenset({"x"}), (Placement.local("x", region="r" * 150),)) for number in range(60)
    )
    with pytest.raises(UpgradeRejected):
        journal.bundles.upgrade("chat", RuntimeUpgradeRequest("u-1", UpgradePlan("plan", (*many, UpgradeStep("last")))))
    upgrade = journal.bundles.snapshot("chat").upgrade
    assert upgrade is not None
    assert upgrade.omitted is not None
    assert journal.verify().findings == ()


def test_a_key_that_was_filed_before_there_were_placements_is_the_same(journal: Journal) -> None:
    for before in (register, seed):
        before(journal)
    with journal.context(idempotency_key="k"):
        first = journal.bundles.upgrade("chat", upgrade_to("y", "z"))
        record = journal.outcome("k")
        assert record is not None
        digest = hashlib.sha256(AS_BEFORE).hexdigest()
        assert record.metadata.command == f"bundle.upgrade@9a8271b2eeb1(request={digest[:12]})"
        assert journal.bundles.upgrade("chat", upgrade_to("y", "z")) == first
