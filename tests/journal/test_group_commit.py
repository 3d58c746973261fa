"""Group commit, around recorders of this package and of the library."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, OperationalError, StoredEvent
from eventsourcing.popo import POPOApplicationRecorder
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder as LibrarySQLiteRecorder,
    SQLiteDatastore as LibrarySQLiteDatastore,
)
from muniment.domain.condition import NoneSince, Unchanged
from muniment.journal.postgres.datastore import PostgresDatastore
from muniment.journal.postgres.recorder import PostgresApplicationRecorder
from muniment.journal.sqlite.datastore import SQLiteDatastore
from muniment.journal.sqlite.recorder import SQLiteApplicationRecorder
from muniment.journal.storage.group_commit import GroupCommit, Request, write_together
from psycopg.sql import SQL, Identifier

from ..postgres_server import Server

RECORDERS: dict[str, Any] = {
    "sqlite": lambda name: SQLiteApplicationRecorder(SQLiteDatastore(name)),
    "the library's sqlite": lambda name: LibrarySQLiteRecorder(LibrarySQLiteDatastore(name, lock_timeout=30)),
}


@pytest.fixture(params=["popo", "sqlite", "the library's sqlite", "postgres"])
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ApplicationRecorder]:
    if request.param == "popo":
        yield POPOApplicationRecorder()
    elif request.param == "postgres":
        server: Server = request.getfixturevalue("postgres")
        schema = f"group_commit_{os.getpid()}"
        with server.connect() as connection:
            connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
        settings: dict[str, Any] = server.login()
        datastore = PostgresDatastore(**settings, schema=schema, max_overflow=20)
        on_server = PostgresApplicationRecorder(datastore)
        on_server.create_table()
        yield on_server
        datastore.close()
        server.drop(schema)
    else:
        recorder = RECORDERS[request.param](str(tmp_path / "events.db"))
        recorder.create_table()
        yield recorder
        recorder.datastore.close()


def event(stream: int, version: int) -> StoredEvent:
    return StoredEvent(UUID(int=stream), version, "topic", f"{stream}.{version}".encode())


class Gate:
    """Holds a recorder's first write until it is opened, and counts the writes."""

    def __init__(self, recorder: ApplicationRecorder) -> None:
        self.recorder = recorder
        self.writes: list[int] = []
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.failure: Exception | None = None

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        self.writes.append(len(stored_events))
        self.entered.set()
        assert self.opened.wait(30)
        if self.failure is not None:
            raise self.failure
        return self.recorder.insert_events(stored_events, **kwargs)


def gather(group: GroupCommit, gate: Gate, requests: list[list[StoredEvent]]) -> list[Any]:
    """Give requests from as many threads, the first alone and the others while it is being written."""
    with ThreadPoolExecutor(len(requests)) as pool:

        def insert(events: list[StoredEvent]) -> Any:
            try:
                return list(group.insert_events(events) or ())
            except Exception as error:
                return error

        first = pool.submit(insert, requests[0])
        assert gate.entered.wait(30)
        others = []
        for queued, events in enumerate(requests[1:], 1):
            others.append(pool.submit(insert, events))
            deadline = time.monotonic() + 30
            while len(group._queue) < queued:
                assert time.monotonic() < deadline
                time.sleep(0.001)
        gate.opened.set()
        return [first.result(30), *(other.result(30) for other in others)]


def test_a_caller_alone_writes_at_once(recorder: ApplicationRecorder) -> None:
    group = GroupCommit(recorder)
    assert list(group.insert_events([event(1, 1), event(1, 2)]) or ()) == [1, 2]
    assert list(group.insert_events([event(2, 1)]) or ()) == [3]


def test_callers_who_come_while_one_writes_share_a_transaction(recorder: ApplicationRecorder) -> None:
    gate = Gate(recorder)
    group = GroupCommit(gate)  # type: ignore[arg-type]
    answers = gather(group, gate, [[event(n, 1), event(n, 2)] for n in range(1, 8)])
    assert gate.writes == [2, 12]
    assert answers == [[2 * n + 1, 2 * n + 2] for n in range(7)]
    stored = recorder.select_notifications(1, 100)
    assert [(each.id, each.state) for each in stored] == [
        (2 * n + version, f"{n + 1}.{version}".encode()) for n in range(7) for version in (1, 2)
    ]


