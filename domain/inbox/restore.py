"""What undoes what happened to envelopes (law 8)."""

from __future__ import annotations

from typing import Any

from ..event import Event
from .events import (
    EnvelopeAcknowledged,
    EnvelopePut,
    EnvelopesGivenBack,
    EnvelopesLost,
    EnvelopeTaken,
    EnvelopeWithdrawn,
    TakingWithdrawn,
)
from .state import InboxStanding, InboxState


def withdraw(event: EnvelopePut, before: InboxStanding, now: InboxState) -> Event[Any] | None:
    """Take an envelope back, unless it is gone."""
    if is_gone(event, now):
        return None
    return EnvelopeWithdrawn(event.session_id, event.incarnation, event.number, event.envelope)


def put_again(event: EnvelopeWithdrawn, before: InboxStanding, now: InboxState) -> Event[Any]:
    """Put an envelope in again that was taken back, under a new number."""
    return EnvelopePut(event.session_id, event.incarnation, now.last + 1, event.envelope)


def withdraw_taking(event: EnvelopeTaken, before: InboxStanding, now: InboxState) -> Event[Any] | None:
    """Have an envelope delivered again, if it is still taken."""
    return None if is_taken_no_more(event, now) else TakingWithdrawn(event.capability, event.number, event.envelope)


def take_again(event: TakingWithdrawn, before: InboxStanding, now: InboxState) -> Event[Any] | None:
    """Undo that a taking was undone, unless the envelope was taken since, or is over."""
    return None if is_over(event, now) else EnvelopeTaken(event.capability, event.number, event.envelope)


def is_gone(event: EnvelopePut, now: InboxState) -> bool:
    """Whether an envelope was acknowledged, withdrawn or lost."""
    return event.number not in now.unread


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
