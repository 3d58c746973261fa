"""Every wait inside one process ends: with what was waited for, or with a typed error."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import JournalClosed, JournalLocked, MunimentError, NestedCommand, RecordedEvent
from muniment.journal import Journal
from muniment.projections import Grip, Held, Locks


def errors_of(*functions: Callable[[], object]) -> list[BaseException | None]:
    """Call functions in threads of their own; what each raised, once all have ended."""
    found: dict[int, BaseException | None] = {}

    def run(number: int) -> None:
        try:
            functions[number]()
        except BaseException as error:
            found[number] = error
        else:
            found[number] = None

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "somebody waits for ever"
    return [found[number] for number in range(len(functions))]


def test_a_lock_is_waited_for_and_given_up_on() -> None:
    lock = Locks("here", 1).new()
    mine = Grip()
    lock.take(mine)
    started = time.monotonic()
    (error,) = errors_of(lambda: lock.take(Grip()))
    assert isinstance(error, JournalLocked)
    assert time.monotonic() - started >= 0.9
    mine.over.put(None)
    assert errors_of(lambda: lock.take(Grip())) == [None]


def test_who_has_given_up_waiting_comes_next_no_more() -> None:
    lock, theirs, gave_up, mine = Locks("here", 1).new(), list[Grip](), Grip(), Grip()

    def take() -> None:
        theirs.append(Grip())
        lock.take(theirs[0])

    assert errors_of(take) == [None]
    with pytest.raises(JournalLocked):
        lock.take(gave_up, 0.2)
    theirs[0].over.put(None)
    lock.take(mine)
    assert lock.is_with(mine)


def test_a_lock_of_a_block_that_is_gone_is_free() -> None:
    lock = Locks("here", 1).new()
    lock.take(Grip())
    assert errors_of(lambda: lock.take(Grip())) == [None]


def test_a_lock_taken_twice_by_one_thread_says_so() -> None:
    lock = Locks("here", 1).new()
    with Held(lock), pytest.raises(NestedCommand), Held(lock):
        pass
    with Held(lock):
        pass


def test_who_waits_is_not_passed_by_for_ever() -> None:
    lock = Locks("here", 1).new()
    stop = threading.Event()
    errors: list[BaseException | None] = []

    def hog() -> None:
        while not stop.is_set():
            with Held(lock):
                sum(range(1_000))

    def wait() -> None:
        try:
            for _ in range(20):
                with Held(lock):
                    pass
        finally:
            stop.set()

    errors = errors_of(hog, hog, wait)
    assert errors == [None, None, None]


def test_a_holder_that_gets_on_is_waited_for() -> None:
    lock = Locks("here", 1).new()

    def work() -> None:
        with Held(lock):
            for _ in range(15):
                time.sleep(0.1)
                lock.go_on()

    def wait() -> None:
        time.sleep(0.05)
        with Held(lock):
            pass

    assert errors_of(work, wait) == [None, None]


def test_a_command_inside_a_command_on_the_same_stream(journal: Journal) -> None:
    journal.sessions.open("s")

    def view(_: Any) -> None:
        journal.sessions.claim("s", "a")

    with pytest.raises(NestedCommand) as caught:
        journal.read_state("session-s", view)
    assert caught.value.code == "nested_command"
    assert journal.sessions.claim("s", "a").generation == 1


def test_a_command_inside_a_clock(url: str) -> None:
    asked: list[MunimentError] = []

    def clock() -> int:
        if len(asked) == 0:
            asked.append(MunimentError())
            try:
                journal.sessions.open("s")
            except MunimentError as error:
                asked.append(error)
        return 1_000

    with Journal.open(url, clock=clock) as journal:
        journal.sessions.open("s")
        assert [type(error) for error in asked] == [MunimentError, NestedCommand]


@pytest.mark.parametrize("engine", ["sqlite", "memory"])
def test_a_command_inside_a_transaction(engine: str, tmp_path: Path) -> None:
    url = "memory://" if engine == "memory" else f"sqlite:///{tmp_path}/j.db"
    with Journal.open(url, lock_timeout_s=1) as journal:
        datastore: Any = journal.application.recorder.datastore  # type: ignore[attr-defined]
        with datastore.transaction(commit=True), pytest.raises(NestedCommand):
            journal.sessions.open("s")
        journal.sessions.open("s")


def test_tables_read_inside_a_projection(journal: Journal) -> None:
    (projection, *_) = journal._projector._projections
    handle = projection.handle
    found: list[BaseException] = []

    def ask(record: RecordedEvent) -> Any:
        try:
            len(journal.owners)
        except NestedCommand as error:
            found.append(error)
        return handle(record)

    projection.handle = ask  # type: ignore[method-assign]
    journal.sessions.open("s")
    assert len(journal.owners) == 1
    assert len(found) == 1


def test_a_state_read_inside_a_transaction_while_another_waits_for_that(tmp_path: Path) -> None:
    with Journal.open(f"sqlite:///{tmp_path}/j.db", lock_timeout_s=1) as journal:
        journal.sessions.open("s")
        stale = journal.sessions.claim("s", "a")
        journal.sessions.transfer(stale, "b")
        datastore: Any = journal.application.recorder.datastore  # type: ignore[attr-defined]
        inside = threading.Event()

        def mine() -> None:
            with datastore.transaction(commit=True):
                inside.set()
                time.sleep(0.3)
                journal.sessions.state("s")

        def theirs() -> None:
            inside.wait()
            journal.sessions.check(stale)

        for error in errors_of(mine, theirs):
            assert isinstance(error, MunimentError | None)
        journal.sessions.open("after")


def test_commands_may_be_given_while_an_export_is_read(journal: Journal) -> None:
    journal.sessions.open("s-0")
    for number, _ in enumerate(journal.export(), 1):
        if number < 3:
            journal.sessions.open(f"s-{number}")
    assert journal.head() == 3


def busy(journal: Journal, stop: threading.Event, acknowledged: set[str]) -> Iterator[threading.Thread]:
    def write(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            journal.sessions.open(f"w-{number}-{count}")
            acknowledged.add(f"w-{number}-{count}")

    def replay() -> None:
        while not stop.is_set():
            journal.replay()

    def follow() -> None:
        for _ in journal.follow():
            pass

    def run(function: Callable[..., None], *arguments: int) -> None:
        try:
            function(*arguments)
        except MunimentError as error:
            if not isinstance(error, JournalClosed | JournalLocked):
                raise

    for number in range(4):
        yield threading.Thread(target=run, args=(write, number), daemon=True)
    for function in (replay, follow, follow):
        yield threading.Thread(target=run, args=(function,), daemon=True)


def test_close_takes_seconds_whatever_else_runs_and_loses_nothing(shared_url: str) -> None:
    acknowledged: set[str] = set()
    journal = Journal.open(shared_url)
    threads = list(busy(journal, threading.Event(), acknowledged))
    for thread in threads:
        thread.start()
    journal.project()
    time.sleep(1)
    deadline = time.monotonic() + 60
    while not acknowledged:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started = time.monotonic()
    journal.close()
    assert time.monotonic() - started < 15
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    with Journal.open(shared_url) as again:
        there = {record.stream.removeprefix("session-") for record in again.read()}
        assert acknowledged
        assert acknowledged <= there
        assert again.verify().findings == ()


def test_close_does_not_wait_for_a_transaction_that_does_not_end(tmp_path: Path) -> None:
    journal = Journal.open(f"sqlite:///{tmp_path}/j.db")
    datastore: Any = journal.application.recorder.datastore  # type: ignore[attr-defined]
    inside, go = threading.Event(), threading.Event()

    def hang() -> None:
        with datastore.transaction(commit=True):
            inside.set()
            go.wait(30)

    errors: list[list[BaseException | None]] = []
    thread = threading.Thread(target=lambda: errors.append(errors_of(hang)), daemon=True)
    thread.start()
    inside.wait(10)
    started = time.monotonic()
    journal.close()
    assert time.monotonic() - started < 10
    go.set()
    thread.join(20)
    assert [type(error) for error in errors[0]] == [JournalClosed]


UNSTOPPED = {
    "follow": "for record in journal.follow(): raise RuntimeError('a bug')",
    "project": "projecting = journal.project(); raise RuntimeError('a bug')",
    "next": "following = journal.follow(); next(following); raise RuntimeError('a bug')",
    "waiting": (
        "import threading; threading.Thread(target=lambda: list(journal.follow()), daemon=True).start(); "
        "raise RuntimeError('a bug')"
    ),
    "async": (
        "import asyncio\n"
        "async def main():\n"
        "    other = await AsyncJournal.open(sys.argv[1])\n"
        "    async for record in other.follow(): break\n"
        "    waiting = asyncio.ensure_future(anext(other.follow(after=1)))\n"
        "    await asyncio.sleep(0.2)\n"
        "    raise RuntimeError('a bug')\n"
        "asyncio.new_event_loop().run_until_complete(main())"
    ),
}


@pytest.mark.parametrize("way", sorted(UNSTOPPED))
def test_what_is_not_stopped_keeps_no_process_alive(shared_url: str, way: str) -> None:
    program = (
        "import sys\nfrom muniment.journal import AsyncJournal, Journal\n"
        "journal = Journal.open(sys.argv[1]); journal.sessions.open('s')\n" + UNSTOPPED[way]
    )
    run = subprocess.run([sys.executable, "-c", program, shared_url], capture_output=True, text=True, timeout=30)
    assert run.returncode == 1
    assert "a bug" in run.stderr
