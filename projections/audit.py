"""The audit trail: what became of every artifact, in causal order (telltale 2.16).

Every line of it follows from one event alone, so it is read off the events, and kept in no table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

from ..domain import (
    Artifact,
    ArtifactKind,
    AuditEvent,
    CancellationWitness,
    DelegationReceipt,
    Event,
    Omitted,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    RecordedEvent,
    TimeoutWitness,
    session,
    session_stream,
    site,
)
from ..domain.identifiers import natural_number
from ..domain.stream_names import split_stream


class AuditRecord(NamedTuple):
    """One line of the audit trail.

    Attributes:
        artifact: the artifact, whole; a rejected one exactly as it was presented, or in brief.
        kind: what kind of artifact it is.
        event: what became of it.
        reason: why, where there is a reason.
        position: the position of the event that says so.
        session_id: the session in whose trail the record stands; None of a site's time-out.
        omitted: what is left out of a rejected artifact that is recorded in brief; None of all others.
        tick: the tick at which it happened, by the runtime's own clock; None if nobody told it.
        site: the site that it happened at; None if it happened at none.
    """

    artifact: Artifact
    kind: ArtifactKind
    event: AuditEvent
    reason: str | None
    position: int
    session_id: str | None
    omitted: Omitted | None = None
    tick: int | None = None
    site: str | None = None


_KINDS: Final[dict[type[Any], ArtifactKind]] = {
    OwnershipCapability: ArtifactKind.OWNERSHIP_CAPABILITY,
    OwnershipReceipt: ArtifactKind.OWNERSHIP_RECEIPT,
    ReadinessWitness: ArtifactKind.READINESS_WITNESS,
    CancellationWitness: ArtifactKind.CANCELLATION_WITNESS,
    DelegationReceipt: ArtifactKind.DELEGATION_RECEIPT,
    TimeoutWitness: ArtifactKind.TIMEOUT_WITNESS,
}

_Entry = tuple[Artifact, AuditEvent, str | None]


def _issued(artifact: Artifact) -> _Entry:
    return artifact, AuditEvent.ISSUED, None


def _ended(event: Any, capability: OwnershipCapability, reason: str, *then: _Entry) -> list[_Entry]:
    """A capability ended, and the outstanding witnesses with it."""
    return [
        (capability, AuditEvent.INVALIDATED, reason),
        *((witness, AuditEvent.INVALIDATED, reason) for witness in event.voided),
        *then,
    ]


def _rejected(event: Any) -> list[_Entry]:
    return [(event.presented, AuditEvent.REJECTED, event.reason)]


def _handed_over(event: session.SessionHandedOver) -> list[_Entry]:
    proof = event.witness.ownership_receipt
    receipts: list[_Entry] = [] if proof is None else [(proof, AuditEvent.COMMITTED, None)]
    issued = (*receipts, _issued(event.capability), _issued(event.receipt))
    return _ended(event, event.previous, "session handed over", *issued)


def _hand_over_reverted(event: session.HandOverReverted) -> list[_Entry]:
    void: _Entry = (event.receipt, AuditEvent.INVALIDATED, "hand-over reverted")
    return _ended(event, event.previous, "hand-over reverted", void, _issued(event.capability))


def _ownership_restored(event: session.OwnershipRestored) -> list[_Entry]:
    reason = "ownership restored"
    given: list[_Entry] = [_issued(each) for each in (event.capability, event.staged) if each is not None]
    if event.dropped is not None:
        given.insert(0, (event.dropped, AuditEvent.ROLLED_BACK, reason))
    if event.previous is None:
        return given
    return _ended(event, event.previous, reason, *given)


def _owner_died(event: session.OwnerDied) -> list[_Entry]:
    # The reference drops a staged transfer in silence (telltale 2.10).
    dropped: list[_Entry] = []
    if event.receipt is not None:
        dropped.append((event.receipt, AuditEvent.ROLLED_BACK, "owner died"))
    return _ended(event, event.capability, "owner died", *dropped, _issued(event.witness))


def _handler_set(event: session.HandlerSet) -> str:
    whose = "default handler" if event.edge is None else f"handler of {event.edge}"
    return f"{whose} set to {event.handler}"


def _host_ended(event: session.SessionEnded) -> list[_Entry]:
    reason = f"session {event.reason}"
    dropped: list[_Entry] = [] if event.receipt is None else [(event.receipt, AuditEvent.ROLLED_BACK, reason)]
    return dropped if event.capability is None else _ended(event, event.capability, reason, *dropped)


def _timed_out(event: site.SiteTimedOut) -> list[_Entry]:
    if event.replaced is None:
        return [_issued(event.witness)]
    return [(event.replaced, AuditEvent.INVALIDATED, "replaced by newer timeout witness"), _issued(event.witness)]


_ENTRIES: Final[dict[type[Event[Any]], Callable[[Any], list[_Entry]]]] = {
    session.OwnershipClaimed: lambda event: [_issued(event.capability)],
    session.OwnershipReleased: lambda event: _ended(event, event.capability, "ownership released"),
    session.OwnershipTransferred: lambda event: _ended(
        event, event.previous, "ownership transferred", _issued(event.capability)
    ),
    session.ScopeAttenuated: lambda event: _ended(
        event, event.previous, "ownership scope attenuated", _issued(event.capability)
    ),
    session.TransferBegun: lambda event: [_issued(event.receipt)],
    session.TransferCommitted: lambda event: _ended(
        event,
        event.previous,
        "ownership transferred",
        (event.receipt, AuditEvent.COMMITTED, None),
        _issued(event.capability),
    ),
    session.TransferRolledBack: lambda event: [(event.receipt, AuditEvent.ROLLED_BACK, None)],
    session.ReadinessWitnessIssued: lambda event: [_issued(event.witness)],
    session.ReadinessWitnessConsumed: lambda event: [(event.witness, AuditEvent.CONSUMED, None)],
    session.OwnerDied: _owner_died,
    session.TransferAbandoned: lambda event: _ended(
        event,
        event.capability,
        "transfer abandoned",
        (event.receipt, AuditEvent.ROLLED_BACK, "transfer abandoned"),
        _issued(event.witness),
    ),
    session.TransferCommitFailed: lambda event: _ended(
        event,
        event.capability,
        "transfer commit failed",
        (event.receipt, AuditEvent.ROLLED_BACK, event.reason.reason),
    ),
    session.HandlerSet: lambda event: [(event.capability, AuditEvent.EXERCISED, _handler_set(event))],
    session.TraceSet: lambda event: [(event.capability, AuditEvent.EXERCISED, f"trace of {event.edge} set")],
    session.SessionClosed: lambda event: _ended(event, event.capability, "session closed"),
    session.SessionEnded: _host_ended,
    session.SessionDelegated: lambda event: [_issued(event.receipt)],
    session.DelegationReverted: lambda event: [(event.receipt, AuditEvent.INVALIDATED, "delegation reverted")],
    session.SessionHandedOver: _handed_over,
    session.HandOverReverted: _hand_over_reverted,
    session.OwnershipRestored: _ownership_restored,
    session.ReadinessWitnessWithdrawn: lambda event: [(event.witness, AuditEvent.INVALIDATED, "witness withdrawn")],
    session.CapabilityRejected: _rejected,
    session.ReceiptRejected: _rejected,
    session.WitnessRejected: _rejected,
    session.IngressRejected: _rejected,
    site.SiteTimedOut: _timed_out,
    site.TimeoutExpired: lambda event: [(event.witness, AuditEvent.EXPIRED, "timeout horizon elapsed")],
}


class Events(Protocol):
    """Where views read events."""

    def head(self) -> int:
        """The last position; 0 when there is none."""

    def record(self, position: int) -> RecordedEvent:
        """Decode the record at a position."""

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[RecordedEvent]:
        """Decode records of all streams, from the one behind a position."""

    def read_stream(
        self,
        stream: str,
        *,
        newest_first: bool = False,
        limit: int | None = None,
        behind: int = 0,
        through: int | None = None,
    ) -> Iterator[RecordedEvent]:
        """Decode one stream's records, those behind a position and up to one."""


