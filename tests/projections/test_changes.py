"""What each projection makes of events: given records, then what it sets and unsets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from muniment.domain import (
    ComposedBundle,
    DelegationReceipt,
    DelegationWitness,
    Event,
    FootprintClass,
    KeyUsed,
    Metadata,
    OwnershipCapability,
    Phase,
    RecordedEvent,
    TerminalReason,
    UpgradePhase,
    bundle,
    saga,
    session,
)
from muniment.domain.bundle import RuntimeUpgradeArtifact, RuntimeUpgradeRequest, UpgradePlan
from muniment.domain.conversation import DeadlineKind
from muniment.projections import Row, Set, TemporalTable, Value, all_projections

from ..domain.conversation_facts import FREEZING, MEMBER, SELECTION, received
from ..domain.facts import (
    A1,
    ALPHA,
    B2,
    BEGUN,
    CLAIMED,
    CLOSED,
    CONSUMED,
    ISSUED,
    OPENED,
    RECEIPT,
    RELEASED,
    WITNESS,
    cancellation,
)

Cells = dict[str, Any]


class Tables:
    """Tables as a projection sees them, folded row by row."""

    def __init__(self, name: str) -> None:
        (self.projection,) = [each for each in all_projections() if each.name == name]
        self.rows: dict[tuple[str, tuple[Value, ...]], tuple[Value, ...]] = {}
        self._position = 0

    def given(self, *events: Event[Any], stream: str = "session-s-1", **metadata: Any) -> Tables:
        """Fold events that nothing is asked about."""
        for event in events:
            self.when(event, stream=stream, **metadata)
        return self

    def when(self, event: Event[Any], *, stream: str = "session-s-1", **metadata: Any) -> list[tuple[Any, ...]]:
        """Fold an event; return what it sets, as table, key and cells by name, and what it unsets, with None."""
        self._position += 1
        about = Metadata(**{"recorded_at": self._position, **metadata})
        record = RecordedEvent(self._position, stream, self._position, event, about)
        self.projection.resume(self._current)
        told: list[tuple[Any, ...]] = []
        for change in self.projection.handle(record):
            if isinstance(change, Set):
                self.rows[change.table.name, change.key] = change.value
                told.append(
                    (change.table.name, *change.key, dict(zip(change.table.columns, change.value, strict=True)))
                )
            else:
                self.rows.pop((change.table.name, change.key), None)
                told.append((change.table.name, *change.key, None))
        return told

    def _current(self, table: TemporalTable, key: tuple[Value, ...]) -> Row | None:
        value = self.rows.get((table.name, key))
        return None if value is None else (*key, *value, self._position)


def owned(by: OwnershipCapability | None, status: str = "active") -> Cells:
    if by is None:
        return {"owner": None, "generation": None, "scope": None, "status": status}
    scope = '"session"' if not hasattr(by.scope, "keys") else '["bundle:alpha"]'
    return {"owner": by.owner, "generation": by.generation, "scope": scope, "status": status}


def test_the_owner_map_has_a_row_for_every_open_session() -> None:
    owners = Tables("owners")
    assert owners.when(OPENED) == [("owners", "s-1", owned(None))]
    assert owners.when(CLAIMED) == [("owners", "s-1", owned(A1))]
    assert owners.when(BEGUN) == []
    assert owners.when(session.TransferCommitted(RECEIPT, A1, B2)) == [("owners", "s-1", owned(B2))]
    assert owners.when(session.OwnershipReleased(B2)) == [("owners", "s-1", owned(None))]


def test_the_owner_map_says_how_far_authority_reaches() -> None:
    narrow = OwnershipCapability("s-1", "a", 2, ALPHA)
    assert Tables("owners").given(OPENED, CLAIMED).when(session.ScopeAttenuated(A1, narrow)) == [
        ("owners", "s-1", owned(narrow))
    ]


def test_the_owner_map_keeps_a_finished_session_and_drops_one_that_was_never_opened() -> None:
    assert Tables("owners").given(OPENED, CLAIMED).when(CLOSED) == [("owners", "s-1", owned(None, "closed"))]
    died = session.OwnerDied(A1, cancellation(1, TerminalReason("owner_died", "a")))
    assert Tables("owners").given(OPENED, CLAIMED).when(died) == [("owners", "s-1", owned(None, "faulted"))]
    never = session.OpeningWithdrawn("s-1", 1, session.SessionStatus.UNOPENED)
    assert Tables("owners").given(OPENED).when(never) == [("owners", "s-1", None)]


def test_a_refusal_changes_no_row() -> None:
    refused = session.CapabilityRejected(A1, "capability is not live")
    changed = [each.name for each in all_projections() if Tables(each.name).given(OPENED, CLAIMED).when(refused)]
    assert changed == ["timeline"]


def witness(status: str) -> Cells:
    return {"status": status, "owner": "a", "generation": 1, "scope": '"session"', "says": "commit.ready"}


def test_a_witness_is_followed_from_its_issue_to_its_end() -> None:
    witnesses = Tables("witnesses").given(OPENED, CLAIMED)
    assert witnesses.when(ISSUED) == [("witnesses", "s-1", 1, witness("outstanding"))]
    assert witnesses.when(CONSUMED) == [("witnesses", "s-1", 1, witness("consumed"))]
    voided = session.OwnershipReleased(A1, (WITNESS,))
    assert Tables("witnesses").given(OPENED, CLAIMED, ISSUED).when(voided) == [("witnesses", "s-1", 1, witness("void"))]


def test_a_cancellation_witness_says_why() -> None:
    died = session.OwnerDied(A1, cancellation(1, TerminalReason("owner_died", "a")))
    (row,) = Tables("witnesses").given(OPENED, CLAIMED).when(died)
    assert row[3]["says"] == "ownership owner `a` died"
    assert row[3]["scope"] is None


def test_footprints_follow_hosting() -> None:
    footprints = Tables("footprints").given(OPENED)
    assert footprints.when(session.SessionHosted("s-1", "A")) == [("footprints", "A", "s-1", {"class": "native"})]
    assert footprints.when(session.HostingWithdrawn("s-1", "A")) == [("footprints", "A", "s-1", None)]
    assert FootprintClass.NATIVE.value == "native"


ALONE = ComposedBundle("alpha", ("a",))
STAGED = RuntimeUpgradeArtifact(
    "alpha",
    RuntimeUpgradeRequest("u-1", UpgradePlan("p")),
    UpgradePhase.STAGED,
    previous_members=frozenset({"m1"}),
    next_members=frozenset({"m2"}),
)


def test_a_bundle_is_known_until_it_is_withdrawn() -> None:
    bundles = Tables("bundles")
    (made,) = bundles.when(bundle.BundleRegistered(ALONE), stream="bundle-alpha")
    assert made[:2] == ("bundles", "alpha")
    assert (made[2]["left_source"], made[2]["right_source"]) == (None, None)
    assert bundles.when(bundle.BundleWithdrawn(ALONE), stream="bundle-alpha") == [("bundles", "alpha", None)]


def test_a_linked_bundle_says_what_it_was_linked_from() -> None:
    linked = bundle.BundleLinked(ComposedBundle("both", ("a", "b")), "alpha", "beta")
    (made,) = Tables("bundles").when(linked, stream="bundle-both")
    assert (made[2]["left_source"], made[2]["right_source"]) == ("alpha", "beta")


def test_members_change_when_an_upgrade_is_committed_and_not_before() -> None:
    bundles = Tables("bundles").given(bundle.BundleRegistered(ALONE), stream="bundle-alpha")
    seeded = bundles.when(bundle.MembersSeeded("alpha", frozenset({"m1"}), 1), stream="bundle-alpha")
    assert seeded == [("bundle_members", "alpha", {"members": '["m1"]', "epoch": 1})]
    (staged,) = bundles.when(bundle.UpgradeStaged(STAGED), stream="bundle-alpha")
    assert staged[:3] == ("upgrades", "alpha", "u-1")
    assert staged[3]["phase"] == "staged"
    done = replace(STAGED, phase=UpgradePhase.COMMITTED_CUTOVER)
    upgrade, members = bundles.when(bundle.UpgradeCommitted(done, 2), stream="bundle-alpha")
    assert upgrade[3]["phase"] == "committed_cutover"
    assert members == ("bundle_members", "alpha", {"members": '["m2"]', "epoch": 2})


def test_a_saga_stands_where_its_events_put_it() -> None:
    sagas = Tables("sagas")
    steps: list[tuple[Event[Any], str, str | None]] = [
        (saga.SagaBegun("g", "move"), "running", None),
        (saga.SagaCompensationBegun("g", "move"), "compensating", None),
        (saga.SagaCompensationFailed("g", "move", "nobody answers"), "in_doubt", "nobody answers"),
        (saga.SagaResolved("g", "move", "by hand", ()), "resolved", "by hand"),
    ]
    for event, status, reason in steps:
        cells = {"name": "move", "status": status, "reason": reason}
        assert sagas.when(event, stream="saga-g") == [("sagas", "g", cells)]


def test_what_is_appended_in_a_saga_is_listed_and_its_own_steps_are_not() -> None:
    sagas = Tables("sagas").given(saga.SagaBegun("g", "move"), stream="saga-g")
    assert sagas.when(OPENED, saga="g") == [("saga_events", "g", 2, {"stream": "session-s-1", "version": 2})]
    assert sagas.when(saga.SagaUndoRegistered("g", "book", ""), stream="saga-g", saga="g") == []
    assert sagas.when(CLAIMED) == []


def test_a_key_is_filed_with_the_event_it_was_used_for() -> None:
    keys = Tables("idempotency_keys")
    assert keys.when(OPENED) == []
    used = keys.when(CLAIMED, idempotency_key="k", command="session.claim@session-s-1()")
    cells = {"stream": "session-s-1", "version": 2, "command": "session.claim@session-s-1()"}
    assert used == [("idempotency_keys", "k", cells)]
    (alone,) = keys.when(KeyUsed("l"), stream="key-l", idempotency_key="l", command="session.check@session-s-1()")
    assert alone[1] == "l"


def test_the_timeline_only_rises_and_remembers_how_far_clocks_stepped_back() -> None:
    timeline = Tables("timeline")
    hour = 3_600_000
    assert [cells for *_, cells in timeline.when(OPENED, recorded_at=5 * hour)] == [{"recorded_at": 5 * hour}]
    assert timeline.when(CLAIMED, recorded_at=5 * hour - 1) == []
    ((table, _, cells),) = timeline.when(RELEASED, recorded_at=3 * hour)
    assert (table, cells) == ("clock_steps", {"lowest": 3 * hour})
    assert timeline.when(CLAIMED, recorded_at=4 * hour - 1) == []


def of(table: str, told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [each[1:] for each in told if each[0] == table]


@pytest.fixture
def group() -> Tables:
    return Tables("conversations").given(*MEMBER, stream="conversation-c")


def test_a_conversation_is_in_a_phase_and_each_visit_is_kept(group: Tables) -> None:
    told = group.when(FREEZING, stream="conversation-c")
    ((name, cells),) = of("conversations", told)
    assert (name, cells["phase"], cells["entered_at"]) == ("c", Phase.FREEZING.value, 100)
    assert of("phase_visits", told) == [
        ("c", 2, {"phase": "working", "entered_at": 0, "left_at": 100}),
        ("c", 3, {"phase": "freezing", "entered_at": 100, "left_at": None}),
    ]


def test_a_phases_deadline_is_there_while_it_lasts(group: Tables) -> None:
    told = group.when(FREEZING, stream="conversation-c")
    assert ("c", DeadlineKind.FREEZE.value, -1, {"due_at": 30_100, "window_ms": 30_000, "vote": None}) in of(
        "deadlines", told
    )
    gone = of("deadlines", group.when(SELECTION, stream="conversation-c"))
    assert ("c", DeadlineKind.FREEZE.value, -1, None) in gone


def test_a_proposal_has_a_row_and_is_counted(group: Tables) -> None:
    told = group.when(received(), stream="conversation-c")
    ((_, number, cells),) = of("proposals", told)
    assert (number, cells["kind"]) == (1, "add_member")
    ((_, standing),) = of("conversations", told)
    assert standing["proposals"] == 1


NATIVE, IN, OUT = FootprintClass.NATIVE, FootprintClass.DELEGATED_IN, FootprintClass.DELEGATED_OUT
DELEGATED = DelegationReceipt("s-1", 1, "A", "B", None, None, NATIVE, OUT, None, IN)


def test_a_delegation_holds_until_it_is_undone() -> None:
    made = session.SessionDelegated(DELEGATED, DelegationWitness("s-1", 1))
    delegations = Tables("delegations").given(OPENED, session.SessionHosted("s-1", "A"))
    ((_, session_id, number, cells),) = delegations.when(made)
    assert (session_id, number, cells["status"], cells["new_owner"]) == ("s-1", 1, "committed", None)
    assert (cells["from_authority"], cells["to_authority"]) == ("A", "B")
    footprints = Tables("footprints").given(OPENED, session.SessionHosted("s-1", "A"))
    assert footprints.when(made) == [
        ("footprints", "A", "s-1", {"class": "delegated_out"}),
        ("footprints", "B", "s-1", {"class": "delegated_in"}),
    ]
    back = (("A", NATIVE), ("B", None))
    undone = session.DelegationReverted(DELEGATED, DelegationWitness("s-1", 1), back)
    ((*_, cells),) = delegations.when(undone)
    assert cells["status"] == "reverted"
    assert footprints.when(undone) == [
        ("footprints", "A", "s-1", {"class": "native"}),
        ("footprints", "B", "s-1", None),
    ]
