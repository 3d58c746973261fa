"""Artifacts, events and states in a few words, as a table has room for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from muniment.domain import (
    CancellationWitness,
    ComposedBundle,
    DelegationReceipt,
    Envelope,
    FootprintClass,
    Omitted,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    RecordedEvent,
    RuntimeUpgradeArtifact,
    SessionFragment,
    TerminalReason,
    TimeoutWitness,
    bundle,
    inbox,
    saga,
    session,
    site,
)
from muniment.domain.content import content_bytes
from muniment.domain.protocol import Edge, SessionPlan, TypeAdvance
from muniment.domain.shown import utc
from muniment.scripts import describe_conversations


def what_happened(record: RecordedEvent) -> str:
    """A record's event in a few words, and what it undoes, if it undoes anything."""
    undone = record.metadata.compensates
    return describe(record.event) + (f"; undoes {', '.join(undone)}" if undone else "")


def describe(value: Any) -> str:
    """An artifact, an event or a part of a state in a few words."""
    if (of_type := _DESCRIPTIONS.get(type(value))) is not None:
        return of_type(value)
    match value:
        case None:
            return ""
        case frozenset():
            return ", ".join(sorted(value))
        case tuple():
            return ", ".join(map(describe, value))
        case Mapping():
            return ", ".join(_entry(key, each) for key, each in sorted(value.items()))
        case _ if is_dataclass(value):
            return _fields(value)
    return str(value)


def _entry(key: object, value: object) -> str:
    """An entry of a mapping; a fragment says its key itself."""
    return describe(value) if isinstance(value, SessionFragment) else f"{key}: {describe(value)}"


def _fields(value: Any) -> str:
    parts = {field.name: getattr(value, field.name) for field in fields(value)}
    # What ended can be seen with --json; what holds now is what a line has room for. The stream says whose it is.
    for name in ("voided", "previous", "saga_id"):
        parts.pop(name, None)
    return "; ".join(describe(part) for part in parts.values() if part not in (None, (), False, ""))


def _capability(value: OwnershipCapability) -> str:
    return f"{value.owner}, generation {value.generation}, {value.scope}"


def _delegation(value: DelegationReceipt) -> str:
    through = f" through {value.bundle_id}" if value.bundle_id else ""
    clears = f", clears {', '.join(value.cleared)}" if value.cleared else ""
    claimed = value.claimed_at
    when = f", at {utc(claimed.at)} as {claimed.origin} claims" if claimed else ""
    return f"delegation {value.delegation_id}: {value.from_authority} to {value.to_authority}{through}{clears}{when}"


def _upgrade(value: RuntimeUpgradeArtifact) -> str:
    members = f"{describe(value.previous_members)} to {describe(value.next_members)}"
    reason = f": {value.reason}" if value.reason else ""
    if value.omitted is not None:
        members = describe(value.omitted)
    return f"upgrade {value.upgrade_id} {value.phase}, {members}{reason}"


def _footprint(entries: tuple[tuple[str, FootprintClass | None], ...]) -> str:
    return ", ".join(f"{authority} {held or 'no longer'}" for authority, held in entries)


def describe_presented(artifact: Any, omitted: Omitted | None) -> str:
    """An artifact, and how much of it is left out where it was recorded in brief."""
    return _joined(artifact, omitted)


def _joined(*parts: object) -> str:
    return "; ".join(described for part in parts if (described := describe(part)))


def _released(fragments: tuple[SessionFragment, ...]) -> str:
    return f"released {', '.join(each.key for each in fragments)}" if fragments else ""


