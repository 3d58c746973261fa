"""When something failed first: by one pass, by halving, and by checks that are kept up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import (
    FULL_SESSION,
    EndIsBad,
    EndIsGood,
    Event,
    Fragments,
    InvalidArgument,
    InvalidIdentifier,
    MomentsReversed,
    OwnershipCapability,
    PredicateFailed,
    ReadinessWitness,
    SearchStopped,
    UnknownCheck,
    UnknownPosition,
    UnknownTable,
    session,
)
from muniment.journal import REFUSAL_TYPES, SKIP, Journal, Moment
from muniment.journal.tables import READ_BY

from ..drawing import drawn
from ..random_journals import FILLINGS, fill
from .damage import edit
from .test_redecision import forge


def capability(owner: str, generation: int, scope: Any = FULL_SESSION) -> OwnershipCapability:
    return OwnershipCapability("s-0", owner, generation, scope)


NARROW = Fragments({"bundle:x"})
FORGED: dict[str, tuple[Event[Any], ...]] = {
    "law-1": (session.OwnershipClaimed(capability("mallory", 1)),) * 2,
    "law-2": (session.OwnershipReleased(capability("mallory", 999)),),
    "law-3": (
        session.OwnershipClaimed(capability("mallory", 900, NARROW)),
        session.OwnershipTransferred(capability("mallory", 900, NARROW), capability("eve", 901)),
    ),
    "law-4": (session.ReadinessWitnessConsumed(ReadinessWitness(77, "s-0", "mallory", 999, FULL_SESSION, "ready")),),
    "law-5": (
        session.SessionClosed(capability("mallory", 999)),
        session.OwnershipClaimed(capability("mallory", 1_000)),
    ),
    "law-6": (session.CapabilityRejected(capability("eve", 998), "capability is not live"),) * 2,
    "coherent": (session.SessionHosted("s-0", "one"), session.SessionHosted("s-0", "two")),
    "law-7": (session.SessionHosted("s-0", "one"), session.SessionHosted("s-0", "two")),
    "law-8": (session.HostingWithdrawn("s-0", "nobody"),),
}


def owned(journal: Journal, moment: Moment, session_id: str) -> bool:
    """The definition: it is not open, was not claimed since it was opened, or has an owner."""
    rows = [journal.at(each).owners.get(session_id) for each in range(moment.position, -1, -1)]
    if rows[0] is None or rows[0].status != "active" or rows[0].owner is not None:
        return True
    since_opened = takewhile(lambda row: row is not None and row.status == "active", rows)
    return all(row is None or row.owner is None for row in since_opened)


NAIVE: dict[str, Callable[[Journal, Moment], bool]] = {
    "coherent": lambda journal, moment: moment.coherence() == (),
    "every-session-owned": lambda journal, moment: all(owned(journal, moment, name) for name in moment.owners),
    "session-owned:s-0": lambda journal, moment: owned(journal, moment, "s-0"),
    "no-refusals": lambda journal, moment: all(
        record.type not in REFUSAL_TYPES for record in journal.read(limit=moment.position)
    ),
}


@settings(max_examples=drawn(15))
@given(filling=FILLINGS, forged=st.sampled_from([None, *FORGED]), start=st.integers(0, 1_000))
def test_a_check_fails_first_where_its_definition_does(filling: Any, forged: str | None, start: int) -> None:
    with Journal.open("memory://", clock=lambda: 1_000) as journal:
        head = fill(journal, filling)
        if forged is not None:
            forge(journal, "session-s-0", *FORGED[forged])
        journal.sessions.open("s-last")
        start %= head + 1
        for name, holds in NAIVE.items():
            held = [holds(journal, journal.at(each)) for each in range(start, journal.head() + 1)]
            expected = None if all(held) else start + held.index(False)
            found = journal.first(name, start=start)
            assert (found and found.position) == expected, name
            # Halving asks the same at each position.
            by_hand = [journal._check(name).holds(each) for each in range(start, journal.head() + 1)]
            assert by_hand == held, name


@settings(max_examples=drawn(25))
@given(filling=FILLINGS)
def test_an_honest_journal_breaks_no_law(filling: Any) -> None:
    with Journal.open("memory://", clock=lambda: 1_000) as journal:
        fill(journal, filling)
        for number in range(1, 9):
            assert journal.first(f"law-{number}") is None
        assert journal.first("coherent") is None


@pytest.mark.parametrize("law", [name for name in FORGED if name != "coherent"])
def test_a_broken_law_is_found_where_it_is_broken(law: str, journal: Journal) -> None:
    journal.sessions.open("s-0")
    held = journal.sessions.claim("s-0", "alice")
    journal.sessions.release(held)
    head = journal.head()
    forge(journal, "session-s-0", *FORGED[law])
    found = journal.first(law)
    assert found is not None
    assert head < found.position <= journal.head()
    bisected = journal.bisect(law, head)
    assert (bisected.good, bisected.bad) == (found.position - 1, found.position)


@settings(max_examples=drawn(20))
@given(filling=FILLINGS, table=st.sampled_from(sorted(READ_BY)))
def test_first_asks_wherever_a_table_changed_and_nowhere_else(filling: Any, table: str) -> None:
    with Journal.open("memory://") as journal:
        head = fill(journal, filling)
        asked: list[int] = []
        shown: list[Any] = []

        def remember(moment: Moment) -> bool:
            asked.append(moment.position)
            shown.append(dict(moment.tables[table].items()))
            return True

        assert journal.first(remember, tables=[table]) is None
        every = [dict(journal.at(each).tables[table].items()) for each in range(head + 1)]
        changed = [each for each in range(1, head + 1) if every[each] != every[each - 1]]
        assert set(changed) <= set(asked)
        assert asked == sorted(set(asked))
        assert shown == [every[each] for each in asked]


@settings(max_examples=drawn(20))
@given(filling=FILLINGS, modulus=st.integers(2, 7))
def test_first_equals_a_brute_force_scan(filling: Any, modulus: int) -> None:
    with Journal.open("memory://") as journal:
        head = fill(journal, filling)

        def holds(moment: Moment) -> bool:
            return len(moment.owners) + len(moment.witnesses) % modulus != modulus - 1

        naive = next((each for each in range(head + 1) if not holds(journal.at(each))), None)
        for tables in ((), ("owners", "witnesses")):
            found = journal.first(holds, tables=tables)
            assert (found and found.position) == naive


@given(head=st.integers(2, 60), bad=st.integers(1, 60), skipped=st.sets(st.integers(0, 60)))
def test_halving_finds_the_change_between_what_can_be_told(head: int, bad: int, skipped: set[int]) -> None:
    from muniment.journal.past.search import bisect

    bad = min(bad, head)
    skipped = {each for each in skipped if 0 < each < head}
    calls: list[int] = []

    def holds(position: int) -> object:
        calls.append(position)
        return SKIP if position in skipped else position < bad

    found = bisect(holds, 0, head)
    assert found.good < bad <= found.bad
    assert found.calls == len(calls)
    assert set(range(found.good + 1, found.bad)) == set(found.skipped) <= skipped
    assert found.is_exact == (not found.skipped)
    if not skipped:
        assert found.calls <= 2 + head.bit_length()


def handed_over(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "alice")
    held = journal.sessions.transfer(held, "bob")
    journal.sessions.release(held)
    journal.sessions.claim("s-1", "carol")


def test_on_every_engine(journal: Journal) -> None:
    handed_over(journal)
    lost = journal.first("session-owned:s-1")
    assert lost is not None
    assert (lost.position, lost.event and lost.event.type) == (4, "session.ownership_released.v1")
    assert journal.first("session-owned:s-1", start=5) is None
    assert journal.first("session-owned:s-1", end=3) is None
    assert journal.first("session-owned:nobody") is None
    third = journal.first(lambda moment: moment.position < 3)
    assert third is not None
    assert third.position == 3
    found = journal.bisect(lambda moment: "s-1" not in moment.owners or moment.owners["s-1"].generation is None, 0, 3)
    assert (found.good, found.bad) == (1, 2)
    assert str(found) == (
        "position 2 is the first bad one, and 1 the last good one, assuming that it changes once in between; 4 calls"
    )
    told = journal.bisect(lambda moment: SKIP if 0 < moment.position < 5 else moment.position == 0, 0)
    assert (told.good, told.bad, told.skipped, told.is_exact) == (0, 5, (1, 2, 3, 4), False)
    assert "5 or one of those that were skipped, 1, 2, 3, 4" in str(told)
    assert told.to_json()["skipped"] == [1, 2, 3, 4]
    progress: list[tuple[int, int]] = []
    journal.first(lambda moment: True, progress=lambda done, goal: progress.append((done, goal)))
    assert progress[-1] == (5, 5)


def test_what_makes_no_sense(journal: Journal) -> None:
    handed_over(journal)
    head = journal.head()

    def fails_at_3(moment: Moment) -> bool:
        if moment.position == 3:
            raise KeyError("s-9")
        return moment.position < 4

    for error, ask in (
        (UnknownCheck, lambda: journal.first("law-9")),
        (UnknownCheck, lambda: journal.bisect("coherence", 0)),
        (InvalidIdentifier, lambda: journal.first("session-owned:")),
        (UnknownTable, lambda: journal.first(fails_at_3, tables=["owner"])),
        (InvalidArgument, lambda: journal.first(cast(Any, 7))),
        (MomentsReversed, lambda: journal.first("coherent", start=3, end=2)),
        (MomentsReversed, lambda: journal.bisect("coherent", 3, 2)),
        (EndIsGood, lambda: journal.bisect("coherent", 0)),
        (EndIsGood, lambda: journal.bisect(lambda moment: SKIP if moment.position else True, 0)),
        (EndIsBad, lambda: journal.bisect(lambda moment: moment.position > 3, 0)),
        (EndIsBad, lambda: journal.bisect(lambda moment: SKIP, 0)),
    ):
        with pytest.raises(error):
            ask()
    for ask in (lambda: journal.first(fails_at_3), lambda: journal.bisect(fails_at_3, 2, 4)):
        with pytest.raises(PredicateFailed, match="position 3: KeyError") as caught:
            ask()
        assert caught.value.position == 3
        assert isinstance(caught.value.__cause__, KeyError)
    assert journal.head() == head


class UnsaidError(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError


def raises(moment: Moment) -> bool:
    raise UnsaidError


def yields(moment: Moment) -> Any:
    yield False


@pytest.mark.parametrize("predicate", [yields, lambda moment: (name != "s-1" for name in moment.owners)])
def test_a_generator_is_not_an_answer(journal: Journal, predicate: Any) -> None:
    journal.sessions.open("s-1")
    for ask in (lambda: journal.first(predicate), lambda: journal.bisect(predicate, 0)):
        with pytest.raises(InvalidArgument, match="answer at once, not with a generator"):
            ask()


def test_an_error_that_cannot_be_shown_is_told_by_its_type(journal: Journal) -> None:
    with pytest.raises(PredicateFailed, match="position 0: UnsaidError: it does not say what"):
        journal.first(raises)


def test_an_interrupt_is_not_an_answer(journal: Journal) -> None:
    def interrupted(moment: Moment) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.first(interrupted)
    assert journal.first("coherent") is None


def test_who_may_only_read_asks_the_same(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        handed_over(journal)
    with Journal.open(shared_url, read_only=True) as journal:
        found = journal.first("every-session-owned")
        assert found is not None
        assert found.position == 4
        assert [each.position for each in journal.diff(3, tables=["owners"], every=True)] == [4, 5]
        assert journal.blame("owners", "s-1")["owner"].position == 5


@pytest.mark.parametrize("read_only", [False, True])
def test_tables_that_are_not_current_are_brought_up_first(shared_url: str, *, read_only: bool) -> None:
    with Journal.open(shared_url) as journal:
        handed_over(journal)

    def is_not_bobs(moment: Moment) -> bool:
        row = moment.owners.get("s-1")
        return row is None or row.owner != "bob"

    asked: list[Callable[[Journal], Any]] = [
        lambda journal: cast(Moment, journal.first(is_not_bobs)).position,
        lambda journal: cast(Moment, journal.first(is_not_bobs, tables=["owners"])).position,
        lambda journal: journal.bisect(is_not_bobs, 0, 3).bad,
    ]
    for ask in asked:
        with Journal.open(shared_url, read_only=read_only) as journal:
            assert ask(journal) == 3


def test_a_predicate_that_is_awaited_answers_nothing(journal: Journal) -> None:
    handed_over(journal)

    class Later:
        def __await__(self) -> Any:
            yield

    for ask in (journal.first, lambda predicate: journal.bisect(predicate, 0)):
        with pytest.raises(InvalidArgument, match="answer at once"):
            ask(lambda moment: Later())


def test_a_predicate_can_end_the_search(journal: Journal) -> None:
    handed_over(journal)

    def stops(moment: Moment) -> bool:
        raise SearchStopped("enough")

    with pytest.raises(SearchStopped, match="enough"):
        journal.bisect(stops, 0)


def test_where_events_were_deleted_there_is_no_other(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        handed_over(journal)
        journal.catch_up()
    edit(path, "DELETE FROM stored_events WHERE position=3")
    with Journal.open(path) as journal:
        for ask in (
            lambda: journal.at(3).event,
            lambda: journal.record(3),
            lambda: journal.history("owners", "s-1"),
            lambda: journal.diff(2, 4, tables=["owners"], every=True),
            lambda: journal.explain(3),
        ):
            with pytest.raises(UnknownPosition):
                ask()
        # What the tables tell of it stays.
        assert journal.at(3).owners["s-1"].owner == "bob"
