"""Time-outs of sites, by a runtime's own ticks, and crashes (telltale 2.14, 2.15)."""

from __future__ import annotations

from ..artifacts import TimeoutWitness
from ..decision import decision
from ..errors import TickWentBack
from ..event import Accepted, Decision, accept
from .events import SiteCrashed, SiteTimedOut, TimeoutExpired
from .state import SiteState


@decision("site.time_out")
def time_out(state: SiteState, duration_ms: int, tick_duration_ms: int, now_tick: int) -> Decision[TimeoutWitness]:
    """Have a site time out; a time-out that runs is replaced, even by one that ends earlier.

    Args:
        state: the site.
        duration_ms: how long, in ms.
        tick_duration_ms: how long a tick is, in ms; 0 makes every time-out one tick long.
        now_tick: the tick now.

    Raises:
        TickWentBack: the site was at a later tick before.
    """
    _require_forward(state, now_tick)
    ticks = max(1, -(-duration_ms // tick_duration_ms)) if tick_duration_ms else 1
    witness = TimeoutWitness(state.witnesses + 1, state.site, now_tick, now_tick + ticks)
    return accept(SiteTimedOut(witness, state.active))


@decision("site.expire", uses_key=False)
def expire(state: SiteState, now_tick: int) -> Decision[TimeoutWitness | None]:
    """Have the site's time-out run out, if its tick has come.

    Raises:
        TickWentBack: the site was at a later tick before.
    """
    _require_forward(state, now_tick)
    if state.active is None or state.active.until_tick > now_tick:
        return Accepted(None)
    return Accepted(state.active, (TimeoutExpired(state.active, now_tick),))


@decision("site.crash", uses_key=False)
def crash(state: SiteState) -> Decision[None]:
    """Record that a site is gone; once."""
    return Accepted(None) if state.is_crashed else accept(SiteCrashed(state.site))


def _require_forward(state: SiteState, tick: int) -> None:
    if tick < state.last_tick:
        raise TickWentBack(state.site, tick, state.last_tick)
