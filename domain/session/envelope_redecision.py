"""The decisions on envelopes, made again from the events that they led to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..circumstances import Circumstances, Redecision
from ..errors import EnvelopeNotFound
from ..event import Accepted, Decision, Event
from ..inbox import (
    EnvelopeAcknowledged,
    EnvelopePut,
    EnvelopesGivenBack,
    EnvelopesLost,
    EnvelopeTaken,
    InboxState,
    TypeAdvanced,
)
from ..stream_names import session_stream
from .envelopes import acknowledge, give_back, put
from .guards import refuse_unless_live, require_open
from .state import SessionState
from .types import advance


def _session(state: InboxState, about: Circumstances) -> SessionState:
    session: SessionState = about.state_of(session_stream(state.session_id))
    return session


def _taken(state: InboxState, event: EnvelopeTaken, about: Circumstances) -> Decision[Any]:
    """Which envelopes were wanted, the record does not say; the one that was taken must have been there to take."""
    session = _session(state, about)
    if refused := refuse_unless_live(session, event.capability):
        return refused
    taken_by = state.taken.get(event.number)
    is_there = state.incarnation == session.incarnation and event.number in state.unread
    if not is_there or (taken_by is not None and taken_by >= event.capability.generation):
        raise EnvelopeNotFound(state.session_id, event.number)
    return Accepted(None, (EnvelopeTaken(event.capability, event.number, state.unread[event.number]),))


def _given_back(state: InboxState, event: EnvelopesGivenBack, about: Circumstances) -> Decision[Any]:
    number = event.numbers[0] if len(event.numbers) == 1 else None
    return give_back(state, _session(state, about), event.capability, number)


def _lost(state: InboxState, event: EnvelopesLost, about: Circumstances) -> Decision[Any]:
    """What is unread is lost with the end of the session, which stands right behind this."""
    session = _session(state, about)
    require_open(session)
    if not state.unread:
        return Accepted(None)
    return Accepted(None, (EnvelopesLost(state.session_id, session.incarnation, tuple(state.unread)),))


AGAIN: Final[Mapping[type[Event[Any]], Redecision]] = {
    EnvelopePut: lambda state, event, about: put(state, _session(state, about), event.envelope, event.capability),
    EnvelopeTaken: _taken,
    EnvelopeAcknowledged: lambda state, event, about: acknowledge(
        state, _session(state, about), event.capability, event.number
    ),
    EnvelopesGivenBack: _given_back,
    EnvelopesLost: _lost,
    TypeAdvanced: lambda state, event, about: advance(
        state, _session(state, about), event.capability, event.advance.role, event.advance.step
    ),
}
"""For every event type of an inbox that a command leads to: that command, decided again."""
