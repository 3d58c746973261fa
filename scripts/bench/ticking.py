"""What the benchmark measures of time going by: a tick over many conversations in which nothing is due."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from muniment.domain import Accepted, ConversationConfig, ProposalRequest, conversation, conversation_stream
from muniment.domain.conversation import ConversationState, Role
from muniment.journal import Journal
from muniment.scripts.bench.reading import seconds
from muniment.scripts.places import Place

DEADLINES: Final = 3
"""How many deadlines each conversation has."""

ALL_AT_ONCE: Final = "tick of all, nothing due"
ONE_BY_ONE: Final = "tick of each in turn, nothing due"
WAKE_UP: Final = "next_wakeup of all"
ONE_DUE: Final = "tick of all, one deadline due"

_REQUEST: Final = ProposalRequest.add_member("dave")
_DELAY_MS: Final = 1_000_000_000


def ticks(place: Place, counts: Iterable[int]) -> dict[int, dict[str, float]]:
    """Microseconds of a tick in a journal of so many conversations with three deadlines each."""
    return {count: _ticks(place, count) for count in counts}


def _ticks(place: Place, count: int) -> dict[str, float]:
    with place() as url, Journal.open(url, synchronous="NORMAL") as journal:
        for number in range(count):
            # From 1 000 ms on, a vote is due every ms, in one conversation after the other.
            journal.execute(conversation_stream(f"c-{number}"), _with_deadlines, 1_000 + number)
        journal.catch_up()
        if len(journal.deadlines) != count * DEADLINES or journal.conversations.tick(999):
            raise AssertionError("something is due, or deadlines are missing")
        measured = {
            ALL_AT_ONCE: seconds(lambda: journal.conversations.tick(999), 200),
            WAKE_UP: seconds(lambda: journal.conversations.next_wakeup(999), 200),
            ONE_BY_ONE: seconds(lambda: [journal.conversations.tick(999, f"c-{each}") for each in range(count)], 1),
        }
        due = iter(range(1_000, 1_000 + count))
        measured[ONE_DUE] = seconds(lambda: journal.conversations.tick(next(due)), min(count, 100))
        return {what: took * 1e6 for what, took in measured.items()}


def _with_deadlines(state: ConversationState, first_ms: int) -> Accepted[None]:
    """Create a conversation with a vote that is due then, and another vote and a timeout that are due much later."""
    moved, events = state.copy(), list[Any]()
    commands: tuple[tuple[Any, ...], ...] = (
        (conversation.open_conversation, Role.CREATOR, "alice", ConversationConfig()),
        *((conversation.receive_proposal, number, _REQUEST, "bob", 3, None, None) for number in range(2)),
        (conversation.schedule_auto_vote, 0, True, first_ms),
        (conversation.schedule_auto_vote, 1, True, _DELAY_MS),
        (conversation.schedule_timeout, 1, _DELAY_MS),
    )
    for command, *arguments in commands:
        for event in command(moved, *arguments, now=0).events:
            moved.apply(event)
            events.append(event)
    return Accepted(None, tuple(events))
