"""What a delegation is made with: an upgrade of its bundle, its context, and when it was made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import (
    CommandRefused,
    InvalidArgument,
    LaterEventDepends,
    MembersNotSeeded,
    MissingSurface,
    NotActiveHolder,
    OwnershipCapability,
    Placement,
    ProvenancedTime,
    RuntimeUpgradeRequest,
    Surfaces,
    UpgradePlan,
    UpgradeRejected,
    UpgradeStep,
)
from muniment.domain.bounds import MAX_RECORDED_REFUSALS
from muniment.journal import AsyncJournal, Journal

from .damage import edit
from .stories import claim, claim_fragments, host, live, open_session, register, seed, upgrade_to


def ready(journal: Journal) -> None:
    for act in (register, seed, open_session, host):
        act(journal)


def delegate(journal: Journal, **more: Any) -> Any:
    return journal.sessions.delegate("s-1", "A", "B", "chat", upgrade=upgrade_to("y", "z"), **more)


def members(journal: Journal) -> tuple[str, ...]:
    return journal.bundles["chat"].members


def check_sound(journal: Journal) -> None:
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


# An upgrade


def test_a_delegation_and_its_upgrade_are_one_append(journal: Journal) -> None:
    ready(journal)
    head = journal.head()
    outcome = delegate(journal)
    assert [record.type for record in journal.read(head)] == [
        "bundle.upgrade_staged.v1",
        "bundle.upgrade_admitted.v1",
        "bundle.upgrade_committed.v1",
        "session.delegated.v1",
    ]
    assert outcome.witness.upgrade.phase == "committed_cutover"
    assert (members(journal), journal.sessions.state("s-1").holder) == (("y", "z"), "B")
    check_sound(journal)


def test_the_same_delegation_again_is_answered_again(journal: Journal) -> None:
    ready(journal)
    outcome = delegate(journal)
    head = journal.head()
    assert delegate(journal) == outcome
    assert journal.head() == head
    # Without the upgrade, or with another one, it is another delegation, which is not the giver's to make any more.
    for other in (None, upgrade_to("z", upgrade_id="u-2")):
        with pytest.raises(NotActiveHolder):
            journal.sessions.delegate("s-1", "A", "B", "chat", upgrade=other)
    assert members(journal) == ("y", "z")


def test_in_which_order_placements_are_said_makes_no_other_delegation(journal: Journal) -> None:
    ready(journal)
    placements = (Placement.remote("z", "tcp://z:1"), Placement.local("y"))
    outcomes = []
    for said in (placements, placements, placements[::-1]):
        step = UpgradeStep("1", frozenset({"y", "z"}), said)
        upgrade = RuntimeUpgradeRequest("u-1", UpgradePlan("plan", (step,)))
        outcomes.append(journal.sessions.delegate("s-1", "A", "B", "chat", upgrade=upgrade))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    check_sound(journal)


@pytest.mark.parametrize(
    "undo",
    [
        lambda journal: journal.revert("session-s-1@3"),
        lambda journal: journal.revert("bundle-chat@5"),
        lambda journal: journal.revert("bundle-chat@3"),
        lambda journal: journal.rollback("bundle-chat", 4),
        lambda journal: journal.rollback("session-s-1", 2),
    ],
)
def test_they_are_one_act_from_both_sides(undo: Callable[[Journal], Any], journal: Journal) -> None:
    ready(journal)
    delegate(journal)
    plan = undo(journal)
    assert {step.stream for step in plan.steps} == {"session-s-1", "bundle-chat"}
    assert (members(journal), journal.sessions.state("s-1").holder) == (("x", "y"), "A")
    assert journal.upgrades["chat", "u-1"].phase == "rolled_back"
    again = journal.revert(plan.positions[-1])
    assert (members(journal), journal.sessions.state("s-1").holder) == (("y", "z"), "B")
    assert journal.upgrades["chat", "u-1"].phase == "committed_cutover"
    journal.revert(again.positions[0])
    assert (members(journal), journal.sessions.state("s-1").holder) == (("x", "y"), "A")
    check_sound(journal)


def test_a_later_upgrade_keeps_both_in_place(journal: Journal) -> None:
    ready(journal)
    delegate(journal)
    journal.bundles.upgrade("chat", upgrade_to("z", upgrade_id="u-2"))
    with pytest.raises(LaterEventDepends):
        journal.revert("session-s-1@3")
    assert journal.sessions.state("s-1").holder == "B"


def test_a_saga_undoes_both(journal: Journal) -> None:
    ready(journal)

    def fail() -> None:
        with journal.saga("move"):
            delegate(journal)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (members(journal), journal.sessions.state("s-1").holder) == (("x", "y"), "A")
    check_sound(journal)


def test_an_upgrade_that_breaks_a_rule_delegates_nothing_and_both_refusals_are_on_record(journal: Journal) -> None:
    ready(journal)
    head = journal.head()
    with pytest.raises(UpgradeRejected):
        journal.sessions.delegate("s-1", "A", "B", "chat", upgrade=upgrade_to("w"))
    assert [record.type for record in journal.read(head)] == [
        "bundle.upgrade_staged.v1",
        "bundle.upgrade_failed.v1",
        "session.delegation_rejected.v1",
    ]
    assert (members(journal), journal.sessions.state("s-1").holder) == (("x", "y"), "A")
    check_sound(journal)


def test_beyond_the_bound_neither_refusal_is_recorded(journal: Journal) -> None:
    ready(journal)
    for number in range(MAX_RECORDED_REFUSALS):
        with pytest.raises(UpgradeRejected):
            journal.bundles.upgrade("chat", upgrade_to("w", upgrade_id=f"f-{number}"))
    head = journal.head()
    with pytest.raises(UpgradeRejected):
        journal.sessions.delegate("s-1", "A", "B", "chat", upgrade=upgrade_to("w"))
    claim(journal)
    with pytest.raises(UpgradeRejected):
        journal.sessions.hand_over(
            live(journal), "bob", from_authority="A", to_authority="B", bundle_id="chat", upgrade=upgrade_to("w")
        )
    assert journal.head() == head + 1
    assert journal.verify().findings == ()


def test_the_record_of_a_forged_upgrade_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "forged.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        ready(journal)
        delegate(journal)
    edit(
        path,
        "UPDATE stored_events SET state=CAST(json_set(CAST(state AS TEXT),"
        " '$.data.witness.upgrade.next_members', json('[\"mallory\"]')) AS BLOB) WHERE topic='session.delegated.v1'",
    )
    with Journal.open(f"sqlite:///{path}", read_only=True) as journal:
        (finding,) = journal.verify().findings
        assert "committed right before this" in finding.problem


BAD: dict[str, tuple[Callable[[Journal], Any], type[Exception]]] = {
    "an upgrade without a bundle": (
        lambda journal: journal.sessions.delegate("s-1", "A", "B", upgrade=upgrade_to("x")),
        InvalidArgument,
    ),
    "an upgrade that is a string": (
        lambda journal: journal.sessions.delegate("s-1", "A", "B", "chat", upgrade="u"),  # type: ignore[arg-type]
        InvalidArgument,
    ),
    "a claimed time that nobody claims": (
        lambda journal: delegate(journal, claimed_at=ProvenancedTime(5)),
        InvalidArgument,
    ),
    "a claimed time that no calendar shows": (
        lambda journal: delegate(journal, claimed_at=ProvenancedTime(2**52, "A")),
        InvalidArgument,
    ),
    "a claimed time that is a number": (lambda journal: delegate(journal, claimed_at=5), InvalidArgument),
    "a time before 1970": (lambda journal: ProvenancedTime(-1, "A"), InvalidArgument),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_a_typed_error_and_appends_nothing(case: str, journal: Journal) -> None:
    act, error = BAD[case]
    ready(journal)
    head = journal.head()
    with pytest.raises(error):
        act(journal)
    assert journal.head() == head


def test_a_bundle_without_members_is_not_upgraded_and_a_runtime_without_surfaces_upgrades_none() -> None:
    with Journal.open("memory://") as journal:
        for act in (register, open_session, host):
            act(journal)
        head = journal.head()
        with pytest.raises(MembersNotSeeded):
            delegate(journal)
        assert journal.head() == head
    with Journal.open("memory://", surfaces=Surfaces(reconfiguration_transition=False)) as journal:
        ready(journal)
        with pytest.raises(MissingSurface):
            delegate(journal)


def test_it_can_be_awaited() -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            await journal.sessions.open("s-1")
            await journal.sessions.host("s-1", "A")
            claimed = ProvenancedTime(7, "A", 2)
            outcome = await journal.sessions.delegate("s-1", "A", "B", claimed_at=claimed)
            assert outcome.receipt.delegated_at == claimed

    asyncio.run(story())


# Its context


def test_the_context_is_the_sessions_unless_another_is_named(journal: Journal) -> None:
    journal.sessions.open("s-1", context_id="ctx")
    host(journal)
    first = journal.sessions.delegate("s-1", "A", "B")
    assert first.receipt.context_id == "ctx"
    # Said or not, it is the same delegation.
    assert journal.sessions.delegate("s-1", "A", "B", context_id="ctx") == first
    assert journal.sessions.delegate("s-1", "B", "C", context_id="other").receipt.context_id == "other"
    held = claim(journal)
    handed = journal.sessions.hand_over(held, "bob", from_authority="C", to_authority="A")
    assert handed.receipt.context_id == "ctx"
    assert [row.context_id for row in journal.delegations.values()] == ["ctx", "other", "ctx"]
    check_sound(journal)


def test_a_session_without_a_context_gives_none(journal: Journal) -> None:
    for act in (open_session, host):
        act(journal)
    assert journal.sessions.delegate("s-1", "A", "B").receipt.context_id is None


# When it was made


class Clock:
    """A clock that is set by hand, in ms."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


