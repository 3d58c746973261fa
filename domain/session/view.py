"""A session at one moment, for reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..artifacts import FootprintClass, OwnershipCapability, OwnershipReceipt, ReadinessWitness, TerminalReason
from ..effects import SessionStatus
from ..fragment import SessionFragment
from ..scope import OwnershipScope
from .state import SessionState
from .terms import SessionEnding, SessionTerms


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session at one moment, for reading.

    Attributes:
        session_id: the session.
        incarnation: how often it was opened.
        status: active, draining, or how it finished.
        roles: the roles of this incarnation.
        terms: what else this incarnation was opened with: protocol, context, role, time-out, since when.
        epoch: how often it was drained and closed.
        ending: how this incarnation ended, in numbers; None while it is open, or if that is not on record.
        capability: the live capability, or None while nobody owns it.
        pending_receipt: the staged transfer, or None.
        terminal_reason: why ownership ended for good, or None.
        outstanding_witnesses: the readiness witnesses that can still be consumed, by id.
        consumed_witnesses: the readiness witnesses that were spent, by id.
        generation: the highest generation ever given.
        holder: the authority that holds the session; None if none does.
        footprint: how each authority has the session, by authority.
        fragments: the fragments that are held, by key.
        claimable: how far the next claim may reach: as far as its last owner, or its owner, reaches (law 3).
    """

    session_id: str
    incarnation: int
    status: SessionStatus
    roles: tuple[str, ...]
    terms: SessionTerms
    epoch: int
    ending: SessionEnding | None
    capability: OwnershipCapability | None
    pending_receipt: OwnershipReceipt | None
    terminal_reason: TerminalReason | None
    outstanding_witnesses: tuple[ReadinessWitness, ...]
    consumed_witnesses: tuple[ReadinessWitness, ...]
    generation: int
    holder: str | None
    footprint: Mapping[str, FootprintClass]
    fragments: Mapping[str, SessionFragment]
    claimable: OwnershipScope

    @classmethod
    def of(cls, state: SessionState) -> SessionView:
        """Copy what a reader may see out of the state."""
        return cls(
            session_id=state.session_id,
            incarnation=state.incarnation,
            status=state.status,
            roles=state.roles,
            terms=state.terms,
            epoch=state.epoch,
            ending=state.ending,
            capability=state.live,
            pending_receipt=state.pending,
            terminal_reason=state.terminal_reason,
            outstanding_witnesses=state.outstanding_witnesses(),
            consumed_witnesses=tuple(
                # Whoever writes a row by hand may have one spent that was never issued.
                state.issued[witness_id]
                for witness_id in sorted(state.consumed & state.issued.keys())
            ),
            generation=state.generation,
            holder=state.holder,
            footprint=dict(sorted(state.footprint.items())),
            fragments=dict(sorted(state.fragments.items())),
            claimable=state.claimable,
        )
