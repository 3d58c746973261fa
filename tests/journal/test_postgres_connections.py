"""Connections to a PostgreSQL server: dead ones, silent ones, closed ones, and servers that cannot hold a journal."""

from __future__ import annotations

import os
import threading
import time

import pytest
from muniment.domain import (
    JournalUnavailable,
    NotStored,
    UnsuitableServer,
)
from muniment.journal import Journal
from psycopg.sql import SQL, Identifier

from ..postgres_server import Server


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
