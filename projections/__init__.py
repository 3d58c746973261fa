"""What the past adds up to: tables that are made from the events alone, and remember every state they had."""

from ..domain import AuditEvent
from ..domain.effects import WitnessStatus
from ..domain.session.coherence import CoherenceViolation, ViolationKind, coherence_violations
from .audit import AuditRecord, AuditView, Events, audit_records
from .bundles import BundleRow, BundlesProjection, BundlesView, UpgradeRow, UpgradesView
from .changes import (
    TableChange,
    changed_positions,
    changes,
    history,
)
from .conversation_views import (
    ConversationRow,
    ConversationsView,
    DeadlinesView,
    LateFiring,
    LateFiringsView,
    PendingDeadline,
    PhaseVisit,
    PhaseVisitsView,
)
from .conversations import ConversationsProjection, ProposalStatus
from .delegations import DelegationRow, DelegationsProjection, DelegationStatus, DelegationsView
from .everything import all_projections
from .footprints import FootprintsProjection, FootprintsView, footprint_changes
from .holding import Birth, Grip, Held, Lock, Locks
from .idempotency import IdempotencyProjection, IdempotencyView, KeyUse
from .in_passing import (
    InPassing,
)
from .inboxes import InboxProjection, InboxRow, InboxView
from .owners import OwnerRow, OwnersProjection, OwnersView
from .projection import (
    Progress,
    Projection,
    Projector,
    RebuildReport,
    Source,
    collector_paused,
)
from .proposal_views import ProposalEntry, ProposalRow, ProposalsView
from .protocol_views import EdgeRow, EdgesView, TypeRow, TypesView
from .protocols import ProtocolsProjection
from .sagas import SagaRow, SagasProjection, SagasView
from .session_views import SessionRow, SessionsView
from .sessions import ArchivedSession, ArchiveView, SessionsProjection
from .sites import SiteRow, SitesProjection, SitesView
from .stamps import STEP_MS, Stamp, Stamps
from .store import TRACKING, TemporalStore
from .stored_tables import StoredRow, StoredTable
from .temporal import FOREVER, PREFIX, Change, Row, Set, TemporalTable, Unset, Value
from .timeline import TimelineProjection, TimelineView
from .usage import Usage, UsageKind, measure
from .views import (
    MappingView,
    TableMapping,
    TableReader,
    is_storable,
    readable,
    to_columns,
)
from .witnesses import WitnessesProjection, WitnessesView, WitnessRow

__all__ = [
    "ArchiveView",
    "ArchivedSession",
    "AuditEvent",
    "AuditRecord",
    "AuditView",
    "Birth",
    "BundleRow",
    "BundlesProjection",
    "BundlesView",
    "Change",
    "CoherenceViolation",
    "ConversationRow",
    "ConversationsProjection",
    "ConversationsView",
    "DeadlinesView",
    "DelegationRow",
    "DelegationStatus",
    "DelegationsProjection",
    "DelegationsView",
    "EdgeRow",
    "EdgesView",
    "Events",
    "FOREVER",
    "FootprintsProjection",
    "FootprintsView",
    "Grip",
    "Held",
    "IdempotencyProjection",
    "IdempotencyView",
    "InPassing",
    "InboxProjection",
    "InboxRow",
    "InboxView",
    "KeyUse",
    "LateFiring",
    "LateFiringsView",
    "Lock",
    "Locks",
    "MappingView",
    "OwnerRow",
    "OwnersProjection",
    "OwnersView",
    "PREFIX",
    "PendingDeadline",
    "PhaseVisit",
    "PhaseVisitsView",
    "Progress",
    "Projection",
    "Projector",
    "ProposalEntry",
    "ProposalRow",
    "ProposalStatus",
    "ProposalsView",
    "ProtocolsProjection",
    "RebuildReport",
    "Row",
    "STEP_MS",
    "SagaRow",
    "SagasProjection",
    "SagasView",
    "SessionRow",
    "SessionsProjection",
    "SessionsView",
    "Set",
    "SiteRow",
    "SitesProjection",
    "SitesView",
    "Source",
    "Stamp",
    "Stamps",
    "StoredRow",
    "StoredTable",
    "TRACKING",
    "TableChange",
    "TableMapping",
    "TableReader",
    "TemporalStore",
    "TemporalTable",
    "TimelineProjection",
    "TimelineView",
    "TypeRow",
    "TypesView",
    "Unset",
    "UpgradeRow",
    "UpgradesView",
    "Usage",
    "UsageKind",
    "Value",
    "ViolationKind",
    "WitnessRow",
    "WitnessStatus",
    "WitnessesProjection",
    "WitnessesView",
    "all_projections",
    "audit_records",
    "changed_positions",
    "changes",
    "coherence_violations",
    "collector_paused",
    "footprint_changes",
    "history",
    "is_storable",
    "measure",
    "readable",
    "to_columns",
]
