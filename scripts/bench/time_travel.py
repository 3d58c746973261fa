"""What the benchmark measures of questions about the past, beside the peer that folds from event 1."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from typing import Any, Final, NamedTuple

from muniment.domain import StaleCapability
from muniment.journal import Journal, Moment
from muniment.scripts.places import Place

PER_SESSION: Final = 20
"""How many events a session has."""

PEER: Final = "the peer: fold the owner map from event 1"

CHECKS: Final = ("coherent", "every-session-owned", "no-refusals", *(f"law-{number}" for number in range(1, 9)))

_TEMPLATE: Final = "s-template"


class Question(NamedTuple):
    """A question, and how often it is asked.

    Attributes:
        ask: asks it.
        times: how often; the median counts.
    """

    ask: Callable[[], object]
    times: int = 100


def measure(place: Place, events: int, progress: Callable[[int, int], None]) -> dict[str, dict[str, float]]:
    """Milliseconds that each question takes, the median, and of how many, in a journal whose tables are current.

    Args:
        place: where the journal is made.
        events: how many events it has, and a few more.
        progress: called with how many questions are measured, and how many there are.
    """
    measured: dict[str, dict[str, float]] = {}
    with place() as url:
        with Journal.open(url, synchronous="NORMAL") as journal:
            fill(journal, events)
            journal.catch_up()
        with Journal.open(url) as journal, ExitStack() as stack:
            asked = questions(journal, stack)
            for what, each in asked.items():
                progress(len(measured), len(asked))
                measured[what] = {"ms": round(_median(each) * 1000, 3), "times": each.times}
    return measured


def fill(journal: Journal, events: int) -> None:
    """Fill a journal with sessions of twenty events, and a last one in which somebody is refused, and lets it go.

    The events are those that commands append, of one session; they are imported under the names of others.
    """
    with Journal.open("memory://", clock=lambda: 1_700_000_000_000) as made:
        _live(made, _TEMPLATE)
        lines = list(made.export())
    journal.import_export(_copies(lines[:PER_SESSION], events // PER_SESSION), unmarked=True)
    first = journal.sessions.start("s-last", "agent-0").capability
    held = journal.sessions.transfer(first, "agent-1")
    with suppress(StaleCapability):
        journal.sessions.check(first)
    journal.sessions.release(held)


def _live(journal: Journal, name: str) -> None:
    """Twenty events: hosted, claimed, handed on in one step and in two, handed over to another authority."""
    journal.sessions.open(name)
    journal.sessions.host(name, "authority-a")
    held = journal.sessions.claim(name, "agent-0")
    for turn in range(5):
        held = journal.sessions.transfer(held, f"agent-{turn + 1}")
    for turn in range(3):
        held = journal.sessions.commit_transfer(journal.sessions.begin_transfer(held, f"agent-{turn}"))
    journal.sessions.hand_over(held, "agent-9", from_authority="authority-a", to_authority="authority-b")
    for turn in range(5):
        state = journal.sessions.state(name).capability
        if state is not None:
            journal.sessions.transfer(state, f"agent-{turn}")


def _copies(lines: list[bytes], sessions: int) -> Iterator[bytes]:
    positions = count(1)
    of_template = [(line, b'"sequence":"%019d"' % number) for number, line in enumerate(lines, 1)]
    for number in range(sessions):
        name = b"s-%d" % number
        for line, sequence in of_template:
            # Names of other lengths make no difference to what is in a line.
            copied = line.replace(_TEMPLATE.encode(), name)
            yield copied.replace(sequence, b'"sequence":"%019d"' % next(positions))


def fold(journal: Journal, position: int) -> dict[str, tuple[str, int]]:
    """The owner map at a position, as a program without tables finds it."""
    owners: dict[str, tuple[str, int]] = {}
    for record in journal.read(limit=position):
        effects = record.event.effects
        if effects is None:
            continue
        if effects.ends_ownership:
            owners.pop(effects.session_id, None)
        if effects.capability is not None:
            owners[effects.session_id] = effects.capability.owner, effects.capability.generation
    return owners


def questions(journal: Journal, stack: ExitStack) -> dict[str, Question]:
    """Every question."""
    head = journal.head()
    middle = head // 2
    name = f"s-{middle // PER_SESSION}"
    last = journal.record(head - 2)
    lost = head

    def is_owned(moment: Moment) -> bool:
        row = moment.owners.get(name)
        return row is None or row.owner is not None or row.status != "active" or moment.position < middle

    asked = {
        PEER: Question(lambda: fold(journal, middle), 1),
        "at + one key": Question(lambda: journal.at(middle).owners[name]),
        "history": Question(lambda: journal.history("owners", name)),
        "blame": Question(lambda: journal.blame("owners", name)),
        "why": Question(lambda: journal.why(name)),
        "explain a refusal": Question(lambda: journal.explain(head - 1)),
        "explain another event": Question(lambda: journal.explain(last.id)),
        "diff of 1 000 events": Question(lambda: journal.diff(middle, min(head, middle + 1_000))),
        "what_if opened": Question(lambda: journal.what_if(middle).close()),
        "one command in it": Question(_commands(stack.enter_context(journal.what_if(middle)))),
        "bisect, session-owned:ID": Question(lambda: journal.bisect("session-owned:s-last", 0, lost), 3),
        "first, one key of one table": Question(lambda: journal.first(is_owned, tables=["owners"]), 1),
    }
    for check in CHECKS:
        # Where it holds: to the end, but for the last session.
        asked[f"first, {check}"] = Question(lambda check=check: journal.first(check, end=head - 4), 1)  # type: ignore[misc]
    return asked


def _commands(branch: Journal) -> Callable[[], object]:
    numbers = count()
    return lambda: branch.sessions.open(f"branched-{next(numbers)}")


def _median(question: Question) -> float:
    if question.times > 1:
        # Warm: what the disk keeps in memory is there by then.
        question.ask()
    took: list[float] = []
    for _ in range(question.times):
        started = time.perf_counter()
        question.ask()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def rows(measured: dict[str, dict[str, float]]) -> list[tuple[Any, ...]]:
    """The figures as rows of a table, with the ratio to the peer of each."""
    peer = measured[PEER]["ms"]
    return [(what, each["ms"], each["times"], f"{each['ms'] / peer:.6f}") for what, each in measured.items()]
