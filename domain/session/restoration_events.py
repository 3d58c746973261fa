"""What undoes what happened to a session (law 8). Each of these events compensates one that came before it."""

from __future__ import annotations

from typing import TypeAlias

from ..artifacts import (
    Counter,
    DelegationReceipt,
    FootprintClass,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    TerminalReason,
)
from ..delegation import DelegationWitness
from ..effects import Effects, SessionStatus, WitnessStatus, became, made_void, passed_on
from ..event import Fact, event_type
from ..fragment import SessionFragment
from ..identifiers import Identifier
from ..scope import ScopeField
from .terms import SessionEnding, SessionTerms

FootprintEntry: TypeAlias = tuple[Identifier, FootprintClass | None]
"""An authority, and how it has the session; None for not at all."""


@event_type("session.ownership_restored")
class OwnershipRestored(Fact):
    """What became of the ownership was undone: owner, scope and staged transfer are as before (law 8).

    The generation rises all the same, and no capability or receipt from before is live again (law 1).

    Attributes:
        session_id: the session.
        generation: the highest generation since.
        previous: what the owner held; None if there was none.
        capability: what the owner from before holds now; None if there was none.
        staged: the transfer that is staged again, under a new receipt; None if none was.
        voided: the outstanding readiness witnesses that ended (law 4).
        restored_fragments: the fragments that went back, as they are held now.
        dropped: the staged transfer that ended; None if none was staged, and in records of the first format.
        claimable: where nobody owns the session now, how far a claim may reach again; None for all of it, and in
            records of the first two formats.
        last_owner: where nobody owns the session now, the label of who owned it last; None if nobody did, and in
            records of the first two formats.
    """

    session_id: Identifier
    generation: Counter
    previous: OwnershipCapability | None = None
    capability: OwnershipCapability | None = None
    staged: OwnershipReceipt | None = None
    voided: tuple[ReadinessWitness, ...] = ()
    restored_fragments: tuple[SessionFragment, ...] = ()
    dropped: OwnershipReceipt | None = None
    claimable: ScopeField | None = None
    last_owner: Identifier | None = None

    @property
    def effects(self) -> Effects:
        return Effects(
            self.session_id,
            ends_ownership=True,
            capability=self.capability,
            generation=self.generation,
            witnesses=made_void(self.voided),
        )


@event_type("session.opening_withdrawn")
class OpeningWithdrawn(Fact):
    """An opening was undone: the session is as it was before (law 8; aura 2.34, R1).

    Attributes:
        session_id: the session.
        incarnation: the incarnation that is withdrawn.
        status: where the session stands again.
        roles: the roles of the incarnation before it.
        reason: why that one had ended for good, or None.
        footprint: the authorities that have it again.
        terms: what else the incarnation before it was opened with; None if nothing was said.
        archived: whether the incarnation before it is put away; None if it is not, or if there is none.
        ending: how the incarnation before it ended, in numbers; None if there is none, or if that is not on record.
    """

    session_id: Identifier
    incarnation: Counter
    status: SessionStatus
    roles: tuple[Identifier, ...] = ()
    reason: TerminalReason | None = None
    footprint: tuple[FootprintEntry, ...] = ()
    terms: SessionTerms | None = None
    archived: bool | None = None
    ending: SessionEnding | None = None

    @property
    def effects(self) -> Effects:
        return Effects(self.session_id, self.status, footprint=self.footprint)


@event_type("session.witness_withdrawn")
class ReadinessWitnessWithdrawn(Fact):
    """A readiness witness was taken back before it was spent; it is void (law 8)."""

    witness: ReadinessWitness

    @property
    def effects(self) -> Effects:
        return became(self.witness, WitnessStatus.VOID)


@event_type("session.hosting_withdrawn")
class HostingWithdrawn(Fact):
    """The hosting of the session by an authority was undone (law 8).

    Attributes:
        session_id: the session.
        authority: the authority.
        claimable: how far a claim may reach again; None if the hosting had not changed that.
    """

    session_id: Identifier
    authority: Identifier
    claimable: ScopeField | None = None

    @property
    def effects(self) -> Effects:
        return Effects(self.session_id, footprint=((self.authority, None),))


@event_type("session.delegation_reverted")
class DelegationReverted(Fact):
    """A delegation was undone; its receipt is void (law 8; aura 2.34, R8).

    Attributes:
        receipt: the delegation's receipt.
        witness: its witness.
        footprint: how every authority that it touched has the session now.
        restored_fragments: the fragments that had gone along, as they are held now.
    """

    receipt: DelegationReceipt
    witness: DelegationWitness
    footprint: tuple[FootprintEntry, ...]
    restored_fragments: tuple[SessionFragment, ...] = ()

    @property
    def effects(self) -> Effects:
        return Effects(self.receipt.session_id, footprint=self.footprint)


@event_type("session.hand_over_reverted")
class HandOverReverted(Fact):
    """A hand-over was undone: owner, scope, fragments and authorities are as before (law 8; aura 2.34, R9).

    Attributes:
        previous: what the owner held.
        capability: what the owner from before holds now, under a new generation.
        receipt: the hand-over's delegation receipt.
        witness: its witness.
        footprint: how every authority that it touched has the session now.
        voided: the outstanding readiness witnesses that ended with the previous capability (law 4).
        restored_fragments: the fragments that went back, as they are held now.
    """

    previous: OwnershipCapability
    capability: OwnershipCapability
    receipt: DelegationReceipt
    witness: DelegationWitness
    footprint: tuple[FootprintEntry, ...]
    voided: tuple[ReadinessWitness, ...] = ()
    restored_fragments: tuple[SessionFragment, ...] = ()

    @property
    def effects(self) -> Effects:
        return passed_on(self.capability, self.voided, self.footprint)


@event_type("session.fragments_restored")
class FragmentsRestored(Fact):
    """What became of fragments was undone (law 8; aura 2.34, R3).

    Attributes:
        session_id: the session.
        fragments: those that are held again, as they are held now.
        released_fragments: those that nobody holds any more, as they were held.
    """

    session_id: Identifier
    fragments: tuple[SessionFragment, ...] = ()
    released_fragments: tuple[SessionFragment, ...] = ()
