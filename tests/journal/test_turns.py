"""Processes that write one file take turns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from muniment.domain import JournalLocked
from muniment.journal import Journal
from muniment.journal.sqlite.turns import Turns

from .processes import finish, start_at_once

WRITER = """
import sys
from muniment.journal import Journal

url, owner, count = sys.argv[1:]
with Journal.open(url, lock_timeout_s=60) as journal:
    journal.sessions.open(owner)
    held = journal.sessions.claim(owner, owner)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(count)):
        held = journal.sessions.transfer(held, owner)
"""

HOLDER = """
import sys
from pathlib import Path
from muniment.journal.sqlite.turns import Turns

turns = Turns(Path(sys.argv[1]), Path(sys.argv[1]).parent)
assert turns.acquire(10)
print("held", flush=True)
sys.stdin.readline()
turns.release()
print("released", flush=True)
sys.stdin.readline()
"""


def test_no_writer_starves(shared_url: str) -> None:
    Journal.open(shared_url).close()
    finish(start_at_once([[WRITER, shared_url, f"w-{n}", "300"] for n in range(6)]))
    with Journal.open(shared_url) as journal:
        transfers = [each.stream for each in journal.read(after=12)]
    assert Counter(transfers) == {f"session-w-{n}": 300 for n in range(6)}
    # While all of them write, none is left behind: each has at least half of its fair share.
    shares = Counter(transfers[:900])
    assert min(shares[f"session-w-{n}"] for n in range(6)) >= 75


def test_a_turn_is_waited_for_and_given_up_on(tmp_path: Path) -> None:
    path = tmp_path / "turns"
    command = [sys.executable, "-c", HOLDER, str(path)]
    turns = Turns(path, path.parent)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert turns.acquire(0.02) is False
        assert turns.acquire(0.02) is False
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "released\n"
        for _ in range(3):
            assert turns.acquire(10) is True
            turns.release()
        holder.communicate("\n")
    turns.close()


def test_a_stopped_writer_locks_others_out_until_it_is_killed(file_url: str, tmp_path: Path) -> None:
    with Journal.open(file_url, lock_timeout_s=0.05) as journal:
        journal.sessions.open("s-1")
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "journal.db-turns")]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        for _ in range(2):
            with pytest.raises(JournalLocked):
                journal.sessions.open("s-2")
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    with Journal.open(file_url) as journal:
        journal.sessions.open("s-2")
        assert journal.head() == 2
