"""How a session begins and ends."""

from __future__ import annotations

from ..artifacts import CancellationWitness, OwnershipCapability, TerminalReason
from ..bounds import MAX_INCARNATIONS
from ..decision import decision
from ..effects import SessionStatus
from ..errors import SessionAlreadyOpen, StaleCapability, Unclaimed
from ..event import Decision, accept
from ..limits import require_fewer
from .events import OwnerDied, SessionClosed, SessionOpened
from .fragments import held_fragments
from .guards import refuse_unless_live, require_active, require_full_session, require_nothing_staged
from .state import SessionState


@decision("session.open_session")
def open_session(state: SessionState, roles: tuple[str, ...]) -> Decision[None]:
    """Begin a session, or a new incarnation of a finished one (law 5).

    Raises:
        SessionAlreadyOpen
        LimitReached: it was opened 65 535 times.
    """
    if state.status is SessionStatus.ACTIVE:
        raise SessionAlreadyOpen(state.session_id, state.incarnation)
    require_fewer(f"session {state.session_id!r}", "incarnations", state.incarnation, MAX_INCARNATIONS)
    # Who had the incarnation before does not have this one unasked.
    return accept(SessionOpened(state.session_id, state.incarnation + 1, roles, tuple(sorted(state.footprint))))


@decision("session.close")
def close(state: SessionState, capability: OwnershipCapability) -> Decision[None]:
    """End the session in good order. This needs a capability over the full session, and no staged transfer (law 5).

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation, TransferPending
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_full_session(state, capability)
    require_nothing_staged(state)
    return accept(SessionClosed(capability, state.outstanding_witnesses(), held_fragments(state)))


@decision("session.owner_died")
def owner_died(state: SessionState, owner: str) -> Decision[CancellationWitness]:
    """Record that the owner is gone, and fault the session with it (telltale 2.10).

    Nothing is presented but the owner's label, so a wrong label is refused and leaves no record.

    Raises:
        SessionNotFound, SessionTerminal, Unclaimed, StaleCapability
    """
    require_active(state)
    live = state.live
    if live is None:
        raise Unclaimed(state.session_id)
    if live.owner != owner:
        raise StaleCapability(state.session_id, owner, None, None, live.owner, live.generation, live.scope)
    reason = TerminalReason("owner_died", owner)
    witness = CancellationWitness(state.witnesses + 1, state.session_id, owner, live.generation, reason)
    return accept(OwnerDied(live, witness, state.pending, state.outstanding_witnesses(), held_fragments(state)))