def test_a_conflict_fails_only_the_caller_it_belongs_to(recorder: ApplicationRecorder) -> None:
    recorder.insert_events([event(4, 1), event(6, 2)])
    gate = Gate(recorder)
    group = GroupCommit(gate)  # type: ignore[arg-type]
    answers = gather(group, gate, [[event(n, 1), event(n, 2)] for n in range(1, 9)])
    failed = {n for n, answer in enumerate(answers, 1) if isinstance(answer, IntegrityError)}
    assert failed == {4, 6}
    positions = sorted(position for answer in answers if isinstance(answer, list) for position in answer)
    assert positions == list(range(3, 15))
    assert [each.originator_version for each in recorder.select_events(UUID(int=4))] == [1]
    assert [each.originator_version for each in recorder.select_events(UUID(int=6))] == [2]
    for n, answer in enumerate(answers, 1):
        if isinstance(answer, list):
            assert answer[1] == answer[0] + 1
            assert len(recorder.select_events(UUID(int=n))) == 2


def test_a_failing_storage_fails_all_and_appends_nothing(recorder: ApplicationRecorder) -> None:
    gate = Gate(recorder)
    gate.failure = OperationalError("disk full")
    group = GroupCommit(gate)  # type: ignore[arg-type]
    answers = gather(group, gate, [[event(n, 1)] for n in range(1, 6)])
    assert all(isinstance(answer, OperationalError) for answer in answers)
    assert recorder.max_notification_id() in (None, 0)
    gate.failure = None
    assert list(group.insert_events([event(1, 1)]) or ()) == [1]


def test_a_transaction_takes_no_more_than_it_should(recorder: ApplicationRecorder) -> None:
    gate = Gate(recorder)
    group = GroupCommit(gate, max_events=3)  # type: ignore[arg-type]
    answers = gather(group, gate, [[event(n, 1)] for n in range(1, 9)])
    assert answers == [[n] for n in range(1, 9)]
    assert gate.writes == [1, 3, 3, 1]


def test_many_threads_lose_nothing_and_keep_the_order_of_each_stream(recorder: ApplicationRecorder) -> None:
    group = GroupCommit(recorder)

    def insert(stream: int) -> list[int]:
        positions: list[int] = []
        for version in range(1, 41):
            positions += group.insert_events([event(stream, version)]) or ()
        return positions

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(insert, range(1, 17)))
    assert sorted(position for answer in answers for position in answer) == list(range(1, 641))
    for stream, answer in enumerate(answers, 1):
        assert answer == sorted(answer)
        stored = [each for each in recorder.select_notifications(1, 1_000) if each.originator_id == UUID(int=stream)]
        assert [each.id for each in stored] == answer
        assert [each.originator_version for each in stored] == list(range(1, 41))


def test_a_caller_who_is_interrupted_while_it_waits_withdraws(recorder: ApplicationRecorder) -> None:
    gate = Gate(recorder)
    group = GroupCommit(gate)  # type: ignore[arg-type]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(group.insert_events, [event(1, 1)])
        assert gate.entered.wait(30)
        main = threading.main_thread().ident
        assert main is not None

        def interrupt() -> None:
            while not group._queue:
                time.sleep(0.001)
            time.sleep(0.02)
            signal.pthread_kill(main, signal.SIGINT)

        interrupter = threading.Thread(target=interrupt)
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            group.insert_events([event(2, 1)])
        interrupter.join()
        assert not group._queue
        gate.opened.set()
        assert list(first.result(30) or ()) == [1]
        assert list(pool.submit(group.insert_events, [event(3, 1)]).result(30) or ()) == [2]
    assert list(recorder.select_events(UUID(int=2))) == []


class Slow:
    """A recorder whose writes take a while, counted."""

    def __init__(self, recorder: ApplicationRecorder, takes_s: float) -> None:
        self.recorder = recorder
        self.takes_s = takes_s
        self.writes: list[int] = []

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        self.writes.append(len(stored_events))
        time.sleep(self.takes_s)
        return self.recorder.insert_events(stored_events, **kwargs)


def test_callers_who_were_answered_together_share_again(recorder: ApplicationRecorder) -> None:
    gate = Gate(recorder)
    group = GroupCommit(gate)  # type: ignore[arg-type]
    gather(group, gate, [[event(n, 1)] for n in range(1, 7)])
    assert gate.writes == [1, 5]
    # From now on a write takes as long as it may be worth waiting for those who shared the last one.
    group._last_took_s = 30
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(5) as pool:
        patch.setattr("muniment.journal.storage.group_commit.MAX_GATHER_S", 30)
        for version in range(2, 5):
            list(pool.map(lambda n, version=version: group.insert_events([event(n, version)]), range(1, 6)))
            group._last_took_s = 30
    assert gate.writes == [1, 5, 5, 5, 5]


