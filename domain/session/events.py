"""What can happen to a session (telltale 2)."""

from __future__ import annotations

from ..artifacts import (
    CancellationWitness,
    Counter,
    Omitted,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    TerminalReason,
)
from ..effects import Effects, Holding, SessionStatus, WitnessStatus, became, given_up, owned, passed_on
from ..event import Event, Fact, event_type
from ..fragment import SessionFragment
from ..identifiers import Identifier, Text
from ..protocol.plan import SessionPlan
from .brief import digest_of
from .terms import SessionEnding, SessionTerms


@event_type("session.opened")
class SessionOpened(Fact):
    """A session began: for the first time, or again after it had finished.

    Attributes:
        incarnation: how often this id was opened, this time included.
        roles: the names of the parts that are played in it.
        cleared: the authorities that had the incarnation before it, and have no part in this one, sorted.
        terms: what else it was opened with; None if nothing was said.
        plan: the protocol that its roles follow; None if there is none.
    """

    session_id: Identifier
    incarnation: Counter
    roles: tuple[Identifier, ...] = ()
    cleared: tuple[Identifier, ...] = ()
    terms: SessionTerms | None = None
    plan: SessionPlan | None = None

    @property
    def effects(self) -> Effects:
        return Effects(
            self.session_id,
            SessionStatus.ACTIVE,
            footprint=tuple((authority, None) for authority in self.cleared),
        )


@event_type("session.ownership_claimed")
class OwnershipClaimed(Event[OwnershipCapability]):
    """A session without an owner got one (telltale 2.1).

    Attributes:
        capability: what the owner holds.
        moved_fragments: the fragments that a delegation left to this claim, as they are held now (law 7).
    """

    capability: OwnershipCapability
    moved_fragments: tuple[SessionFragment, ...] = ()

    @property
    def outcome(self) -> OwnershipCapability:
        return self.capability

    @property
    def effects(self) -> Effects:
        return owned(self.capability)


@event_type("session.ownership_released")
class OwnershipReleased(Fact):
    """The owner gave the session up (telltale 2.2).

    Attributes:
        capability: what the owner held.
        voided: the outstanding readiness witnesses that ended with it (law 4).
    """

    capability: OwnershipCapability
    voided: tuple[ReadinessWitness, ...] = ()

    @property
    def effects(self) -> Effects:
        return given_up(self.capability, self.voided)


@event_type("session.ownership_transferred")
class OwnershipTransferred(Event[OwnershipCapability]):
    """The owner handed the session over in one step (aura 2.12).

    Attributes:
        previous: what the owner held.
        capability: what the new owner holds.
        voided: the outstanding readiness witnesses that ended with the previous capability (law 4).
        moved_fragments: the fragments that went to the new owner, as they are held now (law 7).
    """

    previous: OwnershipCapability
    capability: OwnershipCapability
    voided: tuple[ReadinessWitness, ...] = ()
    moved_fragments: tuple[SessionFragment, ...] = ()

    @property
    def outcome(self) -> OwnershipCapability:
        return self.capability

    @property
    def effects(self) -> Effects:
        return passed_on(self.capability, self.voided)


@event_type("session.scope_attenuated")
class ScopeAttenuated(Event[OwnershipCapability]):
    """The owner gave up a part of its scope (telltale 2.6).

    Attributes:
        previous: what the owner held.
        capability: what it holds now.
        voided: the outstanding readiness witnesses that ended with the previous capability (law 4).
    """

    previous: OwnershipCapability
    capability: OwnershipCapability
    voided: tuple[ReadinessWitness, ...] = ()

    @property
    def outcome(self) -> OwnershipCapability:
        return self.capability

    @property
    def effects(self) -> Effects:
        return passed_on(self.capability, self.voided)


