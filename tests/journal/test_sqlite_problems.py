"""``verify`` finds what was done to an SQLite file: schema, triggers, counters, bytes behind the end."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from muniment.journal import Journal

_EDITED = (
    "PRAGMA writable_schema=ON; DELETE FROM sqlite_master WHERE name LIKE 'sqlite_autoindex_stored%'; "
    "UPDATE sqlite_master SET sql=replace(sql, {}, {}) WHERE name={}; "
    "PRAGMA writable_schema=RESET"
)
TAMPERED = {
    "a trigger is gone": ("DROP TRIGGER stored_events_refuse_delete", "refuse_delete"),
    "a trigger of that name does nothing": (
        "DROP TRIGGER stored_events_refuse_update; CREATE TRIGGER stored_events_refuse_update "
        "BEFORE UPDATE ON stored_events BEGIN SELECT 1; END",
        "does not read as",
    ),
    "another trigger": (
        "CREATE TRIGGER swallow BEFORE INSERT ON stored_events BEGIN SELECT RAISE(IGNORE); END",
        "swallow",
    ),
    "a trigger on the table journal": ("CREATE TRIGGER more AFTER INSERT ON journal BEGIN SELECT 1; END", "more"),
    "another index": ("CREATE INDEX odd ON stored_events (topic)", "odd"),
    "the unique constraint is gone": (
        _EDITED.format("', UNIQUE (originator_id, originator_version)'", "''", "'stored_events'"),
        "does not read as",
    ),
    "a host's foreign key": (
        "CREATE TABLE host (p INTEGER REFERENCES stored_events (position))",
        "foreign key on stored_events",
    ),
    "the last event is gone": (
        "DROP TRIGGER stored_events_refuse_delete; DELETE FROM stored_events WHERE position=3; "
        "CREATE TRIGGER stored_events_refuse_delete BEFORE DELETE ON stored_events "
        "BEGIN SELECT RAISE(ABORT, 'stored_events is append-only'); END",
        "counter of positions is at 3, and the last event is at 2",
    ),
    "the counter is gone": ("DELETE FROM sqlite_sequence", "counter of positions is at 0"),
    "a lowered version": ("PRAGMA user_version=1", "format"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        for number in range(3):
            journal.sessions.open(f"s-{number}")
    return path


def storage_problems(path: Path) -> list[str]:
    with Journal.open(f"sqlite:///{path}", read_only=True) as journal:
        return [finding.problem for finding in journal.verify().findings if finding.layer == "storage"]


def edit(path: Path, script: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(script)
    connection.close()


def test_nothing_is_wrong_with_what_was_made(path: Path) -> None:
    assert storage_problems(path) == []


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_changed_is_found(path: Path, name: str) -> None:
    script, told = TAMPERED[name]
    edit(path, script)
    assert any(told in problem for problem in storage_problems(path))


def test_bytes_behind_the_last_page(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x" * 5_000)
    assert any("bytes behind" in problem for problem in storage_problems(path))


def test_tables_of_a_host_are_its_own(path: Path) -> None:
    edit(path, "CREATE TABLE host (a); CREATE INDEX host_a ON host (a); CREATE VIEW seen AS SELECT a FROM host")
    edit(path, "CREATE TRIGGER host_t AFTER INSERT ON host BEGIN SELECT 1; END")
    assert storage_problems(path) == []
