"""What is put into an inbox, and what is taken from it (aura 1.2, ``TransportEnvelope``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic.dataclasses import dataclass

from ..artifacts import Counter
from ..bounds import MAX_ENVELOPE_METADATA
from ..content import Content
from ..errors.input import InvalidArgument
from ..identifiers import Identifier, Text
from ..protocol.edges import Edge
from ..value import VALUE, value_type


def _to_pairs(value: Any) -> Any:
    given = tuple(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(given, tuple) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in given):
        return given
    if len({name for name, _ in given}) < len(given):
        raise ValueError("every name must stand once")
    # In one order, whichever they were given or stored in.
    return tuple(sorted(given))


EnvelopeMetadata: TypeAlias = Annotated[
    tuple[tuple[Identifier, Text], ...],
    Field(max_length=MAX_ENVELOPE_METADATA),
    BeforeValidator(_to_pairs),
    PlainSerializer(dict),
]
"""Names and texts: at most 64. A dictionary is taken too, and is kept as sorted pairs."""


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Envelope:
    """A message for a session.

    Attributes:
        destination: the authority that it is for.
        source: the authority that it comes from.
        context: the context that it belongs to.
        payload: what it says: bytes or JSON, at most 64 KiB.
        metadata: what else is said of it; at most 64 names with a text each.
        device: the device that it is for; None if it is for any.
        name: a name of its own, under which it is put once, however often it is sent; None if it has none.
        edge: the edge that it goes along, which takes a step of its sender's type; None if it goes along none.
        label: what the message is called there; None without an edge.
        value_type: the type of the value that it carries there; None if it carries none.
    """

    destination: Identifier
    source: Identifier
    context: Identifier
    payload: Content
    metadata: EnvelopeMetadata = ()
    device: Identifier | None = None
    name: Identifier | None = None
    edge: Edge | None = None
    label: Identifier | None = None
    value_type: Identifier | None = None

    def __post_init__(self) -> None:
        if (self.edge is None) != (self.label is None):
            raise InvalidArgument("label", "of Envelope must be given with an edge, and with no envelope without one")
        if self.edge is None and self.value_type is not None:
            raise InvalidArgument("value_type", "of Envelope must be given with an edge and a label")


@plain_dataclass(frozen=True, slots=True)
class Selection:
    """Which envelopes a consumer wants (aura 2.8). What is None makes no difference.

    Attributes:
        source: the authority that they come from.
        context: the context that they belong to.
        authority: the authority that takes them.
        device: the device that takes them.
    """

    source: str | None = None
    context: str | None = None
    authority: str | None = None
    device: str | None = None

    def matches(self, envelope: Envelope) -> bool:
        """Whether an envelope is one of them.

        One for another authority matches if it names this very device. One for this authority matches unless it names
        another device.
        """
        if self.source not in (None, envelope.source) or self.context not in (None, envelope.context):
            return False
        if self.authority not in (None, envelope.destination):
            return self.device is not None and envelope.device == self.device
        if self.authority is None and self.device is None:
            return True
        return envelope.device in (None, self.device)


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Delivery:
    """An envelope that was taken, and is to be acknowledged.

    Attributes:
        number: its number in its session's inbox, from 1.
        envelope: the envelope.
    """

    number: Counter
    envelope: Envelope


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Unread:
    """An envelope that was not acknowledged yet.

    Attributes:
        number: its number in its session's inbox, from 1.
        envelope: the envelope.
        taken_by: the generation that took it; None if none did, or if it was given back.
    """

    number: Counter
    envelope: Envelope
    taken_by: Counter | None