class AuditView:
    """The audit trail, of one session or of all.

    Args:
        source: the events.
        position: the position to read as of; None for now.
    """

    def __init__(self, source: Events, position: int | None = None) -> None:
        self._source = source
        self._position = position

    def records(self, session_id: str | None = None, *, after: int = 0, limit: int | None = None) -> list[AuditRecord]:
        """Read the trail, oldest first.

        Args:
            session_id: only this session's records.
            after: only records of events behind this position.
            limit: at most so many records.

        Raises:
            InvalidArgument: an argument makes no sense.
            UnknownEventType, DamagedRecord: an event cannot be decoded.
        """
        after = natural_number("after", after)
        limit = None if limit is None else natural_number("limit", limit)
        if session_id is None:
            # Positions are without gaps, so it is known how many there are; what comes later is not even decoded.
            count = None if self._position is None else max(0, self._position - after)
            recorded = self._source.read(after, count)
        else:
            recorded = self._source.read_stream(session_stream(session_id), behind=after, through=self._position)
        found = (line for record in recorded for line in audit_records(record))
        return list(islice(found, limit))


def audit_records(record: RecordedEvent) -> list[AuditRecord]:
    """What one event adds to the trail."""
    entries = _ENTRIES.get(type(record.event))
    if entries is None:
        return []
    kind, whose = split_stream(record.stream)
    session_id, place = (None, whose) if kind == "site" else (whose, getattr(record.event, "site", None))
    omitted, tick = getattr(record.event, "omitted", None), _tick(record)
    return [
        AuditRecord(artifact, _KINDS[type(artifact)], event, reason, record.position, session_id, omitted, tick, place)
        for artifact, event, reason in entries(record.event)
    ]


def _tick(record: RecordedEvent) -> int | None:
    """The tick at which an event happened: a site's own, or the one that its command was given with."""
    if isinstance(record.event, site.SiteTimedOut):
        return record.event.witness.issued_at_tick
    return record.event.tick if isinstance(record.event, site.TimeoutExpired) else record.metadata.tick
