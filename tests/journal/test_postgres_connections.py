"""Connections to a PostgreSQL server: dead ones, silent ones, closed ones, and servers that cannot hold a journal."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import JournalClosed, JournalUnavailable, NotStored, UnsuitableServer
from muniment.journal import AsyncJournal, Journal
from psycopg.sql import SQL, Identifier

from ..postgres_server import Server
from .processes import FORKS_ARE_MEANT


def schema_of(url: str) -> str:
    return url.rpartition("schema=")[2]


def named(url: str) -> str:
    """The address under which the server shows the journal's connections by the name of its schema."""
    return f"{url}&application_name={schema_of(url)}"


def end_connections(server: Server, url: str) -> int:
    with server.connect() as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = %s",
            [schema_of(url)],
        ).fetchall()
    return len(ended)


def test_idle_connections_that_the_server_ended_cost_nothing(postgres_url: str, postgres: Server) -> None:
    with Journal.open(named(postgres_url)) as journal:
        journal.sessions.open("s")
        # Several are idle: those that read and write at once.
        together = threading.Barrier(4)

        def read() -> None:
            together.wait(30)
            assert len(list(journal.read())) == 1

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(30)
        for ask in (
            lambda: journal.sessions.claim("s", "a"),
            journal.head,
            lambda: journal.owners["s"].owner,
            lambda: list(journal.read()),
            lambda: journal.verify().findings,
            lambda: journal.conversations.create("c", "alice", now=0),
        ):
            assert end_connections(postgres, postgres_url) >= 1
            ask()
        assert journal.head() == len(list(journal.read()))


