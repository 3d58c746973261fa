"""What refuses a command on session ownership."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ..shown import utc
from .base import CommandRefused

if TYPE_CHECKING:
    from ..artifacts import TerminalReason
    from ..scope import OwnershipScope

_STOP: Final = "stop, and discard what was begun under it"
"""What to do about it, for a worker that comes too late. To go on under the live capability is its owner's part."""


class Lost(NamedTuple):
    """Since when a capability is not live any more.

    Attributes:
        event_id: the event by which it was lost, such as ``session-s-42@4``.
        type: that event's type.
        recorded_at: when that was, UTC, in ms since 1970.
    """

    event_id: str
    type: str
    recorded_at: int

    def __str__(self) -> str:
        return f"was lost at {utc(self.recorded_at)} by event {self.event_id} ({self.type})"


@dataclass(eq=False)
class SessionNotFound(CommandRefused):
    """No session was ever opened under this id (telltale 2.0, G0)."""

    session_id: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} was never opened; {self.advice}"

    @property
    def advice(self) -> str:
        return "open it first"


@dataclass(eq=False)
class SessionAlreadyOpen(CommandRefused):
    """The session is open; only a finished one may be opened again."""

    session_id: str
    incarnation: int

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r} is already open (incarnation {self.incarnation}); close it before reopening"
        )


@dataclass(eq=False)
class SessionTerminal(CommandRefused):
    """The session is closed, cancelled or faulted, and stays so (telltale 2.0, G1).

    Attributes:
        status: ``closed``, ``cancelled`` or ``faulted``.
        reason: why ownership ended, or None after an orderly close.
        lost: since when what was presented is not live any more; None if nothing was presented, or if that is unknown.
    """

    session_id: str
    status: str
    reason: TerminalReason | None
    lost: Lost | None = None

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        if self.lost is not None:
            return f"session {self.session_id!r} is {self.status}{why}; what was presented {self.lost}; {_STOP}"
        return f"session {self.session_id!r} is {self.status}{why}; open it again to begin a new incarnation"


@dataclass(eq=False)
class SessionDraining(CommandRefused):
    """The session runs out: no envelope, claim or delegation is accepted any more (telltale 4)."""

    session_id: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} is draining, and accepts nothing new; open it again once it has finished"


@dataclass(eq=False)
class SessionNotFinished(CommandRefused):
    """Only a finished session is archived.

    Attributes:
        status: where the session stands.
    """

    session_id: str
    status: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} is {self.status}; end it before it is archived"


@dataclass(eq=False)
class UnknownRole(CommandRefused):
    """The session was opened without this role (aura 6, O-29).

    Attributes:
        role: the role that was named.
    """

    session_id: str
    role: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} has no role {self.role!r}; name one that it was opened with"


@dataclass(eq=False)
class CapabilitySessionMismatch(CommandRefused):
    """A capability of one session was shown for another (aura 2.10).

    Attributes:
        session_id: the session that was named.
        capability_session_id: the session that the capability is of.
        owner: the owner's label in the capability.
    """

    session_id: str
    capability_session_id: str
    owner: str

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r}: the capability of {self.owner!r} is of session "
            f"{self.capability_session_id!r}; show one of this session"
        )


@dataclass(eq=False)
class RoundFailed(CommandRefused):
    """A round of the owner's machine came to an end that is no good; it is on record (aura 2.20).

    Attributes:
        role: the role that the round was for.
        outcome: ``timed_out``, ``cancelled`` or ``stuck``.
    """

    session_id: str
    role: str
    outcome: str

    def __str__(self) -> str:
        return f"session {self.session_id!r}: the round of {self.role!r} ended {self.outcome}, which is on record"


@dataclass(eq=False)
class AlreadyClaimed(CommandRefused):
    """The session has an owner; it must release or transfer before another claims (telltale 2.1).

    Attributes:
        owner: the label of the live owner.
    """

    session_id: str
    owner: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} is owned by {self.owner!r}; the owner must release or transfer it first"


@dataclass(eq=False)
class Unclaimed(CommandRefused):
    """The session has no owner (telltale 2.0, G2).

    Attributes:
        lost: since when what was presented is not live any more; None if nothing was presented, or if that is unknown.
    """

    session_id: str
    lost: Lost | None = None

    def __str__(self) -> str:
        if self.lost is not None:
            return f"session {self.session_id!r} has no owner; what was presented {self.lost}; {_STOP}"
        return f"session {self.session_id!r} has no owner; claim it first"


