"""Backup, export and import, and verification."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings, strategies as st
from muniment.domain import (
    DamagedRecord,
    InvalidExport,
    JournalDamaged,
    JournalNotEmpty,
    JournalUnavailable,
    Policy,
    ProjectionStopped,
    UnknownPosition,
)
from muniment.journal import Finding, Journal

from ..command_sequences import COMMANDS, Command, Giver
from ..drawing import drawn
from .damage import edit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with a little history."""
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal, journal.context(actor="tests", correlation_id="c-1", tick=2**40):
        journal.sessions.open("s-1", roles=["naïve ☃"])
        held = journal.sessions.claim("s-1", "alice")
        witness = journal.sessions.issue_witness(held, "ready")
        journal.sessions.issue_witness(held, "other")
        journal.sessions.consume_witness(held, witness)
        with journal.context(idempotency_key="k"):
            journal.sessions.transfer(held, "bob")
        journal.sessions.open("s-2")
        len(journal.owners)
    return path


def reopened(path: Path) -> Journal:
    return Journal.open(f"sqlite:///{path}")


@settings(max_examples=drawn(40))
@given(COMMANDS, st.sampled_from([Policy(), Policy.reference()]))
def test_importing_an_export_gives_the_same_journal(commands: list[Command], policy: Policy) -> None:
    with Journal.open("memory://", policy=policy) as journal, Journal.open("memory://") as copy:
        Giver(journal).give_all(commands)
        lines = list(journal.export())
        assert copy.import_export(lines) == journal.head()
        assert list(copy.export()) == lines
        assert list(copy.read()) == list(journal.read())
        assert dict(copy.owners) == dict(journal.owners)
        assert copy.verify().findings == ()


def test_an_import_has_the_same_bytes(path: Path, tmp_path: Path) -> None:
    with reopened(path) as journal, reopened(tmp_path / "copy.db") as copy:
        copy.import_export(journal.export())
        rows = [each.application.recorder.select_rows(0, 100) for each in (journal, copy)]
        assert rows[0] == rows[1]
        with copy.context(idempotency_key="k"):
            assert copy.sessions.transfer(copy.record(2).event.outcome, "bob").owner == "bob"
        assert copy.head() == 7


def test_an_export_is_made_of_cloudevents(path: Path) -> None:
    with reopened(path) as journal:
        *lines, mark = journal.export()
        for line, record in zip(lines, journal.read(), strict=True):
            event = JSONFormat().read(CloudEvent, line)
            assert event.get_id() == record.id
            assert event.get_type() == record.type
            assert event.get_subject() == record.stream
            assert event.get_specversion() == "1.0"
            time = event.get_time()
            assert time is not None
            assert round(time.timestamp() * 1_000) == record.metadata.recorded_at
            assert event.get_extension("sequence") == f"{record.position:019d}"
            assert event.get_extension("actor") == "tests"
            assert event.get_extension("tick") == str(2**40)
        ended = JSONFormat().read(CloudEvent, mark)
        assert ended.get_type() == "muniment.export.ended.v1"
        assert ended.get_specversion() == "1.0"
        assert ended.get_id() == f"export-{journal.cursor()}"
        assert json.loads(mark)["data"]["last_id"] == "session-s-2@1"


def _without(name: str) -> Any:
    return lambda event: event.pop(name)


def _with(**changes: Any) -> Any:
    return lambda event: event.update(changes)


@pytest.mark.parametrize(
    "spoil",
    [
        _without("id"),
        _without("subject"),
        _without("data"),
        _without("time"),
        _without("specversion"),
        _with(specversion="0.3"),
        _with(sequence="4"),
        _with(sequence="3 "),
        _with(sequence="3_0"),
        _with(sequence=True),
        _with(id="session-s-1@4"),
        _with(id="session-s-2@3"),
        _with(type="os.system"),
        _with(time="yesterday"),
        _with(time="2026-01-01T00:00:00"),
        _with(time="1970-01-01T00:00:00.000Z"),
        _with(data={"witness": {}}),
        _with(data=None),
        _with(actor=7),
        _with(id=5, subject=5),
        _with(subject="session-s-9", id="session-s-9@1"),
        _with(tick="many"),
    ],
)
def test_a_spoilt_export_is_refused_whole(path: Path, spoil: Any) -> None:
    with reopened(path) as journal, Journal.open("memory://") as copy:
        lines = list(journal.export())
        event = json.loads(lines[2])
        spoil(event)
        with pytest.raises(InvalidExport) as caught:
            copy.import_export([*lines[:2], json.dumps(event), *lines[3:]])
        assert caught.value.line == 3
        assert copy.head() == 0
        assert copy.import_export(lines) == 7


@pytest.mark.parametrize("line", [b"", b"nonsense", b"[]", b"null", b"{}", b"\xff"])
def test_a_line_that_is_no_event(line: bytes) -> None:
    with Journal.open("memory://") as journal, pytest.raises(InvalidExport):
        journal.import_export([line])


