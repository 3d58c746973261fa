"""Sites: which time-outs run, and which sites crashed (telltale 2.14, 2.15)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..domain import RecordedEvent, TimeoutWitness, site
from .remembering import RememberingProjection
from .temporal import FOREVER, Change, Row, TemporalTable, Value
from .views import TableMapping

SITES = TemporalTable(
    name="sites",
    version=1,
    key={"site": str},
    columns={"witness_id": int, "issued_at_tick": int, "until_tick": int, "last_tick": int, "is_crashed": int},
    ordered=("until_tick", "last_tick"),
    nullable=frozenset({"witness_id", "issued_at_tick", "until_tick"}),
)

_NONE = (None, None, None)


class SiteRow(NamedTuple):
    """What is known of one site.

    Attributes:
        timeout: the time-out that runs, or None.
        last_tick: the last tick that it is known to have been at.
        is_crashed: whether it crashed.
        since: the position of the event from which on all this holds.
    """

    timeout: TimeoutWitness | None
    last_tick: int
    is_crashed: bool
    since: int


class SitesProjection(RememberingProjection):
    """Follows every site."""

    name = "sites"
    tables = (SITES,)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Say what a record sets."""
        match record.event:
            case site.SiteTimedOut(witness=given):
                told = (given.witness_id, given.issued_at_tick, given.until_tick)
                return (self._changed(given.site, told, tick=given.issued_at_tick),)
            case site.TimeoutExpired(witness=given, tick=tick):
                return (self._changed(given.site, _NONE, tick=tick),)
            case site.SiteCrashed(site=name):
                return (self._changed(name, self._before(name)[:3], is_crashed=1),)
        return ()

    def _before(self, name: str) -> tuple[Any, ...]:
        return self._row(SITES, (name,)) or (*_NONE, 0, 0)

    def _changed(self, name: str, timeout: tuple[Value, ...], *, tick: int = 0, is_crashed: int = 0) -> Change:
        *_, last_tick, was_crashed = self._before(name)
        return self._set(SITES, (name,), (*timeout, max(last_tick, tick), was_crashed or is_crashed))


class SitesView(TableMapping[str, SiteRow]):
    """The sites that timed out or crashed, by name."""

    _table = SITES
    _projection = SitesProjection.name

    def _expiring(self, tick: int) -> list[str]:
        """The sites whose time-out has run out at a tick, sorted."""
        rows = self._select(between=("until_tick", 0, min(tick, FOREVER)), order=("until_tick",))
        return sorted(row[0] for row in rows)

    def _ahead_of(self, tick: int) -> tuple[str, int] | None:
        """A site that was at a later tick, and at which; None if none was."""
        rows = self._select(between=("last_tick", min(tick, FOREVER - 1) + 1, FOREVER), limit=1)
        return (rows[0][0], rows[0][4]) if rows else None

    def _to_item(self, row: Row) -> tuple[str, SiteRow]:
        SITES.require_types(row)
        name, witness_id, issued_at, until, last_tick, is_crashed, since = row
        timeout = None if witness_id is None else TimeoutWitness(witness_id, name, issued_at, until)
        return name, SiteRow(timeout, last_tick, bool(is_crashed), since)
