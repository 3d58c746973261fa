"""Interrupts at any moment of a command: nobody is left waiting, and nothing that was acknowledged is lost.

``MUNIMENT_TEST_INTERRUPTS_S`` says for how many seconds a program is interrupted 100 times a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from muniment.domain import OwnershipCapability
from muniment.journal import Journal

DURATION_S = float(os.environ.get("MUNIMENT_TEST_INTERRUPTS_S", "3"))

PROGRAM = """
import collections, json, os, signal, sys, threading, time
from muniment.domain import JournalUnavailable
from muniment.journal import Journal

url, duration_s = sys.argv[1], float(sys.argv[2])
journal = Journal.open(url, synchronous="NORMAL")
stop = threading.Event()
counts = collections.Counter(mine=0, others=0, read=0, interrupts=0, unknown=0)
written = [[] for _ in range(3)]
mine = []


def write(number):
    while not stop.is_set():
        name = f"w-{number}-{len(written[number])}-{counts['unknown']}"
        try:
            journal.sessions.open(name)
        except JournalUnavailable:
            counts["unknown"] += 1  # on a server it may not be known what an interrupted thread wrote for others
        else:
            written[number].append(name)


def read():
    while not stop.is_set():
        len(journal.owners)
        counts["read"] += 1


def interrupt():
    while not stop.wait(0.01):
        os.kill(os.getpid(), signal.SIGINT)


threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(3)]
threads.append(threading.Thread(target=read, daemon=True))
for each in threads:
    each.start()
interrupter = threading.Thread(target=interrupt)
interrupter.start()
end = time.monotonic() + duration_s
tried = 0
while time.monotonic() < end:
    try:
        while time.monotonic() < end:
            tried += 1
            name = f"m-{tried}"
            journal.sessions.open(name)
            mine.append(name)
            held = journal.sessions.claim(name, "a")
            journal.sessions.transfer(held, "b")
            assert journal.owners[name].owner == "b"
    except KeyboardInterrupt:
        counts["interrupts"] += 1
    except JournalUnavailable:
        counts["unknown"] += 1
signal.signal(signal.SIGINT, signal.SIG_IGN)
stop.set()
interrupter.join()
for each in threads:
    each.join(20)
counts["waiting"] = sum(each.is_alive() for each in threads)
journal.close()
acknowledged = {*mine, *(name for names in written for name in names)}
counts["mine"], counts["others"] = len(mine), min(map(len, written))
with Journal.open(url) as again:
    there = {record.stream.removeprefix("session-") for record in again.read()}
    counts["lost"] = len(acknowledged - there)
    counts["findings"] = len(again.verify().findings)
print(json.dumps(counts))
sys.stdout.flush()
os._exit(0)
"""


def test_a_hundred_interrupts_a_second_leave_nobody_waiting(shared_url: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, shared_url, str(DURATION_S)],
        capture_output=True,
        text=True,
        timeout=120 + 5 * DURATION_S,
    )
    assert run.returncode == 0, run.stderr
    counts = json.loads(run.stdout)
    sys.stdout.write(f"{counts}\n")
    assert counts["waiting"] == counts["lost"] == counts["findings"] == 0, counts
    assert counts["interrupts"] > 10 * DURATION_S, counts
    assert counts["others"] > 10 * DURATION_S, counts


class SoftTimeLimitError(BaseException):
    """What a signal handler raises."""


def interrupted(command: Callable[[], object], at: int) -> int:
    """Raise at one of the moments at which the interpreter looks for signals; return how many there were till then."""
    moments = 0

    def look(frame: FrameType, event: str, _: Any) -> None:
        nonlocal moments
        where = frame.f_back if event == "call" else frame
        if event not in ("call", "c_return") or where is None or "/muniment/" not in where.f_code.co_filename:
            return
        moments += 1
        if moments == at:
            sys.setprofile(None)
            raise SoftTimeLimitError

    sys.setprofile(look)
    try:
        command()
    except (SoftTimeLimitError, KeyboardInterrupt):
        pass  # pydantic swallows which one it was while it encodes; the mapper then says KeyboardInterrupt
    finally:
        sys.setprofile(None)
    return moments


def owner_as_known_elsewhere(url: str) -> tuple[str, int]:
    with Journal.open(url, read_only=True) as reader:
        live = reader.sessions.state("s").capability
        assert live is not None
        return live.owner, live.generation


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_at_each_moment_of_a_command_leaves_it_whole_or_absent(tmp_path: Path) -> None:
    def moment(at: int) -> int:
        url = f"sqlite:///{tmp_path}/{at}.db"
        with Journal.open(url, synchronous="NORMAL", lock_timeout_s=1) as journal:
            journal.sessions.open("s")
            held = journal.sessions.claim("s", "a")
            found = interrupted(lambda: journal.sessions.transfer(held, "b"), at)
            outcome: list[OwnershipCapability | BaseException] = []

            def go_on() -> None:
                try:
                    live = journal.sessions.state("s").capability
                    assert live is not None
                    outcome.append(journal.sessions.transfer(live, "c"))
                except BaseException as error:
                    outcome.append(error)

            thread = threading.Thread(target=go_on, daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive(), f"moment {at}: the next one waits for ever"
            (after,) = outcome
            assert isinstance(after, OwnershipCapability), f"moment {at}: {after!r}"
            assert (after.owner, after.generation) == owner_as_known_elsewhere(url)
            assert after.generation in (2, 3)
            assert journal.owners["s"].owner == "c"
        return found

    moments = moment(0)
    assert moments > 50
    for at in range(1, moments + 1):
        moment(at)