@event_type("session.transfer_begun")
class TransferBegun(Event[OwnershipReceipt]):
    """The owner staged a transfer, and stays the owner until it commits (telltale 2.3)."""

    receipt: OwnershipReceipt

    @property
    def outcome(self) -> OwnershipReceipt:
        return self.receipt


@event_type("session.transfer_committed")
class TransferCommitted(Event[OwnershipCapability]):
    """The staged transfer took effect (telltale 2.4).

    Attributes:
        receipt: the staged transfer.
        previous: what the owner held.
        capability: what the new owner holds.
        voided: the outstanding readiness witnesses that ended with the previous capability (law 4).
        moved_fragments: the fragments that went to the new owner, as they are held now (law 7).
    """

    receipt: OwnershipReceipt
    previous: OwnershipCapability
    capability: OwnershipCapability
    voided: tuple[ReadinessWitness, ...] = ()
    moved_fragments: tuple[SessionFragment, ...] = ()

    @property
    def outcome(self) -> OwnershipCapability:
        return self.capability

    @property
    def effects(self) -> Effects:
        return passed_on(self.capability, self.voided)


@event_type("session.transfer_rolled_back")
class TransferRolledBack(Fact):
    """The staged transfer was withdrawn; its claim id stays spent (telltale 2.5)."""

    receipt: OwnershipReceipt


@event_type("session.witness_issued")
class ReadinessWitnessIssued(Event[ReadinessWitness]):
    """A readiness check passed under the live capability (telltale 2.8)."""

    witness: ReadinessWitness

    @property
    def outcome(self) -> ReadinessWitness:
        return self.witness

    @property
    def effects(self) -> Effects:
        return became(self.witness, WitnessStatus.OUTSTANDING)


@event_type("session.witness_consumed")
class ReadinessWitnessConsumed(Fact):
    """A readiness witness was spent, for good (telltale 2.9; law 4)."""

    witness: ReadinessWitness

    @property
    def effects(self) -> Effects:
        return became(self.witness, WitnessStatus.CONSUMED)


@event_type("session.owner_died")
class OwnerDied(Event[CancellationWitness]):
    """The owner is gone, and the session faulted with it (telltale 2.10).

    Attributes:
        capability: what the owner held.
        witness: the proof that the session was given up, with the reason.
        receipt: the staged transfer that was dropped, or None.
        voided: the outstanding readiness witnesses that ended (law 4).
        released_fragments: the fragments that were held in the session.
        ending: the numbers; None in records of the first two formats.
    """

    capability: OwnershipCapability
    witness: CancellationWitness
    receipt: OwnershipReceipt | None = None
    voided: tuple[ReadinessWitness, ...] = ()
    released_fragments: tuple[SessionFragment, ...] = ()
    ending: SessionEnding | None = None

    @property
    def outcome(self) -> CancellationWitness:
        return self.witness

    @property
    def effects(self) -> Effects:
        return given_up(
            self.capability, self.voided, SessionStatus.FAULTED, self.witness, footprint=_cleared(self.ending)
        )


@event_type("session.transfer_abandoned")
class TransferAbandoned(Event[CancellationWitness]):
    """The staged transfer was given up, and the session cancelled with it (telltale 2.10).

    Attributes:
        capability: what the owner held.
        receipt: the staged transfer.
        witness: the proof that the session was given up, with the reason.
        voided: the outstanding readiness witnesses that ended (law 4).
        released_fragments: the fragments that were held in the session.
        ending: the numbers; None in records of the first two formats.
    """

    capability: OwnershipCapability
    receipt: OwnershipReceipt
    witness: CancellationWitness
    voided: tuple[ReadinessWitness, ...] = ()
    released_fragments: tuple[SessionFragment, ...] = ()
    ending: SessionEnding | None = None

    @property
    def outcome(self) -> CancellationWitness:
        return self.witness

    @property
    def effects(self) -> Effects:
        return given_up(
            self.capability, self.voided, SessionStatus.CANCELLED, self.witness, footprint=_cleared(self.ending)
        )


