"""What changed between moments, what a row ever was, and which event gave it its values."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st
from muniment.domain import InvalidArgument, InvalidKey, MomentsReversed, UnknownPosition, UnknownRow, UnknownTable
from muniment.journal import Diff, Journal

from ..random_journals import FILLINGS, fill, named, prefix, stored, values


def applied(rows: dict[str, dict[Any, Any]], diff: Diff) -> dict[str, dict[Any, Any]]:
    """The tables after changes; each must find the row as it says that it was."""
    after = {name: dict(table) for name, table in rows.items()}
    for change in diff:
        table = after[change.table]
        assert table.get(change.key) == change.was
        if change.now is None:
            del table[change.key]
        else:
            table[change.key] = change.now
    return after


@given(filling=FILLINGS, at=st.integers(0, 1_000))
def test_the_tables_of_a_moment_are_the_fold_of_what_was_before(filling: Any, at: int) -> None:
    with Journal.open("memory://") as journal:
        position = at % (fill(journal, filling) + 1)
        then = journal.at(position)
        with prefix(journal, position) as made:
            assert stored(then) == stored(made)
            assert named(then) == named(made)
            for name, read in (("s-0", "session"), ("chat", "bundle"), ("c", "conversation")):
                assert told(then, read, name) == told(made, read, name)


def told(tables: Any, read: str, name: str) -> Any:
    """A view, or the error that there is none."""
    try:
        return getattr(tables, read)(name)
    except Exception as error:
        return type(error)


@given(filling=FILLINGS, at=st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)))
def test_what_differs_leads_from_one_moment_to_the_other(filling: Any, at: tuple[int, int]) -> None:
    with Journal.open("memory://") as journal:
        head = fill(journal, filling)
        start, end = sorted(each % (head + 1) for each in at)
        before, after = values(journal.at(start)), values(journal.at(end))
        net, every = journal.diff(start, end), journal.diff(start, end, every=True)
        assert applied(before, net) == after
        assert applied(before, every) == after
        # Of one row there is one net change, and it is what an event in between did last.
        assert len({(change.table, change.key) for change in net}) == len(net)
        for change in (*net, *every):
            assert start < change.position <= end
            record = journal.record(change.position)
            assert (change.event_id, change.type) == (record.id, record.type)
            assert change.was != change.now
            was, now = change.was or {}, change.now or {}
            names = was.keys() | now.keys()
            is_whole = change.was is None or change.now is None
            assert set(change.columns) == {name for name in names if is_whole or was[name] != now[name]}
        last = {(change.table, change.key): change.position for change in every}
        assert all(change.position == last[change.table, change.key] for change in net)


@given(filling=FILLINGS, at=st.integers(0, 1_000))
def test_blame_names_the_event_since_which_a_column_has_its_value(filling: Any, at: int) -> None:
    with Journal.open("memory://") as journal:
        position = at % (fill(journal, filling) + 1)
        past = [values(journal.at(each)) for each in range(position + 1)]
        for table, rows in past[position].items():
            for key, row in rows.items():
                blamed = journal.blame(table, key, position)
                assert {name: blame.value for name, blame in blamed.items()} == row
                for name, blame in blamed.items():
                    kept = position
                    while (earlier := past[kept - 1][table].get(key)) is not None and earlier[name] == row[name]:
                        kept -= 1
                    # An event may set a row to what it was already; the one that made the row differ is named.
                    assert blame.position == kept, (table, key, name)
                    record = journal.record(kept)
                    assert (blame.event_id, blame.time) == (record.id, record.metadata.recorded_at)


@given(filling=FILLINGS)
def test_the_history_of_a_row_is_what_it_was_at_every_position(filling: Any) -> None:
    with Journal.open("memory://") as journal:
        head = fill(journal, filling)
        past = [stored(journal.at(each)) for each in range(head + 1)]
        for table in past[head]:
            for key in {key for tables in past for key in tables[table]}:
                rows = journal.history(table, key)
                for position in range(head + 1):
                    held = [row for row in rows if row.since <= position < (row.until or head + 1)]
                    expected = past[position][table].get(key)
                    assert [(row.values, row.since) for row in held] == ([] if expected is None else [expected])
                assert all(row.event_id == journal.record(row.since).id for row in rows)


def handed_over(journal: Journal) -> None:
    with journal.context(actor="supervisor"):
        journal.sessions.open("s-1")
        held = journal.sessions.claim("s-1", "alice")
    journal.sessions.open("s-2")
    held = journal.sessions.transfer(held, "bob")
    journal.sessions.release(held)


def test_on_every_engine(journal: Journal) -> None:
    handed_over(journal)
    diff = journal.diff(2, 4, tables=["owners"])
    assert [(each.key, each.columns, each.position, each.event_id) for each in diff] == [
        ("s-2", ("owner", "generation", "scope", "status"), 3, "session-s-2@1"),
        ("s-1", ("owner", "generation"), 4, "session-s-1@3"),
    ]
    assert [each.position for each in journal.diff("1..", tables=["owners"], key="s-1", every=True)] == [2, 4, 5]
    assert [each.key for each in journal.diff(0, key=("s-1",), tables=["owners", "sessions"])] == ["s-1", "s-1"]
    assert len(journal.diff(5)) == 0
    rows = journal.history("owners", "s-1")
    assert [(row.values["owner"], row.since, row.until) for row in rows] == [
        (None, 1, 2),
        ("alice", 2, 4),
        ("bob", 4, 5),
        (None, 5, None),
    ]
    blamed = journal.blame("owners", "s-1", at="session-s-1@3")
    assert {name: (each.value, each.position, each.actor) for name, each in blamed.items()} == {
        "owner": ("bob", 4, None),
        "generation": (2, 4, None),
        "scope": ('"session"', 2, "supervisor"),
        "status": ("active", 1, "supervisor"),
    }


def test_how_a_difference_reads(journal: Journal) -> None:
    handed_over(journal)
    diff = journal.diff(2, 5, tables=["owners"], every=True)
    assert str(diff).splitlines() == [
        "3  owners s-2: new; status active  (session-s-2@1 session.opened.v1)",
        "4  owners s-1: owner alice -> bob; generation 1 -> 2  (session-s-1@3 session.ownership_transferred.v1)",
        '5  owners s-1: owner bob -> nothing; generation 2 -> nothing; scope "session" -> nothing'
        "  (session-s-1@4 session.ownership_released.v1)",
    ]
    plain = json.loads(json.dumps(diff.to_json()))
    assert (plain["from"], plain["to"], len(plain["changes"])) == (2, 5, 3)
    assert plain["changes"][1]["was"]["owner"] == "alice"
    assert str(journal.diff(5, 5)) == "nothing differs between positions 5 and 5"
    assert repr(diff) == "<Diff 2..5: 3 changes>"


def test_what_makes_no_sense(journal: Journal) -> None:
    handed_over(journal)
    head = journal.head()
    for error, ask in (
        (UnknownTable, lambda: journal.diff(0, tables=["owner"])),
        (UnknownTable, lambda: journal.history("nothing", "s-1")),
        (UnknownTable, lambda: journal.blame(cast(Any, 7), "s-1")),
        (InvalidKey, lambda: journal.history("owners", 1)),
        (InvalidKey, lambda: journal.history("owners", ("s-1", 2))),
        (InvalidKey, lambda: journal.history("witnesses", "s-1")),
        (InvalidKey, lambda: journal.diff(0, key=("s-1", 1), tables=["owners"])),
        (InvalidKey, lambda: journal.diff(0, key=1.5)),
        (UnknownRow, lambda: journal.blame("owners", "s-9")),
        (UnknownRow, lambda: journal.blame("owners", "s-2", 2)),
        (MomentsReversed, lambda: journal.diff(3, 2)),
        (UnknownPosition, lambda: journal.diff(0, 6)),
        (InvalidArgument, lambda: journal.diff(0, tables=cast(Any, "owners"))),
        (InvalidArgument, lambda: journal.diff(0, every=cast(Any, 1))),
    ):
        with pytest.raises(error):
            ask()
    assert journal.history("owners", "s-9") == ()
    assert journal.history("owners", "x" * 10_000) == ()
    assert journal.history("owners", "\0") == ()
    assert journal.head() == head
    with pytest.raises(UnknownTable, match="did you mean owners"):
        journal.history("ownrs", "s-1")
