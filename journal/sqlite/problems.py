"""What is wrong with an SQLite file below the events: its pages, its schema, and what lies behind the last page."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..storage.identity import FIRST_FORMAT
from ..storage.identity_table import TABLE

_EVENTS: Final = "stored_events"
_MAX_ERRORS: Final = 100
_SCHEMA: Final = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_FOREIGN_KEYS: Final = (
    'SELECT master.name, keys."table" FROM sqlite_master AS master, pragma_foreign_key_list(master.name) AS keys '
    "WHERE master.type='table'"
)


class _Item(NamedTuple):
    """A table, index or trigger as it is declared."""

    kind: str
    table: str
    sql: str


def problems(
    cursor: sqlite3.Cursor, expected: dict[str, _Item], path: Path | None, *, begins_after: int = 0
) -> Iterator[str]:
    """Say what is wrong.

    Args:
        cursor: of a transaction.
        expected: what a journal's database holds; see ``schema``.
        path: the file; None for a database in memory.
        begins_after: the position that comes before its first event.
    """
    cursor.row_factory = None
    yield from _pages(cursor, path)
    if _value(cursor, "PRAGMA user_version") <= FIRST_FORMAT:
        # In a journal of the first format, a table of that name is somebody else's.
        expected = {name: item for name, item in expected.items() if item.table != TABLE}
    yield from _differences(expected, schema(cursor))
    ours = {item.table for item in expected.values()}
    for host, table in cursor.execute(_FOREIGN_KEYS).fetchall():
        if str(table).lower() in ours and host not in ours:
            yield f"the table {host!r:.100} has a foreign key on {table}, which is none of Muniment's"
    yield from _sequence(cursor, begins_after)


def schema(cursor: sqlite3.Cursor) -> dict[str, _Item]:
    """Every table, index and trigger of a database by name, but for those that SQLite makes by itself."""
    cursor.row_factory = None
    return {
        str(name): _Item(str(kind), str(table).lower(), _plain(str(sql)))
        for kind, name, table, sql in cursor.execute(_SCHEMA).fetchall()
    }


def _pages(cursor: sqlite3.Cursor, path: Path | None) -> Iterator[str]:
    found = [row[0] for row in cursor.execute(f"PRAGMA integrity_check({_MAX_ERRORS})").fetchall()]
    yield from (str(problem) for problem in found if problem != "ok")
    if path is not None:
        held = _value(cursor, "PRAGMA page_count") * _value(cursor, "PRAGMA page_size")
        size = path.stat().st_size
        if size > held:
            yield f"the file has {size - held} bytes behind its last page"


def _differences(expected: dict[str, _Item], found: dict[str, _Item]) -> Iterator[str]:
    for name, item in sorted(expected.items()):
        there = found.get(name)
        if there is None:
            if _has_to_be(item, found):
                yield f"the {item.kind} {name} is missing"
        elif there != item:
            yield f"the {item.kind} {name} does not read as Muniment made it: {there.sql:.300}"
    ours = {item.table for item in expected.values()}
    for name, item in sorted(found.items()):
        if name not in expected and item.table in ours:
            yield f"the {item.kind} {name:.100} on {item.table} is none of Muniment's"


def _has_to_be(item: _Item, found: dict[str, _Item]) -> bool:
    """Whether an item has to be there; of other tables than the events' it is told elsewhere that they are missing."""
    return item.table == _EVENTS or (item.kind != "table" and item.table in found)


def _sequence(cursor: sqlite3.Cursor, begins_after: int) -> Iterator[str]:
    """Positions are given by a sequence that only goes on, so that a deleted end shows."""
    last = _value(cursor, f"SELECT COALESCE(MAX(position), {begins_after}) FROM {_EVENTS}")
    rows = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name=?", [_EVENTS]).fetchall()
    given = rows[0][0] if len(rows) == 1 else 0
    if not isinstance(given, int) or len(rows) > 1 or given != last:
        yield f"the counter of positions is at {given!r:.100}, and the last event is at {last}"


def _value(cursor: sqlite3.Cursor, statement: str) -> Any:
    return cursor.execute(statement).fetchone()[0]


def _plain(sql: str) -> str:
    """A declaration as it reads before and after its table was renamed, which puts the name in quotes."""
    return sql.replace('"', "")
