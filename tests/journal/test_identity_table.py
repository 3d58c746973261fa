"""The table ``journal``: it only grows, and what is changed in it is found."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from muniment.domain import JournalDamaged, NewerSchema, NotStored
from muniment.journal import Journal
from muniment.journal.storage.identity import identity_of
from muniment.journal.storage.identity_table import FORMAT

from .damage import edit
from .test_identity import fill


def test_the_table_only_grows(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        for statement in ("UPDATE journal SET value='x'", "DELETE FROM journal"):
            with pytest.raises(Exception, match="append-only"), journal._storage.identity._writing() as cursor:
                journal._storage.identity._run(cursor, statement)
        assert journal.verify().findings == ()


def test_a_first_write_whose_restore_id_is_dropped_is_refused(tmp_path: Path) -> None:
    with Journal.open("memory://") as journal:
        fill(journal, "s-1")
        journal.backup(tmp_path / "copy.db")
    connection = sqlite3.connect(tmp_path / "copy.db")
    connection.execute("CREATE TRIGGER t BEFORE INSERT ON journal BEGIN SELECT RAISE(IGNORE); END")
    connection.close()
    with Journal.open(f"sqlite:///{tmp_path}/copy.db") as copy:
        with pytest.raises(NotStored, match="table journal"):
            fill(copy, "s-2")
        assert copy.head() == 1


def test_an_endless_view_in_its_place_is_not_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        fill(journal, "s-1")
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TABLE journal; CREATE VIEW journal AS WITH RECURSIVE n(number) AS "
        "(SELECT 1 UNION ALL SELECT number+1 FROM n) SELECT number, 'copy' kind, '' value, 0 position FROM n;"
    )
    connection.close()
    for read_only in (True, False):
        with pytest.raises(JournalDamaged):
            Journal.open(f"sqlite:///{path}", read_only=read_only)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("DROP TABLE journal", "missing"),
        ("DELETE FROM journal", "no id"),
        ("DELETE FROM journal WHERE kind='id'", "expected"),
        ("DELETE FROM journal WHERE kind='format'", "no format"),
        ("UPDATE journal SET value='x' WHERE kind='id'", "does not fit"),
        ("UPDATE journal SET value=zeroblob(16) WHERE kind='id'", "does not fit"),
        ("UPDATE journal SET value='01' WHERE kind='format'", "does not fit"),
        ("UPDATE journal SET value='1' WHERE kind='format'", f"format {FORMAT}, and the table journal 1"),
        ("UPDATE journal SET position='p' WHERE kind='format'", "does not fit"),
        ("UPDATE journal SET position=-1 WHERE kind='format'", "does not fit"),
        ("UPDATE journal SET position=9 WHERE kind='format'", "position 9, and the last one is 2"),
        ("UPDATE journal SET number=7 WHERE kind='format'", "row 7 where number 2 is expected"),
        ("INSERT INTO journal VALUES (3, 'format', '2', 1)", "does not fit"),
        (f"INSERT INTO journal VALUES (3, 'id', '{'a' * 32}', 1)", "does not fit"),
        (f"INSERT INTO journal VALUES (3, 'restore', '{'a' * 32}', 3)", "position 3, and the last one is 2"),
        ("INSERT INTO journal VALUES (3, 'restore', 'me', 1)", "does not fit"),
        ("INSERT INTO journal VALUES (3, 'news', '', 1)", "does not fit"),
        (f"INSERT INTO journal VALUES (3, 'copy', '', 2), (4, 'restore', '{'a' * 32}', 1)", "does not fit"),
        ("PRAGMA user_version=1", f"format 1, and the table journal {FORMAT}"),
        ("WITH RECURSIVE n(x) AS (SELECT 3 UNION ALL SELECT x+1 FROM n) "
         "INSERT INTO journal SELECT x, 'copy', '', 2 FROM n LIMIT 120000", "more than 100000 rows"),
    ],
)  # fmt: skip
def test_a_changed_table_is_found(tmp_path: Path, statement: str, finding: str) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        fill(journal, "s-1", "s-2")
    if statement.startswith("DROP"):
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.close()
    else:
        edit(path, statement)
    with Journal.open(f"sqlite:///{path}", read_only=True) as journal:
        assert finding in " ".join(each.problem for each in journal.verify().findings)
        assert journal.head() == 2


def test_a_format_that_only_the_table_knows_is_refused(shared_url: str) -> None:
    with Journal.open(shared_url) as journal, journal._storage.identity._writing() as cursor:
        journal._storage.identity._run(cursor, "INSERT INTO journal VALUES (3, 'format', '7', 0)")
    for read_only in (False, True):
        with pytest.raises(NewerSchema) as caught:
            Journal.open(shared_url, read_only=read_only)
        assert (caught.value.found, caught.value.supported) == (7, FORMAT)


def test_the_formats_and_restores_by_position() -> None:
    known = identity_of(
        [
            (1, "id", "a" * 32, 0),
            (2, "format", "1", 0),
            (3, "restore", "b" * 32, 3),
            (4, "format", "2", 5),
            (5, "restore", "c" * 32, 5),
            (6, "copy", "", 8),
        ]
    )
    assert known.problems == ()
    assert [known.format_at(position) for position in range(9)] == [1, 1, 1, 1, 1, 1, 2, 2, 2]
    assert [known.restore_at(position)[:1] for position in range(9)] == ["", "", "", "", "b", "b", "c", "c", "c"]
    assert known.is_copy
    assert known.as_of(5).facts() == [
        ("id", "a" * 32, 0),
        ("format", "1", 0),
        ("restore", "b" * 32, 3),
    ]