@event_type("session.transfer_commit_failed")
class TransferCommitFailed(Fact):
    """The staged transfer could not be committed, and the session faulted with it (telltale 2.10).

    Attributes:
        capability: what the owner held.
        receipt: the staged transfer.
        reason: why; no cancellation witness is issued for it.
        voided: the outstanding readiness witnesses that ended (law 4).
        released_fragments: the fragments that were held in the session.
        ending: the numbers; None in records of the first two formats.
    """

    capability: OwnershipCapability
    receipt: OwnershipReceipt
    reason: TerminalReason
    voided: tuple[ReadinessWitness, ...] = ()
    released_fragments: tuple[SessionFragment, ...] = ()
    ending: SessionEnding | None = None

    @property
    def effects(self) -> Effects:
        return given_up(self.capability, self.voided, SessionStatus.FAULTED, None, _cleared(self.ending))


@event_type("session.closed")
class SessionClosed(Fact):
    """The owner ended the session in good order (telltale 2.15; law 5).

    Attributes:
        capability: what the owner held.
        voided: the outstanding readiness witnesses that ended (law 4).
        released_fragments: the fragments that were held in the session.
        ending: the numbers; None in records of the first two formats.
    """

    capability: OwnershipCapability
    voided: tuple[ReadinessWitness, ...] = ()
    released_fragments: tuple[SessionFragment, ...] = ()
    ending: SessionEnding | None = None

    @property
    def effects(self) -> Effects:
        return given_up(self.capability, self.voided, SessionStatus.CLOSED, None, _cleared(self.ending))


def _cleared(ending: SessionEnding | None) -> tuple[Holding, ...]:
    """How the end of a session leaves the authorities that had it."""
    return () if ending is None else tuple((authority, None) for authority in ending.cleared)


class Rejection(Fact):
    """A command was refused because of what was shown for it, and that is on the record (law 6).

    Attributes:
        reason: why it was refused.
        last: whether this session's refusals are recorded no further.
        omitted: what is left out of the artifact, where it is recorded in brief: its scope, which is recorded as no
            fragments, and a witness's predicate. None where it is recorded whole.
    """

    __slots__ = ()
    reason: Text

    @property
    def presented(self) -> object:
        """What was shown, exactly as it was shown, or in brief."""
        raise NotImplementedError

    def key(self) -> bytes:
        """What tells this refusal from others: a digest of what was shown, and why it was refused."""
        return digest_of(self.presented, self.reason, getattr(self, "omitted", None))


@event_type("session.capability_rejected")
class CapabilityRejected(Rejection):
    """A capability was shown that is not the live one.

    Attributes:
        reason: why it was refused.
        last: whether this session's refusals are recorded no further.
        omitted: what is left out of it, where it is recorded in brief.
    """

    capability: OwnershipCapability
    reason: Text
    last: bool = False
    omitted: Omitted | None = None

    @property
    def presented(self) -> OwnershipCapability:
        return self.capability


@event_type("session.receipt_rejected")
class ReceiptRejected(Rejection):
    """A receipt was shown that is not the staged one.

    Attributes:
        reason: why it was refused.
        last: whether this session's refusals are recorded no further.
        omitted: what is left out of it, where it is recorded in brief.
    """

    receipt: OwnershipReceipt
    reason: Text
    last: bool = False
    omitted: Omitted | None = None

    @property
    def presented(self) -> OwnershipReceipt:
        return self.receipt


@event_type("session.witness_rejected")
class WitnessRejected(Rejection):
    """A readiness witness was shown that cannot be consumed.

    Attributes:
        reason: why it was refused.
        last: whether this session's refusals are recorded no further.
        omitted: what is left out of it, where it is recorded in brief.
    """

    witness: ReadinessWitness
    reason: Text
    last: bool = False
    omitted: Omitted | None = None

    @property
    def presented(self) -> ReadinessWitness:
        return self.witness
