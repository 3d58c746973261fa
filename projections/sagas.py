"""Sagas: where each stands, and what was appended in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..domain import RecordedEvent
from ..domain.saga import (
    SagaBegun,
    SagaCompensated,
    SagaCompensationBegun,
    SagaCompensationFailed,
    SagaCompleted,
    SagaResolved,
    SagaStatus,
)
from ..domain.stream_names import split_stream
from .projection import Projection
from .temporal import Change, Row, Set, TemporalTable
from .views import TableMapping

SAGAS = TemporalTable(
    name="sagas", version=1, key={"saga_id": str}, columns={"name": str, "status": str, "reason": str}
)
SAGA_EVENTS = TemporalTable(
    name="saga_events", version=1, key={"saga_id": str, "position": int}, columns={"stream": str, "version": int}
)


class SagaRow(NamedTuple):
    """What is known of one saga.

    Attributes:
        name: what it is called.
        status: where it stands.
        reason: why it was undone or is in doubt, or how it was resolved; None otherwise.
        since: the position of the event from which on all this holds.
    """

    name: str
    status: SagaStatus
    reason: str | None
    since: int

    @property
    def is_finished(self) -> bool:
        """Whether everything in it was done, undone, or put right otherwise."""
        return self.status.is_finished


class SagasProjection(Projection):
    """Follows every saga, and lists what is appended in it."""

    name = "sagas"
    tables = (SAGAS, SAGA_EVENTS)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Say what a record sets and unsets."""
        handler = self.handlers.get(type(record.event))
        if handler is not None:
            return handler(record.event)
        saga_id = record.metadata.saga
        if saga_id is None or split_stream(record.stream)[0] == "saga":
            return ()
        return (Set(SAGA_EVENTS, (saga_id, record.position), (record.stream, record.version)),)


def _row(saga_id: str, name: str, status: SagaStatus, reason: str | None = None) -> tuple[Change]:
    return (Set(SAGAS, (saga_id,), (name, status.value, reason)),)


SagasProjection.handlers = {
    SagaBegun: lambda event: _row(event.saga_id, event.name, SagaStatus.RUNNING),
    SagaCompleted: lambda event: _row(event.saga_id, event.name, SagaStatus.COMPLETED),
    SagaCompensated: lambda event: _row(event.saga_id, event.name, SagaStatus.COMPENSATED, event.reason),
    SagaCompensationBegun: lambda event: _row(event.saga_id, event.name, SagaStatus.COMPENSATING),
    SagaResolved: lambda event: _row(event.saga_id, event.name, SagaStatus.RESOLVED, event.reason),
    SagaCompensationFailed: lambda event: _row(event.saga_id, event.name, SagaStatus.IN_DOUBT, event.reason),
}


class SagasView(TableMapping[str, SagaRow]):
    """The sagas as a mapping from saga id to a row."""

    _table = SAGAS
    _projection = SagasProjection.name

    def _to_item(self, row: Row) -> tuple[str, SagaRow]:
        """Read a row."""
        saga_id, name, status, reason, since = row
        return saga_id, SagaRow(name, SagaStatus(status), reason, since)

    def unfinished(self) -> dict[str, SagaRow]:
        """The sagas that have neither completed nor been compensated or resolved.

        One whose process is at work looks the same as one whose process died.
        """
        return {saga_id: row for saga_id, row in self.items() if not row.is_finished}

    def events(self, saga_id: str) -> list[tuple[int, str, int]]:
        """What was appended in a saga: positions, streams and versions, oldest first."""
        rows = self._select({"saga_id": saga_id}, table=SAGA_EVENTS)
        return [(position, stream, version) for _, position, stream, version, _ in rows]
