"""The journal's file: its names, what lies beside it, and what happens when somebody else moves it about."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from muniment.domain import (
    InvalidArgument,
    InvalidExport,
    JournalDamaged,
    JournalLocked,
    JournalNotEmpty,
    JournalNotFound,
    JournalReplaced,
    JournalUnavailable,
    NotAJournal,
    NotStored,
)
from muniment.journal import Journal, import_journal, restore

from .processes import KILLS


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def fill(path: Path, count: int, name: str = "s") -> None:
    with Journal.open(url(path)) as journal:
        for number in range(count):
            journal.sessions.open(f"{name}-{number}")


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


KILLED = """
import os, signal, sys
from muniment.journal import Journal
journal = Journal.open("sqlite:///" + sys.argv[1])
for number in range(int(sys.argv[2])):
    journal.sessions.open(f"killed-{number}")
len(journal.owners)
os.kill(os.getpid(), signal.SIGKILL)
"""

CLAIM = """
import sys
from muniment.domain import MunimentError
from muniment.journal import Journal
with Journal.open("sqlite:///" + sys.argv[1]) as journal:
    try:
        print(journal.sessions.claim("s-0", "theirs").generation)
    except MunimentError as error:
        print(error.code)
    for number in range(50):
        journal.sessions.open(f"theirs-{number}")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.mark.parametrize("other", ["opened again", "opened read-only", "verified", "refused", "backed up"])
def test_no_lock_is_dropped_by_whatever_else_is_opened_in_the_process(other: str, path: Path) -> None:
    fill(path, 1)
    with Journal.open(url(path)) as journal:
        journal.sessions.open("warm")
        if other == "opened again":
            Journal.open(url(path)).close()
        elif other == "opened read-only":
            with Journal.open(url(path), read_only=True) as second:
                assert len(second.owners) == 2
        elif other == "verified":
            assert journal.verify().findings == ()
        elif other == "refused":
            with pytest.raises(JournalNotEmpty):
                journal.backup(path)
        else:
            journal.backup(path.with_name("copy.db"))
        # Another process that comes and goes must find that the file is in use, and leave the log alone.
        log = path.with_name("journal.db-wal").stat().st_ino
        assert run(CLAIM, path).stdout == "1\n"
        assert path.with_name("journal.db-wal").stat().st_ino == log
        assert journal.sessions.state("s-0").generation == 1
        assert journal.verify().findings == ()


