"""Moments: how they are said, and what can be asked of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st
from muniment.domain import (
    BundleNotFound,
    ConversationNotFound,
    InvalidArgument,
    InvalidInput,
    InvalidMoment,
    MembersNotSeeded,
    MomentInFuture,
    MomentsReversed,
    SessionNotFound,
    UnknownEvent,
    UnknownPosition,
)
from muniment.journal import Journal, Moment

from ..conftest import Clock
from .stories import CHAT

NOON = int(datetime(2026, 3, 10, 12, 0, tzinfo=UTC).timestamp() * 1000)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture
def utc() -> Iterator[None]:
    yield from _zone("UTC")


@pytest.fixture
def berlin() -> Iterator[None]:
    yield from _zone("Europe/Berlin")


def _zone(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture
def told(clock: Clock) -> Iterator[Journal]:
    """Four events: a day, an hour and ten minutes before noon, and at noon; then it is noon."""
    with Journal.open("memory://", clock=clock) as journal:
        for number, at in enumerate((NOON - DAY, NOON - HOUR, NOON - 10 * MINUTE, NOON)):
            clock.now = at
            journal.sessions.open(f"s-{number}")
        yield journal


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("said", "position"),
    [
        (2, 2),
        ("2", 2),
        ("0", 0),
        ("HEAD", 4),
        ("HEAD~3", 1),
        ("HEAD~", 3),
        ("HEAD~0", 4),
        ("session-s-1@1", 2),
        ("now", 4),
        ("12:00", 4),
        ("11:00", 2),
        ("11:00:00.001", 2),
        ("10:59", 1),
        ("11:50Z", 3),
        ("13:50+02:00", 3),
        ("9:05", 1),
        ("today", 1),
        ("today 11:30", 2),
        ("yesterday", 0),
        ("Yesterday 12:00", 1),
        ("yesterday 11:59", 0),
        ("-10m", 3),
        ("-11m", 2),
        ("−11m", 2),  # noqa: RUF001  # a minus sign
        ("-1h", 2),
        ("-1h1s", 1),
        ("-1d", 1),
        ("-25h", 0),
        ("-1w", 0),
        ("-999999999w", 0),
        ("2026-03-10", 1),
        ("2026-03-10T11:00", 2),
        ("2026-03-10 11:55:00Z", 3),
        ("2026-03-10T13:00:00+02:00", 2),
        ("20260310T110000Z", 2),
        (datetime(2026, 3, 10, 11, 0, tzinfo=UTC), 2),
    ],
)
def test_how_a_moment_is_said(told: Journal, said: Any, position: int) -> None:
    assert told.at(said).position == position


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("", InvalidMoment),
        ("tomorrow", InvalidMoment),
        ("monday 10:00", InvalidMoment),
        ("10 minutes ago", InvalidMoment),
        ("-10", InvalidMoment),
        ("-10M", InvalidMoment),
        ("HEAD~5", InvalidMoment),
        ("HEAD~x", InvalidMoment),
        ("head", InvalidMoment),
        ("12:01", InvalidMoment),
        ("25:00", InvalidMoment),
        ("2026-13-01", InvalidMoment),
        ("0001-01-01T00:00+14:00", InvalidMoment),
        ("x" * 10_000, InvalidMoment),
        ("thing-x@1", InvalidMoment),
        ("session-s-1@0", InvalidMoment),
        ("2..3", InvalidMoment),
        ("2026-03-10T12:00:00.001Z", MomentInFuture),
        ("today 12:30", MomentInFuture),
        ("9000-01-01", MomentInFuture),
        ("5", UnknownPosition),
        (-1, UnknownPosition),
        ("session-s-1@2", UnknownEvent),
        ("session-elsewhere@1", UnknownEvent),
        (True, InvalidArgument),
        (1.5, InvalidArgument),
        (b"1", InvalidArgument),
        (datetime(2026, 3, 10), InvalidArgument),
    ],
)
def test_what_is_no_moment_says_what_is(told: Journal, said: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        told.at(said)
    if error in (InvalidMoment, MomentInFuture):
        assert "HEAD~3" in str(caught.value)
    assert told.head() == 4


@pytest.mark.usefixtures("berlin")
def test_a_time_without_a_zone_is_local_and_says_so(told: Journal) -> None:
    moment = told.at("2026-03-10T12:30")
    assert moment.position == 2
    assert moment.notes == ("'2026-03-10T12:30' is read as 2026-03-10T12:30:00+01:00, local time (CET)",)
    assert told.at("11:30Z").notes == ()
    assert told.at("yesterday 10:00").notes[1] == "2026-03-09T09:00:00.000Z is before the first event"


@pytest.mark.usefixtures("berlin")
def test_a_local_time_that_comes_twice_or_never_is_refused(clock: Clock) -> None:
    clock.now = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
    with Journal.open("memory://", clock=clock) as journal:
        for said, how in (("2026-10-25T02:30", "comes twice"), ("2026-03-29T02:30", "does not come at all")):
            with pytest.raises(InvalidMoment, match=how):
                journal.at(said)
        assert journal.at("2026-10-25T02:30+02:00").position == 0


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("1..3", (1, 3)),
        ("1..", (1, 4)),
        ("..3", (0, 3)),
        ("..", (0, 4)),
        ("2", (2, 4)),
        ("-1h..-10m", (2, 3)),
        ("yesterday 12:00..HEAD~1", (1, 3)),
        ("session-s-0@1..session-s-2@1", (1, 3)),
        ("11:00:00.5..12:00", (2, 4)),
    ],
)
def test_a_range_is_cut_where_both_sides_are_moments(told: Journal, said: str, ends: tuple[int, int]) -> None:
    first, last = told.between(said)
    assert (first.position, last.position) == ends


def test_ids_that_hold_dots(journal: Journal) -> None:
    journal.sessions.open("a..b")
    journal.sessions.open("c@1..session-d")
    journal.sessions.open("c")
    journal.sessions.open("d")
    ends = journal.between("session-a..b@1..session-d@1")
    assert [each.position for each in ends] == [1, 4]
    assert [each.position for each in journal.between("session-a..b@1")] == [1, 4]
    # The id of an event that there is, and a range of two others.
    said = "session-c@1..session-d@1"
    with pytest.raises(InvalidMoment, match="more than one way"):
        journal.between(said)
    assert journal.at(said).position == 2
    assert [each.position for each in journal.between("session-c@1", "session-d@1")] == [3, 4]
    with pytest.raises(InvalidMoment, match="more than one way"):
        journal.between("session-x@1..session-y@2..session-z@3")
    with pytest.raises(InvalidMoment):
        journal.between("1...3")
    with pytest.raises(MomentsReversed):
        journal.between("3..1")


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_refused(said: str) -> None:
    with Journal.open("memory://", clock=lambda: NOON) as journal:
        journal.sessions.open("s")
        for ask in (journal.at, journal.between):
            with suppress(
                InvalidMoment, MomentInFuture, UnknownPosition, UnknownEvent, MomentsReversed, InvalidArgument
            ):
                ask(said)


def test_at_takes_one_moment(told: Journal) -> None:
    for wrong in ({}, {"position": 1, "event": "session-s-1@1"}, {"event": 1}):
        with pytest.raises(InvalidInput):
            told.at(**cast(Any, wrong))
    assert told.at(event="session-s-2@1").position == 3
    assert told.at(told.at(2)).position == 2


def test_a_later_stamp_makes_a_later_time_known(clock: Clock) -> None:
    with Journal.open("memory://", clock=clock) as journal:
        clock.now = NOON
        journal.sessions.open("s-1")
        clock.now = NOON - HOUR
        assert journal.at(time=NOON).position == 1
        with pytest.raises(MomentInFuture):
            journal.at(time=NOON + 1)


def test_what_a_moment_knows(journal: Journal) -> None:
    journal.sessions.open("s-1", roles=["worker"])
    held = journal.sessions.claim("s-1", "alice")
    journal.sessions.transfer(held, "bob")
    journal.bundles.register(CHAT)
    journal.bundles.seed_members("chat", ["x"])
    then = journal.at(2)
    assert (then.position, then.event and then.event.id, then.time) == (2, "session-s-1@2", 1_000)
    assert (journal.at(0).event, journal.at(0).time, journal.position) == (None, None, None)
    assert [then.previous().position, then.next().position] == [1, 3]
    with pytest.raises(UnknownPosition):
        journal.at(5).next()
    with pytest.raises(UnknownPosition):
        journal.at(0).previous()
    assert then.session("s-1").capability == held
    assert journal.session("s-1") == journal.sessions.state("s-1")
    assert then.tables["owners"]["s-1"] == then.owners["s-1"]
    assert then.tables["session_roles"]["s-1", 1, 0].values == {"role": "worker"}
    assert journal.bundle("chat") == journal.bundles.snapshot("chat")
    with pytest.raises(MembersNotSeeded):
        journal.at(4).bundle("chat")
    with pytest.raises(BundleNotFound):
        then.bundle("chat")
    with pytest.raises(SessionNotFound):
        journal.at(0).session("s-1")
    with pytest.raises(ConversationNotFound):
        then.conversation("c")
    assert isinstance(then, Moment)
    assert set(journal.tables) == set(then.tables) > {"owners", "sessions", "idempotency_keys", "types"}
    with pytest.raises(KeyError):
        journal.tables["nothing"]


def test_nothing_is_written_by_a_moment(journal: Journal) -> None:
    journal.sessions.open("s-1")
    then = journal.at("HEAD")
    writes = {"open", "claim", "execute", "revert", "rollback", "saga", "put", "tick", "join", "register", "context"}
    for name in [name for name in dir(then) if not name.startswith("_")]:
        assert not writes & set(dir(getattr(then, name))), name
    assert not writes & set(dir(then))


@given(st.timedeltas(timedelta(0), timedelta(days=40)))
def test_a_relative_time_is_that_long_ago(ago: timedelta) -> None:
    seconds = int(ago.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    said = f"-{days}d{hours}h{rest // 60}m{rest % 60}s"
    now = NOON
    with Journal.open("memory://", clock=lambda: now) as journal:
        now -= seconds * 1_000
        journal.sessions.open("s")
        now = NOON
        assert journal.at(said).position == 1
        now -= 1
        assert journal.at(said).position == 0


@pytest.mark.parametrize("said", ["session-\0@1", "session-\ud800@1"])
def test_what_no_database_can_hold_is_no_event(journal: Journal, said: str) -> None:
    journal.sessions.open("s")
    with pytest.raises(UnknownEvent):
        journal.at(event=said)
    with pytest.raises(InvalidMoment):
        journal.explain(said)


@pytest.mark.parametrize("said", ["today", "yesterday", "00:00+14:00"])
def test_a_day_outside_the_calendar_is_no_moment(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        journal = Journal.open("memory://", clock=lambda: 253_402_300_799_999)
        with journal, pytest.raises(InvalidMoment, match="lies outside the calendar"):
            journal.at(said)
    finally:
        monkeypatch.undo()
        time.tzset()
