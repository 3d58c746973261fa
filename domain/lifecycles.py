"""What class each kind of artifact is of, and what can become of it: one table (telltale 1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from .artifacts import ArtifactKind


class AuditEvent(StrEnum):
    """What can become of an artifact (telltale 1.2, ``AuthorityAuditEvent``)."""

    ISSUED = "issued"
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


class Lifecycle(NamedTuple):
    """One kind of artifact.

    Attributes:
        artifact_class: what it is good for.
        events: what can become of it, in the order in which that can happen.
    """

    artifact_class: ArtifactClass
    events: tuple[AuditEvent, ...]


_OWNERSHIP, _TRANSITION, _EVIDENCE = ArtifactClass
_ISSUED, _CONSUMED, _INVALIDATED, _COMMITTED, _ROLLED_BACK, _REJECTED, _EXPIRED = AuditEvent

LIFECYCLES: Final[Mapping[ArtifactKind, Lifecycle]] = {
    ArtifactKind.OWNERSHIP_CAPABILITY: Lifecycle(_OWNERSHIP, (_ISSUED, _REJECTED, _INVALIDATED)),
    ArtifactKind.OWNERSHIP_RECEIPT: Lifecycle(_TRANSITION, (_ISSUED, _REJECTED, _COMMITTED, _ROLLED_BACK)),
    ArtifactKind.DELEGATION_RECEIPT: Lifecycle(_TRANSITION, (_ISSUED, _INVALIDATED)),
    ArtifactKind.READINESS_WITNESS: Lifecycle(_EVIDENCE, (_ISSUED, _REJECTED, _CONSUMED, _INVALIDATED)),
    ArtifactKind.CANCELLATION_WITNESS: Lifecycle(_EVIDENCE, (_ISSUED,)),
    ArtifactKind.TIMEOUT_WITNESS: Lifecycle(_EVIDENCE, (_ISSUED, _INVALIDATED, _EXPIRED)),
}
"""Every kind of artifact."""
