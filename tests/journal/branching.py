"""What a branch is compared to: a journal that was really made of the same events, and asked the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from muniment.journal import Journal
from muniment.projections import TemporalTable


def twin_of(journal: Journal, position: int, clock: Callable[[], int]) -> Journal:
    """A real journal, in memory, that holds the events up to a position."""
    twin = Journal.open("memory://", clock=clock)
    twin.import_export(list(islice(journal.export(), position)), unmarked=True)
    return twin


def tables_of(journal: Journal) -> dict[str, list[Any]]:
    """Every row that every table ever had, with the positions at which it began and ended."""
    head = journal.catch_up()
    return {table.name: list(journal._store.scan(table, head)) for table in journal._store.tables}


def records_of(journal: Journal) -> list[Any]:
    return list(journal.read())


def require_same_answers(branch: Journal, twin: Journal) -> None:
    """Make sure that a branch answers whatever its tables and events can be asked as a journal of its own would."""
    assert records_of(branch) == records_of(twin)
    assert tables_of(branch) == tables_of(twin)
    head = twin.head()
    assert branch.usage() == twin.usage()
    for (name, asked), expected in zip(_answers(branch, head), _answers(twin, head), strict=True):
        assert (name, asked) == expected


def _answers(journal: Journal, head: int) -> Iterator[tuple[str, Any]]:
    recorder, store = journal.application.recorder, journal._store
    for start in {0, 1, head // 3, head // 2, head - 1, head}:
        yield f"rows behind {start}", [row for page in recorder.pages(start, size=3) for row in page]
        yield f"three from {start}", recorder.select_notifications(start, 3)
        yield f"up to {start}", recorder.select_notifications(None, 100, start)
        yield f"opened {start}", recorder.select_notifications(start, 5, topics=["session.opened.v1"])
        yield f"the last from {start}", recorder.select_notifications(start, 4, desc=True)
        yield f"the last up to {start}", recorder.select_notifications(None, 4, start, desc=True)
        yield f"usage {start}", recorder.usage(start)
    yield "names", recorder.names(range(1, head + 1))
    yield "streams", [recorder.streams_from(name, most) for name in ("", "session-s-0", "t") for most in (1, 2, 100)]
    for stream in sorted({record.stream for record in journal.read()}):
        yield from ((f"{stream} {bounds}", recorder.select_recorded(stream, **bounds)) for bounds in _bounds(head))
    for table in store.tables:
        yield from ((f"{table.name}: {name}", answer) for name, answer in _of_table(store, table, head))


def _bounds(head: int) -> Iterator[dict[str, Any]]:
    yield from ({"desc": desc, "limit": limit} for desc in (False, True) for limit in (None, 1, 3))
    for position in {0, head // 3, head // 2, head}:
        yield {"behind": position}
        yield {"through": position, "desc": True, "limit": 2}
        yield {"gt": 1, "lte": 4, "behind": position}


def _of_table(store: Any, table: TemporalTable, head: int) -> Iterator[tuple[str, Any]]:
    rows = list(store.scan(table, head))
    keys = sorted({tuple(row[: len(table.key)]) for row in rows})
    yield "last", [store.last_position(table, through) for through in range(head + 1)]
    for position in (None, *range(head + 1)):
        yield f"as of {position}", store.select(table, position)
        yield f"count as of {position}", store.count(table, position)
        yield f"each as of {position}", [store.get(table, position, key) for key in keys]
        for limit in (1, 2):
            yield f"{limit} as of {position}", store.select(table, position, limit=limit)
            yield f"{limit} late as of {position}", store.select(table, position, after=head // 2, limit=limit)
        for column in table.ordered:
            bounds = {"between": (column, 0, 10**15), "order": (column,)}
            yield f"by {column} as of {position}", store.select(table, position, **bounds)
            yield f"first by {column} as of {position}", store.select(table, position, limit=1, **bounds)
        for where in _where(table, rows):
            yield f"{where} as of {position}", store.select(table, position, where)
            yield f"count {where} as of {position}", store.count(table, position, where)
    for start in range(0, head + 1, 3):
        for end in {start, start + 1, head // 2, head}:
            yield f"began {start}..{end}", store.began(table, start, end)
            yield f"ended {start}..{end}", store.ended(table, start, end)
            yield f"changed {start}..{end}", store.changed(table, start, end)
    for key in keys:
        for limit in (1, 2, 100):
            yield f"versions of {key}", [store.versions(table, key, before, limit) for before in range(head + 2)]
    for column in table.lookup:
        for value in {row[[*table.key, *table.columns].index(column)] for row in rows} - {None}:
            yield f"latest {column} {value}", store.latest(table, column, value)


def _where(table: TemporalTable, rows: list[Any]) -> Iterator[Mapping[str, Any]]:
    for column in table.lookup:
        place = [*table.key, *table.columns].index(column)
        yield from ({column: value} for value in {row[place]: None for row in rows})
