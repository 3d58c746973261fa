"""Bindings, ingress, rounds, time, the archive, sites; and what undoing makes of them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import (
    ARTIFACT_LIFECYCLES,
    ArtifactKind,
    CommandRefused,
    CompositionManifest,
    Envelope,
    FootprintClass,
    InvalidArgument,
    JournalClosed,
    LaterEventDepends,
    LinkBoundary,
    LinkSpec,
    MissingTaskBinding,
    NotCompensable,
    RoundFailed,
    SessionBindingMismatch,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TaskAlreadyBound,
    TickWentBack,
    Unclaimed,
    UnknownRole,
    session,
)
from muniment.domain.session import RoundOutcome
from muniment.journal import AsyncJournal, Journal
from muniment.projections import FOREVER

from ..conftest import Clock
from .awaiting import run
from .stories import UNDOABLE

MANIFEST = CompositionManifest("p", (LinkSpec("bundle-a", role="worker"),), ("worker", "reviewer"))
A_ONLY = LinkBoundary.for_bundle_id("bundle-a")
B_ONLY = LinkBoundary.for_bundle_id("bundle-b")


def envelope(text: str, context: str = "c", **about: Any) -> Envelope:
    return Envelope("B", "A", context, text.encode(), **about)


# Bindings


def test_a_binding_is_of_one_thread(journal: Journal) -> None:
    seen: list[Any] = []
    with pytest.raises(MissingTaskBinding):
        journal.sessions.end()
    owned = journal.sessions.start("s-1", "a")

    def elsewhere() -> None:
        seen.append(journal.sessions.current())
        try:
            owned.accept("message")
        except MissingTaskBinding as error:
            seen.append(error.code)
        with pytest.raises(TaskAlreadyBound), journal.sessions.bound("s-1"):
            pass
        journal.sessions.rebind("s-1")
        owned.accept("message")
        seen.append(journal.sessions.current())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [None, "missing_task_binding", "s-1"]
    with pytest.raises(MissingTaskBinding):
        owned.accept("message")
    # The thread has ended, and its binding with it.
    with journal.sessions.bound("s-1"):
        owned.accept("message")
        with pytest.raises(TaskAlreadyBound), journal.sessions.bound("s-1"):
            pass
        with pytest.raises(TaskAlreadyBound):
            journal.sessions.start("s-2", "b")
    assert journal.sessions.current() is None


def test_a_binding_of_a_session_that_is_over_is_dropped(journal: Journal) -> None:
    journal.sessions.start("s-1", "a")
    # As another process does it.
    journal.execute(("session-s-1", "inbox-s-1"), session.end, session.SessionStatus.CLOSED)
    assert journal.sessions.current() is None
    journal.sessions.start("s-2", "a")
    assert journal.sessions.current() == "s-2"
    for command in (journal.sessions.rebind, journal.sessions.end):
        with pytest.raises(SessionTerminal):
            command("s-1")
    with pytest.raises(SessionTerminal), journal.sessions.bound("s-1"):
        pass
    with pytest.raises(SessionNotFound), journal.sessions.bound("s-9"):
        pass


def test_names_are_bindings_for_other_schedulers(journal: Journal) -> None:
    one = journal.sessions.start("s-1", "a", binding="worker-1")
    journal.sessions.open("s-2", binding="worker-2")
    two = journal.sessions.owned(journal.sessions.claim("s-2", "b"), binding="worker-2")
    assert [journal.sessions.current(name) for name in ("worker-1", "worker-2")] == ["s-1", "s-2"]
    assert journal.sessions.current() is None
    one.accept("message")
    two.accept("message")
    with pytest.raises(SessionBindingMismatch):
        journal.sessions.owned(one.capability, binding="worker-2").accept("message")
    with pytest.raises(SessionBindingMismatch):
        journal.sessions.end("s-2", binding="worker-1")
    with pytest.raises(TaskAlreadyBound):
        journal.sessions.rebind("s-1", "worker-2")
    journal.sessions.end(binding="worker-1")
    journal.sessions.rebind("s-2", "worker-1")
    assert [journal.sessions.current(name) for name in ("worker-1", "worker-2")] == ["s-2", None]


def test_child_tasks_and_threads_do_not_inherit_a_binding(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        owned = await journal.sessions.start("s-1", "a")
        assert await journal.sessions.current() == "s-1"
        assert await asyncio.create_task(journal.sessions.current()) is None
        assert await asyncio.to_thread(lambda: journal._journal.sessions.current()) is None
        with pytest.raises(MissingTaskBinding):
            await asyncio.create_task(owned.accept("message"))
        await owned.accept("message", payload=[1, 2])
        await owned.close()
        async with asyncio.timeout(10):
            await journal.sessions.open("s-2")
            async with journal.sessions.bound("s-2"):
                assert await journal.sessions.current() == "s-2"
            assert await journal.sessions.current() is None

    run(url, story)


# Ingress and rounds


def test_rounds_are_recorded_and_bad_ones_raised(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a", roles=["worker"])
    for good in ("continue", "complete", "deferred"):
        assert owned.round("worker", partial(RoundOutcome, good)) == good
    for bad in ("timed_out", "cancelled", "stuck"):
        with pytest.raises(RoundFailed, match=bad):
            owned.round("worker", partial(RoundOutcome, bad))
    head = journal.head()
    with pytest.raises(UnknownRole):
        owned.round("ghost", lambda: pytest.fail("is not called"))
    with pytest.raises(InvalidArgument):
        owned.round("worker", lambda: "continue")  # type: ignore[arg-type,return-value]
    with pytest.raises(ZeroDivisionError):
        owned.round("worker", lambda: 1 // 0)  # type: ignore[arg-type,return-value]
    assert journal.head() == head

    async def never() -> RoundOutcome:
        return RoundOutcome.CONTINUE

    with pytest.raises(InvalidArgument, match="async"):
        owned.round("worker", never)  # type: ignore[arg-type]
    # A step may lose the session to another; its result is not taken then.
    with pytest.raises(StaleCapability):
        owned.round("worker", lambda: (journal.sessions.transfer(owned.capability, "b"), RoundOutcome.CONTINUE)[1])
    assert journal.sessions.state("s-1").ending is None
    journal.sessions.end()
    ending = journal.sessions.state("s-1").ending
    assert ending is not None
    assert (ending.rounds, ending.ingresses) == (6, 0)


def test_a_round_of_a_task_is_awaited(url: str) -> None:
    async def step() -> RoundOutcome:
        await asyncio.sleep(0)
        return RoundOutcome.DEFERRED

    async def story(journal: AsyncJournal) -> None:
        owned = await journal.sessions.start("s-1", "a", roles=["worker"])
        assert await owned.round("worker", step) == "deferred"
        assert await owned.round("worker", lambda: RoundOutcome.COMPLETE) == "complete"
        await owned.transfer_in_place("b")
        assert (owned.owner, owned.capability.generation, owned.session_id) == ("b", 2, "s-1")
        assert "generation 2" in repr(owned)

    run(url, story)


def test_a_payload_is_kept_or_only_its_digest(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    owned.accept("secret", payload=b"erase me", keep_payload=False)
    owned.accept("public", payload={"say": "hello"})
    kept = [record.event for record in journal.read_stream("session-s-1", after=3)]
    first, second = (each for each in kept if isinstance(each, session.IngressAccepted))
    assert (first.payload, first.size, len(first.sha256 or "")) == (None, 8, 64)
    assert second.payload is not None
    assert second.payload == {"say": "hello"}
    assert "erase me" not in str(first)


# Time


def test_what_is_over_its_time_is_listed(clock: Clock) -> None:
    clock.now = 1_000
    with Journal.open("memory://", clock=clock) as journal:
        journal.sessions.open("long", timeout_ms=500)
        journal.sessions.open("short", timeout_ms=100)
        journal.sessions.open("endless")
        assert (journal.sessions.timed_out(), journal.next_wakeup()) == ([], 101)
        # Strictly: at its last moment it is still in time.
        assert (journal.sessions.timed_out(1_100), journal.next_wakeup(1_100)) == ([], 1)
        assert (journal.sessions.timed_out(1_101), journal.next_wakeup(1_101)) == (["short"], 400)
        assert journal.sessions.timed_out(9_999) == ["short", "long"]
        assert journal.next_wakeup(9_999) is None
        journal.sessions.set_timeout("short", None)
        assert journal.sessions.timed_out(9_999) == ["long"]
        journal.sessions.end("long")
        assert journal.sessions.timed_out(9_999) == []
        journal.conversations.join("team", "alice")
        assert journal.next_wakeup() == journal.conversations.next_wakeup()
        happened = journal.tick(9_999_999)
        assert list(happened) == ["conversation-team"]


# Footprints, archive


def test_a_finished_session_is_in_no_footprint(journal: Journal) -> None:
    for name in ("s-1", "s-2"):
        journal.sessions.open(name)
        journal.sessions.host(name, "A")
    journal.sessions.delegate("s-1", "A", "B")
    assert (journal.sessions["s-1"].holder, journal.sessions["s-2"].holder) == ("B", "A")
    position = journal.head()
    journal.sessions.end("s-1")
    journal.sessions.close(journal.sessions.claim("s-2", "a"))
    assert dict(journal.footprints.items()) == {}
    assert journal.at(position=position).footprints.of_session("s-1") == {
        "A": FootprintClass.DELEGATED_OUT,
        "B": FootprintClass.DELEGATED_IN,
    }
    assert journal.at(position=position).sessions["s-1"].holder == "B"


def test_finished_sessions_are_put_away(journal: Journal) -> None:
    journal.sessions.open("s-1", ["worker"])
    journal.sessions.close(journal.sessions.claim("s-1", "a"))
    journal.sessions.open("s-2")
    journal.sessions.cancel("s-2", "why not")
    journal.sessions.open("s-3")
    assert (len(journal.sessions), journal.sessions.active_count()) == (3, 1)
    assert journal.sessions.reap() == (("s-1", 1), ("s-2", 1))
    assert journal.sessions.reap() == ()
    assert (list(journal.sessions), list(journal.archive.of_session("s-1"))) == (["s-3"], [1])
    summary = journal.archive["s-1", 1]
    assert (summary.status, summary.counts.roles, summary.last_owner) == ("closed", 1, "a")
    assert str(journal.archive["s-2", 1].reason) == "cancelled by its host: why not"
    # It stays finished, and can be opened again.
    with pytest.raises(SessionTerminal):
        journal.sessions.claim("s-1", "a")
    journal.sessions.open("s-1")
    assert journal.sessions["s-1"].incarnation == 2
    assert [record.type for record in journal.read(limit=20)].count("session.archived.v2") == 2
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_nobody_owns_a_drained_session_twice(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "a")
    journal.sessions.drain(held)
    assert (journal.sessions["s-1"].status, journal.owners["s-1"].status) == ("draining", "active")
    journal.sessions.release(held)
    with pytest.raises(Unclaimed):
        journal.sessions.check(held)
    journal.sessions.end("s-1")
    assert (journal.owners["s-1"].status, journal.sessions["s-1"].epoch) == ("closed", 2)


def test_an_opening_is_not_undone_under_its_envelopes(journal: Journal) -> None:
    journal.sessions.open("s-1")
    journal.inbox.put("s-1", envelope("hello"))
    with pytest.raises(LaterEventDepends, match="inbox-s-1@1"):
        journal.revert("session-s-1@1")
    journal.revert("inbox-s-1@1")
    assert journal.inbox.unread("s-1") == 0
    journal.revert("session-s-1@1")
    # The envelope comes back only into the session that it was for.
    with pytest.raises(SessionNotFound):
        journal.revert("inbox-s-1@2")
    journal.sessions.open("s-1")
    with pytest.raises(NotCompensable, match="opened again"):
        journal.revert("inbox-s-1@2")
    assert journal.verify().findings == ()


def test_a_reopening_that_is_undone_leaves_the_end_before_it_as_it_was(journal: Journal) -> None:
    journal.sessions.open("s-1", ["worker"], now=1_000)
    journal.sessions.claim("s-1", "a")
    journal.sessions.end("s-1", now=5_000)
    before = journal.sessions.state("s-1")
    assert before.ending is not None
    assert before.ending.duration_ms == 4_000
    journal.sessions.open("s-1", now=6_000)
    assert journal.sessions.state("s-1").ending is None
    journal.revert(journal.head())
    after = journal.sessions.state("s-1")
    assert (after.status, after.ending, after.epoch) == (before.status, before.ending, before.epoch)
    assert "s-1" not in journal.sessions
    assert journal.archive["s-1", 1].ending == before.ending
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def test_what_was_taken_is_taken_again_only_for_whoever_owns_the_session(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    journal.inbox.put("s-1", envelope("hello"))
    assert journal.inbox.take(owned.capability) is not None
    journal.revert("inbox-s-1@2")
    owned.transfer_in_place("b")
    with pytest.raises(NotCompensable, match="not live"):
        journal.revert("inbox-s-1@3")
    assert journal.inbox.snapshot("s-1")[0].taken_by is None


def test_what_is_handed_out_is_a_copy(journal: Journal) -> None:
    payload = {"x": [1]}
    owned = journal.sessions.start("s-1", "a")
    given = Envelope("B", "A", "c", payload)
    journal.inbox.put("s-1", given)
    payload["x"].append(2)
    given.payload["x"].append(3)
    journal.inbox.snapshot("s-1")[0].envelope.payload["x"].append(4)
    taken = journal.inbox.take(owned.capability)
    assert taken is not None
    assert taken.envelope.payload == {"x": [1]}
    taken.envelope.payload["x"].append(6)
    assert journal.inbox.snapshot("s-1")[0].envelope.payload == {"x": [1]}
    assert journal.verify().findings == ()


def test_a_saga_that_fails_takes_back_what_it_put_and_took(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    journal.inbox.put("s-1", envelope("before"))

    def works() -> None:
        with journal.saga("work"):
            journal.inbox.put("s-1", envelope("in the saga"))
            assert journal.inbox.take(owned.capability) is not None
            journal.sessions.set_timeout("s-1", 99)
            journal.sessions.drain(owned.capability)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        works()
    assert [each.taken_by for each in journal.inbox.snapshot("s-1")] == [None]
    assert journal.sessions["s-1"].timeout_ms is None
    assert journal.sessions["s-1"].status == "active"
    assert journal.verify().findings == ()


# Sites


def test_a_site_that_crashes_faults_its_sessions(journal: Journal) -> None:
    for name, roles in (("s-1", ["A", "B"]), ("s-2", ["B"]), ("s-3", ["A"])):
        journal.sessions.open(name, roles)
    journal.sessions.close(journal.sessions.claim("s-3", "a"))
    journal.sessions.open("s-4", ["A"])
    journal.sessions.end("s-4")
    journal.sessions.open("s-4", ["B"])
    assert journal.sites.crashed("A") == ("s-1",)
    assert {name: row.status.value for name, row in journal.sessions.items()} == {
        "s-1": "faulted",
        "s-2": "active",
        "s-3": "closed",
        "s-4": "active",
    }
    state = journal.sessions.state("s-1")
    assert str(state.terminal_reason) == "faulted by its host: site A crashed"
    assert journal.sites.crashed("A") == ()
    assert journal.sites["A"].is_crashed
    assert journal.verify().findings == ()


def test_sites_by_their_ticks(journal: Journal) -> None:
    sites = journal.sites
    first = sites.time_out("A", 20, 1, 1)
    second = sites.time_out("A", 40, 1, 2)
    other = sites.time_out("B", 5, 1, 2)
    assert (first.until_tick, second.until_tick, first.witness_id != second.witness_id) == (21, 42, True)
    with pytest.raises(TickWentBack):
        sites.time_out("A", 1, 1, 1)
    with pytest.raises(TickWentBack):
        sites.tick(1)
    assert sites.tick(6) == ()
    assert sites.tick(7) == (other,)
    assert sites.tick(42) == (second,)
    assert (sites["A"].timeout, sites["A"].last_tick) == (None, 42)
    trail = [(each.event, each.site, each.tick, each.reason) for each in journal.audit.records()]
    assert trail == [
        ("issued", "A", 1, None),
        ("invalidated", "A", 2, "replaced by newer timeout witness"),
        ("issued", "A", 2, None),
        ("issued", "B", 2, None),
        ("expired", "B", 7, "timeout horizon elapsed"),
        ("expired", "A", 42, "timeout horizon elapsed"),
    ]
    assert journal.verify().findings == ()


def test_a_key_answers_for_envelopes_too(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "a")
    for _ in range(2):
        with journal.context(idempotency_key="put"):
            assert journal.inbox.put("s-1", envelope("hello", name="n")) == 1
        # Nothing is appended for it, and the key is used up all the same.
        with journal.context(idempotency_key="put again"):
            assert journal.inbox.put("s-1", envelope("hello", name="n")) == 1
        with journal.context(idempotency_key="take"):
            delivery = journal.inbox.take(held)
            assert delivery is not None
            assert (delivery.number, delivery.envelope.name) == (1, "n")
        with journal.context(idempotency_key="take again"):
            assert journal.inbox.take(held) is None
        with journal.context(idempotency_key="back"):
            assert journal.inbox.give_back(held) == (1,)
    assert journal.outcome("put again").event.outcome == 1  # type: ignore[union-attr]
    with journal.context(idempotency_key="start"):
        first = journal.sessions.start("s-2", "b", binding="w-1")
    with journal.context(idempotency_key="start"):
        again = journal.sessions.start("s-2", "b", binding="w-2")
    assert (again.capability, journal.sessions["s-2"].incarnation) == (first.capability, 1)
    assert [journal.sessions.current(name) for name in ("w-1", "w-2")] == [None, "s-2"]
    assert journal.verify().findings == ()


def test_a_closed_journal_ends_a_wait(url: str) -> None:
    with Journal.open(url) as journal:
        held = journal.sessions.start("s-1", "a").capability
        timer = threading.Timer(0.05, journal.close)
        timer.start()
        with pytest.raises(JournalClosed):
            journal.inbox.wait(held, timeout_s=30)
        timer.join()


@pytest.mark.parametrize("timeout", [-1, 86_401, float("nan"), "1", None, True])
def test_what_is_no_time_to_wait(journal: Journal, timeout: Any) -> None:
    held = journal.sessions.start("s-1", "a").capability
    with pytest.raises(InvalidArgument, match="timeout_s"):
        journal.inbox.wait(held, timeout_s=timeout)


def test_every_line_of_the_audit_trail_is_in_the_table_of_lifecycles(journal: Journal) -> None:
    for story in (act for act, _, _ in UNDOABLE.values()):
        with contextlib.suppress(CommandRefused, AssertionError):
            story(journal)
    for name in ("s-1", "s-5"):
        with contextlib.suppress(CommandRefused):
            journal.sessions.open(name)
        with contextlib.suppress(CommandRefused):
            held = journal.sessions.claim(name, "a")
            journal.sessions.begin_transfer(held, "b")
            journal.sessions.issue_witness(held, "ready")
        journal.sessions.end(name)
    journal.sites.time_out("A", 1, 1, 1)
    journal.sites.time_out("A", 1, 1, 2)
    journal.sites.tick(9)
    lines = journal.audit.records()
    assert {each.kind for each in lines} >= {"timeout_witness", "ownership_receipt", "readiness_witness"}
    assert [each for each in lines if each.event not in ARTIFACT_LIFECYCLES[each.kind].events] == []
    assert set(ARTIFACT_LIFECYCLES) == set(ArtifactKind)
    # A receipt that was staged when its session ended has an end too.
    ends = [each for each in lines if each.kind == "ownership_receipt" and each.reason == "session ended by its host"]
    assert {each.event for each in ends} == {"rolled_back"}


def test_sessions_are_counted_by_an_index(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        for number in range(20):
            journal.sessions.open(f"s-{number}")
        journal.sessions.end("s-3")
        assert (journal.sessions.active_count(), journal.at(position=5).sessions.active_count()) == (19, 5)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        statement = f"SELECT COUNT(*) FROM projection_sessions_v1_2 WHERE until={FOREVER} AND status='active'"
        plan = " ".join(row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
    assert "SEARCH" in plan
    assert "SCAN" not in plan
