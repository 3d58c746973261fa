"""What the benchmark measures: each function does one thing on one disk, and returns seconds or rates."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from muniment.journal import AsyncJournal, Journal

SESSIONS = 100
_STATE = (
    b'{"data":{"previous":{"session_id":"s-42","owner":"agent-1","generation":17,"scope":"session"},'
    b'"capability":{"session_id":"s-42","owner":"agent-2","generation":18,"scope":"session"}},'
    b'"metadata":{"recorded_at":1700000000000}}'
)
"""What a journal writes for a transfer, byte for byte but for the numbers."""


READS_EVERYTHING = (
    "decode every event",
    "decode and fold the owner map in memory",
    "build the stored tables",
    "replay: build, compare, swap",
)
"""What takes a time in proportion to the journal."""


def bare_sqlite(folder: Path, commands: int) -> float:
    """One insert per transaction, durable, in a plain loop; seconds."""
    path = folder / "bare.db"
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE event (position INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT, version INTEGER, type TEXT, "
            "state BLOB, UNIQUE (stream, version))"
        )
        started = time.perf_counter()
        for number in range(commands):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "INSERT INTO event (stream, version, type, state) VALUES (?,?,?,?)",
                (f"session-s-{number % SESSIONS}", number // SESSIONS, "session.ownership_transferred.v1", _STATE),
            )
            connection.execute("COMMIT")
        return time.perf_counter() - started
    finally:
        connection.close()
        remove(path)


class Holding(Aggregate):
    """A session as the library's documentation would write it."""

    @event("Claimed")
    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.generation = 1

    @event("Transferred")
    def transfer(self, owner: str) -> None:
        """Hand over."""
        self.owner = owner
        self.generation += 1


def plain_application(folder: Path) -> Application[UUID]:
    """The library's application on its own SQLite module."""
    return Application(
        {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "plain.db")},
    )


def library(folder: Path, commands: int) -> float:
    """The same claims and transfers with the library's plain application: get, command, save; seconds."""
    application = plain_application(folder)
    try:
        # The library opens its connections with SQLite's default, which is FULL.
        started = time.perf_counter()
        ids = []
        for number in range(min(SESSIONS, commands)):
            holding = Holding(f"agent-{number}")
            application.save(holding)
            ids.append(holding.id)
        for number in range(commands - len(ids)):
            holding = application.repository.get(ids[number % len(ids)])
            holding.transfer(f"agent-{number % 7}")
            application.save(holding)
        return time.perf_counter() - started
    finally:
        application.close()
        remove(folder / "plain.db")


def library_reading(folder: Path, events: int) -> float:
    """Events per second that the library's ``select_notifications`` and mapper read."""
    application = plain_application(folder)
    try:
        holdings = [Holding(f"agent-{number}") for number in range(SESSIONS)]
        for number in range(events - SESSIONS):
            holdings[number % SESSIONS].transfer(f"agent-{number % 7}")
        application.save(*holdings)
        started = time.perf_counter()
        read = sum(1 for _ in _library_events(application))
        return read / (time.perf_counter() - started)
    finally:
        application.close()
        remove(folder / "plain.db")


def _library_events(application: Application[UUID]) -> Iterable[Any]:
    start = 1
    while page := application.recorder.select_notifications(start, 1_000):
        yield from map(application.mapper.to_domain_event, page)
        start += len(page)


def one_thread(folder: Path, commands: int) -> float:
    """Claims and transfers through a journal, durable, one thread; seconds."""
    path = folder / "journal.db"
    try:
        with Journal.open(f"sqlite:///{path}") as journal:
            return claims_and_transfers(journal, commands)
    finally:
        remove(path)


def claims_and_transfers(journal: Journal, commands: int, sessions: int = SESSIONS) -> float:
    """Claim some sessions and hand them over in turn; seconds, without opening them."""
    names = [f"s-{number}" for number in range(sessions)]
    for session_id in names:
        journal.sessions.open(session_id)
    started = time.perf_counter()
    held = [journal.sessions.claim(session_id, "agent-0") for session_id in names]
    for number in range(commands - len(names)):
        index = number % len(held)
        held[index] = journal.sessions.transfer(held[index], f"agent-{number % 7}")
    return time.perf_counter() - started


