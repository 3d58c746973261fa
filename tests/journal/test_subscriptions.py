"""Following commits, from this process and others."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent
from muniment.domain import InvalidInput
from muniment.journal import Journal
from muniment.journal.storage.commits import Bell, Commits, Stop, poll
from muniment.journal.storage.recording import PositionedRecorder

WRITER = """
import sys
from muniment.domain import InvalidArgument
from muniment.journal import Journal

with Journal.open(sys.argv[1]) as journal:
    for number in range(int(sys.argv[2])):
        sys.stdin.readline()
        journal.sessions.open(f"s-{number}")
"""


@pytest.fixture
def recorder(journal: Journal) -> PositionedRecorder:
    return journal.application.recorder


def stored(version: int, topic: str = "topic") -> StoredEvent:
    return StoredEvent("session-s-1", version, topic, b"state")


def test_a_subscription_yields_what_was_recorded_and_what_comes(recorder: PositionedRecorder) -> None:
    recorder.insert_events([stored(1), stored(2)])
    with recorder.subscribe() as subscription:
        assert [next(subscription).id for _ in range(2)] == [1, 2]
        recorder.insert_events([stored(3)])
        assert next(subscription).id == 3
        writer = threading.Timer(0.02, lambda: recorder.insert_events([stored(4), stored(5)]))
        writer.start()
        assert [next(subscription).id for _ in range(2)] == [4, 5]
        writer.join()


def test_a_subscription_begins_behind_a_position_and_knows_topics(recorder: PositionedRecorder) -> None:
    recorder.insert_events([stored(1), stored(2, "other"), stored(3), stored(4, "other")])
    with recorder.subscribe(gt=2, topics=["other"]) as subscription:
        assert next(subscription).id == 4
        recorder.insert_events([stored(5), stored(6, "other")])
        assert next(subscription).id == 6


def test_a_stopped_subscription_ends(recorder: PositionedRecorder) -> None:
    with recorder.subscribe() as subscription:
        stopper = threading.Timer(0.02, subscription.stop)
        stopper.start()
        assert list(subscription) == []
        stopper.join()


def test_many_subscriptions_see_everything_in_order(recorder: PositionedRecorder) -> None:
    seen: list[list[int]] = [[], [], []]

    def follow(number: int) -> None:
        with recorder.subscribe() as subscription:
            for notification in subscription:
                seen[number].append(notification.id)
                if notification.id == 200:
                    return

    followers = [threading.Thread(target=follow, args=(number,)) for number in range(3)]
    for follower in followers:
        follower.start()
    for version in range(1, 201):
        recorder.insert_events([stored(version)])
    for follower in followers:
        follower.join(30)
    assert seen == [list(range(1, 201))] * 3


def test_commits_of_another_process_are_noticed(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        command = [sys.executable, "-c", WRITER, shared_url, "3"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as writer:
            assert writer.stdin is not None
            with journal.application.recorder.subscribe() as subscription:
                for position in (1, 2, 3):
                    writer.stdin.write("\n")
                    writer.stdin.flush()
                    assert next(subscription).id == position
        assert writer.returncode == 0


def test_following_a_journal(journal: Journal) -> None:
    journal.sessions.open("s-1")
    with journal.follow() as following:
        assert next(following).id == "session-s-1@1"
        journal.sessions.claim("s-1", "alice")
        assert next(following).type == "session.ownership_claimed.v1"
    with journal.follow(after=1, types=["session.closed.v1", "session.opened.v1"]) as following:
        journal.sessions.open("s-2")
        assert next(following).position == 3


def test_closing_the_journal_ends_what_follows_it(journal: Journal) -> None:
    following = journal.follow()
    closer = threading.Timer(0.02, journal.close)
    closer.start()
    assert list(following) == []
    closer.join()
    following.stop()


@pytest.mark.parametrize(
    "settings",
    [{"types": ["nonsense"]}, {"types": "session.opened.v1"}, {"after": -1}, {"after": 2**63}, {"after": "x"}],
)
def test_following_nonsense(journal: Journal, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        journal.follow(**settings)


@pytest.mark.parametrize("name", ["x:memory:y.db", "mode=memory.db", "a b#c%20d=é.db"])
def test_a_file_with_an_odd_name_is_a_file(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/{name}"
    with Journal.open(url) as one, Journal.open(url) as other, other.follow() as following:
        one.sessions.open("s-1")
        assert next(following).position == 1
        assert (tmp_path / name).exists()


def test_nobody_watches_when_nobody_listens() -> None:
    commits = Commits(poll(lambda: 0))
    listener = Bell()
    before = threading.active_count()
    commits.listen(listener)
    assert listener.wait(30)
    assert threading.active_count() == before + 1
    commits.unlisten(listener)
    assert threading.active_count() == before
    while listener.wait(0):
        pass
    commits.announce()
    assert not listener.wait(0.05)


def test_who_listens_and_is_forgotten_keeps_nobody_watching() -> None:
    commits = Commits(poll(lambda: 0))
    before = threading.active_count()
    listener = Bell()
    commits.listen(listener)
    del listener
    deadline = time.monotonic() + 30
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # Whoever listens next is told all the same.
    other = Bell()
    commits.listen(other)
    assert threading.active_count() == before + 1
    commits.unlisten(other)


def test_a_process_with_many_open_files_can_follow(shared_url: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(1_100)]
    try:
        with Journal.open(shared_url) as one, Journal.open(shared_url) as other, one.follow() as following:
            for position in (1, 2):
                other.sessions.open(f"s-{position}")
                assert next(following).position == position
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_counter_that_fails_is_asked_again() -> None:
    answers: Iterator[int | Exception] = iter([1, OSError("no more files"), 2, 2])
    announced = []

    def counter() -> int:
        answer = next(answers, 2)
        if isinstance(answer, Exception):
            raise answer
        return answer

    stop = Stop()
    watcher = threading.Thread(target=poll(counter), args=(lambda: announced.append(1), stop))
    watcher.start()
    deadline = time.monotonic() + 30
    while len(announced) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop.tell()
    watcher.join()
    stop.close()
