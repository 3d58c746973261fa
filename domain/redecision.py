"""Whether an event is one that the domain appends in a state: its own decisions, made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from . import consumer, saga, site
from .bundle import redecision as bundles
from .circumstances import Circumstances, Redecision
from .errors import SagaEnded
from .event import Accepted, Decision, Event
from .idempotency import KeyState, KeyUsed
from .saga import SagaState
from .session import envelope_redecision as envelopes, redecision as sessions


def _begun(state: SagaState, event: saga.SagaBegun, about: Circumstances) -> Decision[Any]:
    return saga.begin(state, event.name)


def _step_undone(state: SagaState, event: saga.SagaStepUndone, about: Circumstances) -> Decision[Any]:
    if all(step != event.step for step, _ in state.steps):
        raise SagaEnded(state.saga_id, state.status)
    return saga.undo_step(state, event.step)


def _key_used(state: KeyState, event: KeyUsed, about: Circumstances) -> Decision[Any]:
    return Accepted(None) if state.used is not None else Accepted(None, (KeyUsed.answering(state.key, event.outcome),))


def _timed_out(state: site.SiteState, event: site.SiteTimedOut, about: Circumstances) -> Decision[Any]:
    """How long a tick is, the record does not say; it says how many ticks there are."""
    witness = event.witness
    return site.time_out(state, witness.until_tick - witness.issued_at_tick, 1, witness.issued_at_tick)


_AGAIN: Final[Mapping[type[Event[Any]], Redecision]] = {
    **sessions.AGAIN,
    **bundles.AGAIN,
    **envelopes.AGAIN,
    site.SiteTimedOut: _timed_out,
    site.TimeoutExpired: lambda state, event, about: site.expire(state, event.tick),
    site.SiteCrashed: lambda state, event, about: site.crash(state),
    saga.SagaBegun: _begun,
    saga.SagaUndoRegistered: lambda state, event, about: saga.register_undo(state, event.step, event.details),
    saga.SagaStepUndone: _step_undone,
    saga.SagaCompleted: lambda state, event, about: saga.complete(state),
    saga.SagaCompensationBegun: lambda state, event, about: saga.begin_compensation(state),
    saga.SagaCompensationFailed: lambda state, event, about: saga.fail_compensation(state, event.reason),
    saga.SagaResolved: lambda state, event, about: saga.resolve(state, event.reason),
    consumer.NotificationsAcknowledged: lambda state, event, about: consumer.acknowledge(
        state, event.position, event.part, event.conversation_id
    ),
    KeyUsed: _key_used,
}
"""For every event type that one command leads to by itself: that command, decided again."""


def again(event: Event[Any]) -> Redecision | None:
    """The one command that leads to an event by itself, to be decided again; None if there is no such command.

    Events of conversations come in runs; see ``muniment.domain.conversation.redecision``.
    """
    return _AGAIN.get(type(event))
