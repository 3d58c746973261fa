"""Which journal it is: its id, the copies that were put in service, and the cursors that tell them apart."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import InvalidArgument, JournalNotEmpty, JournalReadOnly, MunimentError, OtherPast, UnknownPosition
from muniment.journal import AsyncJournal, Journal, restore
from muniment.journal.storage.identity_table import FORMAT

from ..drawing import drawn
from .processes import finish, start_at_once

Put = Callable[[Journal], Journal]
"""Puts a copy of a journal in service at a new place, and opens it there."""


def fill(journal: Journal, *names: str) -> None:
    for name in names:
        journal.sessions.open(name)


def followed(journal: Journal, after: int | str) -> list[str]:
    """The streams of the events behind a cursor that are there already."""
    with journal.follow(after) as following:
        return [next(following).stream for _ in range(journal.head() - journal.position_of(after))]


@pytest.fixture(params=["backup", "import", "restore"])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Put]:
    opened: list[Journal] = []

    def restored(journal: Journal) -> Journal:
        path = tmp_path / f"copy-{len(opened)}.db"
        if request.param == "backup":
            journal.backup(path)
        if request.param == "restore":
            journal.backup(tmp_path / f"kept-{len(opened)}.db")
            restore(tmp_path / f"kept-{len(opened)}.db", f"sqlite:///{path}")
        copy = Journal.open(f"sqlite:///{path}")
        opened.append(copy)
        if request.param == "import":
            copy.import_export(journal.export())
        return copy

    yield restored
    for copy in opened:
        copy.close()


def test_a_journal_has_an_id_and_a_format_from_its_making(journal: Journal) -> None:
    made = journal.identity
    assert re.fullmatch("[0-9a-f]{32}", made.id or "")
    assert (made.formats, made.restores, made.is_copy) == (((FORMAT, 0),), (), False)
    fill(journal, "s-1", "s-2")
    assert journal.identity == made
    assert journal.verify().findings == ()
    with Journal.open("memory://") as another:
        assert another.identity.id != made.id


def test_a_cursor_goes_on_where_it_stood(journal: Journal) -> None:
    assert journal.cursor() == journal.cursor(0)
    fill(journal, "s-1", "s-2", "s-3")
    assert journal.cursor() == journal.cursor(3)
    assert followed(journal, journal.cursor(1)) == followed(journal, 1) == ["session-s-2", "session-s-3"]
    assert [record.position for record in journal.read(journal.cursor(2))] == [3]


def test_a_cursor_outlives_the_process(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        fill(journal, "s-1", "s-2")
        cursor = journal.cursor(1)
    with Journal.open(shared_url) as journal, Journal.open(shared_url, read_only=True) as reader:
        assert journal.cursor(1) == reader.cursor(1) == cursor
        assert followed(reader, cursor) == ["session-s-2"]


@pytest.mark.parametrize("after", [4, 2**63 - 1])
def test_no_consumer_stands_behind_the_end(journal: Journal, after: int) -> None:
    fill(journal, "s-1", "s-2", "s-3")
    cursor = re.sub("[0-9]+$", str(after), journal.cursor())
    for beyond in (after, cursor):
        with pytest.raises(UnknownPosition) as caught:
            journal.follow(beyond)
        assert caught.value.facts() == {"position": after, "head": 3}
    for beyond in (after, cursor):
        with pytest.raises(UnknownPosition):
            list(journal.read(beyond))
    assert list(journal.read(3)) == []
    with pytest.raises(UnknownPosition):
        journal.cursor(after)
    with journal.follow(3) as following:
        fill(journal, "s-4")
        assert next(following).position == 4


@pytest.mark.parametrize(
    "cursor",
    ["", "3", "abc", "-0-3", "0-0-0", f"{'a' * 32}-0-", f"{'a' * 32}-0--1", f"{'a' * 32}-0-01", f"{'A' * 32}-0-1",
     f"{'a' * 32}-{'b' * 31}-1", f"{'a' * 32}-0-1\n", f"{'a' * 32}-0-{2**63}", f"{'a' * 32}-0-{'9' * 5_000}",
     f"{'a' * 32}-0-٣", "\udcff", "x" * 10**6],
)  # fmt: skip
def test_what_is_no_cursor(cursor: str) -> None:
    with Journal.open("memory://") as journal:
        for ask in (journal.follow, journal.position_of, lambda after: list(journal.read(after))):
            with pytest.raises(InvalidArgument) as caught:
                ask(cursor)
            assert len(str(caught.value)) < 300


@pytest.mark.parametrize("after", [None, 1.0, True, -1, 2**63, b"3", float("nan"), [], object()])
def test_what_is_no_position(after: object) -> None:
    with Journal.open("memory://") as journal:
        for ask in (journal.follow, journal.position_of, lambda after: list(journal.read(after))):
            with pytest.raises(InvalidArgument):
                ask(after)  # type: ignore[arg-type]
        if after is not None:
            with pytest.raises(InvalidArgument):
                journal.cursor(after)  # type: ignore[arg-type]


def test_a_cursor_of_another_journal(journal: Journal) -> None:
    fill(journal, "s-1")
    with Journal.open("memory://") as another:
        fill(another, "s-1")
        with pytest.raises(OtherPast) as caught:
            journal.follow(another.cursor())
        assert (caught.value.journal, caught.value.shared) == (journal.identity.id, 0)
        assert str(journal.identity.id) in str(caught.value)
        assert str(another.identity.id) in str(caught.value)


def test_a_copy_in_service_refuses_cursors_of_events_that_it_lacks(journal: Journal, put: Put) -> None:
    fill(journal, "s-1", "s-2")
    copy = put(journal)
    fill(journal, "lost-3", "lost-4")
    before, lost, last = journal.cursor(1), journal.cursor(3), journal.cursor(4)
    taken_over = journal.cursor(2)
    assert copy.cursor() == taken_over
    # It lacks them already, and who follows it would wait for positions that come again.
    with pytest.raises(UnknownPosition):
        copy.follow(lost)
    fill(copy, "new-3", "new-4", "new-5")
    for cursor, position in ((lost, 3), (last, 4)):
        with pytest.raises(OtherPast) as caught:
            copy.follow(cursor)
        restore = copy.identity.restores[0]
        assert caught.value.facts() == {
            "cursor": cursor,
            "journal": journal.identity.id,
            "restore": restore.id,
            "position": position,
            "shared": 2,
        }
        assert "begin again behind position 2" in str(caught.value)
    assert followed(copy, before) == ["session-s-2", "session-new-3", "session-new-4", "session-new-5"]
    assert followed(copy, taken_over) == ["session-new-3", "session-new-4", "session-new-5"]
    with pytest.raises(OtherPast) as caught:
        journal.follow(copy.cursor(3))
    assert caught.value.shared is None
    assert journal.cursor(2) == copy.cursor(2)
    for each in (journal, copy):
        assert each.verify().findings == ()


def test_a_copy_is_told_apart_when_it_is_first_written_to_and_once(journal: Journal, put: Put) -> None:
    fill(journal, "s-1", "s-2")
    copy = put(journal)
    len(copy.owners)
    copy.replay()
    assert not copy.identity.restores
    with pytest.raises(MunimentError):
        copy.sessions.claim("never opened", "alice")
    assert not copy.identity.restores
    fill(copy, "s-3")
    (restore,) = copy.identity.restores
    assert restore.after == 2
    fill(copy, "s-4", "s-5")
    assert copy.identity.restores == (restore,)
    assert copy.identity.id == journal.identity.id
    assert journal.identity.restores == ()


def test_copies_of_one_copy_are_told_apart_too(journal: Journal, put: Put) -> None:
    fill(journal, "s-1")
    one = put(journal)
    fill(one, "s-2")
    two, three = put(one), put(one)
    fill(one, "one-3", "one-4")
    fill(two, "two-3")
    fill(three, "three-3", "three-4")
    assert len({each.identity.restores[-1].id for each in (one, two, three)}) == 3
    assert [each.after for each in three.identity.restores] == [1, 2]
    for here, other in ((one, two), (two, one), (two, three), (three, two), (one, three)):
        with pytest.raises(OtherPast):
            here.follow(other.cursor(3))
        assert here.position_of(other.cursor(2)) == 2
        assert here.position_of(journal.cursor(1)) == 1
    with pytest.raises(OtherPast) as caught:
        two.follow(one.cursor(4))
    assert caught.value.shared == 2


def test_a_copy_of_an_empty_journal(journal: Journal, put: Put) -> None:
    copy = put(journal)
    assert copy.cursor() == journal.cursor()
    fill(copy, "s-1")
    fill(journal, "s-1")
    with pytest.raises(OtherPast):
        copy.follow(journal.cursor())
    assert followed(copy, journal.cursor(0)) == ["session-s-1"]


def test_a_backup_of_a_backup_that_nobody_wrote_to(tmp_path: Path) -> None:
    with Journal.open("memory://") as journal:
        fill(journal, "s-1")
        journal.backup(tmp_path / "one.db")
    with Journal.open(f"sqlite:///{tmp_path}/one.db", read_only=True) as one:
        one.backup(tmp_path / "two.db")
    with Journal.open(f"sqlite:///{tmp_path}/two.db") as two:
        fill(two, "s-2")
        assert [each.after for each in two.identity.restores] == [1]
        assert two.verify().findings == ()


def test_a_backup_that_is_only_read_stays_as_it_is(tmp_path: Path) -> None:
    with Journal.open("memory://") as journal:
        fill(journal, "s-1")
        journal.backup(tmp_path / "copy.db")
    before = (tmp_path / "copy.db").read_bytes()
    with Journal.open(f"sqlite:///{tmp_path}/copy.db", read_only=True) as copy:
        assert copy.verify().findings == ()
        assert followed(copy, copy.cursor(0)) == ["session-s-1"]
    assert (tmp_path / "copy.db").read_bytes() == before


def test_an_import_into_a_journal_that_others_have_open(shared_url: str) -> None:
    with Journal.open("memory://") as original, Journal.open(shared_url) as one, Journal.open(shared_url) as other:
        fill(original, "s-1", "s-2")
        one.import_export(original.export())
        fill(other, "s-3")
        assert one.identity == other.identity
        assert one.identity.id == original.identity.id
        assert [each.after for each in other.identity.restores] == [2]


def test_a_first_write_that_fails_tells_nothing_apart(journal: Journal, put: Put) -> None:
    fill(journal, "s-1")
    copy = put(journal)
    with pytest.raises(MunimentError):
        copy.import_export(journal.export())
    assert not copy.identity.restores


def test_two_processes_that_write_to_a_copy_first(tmp_path: Path) -> None:
    program = """
