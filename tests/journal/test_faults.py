"""What can go wrong under a journal: a full disk, killed writers with many threads, several creators at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from muniment.journal import Journal

from .processes import KILLS, finish, start_at_once

FULL_DISK = """
import resource, sys
from muniment.domain import JournalUnavailable
from muniment.journal import Journal

url = sys.argv[1]
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
with Journal.open(url) as journal:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "alice")
    resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, hard))
    acknowledged = journal.head()
    failures = 0
    while failures < 5:
        try:
            held = journal.sessions.transfer(held, "alice")
            acknowledged += 1
        except JournalUnavailable as error:
            failures += 1
            problem = error.problem
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.head() == acknowledged, (journal.head(), acknowledged)
    held = journal.sessions.transfer(held, "bob")
    assert journal.owners["s-1"].owner == "bob"
    assert journal.verify().findings == ()
    print(acknowledged, problem)
"""

GROUP_WRITER = """
import sys, threading
from muniment.journal import Journal

url, seed = sys.argv[1:]
lock = threading.Lock()

def write(name):
    number = 0
    while True:
        number += 1
        session_id = f"{seed}-{name}-{number}"
        journal.sessions.open(session_id)
        with lock:
            print(session_id, flush=True)

journal = Journal.open(url)
for name in range(8):
    threading.Thread(target=write, args=(name,)).start()
"""

CREATOR = """
import sys
from muniment.journal import Journal

url, name = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
with Journal.open(url, lock_timeout_s=60) as journal:
    journal.sessions.open(name)
    assert name in journal.owners
"""


def test_a_full_disk_loses_nothing_and_is_got_over(file_url: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, file_url], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    acknowledged, problem = run.stdout.split(maxsplit=1)
    assert int(acknowledged) > 10
    assert problem.strip() in ("disk I/O error", "database or disk is full")
    with Journal.open(file_url) as journal:
        assert journal.head() == int(acknowledged) + 1
        assert journal.verify().findings == ()


def test_a_writer_with_many_threads_killed_in_a_loop_loses_nothing_it_acknowledged(
    shared_url: str, tmp_path: Path
) -> None:
    acknowledged: Counter[str] = Counter()
    for attempt in range(KILLS // 2):
        output = tmp_path / f"acknowledged-{attempt}"
        with output.open("w") as sink:
            writer = subprocess.Popen([sys.executable, "-c", GROUP_WRITER, shared_url, str(attempt)], stdout=sink)
            deadline = time.monotonic() + 30
            while output.stat().st_size < 4_000:
                assert writer.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.002)
            os.kill(writer.pid, signal.SIGKILL)
            assert writer.wait() == -signal.SIGKILL
        acknowledged.update(output.read_text().split("\n")[:-1])
    with Journal.open(shared_url) as journal:
        recorded = Counter(record.stream.removeprefix("session-") for record in journal.read())
        assert acknowledged - recorded == Counter()
        # What was under way in each of the threads at each kill may be there without having been acknowledged.
        assert (recorded - acknowledged).total() <= 10 * 8
        assert journal.verify().findings == ()


READER = """
import sys
from muniment.journal import Journal

print("ready", flush=True)
sys.stdin.readline()
with Journal.open(sys.argv[1], lock_timeout_s=60) as journal:
    assert len(journal.owners) == 30
    assert journal.replay().differences == {}
"""


def test_several_processes_find_tables_of_an_older_version(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        for number in range(30):
            journal.sessions.open(f"s-{number}")
        journal.catch_up()
        with journal._store.write() as writer:
            writer.run("ALTER TABLE projection_owners_v1_2 RENAME TO projection_owners_v0")
            for index in ("now", "began", "ended"):
                writer.run(f"DROP INDEX projection_owners_v1_2_{index}")
            writer.run("UPDATE tracking SET application_name='owners.v0' WHERE application_name='owners.v1_2'")
    finish(start_at_once([[READER, shared_url]] * 4))
    with Journal.open(shared_url) as journal:
        assert journal.verify().findings == ()
        assert "projection_owners_v0" not in journal._store.table_names()


def test_several_processes_make_one_journal(shared_url: str) -> None:
    finish(start_at_once([[CREATOR, shared_url, f"s-{n}"] for n in range(6)]))
    with Journal.open(shared_url) as journal:
        assert sorted(journal.owners) == [f"s-{n}" for n in range(6)]
        assert journal.verify().findings == ()