def test_followers_and_tables_outlive_connections_that_the_server_ended(postgres_url: str, postgres: Server) -> None:
    with Journal.open(named(postgres_url)) as journal, journal.project() as projecting, journal.follow() as following:
        journal.sessions.open("before")
        assert next(following).stream == "session-before"
        end_connections(postgres, postgres_url)
        journal.sessions.open("after")
        assert next(following).stream == "session-after"
        end_connections(postgres, postgres_url)
        journal.sessions.claim("after", "a")
        deadline = time.monotonic() + 30
        while projecting.lag or projecting.error:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert journal.owners["after"].owner == "a"


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_an_encoding_that_cannot_hold_every_text_is_refused(postgres: Server, encoding: str) -> None:
    name = f"encoding_{encoding.lower()}_{os.getpid()}"
    with postgres.connect() as connection:
        connection.execute(
            SQL("CREATE DATABASE {} ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0").format(
                Identifier(name), encoding
            )
        )
        try:
            with pytest.raises(UnsuitableServer, match=f"{encoding}.*ENCODING 'UTF8'"):
                Journal.open(postgres.in_database(name))
        finally:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def test_the_encoding_of_the_environment_changes_nothing(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s-ü-Ω-🜚")
        assert [record.stream for record in journal.read()] == ["session-s-ü-Ω-🜚"]
    with Journal.open(f"{postgres_url}&client_encoding=SQL_ASCII") as journal:
        assert "s-ü-Ω-🜚" in journal.owners


@pytest.mark.parametrize(
    "swallow",
    [
        "CREATE TRIGGER hostile BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {drops}()",
        "CREATE TRIGGER hostile BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {rewrites}()",
        "CREATE TRIGGER hostile BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {moves}()",
        "CREATE TRIGGER hostile AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {adds}()",
        "CREATE CONSTRAINT TRIGGER hostile AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION {deletes}()",
        "CREATE RULE hostile AS ON INSERT TO {table} DO INSTEAD NOTHING",
        "CREATE RULE hostile AS ON INSERT TO {table} WHERE NEW.originator_version > 1 DO INSTEAD NOTHING",
        "CREATE RULE hostile AS ON INSERT TO {table} DO ALSO DELETE FROM {table} "
        "WHERE notification_id = NEW.notification_id",
    ],
)
def test_what_a_trigger_or_rule_drops_or_changes_is_not_acknowledged(
    postgres_url: str, postgres: Server, swallow: str
) -> None:
    bodies = {
        "drops": "RETURN NULL",
        "rewrites": "NEW.state = NEW.state || ' '::bytea; RETURN NEW",
        "moves": "NEW.notification_id = NEW.notification_id + 1; RETURN NEW",
        "adds": "IF NEW.originator_id <> 'forged' THEN INSERT INTO {table} VALUES "
        "(NEW.notification_id + 1, 'forged', NEW.notification_id, 'x', ''); END IF; RETURN NULL",
        "deletes": "DELETE FROM {table} WHERE notification_id = NEW.notification_id; RETURN NULL",
    }
    schema = schema_of(postgres_url)
    names = {name: Identifier(schema, f"hostile_{name}") for name in bodies}
    names["table"] = Identifier(schema, "stored_events")
    with Journal.open(postgres_url) as journal, postgres.connect() as connection:
        journal.sessions.open("s")
        before = list(journal.read())
        for name, body in bodies.items():
            body = body.replace("{table}", names["table"].as_string())
            connection.execute(
                SQL("CREATE FUNCTION {} () RETURNS trigger LANGUAGE plpgsql AS {}").format(
                    names[name], f"BEGIN {body}; END"
                )
            )
        connection.execute(SQL("ALTER TABLE {table} DISABLE TRIGGER refuse_change").format(**names))
        connection.execute(SQL(swallow).format(**names))
        for command in (
            lambda: journal.sessions.claim("s", "a"),
            lambda: journal.rollback("session-s", 0),
        ):
            with pytest.raises((NotStored, JournalUnavailable)):
                command()
        assert list(journal.read()) == before
        assert any("hostile" in finding.problem for finding in journal.verify().findings)


def start(work: Callable[[], object], ends: dict[str, BaseException | None], name: str) -> threading.Thread:
    """Do some work in a thread, and write down how it ended."""

    def run() -> None:
        try:
            work()
        except BaseException as error:
            ends[name] = error
        else:
            ends[name] = None

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def busy(server: Server, url: str) -> int:
    """How many of the journal's connections are in the middle of something."""
    with server.connect() as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state <> 'idle'", [schema_of(url)]
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_closing_ends_what_waits_for_a_lock(postgres_url: str, postgres: Server) -> None:
    journal = Journal.open(named(postgres_url), lock_timeout_s=120)
    recorder: Any = journal.application.recorder
    statement, key = recorder.append_lock()
    ends: dict[str, BaseException | None] = {}
    with postgres.connect() as connection, connection.transaction():
        connection.execute(statement, [key])
        threads = [start(partial(journal.sessions.open, name), ends, name) for name in ("a", "b", "c")]
        deadline = time.monotonic() + 30
        while not busy(postgres, postgres_url):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began = time.monotonic()
        journal.close()
        for thread in threads:
            thread.join(30)
        assert time.monotonic() - began < 20
        assert {name: type(error) for name, error in ends.items()} == dict.fromkeys("abc", JournalClosed)
        # The server does not go on with it either.
        assert busy(postgres, postgres_url) == 0
    with Journal.open(postgres_url) as again:
        assert again.head() == 0


def test_closing_an_async_journal_ends_what_waits_for_a_lock(postgres_url: str, postgres: Server) -> None:
    async def close_in_the_middle() -> list[object]:
        journal = await AsyncJournal.open(postgres_url, lock_timeout_s=120)
        statement, key = await journal.run(lambda one: one.application.recorder.append_lock())  # type: ignore[attr-defined]
        with postgres.connect() as connection, connection.transaction():
            connection.execute(statement, [key])
            tasks = [asyncio.create_task(journal.sessions.open(name)) for name in ("a", "b", "c")]
            await asyncio.sleep(0.3)
            await asyncio.wait_for(journal.close(), 30)
            return list(await asyncio.gather(*tasks, return_exceptions=True))

    ends = asyncio.run(close_in_the_middle())
    assert [type(end) for end in ends] == [JournalClosed] * 3
    with Journal.open(postgres_url) as again:
        assert again.head() == 0


def test_closing_ends_a_transaction_that_nobody_goes_on_with(postgres_url: str, another_postgres_url: str) -> None:
    with Journal.open(another_postgres_url) as source:
        source.sessions.open("s")
        lines = list(source.export())
    journal = Journal.open(postgres_url)
    inside, over = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield lines[0]
        inside.set()
        over.wait(60)
        yield from lines[1:]

    ends: dict[str, BaseException | None] = {}
    thread = start(lambda: journal.import_export(slowly()), ends, "import")
    assert inside.wait(30)
    journal.close()
    # What it had locked is free at once, though the import has not noticed yet.
    with Journal.open(postgres_url, lock_timeout_s=1) as again:
        again.sessions.open("other")
        over.set()
        thread.join(30)
        assert isinstance(ends["import"], JournalClosed)
        assert [record.stream for record in again.read()] == ["session-other"]


def test_closing_takes_seconds_whatever_else_runs_and_loses_nothing_acknowledged(
    postgres_url: str, tmp_path: Path
) -> None:
    journal = Journal.open(postgres_url, synchronous="NORMAL")
    acknowledged: list[str] = []

    def write(name: int) -> None:
        for number in count():
            journal.sessions.open(f"{name}-{number}")
            acknowledged.append(f"session-{name}-{number}")

    def follow() -> None:
        with journal.follow() as following:
            for _ in following:
                pass

    def replay() -> None:
        while True:
            journal.replay()

    def back_up() -> None:
        for number in count():
            journal.backup(tmp_path / f"{number}.db")

    ends: dict[str, BaseException | None] = {}
    threads = [start(partial(write, name), ends, f"writer {name}") for name in range(8)]
    threads += [start(follow, ends, f"follower {name}") for name in range(2)]
    threads += [start(replay, ends, "replay"), start(back_up, ends, "backup")]
    journal.project()
    deadline = time.monotonic() + 60
    while len(acknowledged) < 1_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    journal.close()
    assert time.monotonic() - began < 20
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert all(error is None or isinstance(error, JournalClosed) for error in ends.values()), ends
    with Journal.open(postgres_url) as again:
        assert set(acknowledged) <= {record.stream for record in again.read()}
        assert again.verify().findings == ()


CHILD_ENDS = {
    "leaves at once": "os._exit(0)",
    "collects its garbage and ends as programs do": "del journal; gc.collect(); sys.exit(0)",
    "closes what it inherited": "journal.close(); sys.exit(0)",
    "leaves the block of a transaction": "ask(blocks.close); sys.exit(0)",
    "asks": "ask(); sys.exit(0)",
}

FORKING = """
import contextlib, gc, os, sys, threading
from muniment.domain import JournalForked
from muniment.journal import Journal

journal = Journal.open(sys.argv[1])
journal.sessions.open("s")
datastore = journal.application.recorder.datastore
assert len(journal.owners) == 1

def ask(*calls):
    for call in calls or (journal.head, lambda: journal.sessions.claim("s", "child"), lambda: list(journal.read())):
        try:
            call()
        except JournalForked:
            continue
        sys.exit(3)

with journal.follow() as following, contextlib.ExitStack() as blocks:
    assert next(following).stream == "session-s"
    cursor = blocks.enter_context(datastore.transaction(commit=True))
    cursor.execute("CREATE TABLE in_the_block (x integer)")
    child = os.fork()
    if child == 0:
        {ends}
    assert os.waitpid(child, 0)[1] == 0
    # Of what the parent has, nothing was touched.
    cursor.execute("INSERT INTO in_the_block VALUES (1)")
    blocks.close()
    assert journal.application.recorder.fetch("SELECT x FROM in_the_block", []) == [(1,)]
    journal.sessions.claim("s", "parent")
    assert next(following).stream == "session-s"
assert journal.owners["s"].owner == "parent"
journal.close()
"""


@pytest.mark.parametrize("ends", CHILD_ENDS)
def test_a_forked_child_leaves_the_connections_of_its_parent_alone(postgres_url: str, ends: str) -> None:
    program = FORKING.replace("{ends}", CHILD_ENDS[ends])
    run = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-W", FORKS_ARE_MEANT, "-c", program, postgres_url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