def _terms(value: session.SessionTerms) -> str:
    parts = [
        f"protocol {value.protocol_id}" if value.protocol_id else "",
        f"context {value.context_id}" if value.context_id else "",
        f"as {value.current_role}" if value.current_role else "",
        f"time-out {value.timeout_ms} ms" if value.timeout_ms is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _ending(value: session.SessionEnding) -> str:
    parts = [
        f"took {value.duration_ms} ms" if value.duration_ms is not None else "",
        f"{_envelopes(value.lost_envelopes)} lost" if value.lost_envelopes else "",
    ]
    return ", ".join(part for part in parts if part)


def _envelope(value: Envelope) -> str:
    size = f"{len(content_bytes(value.payload))} bytes"
    # Along an edge, the step says between whom, and what it is.
    return size if value.edge is not None else f"{value.source} to {value.destination}, {size}"


def _ingress(event: session.IngressAccepted) -> str:
    roles = " ".join(f"{name} {role}" for name, role in (("from", event.from_role), ("to", event.to_role)) if role)
    return _joined(event.kind, event.active_role, roles, f"{event.size} bytes" if event.sha256 else "")


def _members(event: bundle.MembersRestored) -> str:
    return _joined(event.upgrade, f"members {describe(event.members) or 'none'}")


_DESCRIPTIONS: Final[dict[type[Any], Callable[[Any], str]]] = {
    TerminalReason: str,
    Omitted: lambda value: f"in brief, {value.size} bytes left out",
    OwnershipCapability: _capability,
    OwnershipReceipt: lambda value: f"transfer {value.claim_id}: {value.from_owner} to {value.to_owner}, {value.scope}",
    ReadinessWitness: lambda value: f"witness {value.witness_id}: {value.predicate}",
    CancellationWitness: lambda value: f"witness {value.witness_id}: {value.reason}",
    DelegationReceipt: _delegation,
    RuntimeUpgradeArtifact: _upgrade,
    ComposedBundle: lambda value: f"{value.bundle_id}: {', '.join(value.protocol_ids)}",
    SessionFragment: lambda value: f"{value.key} {'left by' if value.passes else 'held by'} {value.owner}",
    session.SessionOpened: lambda event: _joined(
        f"incarnation {event.incarnation}", event.roles, event.terms, event.plan
    ),
    session.SessionStarted: lambda event: "started owned",
    session.SessionDrained: lambda event: f"epoch {event.epoch}",
    session.DrainingWithdrawn: lambda event: "active again",
    session.TermsChanged: lambda event: describe(event.terms),
    session.SessionTerms: _terms,
    session.SessionEnding: _ending,
    session.SessionEnded: lambda event: _joined(event.reason, event.ending),
    session.SessionArchived: lambda event: _joined(f"incarnation {event.incarnation}", event.status, event.reason),
    session.IngressAccepted: _ingress,
    session.RoundRecorded: lambda event: f"{event.role}: {event.result}",
    Envelope: _envelope,
    inbox.EnvelopePut: lambda event: _joined(f"envelope {event.number}: {describe(event.envelope)}", event.advance),
    inbox.EnvelopeTaken: lambda event: f"envelope {event.number} by generation {event.capability.generation}",
    inbox.EnvelopeAcknowledged: lambda event: _joined(
        f"envelope {event.number} by generation {event.capability.generation}", event.advance
    ),
    inbox.EnvelopesGivenBack: lambda event: f"envelopes {', '.join(map(str, event.numbers))}",
    inbox.TakingWithdrawn: lambda event: f"envelope {event.number}",
    inbox.EnvelopeWithdrawn: lambda event: f"envelope {event.number}",
    inbox.EnvelopesLost: lambda event: _envelopes(len(event.numbers)),
    inbox.TypeAdvanced: lambda event: describe(event.advance),
    inbox.TypeRestored: lambda event: describe(event.undone),
    TypeAdvance: lambda value: f"{value.role}: {value.step}",
    Edge: str,
    session.HandlerSet: lambda event: f"{event.edge or 'by default'}: {event.handler}",
    session.HandlerRestored: lambda event: f"{event.edge or 'by default'}: {event.handler or 'the default'}",
    session.TraceSet: lambda event: f"{event.edge}: {describe(event.trace)}",
    session.TraceRestored: lambda event: f"{event.edge}: {describe(event.trace) or 'nothing'}",
    SessionPlan: lambda value: f"plan of {len(value.types)} types",
    TimeoutWitness: lambda value: f"witness {value.witness_id}: {value.site} until tick {value.until_tick}",
    site.SiteTimedOut: lambda event: describe(event.witness),
    site.TimeoutExpired: lambda event: f"{describe(event.witness)}, at tick {event.tick}",
    site.SiteCrashed: lambda event: event.site,
    session.SessionHosted: lambda event: f"hosted by {event.authority}",
    session.HostingWithdrawn: lambda event: f"no longer hosted by {event.authority}",
    session.SessionDelegated: lambda event: _joined(event.receipt, event.moved_fragments),
    session.SessionHandedOver: lambda event: _joined(event.capability, event.receipt),
    session.DelegationReverted: lambda event: _joined(_footprint(event.footprint), event.restored_fragments),
    session.HandOverReverted: lambda event: f"{describe(event.capability)}; {_footprint(event.footprint)}",
    session.OwnershipRestored: lambda event: _joined(event.capability or "nobody owns it", event.staged),
    session.OpeningWithdrawn: lambda event: f"incarnation {event.incarnation} withdrawn, {event.status} again",
    session.FragmentsReleased: lambda event: _joined(event.capability, _released(event.fragments)),
    session.FragmentsRestored: lambda event: _joined(event.fragments, _released(event.released_fragments)),
    session.FragmentsMoved: lambda event: _joined(event.capability, event.fragments),
    bundle.MembersSeeded: lambda event: f"members {describe(event.members)}",
    bundle.MembersRestored: _members,
    bundle.UpgradeCommitted: lambda event: describe(event.artifact),
    saga.SagaCompensated: lambda event: _joined(event.name, event.reason, _left(event.left)),
    saga.SagaResolved: lambda event: _joined(event.name, event.reason, _left(event.left)),
    **describe_conversations.DESCRIPTIONS,
}


def _left(steps: tuple[str, ...]) -> str:
    return f"left {', '.join(steps)}" if steps else ""


def _envelopes(count: int) -> str:
    return "1 envelope" if count == 1 else f"{count} envelopes"
