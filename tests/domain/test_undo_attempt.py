"""What undoes events is decided on a past: given records, when they are to be undone, then events or obstacles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from muniment.domain import (
    BundleNotFound,
    ComposedBundle,
    Event,
    KeyUsed,
    LaterEventDepends,
    Metadata,
    MissingSurface,
    Placed,
    RecordedEvent,
    SagaEnded,
    Surfaces,
)
from muniment.domain.bundle import BundleLinked, BundleRegistered, BundleWithdrawn
from muniment.domain.compensation import SagaUndone, StreamHistory, UndoAttempt
from muniment.domain.condition import NoneSince, Unchanged
from muniment.domain.saga import SagaBegun, SagaCompensated, SagaCompleted
from muniment.domain.session import OwnershipReleased, OwnershipRestored

from .facts import A1, CLAIMED, CLOSED, OPENED, RELEASED


class Told:
    """A past that is told, event by event; each is a stream's and perhaps undoes another."""

    def __init__(self, *events: tuple[str, Event[Any]] | tuple[str, Event[Any], str]) -> None:
        self.records: list[RecordedEvent] = []
        for position, (stream, event, *undone) in enumerate(events, 1):
            version = sum(each.stream == stream for each in self.records) + 1
            about = Metadata(recorded_at=position, compensates=tuple(undone) or None)
            self.records.append(RecordedEvent(position, stream, version, event, about))

    @property
    def head(self) -> int:
        return len(self.records)

    def at(self, position: int) -> RecordedEvent:
        return self.records[position - 1]

    def history(self, stream: str) -> StreamHistory:
        return StreamHistory(stream, [each for each in self.records if each.stream == stream])

    def dependents(self, event: Any) -> Iterable[RecordedEvent]:
        return [
            each
            for each in self.records
            if isinstance(each.event, BundleLinked) and event.bundle.bundle_id in (each.event.left, each.event.right)
        ]


S = "session-s-1"
OWNED = ((S, OPENED), (S, CLAIMED))
ALPHA = ComposedBundle("alpha", ("a",))
BETA = ComposedBundle("beta", ("b",))
BOTH = ComposedBundle("both", ("a", "b"))


def test_a_claim_is_undone_by_the_ownership_that_was_before() -> None:
    past = Told(*OWNED)
    attempt = UndoAttempt(past, [past.at(2)], is_bulk=False)
    assert attempt.placed == [Placed(S, OwnershipRestored("s-1", 2, A1, None), "session-s-1@2")]
    assert [change.name for change in attempt.plan.changes] == ["capability"]
    assert attempt.conditions == []


def test_the_same_past_decides_the_same_and_stays_as_it_is() -> None:
    past = Told(*OWNED, (S, RELEASED))
    before = list(past.records)
    first, second = (UndoAttempt(past, past.records[1:]) for _ in range(2))
    assert first.placed == second.placed
    assert first.plan == second.plan
    assert past.records == before


def test_what_later_events_stand_on_is_in_nobodys_power_to_undo_alone() -> None:
    past = Told(*OWNED, (S, RELEASED))
    attempt = UndoAttempt(past, [past.at(2)], is_bulk=False)
    assert [type(obstacle) for obstacle in attempt.plan.obstacles] == [LaterEventDepends]
    # Together with what stands on it, it can be.
    both = UndoAttempt(past, past.records[1:])
    assert [each.compensates for each in both.placed] == ["session-s-1@3", "session-s-1@2"]


def test_a_bundle_is_withdrawn_only_while_nothing_needs_it() -> None:
    past = Told(("bundle-alpha", BundleRegistered(ALPHA)))
    attempt = UndoAttempt(past, [past.at(1)], is_bulk=False)
    assert [type(each.event) for each in attempt.placed] == [BundleWithdrawn]
    # Whatever would come to need it meanwhile is in another stream, and is looked for as this is appended.
    (condition,) = attempt.conditions
    assert isinstance(condition, NoneSince)
    assert condition.position == 1


def test_a_link_is_in_the_way_of_what_it_was_made_of() -> None:
    past = Told(
        ("bundle-alpha", BundleRegistered(ALPHA)),
        ("bundle-beta", BundleRegistered(BETA)),
        ("bundle-both", BundleLinked(BOTH, "alpha", "beta")),
    )
    (obstacle,) = UndoAttempt(past, [past.at(1)], is_bulk=False).plan.obstacles
    assert isinstance(obstacle, LaterEventDepends)
    assert obstacle.later_event_id == "bundle-both@1"


def test_a_link_is_made_again_only_of_bundles_that_are_known() -> None:
    past = Told(
        ("bundle-alpha", BundleRegistered(ALPHA)),
        ("bundle-beta", BundleRegistered(BETA)),
        ("bundle-both", BundleLinked(BOTH, "alpha", "beta")),
        ("bundle-both", BundleWithdrawn(BOTH), "bundle-both@1"),
        ("bundle-beta", BundleWithdrawn(BETA), "bundle-beta@1"),
    )
    (obstacle,) = UndoAttempt(past, [past.at(4)], is_bulk=False).plan.obstacles
    assert isinstance(obstacle, BundleNotFound)


def test_undoing_is_held_to_what_the_runtime_offers() -> None:
    past = Told(
        ("bundle-alpha", BundleRegistered(ALPHA)),
        ("bundle-beta", BundleRegistered(BETA)),
        ("bundle-both", BundleLinked(BOTH, "alpha", "beta")),
        ("bundle-both", BundleWithdrawn(BOTH), "bundle-both@1"),
    )
    (obstacle,) = UndoAttempt(past, [past.at(4)], is_bulk=False, surfaces=Surfaces.none()).plan.obstacles
    assert isinstance(obstacle, MissingSurface)


def test_the_end_of_a_saga_is_appended_with_what_undoes_it() -> None:
    past = Told(("saga-g", SagaBegun("g", "move")), *OWNED)
    attempt = UndoAttempt(past, [past.at(3)], ends=SagaUndone("g", "it failed"))
    assert attempt.placed[-1] == Placed("saga-g", SagaCompensated("g", "move", "it failed", ()))
    assert len(attempt.placed) == 2


def test_what_is_undone_in_a_saga_depends_on_its_going_on() -> None:
    past = Told(("saga-g", SagaBegun("g", "move")), *OWNED)
    attempt = UndoAttempt(past, [past.at(3)], saga="g")
    assert attempt.conditions == [Unchanged("saga-g", 1)]
    ended = Told(("saga-g", SagaBegun("g", "move")), ("saga-g", SagaCompleted("g", "move")), *OWNED)
    with pytest.raises(SagaEnded):
        UndoAttempt(ended, [ended.at(4)], saga="g")


def test_mere_records_are_passed_over_in_bulk_and_stay_where_they_are_named() -> None:
    past = Told(("key-k", KeyUsed("k")), *OWNED, (S, OwnershipReleased(CLAIMED.capability)), (S, CLOSED))
    assert UndoAttempt(past, [past.at(1)]).placed == []
    assert UndoAttempt(past, [past.at(1)], is_bulk=False).plan.obstacles != ()
    assert UndoAttempt(past, past.records[1:]).plan.obstacles != ()
