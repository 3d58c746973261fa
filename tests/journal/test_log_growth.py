"""SQLite's log: it grows while somebody reads for long, who is named, and is short again afterwards."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from muniment.journal import Journal
from muniment.journal.sqlite.log import LONG_READ_S, MAX_LOG_BYTES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def log_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def datastore(journal: Journal) -> Any:
    return journal.application.recorder.datastore  # type: ignore[attr-defined]  # SQLite's recorders have one


def write_much(journal: Journal) -> None:
    """Write more than the log may keep."""
    with datastore(journal).transaction(commit=True) as cursor:
        cursor.execute("CREATE TABLE filling (content)")
        cursor.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<?) "
            "INSERT INTO filling SELECT randomblob(1000000) FROM n",
            [MAX_LOG_BYTES // 1_000_000 + 4],
        )


def test_a_long_reader_is_named_and_the_log_is_short_again_once_it_is_gone(path: Path) -> None:
    with Journal.open(path, synchronous="NORMAL") as journal, journal.project() as projecting:
        journal.sessions.open("s")
        begun, go = threading.Event(), threading.Event()

        def read() -> None:
            with datastore(journal).transaction(commit=False) as cursor:
                cursor.execute("SELECT * FROM stored_events")
                begun.set()
                go.wait(30)

        thread = threading.Thread(target=read, name="the long reader")
        thread.start()
        begun.wait(30)
        write_much(journal)
        journal.sessions.open("later")
        threading.Event().wait(LONG_READ_S)
        log = projecting.log
        assert log is not None
        assert log.size > MAX_LOG_BYTES
        assert "the long reader" in log.held_by[0]
        go.set()
        thread.join(30)
        assert log_bytes(path) <= MAX_LOG_BYTES
        assert projecting.log is not None
        assert projecting.log.held_by == ()
        assert journal.verify().events == journal.head()


def test_a_long_reader_elsewhere_is_told_of_and_the_log_is_cut_by_the_next_writers(path: Path) -> None:
    with Journal.open(path, synchronous="NORMAL") as journal, journal.project() as projecting:
        journal.sessions.open("s")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT COUNT(*) FROM stored_events").fetchone()
            write_much(journal)
            assert projecting.log is not None
            assert projecting.log.held_by == ("a read by another connection or process",)
            other.execute("ROLLBACK")
        for number in range(3):
            journal.sessions.open(f"later-{number}")
        assert log_bytes(path) <= MAX_LOG_BYTES


def test_there_is_no_log_in_memory() -> None:
    with Journal.open("memory://") as journal, journal.project() as projecting:
        assert projecting.log is None
