"""Whatever is undone in a conversation, undoing that gives back every part of its state; what is in the way is told."""

from __future__ import annotations

import os
import random
from dataclasses import fields
from typing import Any, Final

import pytest
from muniment.domain import CommandRefused, LaterEventDepends
from muniment.domain.conversation import ConversationState
from muniment.journal import Journal

from ..conversation_sequences import OPS, Command, begin, give

SEQUENCES: Final = int(os.environ.get("MUNIMENT_TEST_UNDO_SEQUENCES", "10"))
"""How many sequences are drawn; set the variable for more."""

COMMANDS: Final = 50
STREAM: Final = "conversation-c"

NEVER_AGAIN: Final = {"at", "prompted_at", "incarnation", "visits", "entered_at", "strangers", "reports", "reported"}
"""Counters and times that never come again, and what knocking is bounded by."""


def facts(state: ConversationState) -> dict[str, Any]:
    """Every part of a conversation's state, but for what never comes again."""
    of_state = {name: value for name, value in vars(state).items() if name != "situation"}
    of_situation = {field.name: getattr(state.situation, field.name) for field in fields(state.situation)}
    found = {name: value for name, value in (of_state | of_situation).items() if name not in NEVER_AGAIN}
    # A selection begins with what is approved then; in another phase the number says nothing.
    found["approved_at_selection"] = state.standing().approved_at_selection
    # A vote that cannot be cast any more, and the end of waiting for votes on nothing, are not given back.
    found["auto_votes"] = {
        number: vote
        for number, vote in state.auto_votes.items()
        if number in state.proposals and state.self_id not in state.votes[number]
    }
    found["timeouts"] = {number: end for number, end in state.timeouts.items() if number in state.proposals}
    return found


def folded(journal: Journal, through: int | None = None) -> ConversationState:
    state = ConversationState("c")
    for record in list(journal.read_stream(STREAM))[:through]:
        state.apply(record.event)
    return state


def draw(rng: random.Random) -> Command:
    passed = rng.choice([0, 0, 0, 1, 4, 5, 9, 10, 29, 30, 59, 60, 61, 400, -7])
    return Command(rng.choice(OPS), passed, rng.randint(1, 4), rng.randint(0, 6), rng.random() < 0.5)


def follow(journal: Journal, refusal: CommandRefused) -> None:
    """What is in the way can be undone, leads on to something later, or stays for good."""
    seen = 0
    while isinstance(refusal, LaterEventDepends):
        version = int(refusal.later_event_id.rpartition("@")[2])
        assert version > seen, f"{refusal} leads back"
        seen = version
        obstacles = journal.revert(refusal.later_event_id, dry_run=True).obstacles
        if not obstacles:
            assert not refusal.stays
            return
        refusal = obstacles[0]


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_undoing_an_undo_gives_back_all_that_was_there(seed: int) -> None:
    rng = random.Random(seed)
    undone = 0
    with Journal.open("memory://") as journal:
        begin(journal, rng.randrange(16))
        now = 0
        for _ in range(COMMANDS):
            if rng.random() < 0.6:
                command = draw(rng)
                now = max(0, now + command.passed)
                give(journal, command, now)
                continue
            records = list(journal.read_stream(STREAM))
            version, was = len(records), facts(folded(journal))
            target = rng.choice(records[-8:])
            try:
                plan = journal.revert(target.id)
            except CommandRefused as refusal:
                assert facts(folded(journal)) == was
                follow(journal, refusal)
                continue
            undone += 1
            is_first = len(plan.steps) == 1 and target.version == version
            if is_first and target.metadata.compensates is None:
                assert facts(folded(journal)) == facts(folded(journal, version - 1))
            happened = facts(folded(journal))
            journal.rollback(STREAM, version)
            assert facts(folded(journal)) == was
            journal.rollback(STREAM, version + len(plan.steps))
            assert facts(folded(journal)) == happened
            if rng.random() < 0.5:
                journal.rollback(STREAM, version)
                assert facts(folded(journal)) == was
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}
