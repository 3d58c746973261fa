"""Putting envelopes in, taking them out, and acknowledging them once (aura 2.8).

Each decision is about the inbox, and looks at the session, so that only the live owner takes anything, and nothing is
put into a session that is over.
"""

from __future__ import annotations

from ..artifacts import OwnershipCapability
from ..bounds import DEFAULT_INBOX_CAPACITY, MAX_INBOX_BYTES
from ..decision import decision
from ..errors import (
    DuplicateEnvelope,
    EnvelopeNeedsCapability,
    EnvelopeNotFound,
    EnvelopeNotTaken,
    EnvelopeOutOfOrder,
    InboxFull,
)
from ..event import Accepted, Decision, accept
from ..inbox import (
    Delivery,
    Envelope,
    EnvelopeAcknowledged,
    EnvelopePut,
    EnvelopesGivenBack,
    EnvelopeTaken,
    InboxState,
    Selection,
)
from ..inbox.state import envelope_digest
from ..protocol import Direction, TypeAdvance, TypeStep
from ..value import json_size
from .edges import require_edge
from .guards import refuse_beside, require_not_draining, require_open
from .state import SessionState
from .types import step_of


@decision("inbox.put")
def put(
    inbox: InboxState, session: SessionState, envelope: Envelope, capability: OwnershipCapability | None = None
) -> Decision[int]:
    """Put an envelope in; one of a name that was put before changes nothing.

    One that goes along an edge takes a step of its sender's type, which needs the live capability.

    Raises:
        SessionNotFound, SessionTerminal, SessionDraining
        EnvelopeNeedsCapability, UnknownEdge, TypeViolation
        DuplicateEnvelope: another envelope of that name was put before.
        InboxFull: as many are unread as may be, or they are too large together.
    """
    require_open(session)
    if capability is not None and (refused := refuse_beside(session, capability)):
        return refused
    if (edge := envelope.edge) is not None:
        require_edge(session, edge)
        if capability is None:
            raise EnvelopeNeedsCapability(session.session_id, edge.sender, edge.receiver)
    if (before := _put_before(inbox, session, envelope)) is not None:
        number, digest = before
        if digest != envelope_digest(envelope):
            raise DuplicateEnvelope(session.session_id, str(envelope.name), number)
        return Accepted(number)
    require_not_draining(session)
    _require_room(inbox, session, envelope)
    number, advance = inbox.last + 1, sending(inbox, session, envelope)
    return accept(EnvelopePut(session.session_id, session.incarnation, number, envelope, capability, advance))


@decision("inbox.take")
def take(
    inbox: InboxState, session: SessionState, capability: OwnershipCapability, wanted: Selection
) -> Decision[Delivery | None]:
    """Take the first envelope that matches and that this generation has not taken.

    Raises:
        SessionNotFound, SessionTerminal
    """
    if refused := refuse_beside(session, capability):
        return refused
    found = inbox.deliverable(capability.generation, wanted) if inbox.incarnation == session.incarnation else None
    if found is None:
        return Accepted(None)
    event = EnvelopeTaken(capability, *found)
    return Accepted(event.outcome, (event,))


@decision("inbox.acknowledge")
def acknowledge(
    inbox: InboxState, session: SessionState, capability: OwnershipCapability, number: int
) -> Decision[None]:
    """Spend an envelope that this generation took.

    Raises:
        SessionNotFound, SessionTerminal, EnvelopeNotFound, EnvelopeNotTaken
        EnvelopeOutOfOrder: an earlier envelope of its edge is unread.
        TypeViolation: its receiver's type does not permit to receive it.
    """
    if refused := refuse_beside(session, capability):
        return refused
    _require_taken(inbox, capability, number)
    return accept(EnvelopeAcknowledged(capability, number, _receiving(inbox, session, number)))


