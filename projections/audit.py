"""The audit trail: what became of every artifact, in causal order (telltale 2.16)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from ..domain import (
    Artifact,
    ArtifactKind,
    CancellationWitness,
    Event,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    RecordedEvent,
    session as events,
)
from .projection import Projection
from .temporal import Change, Row, Set, TemporalTable
from .views import TableReader, unreadable

AUDIT = TemporalTable(
    name="audit",
    version=1,
    key={"position": int, "ordinal": int},
    columns={"session_id": str, "kind": str, "event": str, "reason": str, "artifact": str},
    lookup=("session_id",),
    is_log=True,
)


class AuditEvent(StrEnum):
    """What can become of an artifact (telltale 1.2, ``AuthorityAuditEvent``)."""

    ISSUED = "issued"
    CONSUMED = "consumed"
    INVALIDATED = "invalidated"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"


class AuditRecord(NamedTuple):
    """One line of the audit trail.

    Attributes:
        artifact: the artifact, whole; a rejected one exactly as it was presented.
        kind: what kind of artifact it is.
        event: what became of it.
        reason: why, where there is a reason.
        position: the position of the event that says so.
        session_id: the session in whose trail the record stands.
    """

    artifact: Artifact
    kind: ArtifactKind
    event: AuditEvent
    reason: str | None
    position: int
    session_id: str


_KINDS: Final[dict[type[Any], ArtifactKind]] = {
    OwnershipCapability: ArtifactKind.OWNERSHIP_CAPABILITY,
    OwnershipReceipt: ArtifactKind.OWNERSHIP_RECEIPT,
    ReadinessWitness: ArtifactKind.READINESS_WITNESS,
    CancellationWitness: ArtifactKind.CANCELLATION_WITNESS,
}
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {kind.value: TypeAdapter(cls) for cls, kind in _KINDS.items()}
_SERIALIZERS: Final = {cls: _ADAPTERS[kind.value].serializer for cls, kind in _KINDS.items()}

# Plain strings: an enum's value is looked up anew every time, and that shows when a million events are folded.
_ISSUED, _CONSUMED, _INVALIDATED, _COMMITTED, _ROLLED_BACK, _REJECTED = (event.value for event in AuditEvent)

_COLUMNS: Final = {cls: (kind.value, _SERIALIZERS[cls].to_json) for cls, kind in _KINDS.items()}

_Entry = tuple[Artifact, str, str | None]


def _issued(artifact: Artifact) -> _Entry:
    return artifact, _ISSUED, None


def _ended(event: Any, capability: OwnershipCapability, reason: str, *then: _Entry) -> list[_Entry]:
    """A capability ended, and the outstanding witnesses with it."""
    return [
        (capability, _INVALIDATED, reason),
        *((witness, _INVALIDATED, reason) for witness in event.voided),
        *then,
    ]


def _rejected(event: Any) -> list[_Entry]:
    return [(event.artifact, _REJECTED, event.reason)]


_ENTRIES: Final[dict[type[Event[Any]], Callable[[Any], list[_Entry]]]] = {
    events.OwnershipClaimed: lambda event: [_issued(event.capability)],
    events.OwnershipReleased: lambda event: _ended(event, event.capability, "ownership released"),
    events.OwnershipTransferred: lambda event: _ended(
        event, event.previous, "ownership transferred", _issued(event.capability)
    ),
    events.ScopeAttenuated: lambda event: _ended(
        event, event.previous, "ownership scope attenuated", _issued(event.capability)
    ),
    events.TransferBegun: lambda event: [_issued(event.receipt)],
    events.TransferCommitted: lambda event: _ended(
        event,
        event.previous,
        "ownership transferred",
        (event.receipt, _COMMITTED, None),
        _issued(event.capability),
    ),
    events.TransferRolledBack: lambda event: [(event.receipt, _ROLLED_BACK, None)],
    events.ReadinessWitnessIssued: lambda event: [_issued(event.witness)],
    events.ReadinessWitnessConsumed: lambda event: [(event.witness, _CONSUMED, None)],
    events.OwnerDied: lambda event: _ended(event, event.capability, "owner died", _issued(event.witness)),
    events.TransferAbandoned: lambda event: _ended(
        event,
        event.capability,
        "transfer abandoned",
        (event.receipt, _ROLLED_BACK, "transfer abandoned"),
        _issued(event.witness),
    ),
    events.TransferCommitFailed: lambda event: _ended(
        event,
        event.capability,
        "transfer commit failed",
        (event.receipt, _ROLLED_BACK, event.reason.reason),
    ),
    events.SessionClosed: lambda event: _ended(event, event.capability, "session closed"),
    events.CapabilityRejected: _rejected,
    events.ReceiptRejected: _rejected,
    events.WitnessRejected: _rejected,
}


class AuditProjection(Projection):
    """Writes the records that each event adds to the trail, in the order of telltale 2.16."""

    name = "audit"
    tables = (AUDIT,)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Set one row for each record."""
        entries = _ENTRIES.get(type(record.event))
        if entries is None:
            return ()
        position, session_id = record.position, record.stream.partition("-")[2]
        changes = []
        for ordinal, (artifact, event, reason) in enumerate(entries(record.event)):
            kind, to_json = _COLUMNS[type(artifact)]
            text = to_json(artifact, exclude_defaults=True).decode()
            changes.append(Set(AUDIT, (position, ordinal), (session_id, kind, event, reason, text)))
        return changes


class AuditView(TableReader):
    """The audit trail, of one session or of all."""

    table = AUDIT
    projection = AuditProjection.name

    def records(self, session_id: str | None = None, *, after: int = 0, limit: int | None = None) -> list[AuditRecord]:
        """Read the trail, oldest first.

        Args:
            session_id: only this session's records.
            after: only records of events behind this position.
            limit: at most so many records.
        """
        where = None if session_id is None else {"session_id": session_id}
        return [_to_record(row) for row in self._select(where, after=after, limit=limit)]

    def __len__(self) -> int:
        return self._count()


def _to_record(row: Row) -> AuditRecord:
    position, _, session_id, kind, event, reason, artifact, _ = row
    try:
        return AuditRecord(
            artifact=_ADAPTERS[kind].validate_json(artifact),
            kind=ArtifactKind(kind),
            event=AuditEvent(event),
            reason=reason,
            position=position,
            session_id=session_id,
        )
    except (KeyError, ValueError) as error:
        raise unreadable(AuditProjection.name, AUDIT, row, error) from error