def many_threads(folder: Path, commands: int, threads: int = 32) -> float:
    """The same from many threads; seconds."""
    path = folder / "journal.db"
    try:
        with Journal.open(f"sqlite:///{path}") as journal:

            def work(thread: int) -> None:
                held = journal.sessions.claim(f"s-{thread}", "agent-0")
                for number in range(commands // threads - 1):
                    held = journal.sessions.transfer(held, f"agent-{number % 7}")

            for thread in range(threads):
                journal.sessions.open(f"s-{thread}")
            workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
            started = time.perf_counter()
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            return time.perf_counter() - started
    finally:
        remove(path)


def many_tasks(folder: Path, commands: int, tasks: int = 256) -> float:
    """The same from many asyncio tasks; seconds."""
    path = folder / "journal.db"

    async def main() -> float:
        async with await AsyncJournal.open(f"sqlite:///{path}") as journal:

            async def work(task: int) -> None:
                held = await journal.sessions.claim(f"s-{task}", "agent-0")
                for number in range(max(1, commands // tasks) - 1):
                    held = await journal.sessions.transfer(held, f"agent-{number % 7}")

            await asyncio.gather(*(journal.sessions.open(f"s-{task}") for task in range(tasks)))
            started = time.perf_counter()
            await asyncio.gather(*(work(task) for task in range(tasks)))
            return (time.perf_counter() - started) * commands / (max(1, commands // tasks) * tasks)

    try:
        return asyncio.run(main())
    finally:
        remove(path)


def reading(folder: Path, events: int) -> dict[str, float]:
    """A journal of many events: seconds to decode, fold, project and ask it; and bytes per event."""
    path = folder / "reading.db"
    url = f"sqlite:///{path}"
    sessions = max(1, events // 20)
    measured: dict[str, float] = {}
    try:
        with Journal.open(url, synchronous="NORMAL") as journal:
            claims_and_transfers(journal, events - sessions, sessions)
            measured["decode every event"] = seconds(lambda: sum(1 for _ in journal.read()))
            measured["decode and fold the owner map in memory"] = seconds(lambda: fold_owners(journal))
            measured["build the stored tables"] = seconds(lambda: len(journal.owners))
            measured["replay: build, compare, swap"] = seconds(lambda: journal.replay())
        with Journal.open(url) as journal:
            middle = journal.at(position=events // 2).owners
            measured["one session's owner, now"] = seconds(lambda: journal.owners["s-0"], 100)
            measured["one session's owner, in the middle"] = seconds(lambda: middle["s-0"], 100)
            measured[f"the map of {sessions} sessions, now"] = seconds(lambda: dict(journal.owners.items()))
            measured[f"the map of {sessions} sessions, in the middle"] = seconds(lambda: dict(middle.items()))
        measured["open it, tables caught up"] = seconds(lambda: Journal.open(url).close(), 10)
        return measured
    finally:
        remove(path)


def bytes_per_event(folder: Path, events: int) -> tuple[int, int]:
    """Bytes of the file per event: the events alone, and with the tables."""
    path = folder / "size.db"
    try:
        with Journal.open(f"sqlite:///{path}", synchronous="NORMAL") as journal:
            claims_and_transfers(journal, events - SESSIONS)
        alone = path.stat().st_size
        with Journal.open(f"sqlite:///{path}", synchronous="NORMAL") as journal:
            len(journal.owners)
        return round(alone / events), round(path.stat().st_size / events)
    finally:
        remove(path)


def fold_owners(journal: Journal) -> dict[str, tuple[str | None, int | None]]:
    """The owner map folded in memory, as an embedding program might."""
    owners: dict[str, tuple[str | None, int | None]] = {}
    for record in journal.read():
        capability = getattr(record.event, "capability", None)
        if capability is not None:
            owners[record.stream] = (capability.owner, capability.generation)
    return owners


_PROCESS = """
import json, sys, time
from muniment.journal import Journal
url, name, seconds = sys.argv[1:]
with Journal.open(url, lock_timeout_s=60) as journal:
    journal.sessions.open(name)
    held = journal.sessions.claim(name, name)
    print("ready", flush=True)
    sys.stdin.readline()
    waits = []
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        started = time.perf_counter()
        held = journal.sessions.transfer(held, name)
        waits.append(time.perf_counter() - started)
    print(json.dumps(sorted(waits)))
"""


def many_processes(folder: Path, duration_s: float, processes: int = 8) -> dict[str, float]:
    """Several processes writing one file: commands/s of all, the worst one's share, the 99th percentile in ms."""
    path = folder / "shared.db"
    url = f"sqlite:///{path}"
    Journal.open(url).close()
    try:
        command = [sys.executable, "-c", _PROCESS, url]
        started = [
            subprocess.Popen(
                [*command, f"s-{number}", str(duration_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for number in range(processes)
        ]
        for process in started:
            if process.stdout is not None:
                process.stdout.readline()
        for process in started:
            if process.stdin is not None:
                process.stdin.write("\n")
                process.stdin.flush()
        waits = [json.loads(process.communicate()[0]) for process in started]
        counts = [len(each) for each in waits]
        together = sorted(wait for each in waits for wait in each)
        return {
            "commands/s, all": round(sum(counts) / duration_s),
            "the worst process's part of its fair share": round(min(counts) * processes / sum(counts), 2),
            "99th percentile, ms": round(together[int(len(together) * 0.99)] * 1_000, 2),
        }
    finally:
        remove(path)


def seconds(action: Callable[[], object], times: int = 1) -> float:
    """How long an action takes, on average."""
    started = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - started) / times


def remove(path: Path) -> None:
    """Remove a database with the files beside it."""
    for suffix in ("", "-wal", "-shm", "-turns"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
