"""Random journals of every kind of event, and how their tables stood at any position."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from hypothesis import strategies as st
from muniment.domain import Envelope
from muniment.journal import Journal, Projections

from . import conversation_sequences
from .command_sequences import COMMANDS, Command
from .undo_sequences import UNDO_COMMANDS, UndoGiver

Fill = Callable[[Journal, Any], None]


def _of_sessions(journal: Journal, commands: list[Command]) -> None:
    giver = UndoGiver(journal)
    for number, command in enumerate(commands):
        giver.give_any(command)
        live = journal.sessions.state("s-0").capability
        if number % 5 == 0 and live is not None:
            journal.inbox.put("s-0", Envelope("bob", "alice", "chat", b"x" * number))
            if number % 2 and (taken := journal.inbox.take(live)) is not None:
                journal.inbox.acknowledge(live, taken.number)


def _of_conversations(journal: Journal, commands: list[conversation_sequences.Command]) -> None:
    conversation_sequences.begin(journal, 5)
    now = 0
    for command in commands:
        now += command.passed
        conversation_sequences.give(journal, command, max(now, 0))


FILLINGS: st.SearchStrategy[tuple[Fill, Any]] = st.one_of(
    st.tuples(st.just(_of_sessions), UNDO_COMMANDS),
    st.tuples(st.just(_of_sessions), COMMANDS),
    st.tuples(st.just(_of_conversations), conversation_sequences.COMMANDS),
)
"""What fills a journal, and the commands that it is filled by."""


def fill(journal: Journal, filling: tuple[Fill, Any]) -> int:
    """Fill a journal; return its last position."""
    give, commands = filling
    give(journal, commands)
    return journal.head()


def prefix(journal: Journal, position: int) -> Journal:
    """A journal of the events up to a position, and no others."""
    made = Journal.open("memory://")
    made.import_export(islice(journal.export(), position), unmarked=True)
    return made


def stored(tables: Projections) -> dict[str, dict[Any, tuple[dict[str, Any], int]]]:
    """Every table as it is stored, by name: the columns of each row, and since when they hold."""
    names = tables._projector.tables
    return {name: {key: tuple(row) for key, row in _stored(tables, name).items()} for name in names}


def values(tables: Projections) -> dict[str, dict[Any, dict[str, Any]]]:
    """The same without since when."""
    return {name: {key: row[0] for key, row in rows.items()} for name, rows in stored(tables).items()}


def named(tables: Projections) -> dict[str, dict[Any, Any]]:
    """Every table by its name, as its view tells it."""
    return {name: dict(table.items()) for name, table in tables.tables.items()}


def _stored(tables: Projections, name: str) -> Any:
    from muniment.projections import StoredTable

    projection, table = tables._projector.tables[name]
    return StoredTable(projection, table, tables._store, tables._projector, tables.position)
