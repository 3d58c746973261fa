"""Tables that are kept caught up in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from muniment.domain import JournalClosed, ProjectionStopped
from muniment.journal import Journal, Projecting

from .damage import edit


def until(condition: Callable[[], bool], timeout_s: float = 30) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def open_sessions(journal: Journal, count: int) -> None:
    for number in range(journal.head(), journal.head() + count):
        journal.sessions.open(f"s-{number}")


def is_caught_up(projecting: Projecting) -> bool:
    return projecting.lag == 0


def test_tables_are_kept_caught_up_with_this_process(journal: Journal) -> None:
    open_sessions(journal, 5)
    with journal.project() as projecting:
        until(lambda: is_caught_up(projecting))
        assert {health.position for health in projecting.health().values()} == {5}
        open_sessions(journal, 5)
        until(lambda: is_caught_up(projecting))
        assert journal._store.positions()["owners.v1_2"] == 10
        assert projecting.error is None


def test_tables_are_kept_caught_up_with_others(shared_url: str) -> None:
    with Journal.open(shared_url) as one, Journal.open(shared_url) as other, one.project() as projecting:
        for _ in range(3):
            open_sessions(other, 3)
            until(lambda: is_caught_up(projecting))
        assert len(one.owners) == 9


def test_nothing_is_caught_up_after_it_was_stopped(journal: Journal) -> None:
    threads = threading.active_count()
    with journal.project() as projecting:
        until(lambda: is_caught_up(projecting))
    projecting.stop()
    assert threading.active_count() <= threads
    open_sessions(journal, 3)
    assert projecting.lag == 3


def test_closing_the_journal_ends_it(journal: Journal) -> None:
    projecting = journal.project()
    journal.close()
    assert not projecting._thread.is_alive()
    with pytest.raises(JournalClosed):
        journal.project()


@pytest.mark.parametrize("poisoned", [1, 7, 12])
def test_a_row_in_the_way_stops_the_projection_that_met_it_and_no_other(journal: Journal, poisoned: int) -> None:
    position = poisoned + 2
    with journal._store.write() as writer:
        # Nothing that this journal writes could have put it there.
        values: list[str | int | None] = ["s-1", poisoned, "void", "x", 1, None, "x", position, 2**63 - 1]
        writer.run("INSERT INTO projection_witnesses_v1_2 VALUES (?,?,?,?,?,?,?,?,?)", values)
    with journal.project() as projecting:
        journal.sessions.open("s-1")
        held = journal.sessions.claim("s-1", "alice")
        for _ in range(15):
            journal.sessions.issue_witness(held, "ready")
        until(lambda: projecting.health()["witnesses"].error is not None)
        until(lambda: all(each.lag == 0 for name, each in projecting.health().items() if name != "witnesses"))
        health = projecting.health()
        assert {name for name, each in health.items() if each.error is not None} == {"witnesses"}
        error = health["witnesses"].error
        assert error is not None
        assert error.position == position
        assert health["witnesses"].position == position - 1
        assert journal.owners["s-1"].generation == 1
        with pytest.raises(ProjectionStopped, match=f"'witnesses' stopped at position {position}"):
            len(journal.witnesses)
        journal.replay()
        assert projecting.health()["witnesses"] == (17, 0, None)
        assert len(journal.witnesses) == 15


def test_a_record_that_cannot_be_decoded_makes_all_wait_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        open_sessions(journal, 6)
        edit(path, "UPDATE stored_events SET topic='nonsense' WHERE position=4")
        with journal.project() as projecting:
            until(lambda: projecting.error is not None)
            assert {health.position for health in projecting.health().values()} == {3}
            assert getattr(projecting.error, "position", None) == 4
            edit(path, "UPDATE stored_events SET topic='session.opened.v1' WHERE position=4")
            until(lambda: is_caught_up(projecting))
            until(lambda: projecting.error is None)


def test_catching_up_tells_how_far_it_has_come(journal: Journal) -> None:
    open_sessions(journal, 5)
    journal._projector._batch_size = 2
    told: list[tuple[int, int]] = []
    assert journal.catch_up(lambda done, goal: told.append((done, goal))) == 5
    assert told == [(2, 5), (4, 5), (5, 5)]
