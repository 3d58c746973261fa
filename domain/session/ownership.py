"""Claiming, checking, narrowing and giving up a session."""

from __future__ import annotations

from ..artifacts import OwnershipCapability
from ..decision import decision
from ..errors import AlreadyClaimed
from ..event import Accepted, Decision, accept
from ..limits import require_room
from ..policy import Policy
from ..scope import OwnershipScope
from .events import OwnershipClaimed, OwnershipReleased, ScopeAttenuated
from .fragments import fragments_left_to
from .guards import (
    refuse_unless_live,
    require_claimable,
    require_narrower,
    require_not_draining,
    require_nothing_staged,
    require_open,
)
from .state import SessionState


@decision("session.claim")
def claim(state: SessionState, owner: str, scope: OwnershipScope, *, policy: Policy) -> Decision[OwnershipCapability]:
    """Make ``owner`` the owner of a session that has none (telltale 2.1; aura 2.9 where the policy says so).

    The fragments that a delegation left to the next claim are its own from here on, as far as its scope covers them.

    Raises:
        SessionNotFound, SessionTerminal, AlreadyClaimed, SessionDraining
        ScopeViolation: the last owner reached less far (law 3).
        LimitReached: together the held fragments would be too large under this label.
    """
    require_open(state)
    if state.live is not None:
        if policy.claim_again_returns_live and state.live.owner == owner:
            return Accepted(state.live)
        raise AlreadyClaimed(state.session_id, state.live.owner)
    require_not_draining(state)
    require_claimable(state, scope, policy)
    capability = state.next_capability(owner, scope)
    moved = fragments_left_to(state, capability)
    if moved:
        held = {**state.fragments, **{fragment.key: fragment for fragment in moved}}
        require_room(f"session {state.session_id!r}", "fragments", held.values())
    return accept(OwnershipClaimed(capability, moved))


@decision("session.check", uses_key=False)
def check(state: SessionState, capability: OwnershipCapability) -> Decision[None]:
    """Say whether the capability is live (telltale 2.12).

    Raises:
        SessionNotFound, SessionTerminal
    """
    return refuse_unless_live(state, capability) or Accepted(None)


@decision("session.release")
def release(state: SessionState, capability: OwnershipCapability) -> Decision[None]:
    """Give the session up (telltale 2.2).

    Raises:
        SessionNotFound, SessionTerminal, TransferPending
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_nothing_staged(state)
    return accept(OwnershipReleased(capability, state.outstanding_witnesses()))


@decision("session.attenuate")
def attenuate(
    state: SessionState, capability: OwnershipCapability, scope: OwnershipScope, *, policy: Policy
) -> Decision[OwnershipCapability]:
    """Narrow the live scope, under a new generation (telltale 2.6; law 3).

    Raises:
        SessionNotFound, SessionTerminal, TransferPending, ScopeViolation
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_nothing_staged(state)
    require_narrower(capability, scope, policy)
    narrowed = state.next_capability(capability.owner, scope)
    return accept(ScopeAttenuated(capability, narrowed, state.outstanding_witnesses()))
