"""What the benchmark measures of writing: durable commands, alone, from many threads, tasks and processes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from muniment.domain import Envelope, OwnershipCapability
from muniment.journal import AsyncJournal, Journal
from muniment.scripts.places import Place, remove

SESSIONS: Final = 100
_STATE: Final = (
    b'{"data":{"previous":{"session_id":"s-42","owner":"agent-1","generation":17,"scope":"session"},'
    b'"capability":{"session_id":"s-42","owner":"agent-2","generation":18,"scope":"session"}},'
    b'"metadata":{"recorded_at":1700000000000}}'
)
"""What a journal writes for a transfer, byte for byte but for the numbers."""


_ENVELOPE: Final = Envelope("site-b", "site-a", "c-1", b"what an envelope says, in some sixty bytes of plain text.")


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


def bare_postgres(server: str, commands: int) -> float:
    """The same on a server, with its client library: one insert per transaction; seconds."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = on")
        connection.execute(
            "CREATE TABLE bare_event (position bigserial UNIQUE, stream text, version bigint, type text, state bytea, "
            "PRIMARY KEY (stream, version))"
        )
        try:
            started = time.perf_counter()
            for number in range(commands):
                connection.execute(
                    "INSERT INTO bare_event (stream, version, type, state) VALUES (%s,%s,%s,%b)",
                    (f"session-s-{number % SESSIONS}", number // SESSIONS, "session.ownership_transferred.v1", _STATE),
                )
            return time.perf_counter() - started
        finally:
            connection.execute("DROP TABLE bare_event")


class Holding(Aggregate):
    """A session as the library's documentation would write it, its events as fat as ours."""

    @event("Claimed")
    def __init__(self, capability: dict[str, Any]) -> None:
        self.capability = capability

    @event("Transferred")
    def transfer(self, previous: dict[str, Any], capability: dict[str, Any]) -> None:
        """Hand over."""
        self.capability = capability

    @classmethod
    def claimed(cls, session_id: str, owner: str) -> Holding:
        """A session that somebody holds."""
        return cls({"session_id": session_id, "owner": owner, "generation": 1, "scope": "session"})

    def transfer_to(self, owner: str) -> None:
        """Hand over to the next owner, under the next generation."""
        generation = self.capability["generation"] + 1
        self.transfer(self.capability, {**self.capability, "owner": owner, "generation": generation})


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
            holding = Holding.claimed(f"s-{number}", f"agent-{number}")
            application.save(holding)
            ids.append(holding.id)
        for number in range(commands - len(ids)):
            holding = application.repository.get(ids[number % len(ids)])
            holding.transfer_to(f"agent-{number % 7}")
            application.save(holding)
        return time.perf_counter() - started
    finally:
        application.close()
        remove(folder / "plain.db")


def one_thread(place: Place, commands: int) -> float:
    """Claims and transfers through a journal, durable, one thread; seconds."""
    with place() as url, Journal.open(url) as journal:
        return claims_and_transfers(journal, commands)


def claims_and_transfers(journal: Journal, commands: int, sessions: int = SESSIONS) -> float:
    """Claim some sessions and hand them over in turn; seconds, without opening them."""
    names = [f"s-{number}" for number in range(sessions)]
    for session_id in names:
        journal.sessions.open(session_id)
    started = time.perf_counter()
    held = [journal.sessions.claim(session_id, "agent-0") for session_id in names]
    _transfers(journal, held, commands - len(names))
    return time.perf_counter() - started


def many_threads(place: Place, commands: int, threads: int = 32) -> float:
    """The same from many threads; seconds."""
    with place() as url, Journal.open(url) as journal:
        each = max(1, commands // threads)

        def work(thread: int) -> None:
            _transfers(journal, [journal.sessions.claim(f"s-{thread}", "agent-0")], each - 1)

        for thread in range(threads):
            journal.sessions.open(f"s-{thread}")
        workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
        started = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return (time.perf_counter() - started) * commands / (each * threads)


def many_tasks(place: Place, commands: int, tasks: int = 256) -> float:
    """The same from many asyncio tasks; seconds."""
    each = max(1, commands // tasks)

    async def main(url: str) -> float:
        async with await AsyncJournal.open(url) as journal:

            async def work(task: int) -> None:
                held = await journal.sessions.claim(f"s-{task}", "agent-0")
                for number in range(each - 1):
                    held = await journal.sessions.transfer(held, f"agent-{number % 7}")

            await asyncio.gather(*(journal.sessions.open(f"s-{task}") for task in range(tasks)))
            started = time.perf_counter()
            await asyncio.gather(*(work(task) for task in range(tasks)))
            return (time.perf_counter() - started) * commands / (each * tasks)

    with place() as url:
        return asyncio.run(main(url))


def envelopes(place: Place, count: int) -> float:
    """Envelopes through put, take and acknowledge, one caller; seconds."""
    with place() as url, Journal.open(url) as journal:
        names = [f"s-{number}" for number in range(SESSIONS)]
        for session_id in names:
            journal.sessions.open(session_id)
        held = [journal.sessions.claim(session_id, "agent-0") for session_id in names]
        started = time.perf_counter()
        for number in range(count):
            capability = held[number % len(held)]
            journal.inbox.put(capability.session_id, _ENVELOPE)
            delivery = journal.inbox.take(capability)
            if delivery is not None:
                journal.inbox.acknowledge(capability, delivery.number)
        return time.perf_counter() - started


def envelopes_of_tasks(place: Place, count: int, tasks: int = 256) -> float:
    """The same from many asyncio tasks, each with a session of its own; seconds."""
    each = max(1, count // tasks)

    async def main(url: str) -> float:
        async with await AsyncJournal.open(url) as journal:

            async def work(capability: OwnershipCapability) -> None:
                for _ in range(each):
                    await journal.inbox.put(capability.session_id, _ENVELOPE)
                    delivery = await journal.inbox.take(capability)
                    if delivery is not None:
                        await journal.inbox.acknowledge(capability, delivery.number)

            names = [f"s-{task}" for task in range(tasks)]
            await asyncio.gather(*map(journal.sessions.open, names))
            held = await asyncio.gather(*(journal.sessions.claim(name, "agent-0") for name in names))
            started = time.perf_counter()
            await asyncio.gather(*map(work, held))
            return (time.perf_counter() - started) * count / (each * tasks)

    with place() as url:
        return asyncio.run(main(url))


def cost_by_stream(place: Place, lengths: Sequence[int], commands: int) -> dict[int, float]:
    """Microseconds per command on a stream that is so long already; commits wait for no disk, which would hide it."""
    measured = {}
    with place() as url, Journal.open(url, synchronous="NORMAL") as journal:
        for length in sorted(lengths):
            name = f"stream-{length}"
            journal.sessions.open(name)
            held = [journal.sessions.claim(name, "agent-0")]
            _transfers(journal, held, length - 2)
            measured[length] = cost_per_command(journal, held, commands)
    return measured


def cost_per_command(journal: Journal, held: list[OwnershipCapability], commands: int) -> float:
    """Microseconds per transfer."""
    started = time.perf_counter()
    _transfers(journal, held, commands)
    return (time.perf_counter() - started) / commands * 1e6


def _transfers(journal: Journal, held: list[OwnershipCapability], count: int) -> None:
    for number in range(count):
        index = number % len(held)
        held[index] = journal.sessions.transfer(held[index], f"agent-{number % 7}")


_PROCESS: Final = """
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
    print(json.dumps(waits))
"""


def many_processes(place: Place, duration_s: float, processes: int = 8) -> dict[str, float]:
    """Several processes writing one journal: commands/s of all, the worst one's share, the 99th percentile in ms."""
    with place() as url:
        Journal.open(url).close()
        started = [
            subprocess.Popen(
                [sys.executable, "-c", _PROCESS, url, f"s-{number}", str(duration_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
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
