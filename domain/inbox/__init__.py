"""Inboxes: what comes in for a session, in a stream of its own, so that it does not race ownership commands."""

from .events import (
    EnvelopeAcknowledged,
    EnvelopePut,
    EnvelopesGivenBack,
    EnvelopesLost,
    EnvelopeTaken,
    EnvelopeWithdrawn,
    TakingWithdrawn,
    TypeAdvanced,
    TypeRestored,
)
from .state import InboxState, envelope_digest
from .values import Delivery, Envelope, Selection, Unread

__all__ = [
    "Delivery",
    "Envelope",
    "EnvelopeAcknowledged",
    "EnvelopePut",
    "EnvelopeTaken",
    "EnvelopeWithdrawn",
    "EnvelopesGivenBack",
    "EnvelopesLost",
    "InboxState",
    "Selection",
    "TakingWithdrawn",
    "TypeAdvanced",
    "TypeRestored",
    "Unread",
    "envelope_digest",
]
