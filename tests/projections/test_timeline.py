"""The timeline where clocks told nonsense: the fewest stamps are set aside, and the others say what was when."""

from __future__ import annotations

import sys
from itertools import combinations
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, strategies as st
from muniment.journal import Journal
from muniment.projections import STEP_MS, Stamp, Stamps

from ..conftest import Clock

NOW = 1_700_000_000_000
HOUR = 3_600_000
YEAR = 365 * 24 * HOUR

times = st.lists(st.integers(0, 8).map(lambda halves: NOW + halves * HOUR // 2), min_size=1, max_size=9)


def is_possible(stamps: list[int]) -> bool:
    """Whether none steps back by more than an hour from the greatest before it."""
    return all(time >= max(stamps[:index], default=time) - STEP_MS for index, time in enumerate(stamps))


def fewest(stamps: list[int]) -> list[tuple[int, ...]]:
    """Which may be set aside, as few as possible, found by trying; by their positions."""
    positions = range(1, len(stamps) + 1)
    for count in range(len(stamps)):
        if found := [gone for gone in combinations(positions, count) if is_possible(without(stamps, gone))]:
            return found
    raise AssertionError("one stamp alone is always possible")


def without(stamps: list[int], gone: tuple[int, ...]) -> list[int]:
    return [time for position, time in enumerate(stamps, 1) if position not in gone]


def taken(stamps: list[int]) -> Stamps:
    made = Stamps()
    for position, time in enumerate(stamps, 1):
        made.take(Stamp(position, time))
    return made


@given(times)
def test_the_fewest_stamps_are_set_aside(stamps: list[int]) -> None:
    newest_first = range(len(stamps), 0, -1)
    # Of as few, what leaves the latest time lowest, and then what leaves the older stamps.
    wanted = min(fewest(stamps), key=lambda gone: (max(without(stamps, gone)), [at not in gone for at in newest_first]))
    assert tuple(stamp.position for stamp in taken(stamps).set_aside()) == wanted


@given(times)
def test_a_small_step_back_changes_nothing_about_which_are_set_aside(stamps: list[int]) -> None:
    before = taken(stamps).set_aside()
    latest = max(without(stamps, tuple(stamp.position for stamp in before)))
    for step in (1, STEP_MS // 2, STEP_MS):
        assert taken([*stamps, latest - step]).set_aside() == before


@given(times, st.integers(-1, 9).map(lambda halves: NOW + halves * HOUR // 2), st.booleans())
def test_positions_are_found_among_those_that_are_kept(stamps: list[int], time: int, reads_often: bool) -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        for number, clock.now in enumerate(stamps):
            journal.sessions.open(f"s-{number}")
            if reads_often:
                journal.timeline.position_at(time)
        for position in range(1, len(stamps) + 1):
            # Each moment knows what was recorded by then, and nothing later.
            known = stamps[:position]
            aside = {stamp.position for stamp in taken(known).set_aside()}
            late = [at for at, stamp in enumerate(known, 1) if at not in aside and stamp > time]
            timeline = journal.at(position=position).timeline
            assert timeline.position_at(time) == (late[0] - 1 if late else position)
            assert {stamp.position for stamp in timeline.set_aside()} == aside
            assert timeline.latest_at(position) == max(stamp for at, stamp in enumerate(known, 1) if at not in aside)
        assert journal.timeline.position_at(time) == timeline.position_at(time)
        assert not journal.replay().differences
        notes = [note.position for note in journal.verify().notes if "clock" in note.problem]
        assert notes == sorted(aside)
        assert journal.verify().findings == ()


@pytest.mark.parametrize("wild", [NOW + 10 * YEAR, 0], ids=["ten years ahead", "in 1970"])
def test_one_wild_stamp_does_not_freeze_the_past(wild: int, clock: Clock) -> None:
    clock.now = NOW
    with Journal.open("memory://", clock=clock) as journal:
        journal.sessions.open("s")
        held = journal.sessions.claim("s", "alice")
        clock.now = wild
        journal.sessions.open("other")
        clock.now = NOW + 60_000
        journal.sessions.transfer(held, "bob")
        assert journal.at(time=NOW).owners["s"].owner == "alice"
        assert journal.at(time=NOW + 60_000).owners["s"].owner == "bob"
        assert journal.timeline.set_aside() == (Stamp(3, wild),)
        (note,) = journal.verify().notes
        assert (note.layer, note.position) == ("record", 3)
        assert journal.verify().findings == ()


def test_a_clock_that_was_put_right_for_good_is_believed_once_it_has_told_more(clock: Clock) -> None:
    clock.now = NOW + 2 * HOUR
    with Journal.open("memory://", clock=clock) as journal:
        for number in range(5):
            journal.sessions.open(f"ahead-{number}")
            clock.now += 1_000
        clock.now = NOW
        for number in range(4):
            journal.sessions.open(f"right-{number}")
            clock.now += 1_000
        assert [stamp.position for stamp in journal.timeline.set_aside()] == [6, 7, 8, 9]
        journal.sessions.open("right-4")
        assert [stamp.position for stamp in journal.timeline.set_aside()] == [1, 2, 3, 4, 5]
        assert journal.timeline.position_at(NOW + 1_000) == 7


def test_a_step_back_of_an_hour_changes_no_answer_that_was_given(clock: Clock) -> None:
    clock.now = NOW
    with Journal.open("memory://", clock=clock) as journal:
        for number in range(4):
            journal.sessions.open(f"s-{number}")
            clock.now += 10 * 60_000
        asked = range(NOW - HOUR, NOW + HOUR, 60_000)
        before = [journal.timeline.position_at(time) for time in asked]
        clock.now = NOW + 30 * 60_000 - HOUR
        for number in range(20):
            journal.sessions.open(f"back-{number}")
        after = [journal.timeline.position_at(time) for time in asked]
        # What had been reached by then had been; what is recorded later comes on top.
        assert [position for position in before if position < 4] == [position for position in after if position < 4]
        assert journal.timeline.set_aside() == ()


def test_a_stamp_that_repeats_its_stream_s_last_counts_with_that_one(clock: Clock) -> None:
    clock.now = NOW + YEAR
    with Journal.open("memory://", clock=clock) as journal:
        journal.sessions.open("wild")
        clock.now = NOW
        held = journal.sessions.claim("wild", "alice")
        for _ in range(5):
            held = journal.sessions.transfer(held, "bob")
        clock.now = NOW + 1_000
        journal.sessions.open("right")
        assert journal.timeline.set_aside() == (Stamp(1, NOW + YEAR),)
        assert journal.timeline.position_at(NOW) == 7


def test_an_interrupt_while_stamps_are_read_changes_no_answer(clock: Clock) -> None:
    clock.now = NOW + YEAR
    with Journal.open("memory://", clock=clock) as journal:
        for number in range(4):
            journal.sessions.open(f"s-{number}")
            clock.now = NOW + number * 1_000
        wanted, lines = journal.timeline.set_aside(), 0
        for line in range(1, 100):
            lines = 0

            def interrupt(frame: FrameType, event: str, _: object, wanted: int = line) -> Any:
                nonlocal lines
                if frame.f_code.co_name in ("read", "take", "newest_kept") and event == "line":
                    lines += 1
                    if lines == wanted:
                        raise KeyboardInterrupt
                return interrupt

            timeline, traced = journal.at(position=journal.head()).timeline, sys.gettrace()
            sys.settrace(interrupt)
            try:
                timeline.set_aside()
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(traced)
            assert timeline.set_aside() == wanted
            if lines < line:
                break
        assert line > 20
