"""Tables of more events than there are: somebody deleted the last, or a table of positions was edited."""

from __future__ import annotations

from pathlib import Path

import pytest
from muniment.journal import Journal

from .damage import edit

EDITS = {
    "the last event is deleted": ("DELETE FROM stored_events WHERE position=6",),
    "half of the events are deleted": ("DELETE FROM stored_events WHERE position>3",),
    "all events are deleted": ("DELETE FROM stored_events",),
    "one projection claims more": ("UPDATE tracking SET notification_id=99 WHERE application_name LIKE 'owners%'",),
    "all claim more": ("UPDATE tracking SET notification_id=99",),
    "the greatest position is claimed": ("UPDATE tracking SET notification_id=9223372036854775807",),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        for number in range(3):
            journal.sessions.open(f"s-{number}")
            journal.sessions.claim(f"s-{number}", "alice")
        journal.catch_up()
    return path


@pytest.mark.parametrize("how", EDITS)
def test_replay_ends_and_puts_the_tables_right(how: str, path: Path) -> None:
    edit(path, *EDITS[how])
    with Journal.open(path) as journal:
        expected = sum(record.type.startswith("session.opened") for record in journal.read())
        report = journal.replay()
        assert report.events == journal.head()
        assert bool(report.differences) == ("deleted" in how)
        assert len(journal.owners) == expected
        assert [finding for finding in journal.verify().findings if finding.layer == "table"] == []


@pytest.mark.parametrize("how", EDITS)
def test_reading_ends_and_knows_what_comes(how: str, path: Path) -> None:
    edit(path, *EDITS[how])
    with Journal.open(path) as journal:
        opened = {record.stream for record in journal.read() if record.type.startswith("session.opened")}
        journal.sessions.open("new")
        assert {f"session-{name}" for name in journal.owners} == opened | {"session-new"}
        with journal.project() as projecting:
            journal.catch_up()
            assert projecting.error is None
