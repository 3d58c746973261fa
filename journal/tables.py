"""The tables under the names that callers know them by."""

from __future__ import annotations

from ..projections import (
    ArchiveView,
    AuditView,
    BundlesView,
    CoherenceViolation,
    ConversationsView,
    DeadlinesView,
    DelegationsView,
    EdgesView,
    Events,
    FootprintsView,
    InboxView,
    LateFiringsView,
    OwnersView,
    PhaseVisitsView,
    Projector,
    ProposalsView,
    SagasView,
    SessionsView,
    SitesView,
    TemporalStore,
    TimelineView,
    TypesView,
    UpgradesView,
    WitnessesView,
)


class Projections:
    """The tables as they are, or as they were at one position.

    Attributes:
        position: the position they are read as of; None for now.
    """

    def __init__(self, events: Events, store: TemporalStore, projector: Projector, position: int | None = None) -> None:
        self.position = position
        self._owners = OwnersView(store, projector, position)
        self._audit = AuditView(events, position)
        self._sessions: SessionsView = SessionsView(store, projector, position)
        self._inbox: InboxView = InboxView(store, projector, position)
        self._archive = ArchiveView(store, projector, position)
        self._types = TypesView(store, projector, position)
        self._edges = EdgesView(events, store, projector, position)
        self._sites: SitesView = SitesView(store, projector, position)
        self._witnesses = WitnessesView(store, projector, position)
        self._footprints = FootprintsView(store, projector, position)
        self._delegations = DelegationsView(store, projector, position)
        self._bundles: BundlesView = BundlesView(store, projector, position)
        self._upgrades = UpgradesView(store, projector, position)
        self._sagas: SagasView = SagasView(store, projector, position)
        self._conversations: ConversationsView = ConversationsView(store, projector, position)
        self._deadlines = DeadlinesView(store, projector, position)
        self._proposals = ProposalsView(events, store, projector, position)
        self._phase_visits = PhaseVisitsView(store, projector, position)
        self._late_firings = LateFiringsView(store, projector, position)
        self._timeline = TimelineView(events, store, projector, position)

    @property
    def owners(self) -> OwnersView:
        """Who holds each session: a mapping from session id to owner, generation, scope, status and since."""
        return self._owners

    @property
    def sessions(self) -> SessionsView:
        """The sessions that are not put away: a mapping from session id to how each stands."""
        return self._sessions

    @property
    def inbox(self) -> InboxView:
        """The envelopes that are not acknowledged: a mapping from (session id, number) to whom each is for."""
        return self._inbox

    @property
    def types(self) -> TypesView:
        """The local types: a mapping from (session id, role) to what the role does from here on."""
        return self._types

    @property
    def edges(self) -> EdgesView:
        """The edges: a mapping from (session id, sender, receiver) to handler, trace, and what was queued."""
        return self._edges

    @property
    def archive(self) -> ArchiveView:
        """The finished incarnations that were put away: a mapping from (session id, incarnation) to a summary."""
        return self._archive

    @property
    def sites(self) -> SitesView:
        """The sites: a mapping from site to the time-out that runs, and whether it crashed."""
        return self._sites

    @property
    def audit(self) -> AuditView:
        """What became of every artifact."""
        return self._audit

    @property
    def witnesses(self) -> WitnessesView:
        """Every witness: a mapping from (session id, witness id) to what became of it."""
        return self._witnesses

    @property
    def footprints(self) -> FootprintsView:
        """Which sessions each authority has: a mapping from authority to native, delegated in and delegated out."""
        return self._footprints

    def coherence(self) -> tuple[CoherenceViolation, ...]:
        """Where authorities contradict each other over a session: nowhere, unless rows were changed (law 7)."""
        return self._footprints.violations()

    @property
    def delegations(self) -> DelegationsView:
        """Every delegation: a mapping from (session id, delegation id) to who gave it to whom."""
        return self._delegations

    @property
    def bundles(self) -> BundlesView:
        """The bundles that are known: a mapping from bundle id to what it is and who runs it."""
        return self._bundles

    @property
    def upgrades(self) -> UpgradesView:
        """Every upgrade: a mapping from (bundle id, upgrade id) to where it stands."""
        return self._upgrades

    @property
    def sagas(self) -> SagasView:
        """Every saga: a mapping from saga id to where it stands."""
        return self._sagas

    @property
    def conversations(self) -> ConversationsView:
        """Every conversation: a mapping from conversation id to its phase, deadlines and counts."""
        return self._conversations

    @property
    def deadlines(self) -> DeadlinesView:
        """What is due in all conversations, earliest first."""
        return self._deadlines

    @property
    def proposals(self) -> ProposalsView:
        """Every proposal: a mapping from (conversation id, proposal id) to what became of it; and its timeline."""
        return self._proposals

    @property
    def phase_visits(self) -> PhaseVisitsView:
        """Which phases each conversation went through, and how long each took."""
        return self._phase_visits

    @property
    def late_firings(self) -> LateFiringsView:
        """Which deadlines were fired late, and how late."""
        return self._late_firings

    @property
    def timeline(self) -> TimelineView:
        """Which position the journal had reached at a time."""
        return self._timeline
