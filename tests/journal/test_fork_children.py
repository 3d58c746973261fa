"""Children that ``multiprocessing`` forks: they inherit a journal, drop it, open their own, and end as usual."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from .processes import FORKS_ARE_MEANT

FORKS = int(os.environ.get("MUNIMENT_TEST_FORKS", "4"))

PROGRAM = """
import asyncio, atexit, collections, gc, json, multiprocessing, os, signal, sys, time
from muniment.domain import JournalForked
from muniment.journal import AsyncJournal, Journal

url, kind, forks = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = multiprocessing.get_context("fork")
held = {}


def opened_own(number):
    with Journal.open(url) as own:
        own.sessions.open(f"child-{number}")


def child(number):
    signal.alarm(30)
    started = time.monotonic()
    try:
        if kind == "async":
            asyncio.run(held["journal"].sessions.open("inherited"))
        else:
            held["journal"].sessions.open("inherited")
    except JournalForked:
        pass
    else:
        raise AssertionError("not refused")
    assert time.monotonic() - started < 5
    if number % 2 and kind == "sync":
        held["journal"].close()
    held.clear()
    gc.collect()
    opened_own(number)
    atexit.register(gc.collect)


def fork(number, counts):
    process = context.Process(target=child, args=(number,))
    process.start()
    process.join(40)
    counts[f"exit {process.exitcode}"] += 1


async def with_tasks(counts):
    async with await AsyncJournal.open(url) as journal:
        held["journal"] = journal
        for number in range(forks):
            fork(number, counts)
            await journal.sessions.open(f"parent-{number}")


counts = collections.Counter()
if kind == "async":
    asyncio.run(with_tasks(counts))
else:
    with Journal.open(url) as journal:
        held["journal"] = journal
        for number in range(forks):
            fork(number, counts)
            journal.sessions.open(f"parent-{number}")
with Journal.open(url) as again:
    names = {record.stream for record in again.read()}
    counts["sessions"] = len(names)
    counts["inherited"] = "session-inherited" in names
    counts["findings"] = len(again.verify().findings)
print(json.dumps(counts))
"""


def counts_of(url: str, kind: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-W", FORKS_ARE_MEANT, "-c", PROGRAM, url, kind, str(FORKS)],
        capture_output=True,
        text=True,
        timeout=60 + 10 * FORKS,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    sys.stdout.write(f"{kind}: {counts} {done.stderr}\n")
    return counts


def test_a_child_of_multiprocessing_drops_what_it_inherited_and_ends(shared_url: str) -> None:
    counts = counts_of(shared_url, "sync")
    assert counts == {"exit 0": FORKS, "sessions": 2 * FORKS, "inherited": 0, "findings": 0}


def test_a_child_that_inherits_a_journal_of_tasks_drops_it_and_ends(shared_url: str) -> None:
    counts = counts_of(shared_url, "async")
    assert counts == {"exit 0": FORKS, "sessions": 2 * FORKS, "inherited": 0, "findings": 0}
