"""What a rule of undo says: what undoes an event, what it changed, and what it needed (law 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from ..event import Event

Compensate: TypeAlias = Callable[[Any, Any, Any], Event[Any] | None]
"""Makes the event that undoes one: of that event, where its stream stood before it, and the state as it is now.

None if what the event did has ended by itself.
"""

HasEnded: TypeAlias = Callable[[Any, Any], bool]
"""Whether what an event did has ended by itself: of that event, and the state as it is now."""


class Part(StrEnum):
    """A part of a stream's state that events change, and that later events depend on."""

    LIFE = "life"
    OWNERSHIP = "ownership"
    FOOTPRINT = "footprint"
    DRAINING = "draining"
    TERMS = "terms"
    BUNDLE = "bundle"
    UPGRADES = "upgrades"
    MEMBERS = "members"
    CONVERSATION = "conversation"
    PHASE = "phase"
    MODE = "mode"
    CONFIG = "config"
    RETRIES = "retries"
    STEWARDS = "stewards"
    ROUND = "round"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Rule:
    """How an event type is undone.

    Attributes:
        compensate: makes the compensating event; None if nothing undoes it.
        reason: why nothing does; empty otherwise.
        changes: the parts of the state that it changes, beside fragments and witnesses, which the event names itself.
        needs: the parts of the state that its command needed to be as they were.
        is_mere_record: whether it changed nothing, so that there is nothing to undo.
        has_ended: says whether what it did has ended by itself; None if only another event can end it.
    """

    compensate: Compensate | None = None
    reason: str = ""
    changes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    is_mere_record: bool = False
    has_ended: HasEnded | None = None
