"""The tables under the names that callers know them by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from ..domain import (
    ConversationNotFound,
    SessionNotFound,
    UnknownTable,
    bundle_stream,
    conversation_stream,
    session_stream,
)
from ..domain.bundle import BundleSnapshot, snapshot_of
from ..domain.conversation import ConversationView, Life
from ..domain.identifiers import identifier
from ..domain.session import SessionStatus, SessionView
from ..domain.states import new_state
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
    StoredTable,
    TemporalStore,
    TemporalTable,
    TimelineView,
    TypesView,
    UpgradesView,
    WitnessesView,
)

ResultT = TypeVar("ResultT")
ViewT = TypeVar("ViewT")


class Projections:
    """The tables as they are, or as they were at one position.

    Attributes:
        position: the position they are read as of; None for now.
    """

    def __init__(self, events: Events, store: TemporalStore, projector: Projector, position: int | None = None) -> None:
        self.position = position
        self._events = events
        self._store = store
        self._projector = projector
        # Made when they are asked for: who looks at many moments looks at few tables of each.
        self._views: dict[Callable[..., Any], Any] = {}

    @property
    def tables(self) -> Mapping[str, Mapping[Any, Any]]:
        """Every table by name: those that are named here, and what else is stored, as rows of plain columns."""
        return Tables(self, self._projector)

    def stored(self, name: str) -> StoredTable:
        """A table as it is stored: a mapping from key to plain columns.

        Raises:
            UnknownTable: there is no such table.
        """
        projection, table = known_table(self._projector, name)
        return StoredTable(projection, table, self._store, self._projector, self.position)

    def session(self, session_id: str) -> SessionView:
        """A session, folded from its events.

        Raises:
            SessionNotFound: it was never opened.
        """
        view = self._folded(session_stream(identifier("session_id", session_id)), SessionView.of)
        if view.status is SessionStatus.UNOPENED:
            raise SessionNotFound(session_id)
        return view

    def bundle(self, bundle_id: str) -> BundleSnapshot:
        """Who runs a bundle, and where its last upgrade stands, folded from its events (telltale 7.1).

        Raises:
            BundleNotFound: it is not registered.
            MembersNotSeeded: nobody said who runs it.
        """
        return self._folded(bundle_stream(identifier("bundle_id", bundle_id)), snapshot_of)

    def conversation(self, conversation_id: str) -> ConversationView:
        """A conversation, folded from its events.

        Raises:
            ConversationNotFound: it was never opened.
        """
        stream = conversation_stream(identifier("conversation_id", conversation_id))
        view: ConversationView = self._folded(stream, ConversationView.of)
        if view.life is Life.UNOPENED:
            raise ConversationNotFound(conversation_id)
        return view

    def _folded(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        """Look at the state that a stream's events add up to."""
        state = new_state(stream)
        for record in self._events.read_stream(stream, through=self.position):
            state.apply(record.event)
        return view(state)

    def _view(self, kind: Callable[..., ViewT], *, reads_events: bool = False) -> ViewT:
        view: ViewT | None = self._views.get(kind)
        if view is None:
            about = (self._events,) if reads_events else ()
            view = self._views[kind] = kind(*about, self._store, self._projector, self.position)
        return view

    @property
    def owners(self) -> OwnersView:
        """Who holds each session: a mapping from session id to owner, generation, scope, status and since."""
        return self._view(OwnersView)

    @property
    def sessions(self) -> SessionsView:
        """The sessions that are not put away: a mapping from session id to how each stands."""
        return self._view(SessionsView)

    @property
    def inbox(self) -> InboxView:
        """The envelopes that are not acknowledged: a mapping from (session id, number) to whom each is for."""
        return self._view(InboxView)

    @property
    def types(self) -> TypesView:
        """The local types: a mapping from (session id, role) to what the role does from here on."""
        return self._view(TypesView)

    @property
    def edges(self) -> EdgesView:
        """The edges: a mapping from (session id, sender, receiver) to handler, trace, and what was queued."""
        return self._view(EdgesView, reads_events=True)

    @property
    def archive(self) -> ArchiveView:
        """The finished incarnations that were put away: a mapping from (session id, incarnation) to a summary."""
        return self._view(ArchiveView)

    @property
    def sites(self) -> SitesView:
        """The sites: a mapping from site to the time-out that runs, and whether it crashed."""
        return self._view(SitesView)

    @property
    def audit(self) -> AuditView:
        """What became of every artifact."""
        return AuditView(self._events, self.position)

    @property
    def witnesses(self) -> WitnessesView:
        """Every witness: a mapping from (session id, witness id) to what became of it."""
        return self._view(WitnessesView)

    @property
    def footprints(self) -> FootprintsView:
        """Which sessions each authority has: a mapping from authority to native, delegated in and delegated out."""
        return self._view(FootprintsView)

    def coherence(self) -> tuple[CoherenceViolation, ...]:
        """Where authorities contradict each other over a session: nowhere, unless rows were changed (law 7)."""
        return self.footprints.violations()

    @property
    def delegations(self) -> DelegationsView:
        """Every delegation: a mapping from (session id, delegation id) to who gave it to whom."""
        return self._view(DelegationsView)

    @property
    def bundles(self) -> BundlesView:
        """The bundles that are known: a mapping from bundle id to what it is and who runs it."""
        return self._view(BundlesView)

    @property
    def upgrades(self) -> UpgradesView:
        """Every upgrade: a mapping from (bundle id, upgrade id) to where it stands."""
        return self._view(UpgradesView)

    @property
    def sagas(self) -> SagasView:
        """Every saga: a mapping from saga id to where it stands."""
        return self._view(SagasView)

    @property
    def conversations(self) -> ConversationsView:
        """Every conversation: a mapping from conversation id to its phase, deadlines and counts."""
        return self._view(ConversationsView)

    @property
    def deadlines(self) -> DeadlinesView:
        """What is due in all conversations, earliest first."""
        return self._view(DeadlinesView)

    @property
    def proposals(self) -> ProposalsView:
        """Every proposal: a mapping from (conversation id, proposal id) to what became of it; and its timeline."""
        return self._view(ProposalsView, reads_events=True)

    @property
    def phase_visits(self) -> PhaseVisitsView:
        """Which phases each conversation went through, and how long each took."""
        return self._view(PhaseVisitsView)

    @property
    def late_firings(self) -> LateFiringsView:
        """Which deadlines were fired late, and how late."""
        return self._view(LateFiringsView)

    @property
    def timeline(self) -> TimelineView:
        """Which position the journal had reached at a time."""
        return self._view(TimelineView, reads_events=True)


