"""Idempotency keys: which event each one brought about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..domain import RecordedEvent
from .projection import Projection
from .temporal import Change, Row, Set, TemporalTable
from .views import TableMapping

IDEMPOTENCY_KEYS = TemporalTable(
    name="idempotency_keys",
    version=1,
    key={"idempotency_key": str},
    columns={"stream": str, "version": int, "command": str},
)


class KeyUse(NamedTuple):
    """The first use of an idempotency key.

    Attributes:
        stream: the stream of the event that says what was answered.
        version: that event's version.
        command: the command's name and short digests of its streams and arguments.
        since: that event's position.
    """

    stream: str
    version: int
    command: str
    since: int


class IdempotencyProjection(Projection):
    """Remembers the keys that events were recorded under."""

    name = "idempotency_keys"
    tables = (IDEMPOTENCY_KEYS,)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Set the key that the record came under, if any."""
        metadata = record.metadata
        if metadata.idempotency_key is None:
            return ()
        return (Set(IDEMPOTENCY_KEYS, (metadata.idempotency_key,), (record.stream, record.version, metadata.command)),)


class IdempotencyView(TableMapping[str, KeyUse]):
    """The keys as a mapping from key to its first use."""

    _table = IDEMPOTENCY_KEYS
    _projection = IdempotencyProjection.name

    def _to_item(self, row: Row) -> tuple[str, KeyUse]:
        """Read a row."""
        return row[0], KeyUse(*row[1:])
