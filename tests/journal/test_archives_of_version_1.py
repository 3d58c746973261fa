"""A journal in which sessions were put away before archives counted types and edges: version 1 is read as version 2."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from muniment.domain import DamagedRecord
from muniment.domain.session import SessionArchived, SessionCounts
from muniment.journal import Journal

DATA = Path(__file__).parent.parent / "data" / "journal-with-archives-of-version-1.db.gz"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    path = tmp_path / "older.db"
    path.write_bytes(gzip.decompress(DATA.read_bytes()))
    return path


def stored_types(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT topic FROM stored_events WHERE topic LIKE 'session.archived%' ORDER BY 1")
        return [topic for (topic,) in rows]


def test_its_archives_count_no_types_and_no_edges(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        first, second = journal.archive["s-1", 1], journal.archive["s-2", 1]
        assert (first.counts, second.counts) == (SessionCounts(2), SessionCounts(1))
        assert (first.last_owner, first.ending and first.ending.lost_envelopes) == ("agent-a", 1)
        report = journal.verify()
        assert (report.findings, report.notes) == ((), ())
        assert journal.replay().differences == {}
        events = [record.event for record in journal.read() if isinstance(record.event, SessionArchived)]
        assert {event.type for event in events} == {"session.archived.v2"}


def test_it_goes_on_in_version_2_and_rows_stay_as_they_were(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        assert journal.sessions.reap() == (("s-2", 2),)
        assert journal.archive["s-2", 2].counts == SessionCounts(3)
        assert journal.verify().findings == ()
    assert stored_types(older) == ["session.archived.v1", "session.archived.v1", "session.archived.v2"]


@pytest.mark.parametrize("name", ["session.archived.v1", "session.archived.v2"])
def test_whoever_follows_archives_gets_those_of_both_versions(older: Path, name: str) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        journal.sessions.reap()
        with journal.follow(types=[name]) as following:
            assert [next(following).position for _ in range(3)] == [9, 13, journal.head()]


def test_it_is_exported_and_imported(older: Path, tmp_path: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        lines = list(journal.export())
    with Journal.open(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        copy.import_export(lines)
        assert copy.archive["s-1", 1].counts == SessionCounts(2)
        assert copy.verify().findings == ()


@pytest.mark.parametrize("data", ["[]", "1", '{"session_id":"s-1"}', '{"role_count":-1}'])
def test_an_old_row_that_was_changed_is_named(older: Path, data: str) -> None:
    with closing(sqlite3.connect(older)) as connection, connection:
        connection.execute("DROP TRIGGER stored_events_refuse_update")
        state = f'{{"data":{data},"metadata":{{"recorded_at":1}}}}'.encode()
        connection.execute("UPDATE stored_events SET state=? WHERE position=9", [state])
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal, pytest.raises(DamagedRecord) as caught:
        list(journal.read(8, 1))
    assert caught.value.position == 9
