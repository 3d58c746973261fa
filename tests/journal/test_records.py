"""Records by filters: exactly those that all filters choose, in either order, and no more read than it takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st
from muniment.domain import InvalidInput, MomentsReversed, MunimentError, NoTypeMatches, RecordedEvent, UnknownPosition
from muniment.journal import AsyncJournal, Journal

from ..conftest import Clock

ACTORS = ("alice", "bob", None)


def fill(journal: Journal, clock: Clock) -> None:
    """Sixty records or more, on behalf of several, in several streams, a second apart."""
    for number in range(12):
        clock.now += 1_000
        with journal.context(actor=ACTORS[number % 3], correlation_id=f"request-{number % 4}"):
            journal.sessions.open(f"s-{number}")
            held = journal.sessions.claim(f"s-{number}", "Agent-Ä" if number % 2 else "agent-b")
            held = journal.sessions.transfer(held, "agent-c")
            if number % 2:
                journal.sessions.release(held)
            with pytest.raises(MunimentError):
                journal.sessions.check(replace(held, generation=1))
            journal.sessions.cancel(f"s-{number}", "no reason")


def positions(journal: Journal, **filters: Any) -> list[int]:
    return [record.position for record in journal.records(**filters)]


def of(journal: Journal, choose: Callable[[RecordedEvent], bool]) -> list[int]:
    return [record.position for record in journal.read() if choose(record)]


@pytest.mark.parametrize(
    ("types", "choose"),
    [
        (["session.opened.v1"], lambda name: name == "session.opened.v1"),
        (["session.opened"], lambda name: name == "session.opened.v1"),
        (["session.o"], lambda name: name.startswith("session.o")),
        (["session."], lambda name: name.startswith("session.")),
        (["*rejected"], lambda name: name.endswith("rejected.v1")),
        (["session.*rejected*"], lambda name: "rejected" in name),
        (["session.opened", "session.ended"], lambda name: name in ("session.opened.v1", "session.ended.v1")),
        (["conversation."], lambda name: False),
    ],
)
def test_types_are_said_whole_by_their_beginning_or_by_a_glob(
    journal: Journal, clock: Clock, types: list[str], choose: Callable[[str], bool]
) -> None:
    fill(journal, clock)
    expected = of(journal, lambda record: choose(record.type))
    assert positions(journal, types=types) == expected
    assert bool(expected) == (types != ["conversation."])


@pytest.mark.parametrize(
    ("pattern", "near"),
    [("session.opend.v1", "session.opened.v1"), ("session.x*", None), ("", None), ("v1", None), ("opened", None)],
)
def test_a_type_that_there_is_none_of_is_an_error_that_names_near_ones(
    journal: Journal, pattern: str, near: str | None
) -> None:
    with pytest.raises(NoTypeMatches) as caught:
        journal.records(types=[pattern])
    assert caught.value.pattern == pattern
    if near is not None:
        assert near in caught.value.near
        assert near in str(caught.value)


def test_actors_correlations_and_streams(journal: Journal, clock: Clock) -> None:
    fill(journal, clock)
    for actor in ("alice", "bob"):
        expected = of(journal, lambda record, actor=actor: record.metadata.actor == actor)  # type: ignore[misc]
        assert expected
        assert positions(journal, actor=actor) == expected
    expected = of(journal, lambda record: record.metadata.correlation_id == "request-3")
    assert positions(journal, correlation_id="request-3") == expected
    assert positions(journal, stream="session-s-3") == of(journal, lambda record: record.stream == "session-s-3")
    both = of(journal, lambda record: record.metadata.actor == "bob" and record.stream == "session-s-4")
    assert positions(journal, actor="bob", stream="session-s-4") == both != []
    # What is a part of the record is not yet its actor.
    assert positions(journal, actor="agent-b") == []
    assert positions(journal, actor="lice") == []


def test_text_in_lower_case_stands_for_upper_case_too(journal: Journal, clock: Clock) -> None:
    fill(journal, clock)
    odd = of(journal, lambda record: "Agent-Ä" in repr(record.event))
    assert odd
    assert positions(journal, grep="agent-ä") == positions(journal, grep="Agent-Ä") == odd
    assert positions(journal, grep="AGENT-Ä") == []
    assert positions(journal, grep='"actor":"alice"') == positions(journal, actor="alice")
    assert positions(journal, grep="s-11") == of(journal, lambda record: record.stream == "session-s-11")


def test_since_and_until_choose_what_makes_the_difference_between_two_moments(journal: Journal, clock: Clock) -> None:
    fill(journal, clock)
    head = journal.head()
    assert positions(journal, since=10, until=13) == [11, 12, 13]
    assert positions(journal, since="HEAD~2") == [head - 1, head]
    assert positions(journal, until=journal.record(3).id) == [1, 2, 3]
    assert positions(journal, since=0) == positions(journal) == list(range(1, head + 1))
    at = journal.record(20).metadata.recorded_at
    later = of(journal, lambda record: record.metadata.recorded_at > at)
    assert positions(journal, since=f"-{(clock.now - at) // 1_000}s") == later
    assert 0 < len(later) < head
    with pytest.raises(MomentsReversed):
        journal.records(since=5, until=4)
    with pytest.raises(UnknownPosition):
        journal.records(since=head + 1)


def test_the_newest_few_are_found_from_the_end(journal: Journal, clock: Clock) -> None:
    fill(journal, clock)
    for _ in range(200):
        journal.sessions.open(f"more-{_}")
    head = journal.head()
    read = []
    recorder = journal.application.recorder
    fetch = recorder.fetch
    recorder.fetch = lambda *arguments: read.extend(found := fetch(*arguments)) or found  # type: ignore[method-assign, func-returns-value]
    assert positions(journal, types=["session.opened"], newest_first=True, limit=3) == [head, head - 1, head - 2]
    assert len(read) < 100
    assert positions(journal, limit=0) == []


@given(
    filters=st.fixed_dictionaries(
        {},
        optional={
            "types": st.sampled_from([["session.o"], ["*rejected"], ["session."], ["session.ended", "*claimed"]]),
            "stream": st.sampled_from(["session-s-1", "session-s-2", "nothing"]),
            "actor": st.sampled_from(["alice", "bob", "carol"]),
            "correlation_id": st.sampled_from(["request-0", "request-1"]),
            "grep": st.sampled_from(["s-1", "agent-b", "GENERATION", "generation"]),
            "since": st.integers(0, 30),
            "until": st.integers(30, 60),
        },
    ),
    limit=st.none() | st.integers(0, 70),
)
def test_filters_choose_what_looking_at_each_record_chooses(filters: dict[str, Any], limit: int | None) -> None:
    journal = _filled()
    every = [
        record.position
        for record in journal.read()
        if (
            any(
                record.type.startswith(each) or (each[0] == "*" and record.type.endswith(f"{each[1:]}.v1"))
                for each in filters.get("types", [""])
            )
            and filters.get("stream") in (None, record.stream)
            and filters.get("actor") in (None, record.metadata.actor)
            and filters.get("correlation_id") in (None, record.metadata.correlation_id)
            and filters.get("grep", "") in _stored(journal, record.position)
            and filters.get("since", 0) < record.position <= filters.get("until", 10_000)
        )
    ]
    assert positions(journal, **filters, limit=limit) == every[:limit]
    assert positions(journal, **filters, newest_first=True, limit=limit) == every[::-1][:limit]


_journals: list[Journal] = []


def _filled() -> Journal:
    if not _journals:
        clock = Clock()
        _journals.append(Journal.open("memory://", clock=clock))
        fill(_journals[0], clock)
    return _journals[0]


def _stored(journal: Journal, position: int) -> str:
    (row,) = journal.application.recorder.select_rows(position - 1, 1)
    return str(row[4], "utf-8") if isinstance(row[4], bytes) else json.dumps(row[4])


@pytest.mark.parametrize(
    "nonsense",
    [
        {"types": "session."},
        {"types": [7]},
        {"stream": 7},
        {"actor": ""},
        {"correlation_id": "\n"},
        {"grep": b"x"},
        {"grep": "x" * 3_000},
        {"since": 1.5},
        {"until": "no moment"},
        {"newest_first": 1},
        {"limit": -1},
    ],
)
def test_nonsense_is_refused_before_anything_is_read(journal: Journal, nonsense: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        journal.records(**nonsense)


def test_what_follows_is_chosen_the_same_way(journal: Journal, clock: Clock) -> None:
    with journal.follow(0, ["session.opened"], actor="bob", grep="s-") as following:
        fill(journal, clock)
        expected = positions(journal, types=["session.opened"], actor="bob")
        assert [next(following).position for _ in expected] == expected
    with journal.follow(0, stream="session-s-7") as following:
        expected = positions(journal, stream="session-s-7")
        assert [next(following).position for _ in expected] == expected
    with pytest.raises(NoTypeMatches):
        journal.follow(types=["nonsense"])


def test_streams_that_are_like_one_that_is_not_there(journal: Journal) -> None:
    for number in range(300):
        journal.sessions.open(f"{chr(97 + number % 26)}-session-{number}")
    journal.sessions.open("kitchen")
    assert journal.similar_streams("session-kichen") == ("session-kitchen",)
    assert "session-a-session-0" in journal.similar_streams("session-a-sesion-0")
    assert journal.similar_streams("session-" + "q" * 50) == ()
    assert journal.similar_streams("bundle-kitchen") == ()
    assert journal.similar_streams("session-kitchn", most=0) == ()


def test_a_journal_that_is_only_read_can_be_searched(file_url: str, clock: Clock) -> None:
    with Journal.open(file_url, clock=clock) as journal:
        fill(journal, clock)
        expected = positions(journal, types=["*rejected"], actor="alice")
    with Journal.open(file_url, read_only=True) as journal:
        assert positions(journal, types=["*rejected"], actor="alice") == expected != []


def test_the_same_is_read_from_an_event_loop(url: str, clock: Clock) -> None:
    async def read() -> None:
        journal = await AsyncJournal.open(url, clock=clock)
        async with journal:
            await journal.sessions.open("kitchen")
            for number in range(120):
                await journal.sessions.open(f"s-{number}")
            found = [each.position async for each in journal.records(types=["session.opened"], newest_first=True)]
            assert found == list(range(121, 0, -1))
            assert await journal.similar_streams("session-kichen") == ("session-kitchen",)
            following = journal.follow(stream="session-s-5")
            assert (await anext(cast(Any, following))).position == 7
            await cast(Any, following).aclose()
            with pytest.raises(NoTypeMatches):
                await anext(cast(Any, journal.records(types=["nonsense"])))

    asyncio.run(read())