class Tables(Mapping[str, Mapping[Any, Any]]):
    """Every table by name.

    Args:
        named: the tables that have views of their own.
        projector: knows them all.
    """

    def __init__(self, named: Projections, projector: Projector) -> None:
        self._named = named
        self._projector = projector

    def __getitem__(self, name: str) -> Mapping[Any, Any]:
        if type(name) is not str:
            raise KeyError(name)
        if name in READ_BY:
            view: Mapping[Any, Any] = getattr(self._named, name)
            return view
        if name not in self._projector.tables:
            raise KeyError(name)
        return self._named.stored(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*READ_BY, *self._projector.tables}))

    def __len__(self) -> int:
        return len({*READ_BY, *self._projector.tables})


def known_table(projector: Projector, name: object) -> tuple[str, TemporalTable]:
    """A table by its name, with the name of the projection that makes it.

    Raises:
        UnknownTable: there is none.
    """
    known = projector.tables
    if type(name) is not str or name not in known:
        near = get_close_matches(name[:_COMPARED], known) if type(name) is str else []
        raise UnknownTable(name, tuple(near or sorted(known)))
    return known[name]


_COMPARED: Final = 100
"""How many characters of a name are compared with those of tables."""

READ_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "archive": ("session_archive",),
    "bundles": ("bundles", "bundle_members"),
    "conversations": ("conversations", "conversation_configs", "deadlines", "proposals"),
    "delegations": ("delegations",),
    "edges": ("edges", "edge_trees", "inbox", "other_edges", "protocols", "session_plans"),
    "footprints": ("footprints",),
    "inbox": ("inbox",),
    "owners": ("owners",),
    "proposals": ("proposals",),
    "sagas": ("sagas",),
    "sessions": ("sessions", "session_roles", "owners", "footprints", "inbox"),
    "sites": ("sites",),
    "types": ("local_types", "protocols", "session_plans", "sessions"),
    "upgrades": ("upgrades",),
    "witnesses": ("witnesses",),
}
"""The tables that have views of their own, and which stored tables each of those reads."""