import sys
from muniment.journal import Journal
with Journal.open(sys.argv[1]) as journal:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(10):
        journal.sessions.open(f"{sys.argv[2]}-{number}")
"""
    with Journal.open("memory://") as journal:
        fill(journal, "s-1", "s-2")
        journal.backup(tmp_path / "copy.db")
    url = f"sqlite:///{tmp_path}/copy.db"
    finish(start_at_once([(program, url, name) for name in ("a", "b")]))
    with Journal.open(url) as copy:
        assert [each.after for each in copy.identity.restores] == [2]
        assert copy.head() == 22
        assert copy.verify().findings == ()


def test_threads_that_write_to_a_copy_first(journal: Journal, put: Put) -> None:
    fill(journal, "s-1")
    copy = put(journal)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(copy.sessions.open, (f"t-{number}" for number in range(40))))
    assert [each.after for each in copy.identity.restores] == [1]


def test_tasks_follow_by_cursor(tmp_path: Path) -> None:
    async def run() -> None:
        async with await AsyncJournal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
            for name in ("s-1", "s-2", "s-3"):
                await journal.sessions.open(name)
            following: Any = journal.follow(await journal.cursor(1))
            async with aclosing(following):
                assert (await anext(following)).position == 2
            with pytest.raises(UnknownPosition):
                await anext(journal.follow(4))
            with pytest.raises(UnknownPosition):
                await journal.cursor(4)

    asyncio.run(run())


def test_a_file_copied_by_hand_cannot_be_told_apart_and_its_end_still_counts(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        fill(journal, "s-1")
    shutil.copy(path, copy)
    with Journal.open(f"sqlite:///{path}") as journal:
        fill(journal, "s-2", "s-3")
        cursor = journal.cursor()
    with Journal.open(f"sqlite:///{copy}") as journal, pytest.raises(UnknownPosition):
        journal.follow(cursor)


def test_a_journal_that_was_restored_by_hand_is_marked(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        fill(journal, "s-1", "s-2")
        cursor, before = journal.cursor(2), journal.cursor(1)
        restore = journal.mark_restored()
        assert journal.identity.restores == ((restore, 2),)
        assert followed(journal, cursor) == []
        fill(journal, "s-3")
        assert restore in journal.cursor()
        assert restore not in journal.cursor(2)
        assert len(followed(journal, before)) == 2
        with pytest.raises(OtherPast) as caught:
            journal.follow(f"{journal.identity.id}-0-3")
        assert caught.value.shared == 2
        assert journal.verify().findings == ()
    with Journal.open(shared_url, read_only=True) as journal, pytest.raises(JournalReadOnly):
        journal.mark_restored()


def test_an_import_takes_an_empty_journal_only_once(journal: Journal, put: Put) -> None:
    fill(journal, "s-1")
    copy = put(journal)
    made = copy.identity
    with pytest.raises(JournalNotEmpty):
        copy.import_export(journal.export())
    assert copy.identity == made


STEPS = st.lists(st.tuples(st.sampled_from(["append", "append", "copy"]), st.integers(0, 7)), max_size=14)
"""What is done to which of the copies that there are."""


@settings(max_examples=drawn(60))
@given(STEPS)
def test_a_cursor_is_good_where_the_past_up_to_it_is_the_same(steps: list[tuple[str, int]]) -> None:
    with ExitStack() as opened:
        journals = [opened.enter_context(Journal.open("memory://"))]
        pasts: list[list[str]] = [[]]
        for number, (step, which) in enumerate(steps):
            journal, past = journals[which % len(journals)], pasts[which % len(journals)]
            if step == "append":
                fill(journal, f"s-{number}")
                past.append(f"session-s-{number}")
            elif len(journals) < 6:
                copy = opened.enter_context(Journal.open("memory://"))
                copy.import_export(journal.export())
                journals.append(copy)
                pasts.append(list(past))
        for here, past in zip(journals, pasts, strict=True):
            for there, other in zip(journals, pasts, strict=True):
                for position in range(len(other) + 1):
                    is_same = past[:position] == other[:position] and len(past) >= position
                    cursor = there.cursor(position)
                    if is_same:
                        assert here.position_of(cursor) == position
                        continue
                    with pytest.raises((OtherPast, UnknownPosition)) as caught:
                        here.position_of(cursor)
                    if isinstance(caught.value, OtherPast) and caught.value.shared is not None:
                        assert past[: caught.value.shared] == other[: caught.value.shared]
                        assert past[: caught.value.shared + 1] != other[: caught.value.shared + 1]
