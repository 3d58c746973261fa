"""What comes into an owned session, and what its owner's rounds resulted in (aura 1.11, 2.20)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from ..artifacts import Counter, Omitted, OwnershipCapability
from ..boundary import LinkBoundary
from ..content import Content
from ..event import Fact, event_type
from ..identifiers import Identifier, Text
from .events import Rejection

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class RoundOutcome(StrEnum):
    """What a round of a host's machine resulted in (aura 2.20)."""

    CONTINUE = "continue"
    COMPLETE = "complete"
    DEFERRED = "deferred"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    STUCK = "stuck"

    @property
    def is_failure(self) -> bool:
        """Whether ``OwnedSession.round`` raises it once it is on record."""
        return self in (RoundOutcome.TIMED_OUT, RoundOutcome.CANCELLED, RoundOutcome.STUCK)


@event_type("session.ingress_accepted")
class IngressAccepted(Fact):
    """Something came into the session, under its owner's live capability and inside its boundary.

    Attributes:
        capability: what the owner holds.
        boundary: what it came in through.
        kind: what it is, in the host's words.
        active_role: the role that it is for; None if that was not said. The same for the next two.
        from_role: the role that it comes from.
        to_role: the role that it goes to.
        size: how many bytes its payload takes.
        sha256: the SHA-256 of the payload; None if there is none.
        payload: the payload; None if there is none, or if the host keeps it to itself.
    """

    capability: OwnershipCapability
    boundary: LinkBoundary
    kind: Identifier
    active_role: Identifier | None = None
    from_role: Identifier | None = None
    to_role: Identifier | None = None
    size: Counter = 0
    sha256: Sha256 | None = None
    payload: Content = None


@event_type("session.ingress_rejected")
class IngressRejected(Rejection):
    """Something was to come in through a boundary that the live capability does not reach over.

    Attributes:
        capability: what was shown.
        reason: why it was refused.
        last: whether this session's refusals are recorded no further.
        omitted: what is left out of the capability, where it is recorded in brief.
    """

    capability: OwnershipCapability
    reason: Text
    last: bool = False
    omitted: Omitted | None = None

    @property
    def presented(self) -> OwnershipCapability:
        return self.capability


@event_type("session.round_recorded")
class RoundRecorded(Fact):
    """The owner's machine went one round for a role.

    Attributes:
        capability: what the owner holds.
        boundary: what it acted inside.
        role: the role.
        result: what the round resulted in.
    """

    capability: OwnershipCapability
    boundary: LinkBoundary
    role: Identifier
    result: RoundOutcome
