"""A rollback comes to what undoing each of its steps by itself comes to."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from muniment.domain import CommandRefused
from muniment.domain.session import SessionState
from muniment.journal import Journal

from ..conversation_sequences import begin, give
from .stories import claim, claim_fragments, hand_over, host, live, open_session, register, seed
from .test_conversation_undo_sequences import draw, facts, folded
from .test_session_model import Pair


def of_session(journal: Journal) -> dict[str, Any]:
    state = SessionState("s")
    for record in journal.read_stream("session-s"):
        state.apply(record.event)
    return {name: getattr(state, name) for name in SessionState.__slots__}


def of_conversation(journal: Journal) -> dict[str, Any]:
    return facts(folded(journal))


def check(journal: Journal, stream: str, state: Callable[[Journal], Any], rng: random.Random) -> bool:
    """Roll back in one copy, and step by step in another; say whether there was anything to undo."""
    last = len(list(journal.read_stream(stream)))
    version = rng.randrange(max(0, last - 8), last)
    plan = journal.rollback(stream, version, dry_run=True)
    if not plan.steps:
        return False
    lines = list(journal.export())
    with Journal.open("memory://") as at_once, Journal.open("memory://") as by_steps:
        at_once.import_export(lines)
        by_steps.import_export(lines)
        assert at_once.rollback(stream, version).steps == plan.steps
        for step in plan.steps:
            by_steps.revert(step.event_id)
        assert state(at_once) == state(by_steps)
    return True


def test_of_a_session() -> None:
    done = 0
    for number_of_sequence in range(20):
        rng = random.Random(number_of_sequence)
        with Journal.open("memory://") as journal:
            pair = Pair(journal, rng)
            pair.model.open()
            journal.sessions.open("s")
            for number in range(50):
                pair.step()
                done += number % 17 == 16 and check(journal, "session-s", of_session, rng)
    assert done


def test_of_a_conversation() -> None:
    done = 0
    for number_of_sequence in range(20):
        rng = random.Random(number_of_sequence)
        with Journal.open("memory://") as journal:
            begin(journal, rng.randrange(16))
            now = 0
            for number in range(40):
                if rng.random() < 0.7:
                    command = draw(rng)
                    now = max(0, now + command.passed)
                    give(journal, command, now)
                else:
                    with suppress(CommandRefused):
                        journal.revert(rng.choice(list(journal.read_stream("conversation-c"))[-8:]).id)
                done += number % 13 == 12 and check(journal, "conversation-c", of_conversation, rng)
    assert done


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_version_inside_one_act_leads_before_it(version: int, journal: Journal) -> None:
    for act in (register, seed, open_session, host, claim, claim_fragments, hand_over):
        act(journal)
    # Versions 3, 4 and 5 of the bundle are the upgrade that was committed with the hand-over.
    plan = journal.rollback("bundle-chat", version)
    assert [step.event_id for step in plan.steps] == [
        "session-s-1@5",
        "bundle-chat@5",
        "bundle-chat@4",
        "bundle-chat@3",
    ]
    assert (live(journal).owner, journal.bundles["chat"].members) == ("alice", ("x", "y"))
