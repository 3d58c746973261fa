"""What the events of an inbox add up to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..bounds import MAX_REMEMBERED_NAMES
from ..event import Event
from ..protocol.advance import TypeAdvance
from ..value import json_size, to_json
from . import events
from .values import Envelope, Selection, Unread


@dataclass(frozen=True, slots=True)
class InboxStanding:
    """Where an inbox stands.

    Attributes:
        unread: the envelopes that were not acknowledged.
        taken_by: for each of them, the generation that took it, or None.
        types: the state of the local type of each role that took a step.
    """

    unread: tuple[Envelope, ...]
    taken_by: tuple[int | None, ...]
    types: Mapping[str, int]


class InboxState:
    """The inbox of one session, folded from its events. Only ``apply`` changes it, and decisions only read it.

    Attributes:
        session_id: the session.
        incarnation: the incarnation that the last envelope was for.
        last: the number of the last envelope, of all incarnations.
        unread: the envelopes that were not acknowledged, by number.
        taken: which generation took which of them, by number.
        acknowledged: how many envelopes of this incarnation were acknowledged.
        size: how many bytes of JSON the unread envelopes take.
        names: of the named envelopes, the number and a digest of each, by name.
        last_steps: the number of the last step that each role ever took in this incarnation.
        standings: of each role that took a step, the state of its local type, and the step that led there.
        queued: how many envelopes were put along each edge in this incarnation, by sender and receiver.
    """

    __slots__ = (
        "acknowledged",
        "incarnation",
        "last",
        "last_steps",
        "names",
        "queued",
        "session_id",
        "size",
        "standings",
        "taken",
        "unread",
    )

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.incarnation = 0
        self.last = 0
        self.unread: dict[int, Envelope] = {}
        self.taken: dict[int, int] = {}
        self.acknowledged = 0
        self.size = 0
        self.names: dict[str, tuple[int, bytes]] = {}
        self.last_steps: dict[str, int] = {}
        self.standings: dict[str, tuple[int, int]] = {}
        self.queued: dict[tuple[str, str], int] = {}

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def standing(self, *, is_brief: bool = False) -> InboxStanding:
        """Where it stands now."""
        types = {role: state for role, (state, _) in self.standings.items()}
        return InboxStanding(tuple(self.unread.values()), tuple(map(self.taken.get, self.unread)), types)

    def deliverable(self, generation: int, wanted: Selection) -> tuple[int, Envelope] | None:
        """The first envelope that a generation may take, with its number; None if there is none."""
        for number, envelope in self.unread.items():
            taken_by = self.taken.get(number)
            if (taken_by is None or taken_by < generation) and wanted.matches(envelope):
                return number, envelope
        return None

    def all_unread(self) -> Iterator[Unread]:
        """A copy of every envelope that was not acknowledged, in order."""
        for number, envelope in self.unread.items():
            yield Unread(number, envelope, self.taken.get(number))

    def _on_put(self, event: events.EnvelopePut) -> None:
        self._enter(event.incarnation)
        self.last = event.number
        self.unread[event.number] = event.envelope
        self.size += json_size(event.envelope)
        if event.envelope.name is not None:
            self.names[event.envelope.name] = (event.number, envelope_digest(event.envelope))
            if len(self.names) > MAX_REMEMBERED_NAMES:
                # The oldest that is over: one that is unread is a duplicate whenever it comes again.
                over = (name for name, (number, _) in self.names.items() if number not in self.unread)
                self.names.pop(next(over, ""), None)
        if (edge := event.envelope.edge) is not None:
            self.queued[edge.sender, edge.receiver] = self.queued.get((edge.sender, edge.receiver), 0) + 1
        self._step(event.advance)

    def _on_taken(self, event: events.EnvelopeTaken) -> None:
        self.taken[event.number] = event.capability.generation

    def _on_acknowledged(self, event: events.EnvelopeAcknowledged) -> None:
        self.acknowledged += 1
        self._drop((event.number,))
        self._step(event.advance)

    def _on_given_back(self, event: events.EnvelopesGivenBack) -> None:
        for number in event.numbers:
            self.taken.pop(number, None)

    def _on_taking_withdrawn(self, event: events.TakingWithdrawn) -> None:
        self.taken.pop(event.number, None)

    def _on_withdrawn(self, event: events.EnvelopeWithdrawn) -> None:
        name = event.envelope.name
        if name is not None and self.names.get(name, (0,))[0] == event.number:
            del self.names[name]
        self._drop((event.number,))
        self._step_back(event.undone)

    def _on_lost(self, event: events.EnvelopesLost) -> None:
        self._drop(event.numbers)

    def _on_advanced(self, event: events.TypeAdvanced) -> None:
        self._enter(event.advance.incarnation)
        self._step(event.advance)

    def _on_restored(self, event: events.TypeRestored) -> None:
        self._step_back(event.undone)

    def _enter(self, incarnation: int) -> None:
        """Forget what was of the incarnation before."""
        if incarnation != self.incarnation:
            self.incarnation = incarnation
            self.acknowledged = 0
            self._drop(tuple(self.unread))
            for each in (self.names, self.last_steps, self.standings, self.queued):
                each.clear()

    def _step(self, advance: TypeAdvance | None) -> None:
        if advance is not None:
            self.last_steps[advance.role] = advance.number
            self.standings[advance.role] = advance.state, advance.number

    def _step_back(self, undone: TypeAdvance | None) -> None:
        if undone is None:
            return
        if undone.previous:
            self.standings[undone.role] = undone.state_before, undone.previous
        else:
            self.standings.pop(undone.role, None)

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            envelope = self.unread.pop(number, None)
            self.taken.pop(number, None)
            if envelope is not None:
                self.size -= json_size(envelope)


def envelope_digest(envelope: Envelope) -> bytes:
    """The SHA-256 of an envelope, which tells it from others; the order of names in its payload does not matter."""
    return hashlib.sha256(json.dumps(json.loads(to_json(envelope)), sort_keys=True).encode()).digest()


_HANDLERS: dict[type[Event[Any]], Callable[[InboxState, Any], None]] = {
    events.EnvelopePut: InboxState._on_put,
    events.EnvelopeTaken: InboxState._on_taken,
    events.EnvelopeAcknowledged: InboxState._on_acknowledged,
    events.EnvelopesGivenBack: InboxState._on_given_back,
    events.TakingWithdrawn: InboxState._on_taking_withdrawn,
    events.EnvelopeWithdrawn: InboxState._on_withdrawn,
    events.EnvelopesLost: InboxState._on_lost,
    events.TypeAdvanced: InboxState._on_advanced,
    events.TypeRestored: InboxState._on_restored,
}
