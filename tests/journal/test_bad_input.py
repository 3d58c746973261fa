"""What bad input gets: a typed error that says which, and nothing written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import (
    FULL_SESSION,
    DamagedRecord,
    InvalidArgument,
    InvalidIdentifier,
    JournalLocked,
    JournalNotFound,
    JournalUnavailable,
    NewerSchema,
    NotAJournal,
    OwnershipCapability,
    OwnershipReceipt,
    RecordedEvent,
    SessionNotFound,
    UnknownEventType,
    UnknownPosition,
)
from muniment.journal import Journal
from muniment.journal.sqlite.recorder import SQLiteFactory
from muniment.journal.storage.identity_table import FORMAT

from ..domain.test_values import BAD_NAMES


def fingerprint(path: Path) -> dict[str, bytes]:
    """Every byte in the folder, by file."""
    return {each.name: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def refused(path: Path, error: type[Exception], **settings: Any) -> Any:
    """Opening fails, and no byte of the folder changes."""
    before = fingerprint(path)
    with pytest.raises(error) as caught:
        Journal.open(f"sqlite:///{path}", **settings)
    assert fingerprint(path) == before
    return caught.value


@pytest.mark.parametrize("content", [b"hello", b"x" * 100_000, b"SQLite format 3", b"\0"])
def test_a_file_that_is_not_a_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    error = refused(path, NotAJournal)
    assert error.path == str(path)


def test_a_file_that_only_begins_like_a_database(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"garbage" * 1_000)
    refused(path, NotAJournal)


def test_the_database_of_another_application(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE stored_events (x)")
    other.close()
    refused(path, NotAJournal)
    refused(path, NotAJournal, create=False)


def test_a_journal_of_a_newer_schema(path: Path) -> None:
    Journal.open(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    error = refused(path, NewerSchema)
    assert (error.found, error.supported) == (99, FORMAT)


def test_an_empty_file_becomes_a_journal_unless_it_must_be_one(path: Path) -> None:
    path.touch()
    refused(path, NotAJournal, create=False)
    with Journal.open(f"sqlite:///{path}") as journal:
        journal.sessions.open("s-1")


def test_an_empty_database_is_not_taken_for_a_journal(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    refused(path, NotAJournal, create=False)
    Journal.open(f"sqlite:///{path}").close()


def test_a_missing_journal_that_must_not_be_made(path: Path) -> None:
    refused(path, JournalNotFound, create=False)


@pytest.mark.parametrize("place", ["no/such/folder/journal.db", "."])
def test_a_place_that_cannot_hold_a_journal(tmp_path: Path, place: str) -> None:
    with pytest.raises(JournalUnavailable):
        Journal.open(f"sqlite:///{tmp_path / place}")


def test_a_folder_that_cannot_be_written() -> None:
    # Root may write anywhere but here.
    with pytest.raises(JournalUnavailable, match="unable to open"):
        Journal.open("sqlite:////proc/self/journal.db")


@pytest.mark.parametrize(
    "url", ["", "journal.db", "sqlite://", "sqlite:///", "sqlite://x", "mysql://x", "sqlite:///:memory:", "memory://x"]
)
def test_a_url_that_makes_no_sense(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"sqlite:///relative\.db"):
        Journal.open(url)


def test_settings_that_make_no_sense(path: Path) -> None:
    refused(path, InvalidArgument, synchronous="OFF")
    refused(path, InvalidArgument, lock_timeout_s=-1)


def test_a_locked_journal(path: Path) -> None:
    with Journal.open(f"sqlite:///{path}", lock_timeout_s=0.05) as journal:
        journal.sessions.open("s-1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalLocked) as caught:
            journal.sessions.open("s-2")
        assert caught.value.timeout_ms == 50
        assert caught.value.path == str(path)
        other.execute("ROLLBACK")
        other.close()
        journal.sessions.open("s-2")
        assert journal.head() == 2


def test_a_locked_file_cannot_be_made_a_journal(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    other.execute("CREATE TABLE t (x)")
    try:
        with pytest.raises(JournalLocked):
            Journal.open(f"sqlite:///{path}", lock_timeout_s=0.05)
    finally:
        other.execute("ROLLBACK")
        other.close()


def edit(path: Path, statement: str) -> None:
    """Change rows behind the journal's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER stored_events_refuse_update")
    connection.execute(statement)
    connection.close()


@pytest.fixture
def written(path: Path) -> Path:
    with Journal.open(f"sqlite:///{path}") as journal:
        journal.sessions.open("s-1")
        journal.sessions.claim("s-1", "alice")
        journal.sessions.open("s-2")
        journal.sessions.claim("s-2", "bob")
    return path


