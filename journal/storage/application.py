"""The ``eventsourcing`` application that a journal writes through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eventsourcing.application import Application
from eventsourcing.persistence import BaseInfrastructureFactory, InfrastructureFactory
from eventsourcing.utils import Environment, EnvType

from ...domain import RecordedEvent, UnknownEvent, UnknownPosition
from ...domain.record import split_event_id
from .mapper import EventMapper
from .recording import PositionedRecorder


class JournalApplication(Application[str]):
    """The ``eventsourcing`` application that a journal writes through: our mapper over a recorder of ours."""

    name = "muniment"
    factory: InfrastructureFactory[Any]
    recorder: PositionedRecorder
    mapper: EventMapper

    def __init__(self, factory: BaseInfrastructureFactory[Any]) -> None:
        self._given_factory = factory
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Take no settings: the surrounding process may be configured for another application."""
        return Environment(name)

    def construct_factory(self, env: Environment) -> Any:
        """Take the factory that was given."""
        return self._given_factory

    def construct_mapper(self) -> EventMapper:
        """Map through the catalogue."""
        return EventMapper()

    def records(self, stream: str, **bounds: Any) -> Iterator[RecordedEvent]:
        """The records of a stream, within the bounds of ``PositionedRecorder.select_recorded``.

        Raises:
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
        """
        return map(self.mapper.to_domain_event, self.recorder.select_recorded(stream, **bounds))

    def record(self, stream: str, version: int) -> RecordedEvent | None:
        """The record at a version of a stream; None if there is none.

        Raises:
            UnknownEventType, DamagedRecord: it cannot be decoded.
        """
        return next(self.records(stream, gt=version - 1, lte=version), None)

    def named(self, event_id: str) -> RecordedEvent:
        """The record of this id.

        Raises:
            UnknownEvent: there is none.
        """
        name = split_event_id(event_id)
        if name is None or (record := self.record(*name)) is None:
            raise UnknownEvent(event_id)
        return record

    def record_at(self, position: int) -> RecordedEvent:
        """The record at a position.

        Raises:
            UnknownPosition: there is none.
            UnknownEventType, DamagedRecord: it cannot be decoded.
        """
        for stored in self.recorder.select_notifications(position, 1):
            if (record := self.mapper.to_domain_event(stored)).position == position:
                return record
        raise UnknownPosition(position, self.recorder.head())
