"""What is particular about a journal on a PostgreSQL server."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from muniment.domain import (
    InvalidArgument,
    JournalLocked,
    JournalNotFound,
    JournalUnavailable,
    NewerSchema,
    NotAJournal,
)
from muniment.journal import Journal
from muniment.journal.postgres.address import parse
from muniment.journal.storage.identity_table import FORMAT
from psycopg.sql import SQL, Identifier

from ..postgres_server import Server
from .processes import finish, start_at_once

WRITER = """
import sys
from muniment.domain import SessionAlreadyOpen
from muniment.journal import Journal

url, name, count = sys.argv[1:]
with Journal.open(url, lock_timeout_s=60) as journal:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        journal.sessions.open(f"{name}-{number}")
        # A race that one of them loses: a conflict must not use a position up.
        try:
            journal.sessions.open(f"shared-{number}")
        except SessionAlreadyOpen:
            pass
"""

STUBBORN_WRITER = """
import sys
from muniment.domain import JournalError, SessionAlreadyOpen
from muniment.journal import Journal

url, threads = sys.argv[1], int(sys.argv[2])
import threading
lock = threading.Lock()

def write(name):
    number = 0
    while True:
        number += 1
        session_id = f"{name}-{number}"
        while True:
            try:
                journal.sessions.open(session_id)
            except SessionAlreadyOpen:
                # The server fell after the commit, and before it could say so.
                break
            except JournalError:
                continue
            with lock:
                print(session_id, flush=True)
            break

with Journal.open(url) as journal:
    workers = [threading.Thread(target=write, args=(name,), daemon=True) for name in range(threads)]
    for worker in workers:
        worker.start()
    sys.stdin.readline()
