"""What class each kind of artifact is of, and what can become of it: one table (telltale 1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from .artifacts import ArtifactKind


class AuditEvent(StrEnum):
    """What can become of an artifact (telltale 1.2, ``AuthorityAuditEvent``).

    ``EXERCISED`` is ours: a capability was shown to change a session's edges, which the reference does not record.
    """

    ISSUED = "issued"
    EXERCISED = "exercised"
    CONSUMED = "consumed"
    INVALIDATED = "invalidated"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    EXPIRED = "expired"


class ArtifactClass(StrEnum):
    """What an artifact is good for."""

    OWNERSHIP = "ownership"
    TRANSITION = "transition"
    EVIDENCE = "evidence"


class ArtifactLifecycle(NamedTuple):
    """One kind of artifact.

    Attributes:
        artifact_class: what it is good for.
        events: what can become of it, in the order in which that can happen.
    """

    artifact_class: ArtifactClass
    events: tuple[AuditEvent, ...]


_OWNERSHIP, _TRANSITION, _EVIDENCE = ArtifactClass.OWNERSHIP, ArtifactClass.TRANSITION, ArtifactClass.EVIDENCE
_ISSUED, _REJECTED, _INVALIDATED = AuditEvent.ISSUED, AuditEvent.REJECTED, AuditEvent.INVALIDATED
_CONSUMED, _COMMITTED, _ROLLED_BACK = AuditEvent.CONSUMED, AuditEvent.COMMITTED, AuditEvent.ROLLED_BACK
_EXPIRED, _EXERCISED = AuditEvent.EXPIRED, AuditEvent.EXERCISED

ARTIFACT_LIFECYCLES: Final[Mapping[ArtifactKind, ArtifactLifecycle]] = {
    ArtifactKind.OWNERSHIP_CAPABILITY: ArtifactLifecycle(_OWNERSHIP, (_ISSUED, _EXERCISED, _REJECTED, _INVALIDATED)),
    ArtifactKind.OWNERSHIP_RECEIPT: ArtifactLifecycle(_TRANSITION, (_ISSUED, _REJECTED, _COMMITTED, _ROLLED_BACK)),
    ArtifactKind.DELEGATION_RECEIPT: ArtifactLifecycle(_TRANSITION, (_ISSUED, _INVALIDATED)),
    ArtifactKind.READINESS_WITNESS: ArtifactLifecycle(_EVIDENCE, (_ISSUED, _REJECTED, _CONSUMED, _INVALIDATED)),
    ArtifactKind.CANCELLATION_WITNESS: ArtifactLifecycle(_EVIDENCE, (_ISSUED,)),
    ArtifactKind.TIMEOUT_WITNESS: ArtifactLifecycle(_EVIDENCE, (_ISSUED, _INVALIDATED, _EXPIRED)),
}
"""Every kind of artifact."""
