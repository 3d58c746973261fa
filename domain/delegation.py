"""What a delegation or a hand-over answers, beside its receipt (aura 1.6, 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from pydantic.dataclasses import dataclass

from .artifacts import VALUE, Counter, DelegationReceipt, OwnershipCapability, OwnershipReceipt
from .boundary import LinkBoundary
from .bundle.values import RuntimeUpgradeArtifact
from .identifiers import Identifier


@dataclass(frozen=True, slots=True, config=VALUE)
class SessionFragment:
    """A part of a session that is held under a label (aura 1.6, ``VmFragmentOwnerRecord``).

    Attributes:
        key: the fragment's key, ``bundle:<id>`` or ``protocol:<id>``.
        owner: the label that holds it.
        protocol_id: the protocol that it is held for.
        bundle_id: the bundle that it is; None for a protocol without bundles.
    """

    key: Identifier
    owner: Identifier
    protocol_id: Identifier
    bundle_id: Identifier | None = None

    def held_by(self, owner: str) -> Self:
        """The same fragment under another label."""
        return replace(self, owner=owner)


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


@dataclass(frozen=True, slots=True)
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