@decision("inbox.give_back")
def give_back(
    inbox: InboxState, session: SessionState, capability: OwnershipCapability, number: int | None
) -> Decision[tuple[int, ...]]:
    """Have an envelope that this generation took delivered again; without a number, all of them.

    Raises:
        SessionNotFound, SessionTerminal, EnvelopeNotFound, EnvelopeNotTaken
    """
    if refused := refuse_beside(session, capability):
        return refused
    if number is not None:
        _require_taken(inbox, capability, number)
        return accept(EnvelopesGivenBack(session.session_id, (number,), capability))
    taken = tuple(sorted(each for each, by in inbox.taken.items() if by == capability.generation))
    return accept(EnvelopesGivenBack(session.session_id, taken, capability)) if taken else Accepted(())


@decision("inbox.check_deliverable", uses_key=False)
def check_deliverable(
    inbox: InboxState, session: SessionState, capability: OwnershipCapability, wanted: Selection
) -> Decision[bool]:
    """Say whether there is anything to take.

    Raises:
        SessionNotFound, SessionTerminal
    """
    if refused := refuse_beside(session, capability):
        return refused
    is_same_incarnation = inbox.incarnation == session.incarnation
    return Accepted(is_same_incarnation and inbox.deliverable(capability.generation, wanted) is not None)


def require_putting_again(inbox: InboxState, session: SessionState, envelope: Envelope) -> None:
    """An envelope that was taken back may be put in again.

    Raises:
        SessionNotFound, SessionTerminal, SessionDraining, InboxFull
        DuplicateEnvelope: it was put in again already, or another one of its name.
    """
    require_open(session)
    require_not_draining(session)
    if (before := _put_before(inbox, session, envelope)) is not None:
        raise DuplicateEnvelope(session.session_id, str(envelope.name), before[0])
    _require_room(inbox, session, envelope)


def sending(inbox: InboxState, session: SessionState, envelope: Envelope) -> TypeAdvance | None:
    """The step that an envelope's sender takes with it; None if it goes along no edge, or its sender has no type.

    Raises:
        TypeViolation: its sender's type does not permit to send it.
    """
    if envelope.edge is None or envelope.label is None:
        return None
    step = TypeStep(Direction.SEND, envelope.edge.receiver, envelope.label, envelope.value_type)
    return step_of(inbox, session, envelope.edge.sender, step)


def _receiving(inbox: InboxState, session: SessionState, number: int) -> TypeAdvance | None:
    """The step that an envelope's receiver takes when it is acknowledged.

    Raises:
        EnvelopeOutOfOrder, TypeViolation
    """
    envelope = inbox.unread[number]
    if envelope.edge is None or envelope.label is None:
        return None
    first = next(each for each, other in inbox.unread.items() if other.edge == envelope.edge)
    if first != number:
        raise EnvelopeOutOfOrder(session.session_id, number, first)
    step = TypeStep(Direction.RECEIVE, envelope.edge.sender, envelope.label, envelope.value_type)
    return step_of(inbox, session, envelope.edge.receiver, step)


def _put_before(inbox: InboxState, session: SessionState, envelope: Envelope) -> tuple[int, bytes] | None:
    """The number and digest of an envelope that was put under the same name, if there is one."""
    if envelope.name is None or inbox.incarnation != session.incarnation:
        return None
    return inbox.names.get(envelope.name)


def _require_room(inbox: InboxState, session: SessionState, envelope: Envelope) -> None:
    if inbox.incarnation != session.incarnation:
        return
    capacity = session.terms.inbox_capacity
    most = DEFAULT_INBOX_CAPACITY if capacity is None else capacity
    if len(inbox.unread) >= most:
        raise InboxFull(session.session_id, len(inbox.unread), f"it holds {most} envelopes")
    if inbox.size + json_size(envelope) > MAX_INBOX_BYTES:
        raise InboxFull(session.session_id, len(inbox.unread), f"its envelopes take {MAX_INBOX_BYTES} bytes")


def _require_taken(inbox: InboxState, capability: OwnershipCapability, number: int) -> None:
    if number not in inbox.unread:
        raise EnvelopeNotFound(capability.session_id, number)
    if (taken_by := inbox.taken.get(number)) != capability.generation:
        raise EnvelopeNotTaken(capability.session_id, number, capability.generation, taken_by)
