"""``journal.sites``: time-outs of sites by a runtime's own ticks, and crashes (telltale 2.14, 2.15)."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from ...domain import (
    SessionTerminal,
    TickWentBack,
    TimeoutWitness,
    session,
    site,
    site_stream,
)
from ...domain.bounds import MAX_DURATION_MS, MAX_NUMBER
from ...domain.identifiers import identifier, natural_number
from ...projections import Projector, SitesView, TemporalStore
from .base import Ask, Command, Executes, Steps, carry_out
from .sessions import Sessions

_LAST_TICK = MAX_NUMBER - MAX_DURATION_MS


class Sites(SitesView):
    """The commands on sites, and how each stands: a mapping from site to a row.

    A site is where a role of sessions runs, under the role's name. Its ticks are the runtime's own logical clock.

    Args:
        journal: what carries commands out.
        sessions: the commands on sessions.
        store: the tables.
        projector: what keeps them caught up.
    """

    def __init__(
        self,
        journal: Executes,
        sessions: Sessions,
        store: TemporalStore,
        projector: Projector,
    ) -> None:
        super().__init__(store, projector)
        self._journal = journal
        self._sessions = sessions

    def time_out(self, site_name: str, duration_ms: int, tick_duration_ms: int, now_tick: int) -> TimeoutWitness:
        """Have a site time out, from a tick on (telltale 2.14).

        A time-out that runs is replaced, even by one that ends earlier.

        Args:
            site_name: the site.
            duration_ms: how long, in ms; at least one tick.
            tick_duration_ms: how long a tick is, in ms; 0 makes every time-out one tick long.
            now_tick: the tick now.

        Returns:
            The proof, with the tick from which on it does not hold any more.

        Raises:
            TickWentBack: the site was at a later tick before.
        """
        name = identifier("site_name", site_name)
        duration = natural_number("duration_ms", duration_ms, most=MAX_DURATION_MS)
        length = natural_number("tick_duration_ms", tick_duration_ms, most=MAX_DURATION_MS)
        tick = natural_number("now_tick", now_tick, most=_LAST_TICK)
        return self._journal.execute(site_stream(name), site.time_out, duration, length, tick)

    def tick(self, now_tick: int) -> tuple[TimeoutWitness, ...]:
        """Have every time-out run out whose tick has come (telltale 2.14).

        Returns:
            Those that ran out, by site.

        Raises:
            TickWentBack: a site was at a later tick before.
        """
        return carry_out(self._journal, self._ticking(natural_number("now_tick", now_tick, most=_LAST_TICK)))

    def _ticking(self, tick: int) -> Steps[tuple[TimeoutWitness, ...]]:
        expiring: list[str] = yield Ask(partial(self._to_expire, tick))
        expired: list[TimeoutWitness] = []
        for name in expiring:
            # Somebody may have replaced it meanwhile.
            if witness := (yield Command(site_stream(name), site.expire, (tick,))):
                expired.append(witness)
        return tuple(expired)

    def _to_expire(self, tick: int) -> list[str]:
        if (ahead := self._ahead_of(tick)) is not None:
            raise TickWentBack(ahead[0], tick, ahead[1])
        return self._expiring(tick)

    def crashed(self, site_name: str) -> tuple[str, ...]:
        """Record that a site is gone, and fault every open session in which it plays a role (telltale 2.15).

        Given again, it faults those that were opened since, or that an interrupt left out.

        Args:
            site_name: the site.

        Returns:
            The sessions that are faulted with this.
        """
        return carry_out(self._journal, self._crashing(identifier("site_name", site_name)))

    def _crashing(self, name: str) -> Steps[tuple[str, ...]]:
        yield Command(site_stream(name), site.crash, ())
        playing: list[str] = yield Ask(partial(self._sessions._playing, name))
        faulted: list[str] = []
        for session_id in playing:
            # Somebody may have ended it meanwhile.
            with suppress(SessionTerminal):
                yield from self._sessions._finishing(session_id, session.fault_crashed, (name,))
                faulted.append(session_id)
        return tuple(faulted)
