"""The tables under the names that callers know them by."""

from __future__ import annotations

from ..projections import AuditView, Events, OwnersView, Projector, TemporalStore, TimelineView, WitnessesView


class Projections:
    """The tables as they are, or as they were at one position.

    Attributes:
        position: the position they are read as of; None for now.
    """

    def __init__(self, events: Events, store: TemporalStore, projector: Projector, position: int | None = None) -> None:
        self.position = position
        self._owners = OwnersView(store, projector, position)
        self._audit = AuditView(events, position)
        self._witnesses = WitnessesView(store, projector, position)
        self._timeline = TimelineView(store, projector, position)

    @property
    def owners(self) -> OwnersView:
        """Who holds each session: a mapping from session id to owner, generation, scope, status and since."""
        return self._owners

    @property
    def audit(self) -> AuditView:
        """What became of every artifact."""
        return self._audit

    @property
    def witnesses(self) -> WitnessesView:
        """Every witness: a mapping from (session id, witness id) to what became of it."""
        return self._witnesses

    @property
    def timeline(self) -> TimelineView:
        """Which position the journal had reached at a time."""
        return self._timeline
