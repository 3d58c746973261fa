"""The journal for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import (
    AlreadyClaimed,
    Fragments,
    InvalidIdentifier,
    JournalClosed,
    NotAJournal,
    OtherEventLoop,
    StaleCapability,
)
from muniment.journal import (
    AsyncBundles,
    AsyncInboxes,
    AsyncJournal,
    AsyncOwnedSession,
    AsyncSaga,
    AsyncSessions,
    AsyncSites,
    BundleCommands,
    Inboxes,
    Journal,
    OwnedSession,
    Saga,
    Sessions,
    Sites,
)

from ..drawing import drawn
from .awaiting import run


def test_the_commands_are_those_of_the_other_journal() -> None:
    facades: list[tuple[type, type]] = [
        (Sessions, AsyncSessions),
        (BundleCommands, AsyncBundles),
        (Saga, AsyncSaga),
        (OwnedSession, AsyncOwnedSession),
        (Inboxes, AsyncInboxes),
        (Sites, AsyncSites),
    ]
    for facade, awaited in facades:
        # As a mapping, it is read with ``run``.
        commands = {name for name in dir(facade) if not name.startswith("_")} - set(dir(Mapping))
        commands -= {"of_session", "of_edge"}
        facts = {"give", "capability", "boundary"} - commands
        assert {name for name in dir(awaited) if not name.startswith("_")} - facts == commands
        # In a task, a block is an async one, and what is started is used by awaiting.
        for name in commands - {"bound", "owned", "start", "round", "session_id", "owner"}:
            theirs, ours = (inspect.signature(getattr(cls, name)) for cls in (facade, awaited))
            assert ours == theirs, name


def test_every_command(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        sessions = journal.sessions
        await sessions.open("s-1", roles=["worker"])
        held = await sessions.claim("s-1", "alice")
        await sessions.check(held)
        witness = await sessions.issue_witness(held, "ready")
        await sessions.consume_witness(held, witness)
        receipt = await sessions.begin_transfer(held, "bob")
        await sessions.rollback_transfer(receipt)
        handed = await sessions.commit_transfer(await sessions.begin_transfer(held, "bob"))
        with pytest.raises(StaleCapability):
            await sessions.check(held)
        handed = await sessions.transfer(handed, "carol")
        narrowed = await sessions.attenuate(handed, Fragments({"bundle:x"}))
        await sessions.release(narrowed)
        narrow = await sessions.claim("s-1", "dave", narrowed.scope)
        await sessions.end(narrow.session_id)
        await sessions.open("s-1")
        await sessions.close(await sessions.claim("s-1", "dave"))
        await sessions.open("s-1")
        held = await sessions.claim("s-1", "erin")
        await sessions.abandon_transfer(await sessions.begin_transfer(held, "frank"))
        await sessions.open("s-1")
        held = await sessions.claim("s-1", "erin")
        await sessions.fail_transfer_commit(await sessions.begin_transfer(held, "frank"), "no quorum")
        await sessions.open("s-1")
        await sessions.claim("s-1", "erin")
        assert (await sessions.owner_died("s-1", "erin")).owner == "erin"
        assert await journal.run(lambda sync: sync.owners["s-1"].status) == "faulted"
        assert (await journal.run(lambda sync: sync.verify())).findings == ()

    run(url, story)


def test_bad_input_is_refused_as_ever(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        with pytest.raises(InvalidIdentifier):
            await journal.sessions.open("")
        assert await journal.run(Journal.head) == 0

    run(url, story)


def test_one_of_many_tasks_wins(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        await journal.sessions.open("s-1")
        claims = (journal.sessions.claim("s-1", f"task-{n}") for n in range(50))
        answers = await asyncio.gather(*claims, return_exceptions=True)
        won = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(won) == 1
        assert sum(isinstance(answer, AlreadyClaimed) for answer in answers) == 49
        assert await journal.run(Journal.head) == 2

    run(url, story)


def test_many_tasks_share_transactions(shared_url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        recorder = journal._journal.application.recorder
        writes = 0
        insert_events = recorder.insert_events

        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal writes
            writes += 1
            return insert_events(*args, **kwargs)

        recorder.insert_events = counted  # type: ignore[method-assign]

        async def task(name: str) -> None:
            await journal.sessions.open(name)
            held = await journal.sessions.claim(name, name)
            for _ in range(8):
                held = await journal.sessions.transfer(held, name)

        await asyncio.gather(*(task(f"s-{n}") for n in range(64)))
        assert await journal.run(Journal.head) == 640
        assert writes <= 40

    run(shared_url, story)


def test_tasks_on_one_session_queue_up(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        await journal.sessions.open("s-1")
        held = await journal.sessions.claim("s-1", "alice")
        witnesses = await asyncio.gather(*(journal.sessions.issue_witness(held, f"p-{n}") for n in range(30)))
        assert sorted(witness.witness_id for witness in witnesses) == list(range(1, 31))

    run(url, story)


def test_metadata_and_keys_belong_to_a_task(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        async def task(name: str) -> None:
            with journal.context(actor=name, idempotency_key=f"key-{name}"):
                await asyncio.sleep(0)
                await journal.sessions.open(name)
                await journal.sessions.open(name)

        await asyncio.gather(*(task(f"s-{n}") for n in range(10)))
        records = await journal.run(lambda sync: list(sync.read()))
        assert len(records) == 10
        assert all(record.metadata.actor == record.stream.removeprefix("session-") for record in records)

    run(url, story)


def test_another_writer_is_noticed(shared_url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        await journal.sessions.open("s-1")
        held = await journal.sessions.claim("s-1", "alice")
        with Journal.open(shared_url) as other:
            handed = await asyncio.to_thread(other.sessions.transfer, held, "bob")
        with pytest.raises(StaleCapability):
            await journal.sessions.transfer(held, "carol")
        assert (await journal.sessions.transfer(handed, "carol")).generation == 3

    run(shared_url, story)


def test_following(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        seen = []

        async def follow(after: int) -> None:
            async for record in journal.follow(after):
                seen.append(record.position)
                if record.position == 5:
                    return

        follower = asyncio.create_task(follow(0))
        for number in range(5):
            await journal.sessions.open(f"s-{number}")
        await asyncio.wait_for(follower, 30)
        assert seen == [1, 2, 3, 4, 5]
        cancelled = asyncio.create_task(follow(5))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    run(url, story)


@settings(max_examples=drawn(25))
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=4, max_size=12))
def test_cancelled_tasks_leave_appends_whole_and_others_at_work(cancellations: list[tuple[int, int]]) -> None:
    async def story(journal: AsyncJournal) -> None:
        async def work(name: str) -> None:
            held = await journal.sessions.claim(name, name)
            while True:
                witness = await journal.sessions.issue_witness(held, "ready")
                await journal.sessions.consume_witness(held, witness)
                held = await journal.sessions.transfer(held, name)

        names = [f"s-{n}" for n in range(4)]
        for name in names:
            await journal.sessions.open(name)
        tasks = {name: asyncio.create_task(work(name)) for name in names}
        for turn, (number, delay) in enumerate(cancellations):
            for _ in range(delay):
                await asyncio.sleep(0)
            name = names[number]
            tasks[name].cancel()
            await asyncio.wait([tasks[name]])
            # What the task was appending may still be under way; one thread writes, in order, so this comes after it.
            await journal.sessions.open(f"after-{turn}")
            state = await journal.run(lambda sync, name: sync.sessions.state(name), name)
            if state.capability is not None:
                await journal.sessions.release(state.capability)
            tasks[name] = asyncio.create_task(work(name))
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
        assert (await journal.run(lambda sync: sync.verify())).findings == ()

    run("memory://", story)


def test_closing_finishes_what_is_being_written(shared_url: str) -> None:
    async def main() -> None:
        journal = await AsyncJournal.open(shared_url)
        opening = [asyncio.create_task(journal.sessions.open(f"s-{n}")) for n in range(20)]
        await asyncio.sleep(0)
        await journal.close()
        answers = await asyncio.gather(*opening, return_exceptions=True)
        # Whatever was under way is finished, and whatever came too late is told so.
        assert {type(answer) for answer in answers} <= {type(None), JournalClosed}
        with Journal.open(shared_url) as reopened:
            assert len(reopened.owners) == answers.count(None)

    asyncio.run(main())


def test_closing_waits_for_commands_that_still_read(shared_url: str) -> None:
    async def main() -> None:
        for delay in range(12):
            journal = await AsyncJournal.open(f"{shared_url}-{delay}")
            await journal.sessions.open("s-1")

            async def claim(journal: AsyncJournal = journal) -> None:
                with journal.context(idempotency_key="k"):
                    await journal.sessions.claim("s-1", "alice")

            task = asyncio.create_task(claim())
            await asyncio.sleep(0.0003 * delay)
            await journal.close()
            await asyncio.wait([task], timeout=30)
            assert task.done()
            assert task.exception() is None or isinstance(task.exception(), JournalClosed)

    asyncio.run(main())


def test_idle_followers_keep_nobody_from_reading_or_closing(url: str) -> None:
    async def main() -> None:
        journal = await AsyncJournal.open(url)

        async def follow() -> None:
            async for _ in journal.follow():
                pass

        followers = [asyncio.create_task(follow()) for _ in range(40)]
        await asyncio.sleep(0.05)
        assert await asyncio.wait_for(journal.run(Journal.head), 30) == 0
        await journal.sessions.open("s-1")
        await asyncio.wait_for(journal.close(), 30)
        await asyncio.wait_for(asyncio.gather(*followers), 30)

    asyncio.run(main())


def test_a_closed_journal_says_so(url: str) -> None:
    async def main() -> None:
        journal = await AsyncJournal.open(url)
        await journal.close()
        with pytest.raises(JournalClosed):
            await journal.sessions.open("s-1")

    asyncio.run(main())


def test_what_is_no_journal_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(NotAJournal):
        asyncio.run(AsyncJournal.open(f"sqlite:///{tmp_path}/text"))


def test_another_event_loop_is_a_typed_error_and_can_close_the_journal(shared_url: str) -> None:
    async def open_session() -> AsyncJournal:
        journal = await AsyncJournal.open(shared_url)
        await journal.sessions.open("s")
        return journal

    async def use(journal: AsyncJournal) -> None:
        with pytest.raises(OtherEventLoop):
            await journal.sessions.open("t")
        with pytest.raises(OtherEventLoop):
            await journal.revert(1)
        with pytest.raises(OtherEventLoop):
            await journal.conversations.tick()
        with pytest.raises(OtherEventLoop):
            await journal.run(Journal.head)
        with pytest.raises(OtherEventLoop):
            await anext(journal.follow())
        await asyncio.wait_for(journal.close(), 30)

    journal = asyncio.run(open_session())
    asyncio.run(use(journal))
    with Journal.open(shared_url) as again:
        assert again.head() == 1
