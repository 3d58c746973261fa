"""What undoes what happened to envelopes (law 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..event import Event
from ..protocol.advance import TypeAdvance
from .events import (
    EnvelopeAcknowledged,
    EnvelopePut,
    EnvelopesGivenBack,
    EnvelopesLost,
    EnvelopeTaken,
    EnvelopeWithdrawn,
    TakingWithdrawn,
    TypeAdvanced,
    TypeRestored,
)
from .state import InboxStanding, InboxState


def withdraw(event: EnvelopePut, before: InboxStanding, now: InboxState) -> Event[Any] | None:
    """Take an envelope back, unless it is gone."""
    if is_gone(event, now):
        return None
    return EnvelopeWithdrawn(
        event.session_id, event.incarnation, event.number, event.envelope, event.capability, event.advance
    )


def put_again(event: EnvelopeWithdrawn, before: InboxStanding, now: InboxState) -> Event[Any]:
    """Put an envelope in again that was taken back, under a new number; its sender takes its step again."""
    again = None if event.undone is None else _again(event.undone, now)
    return EnvelopePut(event.session_id, event.incarnation, now.last + 1, event.envelope, event.capability, again)


def step_back(event: TypeAdvanced, before: InboxStanding, now: InboxState) -> Event[Any]:
    """Have a role's local type stand where it stood before a step."""
    return TypeRestored(event.capability, event.advance)


def step_again(event: TypeRestored, before: InboxStanding, now: InboxState) -> Event[Any]:
    """Take a step again that was undone; it is a new one."""
    return TypeAdvanced(event.capability, _again(event.undone, now))


def parts_changed(event: Event[Any]) -> set[str]:
    """The parts of an inbox that an event names itself: envelopes, and the local type of the role that took a step."""
    step = _step_of(event)
    types = set() if step is None else {f"type:{step.incarnation}:{step.role}"}
    return types.union(f"envelope:{number}" for number in numbers(event))


def _step_of(event: Event[Any]) -> TypeAdvance | None:
    """The step that an event took or undid; None if it did neither."""
    match event:
        case EnvelopePut() | EnvelopeAcknowledged() | TypeAdvanced():
            return event.advance
        case EnvelopeWithdrawn() | TypeRestored():
            return event.undone
    return None


def _again(undone: TypeAdvance, now: InboxState) -> TypeAdvance:
    """The step under a new number; what it follows may have been taken again under a new one, too."""
    _, previous = now.standings.get(undone.role, (0, 0))
    return replace(undone, number=now.last_steps.get(undone.role, 0) + 1, previous=previous)


def withdraw_taking(event: EnvelopeTaken, before: InboxStanding, now: InboxState) -> Event[Any] | None:
    """Have an envelope delivered again, if it is still taken."""
    return None if is_taken_no_more(event, now) else TakingWithdrawn(event.capability, event.number, event.envelope)


def take_again(event: TakingWithdrawn, before: InboxStanding, now: InboxState) -> Event[Any] | None:
    """Undo that a taking was undone, unless the envelope was taken since, or is over."""
    return None if is_over(event, now) else EnvelopeTaken(event.capability, event.number, event.envelope)


def is_gone(event: EnvelopePut, now: InboxState) -> bool:
    """Whether an envelope was acknowledged, withdrawn or lost."""
    return event.number not in now.unread


def has_no_effect(event: EnvelopePut, now: InboxState) -> bool:
    """The same of one that took no step; a step stays taken when the envelope is gone."""
    return event.advance is None and is_gone(event, now)


def is_over(event: TakingWithdrawn, now: InboxState) -> bool:
    """Whether an envelope whose taking was undone was taken since, or is over."""
    return event.number in now.taken or event.number not in now.unread


def is_taken_no_more(event: EnvelopeTaken, now: InboxState) -> bool:
    """Whether an envelope was acknowledged, given back, lost, or taken by a later generation."""
    return now.taken.get(event.number) != event.capability.generation


def numbers(event: Event[Any]) -> tuple[int, ...]:
    """The numbers of the envelopes that an event is about."""
    match event:
        case EnvelopePut() | EnvelopeTaken() | EnvelopeAcknowledged() | TakingWithdrawn() | EnvelopeWithdrawn():
            return (event.number,)
        case EnvelopesGivenBack() | EnvelopesLost():
            return event.numbers
    return ()
