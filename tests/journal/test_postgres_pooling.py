"""A journal behind a connection pool, where each transaction may have another connection of the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from muniment.domain import InvalidArgument, JournalReadOnly, JournalUnavailable, UnsuitableServer
from muniment.journal import Journal
from muniment.journal.postgres.address import parse

from ..postgres_server import Server
from .pooler import Pooler


@pytest.fixture
def pooler(postgres: Server) -> Iterator[Pooler]:
    with Pooler(postgres) as running:
        yield running


def schema_of(url: str) -> str:
    return url.rpartition("schema=")[2]


def test_a_pool_is_refused_unless_it_is_named(postgres_url: str, pooler: Pooler) -> None:
    with pytest.raises(UnsuitableServer, match="pooling=transaction"):
        Journal.open(pooler.url(schema_of(postgres_url)))
    with pytest.raises(InvalidArgument, match="session or transaction"):
        Journal.open(pooler.url(schema_of(postgres_url), "&pooling=statement"))


def test_an_address_keeps_the_pooling_from_the_client_library() -> None:
    address = parse("postgresql://me@host/db?pooling=transaction&sslmode=require")
    assert (address.server, address.pooling) == ("postgresql://me@host/db?sslmode=require", "transaction")
    assert str(address) == "postgresql://me@host/db?sslmode=require&pooling=transaction"


def test_a_pool_of_transactions_serves_two_journals_at_once(
    postgres_url: str, another_postgres_url: str, pooler: Pooler
) -> None:
    schemas = schema_of(postgres_url), schema_of(another_postgres_url)
    first, second = (Journal.open(pooler.url(schema, "&pooling=transaction")) for schema in schemas)
    with first, second, first.project(), second.follow() as following:

        def write(name: int) -> None:
            for number in range(3):
                for journal, letter in ((first, "f"), (second, "s")):
                    session = f"{letter}-{name}-{number}"
                    journal.sessions.open(session)
                    journal.sessions.claim(session, f"{letter}-agent")
                    assert journal.owners[session].owner == f"{letter}-agent"

        writers = [threading.Thread(target=write, args=(name,)) for name in range(3)]
        for writer in writers:
            writer.start()
        assert {next(following).stream.partition("-")[2][0] for _ in range(18)} == {"s"}
        for writer in writers:
            writer.join(60)
        for journal, letter in ((first, "f"), (second, "s")):
            assert journal.head() == 18
            assert {row.owner for row in journal.owners.values()} == {f"{letter}-agent"}
            journal.replay()
            assert journal.verify().findings == ()
    # What a pool gives to others has no setting of the journal's.
    with psycopg.connect(pooler.url("x").partition("?")[0], autocommit=True, prepare_threshold=None) as connection:
        for _ in range(10):
            assert connection.execute("SHOW search_path").fetchone() == ('"$user", public',)
            assert connection.execute("SHOW default_transaction_read_only").fetchone() == ("off",)


def test_settings_hold_behind_a_pool_of_transactions(postgres_url: str, postgres: Server, pooler: Pooler) -> None:
    url = pooler.url(schema_of(postgres_url), "&pooling=transaction")
    with Journal.open(url, lock_timeout_s=0.1) as journal:
        journal.sessions.open("s")
        settings = "current_setting('lock_timeout'), current_setting('transaction_isolation')"
        assert journal.application.recorder.fetch(f"SELECT {settings}", []) == [("100ms", "read committed")]
    with Journal.open(url, read_only=True) as journal:
        assert "s" in journal.owners
        with pytest.raises(JournalReadOnly):
            journal.sessions.open("t")


def test_a_server_that_falls_silent_is_waited_for_no_longer_than_stated(
    postgres_url: str, pooler: Pooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.journal.postgres.datastore.ANSWER_TIMEOUT_S", 0.5)
    monkeypatch.setattr("muniment.journal.postgres.connections.CANCEL_TIMEOUT_S", 0.5)
    url = pooler.url(schema_of(postgres_url), "&pooling=transaction&connect_timeout=2")
    with Journal.open(url, lock_timeout_s=0.1) as journal:
        journal.sessions.open("s")
        pooler.passes.clear()
        for ask in (lambda: journal.sessions.claim("s", "a"), journal.head):
            began = time.monotonic()
            with pytest.raises(JournalUnavailable, match=r"not answered|timeout"):
                ask()
            assert time.monotonic() - began < 30
        pooler.passes.set()
        assert journal.sessions.claim("s", "b").generation == 1
