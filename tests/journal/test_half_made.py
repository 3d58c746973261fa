"""A file whose maker was killed while it made it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from muniment.domain import JournalReadOnly, NotAJournal
from muniment.journal import Journal

HALF_MADE = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE begun (x)")
connection.execute("INSERT INTO begun VALUES (zeroblob(1000000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def half_made(tmp_path: Path) -> Path:
    """A database in the middle of its first transaction, with the log by which SQLite takes that back."""
    path = tmp_path / "journal.db"
    killed = subprocess.run([sys.executable, "-c", HALF_MADE, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.stat().st_size
    assert (tmp_path / "journal.db-journal").stat().st_size
    return path


def test_it_is_made_by_the_next_one_who_opens_it(half_made: Path) -> None:
    with pytest.raises(JournalReadOnly, match="open it for writing"):
        Journal.open(half_made, read_only=True)
    with Journal.open(half_made) as journal:
        journal.sessions.open("s-1")
        assert journal.verify().findings == ()
    with Journal.open(half_made, read_only=True) as journal:
        assert journal.head() == 1


def test_it_is_not_made_unless_asked(half_made: Path) -> None:
    with pytest.raises(NotAJournal, match="empty"):
        Journal.open(half_made, create=False)
