"""Whatever is passed to whatever is public gets an answer or one of our errors, and the journal is sound afterwards."""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import MunimentError
from muniment.journal import AsyncJournal, Journal

from ..public_surface import Walk, prepare, public_callables, public_methods, walk_journal

CALLS = 100_000
SEEDS = range(10)
CALLS_OF_A_JOURNAL = 2_500
LONGEST_WALK_S = 60
MOST_MEMORY_MB = 600


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files that are made go where they may, and what hangs is said where."""
    monkeypatch.chdir(tmp_path)
    faulthandler.dump_traceback_later(LONGEST_WALK_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_passed_gets_an_answer_or_a_typed_error(seed: int) -> None:
    walk = Walk(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    while walk.calls < CALLS // len(SEEDS) and not walk.problems:
        assert time.monotonic() - began < LONGEST_WALK_S
        walk_journal(walk, CALLS_OF_A_JOURNAL)
    assert walk.problems == [], f"seed {seed}, after {walk.calls} calls"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_024
    assert grown < MOST_MEMORY_MB


def test_the_walk_comes_by_every_public_name() -> None:
    walk = Walk(0)
    walk_journal(walk, 40_000)
    assert walk.problems == []
    with Journal.open("memory://") as journal:
        names = {name for name, _ in public_methods(journal, "journal")}
    missed = (names | set(public_callables())) - walk.called
    # What takes long is seldom called.
    assert {name for name in missed if not name.startswith("journal.")} == set()
    assert len(missed) < 12, missed
    assert "journal.sessions.claim" in names
    assert "journal.conversations.tick" in names


@pytest.mark.parametrize("seed", range(2))
def test_the_twins_that_are_awaited_answer_alike(seed: int) -> None:
    walk = Walk(seed)

    async def call(name: str, method: Any) -> None:
        args, named = walk.arguments(method)
        problems: list[BaseException] = []
        try:
            answer = method(*args, **named)
            if inspect.isasyncgen(answer):
                await asyncio.wait_for(anext(answer, None), 0.2)
                await answer.aclose()
            elif inspect.isawaitable(answer):
                walk.keep(await asyncio.wait_for(answer, 10))
        except (MunimentError, TimeoutError):
            pass
        except Exception as error:
            problems.append(error)
        walk.judge(name, lambda: [_raise(each) for each in problems], (args, named))

    async def many() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            with Journal.open("memory://") as other:
                walk.answers[:] = prepare(other)
            await journal.sessions.open("s-1")
            walk.keep(await journal.sessions.claim("s-1", "alice"))
            # What ``run`` raises is the error of the function that it is given.
            methods = [each for each in public_methods(journal, "journal") if each[0] != "journal.run"]
            for _ in range(2_500):
                name, method = walk.random.choice(methods)
                if (
                    name.rpartition(".")[2] not in ("verify", "replay", "backup", "follow")
                    or walk.random.random() < 0.02
                ):
                    await call(name, method)
            await journal.sessions.open("afterwards")

    asyncio.run(many())
    assert walk.problems == [], f"seed {seed}"


def _raise(error: BaseException) -> object:
    raise error
