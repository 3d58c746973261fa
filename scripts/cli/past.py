"""Commands on the past: a moment, what changed between two, what a row ever was, and since when."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any, Final

import click
from muniment.domain import InvalidArgument
from muniment.domain.shown import utc
from muniment.journal import Journal, Moment, RowChange
from muniment.scripts.cli.base import (
    MomentCommand,
    as_typed,
    at_option,
    cli,
    journal_options,
    moment_of,
    noted,
    open_caught_up,
    tables_at,
    without_timeline,
)
from muniment.scripts.describe import what_happened
from muniment.scripts.output import envelope, record_to_plain, show, table, to_plain, utc_or_none, with_times

_NUMBER: Final = re.compile(r"-?\d{1,19}", re.ASCII)


@cli.command("at", cls=MomentCommand)
@click.argument("moment")
@click.option("--table", "name", metavar="TABLE", help="The rows of this table then, instead of how many each has.")
@journal_options
def show_moment(moment: str, name: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show a moment: its position, the event at it, and how many rows each table had.

    MOMENT is a position, an event's id, a time, HEAD, or HEAD~3.
    """
    with open_caught_up(url, lock_timeout) as journal:
        then = moment_of(journal, moment)
        event, rows = then.event, None if name is None else _rows(then, name)
        counts = {each: len(found) for each, found in then.tables.items()} if rows is None else {}
        time = then.time
    if as_json:
        facts = {
            "time": utc_or_none(time),
            "notes": list(then.notes),
            "event": None if event is None else record_to_plain(event),
            **({"tables": counts} if rows is None else {"table": name, "rows": [to_plain(each) for each in rows]}),
        }
        envelope("at", facts, journal=journal.url, position=then.position)
        return
    if rows is None:
        about = [("position", then.position), ("time", utc_or_none(time))]
        if event is not None:
            about += [("event", event.id), ("type", event.type), ("what", what_happened(event))]
        show(table(f"{journal.url} as of position {then.position}", ["", ""], about))
        show(table("Rows in each table", ["table", "rows"], [each for each in counts.items() if each[1]]))
        return
    columns = list(rows[0]) if rows else ["key"]
    title = f"{name} in {journal.url} as of position {then.position}"
    show(table(title, columns, [[each.get(column) for column in columns] for each in rows]))


def _rows(then: Moment, name: str) -> list[dict[str, Any]]:
    """A table's rows, as columns by name."""
    stored = then.stored(name)
    return [
        {
            **dict(zip(stored.key_columns, key if isinstance(key, tuple) else (key,), strict=True)),
            **row.values,
            "since": row.since,
        }
        for key, row in stored.items()
    ]


@cli.command(cls=MomentCommand)
@click.argument("start")
@click.argument("end", required=False)
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Only this table; may be given again.")
@click.option(
    "--key",
    multiple=True,
    metavar="KEY",
    help="Only rows whose key begins with this; given again, with one --table, its next column.",
)
@click.option("--every", is_flag=True, help="Each change on the way, instead of what is left of them all.")
@journal_options
def diff(
    start: str,
    end: str | None,
    tables: tuple[str, ...],
    key: tuple[str, ...],
    every: bool,
    url: str,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """Show what changed between two moments, given as A..B, or apart.

    Either end of A..B may be left out, and a single moment is compared with now. The timeline, which every event
    changes, is only shown where it is named. Exits with 1 if anything changed.
    """
    if len(key) > 1 and len(tables) != 1:
        # Only a table tells which of its columns are numbers.
        raise InvalidArgument("--key", "goes with one --table where it is given again")
    with open_caught_up(url, lock_timeout) as journal:
        first, last = map(noted, journal.between(start, end))
        columns = _key_columns(journal, tables, key)
        found = without_timeline(journal.diff(first, last, tables=tables, key=columns or None, every=every), tables)
    if as_json:
        envelope("diff", found.to_json(), journal=journal.url, position=found.end)
    elif found:
        title = f"{journal.url}, what changed behind position {found.start} and up to {found.end}"
        show(table(title, ["position", "table", "key", "what changed", "event"], _changed(found)))
    else:
        show(str(found))
    sys.exit(1 if found else 0)


def _changed(found: Iterable[RowChange]) -> Iterable[tuple[object, ...]]:
    for each in found:
        yield each.position, each.table, ", ".join(map(str, each.parts)), each.how, each.event_id


@cli.command(cls=MomentCommand)
@click.argument("name", metavar="TABLE")
@click.argument("key", nargs=-1, required=True)
@journal_options
def history(name: str, key: tuple[str, ...], url: str, lock_timeout: float, as_json: bool) -> None:
    """Show every row that a key of a table ever had. A key of several columns is given as several arguments."""
    with open_caught_up(url, lock_timeout) as journal:
        rows = journal.history(name, _key(journal, name, key))
    if as_json:
        data = [to_plain(each) for each in rows]
        envelope("history", data, journal=journal.url)
        return
    columns = list(rows[0].values) if rows else []
    cells = [(each.since, each.until, *each.values.values(), each.event_id) for each in rows]
    title = f"{name} {', '.join(key)} in {journal.url}"
    show(table(title, ["since", "until", *columns, "event"], cells))


@cli.command(cls=MomentCommand)
@click.argument("name", metavar="TABLE")
@click.argument("key", nargs=-1, required=True)
@at_option
@journal_options
def blame(name: str, key: tuple[str, ...], at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show which event gave each column of a row its value, when, and on whose behalf."""
    with open_caught_up(url, lock_timeout) as journal:
        then = tables_at(journal, at)
        found = journal.blame(name, _key(journal, name, key), then)
    if as_json:
        envelope("blame", with_times(to_plain(found)), journal=journal.url, position=then.position)
        return
    rows = [
        (column, each.value, each.position, utc(each.time), each.actor, each.event_id, each.type)
        for column, each in found.items()
    ]
    title = f"{name} {', '.join(key)} in {journal.url} as of position {then.position}"
    columns = ["column", "value", "position", "time", "actor", "event", "type"]
    show(table(title, columns, rows, stacked=("event", "type")))


def _key(journal: Journal, name: str, typed: tuple[str, ...]) -> Any:
    """A key as the library takes it: what is typed for a column of numbers is a number."""
    columns = _key_columns(journal, (name,), typed)
    return columns[0] if len(columns) == 1 else columns


def _key_columns(journal: Journal, tables: tuple[str, ...], typed: tuple[str, ...]) -> tuple[str | int, ...]:
    if not typed:
        return ()
    kinds = journal.stored(tables[0]).key_columns if tables else {}
    columns: list[str | int] = []
    for place, each in enumerate(map(as_typed, typed)):
        kind = list(kinds.values())[place] if place < len(kinds) else str
        if kind is int and not _NUMBER.fullmatch(each):
            raise InvalidArgument(list(kinds)[place], f"must be a number, not {each!r}")
        columns.append(int(each) if kind is int else each)
    return tuple(columns)
