"""Applications of the library on our recorders, and on the library's own as a control: what works there works here."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing import postgres as library_postgres, sqlite as library_sqlite
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import IntegrityError, OperationalError, PersistenceError, StoredEvent
from eventsourcing.tests import application as suites, projection as projections
from eventsourcing.utils import get_topic
from muniment.domain import NotForApplications
from muniment.journal import Journal
from muniment.journal.postgres import PostgresApplicationRecorder, PostgresFactory
from muniment.journal.postgres.datastore import PostgresDatastore
from muniment.journal.sqlite import SQLiteApplicationRecorder, SQLiteFactory
from muniment.journal.sqlite.datastore import SQLiteDatastore
from psycopg.sql import SQL, Identifier

from ..postgres_server import Server

Settings = dict[str, str]

MODULES = ["eventsourcing.sqlite", "muniment.journal.sqlite", "eventsourcing.postgres", "muniment.journal.postgres"]
OURS = ["muniment.journal.sqlite", "muniment.journal.postgres"]
_SCHEMAS = itertools.count(1)


@pytest.fixture
def module() -> str:
    """Overridden by parameters."""
    raise NotImplementedError


@pytest.fixture
def settings(module: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """What an application of the library is told to use a persistence module, each with an empty place."""
    if module.endswith(".sqlite"):
        yield {"PERSISTENCE_MODULE": module, "SQLITE_DBNAME": str(tmp_path / "application.db")}
        return
    server: Server = request.getfixturevalue("postgres")
    schema = f"application_{os.getpid()}_{next(_SCHEMAS)}"
    with server.connect() as connection:
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
    login = server.login()
    yield {
        "PERSISTENCE_MODULE": module,
        "POSTGRES_DBNAME": login["dbname"],
        "POSTGRES_HOST": login["host"],
        "POSTGRES_PORT": str(login["port"] or 5432),
        "POSTGRES_USER": login["user"],
        "POSTGRES_PASSWORD": login["password"] or "none",
        "POSTGRES_SCHEMA": schema,
    }
    server.drop(schema)


def on(*modules: str) -> pytest.MarkDecorator:
    marked = [pytest.param(each, marks=[pytest.mark.postgres] if "postgres" in each else []) for each in modules]
    return pytest.mark.parametrize("module", marked)


def run(case: type[Any], **attributes: Any) -> None:
    """Run every test of one of the library's test cases, with settings in its class or in the environment."""
    made = type(case.__name__, (case,), attributes)
    names = [name for name in dir(made) if name.startswith("test_")]
    assert names
    for name in names:
        test = made(name)
        test.setUp()
        try:
            getattr(test, name)()
        finally:
            test.tearDown()
            test.doCleanups()