def test_a_missing_or_doubled_line(path: Path) -> None:
    with reopened(path) as journal, Journal.open("memory://") as copy:
        lines = list(journal.export())
        for wrong in (lines[1:], [*lines[:3], *lines[4:]], [*lines[:3], *lines[2:]], lines[::-1]):
            with pytest.raises(InvalidExport):
                copy.import_export(wrong)
        assert copy.head() == 0


def test_an_import_takes_an_empty_journal(path: Path) -> None:
    with reopened(path) as journal:
        lines = list(journal.export())
        with pytest.raises(JournalNotEmpty):
            journal.import_export(lines)
        assert journal.head() == 7


def test_a_backup_while_others_write(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with reopened(path) as journal:
        stop = threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                journal.sessions.open(f"w-{number}")
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        while journal.head() < 50:
            pass
        position = journal.backup(copy)
        stop.set()
        writer.join()
        assert position >= 50
        original = list(journal.read(limit=position))
    with reopened(copy) as backup:
        assert list(backup.read()) == original
        assert backup.verify().findings == ()
        backup.sessions.open("goes on")


@pytest.fixture(params=["sqlite", "postgres"])
def another_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A second place that outlives the process."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/another.db"
    else:
        yield request.getfixturevalue("postgres_url")


def test_upkeep_on_every_engine(shared_url: str, another_url: str, tmp_path: Path) -> None:
    with Journal.open(shared_url) as journal, journal.context(actor="tests"):
        for number in range(5):
            journal.sessions.open(f"s-{number}")
            journal.sessions.claim(f"s-{number}", "alice")
        assert len(journal.owners) == 5
        assert journal.verify().findings == ()
        assert journal.verify().events == 10
        assert journal.backup(tmp_path / "copy.db") == 10
        lines = list(journal.export())
        with Journal.open(another_url) as other:
            assert other.import_export(lines) == 10
            assert list(other.export()) == lines
            with pytest.raises(JournalNotEmpty):
                other.import_export(lines)
            with pytest.raises(JournalNotEmpty):
                journal.backup(tmp_path / "copy.db")
            assert other.verify().findings == ()
        with reopened(tmp_path / "copy.db") as copy:
            assert list(copy.export()) == lines
            assert dict(copy.owners) == dict(journal.owners)


def test_an_import_that_fails_leaves_nothing_on_any_engine(journal: Journal) -> None:
    with Journal.open("memory://") as original:
        for number in range(7):
            original.sessions.open(f"s-{number}")
        lines = list(original.export())
    with pytest.raises(InvalidExport):
        journal.import_export([*lines, b"nonsense"])
    assert journal.head() == 0
    assert journal.import_export(lines) == 7


def test_a_changed_table_on_every_engine(journal: Journal) -> None:
    for number in range(3):
        journal.sessions.open(f"s-{number}")
    assert len(journal.owners) == 3
    with journal._store.write() as writer:
        writer.run("UPDATE projection_owners_v1_2 SET status='closed' WHERE session_id='s-1'")
    assert places(journal.verify().findings) == [("table", 2), ("table", 2)]
    assert journal.replay().differences.keys() == {"owners"}
    assert journal.verify().findings == ()


def test_a_backup_overwrites_nothing(path: Path, tmp_path: Path) -> None:
    with reopened(path) as journal:
        with pytest.raises(JournalNotEmpty):
            journal.backup(path)
        (tmp_path / "other").write_text("precious")
        with pytest.raises(JournalNotEmpty):
            journal.backup(tmp_path / "other")
        with pytest.raises(JournalUnavailable):
            journal.backup(tmp_path / "no" / "folder.db")
    assert (tmp_path / "other").read_text() == "precious"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE projection_owners_v1_2 SET status='gone'",
        "UPDATE projection_owners_v1_2 SET scope='{'",
        "UPDATE projection_witnesses_v1_2 SET status='gone'",
    ],
)
def test_a_table_that_cannot_be_read_says_so(path: Path, statement: str) -> None:
    edited(path, statement)
    with reopened(path) as journal:
        with pytest.raises(ProjectionStopped, match="replay rebuilds it"):
            (dict(journal.owners.items()), journal.owners["s-1"], dict(journal.witnesses.items()))
        assert journal.replay().differences
        assert journal.owners["s-1"].owner == "bob"
        assert len(dict(journal.witnesses.items())) == 2


def edited(path: Path, *statements: str) -> tuple[Finding, ...]:
    """Change the file behind the journal's back, and verify it."""
    edit(path, *statements)
    with reopened(path) as journal:
        return journal.verify().findings


def places(findings: tuple[Finding, ...]) -> list[tuple[str, int | None]]:
    return [(finding.layer, finding.position) for finding in findings]


@settings(max_examples=drawn(40))
@given(COMMANDS)
def test_an_honest_journal_verifies(commands: list[Command]) -> None:
    with Journal.open("memory://") as journal:
        Giver(journal).give_all(commands)
        len(journal.owners)
        report = journal.verify()
        assert report.findings == ()
        assert report.events == journal.head()


@pytest.mark.parametrize("name", ["stored_events_refuse_update", "stored_events_refuse_delete"])
def test_a_trigger_that_is_gone(path: Path, name: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"DROP TRIGGER {name}")
    connection.close()
    with reopened(path) as journal:
        (finding,) = journal.verify().findings
        assert finding.layer == "storage"
        assert name in finding.problem


