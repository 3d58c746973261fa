"""Artifacts and events that sentences begin with."""

from muniment.domain import (
    FULL_SESSION,
    CancellationWitness,
    Fragments,
    OwnershipCapability,
    OwnershipReceipt,
    Policy,
    ReadinessWitness,
    TerminalReason,
)
from muniment.domain.inbox import InboxState
from muniment.domain.session import (
    OwnershipClaimed,
    OwnershipReleased,
    ReadinessWitnessConsumed,
    ReadinessWitnessIssued,
    SessionClosed,
    SessionEnding,
    SessionOpened,
    TransferBegun,
)

STRICT = Policy()
REFERENCE = Policy.reference()

ALPHA = Fragments({"bundle:alpha"})
ALPHA_BETA = Fragments({"bundle:alpha", "bundle:beta"})

A1 = OwnershipCapability("s-1", "a", 1, FULL_SESSION)
B2 = OwnershipCapability("s-1", "b", 2, FULL_SESSION)

OPENED = SessionOpened("s-1", 1)
CLAIMED = OwnershipClaimed(A1)
RELEASED = OwnershipReleased(A1)
CLOSED = SessionClosed(A1)

NO_INBOX = InboxState("s-1")
ENDING = SessionEnding()
"""The end of a session of which no time is known, and that nothing came in for."""
CLOSING = SessionEnding(epoch=1)

RECEIPT = OwnershipReceipt("s-1", 1, "a", 1, "b", 2, FULL_SESSION)
BEGUN = TransferBegun(RECEIPT)

WITNESS = ReadinessWitness(1, "s-1", "a", 1, FULL_SESSION, "commit.ready")
ISSUED = ReadinessWitnessIssued(WITNESS)
CONSUMED = ReadinessWitnessConsumed(WITNESS)


def cancellation(witness_id: int, reason: TerminalReason) -> CancellationWitness:
    return CancellationWitness(witness_id, "s-1", "a", 1, reason)
