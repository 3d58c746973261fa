"""What a decision is looked at for, what it depends on, and what it moves forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ...domain import Accepted, CommandRefused, Decision, Event, InvalidArgument, RecordedEvent, Refused
from ...domain.condition import Condition, Unchanged
from ...domain.shown import shown
from ...domain.value import exact
from .streams import Stream

ResultT = TypeVar("ResultT")


def require_decision(decision: object, streams: Sequence[Stream[Any]], *, is_trusted: bool) -> None:
    """A command is its author's; what it decides is looked at before it is written."""
    if type(decision) is not Accepted and type(decision) is not Refused:
        raise InvalidArgument("command", f"must return Accepted or Refused, not {shown(decision)}")
    given: Decision[Any] = decision
    if type(given.events) is not tuple or type(given.placed) is not tuple:
        raise InvalidArgument("command", "must decide for tuples of events")
    events = (*given.events, *(each.event for each in given.placed)) if given.placed else given.events
    for event in events:
        if not issubclass(type(event), Event):
            raise InvalidArgument("command", f"must decide for events, not {shown(event)}")
        if not is_trusted:
            # It may have been built past its checks.
            exact("event", event, type(event))
    if given.placed and not {each.stream for each in given.placed} <= {stream.name for stream in streams}:
        raise InvalidArgument("command", "must place events in the streams that it is decided on")


def accepted(
    streams: Sequence[Stream[Any]], command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]
) -> Decision[ResultT] | None:
    """The decision on the states as they are known here, if it is for the command and appends something."""
    try:
        decision = command(*[stream.state for stream in streams], *arguments)
    except CommandRefused:
        return None
    return decision if isinstance(decision, Accepted) and (decision.events or decision.placed) else None


def conditions(streams: Sequence[Stream[Any]], records: Sequence[RecordedEvent]) -> list[Condition]:
    """What the decision depends on beside the streams that it appends to."""
    if _only_own(streams, records):
        return []
    appended = {record.stream for record in records}
    return [Unchanged(stream.name, stream.version) for stream in set(streams) if stream.name not in appended]


def advance(streams: Sequence[Stream[Any]], records: Sequence[RecordedEvent]) -> None:
    """Have the streams take in what was appended to them."""
    if _only_own(streams, records):
        streams[0].advance(records)
        return
    for stream in set(streams):
        stream.advance(record for record in records if record.stream == stream.name)


def _only_own(streams: Sequence[Stream[Any]], records: Sequence[RecordedEvent]) -> bool:
    """Whether all goes to the one stream that was decided on, as most often it does."""
    return len(streams) == 1 and records[-1].stream == streams[0].name
