"""What verify finds in a schema that somebody changed, and what it leaves alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from muniment.domain import JournalDamaged, JournalUnavailable, MunimentError, NotAJournal
from muniment.journal import Journal
from psycopg.sql import SQL, Identifier

from ..postgres_server import Server

EDITS = {
    "a trigger that is gone": ("DROP TRIGGER refuse_change ON {events}", "refuse_change is missing"),
    "a trigger that is disabled": ("ALTER TABLE {events} DISABLE TRIGGER refuse_truncate", "disabled"),
    "a trigger for replicas": ("ALTER TABLE {events} ENABLE REPLICA TRIGGER refuse_change", "on replicas only"),
    "a trigger that is always on": ("ALTER TABLE {events} ENABLE ALWAYS TRIGGER refuse_change", "enabled always"),
    "every trigger disabled": ("ALTER TABLE {identity} DISABLE TRIGGER ALL", "disabled"),
    "a trigger that refuses less": (
        "CREATE OR REPLACE TRIGGER refuse_change BEFORE DELETE ON {events} EXECUTE FUNCTION {refuse}()",
        "trigger refuse_change",
    ),
    "a trigger on a condition": (
        "DROP TRIGGER refuse_change ON {events}; CREATE TRIGGER refuse_change BEFORE UPDATE OF topic OR DELETE "
        "ON {events} EXECUTE FUNCTION {refuse}()",
        "on a condition",
    ),
    "a trigger that calls another function": (
        "CREATE FUNCTION {lax}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {events} EXECUTE FUNCTION {lax}()",
        "lax",
    ),
    "a function that refuses nothing": (
        "CREATE OR REPLACE FUNCTION {refuse}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "stored_events_refuse_change: the function()",
    ),
    "a function that appends nothing": (
        "CREATE OR REPLACE FUNCTION {append}(ids text[], versions bigint[], topics text[], states bytea[]) "
        "RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
        "stored_events_append",
    ),
    "a function that runs as its owner": (
        "ALTER FUNCTION {append}(text[], bigint[], text[], bytea[]) SECURITY DEFINER",
        "in another way",
    ),
    "a second function of the name": (
        "CREATE FUNCTION {append}(text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        "function(text) is not Muniment's",
    ),
    "a further trigger": (
        "CREATE TRIGGER host BEFORE DELETE ON {events} EXECUTE FUNCTION {refuse}()",
        "trigger host is not Muniment's",
    ),
    "a trigger on a table made from the events": (
        "CREATE FUNCTION {lax}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER host BEFORE INSERT ON {owners} FOR EACH ROW EXECUTE FUNCTION {lax}()",
        "trigger host is not Muniment's",
    ),
    "a rule": ("CREATE RULE host AS ON DELETE TO {events} DO INSTEAD NOTHING", "rule host"),
    "row level security": ("ALTER TABLE {events} ENABLE ROW LEVEL SECURITY", "row level security"),
    "a policy": ("CREATE POLICY host ON {events} USING (true)", "policy host"),
    "no unique position": (
        "ALTER TABLE {events} DROP CONSTRAINT stored_events_notification_id_key",
        "constraint UNIQUE (notification_id) is missing",
    ),
    "no primary key": ("ALTER TABLE {events} DROP CONSTRAINT stored_events_pkey", "is missing"),
    "a column that may be empty": ("ALTER TABLE {events} ALTER state DROP NOT NULL", "column state"),
    "a column of another type": ("ALTER TABLE {events} ALTER topic TYPE varchar(50)", "character varying(50)"),
    "a column with a default": ("ALTER TABLE {events} ALTER topic SET DEFAULT 'x'", "a value of its own"),
    "a further column": ("ALTER TABLE {events} ADD x integer", "column x is not Muniment's"),
    "a further index": ("CREATE INDEX ON {events} (topic)", "index on topic is not Muniment's"),
    "an index of a table that is gone": ("DROP INDEX {index}", "is missing"),
    "a check": ("ALTER TABLE {events} ADD CHECK (notification_id < 10)", "constraint CHECK"),
    "a foreign key on the events": (
        "CREATE TABLE {host} (x bigint REFERENCES {events} (notification_id))",
        "foreign key of",
    ),
    "a foreign key of the events": (
        "CREATE TABLE {host} (x bigint PRIMARY KEY);"
        "ALTER TABLE {events} ADD FOREIGN KEY (notification_id) REFERENCES {host} NOT VALID",
        "FOREIGN KEY",
    ),
    "a child": ("CREATE TABLE {host} () INHERITS ({events})", "child"),
    "a parent": (
        "CREATE TABLE {host} (topic text NOT NULL); ALTER TABLE {events} INHERIT {host}",
        "parent",
    ),
    "no crash safety": ("ALTER TABLE {tracking} SET UNLOGGED", "whose rows a crash loses"),
    "a lower version": ("UPDATE {version} SET schema_version = 1", "format"),
}

MADE_FROM_EVENTS = ("{owners}", "{index}", "{tracking}")
"""Tables that are there once the first of them was read."""


def edit(server: Server, url: str, statements: str) -> None:
    schema = url.rpartition("schema=")[2]
    names = {
        "events": "stored_events",
        "identity": "journal",
        "version": "muniment_journal",
        "tracking": "tracking",
        "refuse": "stored_events_refuse_change",
        "append": "stored_events_append",
        "lax": "lax",
        "host": "host",
        "seen": "seen",
        "owners": "projection_owners_v1_2",
        "index": "projection_owners_v1_2_now",
    }
    with server.connect() as connection:
        connection.execute(SQL(statements).format(**{key: Identifier(schema, name) for key, name in names.items()}))


@pytest.mark.parametrize("name", EDITS)
def test_what_is_not_as_muniment_made_it_is_found(postgres_url: str, postgres: Server, name: str) -> None:
    statements, said = EDITS[name]
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s")
        if any(name in statements for name in MADE_FROM_EVENTS):
            assert len(journal.owners) == 1
        assert journal.verify().findings == ()
        edit(postgres, postgres_url, statements)
        findings = [finding.problem for finding in journal.verify().findings if finding.layer == "storage"]
        assert any(said in problem for problem in findings), findings


def test_tables_that_were_rebuilt_read_as_they_should(postgres_url: str) -> None:
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s")
        journal.replay()
        assert journal.verify().findings == ()


def test_what_a_host_keeps_beside_a_journal_is_no_finding(postgres_url: str, postgres: Server) -> None:
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s")
        edit(
            postgres,
            postgres_url,
            "CREATE TABLE {host} (x bigint PRIMARY KEY, y bigint REFERENCES {host});"
            "CREATE INDEX ON {host} (y);"
            "CREATE FUNCTION {lax}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TRIGGER host BEFORE INSERT ON {host} FOR EACH ROW EXECUTE FUNCTION {lax}();"
            "CREATE VIEW {seen} AS SELECT * FROM {events}",
        )
        assert journal.verify().findings == ()
    with Journal.open(postgres_url) as journal:
        assert len(journal.owners) == 1


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            "ALTER TABLE {events} RENAME TO host; CREATE VIEW {events} AS WITH RECURSIVE forever(n) AS "
            "(SELECT 1::bigint UNION ALL SELECT n + 1 FROM forever) SELECT n AS notification_id, 'session-s' AS "
            "originator_id, n AS originator_version, 'x' AS topic, ''::bytea AS state FROM forever",
            "stored_events is a view",
        ),
        ("DROP TABLE {events}", "stored_events is missing"),
        ("ALTER TABLE {events} SET UNLOGGED", "a crash loses"),
        ("DROP TABLE {version}; CREATE VIEW {version} AS SELECT 2 AS schema_version", "muniment_journal is a view"),
        ("DELETE FROM {version}", "must hold one row"),
        ("INSERT INTO {version} VALUES (2)", "must hold one row"),
        (
            "ALTER TABLE {version} ALTER schema_version DROP NOT NULL; UPDATE {version} SET schema_version = NULL",
            "one row",
        ),
        ("ALTER TABLE {version} RENAME schema_version TO x", "schema_version"),
        (
            "DROP TABLE {identity}; CREATE MATERIALIZED VIEW {identity} AS SELECT 1 AS number",
            "journal is a materialized",
        ),
        ("DROP TABLE {owners}; CREATE VIEW {owners} AS SELECT 1 AS x", "projection_owners_v1_2 is a view"),
    ],
)
def test_a_schema_that_is_no_journal_any_more_is_not_opened(
    postgres_url: str, postgres: Server, statements: str, said: str
) -> None:
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s")
        if any(name in statements for name in MADE_FROM_EVENTS):
            assert len(journal.owners) == 1
    edit(postgres, postgres_url, statements)
    for read_only in (False, True):
        with pytest.raises(JournalDamaged, match=said):
            Journal.open(postgres_url, read_only=read_only)


def test_a_view_under_a_name_that_a_journal_needs_keeps_it_from_being_made(postgres_url: str, postgres: Server) -> None:
    with postgres.connect() as connection:
        schema = postgres_url.rpartition("schema=")[2]
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
        connection.execute(SQL("CREATE VIEW {} AS SELECT 1 AS x").format(Identifier(schema, "journal")))
    with pytest.raises(NotAJournal, match="a view 'journal'"):
        Journal.open(postgres_url)


@pytest.mark.parametrize(
    "values",
    [
        "2, 'session-s', 2, 'SessionClosed', convert_to(repeat('x', 20000000), 'UTF8')",
        "2, repeat('x', 20000000), 1, 'SessionClosed', ''",
        "2, 'session-s', 2, repeat('x', 20000000), ''",
        "2, 'session-s', -5, 'SessionClosed', ''",
        "-2, 'session-s', 2, 'SessionClosed', ''",
        "9223372036854775807, 'session-s', 2, 'SessionClosed', ''",
        "2, NULL, 2, 'SessionClosed', ''",
        "NULL, 'session-s', 2, 'SessionClosed', ''",
        "2, 'session-s', NULL, 'SessionClosed', ''",
        "2, 'session-s', 2, NULL, ''",
        "2, 'session-s', 2, 'SessionClosed', NULL",
        "1, 'session-s', 2, 'SessionClosed', ''",
        "2, '', 2, '', ''",
    ],
)
def test_rows_that_no_journal_wrote_end_in_errors_of_ours(postgres_url: str, postgres: Server, values: str) -> None:
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s")
        edit(
            postgres,
            postgres_url,
            "ALTER TABLE {events} DROP CONSTRAINT stored_events_pkey;"
            "ALTER TABLE {events} DROP CONSTRAINT stored_events_notification_id_key;"
            "ALTER TABLE {events} ALTER originator_id DROP NOT NULL, ALTER notification_id DROP NOT NULL, "
            "ALTER originator_version DROP NOT NULL, ALTER topic DROP NOT NULL, ALTER state DROP NOT NULL;"
            f"INSERT INTO {{events}} VALUES ({values})",
        )
    with Journal.open(postgres_url) as journal:
        assert any("is missing" in finding.problem for finding in journal.verify().findings)
        asks: list[Callable[[], Any]] = [
            lambda: list(journal.read()),
            lambda: list(journal.read_stream("session-s")),
            lambda: journal.owners["s"],
            lambda: journal.sessions.claim("s", "a"),
            lambda: list(journal.export()),
            journal.replay,
        ]
        for ask in asks:
            # Anything else that is raised fails the test.
            with suppress(MunimentError):
                ask()


def test_pages_are_bounded_in_bytes(postgres_url: str, postgres: Server) -> None:
    with Journal.open(postgres_url) as journal:
        edit(
            postgres,
            postgres_url,
            "INSERT INTO {events} SELECT n, 'session-s', n, 'x', convert_to(repeat('x', 7000000), 'UTF8') "
            "FROM generate_series(1, 8) AS n; INSERT INTO {events} VALUES (9, 'session-s', 9, 'x', '')",
        )
        pages = list(journal.application.recorder.pages())
        assert [row[0] for page in pages for row in page] == list(range(1, 10))
        assert max(sum(len(row[4]) for row in page) for page in pages) < 24_000_000


def test_an_older_journal_gets_the_functions_of_this_muniment_when_it_is_opened_for_writing(
    postgres_url: str, postgres: Server
) -> None:
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s")
    edit(
        postgres,
        postgres_url,
        "DROP TABLE {identity}; UPDATE {version} SET schema_version = 1;"
        "CREATE OR REPLACE FUNCTION {append}(ids text[], versions bigint[], topics text[], states bytea[]) "
        "RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
    )
    with Journal.open(postgres_url, read_only=True) as journal:
        assert journal.verify().findings == ()
    with Journal.open(postgres_url) as journal:
        assert journal.verify().findings == ()
        journal.sessions.claim("s", "a")
        assert [record.position for record in journal.read()] == [1, 2]


@pytest.fixture
def role(postgres: Server) -> Iterator[str]:
    """A role that may do nothing yet."""
    name = f"role_{os.getpid()}"
    with postgres.connect() as connection:
        connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(name)))
        yield name
        connection.execute(SQL("DROP OWNED BY {} CASCADE").format(Identifier(name)))
        connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))


def test_who_owns_an_empty_schema_may_make_a_journal_there(postgres_url: str, postgres: Server, role: str) -> None:
    url, schema = postgres.as_role(postgres_url, role), postgres_url.rpartition("schema=")[2]
    with pytest.raises(JournalUnavailable, match="permission denied"):
        Journal.open(url)
    with postgres.connect() as connection:
        connection.execute(SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(Identifier(schema), Identifier(role)))
    with Journal.open(url) as journal:
        journal.sessions.open("s")
        assert journal.verify().findings == ()


def test_who_may_only_read_reads_and_verifies(postgres_url: str, postgres: Server, role: str) -> None:
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s")
        assert len(journal.owners) == 1
    schema = Identifier(postgres_url.rpartition("schema=")[2])
    with postgres.connect() as connection:
        for grant in ("USAGE ON SCHEMA {}", "SELECT ON ALL TABLES IN SCHEMA {}"):
            connection.execute(SQL(f"GRANT {grant} TO {{}}").format(schema, Identifier(role)))
    url = postgres.as_role(postgres_url, role)
    with Journal.open(url, read_only=True) as journal:
        assert "s" in journal.owners
        assert journal.verify().findings == ()
    with Journal.open(url) as journal, pytest.raises(JournalUnavailable, match="permission denied"):
        journal.sessions.open("t")
