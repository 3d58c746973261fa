"""Files that somebody prepared: what is asked of them ends, in bounded time and memory, in an answer or our error."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from muniment.journal import Journal

EVENTS = 12
BOUND = """
import resource, sys
from itertools import islice
from muniment.domain import MunimentError
from muniment.journal import Journal

resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000, 1_000_000_000))
ASKED = {
    "head": lambda journal: journal.head(),
    "read": lambda journal: list(journal.read()),
    "record": lambda journal: journal.record(3),
    "read_stream": lambda journal: list(journal.read_stream("session-s-3")),
    "state": lambda journal: journal.sessions.state("s-3"),
    "owners": lambda journal: dict(journal.owners),
    "at": lambda journal: dict(journal.at(position=2).owners),
    "audit": lambda journal: list(journal.audit.records("s-3")),
    "follow": lambda journal: list(islice(journal.follow(), 4)),
    "verify": lambda journal: journal.verify(),
    "export": lambda journal: list(journal.export()),
    "claim": lambda journal: journal.sessions.open("new"),
    "replay": lambda journal: journal.replay(),
    "backup": lambda journal: journal.backup(sys.argv[1] + ".copy"),
}
for read_only in (True, False):
    try:
        journal = Journal.open("sqlite:///" + sys.argv[1], read_only=read_only, lock_timeout_s=2)
    except MunimentError as error:
        print("open", error.code, file=sys.stderr)
        continue
    for name, ask in ASKED.items():
        try:
            ask(journal)
        except MunimentError as error:
            assert len(str(error)) < 5_000, (name, "a message without an end")
            print(name, error.code, str(error)[:200], file=sys.stderr)
        except BaseException as error:
            print(name, "raised", type(error).__name__, str(error)[:200])
    journal.close()
"""

AS_TABLE = "CREATE TABLE stored_events (position {}, originator_id, originator_version, topic, state)"
COPIED = "INSERT INTO stored_events SELECT position, originator_id, originator_version, topic, state FROM kept"
ENDLESS = "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM more) SELECT n"
EDITS: dict[str, tuple[str, ...]] = {
    "an endless view in the place of the events": (
        "ALTER TABLE stored_events RENAME TO kept",
        f"CREATE VIEW stored_events AS {ENDLESS} AS position, 's' AS originator_id, n AS originator_version, "
        "'t' AS topic, x'00' AS state FROM more",
    ),
    "no table of events": ("DROP TABLE stored_events",),
    "an endless view in the place of a table": (
        "DROP TABLE {owners}",
        f"CREATE VIEW {{owners}} AS {ENDLESS} AS session_id FROM more",
    ),
    "an endless view in the place of what was tracked": (
        "DROP TABLE tracking",
        f"CREATE VIEW tracking AS {ENDLESS} AS application_name, n AS notification_id FROM more",
    ),
    "an endless view in the place of the journal's id": (
        "DROP TABLE journal",
        f"CREATE VIEW journal AS {ENDLESS} AS number, 'id' AS kind, 'x' AS value, n AS position FROM more",
    ),
    "a content of 200 MB": ("UPDATE stored_events SET state=zeroblob(200000000) WHERE position=3",),
    "a content of text": ("UPDATE stored_events SET state='{}' WHERE position=3",),
    "a content that is no JSON": ("UPDATE stored_events SET state=x'ff00' WHERE position=3",),
    "a hundred thousand brackets": (
        "UPDATE stored_events SET state=CAST(replace(hex(zeroblob(50000)), '00', '[[') AS BLOB) WHERE position=3",
    ),
    "nested data": (
        'UPDATE stored_events SET state=CAST(\'{"metadata":{"recorded_at":1},"data":\' || '
        "replace(hex(zeroblob(50000)), '00', '{\"a\":') || '1' || replace(hex(zeroblob(50000)), '00', '}') || '}' "
        "AS BLOB) WHERE position=3",
    ),
    "a number of many digits": (
        'UPDATE stored_events SET state=CAST(\'{"metadata":{"recorded_at":\' || '
        "replace(hex(zeroblob(5000)), '00', '99') || '},\"data\":{\"session_id\":\"s-3\"}}' AS BLOB) WHERE position=3",
    ),
    "a stream that is a blob": ("UPDATE stored_events SET originator_id=x'00ff' WHERE position=3",),
    "a stream of 20 MB": ("UPDATE stored_events SET originator_id=hex(zeroblob(10000000)) WHERE position=3",),
    "a type of 15 MB": ("UPDATE stored_events SET topic=hex(zeroblob(7500000)) WHERE position=3",),
    "a type that is a blob": ("UPDATE stored_events SET topic=x'00' WHERE position=3",),
    "a version that is text": ("UPDATE stored_events SET originator_version='one' WHERE position=3",),
    "positions that are text": (
        "ALTER TABLE stored_events RENAME TO kept",
        AS_TABLE.format("TEXT"),
        COPIED,
        "UPDATE stored_events SET position='p' || position",
    ),
    "positions that are nothing": (
        "ALTER TABLE stored_events RENAME TO kept",
        AS_TABLE.format("INTEGER"),
        COPIED,
        "UPDATE stored_events SET position=NULL WHERE position>5",
    ),
    "a negative position": ("UPDATE stored_events SET position=-9 WHERE position=3",),
    "the greatest position": ("UPDATE stored_events SET position=9223372036854775807 WHERE position=12",),
    "a generated content": (
        "ALTER TABLE stored_events RENAME TO kept",
        "CREATE TABLE stored_events (position INTEGER PRIMARY KEY, originator_id, originator_version, topic, "
        "state GENERATED ALWAYS AS (zeroblob(900000000)))",
        "INSERT INTO stored_events (position, originator_id, originator_version, topic) "
        "SELECT position, originator_id, originator_version, topic FROM kept",
    ),
    "other columns": ("ALTER TABLE stored_events RENAME COLUMN state TO content",),
    "rows of a table that are blobs": ("UPDATE {owners} SET owner=x'ff', generation='many'",),
    "a row of a table of 200 MB": ("UPDATE {owners} SET owner=zeroblob(200000000) WHERE since=2",),
    "tracking that is text": ("UPDATE tracking SET notification_id='far'",),
    "an id that is a blob": ("UPDATE journal SET value=x'00', position='here'",),
    "a thousand tables of somebody's": tuple(f"CREATE TABLE host_{number} (n)" for number in range(1_000)),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        for number in range(1, EVENTS // 2 + 1):
            journal.sessions.open(f"s-{number}")
            journal.sessions.claim(f"s-{number}", "alice")
        journal.catch_up()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    path.with_name("journal.db-turns").unlink()
    return path


@pytest.mark.parametrize("edit", EDITS)
def test_a_hostile_file_ends_in_an_answer_or_a_typed_error(edit: str, prepared: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    shutil.copy(prepared, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        (owners,) = (name for name in names if "owners" in name)
        for statement in EDITS[edit]:
            connection.execute(statement.replace("{owners}", owners))
    done = subprocess.run(
        [sys.executable, "-c", BOUND, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
