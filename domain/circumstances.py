"""What a decision depends on beside the state of its stream, for deciding it again from the event that it led to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from .event import Decision, Event
from .policy import Policy


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else was known when an event was decided.

    Attributes:
        policy: what the journal permitted beyond the laws.
        state_of: the state of another stream at that moment, by the stream's name.
        previous: the event of the journal right before it; None if there is none.
        is_before_endings: whether the format then was one of the first two, whose rules were fewer.
    """

    policy: Policy
    state_of: Callable[[str], Any]
    previous: Event[Any] | None
    is_before_endings: bool = False


Redecision: TypeAlias = Callable[[Any, Any, Circumstances], Decision[Any]]
"""Decides a command again: of the state before an event, and the event, which says what the command was given."""
