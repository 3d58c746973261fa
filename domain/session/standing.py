"""Where a session stands: everything about it that is not a counter or a record of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..artifacts import FootprintClass, OwnershipCapability, OwnershipReceipt, ReadinessWitness, TerminalReason
from ..effects import SessionStatus
from ..fragment import SessionFragment
from ..protocol.plan import SessionPlan
from ..scope import OwnershipScope
from .terms import SessionEnding, SessionTerms


@dataclass(frozen=True, slots=True)
class SessionStanding:
    """What undoing restores, under new generations and numbers (law 8).

    Attributes:
        status: unopened, active, or how it finished.
        terminal_reason: why ownership ended for good, or None.
        ending: how this incarnation ended, in numbers; None while it is open, or if that is not on record.
        roles: the roles of this incarnation.
        terms: what else this incarnation was opened with.
        capability: the live capability, or None.
        pending_receipt: the staged transfer, or None.
        outstanding_witnesses: the readiness witnesses that can still be consumed, by id. One that ended with its
            ownership is not given back (law 4).
        footprint: how each authority has the session.
        fragments: the fragments that are held, by key.
        plan: the protocol of this incarnation, or None.
        default_handler: what handles the messages of an edge without a handler of its own, or None.
        handlers: what handles the messages of an edge, by sender and receiver.
        traces: which types of values went along an edge, by sender and receiver.
        last_owner: the label of this incarnation's last owner; None if nobody ever owned it.
        claimable: how far the next claim may reach: as far as its last owner, or its owner, reaches (law 3).
    """

    status: SessionStatus
    terminal_reason: TerminalReason | None
    ending: SessionEnding | None
    roles: tuple[str, ...]
    terms: SessionTerms
    capability: OwnershipCapability | None
    pending_receipt: OwnershipReceipt | None
    outstanding_witnesses: tuple[ReadinessWitness, ...]
    footprint: Mapping[str, FootprintClass]
    fragments: Mapping[str, SessionFragment]
    plan: SessionPlan | None
    default_handler: str | None
    handlers: Mapping[tuple[str, str], str]
    traces: Mapping[tuple[str, str], tuple[str, ...]]
    # What follows from who owned it is told with the capability, and is no change of its own.
    claimable: OwnershipScope = field(compare=False)
    last_owner: str | None = field(compare=False)
