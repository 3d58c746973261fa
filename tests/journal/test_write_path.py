"""Deciding and appending: stale caches, retries, threads, idempotency keys, metadata."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import (
    Accepted,
    AlreadyClaimed,
    ConcurrencyConflict,
    Decision,
    IdempotencyConflict,
    InvalidArgument,
    InvalidIdentifier,
    JournalClosed,
    ProjectionStopped,
    SessionAlreadyOpen,
    SessionDraining,
    SessionNotFound,
    StaleCapability,
    Unclaimed,
)
from muniment.domain.event import accept
from muniment.domain.session import SessionOpened, SessionState
from muniment.journal import AsyncJournal, Journal

from ..conftest import Clock
from .damage import edit


@contextmanager
def two_journals(url: str) -> Iterator[tuple[Journal, Journal]]:
    with Journal.open(url) as one, Journal.open(url) as other:
        yield one, other


def test_a_stale_cache_is_found_out_by_the_append(shared_url: str) -> None:
    with two_journals(shared_url) as (one, other):
        one.sessions.open("s-1")
        held = one.sessions.claim("s-1", "alice")
        other.sessions.check(held)
        handed = other.sessions.transfer(held, "bob")
        with pytest.raises(StaleCapability, match="live is owner 'bob'"):
            one.sessions.release(held)
        assert one.sessions.transfer(handed, "carol").generation == 3


def test_a_refusal_is_only_believed_of_the_newest_state(shared_url: str) -> None:
    with two_journals(shared_url) as (one, other):
        with pytest.raises(SessionNotFound):
            one.sessions.claim("s-1", "alice")
        other.sessions.open("s-1")
        held = one.sessions.claim("s-1", "alice")
        with pytest.raises(AlreadyClaimed):
            other.sessions.claim("s-1", "bob")
        one.sessions.release(held)
        assert other.sessions.claim("s-1", "bob").generation == 2


def test_a_check_is_only_believed_of_the_newest_state(shared_url: str) -> None:
    with two_journals(shared_url) as (one, other):
        one.sessions.open("s-1")
        held = one.sessions.claim("s-1", "alice")
        one.sessions.check(held)
        other.sessions.release(held)
        with pytest.raises(Unclaimed):
            one.sessions.check(held)


def test_a_recorded_refusal_is_recorded_once_by_two_writers(shared_url: str) -> None:
    with two_journals(shared_url) as (one, other):
        one.sessions.open("s-1")
        held = one.sessions.claim("s-1", "alice")
        one.sessions.transfer(held, "bob")
        for journal in (one, other, one):
            with pytest.raises(StaleCapability):
                journal.sessions.check(held)
        assert one.head() == 4


def test_a_writer_that_lost_six_times_decides_while_nobody_else_can_append(shared_url: str) -> None:
    opened = Accepted(None, (SessionOpened("s-1", 1),))
    with two_journals(shared_url) as (one, other):
        heads: list[int] = []

        def beaten(state: SessionState) -> Accepted[None]:
            heads.append(one.head())
            if len(heads) <= 6:
                other.execute("session-s-1", lambda _: opened)
            return opened

        one.execute("session-s-1", beaten)
        assert (heads, one.head()) == ([0, 1, 2, 3, 4, 5, 6], 7)
        with pytest.raises(SessionAlreadyOpen):
            one.sessions.open("s-1")


def test_what_is_refused_then_is_refused_and_nothing_else_happens(shared_url: str) -> None:
    with two_journals(shared_url) as (one, other):
        one.sessions.open("s-1")
        held = one.sessions.claim("s-1", "alice")
        tries = 0

        def beaten(state: SessionState) -> Decision[None]:
            nonlocal tries
            tries += 1
            if tries <= 6:
                other.sessions.issue_witness(held, "ready")
                return accept(SessionOpened("s-1", 1))
            raise SessionDraining("s-1")

        with pytest.raises(SessionDraining):
            one.execute("session-s-1", beaten)
        assert (tries, one.head()) == (7, 8)
        # Nothing is left locked.
        other.sessions.release(held)
        one.sessions.claim("s-1", "bob")


def test_in_memory_a_writer_that_always_loses_gives_up() -> None:
    opened = Accepted(None, (SessionOpened("s-1", 1),))

    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:

            def beaten(state: SessionState) -> Accepted[None]:
                journal._journal.execute("session-s-1", lambda _: opened)
                return opened

            with pytest.raises(ConcurrencyConflict) as caught:
                await journal.execute("session-s-1", beaten)
            assert caught.value.stream == "session-s-1"
            assert caught.value.attempts == journal._journal.head()

    asyncio.run(story())


def test_threads_share_a_journal(journal: Journal) -> None:
    for number in range(20):
        journal.sessions.open(f"s-{number}")

    def claim(owner: str) -> int:
        won = 0
        for number in range(20):
            try:
                journal.sessions.claim(f"s-{number}", owner)
                won += 1
            except AlreadyClaimed:
                pass
            journal.owners.get(f"s-{number}")
        return won

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, [f"thread-{index}" for index in range(8)])) == 20
    assert journal.head() == 40
    assert [row.generation for row in journal.owners.values()] == [1] * 20


def test_a_command_under_a_used_key_answers_what_it_answered_first(journal: Journal) -> None:
    journal.sessions.open("s-1")
    with journal.context(idempotency_key="claim-1"):
        first = journal.sessions.claim("s-1", "alice")
    journal.sessions.transfer(first, "bob")
    with journal.context(idempotency_key="claim-1"):
        assert journal.sessions.claim("s-1", "alice") == first
    assert journal.head() == 3


def test_every_command_answers_the_same_under_its_key(journal: Journal) -> None:
    sessions = journal.sessions

    def twice(command: Callable[..., Any], *arguments: Any) -> Any:
        with journal.context(idempotency_key=f"key-{journal.head()}"):
            first = command(*arguments)
            before = journal.head()
            assert command(*arguments) == first
            assert journal.head() == before
            return first

    twice(sessions.open, "s-1", ["role"])
    held = twice(sessions.claim, "s-1", "alice")
    held = twice(sessions.attenuate, held, held.scope)
    held = twice(sessions.transfer, held, "bob")
    twice(sessions.rollback_transfer, twice(sessions.begin_transfer, held, "carol"))
    held = twice(sessions.commit_transfer, twice(sessions.begin_transfer, held, "carol"))
    twice(sessions.consume_witness, held, twice(sessions.issue_witness, held, "ready"))
    twice(sessions.release, held)
    twice(sessions.close, sessions.claim("s-1", "dave"))
    twice(sessions.open, "s-1")
    held = sessions.claim("s-1", "erin")
    twice(sessions.abandon_transfer, sessions.begin_transfer(held, "frank"))
    sessions.open("s-1")
    held = sessions.claim("s-1", "erin")
    twice(sessions.fail_transfer_commit, sessions.begin_transfer(held, "frank"), "no quorum")
    sessions.open("s-1")
    sessions.claim("s-1", "erin")
    twice(sessions.owner_died, "s-1", "erin")


def test_a_used_key_for_other_arguments_conflicts(journal: Journal) -> None:
    with journal.context(idempotency_key="k"):
        journal.sessions.open("s-1")
        for other in ("s-2", "s-1"):
            with pytest.raises(IdempotencyConflict) as caught:
                journal.sessions.open(other, ["role"])
            assert caught.value.idempotency_key == "k"
            assert caught.value.event_id == "session-s-1@1"
        with pytest.raises(IdempotencyConflict):
            journal.sessions.claim("s-1", "alice")
    assert journal.head() == 1


def test_a_refused_command_does_not_use_its_key(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "alice")
    journal.sessions.release(held)
    with journal.context(idempotency_key="k"):
        with pytest.raises(Unclaimed):
            journal.sessions.check(held)
        assert journal.sessions.claim("s-1", "bob").owner == "bob"


def test_keys_hold_across_writers_and_reopening(shared_url: str) -> None:
    with two_journals(shared_url) as (one, other):
        one.sessions.open("s-1")
        with one.context(idempotency_key="k"):
            first = one.sessions.claim("s-1", "alice")
        with other.context(idempotency_key="k"):
            assert other.sessions.claim("s-1", "alice") == first
    with Journal.open(shared_url) as journal, journal.context(idempotency_key="k"):
        assert journal.sessions.claim("s-1", "alice") == first
        assert journal.head() == 2


def test_a_key_means_the_same_in_every_process(shared_url: str) -> None:
    program = (
        "import sys; from muniment.domain import Fragments; from muniment.journal import Journal\n"
        "with Journal.open(sys.argv[1]) as journal, journal.context(idempotency_key='k'):\n"
        "    print(journal.sessions.claim('s-1', 'alice', Fragments(list('vwxyz'))).generation)"
    )
    with Journal.open(shared_url) as journal:
        journal.sessions.open("s-1")
        for seed in ("1", "2", "3"):
            run = subprocess.run(
                [sys.executable, "-c", program, shared_url],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            )
            assert run.stdout == "1\n"
        assert journal.head() == 2


def test_threads_with_one_key_act_once(journal: Journal) -> None:
    journal.sessions.open("s-1")

    def claim(_: int) -> Any:
        with journal.context(idempotency_key="k"):
            return journal.sessions.claim("s-1", "alice")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(claim, range(8)))) == 1
    assert journal.head() == 2


def test_the_key_goes_with_the_last_event_of_an_append(journal: Journal) -> None:
    events = (SessionOpened("s-1", 1), SessionOpened("s-1", 2))
    with journal.context(idempotency_key="k", actor="alice"):
        journal.execute("session-s-1", lambda _: Accepted(None, events))
    first, last = journal.read()
    assert (first.metadata.idempotency_key, last.metadata.idempotency_key) == (None, "k")
    assert (first.metadata.actor, last.metadata.actor) == ("alice", "alice")


def test_metadata_of_nested_contexts(journal: Journal) -> None:
    with journal.context(actor="alice", correlation_id="c-1"):
        with journal.context(actor="bob", tick=7, causation_id="session-x@1"):
            journal.sessions.open("s-1")
        journal.sessions.open("s-2")
    journal.sessions.open("s-3")
    inner, outer, bare = (each.metadata for each in journal.read())
    assert (inner.actor, inner.correlation_id, inner.causation_id, inner.tick) == ("bob", "c-1", "session-x@1", 7)
    assert (outer.actor, outer.correlation_id, outer.causation_id, outer.tick) == ("alice", "c-1", None, None)
    assert (bare.actor, bare.correlation_id) == (None, None)


def test_absent_metadata_is_not_written(journal: Journal) -> None:
    journal.sessions.open("s-1")
    (stored,) = journal.application.recorder.select_events("session-s-1")
    data = b'{"session_id":"s-1","incarnation":1,"terms":{"started_at":1000}}'
    assert stored.state == b'{"data":' + data + b',"metadata":{"recorded_at":1000}}'
    assert stored.topic == "session.opened.v1"


@pytest.mark.parametrize("tick", [-1, 2**63, 1.5, "1", True])
def test_a_tick_is_a_natural_number(journal: Journal, tick: Any) -> None:
    with pytest.raises(InvalidArgument, match="tick"), journal.context(tick=tick):
        pass


def test_an_actor_is_a_name(journal: Journal) -> None:
    with pytest.raises(InvalidIdentifier, match="actor"), journal.context(actor="a\nb"):
        pass


def test_recorded_times_never_fall_within_a_stream(journal: Journal, clock: Clock) -> None:
    clock.now = 5_000
    journal.sessions.open("s-1")
    clock.now = 4_000
    journal.sessions.claim("s-1", "alice")
    journal.sessions.open("s-2")
    assert [each.metadata.recorded_at for each in journal.read()] == [5_000, 5_000, 4_000]


@pytest.mark.parametrize("now", [1.5, "now", -1, 2**61, None])
def test_a_clock_that_tells_no_time_writes_nothing(journal: Journal, clock: Clock, now: Any) -> None:
    clock.now = now
    with pytest.raises(InvalidArgument, match="clock"):
        journal.sessions.open("s-1")
    assert journal.head() == 0


def test_an_open_session_cannot_be_opened_by_a_writer_who_does_not_know(shared_url: str) -> None:
    with two_journals(shared_url) as (one, other):
        one.sessions.open("s-1")
        with pytest.raises(SessionAlreadyOpen):
            other.sessions.open("s-1")


def test_a_key_whose_event_is_gone_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal, journal.context(idempotency_key="k"):
        journal.sessions.open("s-1")
        len(journal.owners)
        edit(path, "DELETE FROM stored_events WHERE position=1")
    with Journal.open(f"sqlite:///{path}") as journal, journal.context(idempotency_key="k"):
        with pytest.raises(ProjectionStopped, match="session-s-1@1"):
            journal.sessions.open("s-1")
        assert journal.head() == 0


def test_a_closed_journal_says_so(journal: Journal) -> None:
    journal.sessions.open("s-1")
    journal.close()
    journal.close()
    for act in (
        lambda: journal.sessions.open("s-2"),
        lambda: journal.sessions.claim("s-1", "alice"),
        lambda: journal.owners["s-1"],
        lambda: journal.head(),
        lambda: list(journal.read()),
        lambda: journal.replay(),
    ):
        with pytest.raises(JournalClosed):
            act()


def test_only_known_kinds_of_stream_are_written(journal: Journal) -> None:
    with pytest.raises(InvalidIdentifier, match="stream"):
        journal.execute("nonsense-1", lambda _: Accepted(None, ()))
