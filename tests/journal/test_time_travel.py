"""The past: by position, by time, by record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st
from muniment.domain import FULL_SESSION, Fragments, InvalidArgument, MomentInFuture, UnknownPosition
from muniment.journal import Journal

from ..conftest import Clock


def test_the_owner_map_now_and_then(journal: Journal) -> None:
    journal.sessions.open("s-42", roles=["coordinator", "worker"])
    held = journal.sessions.claim("s-42", owner="agent-a")
    receipt = journal.sessions.begin_transfer(held, to_owner="agent-b", scope=Fragments({"bundle:chat"}))
    journal.sessions.commit_transfer(receipt)

    now = journal.owners["s-42"]
    assert (now.owner, now.generation, now.scope, now.status, now.since) == (
        "agent-b",
        2,
        Fragments({"bundle:chat"}),
        "active",
        4,
    )
    then = journal.at(position=3).owners["s-42"]
    assert (then.owner, then.generation, then.scope, then.since) == ("agent-a", 1, FULL_SESSION, 2)
    assert journal.at(position=1).owners["s-42"].owner is None
    assert dict(journal.at(position=0).owners) == {}
    with pytest.raises(KeyError):
        journal.owners["s-43"]
    assert cast(Any, 42) not in journal.owners


def test_a_view_of_the_past_does_not_move(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "alice")
    then = journal.at(position=journal.head())
    journal.sessions.transfer(held, "bob")
    assert then.owners["s-1"].owner == "alice"
    assert journal.owners["s-1"].owner == "bob"
    assert then.position == 2


@pytest.mark.parametrize("position", [-1, 2, 10**30])
def test_a_position_that_is_not_there(journal: Journal, position: int) -> None:
    journal.sessions.open("s-1")
    with pytest.raises(UnknownPosition) as caught:
        journal.at(position=position)
    assert (caught.value.position, caught.value.head) == (position, 1)


def test_at_takes_either_a_position_or_a_time(journal: Journal) -> None:
    for wrong in ({}, {"position": 0, "time": 0}, {"position": "0"}, {"position": True}, {"time": "now"}):
        with pytest.raises(InvalidArgument):
            journal.at(**cast(Any, wrong))
    with pytest.raises(InvalidArgument, match="time zone"):
        journal.at(time=datetime(2026, 1, 1))


def test_as_of_a_time(journal: Journal, clock: Clock) -> None:
    journal.sessions.open("s-1")
    clock.now = 2_000
    held = journal.sessions.claim("s-1", "alice")
    clock.now = 3_000
    journal.sessions.transfer(held, "bob")
    assert journal.at(time=999).position == 0
    assert journal.at(time=1_000).position == 1
    assert journal.at(time=2_999).owners["s-1"].owner == "alice"
    assert journal.at(time=datetime.fromtimestamp(3, UTC)).owners["s-1"].owner == "bob"
    with pytest.raises(MomentInFuture):
        journal.at(time=3_001)
    assert journal.timeline.latest_at(2) == 2_000
    assert journal.timeline.latest_at(0) is None


def naive_position_at(times: list[int], time: int) -> int:
    """The definition: the greatest p such that every event up to p was recorded at or before the time."""
    return max(p for p in range(len(times) + 1) if all(each <= time for each in times[:p]))


@given(times=st.lists(st.integers(0, 12), max_size=25), time=st.integers(0, 13), read_often=st.booleans())
def test_the_timeline_is_as_defined_whatever_the_clock_does(times: list[int], time: int, *, read_often: bool) -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        for number, now in enumerate(times):
            clock.now = now
            journal.sessions.open(f"s-{number}")
            if read_often:
                journal.timeline.position_at(time)
        assert journal.timeline.position_at(time) == naive_position_at(times, time)
        for position in range(len(times) + 1):
            then = journal.at(position=position)
            assert then.timeline.position_at(time) == naive_position_at(times[:position], time)


def test_records(journal: Journal) -> None:
    journal.sessions.open("s-1")
    journal.sessions.open("s-2")
    journal.sessions.claim("s-1", "alice")
    record = journal.record(3)
    assert (record.id, record.type) == ("session-s-1@2", "session.ownership_claimed.v1")
    assert [each.position for each in journal.read(after=1, limit=1)] == [2]
    assert [each.version for each in journal.read_stream("session-s-1", newest_first=True, limit=1)] == [2]
    for position in (0, -5, 4):
        with pytest.raises(UnknownPosition):
            journal.record(position)


def test_reading_crosses_pages(shared_url: str) -> None:
    with Journal.open(shared_url, synchronous="NORMAL") as journal:
        for number in range(2_100):
            journal.sessions.open(f"s-{number}")
        assert [each.position for each in journal.read(after=50)] == list(range(51, 2_101))
        assert len(list(journal.read(limit=2_050))) == 2_050
        assert len(journal.owners) == 2_100


def test_state_is_a_view_of_now(journal: Journal) -> None:
    journal.sessions.open("s-1", roles=["worker"])
    held = journal.sessions.claim("s-1", "alice")
    first = journal.sessions.issue_witness(held, "one")
    second = journal.sessions.issue_witness(held, "two")
    journal.sessions.consume_witness(held, first)
    receipt = journal.sessions.begin_transfer(held, "bob")
    state = journal.sessions.state("s-1")
    assert state.capability == held
    assert state.pending_receipt == receipt
    assert state.outstanding_witnesses == (second,)
    assert state.consumed_witnesses == (first,)
    assert (state.status, state.incarnation, state.roles, state.terminal_reason) == ("active", 1, ("worker",), None)


def test_witnesses_and_what_became_of_them(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "alice")
    first = journal.sessions.issue_witness(held, "one")
    journal.sessions.issue_witness(held, "two")
    journal.sessions.consume_witness(held, first)
    journal.sessions.owner_died("s-1", "alice")
    statuses = {key: row.status for key, row in journal.witnesses.items()}
    assert statuses == {("s-1", 1): "consumed", ("s-1", 2): "void", ("s-1", 3): "cancellation"}
    assert journal.at(position=4).witnesses["s-1", 1].status == "outstanding"
    assert journal.witnesses.of_session("s-1")[3].says == "ownership owner `alice` died"
    assert journal.witnesses.of_session("s-2") == {}
    assert cast(Any, "s-1") not in journal.witnesses
