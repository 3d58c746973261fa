"""Several processes on one file, and writers that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from muniment.domain import Accepted
from muniment.domain.session import SessionOpened
from muniment.journal import Journal

from .processes import KILLS, finish, start_at_once

CLAIMER = """
import sys
from muniment.domain import AlreadyClaimed
from muniment.journal import Journal

url, owner, count = sys.argv[1:]
with Journal.open(url, lock_timeout_s=60) as journal:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        try:
            journal.sessions.claim(f"s-{number}", owner)
            print(number, "won", flush=True)
        except AlreadyClaimed as error:
            print(number, error.owner, flush=True)
"""

WRITER = """
import sys
from muniment.domain import Accepted
from muniment.domain.session import SessionOpened
from muniment.journal import Journal

url, seed = sys.argv[1:]

def three_at_once(state):
    first = state.incarnation + 1
    return Accepted(None, tuple(SessionOpened("batch", first + n) for n in range(3)))

with Journal.open(url) as journal:
    number = 0
    while True:
        number += 1
        session_id = f"{seed}-{number}"
        journal.sessions.open(session_id)
        print(f"session-{session_id}", flush=True)
        journal.execute("session-batch", three_at_once)
        print("session-batch", flush=True)
"""


def test_eight_processes_race_for_fifty_sessions(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        for number in range(50):
            journal.sessions.open(f"s-{number}")
    names = [f"process-{index}" for index in range(8)]
    printed = finish(start_at_once([[CLAIMER, shared_url, name, "50"] for name in names]))
    answers = dict(zip(names, printed, strict=True))

    winners: dict[str, str] = {}
    losers: Counter[str] = Counter()
    for process, lines in answers.items():
        assert len(lines) == 50
        for line in lines:
            session, answer = line.split()
            if answer == "won":
                assert session not in winners
                winners[session] = process
    for lines in answers.values():
        for line in lines:
            session, answer = line.split()
            if answer != "won":
                assert answer == winners[session]
                losers.update([session])
    assert len(winners) == 50
    assert set(losers.values()) == {7}
    with Journal.open(shared_url) as journal:
        assert journal.head() == 100
        assert {f"s-{number}": winner for number, winner in winners.items()} == {
            name: row.owner for name, row in journal.owners.items()
        }


def test_a_writer_killed_again_and_again_loses_nothing_it_acknowledged(shared_url: str, tmp_path: Path) -> None:
    acknowledged: Counter[str] = Counter()
    for attempt in range(KILLS):
        output = tmp_path / f"acknowledged-{attempt}"
        with output.open("w") as sink:
            writer = subprocess.Popen([sys.executable, "-c", WRITER, shared_url, str(attempt)], stdout=sink)
            deadline = time.monotonic() + 30
            while output.stat().st_size < 2_000 * (1 + attempt % 3):
                assert writer.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.002)
            os.kill(writer.pid, signal.SIGKILL)
            assert writer.wait() == -signal.SIGKILL
        lines = output.read_text().split("\n")
        acknowledged.update(lines[:-1])

    with Journal.open(shared_url) as journal:
        records = list(journal.read())
        assert [record.position for record in records] == list(range(1, len(records) + 1))
        versions: Counter[str] = Counter()
        for record in records:
            versions[record.stream] += 1
            assert record.version == versions[record.stream]
        appends = {stream: count // 3 if stream == "session-batch" else count for stream, count in versions.items()}
        assert versions["session-batch"] % 3 == 0
        assert {stream: count for stream, count in acknowledged.items() if appends[stream] < count} == {}
        # At most the one append that was under way at each kill is there without having been acknowledged.
        assert sum(appends.values()) - sum(acknowledged.values()) <= 20
        assert journal.replay().differences == {}


def test_an_append_of_several_events_is_whole_and_contiguous(journal: Journal) -> None:
    journal.sessions.open("other")
    events = tuple(SessionOpened("s-1", number) for number in (1, 2, 3))
    journal.execute("session-s-1", lambda _: Accepted(None, events))
    assert [(each.position, each.version) for each in journal.read_stream("session-s-1")] == [(2, 1), (3, 2), (4, 3)]
