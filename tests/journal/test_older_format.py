"""A journal, and an export, that the code wrote before there were ids: it opens, goes on, and says since when."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path

import pytest
from muniment.domain import InvalidExport, JournalDamaged, JournalWithoutId, NewerSchema, NotAJournal
from muniment.journal import Journal
from muniment.journal.storage.identity_table import FORMAT
from psycopg.sql import SQL, Identifier

from ..postgres_server import Server
from .processes import finish, start_at_once
from .test_identity import followed

DATA = Path(__file__).parent.parent / "data"
HEAD = 31
"""The last position of both."""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A file of the first format: ownership, an undone claim, a saga that failed, a conversation."""
    path = tmp_path / "older.db"
    path.write_bytes(gzip.decompress((DATA / "journal-of-format-1.db.gz").read_bytes()))
    return path


@pytest.fixture
def export() -> list[bytes]:
    return (DATA / "export-of-format-1.jsonl").read_bytes().splitlines()


def test_it_is_read_without_a_change(older: Path) -> None:
    before = older.read_bytes()
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        assert (journal.identity.id, journal.identity.formats) == (None, ((1, 0),))
        assert journal.verify().findings == ()
        assert journal.owners["s-1"].owner == "bob"
        assert len(followed(journal, 20)) == HEAD - 20
        for ask in (journal.cursor, lambda: journal.follow(f"{'a' * 32}-0-1")):
            with pytest.raises(JournalWithoutId, match="open it for writing once"):
                ask()
    assert older.read_bytes() == before


def test_its_first_opening_for_writing_gives_it_an_id(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        made = journal.identity
        assert made.formats == ((1, 0), (FORMAT, HEAD))
        assert [made.format_at(position) for position in (1, HEAD, HEAD + 1)] == [1, 1, FORMAT]
        cursor = journal.cursor(HEAD - 1)
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}
    with Journal.open(f"sqlite:///{older}") as journal:
        assert journal.identity == made
        assert len(followed(journal, cursor)) == 1
        receipt = journal.sessions.state("s-4").pending_receipt
        assert receipt is not None
        assert journal.sessions.commit_transfer(receipt).owner == "frank"
        with journal.context(idempotency_key="k-1"):
            assert journal.sessions.transfer(journal.record(2).event.outcome, "bob").owner == "bob"
        journal.revert(journal.head())
        assert journal.verify().findings == ()
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        assert journal.identity == made
        assert journal.verify().findings == ()


def test_older_code_refuses_it_then(older: Path) -> None:
    Journal.open(f"sqlite:///{older}").close()
    connection = sqlite3.connect(older)
    # What the first format's code looks at.
    assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT,)
    connection.close()


def test_an_older_file_without_events(older: Path) -> None:
    connection = sqlite3.connect(older)
    connection.executescript(
        "DROP TRIGGER stored_events_refuse_delete; DELETE FROM stored_events; DELETE FROM tracking;"
        "DELETE FROM sqlite_sequence;"
        "CREATE TRIGGER stored_events_refuse_delete BEFORE DELETE ON stored_events "
        "BEGIN SELECT RAISE(ABORT, 'stored_events is append-only'); END;"
    )
    connection.close()
    with Journal.open(f"sqlite:///{older}") as journal:
        assert journal.identity.formats == ((FORMAT, 0),)


def test_a_reader_finds_the_id_that_a_writer_gave_meanwhile(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}", read_only=True) as reader:
        with pytest.raises(JournalWithoutId):
            reader.cursor()
        with Journal.open(f"sqlite:///{older}") as journal:
            assert reader.cursor() == journal.cursor()


def test_processes_that_open_it_at_the_same_moment(older: Path) -> None:
    program = """
import sys
print("ready", flush=True)
sys.stdin.readline()
from muniment.journal import Journal
with Journal.open(sys.argv[1]) as journal:
    journal.sessions.open(sys.argv[2])
    print(journal.cursor(1))
"""
    url = f"sqlite:///{older}"
    printed = finish(start_at_once([(program, url, f"process-{number}") for number in range(3)]))
    assert len({line for lines in printed for line in lines}) == 1
    with Journal.open(url) as journal:
        assert journal.identity.formats == ((1, 0), (FORMAT, HEAD))
        assert journal.head() == HEAD + 3
        assert journal.verify().findings == ()