"""


def schema_of(url: str) -> str:
    return url.rpartition("schema=")[2]


def rows(journal: Journal) -> list[int]:
    return [record.position for record in journal.read()]


def test_no_position_is_skipped_by_a_reader_while_eight_processes_write(postgres_url: str) -> None:
    with Journal.open(postgres_url) as journal:
        writers = start_at_once([[WRITER, postgres_url, f"w{n}", "40"] for n in range(8)])
        seen: list[int] = []
        while any(writer.poll() is None for writer in writers):
            seen += [row[0] for row in journal.application.recorder.select_rows(seen[-1] if seen else 0, 1_000)]
        finish(writers)
        seen += [row[0] for row in journal.application.recorder.select_rows(seen[-1], 1_000)]
        assert seen == list(range(1, 8 * 40 + 40 + 1))
        assert journal.verify().findings == ()


@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET topic='x'", "DELETE FROM {}", "TRUNCATE {}", "DELETE FROM {} WHERE notification_id=1"]
)
def test_rows_are_never_changed_or_deleted(postgres_url: str, postgres: Server, statement: str) -> None:
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s-1")
        before = list(journal.read())
        with postgres.connect() as connection, pytest.raises(psycopg.Error, match="append-only"):
            connection.execute(SQL(statement).format(Identifier(schema_of(postgres_url), "stored_events")))
        assert list(journal.read()) == before


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DROP TRIGGER refuse_change ON {}", "refuse_change"),
        ("ALTER TABLE {} DISABLE TRIGGER refuse_truncate", "refuse_truncate"),
    ],
)
def test_a_trigger_that_is_gone_or_disabled_is_found(
    postgres_url: str, postgres: Server, statement: str, name: str
) -> None:
    with Journal.open(postgres_url) as journal:
        assert journal.verify().findings == ()
        with postgres.connect() as connection:
            connection.execute(SQL(statement).format(Identifier(schema_of(postgres_url), "stored_events")))
        (finding,) = journal.verify().findings
        assert finding.layer == "storage"
        assert name in finding.problem


def test_a_lock_that_somebody_keeps_is_waited_for_no_longer_than_asked(postgres_url: str, postgres: Server) -> None:
    with Journal.open(postgres_url, lock_timeout_s=0.1) as journal:
        recorder: Any = journal.application.recorder
        statement, key = recorder.append_lock()
        with postgres.connect() as connection, connection.transaction():
            connection.execute(statement, [key])
            with pytest.raises(JournalLocked) as caught:
                journal.sessions.open("s-1")
            assert caught.value.timeout_ms == 100
        journal.sessions.open("s-1")
        assert journal.head() == 1


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable) as caught:
        Journal.open(f"postgresql://me:secret@/db?host={tmp_path}")
    assert "secret" not in str(caught.value)
    with pytest.raises(JournalUnavailable):
        Journal.open("postgresql://127.0.0.1:1/db?connect_timeout=1")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://localhost/db?nonsense=1",
        "postgresql://localhost/db?schema=",
        f"postgresql://localhost/db?schema={'x' * 64}",
        "postgresql://[::1/db",
        "mysql://localhost/db",
    ],
)
def test_an_address_that_makes_no_sense(url: str) -> None:
    with pytest.raises(InvalidArgument, match="url"):
        Journal.open(url)


def test_a_missing_journal_is_not_made_unless_asked(postgres_url: str) -> None:
    with pytest.raises(JournalNotFound):
        Journal.open(postgres_url, create=False)
    with pytest.raises(JournalNotFound):
        Journal.open(postgres_url, read_only=True)
    Journal.open(postgres_url).close()
    Journal.open(postgres_url, create=False).close()


def test_a_schema_of_something_else_is_left_alone(postgres_url: str, postgres: Server) -> None:
    schema = schema_of(postgres_url)
    with postgres.connect() as connection:
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
        connection.execute(SQL("CREATE TABLE {} (x integer)").format(Identifier(schema, "stored_events")))
        with pytest.raises(NotAJournal, match="stored_events"):
            Journal.open(postgres_url)


def test_a_journal_of_a_newer_schema_is_refused(postgres_url: str, postgres: Server) -> None:
    Journal.open(postgres_url).close()
    with postgres.connect() as connection:
        connection.execute(
            SQL("UPDATE {} SET schema_version=99").format(Identifier(schema_of(postgres_url), "muniment_journal"))
        )
    with pytest.raises(NewerSchema) as caught:
        Journal.open(postgres_url)
    assert (caught.value.found, caught.value.supported) == (99, FORMAT)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("postgres://me:sec%2Fret@host:5433/db?schema=x%20y", "postgresql://me:***@host:5433/db?schema=x%20y"),
        (
            "postgresql://me@host/db?password=secret&sslpassword=secret&sslmode=require",
            "postgresql://me@host/db?password=***&sslpassword=***&sslmode=require",
        ),
        ("postgresql:///db?host=/tmp&schema=muniment", "postgresql:///db?host=/tmp"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    address = parse(url)
    assert str(address) == address.url == shown
    assert "secret" not in repr(address)


def test_an_address_reaches_the_client_library_as_it_was_given() -> None:
    address = parse("postgresql://me:a%20b@host:5433/db?password=a+b&schema=x%20y&sslmode=require")
    assert address.server == "postgresql://me:a%20b@host:5433/db?password=a+b&sslmode=require"
    assert address.schema == "x y"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u:secret@h/db",
        "Postgresql://u:secret@h/db",
        "postgresql://u:sec/ret@h/db",
        "postgresql://u:sec?ret@h/db",
        "postgresql://u:sec#ret@h/db",
        "postgresql://u:sec%zzret@h/db",
        "mysql://u:secret@h/db",
    ],
)
def test_an_address_that_cannot_be_read_is_not_shown(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Journal.open(url)
    assert "sec" not in str(caught.value)
    assert "ret" not in str(caught.value)


def test_a_long_wait_in_a_rebuild_or_an_import_is_not_cut_off(
    postgres_url: str, another_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.journal.postgres.storage.IDLE_TIMEOUT_S", 0.6)
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s-1")
        lines = list(journal.export())
        assert journal.replay(lambda *_: time.sleep(0.9)).differences == {}

    def slowly() -> Iterator[bytes]:
        for line in lines:
            time.sleep(0.9)
            yield line

    with Journal.open(another_postgres_url) as copy:
        assert copy.import_export(slowly()) == 1
        assert copy.head() == 1


def test_names_that_no_server_holds(postgres_url: str) -> None:
    with Journal.open(postgres_url) as journal:
        with pytest.raises(InvalidArgument):
            journal.read_state("session-a\0", lambda state: state)
        assert ("s-1", True) not in journal.witnesses


def test_without_the_extra_the_error_says_what_to_install() -> None:
    program = """
