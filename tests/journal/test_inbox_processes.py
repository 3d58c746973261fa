"""Consumers in processes of their own: they wait, are woken, are killed, and nothing is done twice or lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
from muniment.domain import Envelope, EnvelopeNotFound
from muniment.journal import AsyncJournal, Journal

from .processes import KILLS, finish, start_at_once

WAITER = """
import sys
from muniment.domain import OwnershipCapability, FULL_SESSION, SessionTerminal
from muniment.journal import Journal

url, session_id, generation = sys.argv[1:]
held = OwnershipCapability(session_id, "owner", int(generation), FULL_SESSION)
with Journal.open(url, lock_timeout_s=60) as journal:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        while True:
            journal.inbox.wait(held, timeout_s=30)
            delivery = journal.inbox.take(held)
            if delivery is not None:
                print(delivery.number, delivery.envelope.payload, flush=True)
                journal.inbox.acknowledge(held, delivery.number)
    except SessionTerminal:
        print("the session is over", flush=True)
"""

TAKER = """
import sys
from muniment.journal import Journal

url, number = sys.argv[1:]
with Journal.open(url, lock_timeout_s=60) as journal:
    held = journal.sessions.state("s-1").capability
    delivery = journal.inbox.take(held)
    print(delivery.number, flush=True)
    sys.stdin.readline()
"""


SENDER = """
import sys
from muniment.domain import Envelope, SessionTerminal
from muniment.journal import Journal

with Journal.open(sys.argv[1], lock_timeout_s=60) as journal:
    print("ready", flush=True)
    sys.stdin.readline()
    put = 0
    try:
        while True:
            journal.inbox.put("s-1", Envelope("B", "A", "c", "hello"))
            put += 1
    except SessionTerminal:
        print(put, flush=True)
"""


def envelope(text: str, name: str | None = None) -> Envelope:
    return Envelope("B", "A", "c", text, name=name)


def test_consumers_that_wait_in_two_processes(shared_url: str) -> None:
    count = 20
    with Journal.open(shared_url, lock_timeout_s=60) as journal:
        for name in ("s-1", "s-2"):
            journal.sessions.open(name)
            journal.sessions.claim(name, "owner")
        started = start_at_once([(WAITER, shared_url, name, "1") for name in ("s-1", "s-2")])
        for number in range(count):
            for name in ("s-1", "s-2"):
                journal.inbox.put(name, envelope(f"{name} {number}"))
        deadline = time.monotonic() + 30
        while journal.inbox.unread("s-1") + journal.inbox.unread("s-2"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for name in ("s-1", "s-2"):
            journal.sessions.end(name)
        printed = finish(started)
        for name, lines in zip(("s-1", "s-2"), printed, strict=True):
            assert lines == [*(f"{number + 1} {name} {number}" for number in range(count)), "the session is over"]
        assert journal.verify().findings == ()


def test_two_processes_of_one_generation_share_what_waits(shared_url: str) -> None:
    count = 30
    with Journal.open(shared_url, lock_timeout_s=60) as journal:
        journal.sessions.open("s-1")
        journal.sessions.claim("s-1", "owner")
        started = start_at_once([(WAITER, shared_url, "s-1", "1")] * 2)
        for number in range(count):
            journal.inbox.put("s-1", envelope(str(number)))
        deadline = time.monotonic() + 30
        while journal.inbox.unread("s-1"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        journal.sessions.end("s-1")
        printed = finish(started)
        taken = [line.split()[0] for lines in printed for line in lines if line[0].isdigit()]
        assert sorted(map(int, taken)) == list(range(1, count + 1))


def test_what_a_killed_consumer_took_is_delivered_again_and_acknowledged_once(shared_url: str) -> None:
    with Journal.open(shared_url, lock_timeout_s=60) as journal:
        journal.sessions.open("s-1")
        held = journal.sessions.claim("s-1", "owner")
        for number in range(1, KILLS + 1):
            journal.inbox.put("s-1", envelope(f"work {number}", name=f"work {number}"))
            with subprocess.Popen(
                [sys.executable, "-c", TAKER, shared_url, str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as worker:
                assert worker.stdout is not None
                assert worker.stdout.readline() == f"{number}\n"
                os.kill(worker.pid, signal.SIGKILL)
            # The same generation does not get it by itself: the worker may be at it. It comes back and says so.
            assert journal.inbox.take(held) is None
            if number % 2:
                assert journal.inbox.give_back(held) == (number,)
            else:
                held = journal.sessions.transfer(held, "owner")
            again = journal.inbox.take(held)
            assert again is not None
            assert (again.number, again.envelope.payload) == (number, f"work {number}")
            journal.inbox.acknowledge(held, number)
            with pytest.raises(EnvelopeNotFound):
                journal.inbox.acknowledge(held, number)
            # Whoever sent it, and does not know that it came, sends it again.
            assert journal.inbox.put("s-1", envelope(f"work {number}", name=f"work {number}")) == number
        types = [record.type for record in journal.read_stream("inbox-s-1")]
        assert types.count("inbox.envelope_acknowledged.v1") == KILLS
        assert types.count("inbox.envelope_taken.v1") == 2 * KILLS
        assert journal.verify().findings == ()


def test_senders_keep_neither_each_other_nor_the_owner_nor_the_host_out(shared_url: str) -> None:
    with Journal.open(shared_url, lock_timeout_s=60) as journal:
        journal.sessions.open("s-1", inbox_capacity=10_000)
        held = journal.sessions.claim("s-1", "owner")
        started = start_at_once([(SENDER, shared_url)] * 2)
        taken = 0
        while taken < 100:
            taken += journal.inbox.take(held) is not None
        for number in range(1, 51):
            journal.inbox.acknowledge(held, number)
        journal.sessions.end("s-1")
        ending = journal.sessions.state("s-1").ending
        assert ending is not None
        put = [int(lines[0]) for lines in finish(started)]
        assert min(put) > 0
        assert (ending.acknowledged_envelopes, ending.lost_envelopes) == (50, sum(put) - 50)
        assert journal.verify().findings == ()


def test_senders_do_not_keep_tasks_out_either(shared_url: str) -> None:
    async def story() -> None:
        async with await AsyncJournal.open(shared_url, lock_timeout_s=60) as journal:
            await journal.sessions.open("s-1", inbox_capacity=10_000)
            held = await journal.sessions.claim("s-1", "owner")
            started = await asyncio.to_thread(start_at_once, [(SENDER, shared_url)] * 2)
            while await journal.inbox.unread("s-1") < 30:
                await asyncio.sleep(0.01)
            taken: list[int] = []

            async def take(key: str) -> None:
                with journal.context(idempotency_key=key):
                    delivery = await journal.inbox.take(held)
                    again = await journal.inbox.take(held)
                assert delivery is not None
                assert again == delivery
                taken.append(delivery.number)

            await asyncio.gather(*(take(f"take-{number}") for number in range(30)))
            assert sorted(taken) == list(range(1, 31))
            async with journal.saga("end"):
                await journal.inbox.put("s-1", envelope("the last"))
            await journal.sessions.end("s-1")
            await asyncio.to_thread(finish, started)
            assert (await journal.run(lambda blocking: blocking.verify())).findings == ()

    asyncio.run(story())
