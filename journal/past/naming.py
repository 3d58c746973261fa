"""Events by their names, as answers about the past point to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ...domain import RecordedEvent
from ...domain.shown import utc, visible


@dataclass(frozen=True, slots=True)
class EventName:
    """An event that an answer points to.

    Attributes:
        id: its id, such as ``session-s-42@3``.
        position: its position.
        type: its type.
        time: when it was recorded, in ms.
    """

    id: str
    position: int
    type: str
    time: int

    @classmethod
    def of(cls, record: RecordedEvent) -> Self:
        """The name of a record."""
        return cls(record.id, record.position, record.type, record.metadata.recorded_at)

    def __str__(self) -> str:
        return f"{visible(self.id)} ({self.type}, {utc(self.time)})"

    def to_json(self) -> dict[str, Any]:
        """The name as what JSON knows."""
        return {"id": self.id, "position": self.position, "type": self.type, "time": self.time}
