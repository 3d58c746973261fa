"""What can be asked of the past, awaited: the same answers, from an event loop that goes on meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from muniment.domain import JournalClosed, MomentInFuture, PredicateFailed, StaleCapability
from muniment.journal import AsyncJournal, Journal, Moment
from muniment.journal.past.async_questions import AsyncQuestions
from muniment.journal.past.questions import Questions

from .awaiting import run
from .stories import CHAT


async def handed_over(journal: AsyncJournal) -> None:
    await journal.sessions.open("s-1")
    held = await journal.sessions.claim("s-1", "alice")
    given = await journal.sessions.transfer(held, "bob")
    with pytest.raises(StaleCapability):
        await journal.sessions.check(held)
    await journal.sessions.release(given)
    await journal.bundles.register(CHAT)
    await journal.bundles.seed_members("chat", ["x"])


def test_every_question_answers_the_same(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        await handed_over(journal)

        def no_bob(moment: Moment) -> bool:
            row = moment.owners.get("s-1")
            return row is None or row.owner != "bob"

        asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
            ("diff", (1, 3), {"tables": ["owners"], "every": True}),
            ("diff", ("1..",), {}),
            ("history", ("owners", "s-1"), {}),
            ("blame", ("owners", "s-1", 3), {}),
            ("why", ("s-1",), {}),
            ("explain", (4,), {}),
            ("bisect", (no_bob, 0, 3), {}),
            ("session", ("s-1",), {}),
            ("bundle", ("chat",), {}),
        ]
        for name, arguments, settings in asked:
            answer = await getattr(journal, name)(*arguments, **settings)

            def at_once(blocking: Journal, name: str = name, given: Any = (arguments, settings)) -> Any:
                return getattr(blocking, name)(*given[0], **given[1])

            assert answer == await journal.run(at_once), name
        assert (await journal.at("HEAD~1")).position == 6
        assert [each.position for each in await journal.between("..2")] == [0, 2]
        found = await journal.first("no-refusals")
        assert found is not None
        assert found.position == 4
        with pytest.raises(MomentInFuture):
            await journal.at("9000-01-01")
        with pytest.raises(PredicateFailed, match="position 0"):
            await journal.first(lambda moment: 1 / 0)

    run(url, story)


def test_there_is_a_twin_of_every_question() -> None:
    own = {name for name in vars(Questions) if not name.startswith("_")} - {"head"}
    folded = {"session", "bundle", "conversation"}
    assert own | folded <= {name for name in vars(AsyncQuestions) if not name.startswith("_")}


def test_a_search_that_is_cancelled_leaves_the_journal_whole(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        await handed_over(journal)
        entered, goes_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(moment: Moment) -> bool:
            loop.call_soon_threadsafe(entered.set)
            return asyncio.run_coroutine_threadsafe(goes_on.wait(), loop).result(10)

        search = asyncio.ensure_future(journal.first(slow))
        await entered.wait()
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search
        # Others are answered meanwhile.
        assert (await journal.why("s-1")).position == 7
        goes_on.set()
        await journal.sessions.open("s-2")

    run(url, story)


def test_a_closed_journal_says_so() -> None:
    async def main() -> None:
        async with await AsyncJournal.open("memory://") as journal:
            await handed_over(journal)
            then = await journal.at(2)
        for ask in (lambda: journal.why("s-1"), lambda: journal.diff(0), lambda: journal.at(1)):
            with pytest.raises(JournalClosed):
                await ask()
        with pytest.raises(JournalClosed):
            then.owners.get("s-1")

    asyncio.run(main())
