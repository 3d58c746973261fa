"""Whose context it is: metadata goes where Python's context goes; a key and a saga stay with who entered the block."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeAlias

import pytest
from muniment.domain import InvalidArgument, SagaEnded, SagaNotFound
from muniment.domain.saga import SagaStatus
from muniment.journal import AsyncJournal, Journal

Opening: TypeAlias = Callable[[AsyncJournal, str], Coroutine[Any, Any, None]]


class Failure(Exception):
    """What a block raises."""


def metadata(journal: Journal, session_id: str) -> tuple[str | None, str | None, str | None]:
    """The actor, key and saga under which a session was opened."""
    record = next(journal.read_stream(f"session-{session_id}"))
    return record.metadata.actor, record.metadata.idempotency_key, record.metadata.saga


async def recorded(journal: AsyncJournal, session_id: str) -> tuple[str | None, str | None, str | None]:
    return await journal.run(metadata, session_id)


async def with_gather(journal: AsyncJournal, session_id: str) -> None:
    await asyncio.gather(journal.sessions.open(session_id))


async def with_a_task_group(journal: AsyncJournal, session_id: str) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(journal.sessions.open(session_id))


async def with_create_task(journal: AsyncJournal, session_id: str) -> None:
    await asyncio.create_task(journal.sessions.open(session_id))


async def with_to_thread(journal: AsyncJournal, session_id: str) -> None:
    await asyncio.to_thread(journal._journal.sessions.open, session_id)


async def with_a_callback(journal: AsyncJournal, session_id: str) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def call() -> None:
        journal._journal.sessions.open(session_id)
        done.set_result(None)

    loop.call_soon(call)
    await done


NOT_THE_SAME = [with_gather, with_a_task_group, with_create_task, with_to_thread, with_a_callback]


@pytest.mark.parametrize("opening", NOT_THE_SAME)
def test_the_actor_goes_with_a_task_and_the_key_and_the_saga_stay(opening: Opening) -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            with journal.context(actor="alice", idempotency_key="k"):
                async with journal.saga("work") as saga:
                    await opening(journal, "elsewhere")
                    await journal.sessions.open("here")
            assert await recorded(journal, "elsewhere") == ("alice", None, None)
            assert await recorded(journal, "here") == ("alice", "k", saga.id)

    asyncio.run(story())


@pytest.mark.parametrize("opening", NOT_THE_SAME)
def test_what_a_task_did_elsewhere_stays_when_the_saga_is_undone(opening: Opening) -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            with pytest.raises(Failure):
                async with journal.saga("work"):
                    await opening(journal, "elsewhere")
                    await journal.sessions.open("here")
                    raise Failure
            assert await journal.run(lambda each: set(each.owners)) == {"elsewhere"}

    asyncio.run(story())


def test_wait_for_is_a_task_of_its_own_before_python_3_12(journal: Journal) -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as opened, opened.saga("work") as saga:
            await asyncio.wait_for(opened.sessions.open("waited-for"), 30)
            async with asyncio.timeout(30):
                await opened.sessions.open("in-time")
            expected = saga.id if sys.version_info >= (3, 12) else None
            assert await recorded(opened, "waited-for") == (None, None, expected)
            assert await recorded(opened, "in-time") == (None, None, saga.id)

    asyncio.run(story())


@pytest.mark.parametrize("opening", NOT_THE_SAME[:3])
def test_a_task_joins_the_saga_by_name(opening: Opening) -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            with pytest.raises(Failure):
                async with journal.saga("work") as saga:

                    async def joining(work: Awaitable[Any]) -> None:
                        with saga.joined():
                            await work

                    await asyncio.gather(joining(journal.sessions.open("joined")), journal.sessions.open("beside"))
                    raise Failure
            assert await journal.run(lambda each: set(each.owners)) == {"beside"}

    asyncio.run(story())


def test_a_task_that_outlives_its_saga_goes_on_for_itself() -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            go = asyncio.Event()

            async def later() -> None:
                await go.wait()
                await journal.sessions.open("later")

            async with journal.saga("work"):
                task = asyncio.create_task(later())
                await journal.sessions.open("own")
            go.set()
            await task
            assert await recorded(journal, "later") == (None, None, None)

    asyncio.run(story())


def test_an_undo_given_by_a_task_in_a_saga_belongs_to_the_saga() -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            await journal.sessions.open("s")
            with journal.context(actor="alice", idempotency_key="k"):
                async with journal.saga("work") as saga:
                    await journal.revert("session-s@1")
                    again = await journal.revert("session-s@1")
            record = await journal.run(lambda each: each.record(3))
            assert (record.metadata.saga, record.metadata.idempotency_key) == (saga.id, "k")
            assert again.positions == (3,)

    asyncio.run(story())


def test_threads_of_a_pool_are_in_no_saga_unless_they_join(journal: Journal) -> None:
    def joining(name: str) -> None:
        with saga.joined():
            journal.sessions.open(name)

    with ThreadPoolExecutor(2) as pool, pytest.raises(Failure), journal.saga("work") as saga:
        pool.submit(journal.sessions.open, "beside").result()
        pool.submit(copy_context().run, journal.sessions.open, "beside, with the context").result()
        pool.submit(joining, "joined").result()
        raise Failure
    assert set(journal.owners) == {"beside", "beside, with the context"}


def test_a_thread_that_reuses_the_number_of_one_that_ended_is_another(journal: Journal) -> None:
    contexts = []

    def enter() -> None:
        journal.context(idempotency_key="k").__enter__()
        contexts.append(copy_context())

    def use() -> None:
        contexts[0].run(journal.sessions.open, "s")

    for work in (enter, use):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert metadata(journal, "s") == (None, None, None)


def test_an_event_loop_in_a_block_is_not_in_its_saga(journal: Journal) -> None:
    async def open_session() -> None:
        journal.sessions.open("s")

    with journal.context(actor="alice"), journal.saga("work"):
        asyncio.run(open_session())
    assert metadata(journal, "s") == ("alice", None, None)


def test_a_saga_is_joined_only_while_its_block_lasts(journal: Journal) -> None:
    saga = journal.saga("work")
    with pytest.raises(SagaNotFound):
        saga.joined()
    with saga, saga.joined():
        journal.sessions.open("s")
    assert metadata(journal, "s") == (None, None, saga.id)
    with pytest.raises(SagaEnded):
        saga.joined()


def test_who_joined_a_saga_that_was_ended_elsewhere_appends_nothing(journal: Journal) -> None:
    with pytest.raises(SagaEnded) as caught, journal.saga("work") as saga, saga.joined():
        journal.sagas.compensate(saga.id)
        journal.sessions.open("s")
    assert "s" not in journal.owners
    assert caught.value.__notes__ == [f"saga {saga.id!r} (work) is compensated"]


def test_a_saga_is_not_joined_in_another(journal: Journal) -> None:
    def other() -> None:
        with journal.saga("other"):
            saga.joined()

    with journal.saga("work") as saga, ThreadPoolExecutor(1) as pool:
        future = pool.submit(other)
        with pytest.raises(InvalidArgument, match="entered inside another one"):
            future.result()


def test_what_leaves_a_block_says_which_saga_it_was_and_how_it_ended(journal: Journal) -> None:
    def fails(details: str) -> None:
        raise ConnectionError("nobody answers")

    with pytest.raises(Failure) as caught, journal.saga("work") as saga:
        saga.register_undo("step", fails)
        raise Failure
    (note,) = caught.value.__notes__
    assert note == f"saga {saga.id!r} (work) is in doubt; undoing it failed with ConnectionError: nobody answers"
    assert journal.sagas[saga.id].status is SagaStatus.IN_DOUBT

    with pytest.raises(SagaEnded) as ended, journal.saga("work") as saga:
        journal.sagas.compensate(saga.id)
    assert ended.value.__notes__ == [f"saga {saga.id!r} (work) is compensated"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_while_it_is_undone_does_not_replace_the_block_s_own_error(
    interruption: type[BaseException], journal: Journal
) -> None:
    def interrupted(details: str) -> None:
        raise interruption

    with pytest.raises(Failure) as caught, journal.saga("work") as saga:
        saga.register_undo("step", interrupted)
        raise Failure
    assert caught.value.__notes__ == [
        f"saga {saga.id!r} (work) is in doubt; undoing it failed with {interruption.__name__}: "
    ]


def test_an_error_that_bears_no_notes_is_raised_all_the_same(journal: Journal) -> None:
    class Bare(Exception):
        def add_note(self, note: str) -> None:
            raise RuntimeError("no notes")

    with pytest.raises(Bare), journal.saga("work"):
        raise Bare


def test_a_task_cancelled_while_its_saga_is_undone_raises_what_the_block_raised() -> None:
    async def story() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            undoing, go = asyncio.Event(), asyncio.Event()

            async def undo(details: str) -> None:
                undoing.set()
                await go.wait()

            async def work() -> None:
                async with journal.saga("work") as saga:
                    await saga.register_undo("step", undo)
                    raise Failure

            task = asyncio.create_task(work())
            await asyncio.wait_for(undoing.wait(), 30)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            go.set()
            with pytest.raises(Failure) as caught:
                await asyncio.wait_for(task, 30)
            assert "is compensated" in caught.value.__notes__[0]

    asyncio.run(story())


def test_a_saga_of_a_journal_that_was_closed_in_its_block_says_that_it_is_unfinished() -> None:
    async def story() -> None:
        journal = await AsyncJournal.open("memory://")
        with pytest.raises(Failure) as caught:
            async with journal.saga("work"):
                await journal.close()
                raise Failure
        assert "is unfinished" in caught.value.__notes__[0]

    asyncio.run(story())
