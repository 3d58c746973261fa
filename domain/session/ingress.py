"""What comes into an owned session, and what its rounds resulted in, under the live capability (aura 2.16, 2.20)."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from ..artifacts import Counter, OwnershipCapability
from ..boundary import LinkBoundary
from ..content import Content, size_and_sha256
from ..decision import decision
from ..errors import BoundaryRejected, InvalidArgument, UnknownRole
from ..event import Accepted, Decision, Refused, accept
from ..identifiers import Identifier
from ..value import VALUE, value_type
from .fragments import require_boundary
from .guards import refuse_unless_live
from .ingress_events import IngressAccepted, IngressRejected, RoundOutcome, RoundRecorded, Sha256
from .refusals import refuse_as
from .state import SessionState

OUT_OF_REACH = "boundary is out of the capability's reach"


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Ingress:
    """One thing that is to come in.

    Attributes:
        kind: what it is, in the host's words.
        active_role: the role that it is for; None if that is not said. The same for the next two.
        from_role: the role that it comes from.
        to_role: the role that it goes to.
        size: how many bytes its payload takes.
        sha256: the SHA-256 of its payload; None if there is none.
        payload: its payload; None if there is none, or if the host keeps it to itself.
    """

    kind: Identifier
    active_role: Identifier | None = None
    from_role: Identifier | None = None
    to_role: Identifier | None = None
    size: Counter = 0
    sha256: Sha256 | None = None
    payload: Content = None


@decision("session.admit", uses_key=False)
def admit(
    state: SessionState, capability: OwnershipCapability, boundary: LinkBoundary, role: str | None
) -> Decision[None]:
    """Say whether the owner may act inside a boundary, for a role; a refusal is recorded (aura 2.16).

    Raises:
        SessionNotFound, SessionTerminal, UnknownRole
    """
    return _refuse_unless_admitted(state, capability, boundary, (role,)) or Accepted(None)


@decision("session.accept")
def accept_ingress(
    state: SessionState, capability: OwnershipCapability, boundary: LinkBoundary, ingress: Ingress
) -> Decision[None]:
    """Record what came in through a boundary; a refusal is recorded too (aura 2.20; law 6).

    Raises:
        SessionNotFound, SessionTerminal, UnknownRole
    """
    roles = (ingress.active_role, ingress.from_role, ingress.to_role)
    if refused := _refuse_unless_admitted(state, capability, boundary, roles):
        return refused
    about = (ingress.size, ingress.sha256)
    payload = ingress.payload
    if payload is not None and about != size_and_sha256(payload):
        raise InvalidArgument("ingress", "has a size or SHA-256 that is not its payload's")
    return accept(IngressAccepted(capability, boundary, ingress.kind, *roles, *about, payload))


@decision("session.record_round")
def record_round(
    state: SessionState, capability: OwnershipCapability, boundary: LinkBoundary, role: str, outcome: RoundOutcome
) -> Decision[None]:
    """Record what a round of the owner's machine resulted in.

    Raises:
        SessionNotFound, SessionTerminal, UnknownRole
    """
    if refused := _refuse_unless_admitted(state, capability, boundary, (role,)):
        return refused
    return accept(RoundRecorded(capability, boundary, role, outcome))


def _refuse_unless_admitted(
    state: SessionState, capability: OwnershipCapability, boundary: LinkBoundary, roles: tuple[str | None, ...]
) -> Refused | None:
    if refused := refuse_unless_live(state, capability):
        return refused
    for role in roles:
        if role is not None and role not in state.role_set:
            raise UnknownRole(state.session_id, role)
    try:
        require_boundary(capability, boundary)
    except BoundaryRejected as error:
        return refuse_as(IngressRejected, state, capability, OUT_OF_REACH, error)
    return None
