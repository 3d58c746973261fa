"""The chain that ``why`` tells is enough and no more, after any sequence of commands and undoing, at any position."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import given, settings, strategies as st
from muniment.domain import RecordedEvent, session_stream
from muniment.domain.effects import SessionStatus
from muniment.domain.session.provenance import chain_of
from muniment.journal import Journal

from ..command_sequences import COMMANDS, SESSIONS, Command, Giver
from ..undo_sequences import UNDO_COMMANDS, UndoGiver
from .provenance_checker import Five, Story, not_minimal

EXAMPLES: Final = int(os.environ.get("MUNIMENT_TEST_PROVENANCE_EXAMPLES", "40"))
"""How many sequences are drawn; set the variable for more."""


@settings(max_examples=EXAMPLES, deadline=None)
@given(commands=UNDO_COMMANDS, data=st.data())
def test_after_undoing_the_chain_is_enough_and_minimal(commands: list[Command], data: st.DataObject) -> None:
    with Journal.open("memory://") as journal:
        giver = UndoGiver(journal)
        for command in commands:
            giver.give_any(command)
        check_somewhere(list(journal.read()), data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(commands=COMMANDS, data=st.data())
def test_after_commands_the_chain_is_enough_and_minimal(commands: list[Command], data: st.DataObject) -> None:
    with Journal.open("memory://") as journal:
        Giver(journal).give_all(commands)
        check_somewhere(list(journal.read()), data)


def check_somewhere(records: list[RecordedEvent], data: st.DataObject) -> None:
    for session_id in SESSIONS:
        story = Story(session_id, records)
        drawn = data.draw(st.sets(st.integers(1, len(records)), max_size=6))
        for position in {*drawn, len(records)}:
            check(story, records[:position])


def check(story: Story, past: list[RecordedEvent]) -> None:
    result, status = story.five[len(past)], story.statuses[len(past)]
    if status is SessionStatus.UNOPENED:
        return
    stream = session_stream(story.session_id)
    chain = chain_of(story.session_id, [record for record in past if record.stream == stream]).records
    assert story.problem(chain, result) == "", [f"{record.id} {record.type}" for record in chain]
    needless = not_minimal(story, chain, result)
    if needless and result == Five():
        # Nobody ever owned or held it; only its opening is told.
        assert (chain[-1].type, needless) == ("session.opened.v1", [chain[-1].id])
    else:
        assert needless == [], [f"{record.id} {record.type}" for record in chain]