def test_the_receipt_tells_when_the_journal_recorded_it() -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        for act in (open_session, host):
            act(journal)
        clock.now = 2_000
        receipt = journal.sessions.delegate("s-1", "A", "B").receipt
        assert receipt.delegated_at == ProvenancedTime(2_000)
        assert receipt.delegated_at.is_recorded
        assert journal.record(journal.head()).metadata.recorded_at == 2_000
        # A clock that steps back is not believed.
        clock.now = 1_500
        assert journal.sessions.delegate("s-1", "B", "C").receipt.delegated_at == ProvenancedTime(2_000)
        held: OwnershipCapability = claim(journal)
        clock.now = 3_000
        handed = journal.sessions.hand_over(held, "bob", from_authority="C", to_authority="A")
        assert handed.receipt.delegated_at == ProvenancedTime(3_000)
        rows = journal.delegations
        assert [(row.delegated_at, row.claimed_by) for row in rows.values()] == [
            (2_000, None),
            (2_000, None),
            (3_000, None),
        ]
        check_sound(journal)


def test_a_claimed_time_says_who_claims_it() -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        for act in (open_session, host):
            act(journal)
        claimed = ProvenancedTime(40, "A", uncertainty_ms=5)
        outcome = journal.sessions.delegate("s-1", "A", "B", claimed_at=claimed)
        assert (outcome.receipt.delegated_at, claimed.is_recorded) == (claimed, False)
        row = journal.delegations["s-1", 1]
        assert (row.delegated_at, row.claimed_by, row.uncertainty_ms) == (40, "A", 5)
        # A claim is a claim: it does not move the journal's time.
        clock.now = 1_100
        assert journal.sessions.delegate("s-1", "B", "A").receipt.delegated_at == ProvenancedTime(1_100)
        check_sound(journal)


