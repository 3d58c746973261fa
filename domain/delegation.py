"""What a delegation or a hand-over answers, beside its receipt (aura 1.6; aura 4)."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from .artifacts import Counter, DelegationReceipt, OwnershipCapability, OwnershipReceipt
from .boundary import LinkBoundary
from .bundle.values import RuntimeUpgradeArtifact
from .identifiers import Identifier
from .value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class DelegationWitness:
    """What was seen to move with a delegation (aura 4, ``AuraDelegationWitness``).

    Attributes:
        boundary: the boundary that it was made through, or None.
        moved_fragments: the keys of the fragments that moved, sorted.
        ownership_receipt: how the owner changed; None where only the authority did.
        upgrade: the upgrade that was committed with it, or None.
    """

    session_id: Identifier
    delegation_id: Counter
    boundary: LinkBoundary | None = None
    moved_fragments: tuple[Identifier, ...] = ()
    ownership_receipt: OwnershipReceipt | None = None
    upgrade: RuntimeUpgradeArtifact | None = None


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class DelegationOutcome:
    """What a delegation or a hand-over answers (aura 1.7, ``SessionDelegationOutcome``).

    Attributes:
        receipt: what it changed.
        witness: what was seen to move.
        capability: what the new owner holds; None where the session has none.
    """

    receipt: DelegationReceipt
    witness: DelegationWitness
    capability: OwnershipCapability | None = None
