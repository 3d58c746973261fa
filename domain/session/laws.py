"""The laws on owning a session, judged from its events alone, without deciding anything again (laws 2, 3, 5, 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..artifacts import OwnershipCapability
from ..bounds import MAX_RECORDED_REFUSALS
from ..effects import SessionStatus
from ..event import Event
from ..policy import Policy
from ..record import RecordedEvent
from ..stream_names import split_stream
from . import delegation_events, edge_events, events, ingress_events, life_events, restoration_events

_SHOWN: Final[Mapping[type[Event[Any]], str]] = {
    events.OwnershipReleased: "capability",
    events.OwnershipTransferred: "previous",
    events.ScopeAttenuated: "previous",
    events.TransferCommitted: "previous",
    events.OwnerDied: "capability",
    events.TransferAbandoned: "capability",
    events.TransferCommitFailed: "capability",
    events.SessionClosed: "capability",
    life_events.SessionStarted: "capability",
    life_events.SessionDrained: "capability",
    life_events.SessionEnded: "capability",
    edge_events.HandlerSet: "capability",
    edge_events.TraceSet: "capability",
    ingress_events.IngressAccepted: "capability",
    ingress_events.RoundRecorded: "capability",
    delegation_events.SessionHandedOver: "previous",
    delegation_events.FragmentsClaimed: "capability",
    delegation_events.FragmentsMoved: "capability",
    delegation_events.FragmentsReleased: "capability",
    restoration_events.OwnershipRestored: "previous",
    restoration_events.HandOverReverted: "previous",
}
"""Where an event says what was live right before it."""

_NARROWS: Final = (
    events.OwnershipTransferred,
    events.ScopeAttenuated,
    events.TransferCommitted,
    delegation_events.SessionHandedOver,
)
"""The events that pass a scope on; what compensates gives back what was there before."""

_OPENINGS: Final = (events.SessionOpened, restoration_events.OpeningWithdrawn)


class OwnershipLaws:
    """What has to be remembered of every session to tell whether its next event breaks a law."""

    def __init__(self) -> None:
        self._live: dict[str, OwnershipCapability] = {}
        self._statuses: dict[str, SessionStatus] = {}
        self._refusals: dict[str, int] = {}
        self._refused: dict[str, set[bytes]] = {}

    def broken_by(self, record: RecordedEvent) -> Iterator[str]:
        """Say which laws an event breaks; every event is shown once, in order."""
        if split_stream(record.stream)[0] != "session":
            return
        if isinstance(record.event, events.Rejection):
            yield from self._refusal(record.stream, record.event)
            return
        self._refused.pop(record.stream, None)
        yield from self._shown(record)
        yield from self._scope(record)
        yield from self._status(record)

    def _shown(self, record: RecordedEvent) -> Iterator[str]:
        attribute, live = _SHOWN.get(type(record.event)), self._live.get(record.stream)
        shown = live if attribute is None else getattr(record.event, attribute)
        if shown != live:
            yield f"law 2: {record.id} is done under {_told(shown)}, and {_told(live)} is live"

    def _scope(self, record: RecordedEvent) -> Iterator[str]:
        event: Any = record.event
        if not isinstance(event, _NARROWS) or Policy.named(record.metadata.policy).scope_may_widen:
            return
        if not event.previous.scope.includes(event.capability.scope):
            yield f"law 3: {record.id} widens the scope from {event.previous.scope} to {event.capability.scope}"

    def _status(self, record: RecordedEvent) -> Iterator[str]:
        effects, stream = record.event.effects, record.stream
        if effects is None:
            return
        status = self._statuses.get(stream, SessionStatus.UNOPENED)
        changes = effects.capability is not None or effects.ends_ownership or effects.status is not None
        if status.is_finished and changes and not isinstance(record.event, _OPENINGS):
            yield f"law 5: {record.id} changes a session that is {status}"
        if effects.status is not None:
            self._statuses[stream] = effects.status
        if effects.ends_ownership:
            self._live.pop(stream, None)
        if effects.capability is not None:
            self._live[stream] = effects.capability

    def _refusal(self, stream: str, event: events.Rejection) -> Iterator[str]:
        count = self._refusals[stream] = self._refusals.get(stream, 0) + 1
        if count > MAX_RECORDED_REFUSALS:
            yield f"law 6: {stream} records {count} refusals, and may record {MAX_RECORDED_REFUSALS}"
        refused, key = self._refused.setdefault(stream, set()), event.key()
        if key in refused:
            yield f"law 6: {stream} records the same refusal twice, with nothing in between"
        refused.add(key)


def _told(capability: OwnershipCapability | None) -> str:
    return "nothing" if capability is None else f"generation {capability.generation} of {capability.owner}"
