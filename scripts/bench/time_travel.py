"""What the benchmark measures of questions about the past, beside the peer that folds from event 1."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from muniment.domain import StaleCapability
from muniment.journal import Journal, Moment

PER_SESSION: Final = 20
"""How many events a session has."""

FOLD: Final = "the peer: fold the owner map from event 1"


class Question(NamedTuple):
    """A question, and how often it is asked.

    Attributes:
        ask: asks it.
        times: how often.
    """

    ask: Callable[[], object]
    times: int = 100


def fill(journal: Journal, events: int) -> None:
    """Sessions of twenty events each: hosted, claimed, handed on in one step and in two, refused, released, claimed."""
    for number in range(events // PER_SESSION):
        name = f"s-{number}"
        journal.sessions.open(name)
        journal.sessions.host(name, "authority-a")
        first = held = journal.sessions.claim(name, "agent-0")
        for turn in range(5):
            held = journal.sessions.transfer(held, f"agent-{turn + 1}")
        for turn in range(3):
            receipt = journal.sessions.begin_transfer(held, f"agent-{turn}")
            held = journal.sessions.commit_transfer(receipt)
        with suppress(StaleCapability):
            journal.sessions.check(first)
        handed = journal.sessions.hand_over(held, "agent-9", from_authority="authority-a", to_authority="authority-b")
        assert handed.capability is not None
        journal.sessions.release(handed.capability)
        held = journal.sessions.claim(name, "agent-1")
        held = journal.sessions.transfer(held, "agent-2")
        journal.sessions.transfer(held, "agent-3")


def fold_from_the_first(journal: Journal, position: int) -> dict[str, tuple[str, int]]:
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


def questions(journal: Journal) -> dict[str, Question]:
    """Every question, of a journal whose tables are current."""
    head = journal.head()
    middle, session_id = head // 2, f"s-{head // PER_SESSION // 2}"
    owner = next(journal.read_stream(f"session-{session_id}", newest_first=True, limit=1))
    refused = next(record for record in journal.read(middle) if record.type == "session.capability_rejected.v1")

    def is_owned(moment: Moment) -> bool:
        row = moment.owners.get(session_id)
        return row is None or row.generation != -1

    return {
        "at + one key": Question(lambda: journal.at(middle).owners[session_id]),
        "history of a key": Question(lambda: journal.history("owners", session_id)),
        "blame of a key": Question(lambda: journal.blame("owners", session_id)),
        "why": Question(lambda: journal.why(session_id)),
        "explain a refusal": Question(lambda: journal.explain(refused.id)),
        "explain another event": Question(lambda: journal.explain(owner.id)),
        "diff of 1 000 events": Question(lambda: journal.diff(middle, min(head, middle + 1_000))),
        "what_if opened": Question(lambda: journal.what_if(at=middle).close()),
        "what_if, one command": Question(lambda: None, 0),
        f"bisect --check session-owned:{session_id}": Question(lambda: _bisected(journal, session_id), 3),
        "first, one key of one table": Question(lambda: journal.first(is_owned, tables=["owners"]), 1),
        "first --check every-session-owned": Question(lambda: journal.first("every-session-owned", start=head), 1),
    }
