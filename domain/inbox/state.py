"""What the events of an inbox add up to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..bounds import MAX_REMEMBERED_NAMES
from ..event import Event
from ..value import json_size, to_json
from . import events
from .values import Envelope, Selection, Unread


@dataclass(frozen=True, slots=True)
class InboxStanding:
    """Where an inbox stands.

    Attributes:
        unread: the envelopes that were not acknowledged.
        taken_by: for each of them, the generation that took it, or None.
    """

    unread: tuple[Envelope, ...]
    taken_by: tuple[int | None, ...]


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
    """

    __slots__ = ("acknowledged", "incarnation", "last", "names", "session_id", "size", "taken", "unread")

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.incarnation = 0
        self.last = 0
        self.unread: dict[int, Envelope] = {}
        self.taken: dict[int, int] = {}
        self.acknowledged = 0
        self.size = 0
        self.names: dict[str, tuple[int, bytes]] = {}

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def standing(self, *, is_brief: bool = False) -> InboxStanding:
        """Where it stands now."""
        return InboxStanding(tuple(self.unread.values()), tuple(map(self.taken.get, self.unread)))

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
        if event.incarnation != self.incarnation:
            self.incarnation = event.incarnation
            self.acknowledged = 0
            self._drop(tuple(self.unread))
            self.names.clear()
        self.last = event.number
        self.unread[event.number] = event.envelope
        self.size += json_size(event.envelope)
        if event.envelope.name is not None:
            self.names[event.envelope.name] = (event.number, digest_of(event.envelope))
            if len(self.names) > MAX_REMEMBERED_NAMES:
                # The oldest that is over: one that is unread is a duplicate whenever it comes again.
                del self.names[next(name for name, (number, _) in self.names.items() if number not in self.unread)]

    def _on_taken(self, event: events.EnvelopeTaken) -> None:
        self.taken[event.number] = event.capability.generation

    def _on_acknowledged(self, event: events.EnvelopeAcknowledged) -> None:
        self.acknowledged += 1
        self._drop((event.number,))

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

    def _on_lost(self, event: events.EnvelopesLost) -> None:
        self._drop(event.numbers)

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            envelope = self.unread.pop(number, None)
            self.taken.pop(number, None)
            if envelope is not None:
                self.size -= json_size(envelope)


def digest_of(envelope: Envelope) -> bytes:
    """What tells an envelope from others of the same name; the order of names in its payload does not."""
    return hashlib.sha256(json.dumps(json.loads(to_json(envelope)), sort_keys=True).encode()).digest()


_HANDLERS: dict[type[Event[Any]], Callable[[InboxState, Any], None]] = {
    events.EnvelopePut: InboxState._on_put,
    events.EnvelopeTaken: InboxState._on_taken,
    events.EnvelopeAcknowledged: InboxState._on_acknowledged,
    events.EnvelopesGivenBack: InboxState._on_given_back,
    events.TakingWithdrawn: InboxState._on_taking_withdrawn,
    events.EnvelopeWithdrawn: InboxState._on_withdrawn,
    events.EnvelopesLost: InboxState._on_lost,
}
