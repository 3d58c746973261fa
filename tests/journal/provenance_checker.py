"""Whether a chain of events is enough to make a session's owner and holder what they are: all of it decided again.

Nothing here knows how a chain is found. Each event is decided by the domain's own functions on the state that the
chain before it made. That state has the counters of the journal, since numbers are never given twice; bundles are as
that event found them. The owner and holder must come about again, and every event must come out as it is on record,
but for what it carries of other things.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from muniment.domain import CommandRefused, Event, InvalidInput, Policy, RecordedEvent, session_stream
from muniment.domain.circumstances import Circumstances
from muniment.domain.compensation import RULES
from muniment.domain.redecision import again
from muniment.domain.session.state import SessionState
from muniment.domain.states import new_state

COUNTERS = ("incarnation", "generation", "claims", "witnesses", "delegations")

CARRIED = (
    *("voided", "moved_fragments", "released_fragments", "restored_fragments", "fragments", "cleared"),
    *("ending", "counts"),
)
"""What an event carries of other things: witnesses, fragments, authorities that had it before, numbers."""


class Five(NamedTuple):
    """What a chain must lead to."""

    owner: Any = None
    generation: Any = None
    scope: Any = None
    holder: Any = None
    holds: Any = None


def five(state: SessionState) -> Five:
    live, holder = state.live, state.holder
    holds = None if holder is None else state.footprint[holder]
    return Five(live and live.owner, live and live.generation, live and live.scope, holder, holds)


class Found(NamedTuple):
    """What an event found in the journal: the counters of its session, the bundles, and the event right before it."""

    counters: dict[str, int]
    bundles: dict[str, Any]
    previous: Event[Any] | None


class Story:
    """All that happened in a journal, with what every event of one session found.

    Attributes:
        found: what each event of the session found, by its id.
        five: what there was after each position.
        statuses: how the session stood after each position.
    """

    def __init__(self, session_id: str, records: Sequence[RecordedEvent]) -> None:
        self.session_id = session_id
        self.stream = session_stream(session_id)
        self._events = {record.id: record.event for record in records}
        self.found: dict[str, Found] = {}
        self.five: list[Five] = [Five()]
        self.statuses: list[Any] = ["unopened"]
        state, bundles, previous = SessionState(session_id), {}, None  # type: ignore[var-annotated]
        for record in records:
            if record.stream == self.stream:
                counters = {name: getattr(state, name) for name in COUNTERS}
                self.found[record.id] = Found(counters, {k: copy.deepcopy(v) for k, v in bundles.items()}, previous)
                state.apply(record.event)
            elif record.stream.startswith("bundle-"):
                bundles.setdefault(record.stream, new_state(record.stream)).apply(record.event)
            previous = record.event
            self.five.append(five(state))
            self.statuses.append(state.status)

    def problem(self, chain: Iterable[RecordedEvent], result: Five) -> str:
        """Why a chain does not lead to a result; empty if it does."""
        state = SessionState(self.session_id)
        standings: dict[str, Any] = {}
        for record in chain:
            standings[record.id] = state.standing()
            for name, value in self.found[record.id].counters.items():
                setattr(state, name, value)
            try:
                made = self._decided(record, state, standings)
            except (CommandRefused, InvalidInput) as refusal:
                return f"{record.id} ({record.type}) is refused: {refusal!r}"
            like = [event for event in made if _essence(event) == _essence(record.event)]
            if not like:
                return f"{record.id} comes out otherwise: {record.event!r}, not {made!r}"
            state.apply(like[0])
        reached = five(state)
        return "" if reached == result else f"leads to {reached}, not {result}"

    def _decided(self, record: RecordedEvent, state: SessionState, standings: dict[str, Any]) -> tuple[Event[Any], ...]:
        about = record.metadata
        if about.compensates is not None:
            (undone,) = about.compensates
            if undone not in standings:
                return ()
            compensate = RULES[type(self._events[undone])].compensate
            assert compensate is not None
            made = compensate(self._events[undone], standings[undone], state)
            return () if made is None else (made,)
        found, decide = self.found[record.id], again(record.event)
        assert decide is not None
        circumstances = Circumstances(
            Policy.named(about.policy),
            lambda stream: found.bundles.get(stream) or new_state(stream),
            found.previous,
        )
        return decide(state, record.event, circumstances).events


def not_minimal(story: Story, chain: Sequence[RecordedEvent], result: Five) -> list[str]:
    """The events without which the others lead to the same."""
    return [
        record.id
        for index, record in enumerate(chain)
        if not story.problem([*chain[:index], *chain[index + 1 :]], result)
    ]


def _essence(value: Any) -> Any:
    """An event without what it carries of other things."""
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kept = [field.name for field in fields(value) if field.name not in CARRIED]
    return (type(value), *((name, _essence(getattr(value, name))) for name in kept))
