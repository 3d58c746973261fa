"""What a site's events add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..artifacts import TimeoutWitness
from ..event import Event
from .events import SiteCrashed, SiteTimedOut, TimeoutExpired


@dataclass(frozen=True, slots=True)
class SiteStanding:
    """Where a site stands.

    Attributes:
        active: the time-out that runs, or None.
        is_crashed: whether it crashed.
    """

    active: TimeoutWitness | None
    is_crashed: bool


class SiteState:
    """One site, folded from its events.

    Attributes:
        site: the site.
        active: the time-out that runs, or None.
        witnesses: how many time-outs there ever were; the last witness id.
        last_tick: the last tick that it is known to have been at.
        is_crashed: whether it crashed.
    """

    __slots__ = ("active", "is_crashed", "last_tick", "site", "witnesses")

    def __init__(self, site: str) -> None:
        self.site = site
        self.active: TimeoutWitness | None = None
        self.witnesses = 0
        self.last_tick = 0
        self.is_crashed = False

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        match event:
            case SiteTimedOut(witness=witness):
                self.active = witness
                self.witnesses = witness.witness_id
                self.last_tick = max(self.last_tick, witness.issued_at_tick)
            case TimeoutExpired(tick=tick):
                self.active = None
                self.last_tick = max(self.last_tick, tick)
            case SiteCrashed():
                self.is_crashed = True

    def standing(self, *, is_brief: bool = False) -> SiteStanding:
        """Where it stands now."""
        return SiteStanding(self.active, self.is_crashed)
