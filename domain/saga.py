"""Sagas: work with steps outside the journal, on record so that it can be undone from wherever it stopped.

A saga is a record of work, not a fact about sessions; nothing undoes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .decision import decision
from .errors import SagaEnded, SagaNotFound
from .event import Accepted, Decision, Event, Fact, accept, event_type
from .identifiers import Identifier, Text


class SagaStatus(StrEnum):
    """Where a saga stands."""

    UNBEGUN = "unbegun"
    RUNNING = "running"
    COMPENSATING = "compensating"
    IN_DOUBT = "in_doubt"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    RESOLVED = "resolved"

    @property
    def is_finished(self) -> bool:
        """Whether everything in it was done, undone, or put right otherwise."""
        return self in (SagaStatus.COMPLETED, SagaStatus.COMPENSATED, SagaStatus.RESOLVED)


@event_type("saga.begun")
class SagaBegun(Fact):
    """A saga began; what is appended in it names it in its metadata."""

    saga_id: Identifier
    name: Identifier


@event_type("saga.undo_registered")
class SagaUndoRegistered(Fact):
    """A step outside the journal is about to be taken, which has to be undone there if the saga fails.

    Attributes:
        saga_id: the saga.
        step: what the step is called.
        details: what whoever undoes it needs to know.
    """

    saga_id: Identifier
    step: Identifier
    details: Text = ""


@event_type("saga.step_undone")
class SagaStepUndone(Fact):
    """The latest step of this name that was not undone yet was undone outside the journal."""

    saga_id: Identifier
    step: Identifier


@event_type("saga.completed")
class SagaCompleted(Fact):
    """Everything in the saga was done, and stays."""

    saga_id: Identifier
    name: Identifier


@event_type("saga.compensation_begun")
class SagaCompensationBegun(Fact):
    """The saga is being undone from here on, and nothing more is appended in it."""

    saga_id: Identifier
    name: Identifier


@event_type("saga.compensated")
class SagaCompensated(Fact):
    """Everything that was appended in the saga was undone, in the same append as this.

    Attributes:
        saga_id: the saga.
        name: what it is called.
        reason: why it was undone.
        left: the steps outside the journal that were left as they are, newest first.
    """

    saga_id: Identifier
    name: Identifier
    reason: Text
    left: tuple[Identifier, ...] = ()


@event_type("saga.compensation_failed")
class SagaCompensationFailed(Fact):
    """The saga could not be undone, and is in doubt (aura 2.34, R10).

    Attributes:
        saga_id: the saga.
        name: what it is called.
        reason: what was in the way.
    """

    saga_id: Identifier
    name: Identifier
    reason: Text


@event_type("saga.resolved")
class SagaResolved(Fact):
    """Somebody put right by hand what could not be undone.

    Attributes:
        saga_id: the saga.
        name: what it is called.
        reason: how.
        left: the steps outside the journal that were not undone from here, newest first.
    """

    saga_id: Identifier
    name: Identifier
    reason: Text
    left: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class SagaStanding:
    """Where a saga stands.

    Attributes:
        status: where it stands.
        steps: the steps outside the journal that may have to be undone, oldest first, with their details.
    """

    status: SagaStatus
    steps: tuple[tuple[str, str], ...]


class SagaState:
    """One saga, folded from its events.

    Attributes:
        saga_id: the saga.
        name: what it is called.
        status: where it stands.
        reason: what was in the way of undoing it, the last time; empty if nothing was.
        steps: the steps outside the journal that may have to be undone, oldest first, with their details.
    """

    __slots__ = ("name", "reason", "saga_id", "status", "steps")

    def __init__(self, saga_id: str) -> None:
        self.saga_id = saga_id
        self.name = ""
        self.status = SagaStatus.UNBEGUN
        self.reason = ""
        self.steps: list[tuple[str, str]] = []

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def standing(self, *, is_brief: bool = False) -> SagaStanding:
        """Where it stands now; it is brief either way."""
        return SagaStanding(self.status, tuple(self.steps))

    @property
    def is_open(self) -> bool:
        """Whether it is at work, so that something may be appended in it."""
        return self.status is SagaStatus.RUNNING

    def require_open(self) -> None:
        """Make sure that it is at work.

        Raises:
            SagaNotFound, SagaEnded
        """
        self.require_unfinished()
        if not self.is_open:
            raise SagaEnded(self.saga_id, self.status)

    def require_unfinished(self) -> None:
        """Make sure that it began, and that there is something left to do.

        Raises:
            SagaNotFound, SagaEnded
        """
        if self.status is SagaStatus.UNBEGUN:
            raise SagaNotFound(self.saga_id)
        if self.status.is_finished:
            raise SagaEnded(self.saga_id, self.status)

    def _on_begun(self, event: SagaBegun) -> None:
        self.name, self.status = event.name, SagaStatus.RUNNING

    def _on_undo_registered(self, event: SagaUndoRegistered) -> None:
        self.steps.append((event.step, event.details))

    def _on_step_undone(self, event: SagaStepUndone) -> None:
        for index in reversed(range(len(self.steps))):
            if self.steps[index][0] == event.step:
                del self.steps[index]
                return

    def _on_completed(self, event: SagaCompleted) -> None:
        self.status = SagaStatus.COMPLETED

    def _on_compensation_begun(self, event: SagaCompensationBegun) -> None:
        self.status = SagaStatus.COMPENSATING

    def _on_resolved(self, event: SagaResolved) -> None:
        self.status = SagaStatus.RESOLVED

    def _on_compensated(self, event: SagaCompensated) -> None:
        self.status = SagaStatus.COMPENSATED

    def _on_failed(self, event: SagaCompensationFailed) -> None:
        self.status, self.reason = SagaStatus.IN_DOUBT, event.reason


_HANDLERS: dict[type[Event[Any]], Callable[[SagaState, Any], None]] = {
    SagaBegun: SagaState._on_begun,
    SagaUndoRegistered: SagaState._on_undo_registered,
    SagaStepUndone: SagaState._on_step_undone,
    SagaCompleted: SagaState._on_completed,
    SagaCompensationBegun: SagaState._on_compensation_begun,
    SagaCompensated: SagaState._on_compensated,
    SagaCompensationFailed: SagaState._on_failed,
    SagaResolved: SagaState._on_resolved,
}


@decision("saga.begin", uses_key=False)
def begin(state: SagaState, name: str) -> Decision[None]:
    """Begin a saga under a new id.

    Raises:
        SagaEnded: it began before.
    """
    if state.status is not SagaStatus.UNBEGUN:
        raise SagaEnded(state.saga_id, state.status)
    return accept(SagaBegun(state.saga_id, name))


@decision("saga.register_undo", uses_key=False)
def register_undo(state: SagaState, step: str, details: str) -> Decision[None]:
    """Record that a step outside the journal has to be undone if the saga fails.

    Raises:
        SagaNotFound, SagaEnded
    """
    state.require_open()
    return accept(SagaUndoRegistered(state.saga_id, step, details))


@decision("saga.complete", uses_key=False)
def complete(state: SagaState) -> Decision[None]:
    """End a saga in good order.

    Raises:
        SagaNotFound, SagaEnded
    """
    state.require_open()
    return accept(SagaCompleted(state.saga_id, state.name))


@decision("saga.begin_compensation", uses_key=False)
def begin_compensation(state: SagaState) -> Decision[None]:
    """Close a saga to further events, so that all of it can be undone. A repeat appends nothing.

    Raises:
        SagaNotFound, SagaEnded
    """
    state.require_unfinished()
    return accept(SagaCompensationBegun(state.saga_id, state.name)) if state.is_open else Accepted(None)


@decision("saga.undo_step", uses_key=False)
def undo_step(state: SagaState, step: str) -> Decision[None]:
    """Record that a step was undone outside the journal.

    Raises:
        SagaNotFound, SagaEnded
    """
    state.require_unfinished()
    return accept(SagaStepUndone(state.saga_id, step))


@decision("saga.fail_compensation", uses_key=False)
def fail_compensation(state: SagaState, reason: str) -> Decision[None]:
    """Record that a saga could not be undone; the same reason again is recorded once.

    Raises:
        SagaNotFound, SagaEnded
    """
    state.require_unfinished()
    if state.status is SagaStatus.IN_DOUBT and state.reason == reason:
        return Accepted(None)
    return accept(SagaCompensationFailed(state.saga_id, state.name, reason))


def compensated(state: SagaState, reason: str) -> SagaCompensated:
    """The end of a saga that is undone in the journal too; the steps outside that are left are named.

    Raises:
        SagaNotFound, SagaEnded
    """
    state.require_unfinished()
    left = tuple(step for step, _ in reversed(state.steps))
    return SagaCompensated(state.saga_id, state.name, reason, left)


@decision("saga.resolve")
def resolve(state: SagaState, reason: str) -> Decision[None]:
    """Record that somebody put a saga right by hand.

    Raises:
        SagaNotFound, SagaEnded
    """
    state.require_unfinished()
    left = tuple(step for step, _ in reversed(state.steps))
    return accept(SagaResolved(state.saga_id, state.name, reason, left))