def test_a_copy_of_an_older_file_is_one_too(older: Path, tmp_path: Path) -> None:
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        journal.backup(tmp_path / "copy.db")
        lines = list(journal.export())
    with Journal.open(f"sqlite:///{tmp_path}/copy.db") as copy, Journal.open(f"sqlite:///{older}") as journal:
        assert copy.identity.id != journal.identity.id
        assert copy.identity.formats == ((1, 0), (FORMAT, HEAD))
        assert copy.verify().findings == ()
    with Journal.open("memory://") as imported:
        assert imported.import_export(lines) == HEAD
        assert imported.identity.formats == ((1, 0), (FORMAT, HEAD))
        assert imported.identity.id is not None
        assert not imported.identity.is_copy


def test_a_host_with_a_table_of_that_name(older: Path) -> None:
    connection = sqlite3.connect(older)
    connection.execute("CREATE TABLE Journal (entry TEXT)")
    connection.close()
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        assert journal.verify().findings == ()
    with pytest.raises(NotAJournal, match="rename"):
        Journal.open(f"sqlite:///{older}")
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        assert journal.head() == HEAD


def test_a_table_that_is_gone_is_not_made_again(older: Path) -> None:
    Journal.open(f"sqlite:///{older}").close()
    connection = sqlite3.connect(older)
    connection.execute("DROP TABLE journal")
    connection.close()
    with pytest.raises(JournalDamaged, match="journal is missing"):
        Journal.open(f"sqlite:///{older}")
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        assert len(journal.verify().findings) == 1


def test_an_older_export_is_taken_as_unmarked(export: list[bytes], journal: Journal) -> None:
    with pytest.raises(InvalidExport, match="unmarked") as caught:
        journal.import_export(export)
    assert caught.value.line == HEAD + 1
    assert journal.head() == 0
    made = journal.identity.id
    assert journal.import_export(export, unmarked=True) == HEAD
    assert journal.identity.formats == ((1, 0), (FORMAT, HEAD))
    assert journal.identity.id != made
    assert journal.verify().findings == ()
    journal.sessions.open("goes on")
    assert journal.identity.restores == ()
    # An older Muniment named one source for all journals, and wrote positions as they are.
    *events, _ = map(json.loads, journal.export(source="urn:muniment"))
    assert [{**event, "sequence": str(int(event["sequence"]))} for event in events[:HEAD]] == list(
        map(json.loads, export)
    )
    with Journal.open("memory://") as again:
        again.import_export(journal.export())
        assert again.identity.formats == ((1, 0), (FORMAT, HEAD))
        assert again.identity.id == journal.identity.id


def schema_of(url: str) -> str:
    return url.rpartition("schema=")[2]


def test_an_older_journal_on_a_server(postgres_url: str, postgres: Server) -> None:
    schema = schema_of(postgres_url)
    with Journal.open(postgres_url) as journal:
        for name in ("s-1", "s-2"):
            journal.sessions.open(name)
    with postgres.connect() as connection:
        connection.execute(SQL("DROP TABLE {}").format(Identifier(schema, "journal")))
        connection.execute(SQL("UPDATE {} SET schema_version=1").format(Identifier(schema, "muniment_journal")))
    with Journal.open(postgres_url, read_only=True) as reader:
        assert reader.identity.id is None
        assert reader.verify().findings == ()
        with pytest.raises(JournalWithoutId):
            reader.cursor()
    program = """
import sys
from muniment.journal import Journal
print("ready", flush=True)
sys.stdin.readline()
with Journal.open(sys.argv[1]) as journal:
    journal.sessions.open(sys.argv[2])
    print(journal.cursor(1))
"""
    printed = finish(start_at_once([(program, postgres_url, f"process-{number}") for number in range(3)]))
    assert len({line for lines in printed for line in lines}) == 1
    with Journal.open(postgres_url) as journal:
        assert journal.identity.formats == ((1, 0), (FORMAT, 2))
        assert journal.head() == 5
        assert journal.verify().findings == ()
    with postgres.connect() as connection:
        version = connection.execute(
            SQL("SELECT schema_version FROM {}").format(Identifier(schema, "muniment_journal"))
        )
        # What the first format's code looks at.
        assert version.fetchone() == (FORMAT,)
        connection.execute(SQL("UPDATE {} SET schema_version=99").format(Identifier(schema, "muniment_journal")))
    with pytest.raises(NewerSchema):
        Journal.open(postgres_url)