def test_a_repeat_answers_the_first_time_and_another_claimed_time_is_another_delegation() -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        for act in (open_session, host):
            act(journal)
        first = journal.sessions.delegate("s-1", "A", "B")
        clock.now = 9_000
        assert journal.sessions.delegate("s-1", "A", "B") == first
        with pytest.raises(NotActiveHolder):
            journal.sessions.delegate("s-1", "A", "B", claimed_at=ProvenancedTime(1, "A"))


def test_a_repeat_under_a_key_answers_the_same_receipt() -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        ready(journal)
        with journal.context(idempotency_key="k"):
            first = delegate(journal)
            clock.now = 9_000
            assert delegate(journal) == first
        claim(journal)
        with journal.context(idempotency_key="h"):
            handed = journal.sessions.hand_over(live(journal), "bob", from_authority="B", to_authority="C")
            clock.now = 10_000
            again = journal.sessions.hand_over(live(journal), "bob", from_authority="B", to_authority="C")
        assert again == handed
        assert handed.receipt.delegated_at == ProvenancedTime(9_000)


def test_what_an_undo_restores_keeps_the_time_at_which_it_was_made() -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        for act in (open_session, host, claim, claim_fragments):
            act(journal)
        clock.now = 2_000
        journal.sessions.hand_over(live(journal), "bob", from_authority="A", to_authority="B")
        clock.now = 3_000
        undone = journal.revert(journal.head()).positions[0]
        journal.revert(undone)
        row = journal.delegations["s-1", 2]
        assert (row.status, row.delegated_at) == ("committed", 2_000)
        check_sound(journal)


def test_a_receipt_without_a_time_is_told_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        for act in (open_session, host):
            act(journal)
        journal.sessions.delegate("s-1", "A", "B")
    edit(
        path,
        "UPDATE stored_events SET state=CAST(json_remove(CAST(state AS TEXT), '$.data.receipt.delegated_at') AS BLOB)",
        "DROP TABLE projection_delegations_v2_2",
    )
    with Journal.open(f"sqlite:///{path}") as journal:
        journal.replay()
        assert journal.delegations["s-1", 1].delegated_at is None
        with pytest.raises(CommandRefused):
            journal.sessions.delegate("s-1", "A", "C")
        assert journal.verify().findings == ()
