"""What refuses to undo something, and what refuses a saga."""

from __future__ import annotations

from dataclasses import dataclass

from .base import CommandRefused


@dataclass(eq=False)
class NotCompensable(CommandRefused):
    """The event cannot be undone: nothing undoes its type, or what it did has ended or cannot be restored (law 8).

    Attributes:
        event_id: the event that was to be undone.
        type: its type.
        reason: why nothing can.
    """

    event_id: str
    type: str
    reason: str

    def __str__(self) -> str:
        return f"event {self.event_id} ({self.type}) cannot be undone: {self.reason}"


@dataclass(eq=False)
class AlreadyCompensated(CommandRefused):
    """The event is undone already; revert what undid it to have it again.

    Attributes:
        event_id: the event that was to be undone.
        compensated_by: the event that undid it.
    """

    event_id: str
    compensated_by: str

    def __str__(self) -> str:
        return f"event {self.event_id} was undone by {self.compensated_by} already; {self.advice}"

    @property
    def advice(self) -> str:
        return f"revert {self.compensated_by} to restore it"


@dataclass(eq=False)
class LaterEventDepends(CommandRefused):
    """A later event depends on what was to be undone (law 8).

    Attributes:
        event_id: the event that was to be undone.
        later_event_id: the latest event that depends on it.
        later_type: that event's type.
        stays: why nothing undoes that event, so that both stay for good; empty if something does.
    """

    event_id: str
    later_event_id: str
    later_type: str
    stays: str = ""

    def __str__(self) -> str:
        return (
            f"event {self.event_id} cannot be undone: the later event {self.later_event_id} ({self.later_type}) "
            f"depends on it; {self.advice}"
        )

    @property
    def advice(self) -> str:
        return f"that later event cannot be undone either: {self.stays}" if self.stays else "undo that one first"


@dataclass(eq=False)
class SagaNotFound(CommandRefused):
    """No saga began under this id."""

    saga_id: str

    def __str__(self) -> str:
        return f"there is no saga {self.saga_id!r}; {self.advice}"

    @property
    def advice(self) -> str:
        return "journal.sagas lists them"


@dataclass(eq=False)
class SagaEnded(CommandRefused):
    """The saga has ended, or is being undone, here or elsewhere; nothing more is done in it.

    Attributes:
        status: where it stands, such as ``completed`` or ``compensating``.
    """

    saga_id: str
    status: str

    def __str__(self) -> str:
        return f"saga {self.saga_id!r} is {self.status}; nothing more is done in it"


@dataclass(eq=False)
class UndoMissing(CommandRefused):
    """Steps outside the journal have to be undone, and nobody said how.

    Attributes:
        steps: the names of the steps, newest first.
    """

    saga_id: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"saga {self.saga_id!r}: nothing says how to undo {', '.join(map(repr, self.steps))} outside the journal; "
            f"{self.advice}"
        )

    @property
    def advice(self) -> str:
        return "say how, or undo them by hand and leave them"
