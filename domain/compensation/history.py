"""One stream's past: what was undone and done again in it, what depends on what, and how it stood before any event."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ..bundle import UpgradeEvent
from ..event import Event
from ..inbox import EnvelopePut, TypeAdvanced
from ..record import RecordedEvent
from ..states import new_state
from .rules import has_ended, stands_on


class StreamHistory:
    """A stream's records, and the state that they add up to.

    An event, the event that undid it, the event that undid that one, and so on, are a *chain*. What the first of them
    did holds while the chain has an odd number of events, and it is the last of them that is undone next.

    Args:
        stream: the stream's name.
        records: all of them, from version 1.

    Attributes:
        state: the state now; undoing moves it on.
        version: the last version.
        recorded_at: when the last event was recorded, in ms.
        upgrades: of a bundle's stream, the phases of each upgrade as they were reached the first time.
    """

    def __init__(self, stream: str, records: list[RecordedEvent]) -> None:
        self._records = records
        self._remaining: list[RecordedEvent] = records
        self.stream = stream
        self.version = records[-1].version if records else 0
        self.recorded_at = records[-1].metadata.recorded_at if records else 0
        self.upgrades: dict[str, list[RecordedEvent]] = {}
        self._chains: dict[str, list[RecordedEvent]] = {}
        self.state: Any = new_state(stream)
        for record in records:
            undone = (record.metadata.compensates or ("",))[0]
            chain = self._chains.get(undone, [])
            chain.append(record)
            self._chains[record.id] = chain
            self.state.apply(record.event)
            if isinstance(record.event, UpgradeEvent) and record.metadata.compensates is None:
                self.upgrades.setdefault(record.event.artifact.upgrade_id, []).append(record)

    def chain(self, record: RecordedEvent) -> list[RecordedEvent]:
        """The chain that an event of this stream belongs to, oldest first."""
        return self._chains[record.id]

    def is_undone(self, record: RecordedEvent) -> bool:
        """Whether what an event did does not hold any more."""
        chain = self.chain(record)
        return (len(chain) - chain.index(record)) % 2 == 0

    def standing_before(self, versions: Collection[int]) -> dict[int, Any]:
        """Where the stream stood before each of these versions."""
        found: dict[int, Any] = {}
        state = new_state(self.stream)
        for record in self._records:
            if record.version in versions:
                found[record.version] = state.standing(is_brief=True)
            state.apply(record.event)
        return found

    def set_aside(self, ids: Collection[str]) -> None:
        """Ignore events that are undone together, or cancel each other out."""
        self._remaining = [record for record in self._remaining if record.id not in ids]

    def latest_that_stands_on(self, record: RecordedEvent) -> RecordedEvent | None:
        """The latest event that depends on one of this stream; see ``all_that_stand_on``."""
        return next(self.all_that_stand_on(record), None)

    def all_that_stand_on(self, record: RecordedEvent) -> Iterator[RecordedEvent]:
        """The events that depend on one of this stream, newest first.

        Events that were undone, that have ended by themselves, or that were set aside are passed over.
        """
        later: RecordedEvent
        for later in reversed(self._remaining):
            if later.version <= record.version:
                return
            stands = self._made_a_difference(later, record) and stands_on(later.event, record.event)
            if stands and not has_ended(later.event, self.state):
                yield later

    def latest_put(self, incarnation: int) -> RecordedEvent | None:
        """Of an inbox's stream, the last envelope for an incarnation, or step of its types, that was not undone."""
        return next(self.all_put(incarnation), None)

    def all_put(self, incarnation: int) -> Iterator[RecordedEvent]:
        """The same, all of them, newest first."""
        record: RecordedEvent
        for record in reversed(self._remaining):
            event = record.event
            if _incarnation(event) == incarnation and not self.is_undone(record):
                yield record

    def _made_a_difference(self, later: RecordedEvent, record: RecordedEvent) -> bool:
        """Whether an event ends its chain, and the chain's events since ``record`` do not cancel each other out."""
        chain = self.chain(later)
        since = sum(each.version > record.version for each in chain)
        return later is chain[-1] and since % 2 == 1


def _incarnation(event: Event[Any]) -> int | None:
    """The incarnation that an envelope was put in for, or whose types took a step."""
    if isinstance(event, TypeAdvanced):
        return event.advance.incarnation
    return event.incarnation if isinstance(event, EnvelopePut) else None
