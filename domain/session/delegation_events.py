"""What can happen to a session between authorities, and to its fragments (aura 2.14, 2.27, 2.31)."""

from __future__ import annotations

from ..artifacts import DelegationReceipt, FootprintClass, OwnershipCapability, ReadinessWitness
from ..bundle.values import RuntimeUpgradeArtifact
from ..delegation import DelegationOutcome, DelegationWitness
from ..effects import Effects, delegated, passed_on
from ..event import Event, Fact, event_type
from ..fragment import SessionFragment
from ..identifiers import Identifier, Text
from ..scope import ScopeField
from .events import Rejection


@event_type("session.hosted")
class SessionHosted(Fact):
    """An authority hosts the session from here on (aura 2.25).

    Attributes:
        session_id: the session.
        authority: the authority.
        lifted: how far a claim could reach until here, if that ends with this; None if nothing changes (law 3).
    """

    session_id: Identifier
    authority: Identifier
    lifted: ScopeField | None = None

    @property
    def effects(self) -> Effects:
        return Effects(self.session_id, footprint=((self.authority, FootprintClass.NATIVE),))


@event_type("session.delegated")
class SessionDelegated(Event[DelegationOutcome]):
    """The authority that held the session, which nobody owned, delegated it (aura 2.27, 2.29).

    Attributes:
        receipt: what changed between the authorities.
        witness: what was seen to move.
        moved_fragments: the fragments of the last owner that went along, left to the next claim (law 7).
    """

    receipt: DelegationReceipt
    witness: DelegationWitness
    moved_fragments: tuple[SessionFragment, ...] = ()

    @property
    def upgrade(self) -> RuntimeUpgradeArtifact | None:
        """The upgrade that was committed in the same append, or None."""
        return self.witness.upgrade

    @property
    def outcome(self) -> DelegationOutcome:
        return DelegationOutcome(self.receipt, self.witness)

    @property
    def effects(self) -> Effects:
        return Effects(self.receipt.session_id, footprint=delegated(self.receipt))


@event_type("session.handed_over")
class SessionHandedOver(Event[DelegationOutcome]):
    """A live session went from one authority and owner to others, with its fragments (aura 2.31; law 7).

    Attributes:
        previous: what the owner held.
        capability: what the new owner holds.
        receipt: what changed between the authorities.
        witness: what was seen to move.
        voided: the outstanding readiness witnesses that ended with the previous capability (law 4).
        moved_fragments: the fragments that went to the new owner, as they are held now.
    """

    previous: OwnershipCapability
    capability: OwnershipCapability
    receipt: DelegationReceipt
    witness: DelegationWitness
    voided: tuple[ReadinessWitness, ...] = ()
    moved_fragments: tuple[SessionFragment, ...] = ()

    @property
    def upgrade(self) -> RuntimeUpgradeArtifact | None:
        """The upgrade that was committed in the same append, or None."""
        return self.witness.upgrade

    @property
    def outcome(self) -> DelegationOutcome:
        return DelegationOutcome(self.receipt, self.witness, self.capability)

    @property
    def effects(self) -> Effects:
        return passed_on(self.capability, self.voided, delegated(self.receipt))


@event_type("session.delegation_rejected")
class DelegationRejected(Rejection):
    """A delegation was refused (aura 2.34, R6 and R7).

    Attributes:
        from_authority: the authority that was to delegate.
        to_authority: the authority that was to have the session.
        bundle_id: the bundle that it was to be made through, or None.
        reason: why it was refused.
        last: whether this session's refusals are recorded no further.
    """

    session_id: Identifier
    from_authority: Identifier
    to_authority: Identifier
    bundle_id: Identifier | None
    reason: Text
    last: bool = False

    @property
    def presented(self) -> tuple[str, str, str | None]:
        return self.from_authority, self.to_authority, self.bundle_id


@event_type("session.fragments_claimed")
class FragmentsClaimed(Event[tuple[SessionFragment, ...]]):
    """The owner claimed fragments that nobody held (aura 2.14).

    Attributes:
        capability: the capability that it was done with.
        fragments: what was claimed, and was not held before.
    """

    capability: OwnershipCapability
    fragments: tuple[SessionFragment, ...]

    @property
    def outcome(self) -> tuple[SessionFragment, ...]:
        return self.fragments


@event_type("session.fragments_moved")
class FragmentsMoved(Event[tuple[SessionFragment, ...]]):
    """Fragments went from one label to another (aura 2.14).

    Attributes:
        capability: the capability that it was done with.
        previous: the fragments as they were held.
        fragments: the same fragments as they are held now.
    """

    capability: OwnershipCapability
    previous: tuple[SessionFragment, ...]
    fragments: tuple[SessionFragment, ...]

    @property
    def outcome(self) -> tuple[SessionFragment, ...]:
        return self.fragments


@event_type("session.fragments_released")
class FragmentsReleased(Event[tuple[SessionFragment, ...]]):
    """Fragments were given up (aura 2.14).

    Attributes:
        capability: the capability that it was done with.
        fragments: the fragments as they were held.
    """

    capability: OwnershipCapability
    fragments: tuple[SessionFragment, ...]

    @property
    def outcome(self) -> tuple[SessionFragment, ...]:
        return self.fragments
