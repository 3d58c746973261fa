"""Undo by appending: revert and rollback (law 8)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import (
    CATALOGUE,
    AlreadyCompensated,
    CommandRefused,
    Fragments,
    InvalidArgument,
    InvalidIdentifier,
    InvalidInput,
    LaterEventDepends,
    NotCompensable,
    OwnershipCapability,
    OwnershipReceipt,
    StaleCapability,
    UnknownEvent,
    UnknownPosition,
    UnknownVersion,
    compensation,
)
from muniment.domain.session import HandOverReverted, OwnershipRestored
from muniment.domain.states import new_state
from muniment.journal import Journal, UndoPlan

from ..conftest import Clock
from .standing import parts
from .stories import UNDOABLE, claim, claim_fragments, hand_over, host, live, open_session, register, seed, upgrade_to


def state_of(journal: Journal, stream: str) -> Any:
    """What a stream's events add up to."""
    state = new_state(stream)
    for record in journal.read_stream(stream):
        state.apply(record.event)
    return state


def standing(journal: Journal, stream: str) -> dict[str, Any]:
    return parts(state_of(journal, stream).standing())


def streams_of(journal: Journal) -> list[str]:
    return sorted({record.stream for record in journal.read()})


def artifacts(journal: Journal) -> set[OwnershipCapability | OwnershipReceipt]:
    """Every capability and receipt that was ever given."""
    return {
        record.artifact
        for record in journal.audit.records()
        if isinstance(record.artifact, OwnershipCapability | OwnershipReceipt)
    }


def counters(journal: Journal) -> list[int]:
    names = ("generation", "claims", "witnesses", "delegations", "incarnation", "epoch")
    states = [state_of(journal, stream) for stream in streams_of(journal)]
    return [getattr(state, name) for state in states for name in names if hasattr(state, name)]


def check_sound(journal: Journal) -> None:
    assert journal.verify().findings == ()
    assert journal.coherence() == ()
    assert journal.replay().differences == {}


def last(journal: Journal, stream: str) -> int:
    (record,) = journal.read_stream(stream, newest_first=True, limit=1)
    return record.position


def generation(journal: Journal) -> int:
    return int(state_of(journal, "session-s-1").generation)


def live_artifacts(journal: Journal) -> set[Any]:
    state = state_of(journal, "session-s-1")
    return {each for each in (state.live, state.pending) if each is not None}


def check_stands_as(journal: Journal, stood: dict[str, dict[str, Any]]) -> None:
    """Every stream stands as it did; one that had no event then, as if it had none."""
    for name in streams_of(journal):
        assert standing(journal, name) == stood.get(name, parts(new_state(name).standing()))


@pytest.mark.parametrize("story", UNDOABLE)
def test_what_holds_after_a_revert_held_before_the_event(story: str, clock: Clock) -> None:
    act, before, stream = UNDOABLE[story]
    with Journal.open("memory://", clock=clock) as journal:
        for each in before:
            each(journal)
        stood = {name: standing(journal, name) for name in streams_of(journal)}
        act(journal)
        happened = {name: standing(journal, name) for name in streams_of(journal)}
        given, counted, was_generation = artifacts(journal), counters(journal), generation(journal)
        position = last(journal, stream)
        assert journal.record(position).type.startswith(story.partition(",")[0])

        were_live = live_artifacts(journal)
        plan = journal.revert(position)

        check_stands_as(journal, stood)
        assert all(now >= then for now, then in zip(counters(journal), counted, strict=True))
        if isinstance(plan.steps[0].event, OwnershipRestored | HandOverReverted):
            assert generation(journal) == was_generation + 1
        # Nothing that had ended is live again.
        assert live_artifacts(journal) & given <= were_live
        # The compensating event says what it undoes.
        record = journal.record(plan.positions[0])
        assert record.metadata.compensates == (journal.record(position).id,)
        check_sound(journal)

        # Reverting the revert has it again.
        again = journal.revert(plan.positions[0])
        assert {name: standing(journal, name) for name in streams_of(journal)} == happened
        undone = [journal.record(each).metadata.compensates for each in again.positions]
        assert (record.id,) in undone
        check_sound(journal)
        journal.revert(again.positions[0])
        check_stands_as(journal, stood)
        check_sound(journal)


def test_the_stories_cover_every_type_that_can_be_undone() -> None:
    undoable = {
        name
        for name, cls in CATALOGUE.types().items()
        if compensation.RULES[cls].compensate is not None and not name.startswith("conversation.")
    }
    undone = {f"{story.partition(',')[0]}.v1" for story in UNDOABLE}
    made_by_undoing = {
        "bundle.members_restored.v1",
        "bundle.withdrawn.v1",
        "inbox.envelope_withdrawn.v1",
        "session.delegation_reverted.v1",
        "session.draining_withdrawn.v1",
        "session.fragments_restored.v1",
        "session.hand_over_reverted.v1",
        "session.hosting_withdrawn.v1",
        "session.opening_withdrawn.v1",
        "session.ownership_restored.v1",
        "session.witness_withdrawn.v1",
        "inbox.taking_withdrawn.v1",
        "session.handler_restored.v1",
        "session.trace_restored.v1",
        "session.type_restored.v1",
    }
    assert undone | made_by_undoing == undoable


