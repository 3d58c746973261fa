"""What can happen to the envelopes of a session (aura 2.8)."""

from __future__ import annotations

from ..artifacts import Counter, OwnershipCapability
from ..event import Event, Fact, event_type
from ..identifiers import Identifier
from ..protocol.advance import TypeAdvance
from .values import Delivery, Envelope


@event_type("inbox.envelope_put")
class EnvelopePut(Event[int]):
    """An envelope came in.

    Attributes:
        session_id: the session that it is for.
        incarnation: the incarnation of it; no other gets the envelope.
        number: its number in the inbox, from 1.
        envelope: the envelope.
        capability: what the owner held that put it; None if it was shown none.
        advance: the step that its sender took with it; None if it goes along no edge, or its sender has no type.
    """

    session_id: Identifier
    incarnation: Counter
    number: Counter
    envelope: Envelope
    capability: OwnershipCapability | None = None
    advance: TypeAdvance | None = None

    @property
    def outcome(self) -> int:
        return self.number


@event_type("inbox.envelope_taken")
class EnvelopeTaken(Event[Delivery]):
    """The owner took an envelope. Whoever has a later generation gets it again, unless it is acknowledged by then.

    Attributes:
        capability: what the owner holds.
        number: the envelope's number.
        envelope: the envelope.
    """

    capability: OwnershipCapability
    number: Counter
    envelope: Envelope

    @property
    def outcome(self) -> Delivery:
        return Delivery(self.number, self.envelope)


@event_type("inbox.envelope_acknowledged")
class EnvelopeAcknowledged(Fact):
    """The owner has done what an envelope asks for; it is spent.

    Attributes:
        capability: what the owner holds.
        number: the envelope's number.
        advance: the step that its receiver took with it; None if it came along no edge, or its receiver has no type.
    """

    capability: OwnershipCapability
    number: Counter
    advance: TypeAdvance | None = None


@event_type("inbox.envelopes_given_back")
class EnvelopesGivenBack(Event[tuple[int, ...]]):
    """The owner did not do what envelopes ask for; they are delivered again.

    Attributes:
        session_id: the session.
        numbers: which envelopes, sorted.
        capability: what the owner holds.
    """

    session_id: Identifier
    numbers: tuple[Counter, ...]
    capability: OwnershipCapability

    @property
    def outcome(self) -> tuple[int, ...]:
        return self.numbers


@event_type("inbox.taking_withdrawn")
class TakingWithdrawn(Fact):
    """That the owner took an envelope was undone; it is delivered again (law 8).

    Attributes:
        capability: what the owner held that took it.
        number: the envelope's number.
        envelope: the envelope.
    """

    capability: OwnershipCapability
    number: Counter
    envelope: Envelope


@event_type("inbox.envelope_withdrawn")
class EnvelopeWithdrawn(Fact):
    """An envelope was taken back before it was spent (law 8).

    Attributes:
        session_id: the session.
        incarnation: the incarnation that it was for.
        number: the envelope's number.
        envelope: the envelope.
        capability: what the owner held that had put it; None if it was shown none.
        undone: the step of its sender that is undone with it; None if it took none.
    """

    session_id: Identifier
    incarnation: Counter
    number: Counter
    envelope: Envelope
    capability: OwnershipCapability | None = None
    undone: TypeAdvance | None = None


@event_type("inbox.envelopes_lost")
class EnvelopesLost(Fact):
    """The session ended, and nobody is delivered what was unread.

    Attributes:
        session_id: the session.
        incarnation: the incarnation that ended.
        numbers: which envelopes, sorted.
    """

    session_id: Identifier
    incarnation: Counter
    numbers: tuple[Counter, ...]


@event_type("session.type_advanced")
class TypeAdvanced(Event[TypeAdvance]):
    """A role took a step of its local type, and no envelope says so. It stands in the inbox's stream.

    Attributes:
        capability: what the owner holds.
        advance: the step.
    """

    capability: OwnershipCapability
    advance: TypeAdvance

    @property
    def outcome(self) -> TypeAdvance:
        return self.advance


@event_type("session.type_restored")
class TypeRestored(Fact):
    """A step was undone: the role's local type stands where it stood before it (law 8).

    Attributes:
        capability: what the owner held that took the step.
        undone: the step.
    """

    capability: OwnershipCapability
    undone: TypeAdvance