@pytest.mark.parametrize("operation", ["UPDATE stored_events SET topic='x'", "DELETE FROM stored_events"])
def test_the_database_refuses_to_change_an_event(written: Path, operation: str) -> None:
    connection = sqlite3.connect(written)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(operation)
    connection.close()


def test_an_unknown_event_type_stops_only_the_reads_that_meet_it(written: Path) -> None:
    edit(written, "UPDATE stored_events SET topic='os.system' WHERE position=2")
    with Journal.open(f"sqlite:///{written}") as journal:
        with pytest.raises(UnknownEventType) as caught:
            list(journal.read())
        facts = caught.value
        assert (facts.type, facts.stream, facts.version, facts.position) == ("os.system", "session-s-1", 2, 2)
        with pytest.raises(UnknownEventType):
            journal.sessions.state("s-1")
        with pytest.raises(UnknownEventType):
            journal.owners["s-2"]
        with pytest.raises(UnknownEventType):
            journal.replay()
        assert journal.at(position=1).owners["s-1"].owner is None
        assert journal.sessions.state("s-2").capability == OwnershipCapability("s-2", "bob", 1, FULL_SESSION)
        journal.sessions.open("s-3")
        assert journal.head() == 5


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b'{"data":{},"metadata":{"recorded_at":1}}', "data.capability"),
        (b'{"data":{"capability":null},"metadata":{"recorded_at":1}}', "data.capability"),
        (
            b'{"data":{"capability":{"session_id":"s-1","owner":"a","generation":"1","scope":"session"}},'
            b'"metadata":{"recorded_at":1}}',
            "data.capability.generation",
        ),
        (
            b'{"data":{"capability":{"session_id":"s-1","owner":"a","generation":1,"scope":"all"}},'
            b'"metadata":{"recorded_at":1}}',
            "data.capability.scope",
        ),
        (
            b'{"data":{"capability":{"session_id":"s-1","owner":"a","generation":1,"scope":[""]}},'
            b'"metadata":{"recorded_at":1}}',
            "fragment key",
        ),
        (
            b'{"data":{"capability":{"session_id":"s-1","owner":"a","generation":1,"scope":"session","x":1}},'
            b'"metadata":{"recorded_at":1}}',
            "data.capability.x",
        ),
        (
            b'{"data":{"capability":{"session_id":"s-1","owner":"a","generation":1,"scope":"session"}},'
            b'"metadata":{"recorded_at":-1}}',
            "metadata.recorded_at",
        ),
    ],
)
def test_a_damaged_row_says_where_and_what(written: Path, state: bytes, problem: str) -> None:
    edit(written, f"UPDATE stored_events SET state=X'{state.hex()}' WHERE position=2")
    with Journal.open(f"sqlite:///{written}") as journal:
        with pytest.raises(DamagedRecord) as caught:
            journal.record(2)
        facts = caught.value
        assert (facts.type, facts.stream, facts.version) == ("session.ownership_claimed.v1", "session-s-1", 2)
        assert facts.position == 2
        assert problem in facts.problem
        with pytest.raises(DamagedRecord):
            journal.owners["s-1"]


def test_a_lost_table_is_made_again(written: Path) -> None:
    with Journal.open(f"sqlite:///{written}") as journal:
        before = dict(journal.owners.items())
    connection = sqlite3.connect(written)
    connection.execute("DROP TABLE projection_owners_v1_2")
    connection.close()
    with Journal.open(f"sqlite:///{written}") as journal:
        assert dict(journal.owners.items()) == before
        assert journal.replay().differences == {}


def test_replay_finds_and_mends_a_changed_row(written: Path) -> None:
    with Journal.open(f"sqlite:///{written}") as journal:
        before = dict(journal.owners.items())
    connection = sqlite3.connect(written, isolation_level=None)
    connection.execute("UPDATE projection_owners_v1_2 SET owner='mallory' WHERE session_id='s-1' AND since=2")
    connection.close()
    with Journal.open(f"sqlite:///{written}") as journal:
        report = journal.replay()
        assert [(what, row[:2]) for what, row in report.differences["owners"]] == [
            ("missing", ("s-1", "mallory")),
            ("added", ("s-1", "alice")),
        ]
        assert dict(journal.owners.items()) == before
        assert journal.replay().differences == {}


