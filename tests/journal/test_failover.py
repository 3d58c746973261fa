"""Primaries that are killed under eight writers: nothing acknowledged is lost, and each writer learns what became."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from muniment.domain import JournalNotFound, JournalUnavailable, UnknownPosition
from muniment.journal import Journal

from ..postgres_cluster import Cluster

KILLS = int(os.environ.get("MUNIMENT_TEST_FAILOVERS", "3"))

WRITER = """
import sys, threading, time
from muniment.domain import JournalLocked, JournalUnavailable
from muniment.journal import Journal

url, who = sys.argv[1:]
stop = threading.Event()
told = threading.Lock()


def say(*words):
    with told:
        print(*words, flush=True)


def patiently(call):
    # While no server takes writes there is nobody to ask.
    while True:
        try:
            return call()
        except (JournalUnavailable, JournalLocked) as error:
            say("error", error.code)
            time.sleep(0.05)


def write(journal, worker):
    number = 0
    while not stop.is_set():
        number += 1
        name = f"{who}-{worker}-{number}"
        in_doubt = False
        while True:
            try:
                with journal.context(idempotency_key=name):
                    journal.sessions.open(name)
                break
            except (JournalUnavailable, JournalLocked) as error:
                say("error", error.code)
                in_doubt = True
                record = patiently(lambda: journal.outcome(name))
                say("doubt", "committed" if record is not None else "absent")
                if record is not None:
                    break
        say("acknowledged", name)


with Journal.open(url) as journal:
    workers = [threading.Thread(target=write, args=(journal, worker)) for worker in range(4)]
    for each in workers:
        each.start()
    sys.stdin.readline()
    stop.set()
    for each in workers:
        each.join()
"""


@pytest.fixture
def cluster_of_postgres() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


def wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_acknowledged_is_lost_when_primaries_are_killed(cluster_of_postgres: Cluster, tmp_path: Path) -> None:
    cluster, url = cluster_of_postgres, cluster_of_postgres.url("journal")
    Journal.open(url).close()
    outputs = [tmp_path / "first", tmp_path / "second"]
    writers = []
    for each in outputs:
        command = [sys.executable, "-c", WRITER, url, each.name]
        with each.open("w") as sink:
            writers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sink, text=True))

    def acknowledged() -> list[int]:
        return [each.read_text().count("acknowledged") for each in outputs]

    def wait_for_more(least: int) -> None:
        before = acknowledged()
        wait(lambda: all(now >= then + least for now, then in zip(acknowledged(), before, strict=True)))

    try:
        for _ in range(KILLS):
            wait_for_more(25)
            killed = cluster.fail_over()
            # They go on while one server is missing, and while it comes back.
            wait_for_more(5)
            cluster.rejoin(killed)
        for writer in writers:
            writer.communicate("\n", timeout=120)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert [writer.returncode for writer in writers] == [0, 0]
    said = [line.split() for each in outputs for line in each.read_text().splitlines()]
    names = Counter(words[1] for words in said if words[0] == "acknowledged")
    doubts = Counter(words[1] for words in said if words[0] == "doubt")
    sys.stdout.write(f"{KILLS} primaries killed, {names.total()} acknowledged, in doubt: {dict(doubts)}\n")
    assert names.total() > 50 * KILLS
    with Journal.open(url) as journal:
        recorded = Counter(record.stream.removeprefix("session-") for record in journal.read())
        # Each once: neither lost, nor appended again by who was in doubt.
        assert recorded == names
        assert [record.position for record in journal.read()] == list(range(1, journal.head() + 1))
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}


def test_a_cluster_without_a_primary_is_a_typed_error_and_standbys_are_not_written_to(
    cluster_of_postgres: Cluster,
) -> None:
    cluster = cluster_of_postgres
    url = cluster.url("journal")
    with Journal.open(url) as journal:
        journal.sessions.open("before")
        killed = cluster.primary
        cluster.kill(killed)
        with pytest.raises(JournalUnavailable):
            journal.sessions.open("nowhere")
        with pytest.raises(JournalUnavailable):
            Journal.open(url)
        # Reading needs no server that takes writes.
        anywhere = url.replace("target_session_attrs=read-write", "target_session_attrs=any")
        with Journal.open(anywhere, read_only=True) as reader:
            assert "before" in reader.owners
        cluster.fail_over()
        journal.sessions.open("after")
        assert [record.stream for record in journal.read()] == ["session-before", "session-after"]


def test_a_standby_that_is_behind_says_what_it_has_not_reached(cluster_of_postgres: Cluster) -> None:
    cluster = cluster_of_postgres
    with Journal.open(cluster.url("journal")) as journal, cluster.connect("two") as standby:
        journal.sessions.open("first")
        wait(lambda: _replayed(cluster, "two") == 1)
        standby.execute("SELECT pg_wal_replay_pause()")
        journal.sessions.open("second")
        cursor = journal.cursor()
        with Journal.open(cluster.url_of("two", "journal"), read_only=True) as reader:
            assert [record.stream for record in reader.read()] == ["session-first"]
            with pytest.raises(UnknownPosition):
                reader.follow(cursor)
            standby.execute("SELECT pg_wal_replay_resume()")
            wait(lambda: reader.head() == 2)
            assert reader.position_of(cursor) == 2


def _replayed(cluster: Cluster, name: str) -> int:
    try:
        with Journal.open(cluster.url_of(name, "journal"), read_only=True) as reader:
            return reader.head()
    except (JournalNotFound, JournalUnavailable):
        return 0
