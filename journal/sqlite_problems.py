"""What is wrong with an SQLite file as a journal's storage: pages, schema, triggers, counters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from ..projections import PREFIX, TRACKING
from .identity_table import FORMAT, TABLE
from .sqlite_identity import STATEMENTS

_EVENTS: Final = "stored_events"
_SHOWN: Final = 80

Schema = dict[tuple[str, str], tuple[str, str | None]]
"""What a database holds: its tables, indexes, triggers and views by kind and name, with their table and their SQL."""


def problems(cursor: Any, statements: Iterable[str], path: Path | None) -> Iterator[str]:
    """Say what is wrong with a file.

    Tables of a host beside a journal's are no problem. What a host puts on the journal's is one.

    Args:
        cursor: reads the file, in one transaction.
        statements: what makes the table of events.
        path: the file; None for one in memory.
    """
    cursor.row_factory = None
    yield from (row[0] for row in cursor.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok")
    schema = _read(cursor)
    ((version,),) = cursor.execute("PRAGMA user_version").fetchall()
    # Before the table journal there may be one of the host's of that name. That it is missing is told elsewhere.
    expected = _expected(statements, has_identity=version >= FORMAT and ("table", TABLE) in schema)
    ours = {name for kind, name in {*schema, *expected} if kind in ("table", "view") and _is_ours(name, version)}
    yield from _schema_problems(schema, expected, ours)
    yield from _foreign_keys(cursor, schema, ours)
    yield from _counter_problems(cursor)
    if path is not None:
        yield from _size_problems(cursor, path)


def _read(cursor: Any) -> Schema:
    rows = cursor.execute("SELECT type, lower(name), lower(tbl_name), sql FROM sqlite_master").fetchall()
    return {(kind, name): (table, sql) for kind, name, table, sql in rows}


def _expected(statements: Iterable[str], *, has_identity: bool) -> Schema:
    """What a new journal holds, as SQLite itself writes it down."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in (*statements, *(STATEMENTS if has_identity else ())):
            connection.execute(statement)
        return _read(connection.cursor())
    finally:
        connection.close()


def _is_ours(table: str, version: int) -> bool:
    if table == TABLE:
        return version >= FORMAT
    return table in (_EVENTS, TRACKING) or table.startswith(PREFIX)


def _schema_problems(schema: Schema, expected: Schema, ours: set[str]) -> Iterator[str]:
    for (kind, name), (table, sql) in sorted(expected.items()):
        if name.startswith("sqlite_") and kind == "table":
            continue
        if (kind, name) not in schema:
            what = ", which refuses changes," if kind == "trigger" else ""
            yield f"the {kind} {name}{what} is missing"
        elif schema[kind, name] != (table, sql):
            yield f"the {kind} {name} does not read as Muniment made it: {str(schema[kind, name][1])[:_SHOWN]}"
    own = {table for table, _ in expected.values()}
    for (kind, name), (table, _) in sorted(schema.items()):
        is_strange = kind == "trigger" and table in ours and (kind, name) not in expected
        is_index = kind == "index" and table in own and (kind, name) not in expected
        if is_strange or is_index:
            yield f"the {kind} {name[:_SHOWN]} on {table} is none of Muniment's"


def _foreign_keys(cursor: Any, schema: Schema, ours: set[str]) -> Iterator[str]:
    for kind, name in sorted(schema):
        if kind != "table" or name.startswith("sqlite_"):
            continue
        rows = cursor.execute('SELECT lower("table") FROM pragma_foreign_key_list(?)', (name,)).fetchall()
        for target in sorted({target for (target,) in rows if target in ours}):
            yield f"the table {name[:_SHOWN]} has a foreign key on {target}, which is none of Muniment's"


def _counter_problems(cursor: Any) -> Iterator[str]:
    """The counter of positions stands where the last event does, or events were deleted from the end."""
    ((head,),) = cursor.execute(f"SELECT COALESCE(MAX(position), 0) FROM {_EVENTS}").fetchall()
    rows = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name=? LIMIT 2", (_EVENTS,)).fetchall()
    found = [seq for (seq,) in rows] or [0]
    if found != [head]:
        yield f"the counter of positions is at {str(found[0])[:_SHOWN]}, and the last event is at {head}"


def _size_problems(cursor: Any, path: Path) -> Iterator[str]:
    """Nothing stands behind the last page. Pages that are in the log alone may be missing from the file."""
    ((pages,),) = cursor.execute("PRAGMA page_count").fetchall()
    ((size,),) = cursor.execute("PRAGMA page_size").fetchall()
    length = path.stat().st_size
    if length > pages * size:
        yield f"the file has {length - pages * size} bytes behind its last page"
