"""What one event did, what it follows from and what follows from it; and why something was refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from muniment.domain import (
    CommandRefused,
    ComposedBundle,
    Envelope,
    Fragments,
    InvalidArgument,
    InvalidMoment,
    OwnershipCapability,
    UnknownEvent,
    UnknownPosition,
)
from muniment.domain.boundary import LinkBoundary
from muniment.domain.bounds import MAX_WHOLE_REFUSAL_BYTES
from muniment.domain.session import admit
from muniment.journal import EventName, Journal, Refusal

from ..conftest import Clock
from .stories import claim, claim_fragments, hand_over, host, live, open_session, register, seed


def refusal(journal: Journal) -> Refusal:
    """Why the last command was refused."""
    found = journal.explain(journal.head()).refusal
    assert found is not None
    return found


@pytest.fixture
def held(journal: Journal) -> OwnershipCapability:
    open_session(journal)
    claim(journal)
    return live(journal)


def test_a_stale_capability_is_told_since_when_and_who_owns_it_instead(
    clock: Clock, journal: Journal, held: OwnershipCapability
) -> None:
    clock.now = 5_000
    second = journal.sessions.transfer(held, "bob")
    journal.sessions.transfer(second, "carol")
    clock.now = 7_500
    with pytest.raises(CommandRefused):
        journal.sessions.check(held)
    found = refusal(journal)
    assert found.presented == held
    assert found.lost_by == EventName("session-s-1@3", 3, "session.ownership_transferred.v1", 5_000)
    assert (found.did_hold, found.lost_for_ms) == (True, 2_500)
    assert found.told == "the capability of alice, generation 1, full session"
    assert found.instead == "carol owned it: generation 3, full session, since session-s-1@4"
    assert found.advice == (
        "stop, discard what was begun under it, and have 'carol' transfer the session: "
        "journal.sessions.transfer(capability, 'alice')"
    )


def test_whoever_owns_it_again_is_told_to_present_what_it_holds_now(
    journal: Journal, held: OwnershipCapability
) -> None:
    journal.sessions.attenuate(held, Fragments({"bundle:chat"}))
    with pytest.raises(CommandRefused):
        journal.sessions.check(held)
    assert refusal(journal).advice == "present what it holds since then: journal.sessions.state('s-1').capability"


def test_where_nobody_owns_the_session_it_is_to_be_claimed(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.release(held)
    with pytest.raises(CommandRefused):
        journal.sessions.check(held)
    found = refusal(journal)
    assert found.instead == "nobody owned the session, since session-s-1@3"
    assert found.advice == "claim the session first: journal.sessions.claim('s-1', 'alice')"


@pytest.mark.parametrize(
    ("change", "since"),
    [
        (
            {"owner": "mallory"},
            "never given out: altered or forged; under its number the session gave "
            "the capability of alice, generation 1, full session",
        ),
        ({"generation": 9}, "never given out: forged, or of another journal"),
    ],
)
def test_what_was_never_given_out_is_told_as_that(
    journal: Journal, held: OwnershipCapability, change: dict[str, str | int], since: str
) -> None:
    with pytest.raises(CommandRefused):
        journal.sessions.check(replace(held, **change))  # type: ignore[arg-type]
    found = refusal(journal)
    assert (found.did_hold, found.lost_by, found.lost_for_ms, found.since) == (False, None, None, since)
    assert found.advice.startswith("present what a command answered")


def test_what_is_recorded_in_brief_is_found_all_the_same(journal: Journal, held: OwnershipCapability) -> None:
    many = Fragments(f"bundle:{number}-{'x' * 100}" for number in range(MAX_WHOLE_REFUSAL_BYTES // 100))
    narrowed = journal.sessions.attenuate(held, many)
    journal.sessions.transfer(narrowed, "bob")
    with pytest.raises(CommandRefused):
        journal.sessions.check(narrowed)
    found = refusal(journal)
    assert found.told.endswith(", recorded in brief")
    assert found.lost_by is not None
    assert found.lost_by.id == "session-s-1@4"


def test_a_receipt_is_told_by_which_event_it_was_used(journal: Journal, held: OwnershipCapability) -> None:
    receipt = journal.sessions.begin_transfer(held, "bob")
    journal.sessions.commit_transfer(receipt)
    with pytest.raises(CommandRefused):
        journal.sessions.commit_transfer(receipt)
    found = refusal(journal)
    assert found.lost_by is not None
    assert (found.lost_by.id, found.instead) == ("session-s-1@4", "no transfer was staged, since session-s-1@4")
    assert found.advice == "have 'bob' stage it again: journal.sessions.begin_transfer(capability, 'bob')"
    journal.sessions.begin_transfer(live(journal), "carol")
    with pytest.raises(CommandRefused):
        journal.sessions.commit_transfer(receipt)
    found = refusal(journal)
    assert found.instead == (
        "the receipt of transfer 2 from bob to carol, full session was staged, since session-s-1@6"
    )
    assert found.advice.endswith("journal.sessions.state('s-1').pending_receipt")


def test_a_witness_is_told_by_which_event_it_was_spent_or_ended(journal: Journal, held: OwnershipCapability) -> None:
    witness = journal.sessions.issue_witness(held, "ready")
    journal.sessions.consume_witness(held, witness)
    with pytest.raises(CommandRefused):
        journal.sessions.consume_witness(held, witness)
    found = refusal(journal)
    assert found.lost_by is not None
    assert found.lost_by.type == "session.witness_consumed.v1"
    witness = journal.sessions.issue_witness(held, "ready")
    after = journal.sessions.transfer(held, "bob")
    with pytest.raises(CommandRefused):
        journal.sessions.consume_witness(after, witness)
    found = refusal(journal)
    assert found.lost_by is not None
    assert found.lost_by.type == "session.ownership_transferred.v1"
    with pytest.raises(CommandRefused):
        journal.sessions.consume_witness(after, replace(witness, witness_id=7))
    assert refusal(journal).since == "never given out: forged, or of another journal"


def test_who_delegates_what_another_holds_is_told_who_held_it(journal: Journal) -> None:
    open_session(journal)
    journal.sessions.host("s-1", "A")
    journal.sessions.delegate("s-1", "A", "B")
    with pytest.raises(CommandRefused):
        journal.sessions.delegate("s-1", "A", "C")
    found = refusal(journal)
    assert found.presented == ("A", "C", None)
    assert (found.told, found.instead) == ("a delegation by A to C", "B held it, since session-s-1@3")
    assert found.lost_by is not None
    assert found.lost_by.id == "session-s-1@3"
    assert found.advice == "have 'B' delegate it: journal.sessions.delegate('s-1', 'B', 'C')"
    with pytest.raises(CommandRefused):
        journal.sessions.delegate("s-1", "Z", "C")
    assert refusal(journal).since == "Z never held the session"


def test_what_reaches_too_far_held_and_was_not_enough(journal: Journal, held: OwnershipCapability) -> None:
    narrow = journal.sessions.attenuate(held, Fragments({"bundle:chat"}))
    boundary = LinkBoundary.for_bundle(ComposedBundle("vote", ("p",)))
    with pytest.raises(CommandRefused):
        journal.execute("session-s-1", admit, narrow, boundary, "worker")
    found = refusal(journal)
    assert (found.did_hold, found.lost_by) == (True, None)
    assert "was not enough" in found.since


def test_bundles_that_could_not_be_linked_are_told_why(journal: Journal) -> None:
    journal.bundles.register(ComposedBundle("left", ("p",), imports=frozenset({"say"})))
    journal.bundles.register(ComposedBundle("right", ("q",)))
    with pytest.raises(CommandRefused) as caught:
        journal.bundles.link("left", "right", "both")
    found = refusal(journal)
    assert (found.presented, found.instead) == (("left", "right", "both"), str(caught.value))


def test_an_event_is_told_with_its_rows_and_with_what_depends_on_it(
    journal: Journal, held: OwnershipCapability
) -> None:
    receipt = journal.sessions.begin_transfer(held, "bob")
    second = journal.sessions.commit_transfer(receipt)
    journal.sessions.transfer(second, "carol")
    found = journal.explain("session-s-1@2")
    assert found == journal.explain(2)
    (row,) = (row for row in found.rows if row.table == "owners")
    assert (row.key, row.columns) == ("s-1", ("owner", "generation", "scope"))
    # The staging has ended by itself; all the others are told, not the last alone.
    assert [later.id for later in found.dependents] == ["session-s-1@4", "session-s-1@5"]
    assert (found.refusal, found.undoes, found.undone_by, found.holds) == (None, (), None, True)
    assert str(found).startswith("session-s-1@2 at position 2, 1970-01-01T00:00:01.000Z: session.ownership_claimed.v1")


def test_what_was_undone_points_to_what_undid_it_and_back(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.transfer(held, "bob")
    journal.revert(3)
    undone, undoing = journal.explain(3), journal.explain(4)
    assert (undone.undone_by, undone.holds, undone.dependents) == (undoing.event, False, ())
    assert (undoing.undoes, undoing.holds) == ((undone.event,), True)
    journal.revert(4)
    assert journal.explain(3).holds
    journal.sessions.transfer(live(journal), "carol")
    assert [later.position for later in journal.explain(3).dependents] == [6]


def test_events_of_other_streams_depend_on_it_too(journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, hand_over):
        act(journal)
    (handed,) = (record for record in journal.read() if record.type == "session.handed_over.v1")
    assert handed.id in [later.id for later in journal.explain(1).dependents]
    journal.inbox.put("s-1", Envelope("A", "B", "c", b"1"))
    opened = next(record for record in journal.read() if record.type == "session.opened.v1")
    assert "inbox-s-1@1" in [later.id for later in journal.explain(opened.id).dependents]


def test_the_cause_is_told(journal: Journal, held: OwnershipCapability) -> None:
    about = {"actor": "supervisor", "correlation_id": "request-7", "causation_id": "session-s-1@2"}
    with journal.context(**about), journal.saga("move") as saga, journal.context(idempotency_key="k"):  # type: ignore[arg-type]
        journal.sessions.transfer(held, "bob")
    (record,) = (each for each in journal.read() if each.type == "session.ownership_transferred.v1")
    cause = journal.explain(record.id).cause
    assert (cause.actor, cause.correlation_id, cause.idempotency_key) == ("supervisor", "request-7", "k")
    assert cause.causing_event == EventName("session-s-1@2", 2, "session.ownership_claimed.v1", 1_000)
    assert (cause.saga, cause.saga_name) == (saga.id, "move")
    with journal.context(causation_id="message-9"):
        journal.sessions.transfer(live(journal), "carol")
    cause = journal.explain(journal.head()).cause
    assert (cause.causation_id, cause.causing_event) == ("message-9", None)


def test_every_event_of_a_full_journal_is_explained(journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, claim_fragments, hand_over):
        act(journal)
    journal.revert(journal.head())
    for position in range(1, journal.head() + 1):
        found = journal.explain(position)
        assert found.event.position == position
        assert json.loads(json.dumps(found.to_json()))["event"]["id"] == found.event.id
        assert found.rows == tuple(journal.diff(position - 1, position, every=True))
        assert str(found)


def test_what_is_no_event_is_said_so(journal: Journal) -> None:
    open_session(journal)
    for event, error in (
        ("session-s-1@9", UnknownEvent),
        ("nonsense", InvalidMoment),
        ("session-s-1@01", InvalidMoment),
    ):
        with pytest.raises(error):
            journal.explain(event)
    for position in (0, -1, 2, 2**70):
        with pytest.raises(UnknownPosition):
            journal.explain(position)
    with pytest.raises(InvalidArgument):
        journal.explain(1.5)  # type: ignore[arg-type]
