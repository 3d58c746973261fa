"""Temporal tables and the projector, against a naive model."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError
from hypothesis import given, strategies as st
from muniment.domain import Metadata, ProjectionStopped, RecordedEvent
from muniment.domain.session import SessionOpened
from muniment.journal import Journal
from muniment.journal.sqlite.datastore import SQLiteDatastore
from muniment.journal.sqlite.tables import SQLiteTemporalStore
from muniment.projections import Change, Projection, Projector, Set, TemporalStore, TemporalTable, Unset

FACTS = TemporalTable(name="facts", version=1, key={"a": str, "b": int}, columns={"x": str, "y": int}, lookup=("y",))

KEYS = st.tuples(st.sampled_from("pq"), st.integers(0, 1))
CHANGES = st.one_of(
    st.builds(Set, st.just(FACTS), KEYS, st.tuples(st.sampled_from(["", "x", None]), st.integers(0, 3))),
    st.builds(Unset, st.just(FACTS), KEYS),
)
HISTORIES = st.lists(st.lists(CHANGES, max_size=3), max_size=25)


class Script(Projection):
    """Changes that are written down beforehand, one list for each position."""

    name = "script"
    tables = (FACTS,)

    def __init__(self, history: list[list[Change]]) -> None:
        self.history = history

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        return self.history[record.position - 1]


class Positions:
    """A source of so many records."""

    def __init__(self, count: int) -> None:
        self.count = count

    def head(self) -> int:
        return self.count

    def read(self, after: int, limit: int) -> Iterator[RecordedEvent]:
        for position in range(after + 1, min(after + limit, self.count) + 1):
            yield RecordedEvent(position, "session-s", position, SessionOpened("s", position), Metadata(position))


@pytest.fixture
def store() -> Iterator[TemporalStore]:
    datastore = SQLiteDatastore(":memory:")
    yield SQLiteTemporalStore(datastore)
    datastore.close()


def naive(history: list[list[Change]]) -> list[dict[Any, Any]]:
    """The facts as of every position, and since when each has been what it is."""
    states: list[dict[Any, Any]] = [{}]
    for position, changes in enumerate(history, 1):
        state = dict(states[-1])
        for change in changes:
            if isinstance(change, Set):
                state[change.key] = (*change.value, position)
            else:
                state.pop(change.key, None)
        states.append(state)
    return states


@given(history=HISTORIES, batch_size=st.integers(1, 9))
def test_a_table_knows_every_state_it_had(history: list[list[Change]], batch_size: int) -> None:
    datastore = SQLiteDatastore(":memory:")
    store = SQLiteTemporalStore(datastore)
    projector = Projector(store, [Script(history)], Positions(len(history)), batch_size=batch_size)
    projector.catch_up("script")
    states = naive(history)
    for position, state in [*enumerate(states), (None, states[-1])]:
        rows = store.select(FACTS, position)
        assert [row[:2] for row in rows] == sorted(state)
        assert {row[:2]: row[2:] for row in rows} == state
        assert store.count(FACTS, position) == len(state)
        for key in [("p", 0), ("p", 1), ("q", 0), ("q", 1)]:
            row = store.get(FACTS, position, key)
            assert (row and row[2:]) == state.get(key)
        by_y = store.select(FACTS, position, {"y": 2})
        assert [row[:2] for row in by_y] == sorted(key for key, value in state.items() if value[1] == 2)
    assert projector.rebuild().differences == {}
    assert {row[:2]: row[2:] for row in store.select(FACTS, None)} == states[-1]
    datastore.close()


@given(
    history=HISTORIES,
    batch_size=st.integers(1, 4),
    limits=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_a_rebuild_that_runs_out_of_memory_gives_the_same_rows(
    history: list[list[Change]], batch_size: int, limits: tuple[int, int]
) -> None:
    datastore = SQLiteDatastore(":memory:")
    store_ = SQLiteTemporalStore(datastore)
    projector = Projector(store_, [Script(history)], Positions(len(history)), batch_size=batch_size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("muniment.projections.table_writing.MAX_OPENED", limits[0])
        patch.setattr("muniment.projections.table_writing.MAX_FINISHED", limits[1])
        assert projector.rebuild().differences == {}
    for position, state in [*enumerate(naive(history)), (None, naive(history)[-1])]:
        assert {row[:2]: row[2:] for row in store_.select(FACTS, position)} == state
    datastore.close()


class Poisoned(Projection):
    """Cannot handle the third record."""

    name = "poisoned"
    tables = (TemporalTable(name="poisoned", version=1, key={"position": int}, columns={"x": int}),)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        if record.position == 3:
            raise ZeroDivisionError("three")
        return (Set(self.tables[0], (record.position,), (0,)),)


def test_a_record_that_one_projection_cannot_handle_stops_that_one(store: TemporalStore) -> None:
    script = Script([[Set(FACTS, ("p", 0), ("x", n))] for n in range(5)])
    projector = Projector(store, [Poisoned(), script], Positions(5), batch_size=2)
    assert projector.catch_up("script") == 5
    assert store.get(FACTS, None, ("p", 0)) == ("p", 0, "x", 4, 5)
    with pytest.raises(ProjectionStopped, match="ZeroDivisionError: three") as caught:
        projector.catch_up("poisoned")
    assert (caught.value.projection, caught.value.position) == ("poisoned", 3)
    assert projector.catch_up("poisoned", through=2) == 2
    assert [row[0] for row in store.select(Poisoned.tables[0], None)] == [1, 2]
    with pytest.raises(ProjectionStopped):
        projector.rebuild()


def test_a_rebuild_that_fails_leaves_a_stopped_projection_stopped(store: TemporalStore) -> None:
    script = Script([[] for _ in range(5)])
    projector = Projector(store, [Poisoned(), script], Positions(5))
    assert projector.catch_up("script") == 5
    for _ in range(2):
        with pytest.raises(ProjectionStopped):
            projector.rebuild()
        with pytest.raises(ProjectionStopped):
            projector.catch_up("poisoned")
        assert projector.health()["poisoned"][0] == 2


def test_a_batch_that_is_lost_stops_nothing(tmp_path: Path) -> None:
    datastore = SQLiteDatastore(str(tmp_path / "tables.db"), lock_timeout=0.01)
    store = SQLiteTemporalStore(datastore)
    projector = Projector(store, [Poisoned(), Script([[] for _ in range(5)])], Positions(5))
    other = sqlite3.connect(tmp_path / "tables.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError):
        projector.catch_up("script")
    other.execute("ROLLBACK")
    other.close()
    assert projector.health()["poisoned"] == (0, None)
    assert projector.catch_up("poisoned", 2) == 2
    assert [row[0] for row in store.select(Poisoned.tables[0], 2)] == [1, 2]
    datastore.close()


def test_tables_that_cannot_be_made_anew_are_tried_once(store: TemporalStore) -> None:
    rebuilds = []

    class Watched(Positions):
        def read(self, after: int, limit: int) -> Iterator[RecordedEvent]:
            rebuilds.append(after)
            return super().read(after, limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("muniment.projections.projection.FAR_BEHIND", 10)
        script = Script([[] for _ in range(30)])
        projector = Projector(store, [Poisoned(), script], Watched(30), batch_size=10)
        for _ in range(3):
            assert projector.catch_up("script") == 30
    # Once from the first event to be made anew, and once in batches.
    assert rebuilds.count(0) == 2


def test_a_projection_that_is_mended_goes_on_where_it_stood(store: TemporalStore) -> None:
    with pytest.raises(ProjectionStopped):
        Projector(store, [Poisoned()], Positions(5)).catch_up("poisoned")

    class Mended(Poisoned):
        def handle(self, record: RecordedEvent) -> Iterable[Change]:
            return (Set(self.tables[0], (record.position,), (record.position,)),)

    Projector(store, [Mended()], Positions(5)).catch_up("poisoned")
    assert [row[:2] for row in store.select(Poisoned.tables[0], None)] == [(1, 0), (2, 0), (3, 3), (4, 4), (5, 5)]


def test_a_table_of_a_new_version_is_built_beside_the_old(store: TemporalStore) -> None:
    history: list[list[Change]] = [[Set(FACTS, ("p", 0), ("x", 1))]]
    Projector(store, [Script(history)], Positions(1)).catch_up("script")
    newer = TemporalTable(name="facts", version=2, key={"a": str}, columns={"x": str})

    class NewScript(Projection):
        name = "script"
        tables = (newer,)

        def handle(self, record: RecordedEvent) -> Iterable[Change]:
            return (Set(newer, ("p",), ("new",)),)

    projector = Projector(store, [NewScript()], Positions(1))
    projector.catch_up("script")
    assert store.select(newer, None) == [("p", "new", 1)]
    assert store.select(FACTS, None) == [("p", 0, "x", 1, 1)]
    projector.rebuild()
    assert "projection_facts_v1_2" not in store.table_names()


def test_two_projectors_share_tables_exactly_once(shared_url: str) -> None:
    with Journal.open(shared_url) as one, Journal.open(shared_url) as other:
        readers: list[Callable[[], int]] = [lambda: len(one.owners), lambda: len(other.owners)]
        for number in range(40):
            (one if number % 3 else other).sessions.open(f"s-{number}")
            assert readers[number % 2]() == number + 1
        assert one.replay().differences == {}
        assert other.replay().differences == {}


def test_two_rebuilds_at_once_do_not_touch_each_other(shared_url: str) -> None:
    with Journal.open(shared_url) as one, Journal.open(shared_url) as other:
        for number in range(60):
            one.sessions.open(f"s-{number}")
        before = dict(one.owners.items())
        one._projector._batch_size = 10

        def meanwhile(done: int, _: int) -> None:
            if done == 40:
                assert other.replay().differences == {}

        assert one.replay(meanwhile).differences == {}
        assert dict(one.owners.items()) == dict(other.owners.items()) == before
        assert one.verify().findings == ()


def test_what_an_interrupted_rebuild_left_is_dropped(file_url: str) -> None:
    with Journal.open(file_url) as journal:
        journal.sessions.open("s-1")
        len(journal.owners)
        with journal._store.write() as writer:
            writer.run("CREATE TABLE projection_owners_v1__rebuild_999999999_ab (x)")

        def fail(*_: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            journal.replay(fail)
        assert not [name for name in journal._store.table_names() if "__rebuild_" in name]
        assert journal.replay().differences == {}


def test_progress_is_told(store: TemporalStore) -> None:
    script = Script([[] for _ in range(10)])
    told: list[tuple[int, int]] = []
    report = Projector(store, [script], Positions(10), batch_size=4).rebuild(
        lambda done, goal: told.append((done, goal))
    )
    assert told == [(4, 10), (8, 10), (10, 10)]
    assert report.events == 10
