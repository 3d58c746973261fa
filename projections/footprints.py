"""Footprints: how every authority has its sessions, and whether that is coherent (aura 1.7, 2.25, 2.26)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from ..domain import Event, Footprint, FootprintClass, RecordedEvent
from ..domain.session.coherence import CoherenceViolation, coherence_violations
from .projection import Projection
from .temporal import Change, Row, Set, TemporalTable, Unset
from .views import MappingView, readable

FOOTPRINTS = TemporalTable(
    name="footprints",
    version=1,
    key={"authority": str, "session_id": str},
    columns={"class": str},
    lookup=("session_id",),
)


Mark: TypeAlias = tuple[str, str, FootprintClass | None]
"""A session, an authority, and how it has the session since; None for not at all."""


class FootprintsProjection(Projection):
    """Sets a row with every change of how an authority has a session."""

    name = "footprints"
    tables = (FOOTPRINTS,)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Set or unset a row for each authority whose hold of the session the event changed."""
        effects = record.event.effects
        if effects is None or not effects.footprint:
            return ()
        return [_change((authority, effects.session_id), held) for authority, held in effects.footprint]


def _change(key: tuple[str, str], held: FootprintClass | None) -> Change:
    return Unset(FOOTPRINTS, key) if held is None else Set(FOOTPRINTS, key, (held.value,))


def footprint_changes(event: Event[Any]) -> list[Mark]:
    """How an event changes the footprints of its session: session, authority, and how that has it since."""
    effects = event.effects
    return [] if effects is None else [(effects.session_id, *holding) for holding in effects.footprint]


class FootprintsView(MappingView[str, Footprint]):
    """The footprints as a mapping from authority to the sessions that it has. One that has none is not in it."""

    _table = FOOTPRINTS
    _projection = FootprintsProjection.name

    def __getitem__(self, authority: str) -> Footprint:
        rows = self._select({"authority": authority})
        if not rows:
            raise KeyError(authority)
        (footprint,) = self._footprints(rows).values()
        return footprint

    def of_session(self, session_id: str) -> dict[str, FootprintClass]:
        """How each authority has one session, by authority."""
        return {authority: held for authority, _, held in self._marks(self._select({"session_id": session_id}))}

    def violations(self) -> tuple[CoherenceViolation, ...]:
        """What is incoherent; see ``coherence_violations``."""
        marks: dict[str, list[tuple[str, FootprintClass]]] = defaultdict(list)
        for authority, session_id, held in self._marks(self._select()):
            marks[session_id].append((authority, held))
        return coherence_violations(marks)

    def _all(self) -> dict[str, Footprint]:
        return self._footprints(self._select())

    def _footprints(self, rows: list[Row]) -> dict[str, Footprint]:
        sessions: dict[str, dict[FootprintClass, set[str]]] = {}
        for authority, session_id, held in self._marks(rows):
            sessions.setdefault(authority, {each: set() for each in FootprintClass})[held].add(session_id)
        return {
            authority: Footprint(**{each.value: frozenset(names) for each, names in found.items()})
            for authority, found in sessions.items()
        }

    def _marks(self, rows: list[Row]) -> Iterator[tuple[str, str, FootprintClass]]:
        for row in rows:
            authority, session_id, held, _ = row
            with readable(self._projection, self._table, row):
                mark = FootprintClass(held)
            yield authority, session_id, mark