def test_a_symbolic_link_is_the_file_that_it_leads_to(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "current.db"
    link.parent.mkdir()
    link.symlink_to(path)
    fill(link, 2)
    with Journal.open(url(path)) as journal:
        journal.sessions.open("new")
        with Journal.open(url(link), read_only=True) as seen:
            assert seen.head() == 3
    assert names(link.parent) == {"current.db"}


def test_a_link_in_a_circle_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises((JournalUnavailable, InvalidArgument)):
        Journal.open(url(tmp_path / "a"))


def test_a_second_name_beside_which_no_log_lies_is_refused(path: Path, tmp_path: Path) -> None:
    fill(path, 2)
    os.link(path, tmp_path / "alias.db")
    with Journal.open(url(path)) as journal:
        journal.sessions.open("in the log")
        for read_only in (True, False):
            with pytest.raises(JournalUnavailable, match=r"second name of journal\.db"):
                Journal.open(url(tmp_path / "alias.db"), read_only=read_only)
    # Closed in good order, no log is anywhere: either name will do.
    with Journal.open(url(tmp_path / "alias.db")) as journal:
        assert journal.head() == 3


def test_names_in_other_folders_are_refused_since_a_log_may_lie_there(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    fill(path, 1)
    os.link(path, tmp_path / "elsewhere" / "alias.db")
    with pytest.raises(JournalUnavailable, match="2 names"):
        Journal.open(url(path))


@pytest.mark.parametrize(
    "given",
    [
        "sqlite:///{}?mode=ro",
        "sqlite:///{}\n",
        "sqlite:///{} ",
        "sqlite:/// {}",
        "sqlite:///:memory:",
        "sqlite:///file:x",
    ],
)
def test_addresses_that_are_no_names_of_files(given: str, path: Path) -> None:
    with pytest.raises(InvalidArgument):
        Journal.open(given.format(path))
    assert names(path.parent) == set()


def test_a_path_is_an_address(path: Path) -> None:
    with Journal.open(path) as journal:
        assert journal.url == url(path)
    assert path.exists()


@pytest.mark.parametrize("target", [":memory:", "", "file:copy.db", "copy.db\n", b"copy.db", None, 3])
def test_a_backup_goes_to_a_file(target: object, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    fill(path, 1)
    before = names(path.parent)
    with Journal.open(url(path)) as journal, pytest.raises(InvalidArgument):
        journal.backup(target)  # type: ignore[arg-type]
    assert names(path.parent) == before


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(JournalUnavailable, match="no regular file"):
        Journal.open(url(tmp_path / "fifo"))


@pytest.mark.parametrize("how", ["removed", "replaced", "moved away"])
def test_nothing_is_appended_to_a_file_that_nobody_finds_any_more(how: str, path: Path) -> None:
    fill(path, 1)
    other = path.with_name("other.db")
    shutil.copy(path, other)
    journal = Journal.open(url(path))
    journal.sessions.open("before")
    if how == "removed":
        path.unlink()
    elif how == "replaced":
        other.replace(path)
    else:
        path.rename(path.with_name("moved.db"))
    for _ in range(2):
        with pytest.raises(JournalReplaced):
            journal.sessions.open("after")
    journal.close()


def test_a_copy_put_beside_an_old_log_is_not_opened_as_a_mixture(path: Path, tmp_path: Path) -> None:
    for count in (3, 3_000):
        shutil.rmtree(tmp_path, ignore_errors=True)
        tmp_path.mkdir()
        fill(path, 20)
        with Journal.open(url(path)) as journal:
            journal.backup(tmp_path / "backup.db")
        run(KILLED, path, count)
        shutil.copy(tmp_path / "backup.db", path)
        for read_only in (True, False):
            with pytest.raises(JournalDamaged, match=r"journal\.db-wal"):
                Journal.open(url(path), read_only=read_only)
        for suffix in ("-wal", "-shm"):
            path.with_name(f"journal.db{suffix}").unlink()
        with Journal.open(url(path)) as journal:
            assert journal.head() == 20
            assert journal.verify().findings == ()


def test_a_log_whose_file_is_gone_is_not_thrown_away(path: Path) -> None:
    run(KILLED, path, 5)
    path.unlink()
    with pytest.raises(JournalDamaged, match="is missing, and its log"):
        Journal.open(url(path))
    assert path.with_name("journal.db-wal").stat().st_size


def test_a_killed_writer_s_own_log_is_taken_over(path: Path) -> None:
    run(KILLED, path, 5)
    with Journal.open(url(path)) as journal:
        assert journal.head() == 5


def test_a_journal_made_without_waiting_for_the_disk_is_one_also_without_its_log(path: Path) -> None:
    run(KILLED.replace("sys.argv[1])", 'sys.argv[1], synchronous="NORMAL")'), path, 3)
    # What a power cut may leave: the file as it was flushed, and nothing of the log.
    path.with_name("journal.db-wal").write_bytes(b"")
    with Journal.open(url(path), create=False) as journal:
        assert journal.head() == 0
        assert journal.verify().findings == ()


def test_an_empty_database_says_what_may_have_happened(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    with pytest.raises(NotAJournal, match="power cut"):
        Journal.open(url(path), create=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act for two users")
def test_the_lock_of_turns_belongs_to_whom_the_file_belongs_to(path: Path) -> None:
    fill(path, 1)
    path.with_name("journal.db-turns").unlink()
    os.chown(path, 1_500, 1_600)
    path.chmod(0o660)
    with Journal.open(url(path)) as journal:
        journal.catch_up()
        journal.sessions.open("new")
        for suffix in ("-turns", "-wal"):
            status = path.with_name(f"journal.db{suffix}").stat()
            assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1_500, 1_600, 0o660)


def test_a_failed_import_leaves_nothing_where_nothing_was(path: Path) -> None:
    with pytest.raises(InvalidExport):
        import_journal(url(path), [b"no export"])
    assert names(path.parent) == set()

    def broken() -> list[bytes]:
        raise ConnectionError("the line is dead")

    with pytest.raises(ConnectionError):
        import_journal(url(path), (line for _ in range(1) for line in broken()))
    assert names(path.parent) == set()


def test_an_import_into_an_empty_journal_keeps_the_file(path: Path) -> None:
    fill(path, 0)
    with Journal.open("memory://") as journal:
        journal.sessions.open("s")
        lines = list(journal.export())
    assert import_journal(url(path), lines) == 1
    with Journal.open(url(path)) as journal:
        assert journal.head() == 1


def test_a_backup_killed_at_any_time_leaves_no_part_of_one(path: Path, tmp_path: Path) -> None:
    fill(path, 400)
    script = """
import sys
from muniment.journal import Journal
with Journal.open("sqlite:///" + sys.argv[1]) as journal:
    print("open", flush=True)
    journal.backup(sys.argv[2])
    print("done", flush=True)
"""
    for number in range(KILLS // 2):
        target = tmp_path / f"copy-{number}.db"
        process = subprocess.Popen([sys.executable, "-c", script, path, target], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(0.002 * number)
        process.kill()
        is_done = "done" in process.communicate()[0]
        assert target.exists() or not is_done
        if target.exists():
            with Journal.open(url(target)) as journal:
                assert journal.identity.is_copy
                assert journal.head() == 400


def test_restoring_puts_the_backup_in_its_place_and_keeps_owner_and_mode(path: Path, tmp_path: Path) -> None:
    fill(path, 3)
    with Journal.open(url(path)) as journal:
        journal.backup(tmp_path / "backup.db")
        cursor = journal.cursor()
        journal.sessions.open("lost")
        lost = journal.cursor()
    path.chmod(0o640)
    with pytest.raises(JournalNotEmpty):
        restore(tmp_path / "backup.db", url(path))
    assert restore(tmp_path / "backup.db", url(path), force=True) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with Journal.open(url(path)) as journal:
        assert journal.head() == 3
        journal.sessions.open("new")
        assert [record.stream for record in journal.read(journal.position_of(cursor))] == ["session-new"]
        with pytest.raises(Exception, match="cursor"):
            journal.position_of(lost)
        assert journal.verify().findings == ()


def test_restoring_where_nothing_is(path: Path, tmp_path: Path) -> None:
    fill(path, 2)
    with Journal.open(url(path)) as journal:
        journal.backup(tmp_path / "backup.db")
    assert restore(tmp_path / "backup.db", url(tmp_path / "new.db")) == 2
    with Journal.open(url(tmp_path / "new.db")) as journal:
        assert journal.head() == 2


@pytest.mark.parametrize("where", ["here", "read-only", "elsewhere"])
def test_restoring_is_refused_while_somebody_has_the_journal_open(where: str, path: Path, tmp_path: Path) -> None:
    fill(path, 2)
    with Journal.open(url(path)) as journal:
        journal.backup(tmp_path / "backup.db")
        journal.sessions.open("new")
    script = """
import sys
from muniment.journal import Journal
with Journal.open("sqlite:///" + sys.argv[1]) as journal:
    journal.sessions.open("elsewhere")
    print("open", flush=True)
    sys.stdin.read()
"""
    if where == "elsewhere":
        other = subprocess.Popen(
            [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(JournalLocked):
            restore(tmp_path / "backup.db", url(path), force=True, lock_timeout_s=0.2)
        other.communicate("")
        expected = 4
    else:
        with Journal.open(url(path), read_only=where == "read-only") as journal:
            assert journal.head() == 3
            with pytest.raises(JournalLocked):
                restore(tmp_path / "backup.db", url(path), force=True, lock_timeout_s=0.2)
        expected = 3
    with Journal.open(url(path)) as journal:
        assert journal.head() == expected
        assert journal.verify().findings == ()


@pytest.mark.parametrize("damage", ["garbage", "a foreign log", "a log alone"])
def test_force_restores_over_what_is_damaged(damage: str, path: Path, tmp_path: Path) -> None:
    fill(path, 20)
    with Journal.open(url(path)) as journal:
        journal.backup(tmp_path / "backup.db")
    if damage == "garbage":
        path.write_bytes(b"\0" * 8_192)
    else:
        run(KILLED, path, 3_000)
        if damage == "a log alone":
            path.unlink()
        else:
            shutil.copy(tmp_path / "backup.db", path)
    assert restore(tmp_path / "backup.db", url(path), force=True) == 20
    with Journal.open(url(path)) as journal:
        assert journal.head() == 20
        assert journal.verify().findings == ()


def test_a_restore_killed_at_any_time_leaves_the_old_journal_or_the_new(path: Path, tmp_path: Path) -> None:
    fill(path, 300, "old")
    with Journal.open(url(path)) as journal:
        journal.backup(tmp_path / "backup.db")
    script = """
import sys
from muniment.journal import restore
print("begun", flush=True)
restore(sys.argv[1], "sqlite:///" + sys.argv[2], force=True)
"""
    for number in range(KILLS // 2):
        run(KILLED.replace("killed-", f"later-{number}-"), path, 5)
        process = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "backup.db", path], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(0.006 * number)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Journal.open(url(path)) as journal:
            found = [record.stream for record in journal.read(300)]
            assert len(found) % 5 == 0
            assert journal.verify().findings == ()


@pytest.mark.parametrize("backup", ["missing.db", "text.txt", "other.db"])
def test_what_is_no_backup_is_not_restored(backup: str, path: Path, tmp_path: Path) -> None:
    fill(path, 1)
    (tmp_path / "text.txt").write_text("no backup" * 100)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE other (n)")
    with pytest.raises((NotAJournal, JournalNotFound)):
        restore(tmp_path / backup, url(path), force=True)
    with pytest.raises(InvalidArgument):
        restore(path, url(path), force=True)
    with Journal.open(url(path)) as journal:
        assert journal.head() == 1


@pytest.mark.parametrize(
    "trigger",
    [
        "BEFORE INSERT ON stored_events BEGIN SELECT RAISE(IGNORE); END",
        "BEFORE INSERT ON stored_events WHEN NEW.originator_id='session-s' BEGIN SELECT RAISE(IGNORE); END",
        "AFTER INSERT ON stored_events BEGIN UPDATE stored_events SET state=x'7b7d' WHERE position=NEW.position; END",
        "AFTER INSERT ON stored_events BEGIN DELETE FROM stored_events WHERE position=NEW.position; END",
        "AFTER INSERT ON stored_events BEGIN "
        "UPDATE stored_events SET position=position+5 WHERE position=NEW.position; END",
        "BEFORE INSERT ON stored_events WHEN NEW.topic NOT LIKE 'x%' BEGIN INSERT INTO stored_events "
        "(originator_id, originator_version, topic, state) VALUES ('session-x', 1, 'xyz', x'7b7d'); "
        "SELECT RAISE(IGNORE); END",
    ],
)
def test_an_insert_that_a_trigger_swallows_or_rewrites_is_not_acknowledged(trigger: str, path: Path) -> None:
    fill(path, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name in ("update", "delete"):
            connection.execute(f"DROP TRIGGER stored_events_refuse_{name}")
        connection.execute(f"CREATE TRIGGER swallow {trigger}")
    with Journal.open(url(path)) as journal:
        with pytest.raises(NotStored):
            journal.sessions.open("s")
        assert [record.id for record in journal.read()] == ["session-s-0@1"]


def test_a_host_s_trigger_that_leaves_the_events_alone_is_no_obstacle(path: Path) -> None:
    fill(path, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE outbox (position)")
        connection.execute(
            "CREATE TRIGGER host AFTER INSERT ON stored_events BEGIN INSERT INTO outbox VALUES (NEW.position); END"
        )
    with Journal.open(url(path)) as journal:
        journal.sessions.open("s")
        assert journal.head() == 2
