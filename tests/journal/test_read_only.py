"""A journal that is opened to be read only."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest
from muniment.domain import (
    FULL_SESSION,
    CommandRefused,
    ComposedBundle,
    InvalidArgument,
    JournalClosed,
    JournalNotFound,
    JournalReadOnly,
    OwnershipReceipt,
)
from muniment.journal import Journal
from muniment.journal.sqlite.scratch import ScratchTables


def make(url: str, count: int = 3) -> None:
    with Journal.open(url) as journal:
        for number in range(count):
            journal.sessions.open(f"s-{number}")
            journal.sessions.claim(f"s-{number}", "alice")


def test_it_reads_everything(shared_url: str) -> None:
    make(shared_url)
    with Journal.open(shared_url) as journal, Journal.open(shared_url, read_only=True) as reader:
        assert list(reader.read()) == list(journal.read())
        assert dict(reader.owners) == dict(journal.owners)
        assert reader.at(position=3).owners.keys() == {"s-0", "s-1"}
        assert reader.audit.records() == journal.audit.records()
        assert reader.sessions.state("s-0") == journal.sessions.state("s-0")
        assert list(reader.export()) == list(journal.export())


def test_it_sees_what_others_write(shared_url: str) -> None:
    make(shared_url)
    with Journal.open(shared_url) as journal, Journal.open(shared_url, read_only=True) as reader:
        assert len(reader.owners) == 3
        with reader.follow(after=6) as following:
            journal.sessions.open("new")
            assert next(following).stream == "session-new"
        assert len(reader.owners) == 4


def test_it_changes_nothing(shared_url: str) -> None:
    make(shared_url)
    with Journal.open(shared_url, read_only=True) as reader:
        held = reader.record(2).event.outcome
        reader.sessions.check(held)
        for write in (
            lambda: reader.sessions.open("s-9"),
            lambda: reader.sessions.transfer(held, "bob"),
            lambda: reader.import_export([]),
            lambda: reader.replay(),
        ):
            with pytest.raises(JournalReadOnly):
                write()
        assert len(reader.owners) == 3
        assert reader._storage.tables.positions() == {}
    with Journal.open(shared_url) as journal:
        assert journal.head() == 6


def test_what_is_refused_is_answered_and_not_recorded(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        journal.sessions.open("s-1")
        stale = journal.sessions.claim("s-1", "alice")
        live = journal.sessions.transfer(stale, "bob")
        journal.sessions.open("s-2")
        journal.sessions.host("s-2", "east")
        for name in ("left", "right"):
            journal.bundles.register(ComposedBundle(name, imports=frozenset({"missing"})))
        journal.conversations.create("c-1", "alice")
        head = journal.head()
    with Journal.open(shared_url, read_only=True) as reader:
        reader.sessions.check(live)
        refusals: dict[str, Callable[[], object]] = {
            "stale_capability": lambda: reader.sessions.check(stale),
            "transfer_not_pending": lambda: reader.sessions.rollback_transfer(
                OwnershipReceipt("s-1", 1, "alice", 1, "bob", 2, FULL_SESSION)
            ),
            "not_active_holder": lambda: reader.sessions.delegate("s-2", "west", "north"),
            "incompatible_interfaces": lambda: reader.bundles.link("left", "right", "both"),
            "proposal_not_found": lambda: reader.conversations.vote("c-1", 7, True),
            "later_event_depends": lambda: reader.revert(2),
        }
        for code, call in refusals.items():
            with pytest.raises(CommandRefused) as caught:
                call()
            assert caught.value.code == code
        with pytest.raises(JournalReadOnly):
            reader.sessions.release(live)
        with pytest.raises(JournalReadOnly):
            reader.revert(3)
        assert reader.head() == head


def test_a_missing_journal_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(JournalNotFound):
        Journal.open(f"sqlite:///{tmp_path}/journal.db", read_only=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidArgument, match="read_only"):
        Journal.open("memory://", read_only=True)


def test_no_byte_of_a_file_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    make(f"sqlite:///{path}")
    before = path.read_bytes()
    with Journal.open(f"sqlite:///{path}", read_only=True) as reader:
        assert len(reader.owners) == 3
        assert reader.verify().findings == ()
    assert path.read_bytes() == before


READER = """
import os, sys, urllib.parse
from muniment.domain import JournalReadOnly
from muniment.journal import Journal
from muniment.journal.sqlite import storage as _opened_before_rights_are_given_up

os.setuid(65534)
url = f"sqlite:///{sys.argv[1]}"
with Journal.open(url, read_only=True) as reader:
    print(len(reader.owners), reader.head())
try:
    with Journal.open(url) as journal:
        journal.catch_up()
except JournalReadOnly as error:
    print(error.code)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody without permissions takes the superuser")
@pytest.mark.parametrize("in_use", [False, True])
def test_nothing_but_reading_need_be_permitted(in_use: bool) -> None:
    folder = Path(mkdtemp())
    folder.chmod(0o755)
    try:
        path = folder / "journal.db"
        make(f"sqlite:///{path}")
        with Journal.open(f"sqlite:///{path}") as journal:
            if in_use:
                journal.sessions.open("s-9")
            else:
                journal.close()
            run = subprocess.run(
                [sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=False, timeout=60
            )
        assert run.stderr == ""
        assert run.stdout == ("4 7\n" if in_use else "3 6\n") + "journal_read_only\n"
    finally:
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()


def test_a_table_that_is_gone_is_found_by_who_only_reads(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    make(f"sqlite:///{path}")
    with Journal.open(f"sqlite:///{path}") as journal:
        len(journal.owners)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE projection_owners_v1_2")
    connection.close()
    with Journal.open(f"sqlite:///{path}", read_only=True) as reader:
        (finding,) = reader.verify().findings
        assert finding.layer == "table"
        assert "owners is missing" in finding.problem
        assert len(reader.owners) == 3


def test_a_closed_one_says_so(shared_url: str) -> None:
    make(shared_url)
    reader = Journal.open(shared_url, read_only=True)
    then = reader.at(position=3)
    assert len(then.owners) == 2
    reader.close()
    for ask in (lambda: len(then.owners), lambda: reader.owners["s-0"], lambda: reader.audit.records()):
        with pytest.raises(JournalClosed):
            ask()


def test_what_is_made_for_it_is_gone_when_it_is_closed(
    shared_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make(shared_url)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with Journal.open(shared_url, read_only=True) as reader:
        assert isinstance(reader._store, ScratchTables)
        assert len(reader.owners) == 3
        assert len(list(folder.iterdir())) == 1
    assert list(folder.iterdir()) == []