def test_one_who_is_left_alone_waits_once_and_then_no_longer(recorder: ApplicationRecorder) -> None:
    slow = Slow(recorder, 0.5)
    group = GroupCommit(slow)  # type: ignore[arg-type]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda stream: group.insert_events([event(stream, 1)]), range(1, 5)))
    assert group._last_callers > 1
    slow.takes_s = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("muniment.journal.storage.group_commit.MAX_GATHER_S", 0.2)
        started = time.monotonic()
        group.insert_events([event(1, 2)])
        waited = time.monotonic()
        assert waited - started >= 0.2
        patch.setattr("muniment.journal.storage.group_commit.MAX_GATHER_S", 3_600)
        for version in range(3, 6):
            group.insert_events([event(1, version)])
        assert group._last_callers == 1


def test_a_failure_makes_nobody_wait(recorder: ApplicationRecorder) -> None:
    gate = Gate(recorder)
    group = GroupCommit(gate)  # type: ignore[arg-type]
    gate.failure = OperationalError("lost")
    gather(group, gate, [[event(n, 1)] for n in range(1, 5)])
    gate.failure = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("muniment.journal.storage.group_commit.MAX_GATHER_S", 3_600)
        group._last_took_s = 3_600
        assert list(group.insert_events([event(1, 1)]) or ()) == [1]


INTERRUPTED = """
import os, signal, sys, threading, time
from muniment.domain.condition import NoneSince, Unchanged
from muniment.journal.storage.group_commit import GroupCommit, Request, write_together
from eventsourcing.persistence import OperationalError

class Recorder:
    def insert_events(self, events):
        time.sleep(0.002)
        return list(range(len(events)))

group, written, stop = GroupCommit(Recorder()), [0, 0], threading.Event()

def write(number):
    while not stop.is_set():
        try:
            group.insert_events([number])
            written[number] += 1
        except OperationalError:
            pass

def interrupt():
    while not stop.wait(0.05):
        os.kill(os.getpid(), signal.SIGINT)

writers = [threading.Thread(target=write, args=(number,), daemon=True) for number in (0, 1)]
for each in writers:
    each.start()
interrupter = threading.Thread(target=interrupt)
interrupts, end = 0, time.monotonic() + 3
interrupter.start()
while time.monotonic() < end:
    try:
        while time.monotonic() < end:
            group.insert_events([2])
    except KeyboardInterrupt:
        interrupts += 1
signal.signal(signal.SIGINT, signal.SIG_IGN)
stop.set()
interrupter.join()
for each in writers:
    each.join(10)
print(interrupts, min(written), any(each.is_alive() for each in writers))
"""


def test_interrupts_leave_nobody_waiting() -> None:
    run = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=True)
    interrupts, written, is_anybody_waiting = run.stdout.split()
    assert int(interrupts) > 10
    assert int(written) > 100
    assert is_anybody_waiting == "False"


class CountingRecorder(SQLiteApplicationRecorder):
    """Counts its transactions."""

    transactions = 0

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        self.transactions += 1
        return super().insert_events(stored_events, **kwargs)


def stored(stream: str, version: int) -> StoredEvent:
    return StoredEvent(stream, version, "topic", b"{}")


def test_requests_that_depend_on_other_streams_share_a_transaction_where_they_can(tmp_path: Path) -> None:
    recorder = CountingRecorder(SQLiteDatastore(str(tmp_path / "events.db"), originator_id_type="text"))
    recorder.create_table()
    recorder.insert_events([stored("session-a", 1), stored("session-b", 1)])
    recorder.transactions = 0
    try:
        good = [Request([stored(f"inbox-{name}", 1)], [Unchanged(f"session-{name}", 1)]) for name in "ab"]
        stale = Request([stored("inbox-c", 1)], [Unchanged("session-c", 7)])
        plain = Request([stored("session-d", 1)])
        write_together(recorder, [*good, plain])
        assert recorder.transactions == 1
        assert [each.error for each in (*good, plain)] == [None] * 3
        # What one appends to, another depends on: it is looked at after that, and does not hold.
        first = Request([stored("session-a", 2)])
        then = Request([stored("inbox-a", 2)], [Unchanged("session-a", 1)])
        before = Request([stored("inbox-b", 2)], [Unchanged("session-b", 1)])
        write_together(recorder, [before, first, then, stale])
        assert [each.error is None for each in (before, first, then, stale)] == [True, True, False, False]
        assert isinstance(then.error, IntegrityError)
        # One that depends on every stream has a transaction of its own, also in the middle.
        alone = Request([stored("bundle-x", 1)], [NoneSince(("other",), 0)])
        others = [Request([stored(f"session-{name}", 1)]) for name in "ef"]
        write_together(recorder, [others[0], alone, others[1]])
        assert [each.error for each in (*others, alone)] == [None] * 3
        late = Request([stored("bundle-x", 2)], [NoneSince(("topic",), 0)])
        write_together(recorder, [late, Request([stored("session-g", 1)])])
        assert isinstance(late.error, IntegrityError)
        assert len(recorder.select_events("session-g")) == 1
    finally:
        recorder.datastore.close()
