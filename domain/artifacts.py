"""What authority is shown with: capabilities, receipts, witnesses. Frozen values, compared whole.

They are plain data without a secret: anyone can build one. What makes one worth something is that the journal's live
state equals it, field by field.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints
from pydantic.dataclasses import dataclass

from .bounds import MAX_NUMBER
from .identifiers import Identifier, Names, Text
from .scope import ScopeField
from .value import VALUE, to_json, value_type

Counter = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
"""A generation, claim id, witness id, tick or time in ms: what every storage engine holds as an integer."""


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class OwnershipCapability:
    """Who may act for one session, and how far (telltale 1.2).

    Attributes:
        session_id: the session.
        owner: the owner's label.
        generation: the fencing token: from 1, and higher with every change of owner or scope (law 1).
        scope: how far the authority reaches.
    """

    session_id: Identifier
    owner: Identifier
    generation: Counter
    scope: ScopeField


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class OwnershipReceipt:
    """A staged transfer of one session's ownership (telltale 1.2).

    Attributes:
        claim_id: the transfer's number in its session, from 1.
        scope: the scope that the new owner will hold.
    """

    session_id: Identifier
    claim_id: Counter
    from_owner: Identifier
    from_generation: Counter
    to_owner: Identifier
    to_generation: Counter
    scope: ScopeField


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class ReadinessWitness:
    """Proof, to be spent once, that a readiness check passed under one capability (telltale 1.2).

    Attributes:
        witness_id: the witness's number in its session, from 1, counted together with cancellation witnesses.
        predicate: which check passed.
    """

    witness_id: Counter
    session_id: Identifier
    owner: Identifier
    generation: Counter
    scope: ScopeField
    predicate: Text


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class TerminalReason:
    """Why a session's ownership ended for good (telltale 1.2).

    Attributes:
        kind: what happened.
        owner: the owner it happened to; for transfers, the one that handed over. None if nobody owned the session.
        claim_id: the transfer's number; None where there was none.
        reason: why the commit failed, or why the host ended the session; None otherwise.
    """

    kind: Literal["owner_died", "transfer_abandoned", "transfer_commit_failed", "ended", "cancelled", "faulted"]
    owner: Identifier | None = None
    claim_id: Counter | None = None
    reason: Text | None = None

    def __str__(self) -> str:
        if self.kind == "owner_died":
            return f"ownership owner `{self.owner}` died"
        if self.kind == "transfer_abandoned":
            return f"ownership transfer {self.claim_id} abandoned by `{self.owner}`"
        if self.kind != "transfer_commit_failed":
            return f"{self.kind} by its host" + (f": {self.reason}" if self.reason else "")
        return f"ownership transfer commit failed: {self.reason}"


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class CancellationWitness:
    """Proof that a session was given up; it is never consumed (telltale 1.2)."""

    witness_id: Counter
    session_id: Identifier
    owner: Identifier
    generation: Counter
    reason: TerminalReason


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class TimeoutWitness:
    """Proof that a site timed out; it is of no session, and never consumed (telltale 1.2).

    Attributes:
        witness_id: the witness's number at its site, from 1. The reference counts all sites together, from 0.
        site: the site.
        issued_at_tick: the tick at which it was issued.
        until_tick: the tick from which on it does not hold any more.
    """

    witness_id: Counter
    site: Identifier
    issued_at_tick: Counter
    until_tick: Counter


class FootprintClass(StrEnum):
    """How an authority has a session (aura 1.7, ``SessionFootprintClass``)."""

    NATIVE = "native"
    DELEGATED_IN = "delegated_in"
    DELEGATED_OUT = "delegated_out"


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Footprint:
    """The sessions of an authority, or of a bundle, by how it has them (aura 1.7, ``SessionFootprint``).

    Attributes:
        native: sessions that it hosts from the beginning.
        delegated_in: sessions that were delegated to it.
        delegated_out: sessions that it delegated away.
    """

    native: Names = frozenset()
    delegated_in: Names = frozenset()
    delegated_out: Names = frozenset()

    @property
    def sessions(self) -> frozenset[str]:
        """All of them."""
        return self.native | self.delegated_in | self.delegated_out


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class ProvenancedTime:
    """A moment, and who says so: the journal's own clock recorded it, or somebody claims it (aura 2.29; aura 4).

    Attributes:
        at: the moment, UTC, in ms since 1970.
        origin: who claims it; None if the journal's clock told it.
        uncertainty_ms: by how much it may be wrong either way, in ms; None if that is not said.
    """

    at: Counter
    origin: Identifier | None = None
    uncertainty_ms: Counter | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether the journal's clock told it; otherwise it is claimed by its origin."""
        return self.origin is None


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class DelegationReceipt:
    """That one authority delegated a session to another, and all that this changed (aura 4).

    The reference's receipt holds the footprints of both over all sessions; this one holds what it is about. The whole
    footprints are those of the tables at its position.

    Attributes:
        delegation_id: the delegation's number in its session, from 1.
        bundle_id: the bundle that it was made through, or None.
        context_id: the context that it belongs to: the one that was given, or the session's; None if there is none.
        from_before: how the delegating authority had the session.
        from_after: how it has it since.
        to_before: how the receiving authority had it; None for not at all.
        to_after: how it has it since.
        cleared: the authorities that had delegated it before, and have no part in it since, sorted.
        from_role: the role that delegated; None if it was not said.
        to_role: the role that it went to; None if it was not said.
        delegated_at: when it was made, and who says so. One that an undo restored keeps the time at which it was made.
            None where nobody told the time, and in records of the first two formats.
    """

    session_id: Identifier
    delegation_id: Counter
    from_authority: Identifier
    to_authority: Identifier
    bundle_id: Identifier | None
    context_id: Identifier | None
    from_before: FootprintClass
    from_after: FootprintClass
    to_before: FootprintClass | None
    to_after: FootprintClass
    cleared: tuple[Identifier, ...] = ()
    from_role: Identifier | None = None
    to_role: Identifier | None = None
    delegated_at: ProvenancedTime | None = None

    @property
    def claimed_at(self) -> ProvenancedTime | None:
        """When somebody claims that it was made; None if nobody does."""
        at = self.delegated_at
        return None if at is None or at.is_recorded else at

    @property
    def recorded_at(self) -> int | None:
        """When it was made by the journal's clock, in ms; None if that did not tell."""
        at = self.delegated_at
        return at.at if at is not None and at.is_recorded else None


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Omitted:
    """What is left out of a record that would be too large, so that the same can be told again (law 6).

    Attributes:
        sha256: the SHA-256 of what is left out, as JSON.
        size: how many bytes of JSON it is.
    """

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Counter


def left_out(rest: dict[str, object]) -> Omitted:
    """What stands for the rest of a value."""
    as_json = to_json(rest)
    return Omitted(hashlib.sha256(as_json).hexdigest(), len(as_json))


PresentedArtifact: TypeAlias = OwnershipCapability | OwnershipReceipt | ReadinessWitness
"""What a caller can show to have a command obeyed."""

Artifact: TypeAlias = PresentedArtifact | CancellationWitness | DelegationReceipt | TimeoutWitness
"""What the audit trail speaks of."""


class ArtifactKind(StrEnum):
    """The kinds of artifact, as the audit trail names them (telltale 1.2, ``AuthorityArtifact``)."""

    OWNERSHIP_CAPABILITY = "ownership_capability"
    OWNERSHIP_RECEIPT = "ownership_receipt"
    READINESS_WITNESS = "readiness_witness"
    CANCELLATION_WITNESS = "cancellation_witness"
    DELEGATION_RECEIPT = "delegation_receipt"
    TIMEOUT_WITNESS = "timeout_witness"