FINAL: dict[str, Callable[[Journal], Any]] = {
    "session.witness_consumed": lambda journal: journal.sessions.consume_witness(
        live(journal), journal.sessions.issue_witness(live(journal), "ready")
    ),
    "session.owner_died": lambda journal: journal.sessions.owner_died("s-1", "alice"),
    "session.transfer_abandoned": lambda journal: journal.sessions.abandon_transfer(
        journal.sessions.begin_transfer(live(journal), "bob")
    ),
    "session.transfer_commit_failed": lambda journal: journal.sessions.fail_transfer_commit(
        journal.sessions.begin_transfer(live(journal), "bob"), "it broke"
    ),
    "session.closed": lambda journal: journal.sessions.close(live(journal)),
}


@pytest.mark.parametrize("story", FINAL)
def test_what_is_final_cannot_be_undone(story: str, journal: Journal) -> None:
    for act in (open_session, claim, FINAL[story]):
        act(journal)
    head = journal.head()
    with pytest.raises(NotCompensable) as caught:
        journal.revert(head)
    assert caught.value.type == f"{story}.v1"
    assert caught.value.reason
    assert journal.head() == head
    (obstacle,) = journal.revert(head, dry_run=True).obstacles
    assert isinstance(obstacle, NotCompensable)
    # What led there stays too, and is told why.
    with pytest.raises((NotCompensable, LaterEventDepends)):
        journal.rollback("session-s-1", 0)
    assert journal.head() == head


def test_refusals_are_records_and_no_obstacle_to_a_rollback(journal: Journal) -> None:
    for act in (open_session, claim):
        act(journal)
    with pytest.raises(StaleCapability):
        journal.sessions.check(OwnershipCapability("s-1", "mallory", 9, live(journal).scope))
    with pytest.raises(NotCompensable):
        journal.revert(journal.head())
    assert [step.event_id for step in journal.rollback("session-s-1", 1).steps] == ["session-s-1@2"]


def test_an_event_that_a_later_one_stands_on_is_not_undone(journal: Journal) -> None:
    for act in (open_session, host, claim, claim_fragments):
        act(journal)
    journal.sessions.transfer(live(journal), "bob")
    head = journal.head()
    for version, later in ((1, 5), (3, 5), (4, 5)):
        with pytest.raises(LaterEventDepends) as caught:
            journal.revert(f"session-s-1@{version}")
        assert caught.value.later_event_id == f"session-s-1@{later}"
    assert journal.head() == head
    # Nothing stands on the hosting.
    journal.revert("session-s-1@2")
    journal.revert("session-s-1@5")
    journal.revert("session-s-1@4")
    journal.revert("session-s-1@3")
    with pytest.raises(AlreadyCompensated) as undone:
        journal.revert("session-s-1@3")
    assert undone.value.compensated_by == f"session-s-1@{len(list(journal.read_stream('session-s-1')))}"
    check_sound(journal)


def test_a_bundle_that_something_stands_on_is_not_withdrawn(journal: Journal) -> None:
    for act in (open_session, host, register):
        act(journal)
    journal.sessions.delegate("s-1", "A", "B", "chat")
    with pytest.raises(LaterEventDepends) as caught:
        journal.revert("bundle-chat@1")
    assert caught.value.later_event_id == "session-s-1@3"
    journal.revert("session-s-1@3")
    journal.revert("bundle-chat@1")
    assert "chat" not in journal.bundles
    with pytest.raises(CommandRefused):
        journal.sessions.delegate("s-1", "A", "B", "chat")
    check_sound(journal)


def test_a_rollback_undoes_everything_after_a_version_newest_first(journal: Journal) -> None:
    for act in (open_session, host, claim, claim_fragments):
        act(journal)
    journal.sessions.commit_transfer(journal.sessions.begin_transfer(live(journal), "bob"))
    head = journal.head()

    dry = journal.rollback("session-s-1", 2, dry_run=True)
    assert journal.head() == head
    assert dry.positions == ()

    plan = journal.rollback("session-s-1", 2)
    assert [step.event_id for step in plan.steps] == [f"session-s-1@{version}" for version in (6, 5, 4, 3)]
    assert plan.steps == dry.steps
    assert plan.changes == dry.changes
    assert plan.positions == tuple(range(head + 1, head + 5))
    view = journal.sessions.state("s-1")
    assert (view.capability, view.pending_receipt, view.fragments) == (None, None, {})
    assert view.holder == "A"
    # There is nothing left to undo, and doing it again says so.
    assert journal.rollback("session-s-1", 2) == UndoPlan()
    journal.rollback("session-s-1", 0)
    assert "s-1" not in journal.owners
    check_sound(journal)


