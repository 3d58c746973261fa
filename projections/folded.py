"""The effects of the events of a batch, made once for all projections that fold them."""

from __future__ import annotations

from typing import Any, Final

from ..domain import Event
from ..domain.effects import Effects

_KEPT: Final = 2_048
"""How many are kept: those of a batch, which one projection after the other goes through."""

_made: dict[int, tuple[Event[Any], Effects | None]] = {}


def effects_of(event: Event[Any]) -> Effects | None:
    """What an event did to a session."""
    known = _made.get(id(event))
    # Another event may have come to lie where one was, that is not kept any more.
    if known is not None and known[0] is event:
        return known[1]
    effects = event.effects
    if len(_made) >= _KEPT:
        _made.clear()
    _made[id(event)] = (event, effects)
    return effects