@dataclass(eq=False)
class StaleCapability(CommandRefused):
    """What was presented is not the live capability (telltale 2.0, G2; law 2).

    Attributes:
        owner: the owner label as presented.
        generation: the generation as presented; None where only an owner label was.
        scope: the scope as presented; None where only an owner label was.
        live_owner: the label of the live owner.
        live_generation: the generation of the live capability.
        live_scope: the scope of the live capability.
        lost: since when what was presented is not live any more; None if it never was, or if that is unknown.
    """

    session_id: str
    owner: str
    generation: int | None
    scope: OwnershipScope | None
    live_owner: str
    live_generation: int
    live_scope: OwnershipScope
    lost: Lost | None = None

    def __str__(self) -> str:
        live = f"owner {self.live_owner!r}, generation {self.live_generation}, {self.live_scope}"
        if self.generation is None:
            return f"session {self.session_id!r}: {self.owner!r} does not own it; live is {live}"
        presented = f"owner {self.owner!r}, generation {self.generation}, {self.scope}"
        lost = "" if self.lost is None else f", which {self.lost}"
        return f"session {self.session_id!r}: presented {presented}{lost}; live is {live}; {_STOP}"


@dataclass(eq=False)
class ScopeViolation(CommandRefused):
    """The live scope does not reach as far as the command needs (telltale 2.0, G3; law 3).

    A claim is held to the scope of the last owner, whatever its label was.

    Attributes:
        owner: the label of the live owner; None if nobody owns the session.
        required: the scope that the command needs.
        actual: the live scope; if nobody owns the session, as far as it can be claimed.
    """

    session_id: str
    owner: str | None
    required: OwnershipScope
    actual: OwnershipScope

    def __str__(self) -> str:
        wider = (
            "a wider scope takes an authority that begins to host it while nobody owns it, or its host, who ends it "
            "and opens it again"
        )
        if self.owner is None:
            return (
                f"session {self.session_id!r}: its last owner held {self.actual}, so it can be claimed for no more, "
                f"and not for {self.required}; {wider}"
            )
        return (
            f"session {self.session_id!r}: owner {self.owner!r} holds {self.actual}, "
            f"but this needs {self.required}; scope only narrows: also after a release, {wider}"
        )


@dataclass(eq=False)
class TransferPending(CommandRefused):
    """A transfer is staged, and blocks this command (telltale 2.0, G4)."""

    session_id: str
    claim_id: int

    def __str__(self) -> str:
        return f"session {self.session_id!r}: transfer {self.claim_id} is staged; commit it or roll it back first"


@dataclass(eq=False)
class TransferNotPending(CommandRefused):
    """No transfer is staged (telltale 2.4, 2.5)."""

    session_id: str

    def __str__(self) -> str:
        return f"session {self.session_id!r}: no transfer is staged; it was committed, rolled back or never begun"


@dataclass(eq=False)
class ReceiptMismatch(CommandRefused):
    """The receipt is not the staged one, compared whole (telltale 2.4, 2.5).

    Attributes:
        claim_id: the claim id as presented.
        pending_claim_id: the claim id that is staged.
    """

    session_id: str
    claim_id: int
    pending_claim_id: int

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r}: the receipt for transfer {self.claim_id} is not the staged one "
            f"(transfer {self.pending_claim_id}); present the receipt that beginning it returned"
        )


@dataclass(eq=False)
class InvalidWitness(CommandRefused):
    """The readiness witness was never issued, was altered, or is void (telltale 2.9)."""

    session_id: str
    witness_id: int
    reason: str

    def __str__(self) -> str:
        return f"session {self.session_id!r}: witness {self.witness_id}: {self.reason}; issue a new one"


@dataclass(eq=False)
class WitnessConsumed(CommandRefused):
    """The readiness witness was spent before (telltale 2.9; law 4).

    Attributes:
        session_id: the session that the presented witness names.
    """

    session_id: str
    witness_id: int

    def __str__(self) -> str:
        return f"witness {self.witness_id} of session {self.session_id!r} is already consumed; issue a new one"
