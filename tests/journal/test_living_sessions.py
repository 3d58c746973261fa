"""The scenarios of the reference's own tests on sessions that are lived in, by number (aura 5.1, 5.2, 5.7)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from muniment.domain import (
    FULL_SESSION,
    AlreadyClaimed,
    BoundaryRejected,
    CapabilitySessionMismatch,
    CompositionManifest,
    Envelope,
    Fragments,
    InvalidArgument,
    InvalidIdentifier,
    LinkBoundary,
    LinkSpec,
    ManifestWithoutBundles,
    SessionAlreadyOpen,
    SessionBindingMismatch,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TaskAlreadyBound,
    UnknownRole,
    WaitTimedOut,
    session_stream,
)
from muniment.domain.stream_names import split_stream
from muniment.journal import AsyncJournal, Journal

from .awaiting import run

MANIFEST = CompositionManifest("p", (LinkSpec("bundle-a", role="worker"),), ("worker", "reviewer"))
A_ONLY = LinkBoundary.for_bundle_id("bundle-a")
B_ONLY = LinkBoundary.for_bundle_id("bundle-b")


def envelope(text: str, context: str = "c", **about: Any) -> Envelope:
    return Envelope("B", "A", context, text.encode(), **about)


# aura 5.1


def test_1_an_id_leads_to_its_stream_and_back() -> None:
    assert split_stream(session_stream("s-1")) == ("session", "s-1")


def test_2_a_started_session_can_be_waited_for_and_an_ended_one_not(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    journal.inbox.put("s-1", envelope("hello"))
    journal.inbox.wait(owned.capability, timeout_s=0)
    journal.sessions.end()
    with pytest.raises(SessionTerminal):
        journal.inbox.wait(owned.capability, timeout_s=5)


def test_3_a_cancelled_session_is_unbound_and_its_envelopes_are_lost(journal: Journal) -> None:
    journal.sessions.start("s-1", "a")
    journal.inbox.put("s-1", envelope("hello"))
    journal.sessions.cancel("s-1", "no more")
    assert journal.sessions.current() is None
    assert (journal.inbox.unread("s-1"), dict(journal.inbox.items())) == (0, {})
    row = journal.sessions["s-1"]
    assert (row.status, row.unread, row.owner) == ("cancelled", 0, None)
    ending = journal.sessions.state("s-1").ending
    assert ending is not None
    assert ending.lost_envelopes == 1
    with pytest.raises(SessionTerminal):
        journal.sessions.cancel("s-1", "once more")


def test_4_a_claimed_session_is_not_claimed_by_another(journal: Journal) -> None:
    journal.sessions.start("s-1", "owner-a")
    with pytest.raises(AlreadyClaimed):
        journal.sessions.claim("s-1", "owner-b")


def test_5_the_capability_of_an_ended_session_is_not_live(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    journal.sessions.end()
    with pytest.raises(SessionTerminal):
        journal.sessions.check(owned.capability)


def test_6_a_release_and_a_new_claim_give_a_new_generation(journal: Journal) -> None:
    first = journal.sessions.start("s-1", "a").capability
    journal.sessions.release(first)
    second = journal.sessions.claim("s-1", "a")
    assert second.generation > first.generation
    with pytest.raises(StaleCapability):
        journal.sessions.check(first)
    journal.sessions.check(second)


def test_7_a_transfer_with_fewer_fragments(journal: Journal) -> None:
    first = journal.sessions.start("s-1", "a").capability
    second = journal.sessions.transfer(first, "b", Fragments({"fragment.alpha"}))
    assert (second.owner, second.scope) == ("b", Fragments({"fragment.alpha"}))
    with pytest.raises(StaleCapability):
        journal.sessions.check(first)
    journal.sessions.check(second)


def test_8_a_capability_of_another_session(journal: Journal) -> None:
    for name in ("s-a", "s-b"):
        journal.sessions.open(name)
    of_a, of_b = (journal.sessions.claim(name, "a") for name in ("s-a", "s-b"))
    assert of_a.generation == of_b.generation
    head = journal.head()
    for command in (journal.sessions.check, journal.sessions.release):
        with pytest.raises(CapabilitySessionMismatch):
            command(of_a, session_id="s-b")
    with pytest.raises(CapabilitySessionMismatch):
        journal.sessions.transfer(of_a, "c", session_id="s-b")
    assert journal.head() == head
    journal.sessions.check(of_b, session_id="s-b")


def test_9_an_open_session_is_not_started_again(journal: Journal) -> None:
    journal.sessions.start("s-1", "a", binding="one")
    with pytest.raises(SessionAlreadyOpen):
        journal.sessions.start("s-1", "a", binding="two")
    assert journal.sessions.current("two") is None


# aura 5.2


def test_10_a_transfer_leaves_the_old_handle_stale(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a", roles=["worker"])
    stale = journal.sessions.owned(owned.capability)
    owned.transfer_in_place("b")
    owned.accept("message")
    with pytest.raises(StaleCapability) as caught:
        stale.accept("message")
    assert (caught.value.live_owner, caught.value.live_generation) == ("b", 2)
    owned.close()


def test_11_the_fragments_go_along(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a", manifest=MANIFEST)
    assert (owned.boundary.bundle_id, journal.sessions["s-1"].protocol_id) == ("bundle-a", "p")
    owned.transfer_in_place("b", LinkBoundary(bundle_id="bundle-a", scope=FULL_SESSION))
    (fragment,) = journal.sessions.state("s-1").fragments.values()
    assert (fragment.owner, fragment.bundle_id) == ("b", "bundle-a")


def test_12_a_boundary_within_the_scope_and_one_beyond(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a", manifest=MANIFEST)
    owned.transfer_in_place("b", A_ONLY)
    owned.accept("message", active_role="worker")
    beyond = journal.sessions.owned(owned.capability, B_ONLY)
    for _ in range(2):
        with pytest.raises(BoundaryRejected):
            beyond.accept("message")
    types = [record.type for record in journal.read_stream("session-s-1")]
    assert types.count("session.ingress_rejected.v1") == 1


def test_13_an_attenuated_capability_and_the_one_before(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    before = owned.capability
    owned.attenuate(Fragments({"bundle:bundle-a"}))
    assert owned.boundary.fragment_keys == {"bundle:bundle-a"}
    owned.accept("message")
    with pytest.raises(StaleCapability):
        journal.sessions.owned(before, A_ONLY).accept("message")


def test_14_a_capability_of_an_ended_session_is_none_of_the_next(journal: Journal) -> None:
    first = journal.sessions.start("s-a", "same").capability
    journal.sessions.end()
    second = journal.sessions.start("s-b", "same")
    with pytest.raises(SessionBindingMismatch):
        journal.sessions.owned(first).accept("message")
    with pytest.raises(CapabilitySessionMismatch):
        journal.sessions.check(first, session_id="s-b")
    second.accept("message")


def test_15_one_of_two_starts_succeeds(journal: Journal) -> None:
    owned = journal.sessions.start("s-1", "a")
    with pytest.raises(TaskAlreadyBound):
        journal.sessions.start("s-1", "b")
    owned.close()
    assert journal.sessions.current() is None


def test_15_one_of_two_starts_at_once_succeeds(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        given = await asyncio.gather(*(journal.sessions.start("s-1", owner) for owner in "ab"), return_exceptions=True)
        (won,) = [each for each in given if not isinstance(each, BaseException)]
        (lost,) = [each for each in given if isinstance(each, BaseException)]
        assert isinstance(lost, SessionAlreadyOpen | TaskAlreadyBound)
        # It was bound to the task that started it, which has ended.
        await journal.sessions.rebind("s-1")
        await won.close()

    run(url, story)


# aura 5.7


def test_50_two_tasks_run_sessions_of_their_own(url: str) -> None:
    async def runs(journal: AsyncJournal, name: str, timeout_ms: int) -> None:
        await journal.sessions.start(name, name, roles=[name], timeout_ms=timeout_ms)
        await asyncio.sleep(0)
        row = await journal.run(lambda blocking: blocking.sessions[name])
        assert (row.roles, row.timeout_ms, await journal.sessions.current()) == ((name,), timeout_ms, name)
        await journal.sessions.end()

    async def story(journal: AsyncJournal) -> None:
        await asyncio.gather(runs(journal, "s-1", 10), runs(journal, "s-2", 20))
        assert await journal.sessions.active_count() == 0

    run(url, story)


def test_51_52_54_each_session_gets_its_own(url: str) -> None:
    async def receives(journal: AsyncJournal, name: str) -> str:
        owned = await journal.sessions.start(name, name)
        await journal.inbox.wait(owned.capability, timeout_s=10)
        delivery = await journal.inbox.take(owned.capability, context=name)
        assert delivery is not None
        await journal.inbox.acknowledge(owned.capability, delivery.number)
        assert delivery.envelope.context == name
        assert await journal.inbox.take(owned.capability) is None
        return str(delivery.envelope.payload.decode())

    async def story(journal: AsyncJournal) -> None:
        received = [asyncio.create_task(receives(journal, name)) for name in ("s-1", "s-2")]
        while await journal.sessions.active_count() < 2:
            await asyncio.sleep(0.01)
        for name in ("s-2", "s-1"):
            await journal.inbox.put(name, envelope(f"for {name}", name))
        # One for a session that was never started is not kept for it, as the reference does (aura 6, O-49).
        with pytest.raises(SessionNotFound):
            await journal.inbox.put("s-3", envelope("for nobody"))
        assert await asyncio.gather(*received) == ["for s-1", "for s-2"]

    run(url, story)


def test_53_who_waits_is_woken(journal: Journal) -> None:
    held = journal.sessions.start("s-1", "a").capability
    timer = threading.Timer(0.01, journal.inbox.put, ("s-1", envelope("hello")))
    timer.start()
    journal.inbox.wait(held, timeout_s=10)
    timer.join()
    delivery = journal.inbox.take(held)
    assert delivery is not None
    assert delivery.envelope.payload == b"hello"


def test_55_an_envelope_keeps_what_is_said_of_it(journal: Journal) -> None:
    held = journal.sessions.start("s-1", "a").capability
    said = {"session-id": "s-1", "content-type": "application/x", "protocol-id": "p", "source-device": "d"}
    journal.inbox.put("s-1", envelope("hello", metadata=said, device="d-2"))
    delivery = journal.inbox.take(held, authority="B", device="d-2")
    assert delivery is not None
    assert (dict(delivery.envelope.metadata), delivery.envelope.device) == (said, "d-2")


def test_56_envelopes_keep_the_order_in_which_they_came(journal: Journal) -> None:
    held = journal.sessions.start("s-1", "a").capability
    for name in ("msg-2", "msg-1"):
        journal.inbox.put("s-1", envelope(name, name=name))
    assert [each.envelope.name for each in journal.inbox.snapshot("s-1")] == ["msg-2", "msg-1"]
    taken = [journal.inbox.take(held) for _ in range(3)]
    assert [each and each.envelope.name for each in taken] == ["msg-2", "msg-1", None]
    assert [row.taken_by for row in journal.inbox.of_session("s-1").values()] == [1, 1]
    assert journal.inbox.give_back(held) == (1, 2)
    assert journal.inbox.take(held) == taken[0]


def test_57_a_wait_ends_in_time(journal: Journal) -> None:
    held = journal.sessions.start("s-1", "a").capability
    began = time.monotonic()
    with pytest.raises(WaitTimedOut):
        journal.inbox.wait(held, timeout_s=0.02)
    assert time.monotonic() - began >= 0.02
    assert journal.sessions["s-1"].status == "active"


def test_58_a_wait_ends_with_the_session(journal: Journal) -> None:
    held = journal.sessions.start("s-1", "a").capability
    timer = threading.Timer(0.05, journal.sessions.cancel, ("s-1", "no more"))
    timer.start()
    with pytest.raises(SessionTerminal):
        journal.inbox.wait(held, timeout_s=30)
    timer.join()


def test_58_a_task_that_waits_ends_with_the_session_too(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        owned = await journal.sessions.start("s-1", "a")
        with pytest.raises(WaitTimedOut):
            await journal.inbox.wait(owned.capability, timeout_s=0.01)
        waiting = asyncio.create_task(journal.inbox.wait(owned.capability, timeout_s=30))
        await asyncio.sleep(0.05)
        await journal.sessions.end("s-1")
        with pytest.raises(SessionTerminal):
            await waiting

    run(url, story)


# What a start leaves behind where something fails (aura 2.34, R1, R2, R3 and R4)


def opens_machine(journal: Journal, *, fails: bool) -> None:
    with journal.saga("open the machine"):
        journal.sessions.start("s-1", "a", manifest=MANIFEST)
        if fails:
            raise RuntimeError("the machine does not open")


def test_r1_a_start_that_is_refused_leaves_nothing(journal: Journal) -> None:
    journal.sessions.open("s-1")
    journal.sessions.claim("s-1", "somebody")
    head = journal.head()
    with pytest.raises(SessionAlreadyOpen):
        journal.sessions.start("s-1", "a")
    assert (journal.head(), journal.sessions.current(), journal.owners["s-1"].owner) == (head, None, "somebody")


def test_r2_a_protocol_that_cannot_be_attached_leaves_nothing(journal: Journal) -> None:
    with pytest.raises(InvalidIdentifier):
        journal.sessions.start("s-1", "a", protocol_id="\n")
    assert (journal.head(), journal.sessions.current()) == (0, None)


def test_r3_a_machine_that_does_not_open_gives_back_what_was_claimed(journal: Journal) -> None:
    with pytest.raises(RuntimeError):
        opens_machine(journal, fails=True)
    with pytest.raises(SessionNotFound):
        journal.sessions.state("s-1")
    assert ("s-1" in journal.sessions, "s-1" in journal.owners, journal.sessions.current()) == (False, False, None)
    assert journal.verify().findings == ()
    opens_machine(journal, fails=False)
    assert (journal.sessions["s-1"].incarnation, journal.sessions.current()) == (2, "s-1")
    assert list(journal.sessions.state("s-1").fragments) == ["bundle:bundle-a"]


def test_r4_a_start_that_makes_no_sense_leaves_nothing(journal: Journal) -> None:
    with pytest.raises(ManifestWithoutBundles):
        journal.sessions.start("s-1", "a", manifest=CompositionManifest("p"))
    with pytest.raises(UnknownRole):
        journal.sessions.start("s-1", "a", roles=["worker"], current_role="ghost")
    with pytest.raises(InvalidArgument, match="worker"):
        journal.sessions.start("s-1", "a", roles=["reviewer"], manifest=MANIFEST)
    with pytest.raises(InvalidArgument, match="distinct"):
        journal.sessions.open("s-1", ["worker", "worker"])
    assert (journal.head(), journal.sessions.current()) == (0, None)
