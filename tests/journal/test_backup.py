"""A backup is whole, marked as a copy, and alone under its name; or it is not there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import InvalidArgument, JournalNotEmpty, JournalUnavailable
from muniment.journal import Journal

from .test_identity import fill

BACKUPS = """
import sys
from muniment.journal import Journal
with Journal.open(sys.argv[1]) as journal:
    print("ready", flush=True)
    for number in range(100_000):
        journal.backup(f"{sys.argv[2]}/{sys.argv[3]}-{number}.db")
"""


def test_a_killed_backup_is_whole_or_not_there(shared_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with Journal.open("memory://") as original, Journal.open(shared_url) as journal:
        fill(original, *(f"s-{number}" for number in range(500)))
        journal.import_export(original.export())
    moment = random.Random(8)
    for number in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", BACKUPS, shared_url, str(folder), str(number)], stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            # On a busy machine the first one takes long.
            deadline = time.monotonic() + 60
            while not list(folder.glob(f"{number}-*.db")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(moment.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
        backups = sorted(folder.glob(f"{number}-*.db"), key=lambda path: path.stat().st_mtime_ns)
        assert backups
        # The one that was being made, if it has its name, is the last.
        with Journal.open(f"sqlite:///{backups[-1]}", read_only=True) as copy:
            assert (copy.head(), copy.identity.is_copy) == (500, True)
    left = {each.name.partition(".part")[1] for each in folder.iterdir() if each.name.startswith(".")}
    assert left <= {".part"}


def test_backups_to_one_name_at_the_same_moment(shared_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with Journal.open(shared_url) as journal:
        fill(journal, "s-1", "s-2")

        def back_up(_: int) -> bool:
            try:
                return journal.backup(folder / "copy.db") == 2
            except JournalNotEmpty:
                return False

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(back_up, range(8))) == 1
    assert [each.name for each in folder.iterdir()] == ["copy.db"]
    with Journal.open(f"sqlite:///{folder}/copy.db", read_only=True) as copy:
        assert copy.verify().findings == ()


@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
def test_what_lies_at_the_target_stays(shared_url: str, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    # SQLite would take an old log for a part of the new database.
    precious = folder / f"copy.db{suffix}"
    precious.write_text("precious")
    (folder / "copy.db-shm").write_text("beside")
    with Journal.open(shared_url) as journal:
        fill(journal, "s-1")
        with pytest.raises(JournalNotEmpty) as caught:
            journal.backup(folder / "copy.db")
        assert caught.value.path == str(precious)
    assert precious.read_text() == "precious"
    assert sorted(each.name for each in folder.iterdir()) == sorted([precious.name, "copy.db-shm"])


def test_a_link_is_the_place_that_it_leads_to(shared_url: str, tmp_path: Path) -> None:
    (tmp_path / "copy.db").symlink_to(tmp_path / "elsewhere.db")
    with Journal.open(shared_url) as journal:
        journal.backup(tmp_path / "copy.db")
        with pytest.raises(JournalNotEmpty):
            journal.backup(tmp_path / "copy.db")
    assert (tmp_path / "elsewhere.db").is_file()


def test_a_backup_that_cannot_be_made_names_the_target(shared_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Journal.open(shared_url) as journal:
        fill(journal, "s-1")
        for target in (tmp_path / "no" / "copy.db", tmp_path / "file" / "copy.db"):
            with pytest.raises(JournalUnavailable) as caught:
                journal.backup(target)
            assert caught.value.path == str(target)
        assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "target", ["", ":memory:", "folder/:memory:", "sqlite:///x.db", "a\0b", "\ud800", None, 7, b"x.db", object(), ["x"]]
)
def test_a_target_that_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with Journal.open("memory://") as journal, pytest.raises(InvalidArgument, match="path"):
        journal.backup(target)
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with Journal.open("memory://") as journal:
        fill(journal, "s-1")
        assert journal.backup(tmp_path / "copy.db") == 1
        with pytest.raises(JournalNotEmpty):
            journal.backup(tmp_path / "copy.db")
    assert [each.name for each in tmp_path.iterdir()] == ["copy.db"]