import sys
sys.modules["psycopg"] = None
from muniment.domain import InvalidArgument
from muniment.journal import Journal
try:
    Journal.open("postgresql://localhost/db")
except InvalidArgument as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'muniment[postgres]'" in run.stdout


def test_a_server_set_to_forget_commits_is_told_not_to(postgres_url: str, postgres: Server) -> None:
    with postgres.connect() as connection:
        connection.execute("ALTER ROLE CURRENT_USER SET synchronous_commit = off")
        connection.execute("ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'serializable'")
        try:
            for synchronous, setting in (("FULL", "on"), ("NORMAL", "off")):
                with Journal.open(postgres_url, synchronous=synchronous) as journal:
                    fetch = journal.application.recorder.fetch
                    assert fetch("SHOW synchronous_commit", []) == [(setting,)]
                    assert fetch("SHOW default_transaction_isolation", []) == [("read committed",)]
        finally:
            connection.execute("ALTER ROLE CURRENT_USER RESET synchronous_commit")
            connection.execute("ALTER ROLE CURRENT_USER RESET default_transaction_isolation")


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that a test may kill."""
    with Server() as server:
        yield server


def open_after_a_fall(journal: Journal) -> None:
    """The connections from before are dead; the first command finds that out at most."""
    try:
        journal.sessions.open("after")
    except JournalUnavailable:
        journal.sessions.open("after")


@pytest.mark.parametrize("threads", [1, 8])
def test_a_server_killed_in_a_loop_loses_nothing_acknowledged(own_server: Server, tmp_path: Path, threads: int) -> None:
    url = own_server.url("journal")
    output = tmp_path / "acknowledged"
    with Journal.open(url) as journal, output.open("w") as sink:
        command = [sys.executable, "-c", STUBBORN_WRITER, url, str(threads)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sink, text=True) as writer:
            for _ in range(3):
                goal = output.stat().st_size + 1_000
                deadline = time.monotonic() + 60
                while output.stat().st_size < goal:
                    assert writer.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                own_server.kill()
                own_server.restart()
            writer.communicate("\n")
        acknowledged = Counter(output.read_text().split("\n")[:-1])
        assert acknowledged.total() > 200
        open_after_a_fall(journal)
        recorded = Counter(record.stream.removeprefix("session-") for record in journal.read())
        assert acknowledged - recorded == Counter()
        assert recorded["after"] == 1
        assert rows(journal) == list(range(1, journal.head() + 1))
        assert journal.verify().findings == ()


def test_projecting_outlives_a_restart_and_following_is_taken_up_again(own_server: Server) -> None:
    url = own_server.url("journal")
    with Journal.open(url) as journal, journal.project() as projecting:
        seen: list[str] = []

        def follow() -> None:
            after = 0
            while len(seen) < 2:
                # Who follows goes on where it stood, as after any error.
                with suppress(JournalUnavailable), journal.follow(after) as following:
                    for record in following:
                        seen.append(record.stream)
                        after = record.position
                        if len(seen) == 2:
                            return

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        journal.sessions.open("before")
        deadline = time.monotonic() + 60
        while not seen:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        own_server.kill()
        own_server.restart()
        open_after_a_fall(journal)
        follower.join(60)
        assert not follower.is_alive()
        deadline = time.monotonic() + 60
        assert seen == ["session-before", "session-after"]
        while projecting.lag or projecting.error:
            assert time.monotonic() < deadline
            time.sleep(0.01)
