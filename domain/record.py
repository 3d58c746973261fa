"""A recorded event: what happened, where in the journal it stands, when and on whose behalf it was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field, StringConstraints

from .artifacts import Counter
from .bounds import MAX_EVENT_ID_LENGTH
from .event import Event
from .identifiers import Identifier, is_storable_text

UNRECORDED: Final = 0
"""The position of an event that is not written yet; recorded positions begin at 1."""

EventIds = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=MAX_EVENT_ID_LENGTH)], ...], Field(max_length=16)
]
"""Ids of events, as metadata holds them."""


def split_event_id(event_id: str) -> tuple[str, int] | None:
    """The stream and version that an event's id names; None if it is no id, or holds what no database can."""
    if type(event_id) is not str:
        return None
    stream, _, version = event_id.rpartition("@")
    if not is_storable_text(stream):
        return None
    if not stream or not version.isascii() or not version.isdecimal() or version.startswith("0") or len(version) > 18:
        return None
    return stream, int(version)


@dataclass(frozen=True)
class Metadata:
    """The circumstances of a record. What is absent is not stored.

    Built without checks, once for every event that is appended; what comes from a row is checked when it is decoded.

    Attributes:
        recorded_at: when it was recorded, UTC, in ms since 1970; never lower than the stream's last.
        actor: on whose behalf.
        correlation_id: the conversation or request that it belongs to.
        causation_id: what caused it: another event's id, or a message's.
        idempotency_key: the key that the command came under.
        command: with an idempotency key, the command's name and short digests of its streams and arguments.
        tick: the embedding runtime's own logical clock.
        compensates: ids of the events that this one compensates.
        saga: the saga that it was appended in.
        policy: the name of the policy that it was decided under; absent if that is the strict one.
    """

    recorded_at: Counter
    actor: Identifier | None = None
    correlation_id: Identifier | None = None
    causation_id: Identifier | None = None
    idempotency_key: Identifier | None = None
    command: Identifier | None = None
    tick: Counter | None = None
    compensates: EventIds | None = None
    saga: Identifier | None = None
    policy: Identifier | None = None

    @classmethod
    def of(cls, present: dict[str, Any]) -> Metadata:
        """Build one from what is present alone, which most often is little; the class has the defaults."""
        made = object.__new__(cls)
        # A frozen instance is filled past its own attribute setter, and all at once.
        object.__setattr__(made, "__dict__", present)
        return made

    def present(self) -> dict[str, Any]:
        """What is not absent, by name."""
        return {name: value for name, value in self.__dict__.items() if value is not None}


class RecordedEvent(NamedTuple):
    """One record of the journal.

    Attributes:
        position: where it stands in the journal, from 1, without gaps.
        stream: which stream it belongs to, such as ``session-s-42``.
        version: where it stands in its stream, from 1.
        event: what happened.
        metadata: when, and on whose behalf.
    """

    position: int
    stream: str
    version: int
    event: Event[Any]
    metadata: Metadata

    @property
    def id(self) -> str:
        """The record's stable name, ``<stream>@<version>``; valid as a CloudEvents ``id``."""
        return f"{self.stream}@{self.version}"

    @property
    def type(self) -> str:
        """The event's type name."""
        return self.event.type

    @property
    def originator_id(self) -> str:
        """The stream, under the name that the ``eventsourcing`` library uses."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, under the name that the ``eventsourcing`` library uses."""
        return self.version
