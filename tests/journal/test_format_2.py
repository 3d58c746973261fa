"""A journal from before sessions had terms, endings and inboxes: it verifies, goes on, and keeps its past."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from muniment.domain import ConfigChanges, Envelope
from muniment.domain.conversation import ConfigSynced
from muniment.domain.event import accept
from muniment.journal import Journal
from muniment.journal.storage.identity_table import FORMAT

DATA = Path(__file__).parent.parent / "data"
HEAD = 42
"""The last position."""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Reopenings, a death with a staged transfer, delegations, a hand-over, undone openings, a failed saga."""
    path = tmp_path / "older.db"
    path.write_bytes(gzip.decompress((DATA / "journal-of-format-2.db.gz").read_bytes()))
    return path


def test_it_is_read_without_a_change(older: Path) -> None:
    before = older.read_bytes()
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        assert journal.identity.formats == ((2, 0),)
        assert journal.head() == HEAD
        report = journal.verify()
        assert (report.findings, report.notes) == ((), ())
        row = journal.sessions["s-1"]
        assert (row.status, row.incarnation, row.roles, row.started_at) == ("active", 2, ("coordinator",), None)
        assert journal.sessions.timed_out(2**40) == []
    assert older.read_bytes() == before


def test_it_goes_on_in_the_new_format(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        assert journal.identity.formats == ((2, 0), (FORMAT, HEAD))
        # A role may have been named twice then.
        first = journal.record(1).event
        assert first.roles == ("coordinator", "worker", "worker")  # type: ignore[attr-defined]
        journal.inbox.put("s-1", Envelope("B", "A", "c", "hello"))
        journal.sessions.end("s-1", reason="over")
        ending = journal.sessions.state("s-1").ending
        assert ending is not None
        # When it was opened, nobody wrote down.
        assert (ending.duration_ms, ending.lost_envelopes) == (None, 1)
        journal.sessions.open("s-2")
        # How it ended, in numbers, nobody wrote down either.
        summary = journal.archive["s-2", 1]
        assert (summary.ending, summary.last_owner, str(summary.reason)) == (
            None,
            "dave",
            "ownership owner `dave` died",
        )
        put_away = journal.sessions.reap()
        assert ("s-1", 2) in put_away
        assert ("s-9", 1) in put_away
        # What an older opening did can still be undone.
        journal.revert("session-s-7@1")
        # Its owner holds one fragment, and cannot close it.
        journal.sessions.end("s-4")
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}


def test_a_time_out_is_counted_from_when_it_is_said(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        journal.sessions.set_timeout("s-1", 10, now=2_000_000_000_000)
        assert journal.sessions["s-1"].due_at == 2_000_000_000_010
        journal.sessions.set_timeout("s-1", 20, now=2_000_000_000_015)
        assert journal.sessions.timed_out(2_000_000_000_020) == []
        assert journal.sessions.timed_out(2_000_000_000_021) == ["s-1"]
        assert journal.verify().findings == ()


def test_an_idempotency_key_of_then_is_answered_as_then(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        head = journal.head()
        with journal.context(idempotency_key="k-1"):
            journal.sessions.open("s-7")
        assert journal.head() == head


def test_its_copies_and_exports_say_since_when(older: Path, tmp_path: Path) -> None:
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        journal.backup(tmp_path / "copy.db")
        lines = list(journal.export())
    with Journal.open(f"sqlite:///{tmp_path}/copy.db") as copy, Journal.open("memory://") as imported:
        imported.import_export(lines)
        for each in (copy, imported):
            assert each.identity.formats == ((2, 0), (FORMAT, HEAD))
            assert each.verify().findings == ()


@pytest.mark.parametrize("form", [2, FORMAT])
def test_a_synchronisation_of_then_is_judged_by_the_rules_of_then(tmp_path: Path, form: int) -> None:
    path = tmp_path / "synced.db"
    synced = ConfigSynced("c", 1, 9, ConfigChanges(freeze_ms=7))
    with Journal.open(f"sqlite:///{path}") as journal:
        journal.conversations.create("c", "alice", now=0)
        journal.execute("conversation-c", lambda state: accept(synced))
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name='journal' AND type='trigger'")
        kept = triggers.fetchall()
        for name, _ in kept:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE journal SET value=? WHERE kind='format'", [str(form)])
        for _, sql in kept:
            connection.execute(sql)
        connection.execute(f"PRAGMA user_version={form}")
    with Journal.open(f"sqlite:///{path}", read_only=True) as journal:
        report = journal.verify()
        told = [each.problem for each in (report.findings, report.notes)[form == 2]]
        assert len(report.findings + report.notes) == 1
        assert "a command appends nothing here" in told[0]
        assert journal.conversations.state("c").config.freeze_ms == 7