def test_a_journal_in_use_verifies(journal: Journal) -> None:
    for number in range(300):
        journal.sessions.open(f"s-{number}")
    stop = threading.Event()

    def use() -> None:
        number = 0
        while not stop.is_set():
            journal.sessions.open(f"x-{number}")
            assert f"x-{number}" in journal.owners
            number += 1

    user = threading.Thread(target=use)
    user.start()
    try:
        findings = [journal.verify().findings for _ in range(5)]
    finally:
        stop.set()
        user.join()
    assert findings == [()] * 5
    assert journal.replay().differences == {}


def test_damage_behind_a_position_does_not_matter_as_of_it(path: Path) -> None:
    edited(path, "UPDATE stored_events SET state='{' WHERE position=4")
    with reopened(path) as journal:
        then = journal.at(position=3)
        assert then.owners["s-1"].owner == "alice"
        assert [record.position for record in then.audit.records()] == [2, 3]
        assert then.audit.records("s-1") == then.audit.records()
        with pytest.raises(DamagedRecord):
            journal.audit.records("s-1")


def test_a_table_that_cannot_be_compared_is_a_finding(path: Path) -> None:
    findings = edited(path, "ALTER TABLE projection_owners_v1_2 RENAME COLUMN status TO state")
    assert places(findings) == [("storage", None), ("table", None)]
    assert "projection_owners_v1_2 does not read as Muniment made it" in findings[0].problem
    assert "owners cannot be compared" in findings[1].problem


def test_a_backup_leaves_one_file(shared_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with Journal.open(shared_url) as journal:
        journal.sessions.open("s-1")
        journal.backup(folder / "copy.db")
    assert [each.name for each in folder.iterdir()] == ["copy.db"]


def test_a_flipped_row(path: Path) -> None:
    findings = edited(path, "UPDATE stored_events SET state=replace(state, '\"generation\":2', '\"generation\":x')")
    assert places(findings) == [("record", 6), ("table", None)]
    assert "session-s-1@6" in findings[0].problem
    assert "session.ownership_transferred.v1" in findings[0].problem


def test_an_unknown_type(path: Path) -> None:
    assert places(edited(path, "UPDATE stored_events SET topic='x' WHERE position=7")) == [
        ("record", 7),
        ("table", None),
    ]


def test_a_row_that_is_gone(path: Path) -> None:
    findings = edited(path, "DELETE FROM stored_events WHERE position=2")
    assert ("record", 3) in places(findings)
    assert any("positions 2 to 2 are missing" in finding.problem for finding in findings)
    assert any("does not follow version 1" in finding.problem for finding in findings)
    with reopened(path) as journal, pytest.raises(UnknownPosition):
        journal.record(2)


def test_rows_cut_off_the_end(path: Path) -> None:
    findings = edited(path, "DELETE FROM stored_events WHERE position>5")
    assert any(finding.layer == "table" and "claims position 7" in finding.problem for finding in findings)


def test_an_event_in_another_stream(path: Path) -> None:
    findings = edited(path, """UPDATE stored_events SET state=replace(state, '"s-2"', '"s-3"') WHERE position=7""")
    assert ("record", 7) in places(findings)


def test_a_generation_that_is_given_again(path: Path) -> None:
    findings = edited(
        path, """UPDATE stored_events SET state=replace(state, '"generation":2', '"generation":1') WHERE position=6"""
    )
    assert ("law", 6) in places(findings)
    assert any("law 1: generation 1 is given after 1" in finding.problem for finding in findings)


def test_a_witness_that_is_spent_twice(path: Path) -> None:
    findings = edited(
        path, """UPDATE stored_events SET state=replace(state, '"witness_id":2', '"witness_id":1') WHERE position=4"""
    )
    problems = [finding.problem for finding in findings if finding.layer == "law"]
    assert problems == ["law 4: witness 1 is issued again", "law 4: witnesses [] end here, and the event voids [2]"]


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE projection_owners_v1_2 SET owner='mallory' WHERE since=2", 2),
        ("UPDATE projection_owners_v1_2 SET until=5 WHERE since=2", 2),
        ("DELETE FROM projection_witnesses_v1_2 WHERE witness_id=2 AND since=4", 4),
        (
            "INSERT INTO projection_owners_v1_2 VALUES ('s-9', 'x', 1, 'full', 'active', 4, 9223372036854775807)",
            4,
        ),
        ("UPDATE projection_idempotency_keys_v1_2 SET version=1", 6),
    ],
)
def test_a_changed_table(path: Path, statement: str, position: int) -> None:
    findings = edited(path, statement)
    assert set(places(findings)) == {("table", position)}


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_a_truncated_file(path: Path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(JournalDamaged):
        reopened(path)


def test_a_page_of_garbage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8_192:12_288] = b"\xa5" * 4_096
    path.write_bytes(content)
    with reopened(path) as journal:
        findings = journal.verify().findings
    assert findings[0].layer == "storage"
