"""Turns recorded events into rows and back."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any, Final, Generic, NotRequired, TypeAlias, TypeVar, cast, get_type_hints

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, Notification as StoredNotification, StoredEvent
from pydantic import TypeAdapter, ValidationError, with_config
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator
from typing_extensions import TypedDict

from ...domain import (
    CATALOGUE,
    MAX_EVENT_BYTES,
    DamagedRecord,
    EventTooLarge,
    InvalidArgument,
    InvalidInput,
    Metadata,
    RecordedEvent,
    UnknownEventType,
)
from ...domain.record import UNRECORDED
from ...domain.value import VALUE

EventT = TypeVar("EventT")
MetadataT = TypeVar("MetadataT")

EventRow: TypeAlias = tuple[int, str, int, str, bytes]
"""A row as it is read: position, stream, version, type, state."""


def _stored_metadata() -> Any:
    """The shape of metadata in a row: what is absent is not there."""
    fields = {
        name: hint if name == "recorded_at" else NotRequired[hint]
        for name, hint in get_type_hints(Metadata, include_extras=True).items()
    }
    return with_config(VALUE)(TypedDict("StoredMetadata", fields))  # type: ignore[operator]  # made of the class


class _Envelope(TypedDict, Generic[EventT, MetadataT]):
    """What a row's ``state`` holds, as JSON."""

    data: EventT
    metadata: MetadataT


class EventMapper(Mapper[str]):
    """Maps through the catalogue: a row's topic is one of our type names, never a Python path."""

    def __init__(self) -> None:
        super().__init__(transcoder=JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Encode a recorded event as a row.

        Raises:
            EventTooLarge: it takes more than 1 MiB.
            InvalidArgument: it was built past its checks.
        """
        if not isinstance(domain_event, RecordedEvent):
            raise TypeError(f"a journal stores recorded events, not {type(domain_event).__name__}")
        record = domain_event
        # Defaults are left out: rows stay small, and absent metadata is not written.
        try:
            data = _event_to_json(record)
        except PydanticSerializationError as error:
            with suppress(PydanticSerializationError):
                _event_to_json(record)
                # Encoding works this time: the error was an interrupt that arrived in a function of ours.
                raise KeyboardInterrupt(str(error)) from None
            raise InvalidArgument("event", f"{record.type} was built past its checks: {error}") from None
        metadata = orjson.dumps(record.metadata.present())
        state = b'{"data":%b,"metadata":%b}' % (data, metadata)
        if len(state) > MAX_EVENT_BYTES:
            raise EventTooLarge(record.type, record.stream, len(state), MAX_EVENT_BYTES)
        return StoredEvent(record.stream, record.version, record.type, state)

    def to_domain_event(self, stored_event: StoredEvent) -> RecordedEvent:
        """Decode a row; its position is known if the recorder said it.

        Raises:
            UnknownEventType: the row's type is not in the catalogue.
            DamagedRecord: the row's content does not fit its type.
        """
        position = stored_event.id if isinstance(stored_event, StoredNotification) else UNRECORDED
        stream, version = str(stored_event.originator_id), stored_event.originator_version
        return decode((position, stream, version, stored_event.topic, stored_event.state))


def _event_to_json(record: RecordedEvent) -> bytes:
    # Any text for ``warnings`` makes pydantic let go of the interpreter's lock, for which other threads then queue.
    return _serializer(record.type).to_json(record.event, exclude_defaults=True, warnings=True)


def decode(row: EventRow) -> RecordedEvent:
    """Decode a row.

    Raises:
        UnknownEventType: its type is not in the catalogue.
        DamagedRecord: its content does not fit its type.
    """
    position, stream, version, type_name, state = row
    try:
        validator, upcast = _decoder(type_name)
    except KeyError:
        raise UnknownEventType(str(type_name)[:_SHOWN], stream, version, position or None) from None
    if not (type(position) is type(version) is int and type(stream) is str and type(state) in _JSON):
        raise _not_a_row(row)
    try:
        envelope = validator.validate_json(upcast(state) if upcast else state)
    except (ValidationError, InvalidInput, orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise DamagedRecord(type_name, stream, version, position or None, _first_problem(error)) from error
    # A named tuple's own constructor takes twice as long, and millions of events are decoded here.
    return _new_tuple(RecordedEvent, (position, stream, version, envelope["data"], Metadata.of(envelope["metadata"])))


_new_tuple = tuple.__new__

_JSON: Final = (bytes, str)
_SHOWN: Final = 200
"""How much of what stands in a column is shown in an error."""


def _not_a_row(row: Any) -> DamagedRecord:
    """The error of a row in which somebody put other values than those of its columns."""
    position, stream, version, type_name, _ = row
    position, version = (each if type(each) is int else 0 for each in (position, version))
    problem = "a column holds a value of another type, or a larger one than is read"
    return DamagedRecord(str(type_name)[:_SHOWN], str(stream)[:_SHOWN], version, position or None, problem)


@cache
def _serializer(type_name: str) -> SchemaSerializer:
    return TypeAdapter(CATALOGUE[type_name]).serializer


@cache
def _decoder(type_name: str) -> tuple[SchemaValidator, Any]:
    event_class, upcasters = CATALOGUE.resolve(type_name)
    adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, _Envelope)[event_class, _stored_metadata()])

    def upcast(state: bytes) -> bytes:
        envelope = orjson.loads(state)
        for step in upcasters:
            envelope["data"] = step(envelope["data"])
        return orjson.dumps(envelope)

    return cast(SchemaValidator, adapter.validator), upcast if upcasters else None


def _first_problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error) if isinstance(error, InvalidInput) else f"{type(error).__name__}: {error}"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