@on(*MODULES)
def test_the_librarys_example_application(module: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    factory = {
        "eventsourcing.sqlite": library_sqlite.SQLiteFactory,
        "muniment.journal.sqlite": SQLiteFactory,
        "eventsourcing.postgres": library_postgres.PostgresFactory,
        "muniment.journal.postgres": PostgresFactory,
    }[module]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    run(suites.ExampleApplicationTestCase, expected_factory_topic=get_topic(factory))


# The library's own recorder for SQLite has no subscriptions.
@on("muniment.journal.sqlite", "eventsourcing.postgres", "muniment.journal.postgres")
def test_the_librarys_event_sourced_projection(module: str, settings: Settings, tmp_path: Path) -> None:
    # In one SQLite file, its own events would be its source.
    own = {"COUNTERS_SQLITE_DBNAME": str(tmp_path / "counters.db")}
    run(projections.EventSourcedProjectionTestCase, env={**settings, **own})


def event(topic: str = "t", version: int = 1, originator: Any = None) -> StoredEvent:
    return StoredEvent(originator or uuid4(), version, topic, b'{"a": 1}')


@on(*MODULES)
def test_what_is_selected_equals_what_was_inserted(module: str, settings: Settings) -> None:
    with Application[Any](settings) as application:
        mine = uuid4()
        stored = [event(version=version, originator=mine) for version in (1, 2, 3)]
        application.recorder.insert_events(stored)
        assert list(application.recorder.select_events(mine)) == stored
        assert list(application.recorder.select_events(mine, gt=1, desc=True, limit=1)) == stored[2:]
        with pytest.raises(IntegrityError):
            application.recorder.insert_events(stored[:1])


class IndexedSQLite(SQLiteApplicationRecorder):
    """Keeps an index beside the events, as the library's documents show it."""

    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), "CREATE TABLE words (word TEXT, version INTEGER)"]

    def _insert_events(self, c: Any, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Any:
        for each in stored_events:
            c.execute("INSERT INTO words VALUES (?, ?)", [kwargs.get("word", each.topic), each.originator_version])
        return super()._insert_events(c, stored_events, **kwargs)


class IndexedPostgres(PostgresApplicationRecorder):
    """The same on PostgreSQL."""

    def __init__(self, datastore: PostgresDatastore, **names: Any) -> None:
        super().__init__(datastore, **names)
        self.words = Identifier(datastore.schema, "words")
        self.sql_create_statements.append(SQL("CREATE TABLE {} (word text, version int)").format(self.words))

    def _insert_events(self, curs: Any, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        for each in stored_events:
            word = kwargs.get("word", each.topic)
            curs.execute(SQL("INSERT INTO {} VALUES (%s, %s)").format(self.words), [word, each.originator_version])
        super()._insert_events(curs, stored_events, **kwargs)


@on(*OURS)
def test_an_index_beside_the_events_is_kept_in_their_transaction(module: str, settings: Settings) -> None:
    is_sqlite = module.endswith("sqlite")
    base: Any = SQLiteFactory if is_sqlite else PostgresFactory
    indexed = IndexedSQLite if is_sqlite else IndexedPostgres

    class Indexing(base):  # type: ignore[misc]
        application_recorder_class = indexed

    factory = Indexing(Application(settings).env)
    recorder = factory.application_recorder()
    words = "words" if is_sqlite else f'"{settings["POSTGRES_SCHEMA"]}".words'
    recorder.insert_events([event("one"), event("two", 2)])
    recorder.insert_events([event("three", 3)], word="four")
    taken = event("five", 5)
    recorder.insert_events([taken])
    with pytest.raises(IntegrityError):
        recorder.insert_events([event("six", 6), taken])
    rows = recorder.fetch(f"SELECT word, version FROM {words} ORDER BY version", [])
    assert [tuple(row) for row in rows] == [("one", 1), ("two", 2), ("four", 3), ("five", 5)]
    factory.close()


@on("muniment.journal.sqlite")
def test_the_lock_timeout_of_sqlite_is_kept(module: str, settings: Settings) -> None:
    with Application[Any]({**settings, "SQLITE_LOCK_TIMEOUT": "0"}) as application:
        application.save(Aggregate())
        other = sqlite3.connect(settings["SQLITE_DBNAME"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError):
            application.save(Aggregate())
        other.close()
        application.save(Aggregate())


@on("muniment.journal.postgres")
def test_the_lock_timeout_of_postgresql_is_kept(module: str, settings: Settings, postgres: Server) -> None:
    with Application[Any]({**settings, "POSTGRES_LOCK_TIMEOUT": "1"}) as application, postgres.connect() as other:
        application.save(Aggregate())
        recorder: Any = application.recorder
        _, key = recorder.append_lock()
        other.execute(b"SELECT pg_advisory_lock(%s)", [key])
        with pytest.raises(PersistenceError, match="lock timeout"):
            application.save(Aggregate())
        other.execute(b"SELECT pg_advisory_unlock(%s)", [key])
        application.save(Aggregate())


POSTGRES_SETTINGS: dict[str, tuple[str, Any]] = {
    "POSTGRES_CONNECT_TIMEOUT": ("7", lambda made: made.pool.timeout == 7),
    "POSTGRES_CONN_MAX_AGE": ("77", lambda made: made.pool.max_lifetime == 77),
    "POSTGRES_PRE_PING": ("y", lambda made: made.pre_ping is True),
    "POSTGRES_MAX_WAITING": ("9", lambda made: made.pool.max_waiting == 9),
    "POSTGRES_POOL_SIZE": ("3", lambda made: made.pool.min_size == 3),
    "POSTGRES_MAX_OVERFLOW": ("4", lambda made: made.pool.max_size >= 4),
    "POSTGRES_IDLE_IN_TRANSACTION_SESSION_TIMEOUT": (
        "8",
        lambda made: made.fetch("SHOW idle_in_transaction_session_timeout", [])[0][0] == "8s",
    ),
    "ORIGINATOR_ID_TYPE": ("text", lambda made: made.originator_id_type == "text"),
    "SINGLE_ROW_TRACKING": ("n", lambda made: made.single_row_tracking is False),
}


@on("muniment.journal.postgres")
@pytest.mark.parametrize("name", POSTGRES_SETTINGS)
def test_a_setting_of_the_library_works(module: str, settings: Settings, name: str) -> None:
    value, holds = POSTGRES_SETTINGS[name]
    with Application[Any]({**settings, name: value}) as application:
        factory: Any = application.factory
        assert holds(factory.datastore)


@on("muniment.journal.postgres")
def test_a_setting_without_a_meaning_is_refused_by_name(module: str, settings: Settings) -> None:
    with pytest.raises(OSError, match="POSTGRES_ENABLE_DB_FUNCTIONS has no meaning"):
        Application[Any]({**settings, "POSTGRES_ENABLE_DB_FUNCTIONS": "y"})
    with pytest.raises(OSError, match="POSTGRES_LOCK_TIMEOUT"):
        Application[Any]({**settings, "POSTGRES_LOCK_TIMEOUT": "soon"})


def test_constructors_take_what_the_librarys_take(tmp_path: Path) -> None:
    pool: dict[str, Any] = {"pool_size": 2, "max_overflow": 1, "pool_timeout": 3.0, "max_age": 60.0, "pre_ping": True}
    database = SQLiteDatastore(str(tmp_path / "a.db"), lock_timeout=1, **pool)
    recorder = SQLiteApplicationRecorder(database, "events")
    recorder.create_table()
    recorder.insert_events([event()])
    database.close()
    with pytest.raises(TypeError, match="pool_sise"):
        SQLiteDatastore(str(tmp_path / "b.db"), pool_sise=2)


@on(*OURS)
def test_an_application_pointed_at_a_journal_is_refused_by_name(
    module: str, settings: Settings, request: pytest.FixtureRequest
) -> None:
    if module.endswith("sqlite"):
        url = f"sqlite:///{settings['SQLITE_DBNAME']}"
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.url(settings["POSTGRES_SCHEMA"])
    with Journal.open(url) as journal:
        journal.sessions.open("s")
    with pytest.raises(NotForApplications, match="a journal"):
        Application[Any](settings)
    with Journal.open(url) as journal:
        journal.sessions.claim("s", "alice")
        assert journal.owners["s"].owner == "alice"
        assert journal.verify().findings == ()


@pytest.mark.parametrize(
    ("module", "theirs"),
    [
        ("muniment.journal.sqlite", "eventsourcing.sqlite"),
        pytest.param("muniment.journal.postgres", "eventsourcing.postgres", marks=pytest.mark.postgres),
    ],
)
def test_a_database_of_the_librarys_own_module_is_refused_by_name(module: str, theirs: str, settings: Settings) -> None:
    with Application[Any]({**settings, "PERSISTENCE_MODULE": theirs}) as application:
        saved = Aggregate()
        application.save(saved)
    with pytest.raises(NotForApplications, match="_events was made by another persistence module"):
        Application[Any](settings)
    # It is what it was.
    with Application[Any]({**settings, "PERSISTENCE_MODULE": theirs}) as application:
        assert application.repository.get(saved.id).version == 1
        application.save(Aggregate())
        assert len(application.notification_log["1,10"].items) == 2


@on("muniment.journal.postgres")
def test_an_application_beside_one_of_the_librarys_own_module(module: str, settings: Settings) -> None:
    class Theirs(Application[Any]):
        name = "theirs"

    with Theirs({**settings, "PERSISTENCE_MODULE": "eventsourcing.postgres"}) as theirs:
        theirs.save(Aggregate())
        with Application[Any](settings) as ours:
            ours.save(Aggregate())
            assert [len(each.notification_log["1,10"].items) for each in (theirs, ours)] == [1, 1]


@on("muniment.journal.sqlite")
def test_the_librarys_own_module_writes_nothing_to_a_database_of_ours(module: str, settings: Settings) -> None:
    with Application[Any](settings) as application:
        application.save(Aggregate())
    theirs = {**settings, "PERSISTENCE_MODULE": "eventsourcing.sqlite"}
    with Application[Any](theirs) as application, pytest.raises(PersistenceError):
        application.save(Aggregate())
    with Application[Any](settings) as application:
        assert len(application.notification_log["1,10"].items) == 1


@on(*OURS)
def test_threads_of_an_application_share_transactions(module: str, settings: Settings) -> None:
    threads, saves = 16, 20
    transactions = itertools.count()
    base: Any = SQLiteFactory if module.endswith("sqlite") else PostgresFactory

    class Counting(base.application_recorder_class):  # type: ignore[misc]
        def insert_now(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Any:
            next(transactions)
            return super().insert_now(stored_events, **kwargs)

    class CountingFactory(base):  # type: ignore[misc]
        application_recorder_class = Counting

    application = Application[Any](settings)
    application.close()
    factory = CountingFactory(application.env)
    recorder = factory.application_recorder()
    positions: list[int] = []

    def save() -> None:
        for _ in range(saves):
            positions.extend(recorder.insert_events([event(), event()]))

    workers = [threading.Thread(target=save) for _ in range(threads)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
    # Each caller learns its own positions, and together they are all there are.
    assert sorted(positions) == list(range(1, 2 * threads * saves + 1))
    assert next(transactions) < threads * saves
    taken = event()
    recorder.insert_events([taken])
    with pytest.raises(IntegrityError):
        recorder.insert_events([taken])
    factory.close()
