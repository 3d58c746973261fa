"""What the past adds up to: tables that are made from the events alone, and remember every state they had."""

from .audit import AuditEvent, AuditProjection, AuditRecord, AuditView
from .idempotency import IdempotencyProjection, IdempotencyView, KeyUse
from .owners import OwnerRow, OwnersProjection, OwnersView
from .projection import Progress, Projection, Projector, RebuildReport, Source
from .temporal import FOREVER, Change, Datastore, Row, Set, TemporalStore, TemporalTable, Unset, Value
from .timeline import TimelineProjection, TimelineView
from .views import TableMapping, TableReader
from .witnesses import WitnessesProjection, WitnessesView, WitnessRow, WitnessStatus

__all__ = [
    "AuditEvent",
    "AuditProjection",
    "AuditRecord",
    "AuditView",
    "Change",
    "Datastore",
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
    "Set",
    "Source",
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
]