CALLS: dict[str, Callable[[Journal, Any], Any]] = {
    "open": lambda journal, name: journal.sessions.open(name),
    "role": lambda journal, name: journal.sessions.open("s-9", roles=[name]),
    "claim": lambda journal, name: journal.sessions.claim(name, "alice"),
    "owner": lambda journal, name: journal.sessions.claim("s-1", name),
    "transfer": lambda journal, name: journal.sessions.transfer(
        OwnershipCapability("s-1", "a", 1, FULL_SESSION), to_owner=name
    ),
    "state": lambda journal, name: journal.sessions.state(name),
    "owner_died": lambda journal, name: journal.sessions.owner_died(name, "alice"),
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_bad_name_is_refused_and_nothing_is_written(call: Callable[[Journal, Any], Any], name: str) -> None:
    with Journal.open("memory://") as journal:
        with pytest.raises(InvalidIdentifier):
            call(journal, name)
        assert journal.head() == 0


def test_artifacts_of_the_wrong_kind(journal: Journal) -> None:
    receipt = OwnershipReceipt("s-1", 1, "a", 1, "b", 2, FULL_SESSION)
    capability = OwnershipCapability("s-1", "a", 1, FULL_SESSION)
    sessions: Any = journal.sessions
    calls: list[Callable[[], object]] = [
        lambda: sessions.check(receipt),
        lambda: sessions.check("s-1"),
        lambda: sessions.commit_transfer(capability),
        lambda: sessions.consume_witness(capability, receipt),
        lambda: sessions.attenuate(capability, {"a"}),
        lambda: sessions.claim("s-1", "a", "session"),
        lambda: sessions.issue_witness(capability, 7),
        lambda: sessions.fail_transfer_commit(receipt, "x" * 3_000),
        lambda: sessions.open("s-1", roles="worker"),
    ]
    for call in calls:
        with pytest.raises(InvalidArgument):
            call()
    assert journal.head() == 0


def test_numbers_and_names_that_no_database_holds(journal: Journal) -> None:
    with pytest.raises(UnknownPosition):
        journal.record(2**70)
    with pytest.raises(InvalidArgument):
        journal.at(time=2**70)
    assert journal.owners.get("\udcff") is None
    assert journal.witnesses.get(("s-1", 2**70)) is None
    for url in (5, "sqlite:////tmp/\ud800.db"):
        with pytest.raises(InvalidArgument):
            Journal.open(url)  # type: ignore[arg-type]


def test_a_session_that_was_never_opened(journal: Journal) -> None:
    with pytest.raises(SessionNotFound):
        journal.sessions.state("s-1")


def test_another_applications_settings_do_not_matter(file_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSISTENCE_MODULE", "eventsourcing.popo")
    monkeypatch.setenv("MUNIMENT_PERSISTENCE_MODULE", "eventsourcing.popo")
    monkeypatch.setenv("COMPRESSOR_TOPIC", "zlib")
    monkeypatch.setenv("SQLITE_DBNAME", ":memory:")
    with Journal.open(file_url) as journal:
        journal.sessions.open("s-1")
        assert isinstance(journal.application.factory, SQLiteFactory)
    with Journal.open(file_url) as journal:
        assert journal.head() == 1


@pytest.mark.parametrize("number", [-1, 2**63, 2**70, 1.5, True])
def test_reading_from_a_position_that_is_none(journal: Journal, number: Any) -> None:
    readings: list[Callable[[], list[RecordedEvent]]] = [
        lambda: list(journal.read(number)),
        lambda: list(journal.read(0, number)),
        lambda: list(journal.read_stream("session-s-1", number)),
        lambda: list(journal.read_stream("session-s-1", limit=number)),
    ]
    for read in readings:
        with pytest.raises(InvalidArgument):
            read()


def test_tables_asked_for_what_no_row_can_hold(journal: Journal) -> None:
    journal.sessions.open("s-1")
    journal.sessions.claim("s-1", "alice")
    for name in ("\udcff", "a\0b"):
        assert journal.owners.get(name) is None
        with pytest.raises(InvalidArgument):
            journal.audit.records(name)
        assert journal.witnesses.of_session(name) == {}
    with pytest.raises(InvalidArgument):
        journal.audit.records(after=2**70)
    with pytest.raises(InvalidArgument):
        journal.audit.records(limit=-1)
    for limit in (2**70, "x", True):
        with pytest.raises(InvalidArgument):
            journal.audit.records(limit=limit)  # type: ignore[arg-type]
    assert len(journal.audit.records(limit=2**62)) == 1
    assert journal.timeline.position_at(2**70) == 2
    assert journal.timeline.position_at(-(2**70)) == 0
    assert journal.timeline.latest_at(2**70) == 1_000
    assert journal.timeline.latest_at(-1) is None
    for stream in ("session-\udcff", "session-\0"):
        with pytest.raises(InvalidArgument):
            list(journal.read_stream(stream))


def test_text_with_a_character_that_not_every_database_holds(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "alice")
    with pytest.raises(InvalidArgument, match="NUL"):
        journal.sessions.issue_witness(held, "a\0b")
    assert journal.sessions.issue_witness(held, "a\nb\u2028").predicate == "a\nb\u2028"
    assert journal.witnesses["s-1", 1].says == "a\nb\u2028"
