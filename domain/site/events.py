"""What can happen to a site: it times out, its time-out runs out, it crashes (telltale 2.14, 2.15)."""

from __future__ import annotations

from ..artifacts import Counter, TimeoutWitness
from ..event import Event, Fact, event_type
from ..identifiers import Identifier


@event_type("site.timed_out")
class SiteTimedOut(Event[TimeoutWitness]):
    """A site is not to be counted on before a tick.

    Attributes:
        witness: the proof, with the site and both ticks.
        replaced: the witness that was active until then, or None; a newer one replaces it, even if it ends earlier.
    """

    witness: TimeoutWitness
    replaced: TimeoutWitness | None = None

    @property
    def outcome(self) -> TimeoutWitness:
        return self.witness


@event_type("site.timeout_expired")
class TimeoutExpired(Fact):
    """A site's time-out ran out.

    Attributes:
        witness: the proof that was active.
        tick: the tick at which that was seen.
    """

    witness: TimeoutWitness
    tick: Counter


@event_type("site.crashed")
class SiteCrashed(Fact):
    """A site is gone; every live session in which it plays a role faults.

    Attributes:
        site: the site.
    """

    site: Identifier