def test_a_rollback_to_what_was_undone_has_it_again(journal: Journal) -> None:
    for act in (open_session, claim):
        act(journal)
    journal.revert("session-s-1@2")
    journal.rollback("session-s-1", 2)
    assert live(journal).owner == "alice"
    assert live(journal).generation > 2


def test_a_plan_says_what_is_different_afterwards(journal: Journal) -> None:
    for act in (open_session, claim):
        act(journal)
    held = live(journal)
    journal.sessions.attenuate(held, Fragments({"bundle:chat"}))
    narrow = live(journal)
    plan = journal.revert(journal.head(), dry_run=True)
    (change,) = plan.changes
    assert (change.stream, change.name, change.before) == ("session-s-1", "capability", narrow)
    assert change.after == OwnershipCapability("s-1", "alice", 3, held.scope)


def test_a_hand_over_is_undone_with_its_upgrade(journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, claim_fragments, hand_over):
        act(journal)
    assert journal.bundles["chat"].members == ("y", "z")
    plan = journal.revert(journal.head())
    assert {step.stream for step in plan.steps} == {"session-s-1", "bundle-chat"}
    assert journal.bundles["chat"].members == ("x", "y")
    assert journal.upgrades["chat", "u-1"].phase == "rolled_back"
    assert journal.delegations["s-1", 1].status == "reverted"
    assert live(journal).owner == "alice"
    check_sound(journal)


def test_a_hand_over_whose_upgrade_something_stands_on_stays_whole(journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, claim_fragments, hand_over):
        act(journal)
    position = journal.head()
    journal.bundles.upgrade("chat", upgrade_to("z", upgrade_id="u-2"))
    head = journal.head()
    with pytest.raises(LaterEventDepends) as caught:
        journal.revert(position)
    assert caught.value.later_event_id.startswith("bundle-chat@")
    assert journal.head() == head
    assert live(journal).owner == "bob"


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (0, UnknownPosition),
        (99, UnknownPosition),
        (-1, InvalidArgument),
        (2**63, InvalidArgument),
        (True, InvalidArgument),
        (None, InvalidArgument),
        ("session-s-1@9", UnknownEvent),
        ("session-s-1@0", UnknownEvent),
        ("session-s-1", UnknownEvent),
        ("session-s-1@²", UnknownEvent),
        ("@1", UnknownEvent),
        ("x" * 10_000, InvalidArgument),
        ("session-s-1@" + "9" * 50, UnknownEvent),
    ],
)
def test_what_is_no_event_is_not_undone(event: Any, error: type[InvalidInput], journal: Journal) -> None:
    open_session(journal)
    for dry_run in (True, False):
        with pytest.raises(error):
            journal.revert(event, dry_run=dry_run)
    assert journal.head() == 1


def test_a_rollback_names_a_stream_and_a_version_that_are_there(journal: Journal) -> None:
    open_session(journal)
    for stream, version, error in (
        ("session-s-1", 2, UnknownVersion),
        ("session-none", 0, UnknownVersion),
        ("session-s-1", -1, InvalidArgument),
        ("party-s-1", 0, InvalidIdentifier),
        ("", 0, InvalidIdentifier),
    ):
        with pytest.raises(error):
            journal.rollback(stream, version)
    assert journal.head() == 1


def test_undoing_carries_the_context(journal: Journal) -> None:
    open_session(journal)
    with journal.context(actor="auditor", tick=7):
        plan = journal.revert(1)
    metadata = journal.record(plan.positions[0]).metadata
    assert (metadata.actor, metadata.tick, metadata.compensates) == ("auditor", 7, ("session-s-1@1",))


def test_an_idempotency_key_answers_the_same_plan(journal: Journal) -> None:
    for act in (open_session, claim, claim_fragments):
        act(journal)
    with journal.context(idempotency_key="k-1"):
        first = journal.rollback("session-s-1", 1)
        head = journal.head()
        assert journal.rollback("session-s-1", 1) == first
    assert journal.head() == head
    with journal.context(idempotency_key="k-2"):
        plan = journal.revert(head)
        assert journal.revert(head) == plan


def test_a_read_only_journal_can_be_asked_what_undoing_would_come_to(file_url: str) -> None:
    with Journal.open(file_url) as journal:
        open_session(journal)
        register(journal)
    with Journal.open(file_url, read_only=True) as journal:
        assert len(journal.revert(1, dry_run=True).steps) == 1
        assert len(journal.revert(2, dry_run=True).steps) == 1


def test_undone_events_are_exported_and_imported(tmp_path: Path, journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, claim_fragments, hand_over):
        act(journal)
    journal.revert(journal.head())
    with Journal.open(f"sqlite:///{tmp_path}/copy.db") as copy:
        copy.import_export(journal.export())
        assert list(copy.read()) == list(journal.read())
        assert dict(copy.footprints.items()) == dict(journal.footprints.items())
        check_sound(copy)
