"""What an event does to a session, told once, beside what its command answered.

The state, the tables of owners, witnesses and footprints, and the laws all fold these. So an event says in one place
who owns the session from here on, how it stands, what became of its witnesses, and which authority has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from .artifacts import CancellationWitness, DelegationReceipt, FootprintClass, OwnershipCapability, ReadinessWitness


class SessionStatus(StrEnum):
    """Where a session stands in its life (telltale 4)."""

    UNOPENED = "unopened"
    ACTIVE = "active"
    DRAINING = "draining"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    FAULTED = "faulted"

    @property
    def is_open(self) -> bool:
        """Whether commands are still obeyed: it was opened, and has not finished."""
        return self in _OPEN

    @property
    def is_finished(self) -> bool:
        """Whether it is over: closed, cancelled or faulted."""
        return self is not SessionStatus.UNOPENED and self not in _OPEN


_OPEN = (SessionStatus.ACTIVE, SessionStatus.DRAINING)


class WitnessStatus(StrEnum):
    """What became of a witness (telltale 1.2)."""

    OUTSTANDING = "outstanding"
    CONSUMED = "consumed"
    VOID = "void"
    CANCELLATION = "cancellation"


Fate: TypeAlias = tuple[ReadinessWitness | CancellationWitness, WitnessStatus]
"""A witness, and what became of it."""

Holding: TypeAlias = tuple[str, FootprintClass | None]
"""An authority, and how it has the session; None for not at all."""


class Effects(NamedTuple):
    """What one event changed in one session. What it left alone is at its default.

    Attributes:
        session_id: the session.
        status: where the session stands from here on.
        ends_ownership: whether who owned it until here does so no more; a staged transfer ends with that, and so do all
            outstanding witnesses (law 4).
        capability: what its owner holds from here on.
        generation: the generation that was given (law 1); 0 if none was.
        witnesses: what became of which witnesses.
        footprint: how which authorities have it from here on.
    """

    session_id: str
    status: SessionStatus | None = None
    ends_ownership: bool = False
    capability: OwnershipCapability | None = None
    generation: int = 0
    witnesses: tuple[Fate, ...] = ()
    footprint: tuple[Holding, ...] = ()


# A named tuple's own constructor takes twice as long, and this is made for every event that is folded.
_new_tuple = tuple.__new__


def owned(capability: OwnershipCapability) -> Effects:
    """A session without an owner got one."""
    return _new_tuple(Effects, (capability.session_id, None, False, capability, capability.generation, (), ()))


def passed_on(
    capability: OwnershipCapability, voided: Sequence[ReadinessWitness], footprint: tuple[Holding, ...] = ()
) -> Effects:
    """Another capability took the place of the one before, whose witnesses are void (law 4)."""
    witnesses = made_void(voided) if voided else ()
    given = (capability.session_id, None, True, capability, capability.generation, witnesses, footprint)
    return _new_tuple(Effects, given)


def given_up(
    capability: OwnershipCapability,
    voided: Sequence[ReadinessWitness],
    status: SessionStatus | None = None,
    proof: CancellationWitness | None = None,
    footprint: tuple[Holding, ...] = (),
) -> Effects:
    """Nobody owns the session any more; it may have ended with that."""
    witnesses = made_void(voided)
    if proof is not None:
        witnesses = (*witnesses, (proof, WitnessStatus.CANCELLATION))
    return Effects(capability.session_id, status, True, witnesses=witnesses, footprint=footprint)


def became(witness: ReadinessWitness, status: WitnessStatus) -> Effects:
    """Something became of one witness."""
    return Effects(witness.session_id, witnesses=((witness, status),))


def made_void(witnesses: Sequence[ReadinessWitness]) -> tuple[Fate, ...]:
    """Witnesses that ended unspent."""
    return tuple((witness, WitnessStatus.VOID) for witness in witnesses)


def delegated(receipt: DelegationReceipt) -> tuple[Holding, ...]:
    """How a delegation leaves the authorities that it touched (aura 2.27)."""
    cleared: list[Holding] = [(authority, None) for authority in receipt.cleared]
    return (*cleared, (receipt.from_authority, receipt.from_after), (receipt.to_authority, receipt.to_after))
