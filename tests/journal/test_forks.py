"""A child made by fork: what it inherited refuses it by a typed error, and the parent goes on unharmed.

``MUNIMENT_TEST_FORKS`` says how often each program forks; a longer run prints its counts with ``pytest -s``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from .processes import FORKS_ARE_MEANT

FORKS = int(os.environ.get("MUNIMENT_TEST_FORKS", "4"))

PROGRAM = """
import asyncio, collections, json, os, signal, sys, threading, time
from muniment.domain import JournalForked, MunimentError
from muniment.journal import AsyncJournal, Journal

url, activity, forks = sys.argv[1], sys.argv[2], int(sys.argv[3])
journal = Journal.open(url)
journal.sessions.open("before")
stop = threading.Event()
written = 0


def write():
    global written
    while not stop.is_set():
        journal.sessions.open(f"parent-{written}")
        written += 1


def follow():
    for record in following:
        pass


threads = []
following = projecting = None
if activity in ("writing", "projecting", "following"):
    threads.append(threading.Thread(target=write))
if activity == "projecting":
    projecting = journal.project()
if activity == "following":
    following = journal.follow()
    threads.append(threading.Thread(target=follow))
for each in threads:
    each.start()
inherited = iter(journal.follow())
next(inherited)


def refused(ask):
    started = time.monotonic()
    try:
        ask()
    except JournalForked as error:
        assert error.code == "journal_forked" and not error.is_closed_here
    else:
        raise AssertionError("not refused")
    assert time.monotonic() - started < 2, "not at once"


def child(number):
    refused(lambda: journal.sessions.open("child"))
    refused(lambda: journal.sessions.state("before"))
    refused(lambda: journal.head())
    refused(lambda: "before" in journal.owners)
    refused(lambda: next(inherited))
    refused(lambda: journal.follow())
    refused(lambda: journal.project())
    refused(lambda: list(journal.read()))
    refused(lambda: journal.replay())
    inherited.stop()
    if projecting is not None:
        projecting.stop()
    try:
        with Journal.open(url) as own:
            own.sessions.open(f"child-{number}")
            own.sessions.claim(f"child-{number}", "child")
            assert own.owners[f"child-{number}"].owner == "child"
    except JournalForked as error:
        assert error.is_closed_here
        answer = b"r"
    else:
        answer = b"o"
    journal.close()
    return answer


counts = collections.Counter()
for number in range(forks):
    time.sleep(0.003)
    told, tell = os.pipe()
    if (pid := os.fork()) == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)
        try:
            os.write(tell, child(number))
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(3)
        if number % 2:
            os._exit(0)
        sys.exit(0)  # with all that an interpreter does at its end
    os.close(tell)
    answer = os.read(told, 1)
    os.close(told)
    _, status = os.waitpid(pid, 0)
    counts[{b"r": "refused", b"o": "opened"}.get(answer, "no answer")] += 1
    counts["failed"] += status != 0
    journal.sessions.open(f"after-{number}")
stop.set()
if following is not None:
    following.stop()
for each in threads:
    each.join()
journal.close()
with Journal.open(url) as again:
    sessions = {record.stream for record in again.read()}
    kept = sum(name.startswith("session-child") for name in sessions)
    counts["lost"] = counts["opened"] - kept
    counts["lost"] += written - sum(name.startswith("session-parent") for name in sessions)
    counts["lost"] += forks - sum(name.startswith("session-after") for name in sessions)
    counts["findings"] = len(again.verify().findings)
print(json.dumps(counts))
"""


def run(program: str, *arguments: str) -> Counter[str]:
    done = subprocess.run(
        [sys.executable, "-W", FORKS_ARE_MEANT, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60 + 5 * FORKS,
    )
    assert done.returncode == 0, done.stderr
    counts: Counter[str] = Counter(json.loads(done.stdout))
    sys.stdout.write(f"{arguments[1:]}: {dict(counts)}\n")
    assert not done.stderr, done.stderr
    return counts


@pytest.mark.parametrize("activity", ["idle", "writing", "following", "projecting"])
def test_a_child_is_refused_at_once_and_may_open_its_own(shared_url: str, activity: str) -> None:
    counts = run(PROGRAM, shared_url, activity, str(FORKS))
    assert counts["refused"] + counts["opened"] == FORKS, counts
    assert counts["failed"] == counts["lost"] == counts["findings"] == 0, counts
    if activity == "idle":
        assert counts["opened"] == FORKS
