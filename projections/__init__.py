"""What the past adds up to: tables that are made from the events alone, and remember every state they had."""

from .audit import AuditEvent, AuditRecord, AuditView, Events, audit_records
from .idempotency import IdempotencyProjection, IdempotencyView, KeyUse
from .owners import OwnerRow, OwnersProjection, OwnersView
from .projection import Progress, Projection, Projector, RebuildReport, Source
from .sqlite import SQLiteTemporalStore
from .store import TRACKING, TemporalStore
from .temporal import FOREVER, Change, Row, Set, TemporalTable, Unset, Value
from .timeline import TimelineProjection, TimelineView
from .views import TableMapping, TableReader
from .witnesses import WitnessesProjection, WitnessesView, WitnessRow, WitnessStatus

__all__ = [
    "AuditEvent",
    "AuditRecord",
    "AuditView",
    "Change",
    "Events",
    "FOREVER",
    "IdempotencyProjection",
    "IdempotencyView",
    "KeyUse",
    "OwnerRow",
    "OwnersProjection",
    "OwnersView",
    "Progress",
    "Projection",
    "Projector",
    "RebuildReport",
    "Row",
    "SQLiteTemporalStore",
    "Set",
    "Source",
    "TRACKING",
    "TableMapping",
    "TableReader",
    "TemporalStore",
    "TemporalTable",
    "TimelineProjection",
    "TimelineView",
    "Unset",
    "Value",
    "WitnessRow",
    "WitnessStatus",
    "WitnessesProjection",
    "WitnessesView",
    "audit_records",
]
