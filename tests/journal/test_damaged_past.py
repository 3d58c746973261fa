"""The past of a journal that somebody changed by hand: what is not there is said so, and nothing else is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from muniment.domain import DamagedRecord, ProjectionStopped, UnknownPosition
from muniment.journal import Journal

from .damage import edit


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A journal in which a session is opened, claimed and handed over; its tables are caught up."""
    file = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{file}") as journal:
        journal.sessions.open("s")
        journal.sessions.transfer(journal.sessions.claim("s", "alice"), "bob")
        assert journal.owners["s"].owner == "bob"
    return file


def test_what_a_deleted_event_did_is_not_told_of_another(file: Path) -> None:
    edit(file, "DELETE FROM stored_events WHERE rowid=2")
    with Journal.open(f"sqlite:///{file}") as journal, Journal.open("memory://") as other:
        other.sessions.open("s")
        other.sessions.claim("s", "alice")
        with journal.what_if(2) as branch:
            branch.sessions.open("t")
            for ask in (
                lambda: journal.diff(0, every=True),
                lambda: journal.history("owners", "s"),
                lambda: journal.blame("owners", "s", 2),
                lambda: journal.explain(2),
                lambda: journal.at(2).event,
                lambda: journal.at(other.at(2)),
                lambda: branch.diff(0, every=True),
            ):
                with pytest.raises(UnknownPosition, match="position 2 does not exist"):
                    ask()
            assert [each.key for each in branch.changes() if each.table == "owners"] == ["t"]
        assert [journal.at(each).position for each in (1, 2, 3)] == [1, 2, 3]
        assert [each.position for each in journal.diff(2, tables=["owners"])] == [3]


def test_a_row_that_names_no_event_is_not_told(file: Path) -> None:
    edit(file, "UPDATE projection_owners_v1_2 SET since=-1 WHERE since=1")
    with Journal.open(f"sqlite:///{file}") as journal, pytest.raises(UnknownPosition, match="position -1"):
        journal.history("owners", "s")


def test_a_time_that_is_none_is_not_told(file: Path) -> None:
    edit(file, "UPDATE projection_timeline_v1_2 SET recorded_at='never'")
    with Journal.open(f"sqlite:///{file}") as journal:
        for ask in (lambda: journal.at(2).time, lambda: journal.at(time=10**15)):
            with pytest.raises(ProjectionStopped, match="a stored row cannot be read"):
                ask()


@pytest.mark.parametrize("content", ["5", "1.5", "'text'", "x''"])
def test_an_event_without_content_is_damaged(file: Path, content: str) -> None:
    edit(file, f"UPDATE stored_events SET state={content} WHERE rowid=3")
    with Journal.open(f"sqlite:///{file}") as journal:
        for ask in (lambda: journal.at(3).event, lambda: journal.first("law-1"), lambda: journal.explain(3)):
            with pytest.raises(DamagedRecord):
                ask()
        assert journal.verify().findings
