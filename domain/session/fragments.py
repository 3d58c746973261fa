"""The fragments of a session: claimed from a manifest, moved, released; exactly those that are named (aura 2.14).

A fragment is held under a label. What moves or releases it is the session's live capability, whose scope must reach
over it: a capability over the full session reaches over all, one over fragments over those that its owner holds.
"""

from __future__ import annotations

from ..artifacts import OwnershipCapability
from ..boundary import LinkBoundary, bundle_fragment, protocol_fragment
from ..bundle.values import CompositionManifest
from ..decision import decision
from ..errors import BoundaryRejected, FragmentConflict, FragmentNotHeld
from ..event import Accepted, Decision, accept
from ..fragment import SessionFragment
from ..limits import require_room
from ..scope import FULL_SESSION, Fragments, OwnershipScope
from .delegation_events import FragmentsClaimed, FragmentsMoved, FragmentsReleased
from .guards import refuse_unless_live, require_narrower
from .state import SessionState


@decision("session.claim_fragments")
def claim_fragments(
    state: SessionState, capability: OwnershipCapability, manifest: CompositionManifest
) -> Decision[tuple[SessionFragment, ...]]:
    """Claim the fragments of a manifest, all or none; one that the owner has for this protocol stays as it is.

    Returns:
        The fragments that were not held before.

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation, FragmentConflict
        LimitReached: too many are held.
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    wanted = fragments_of(manifest, capability.owner)
    require_narrower(capability, Fragments(fragment.key for fragment in wanted))
    for fragment in wanted:
        held = state.fragments.get(fragment.key, fragment)
        # One key stands for one protocol: a second protocol of the same bundle does not take it over unseen.
        if (held.held_by(capability.owner) if held.passes else held) != fragment:
            raise _conflict(state, held, capability.owner)
    new = tuple(fragment for fragment in wanted if state.fragments.get(fragment.key) != fragment)
    if not new:
        return Accepted(new)
    require_room(f"session {state.session_id!r}", "fragments", (*state.fragments.values(), *new))
    return accept(FragmentsClaimed(capability, new))


@decision("session.move_fragments")
def move_fragments(
    state: SessionState, capability: OwnershipCapability, keys: frozenset[str], to_owner: str
) -> Decision[tuple[SessionFragment, ...]]:
    """Move fragments to another label.

    Returns:
        The fragments that moved, as they are held now.

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation, FragmentNotHeld, FragmentConflict
        LimitReached: together the held fragments would be too large.
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    named = _named(state, capability, keys)
    previous = tuple(fragment for fragment in named if fragment.passes or fragment.owner != to_owner)
    moved = tuple(fragment.held_by(to_owner) for fragment in previous)
    if not moved:
        return Accepted(moved)
    held = {**state.fragments, **{fragment.key: fragment for fragment in moved}}
    require_room(f"session {state.session_id!r}", "fragments", held.values())
    return accept(FragmentsMoved(capability, previous, moved))


@decision("session.release_fragments")
def release_fragments(
    state: SessionState, capability: OwnershipCapability, keys: frozenset[str]
) -> Decision[tuple[SessionFragment, ...]]:
    """Give fragments up.

    Returns:
        The fragments as they were held.

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation, FragmentNotHeld, FragmentConflict
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    named = _named(state, capability, keys)
    return accept(FragmentsReleased(capability, named)) if named else Accepted(named)


@decision("session.check_boundary", uses_key=False)
def check_boundary(state: SessionState, capability: OwnershipCapability, boundary: LinkBoundary) -> Decision[None]:
    """Say whether the capability is live and reaches over a boundary (aura 2.16).

    Raises:
        SessionNotFound, SessionTerminal, BoundaryRejected
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_boundary(capability, boundary)
    return Accepted(None)


def require_boundary(capability: OwnershipCapability, boundary: LinkBoundary) -> None:
    """The capability reaches over the boundary (aura 2.15).

    Raises:
        BoundaryRejected: it does not.
    """
    if not boundary.is_allowed_by(capability.scope):
        raise BoundaryRejected(capability.session_id, tuple(sorted(boundary.fragment_keys)), capability.scope)


def fragments_to_move(
    state: SessionState, from_owner: str, capability: OwnershipCapability
) -> tuple[SessionFragment, ...]:
    """The fragments that go to a new owner with a session, as it will hold them: those that its scope reaches over.

    The reference moves all, also those that the new owner may not touch (aura 6, O-19).
    """
    if not state.fragments or from_owner == capability.owner:
        return ()
    return tuple(
        fragment.held_by(capability.owner)
        for fragment in _covered(state, capability.scope)
        if fragment.owner == from_owner and not fragment.passes
    )


def fragments_left_to(state: SessionState, capability: OwnershipCapability) -> tuple[SessionFragment, ...]:
    """The fragments that a delegation left to the next claim, as the claim of this capability holds them."""
    if not state.fragments:
        return ()
    return tuple(
        fragment.held_by(capability.owner) for fragment in _covered(state, capability.scope) if fragment.passes
    )


def fragments_to_leave(state: SessionState, scope: OwnershipScope) -> tuple[SessionFragment, ...]:
    """The fragments that go along when a session without an owner is delegated, left to the next claim (law 7).

    These are the last owner's, and those that an earlier delegation left, as far as the scope covers them. In the
    reference they stay with a label that nobody acts under any more (aura 2.29).
    """
    return tuple(
        fragment.passed_on()
        for fragment in _covered(state, scope)
        if fragment.passes or fragment.owner == state.last_owner
    )


def held_fragments(state: SessionState) -> tuple[SessionFragment, ...]:
    """Every fragment of the session, by key."""
    return tuple(fragment for _, fragment in sorted(state.fragments.items()))


def fragments_of(manifest: CompositionManifest, owner: str) -> list[SessionFragment]:
    """The fragments that a manifest names, as an owner holds them (aura 2.14)."""
    protocol_id = manifest.protocol_id
    if not manifest.link_specs:
        return [SessionFragment(protocol_fragment(protocol_id), owner, protocol_id)]
    return [
        SessionFragment(bundle_fragment(bundle_id), owner, protocol_id, bundle_id) for bundle_id in manifest.bundle_ids
    ]


def _covered(state: SessionState, scope: OwnershipScope) -> list[SessionFragment]:
    """The fragments that a scope covers, by key."""
    return [fragment for key, fragment in sorted(state.fragments.items()) if scope.includes(Fragments((key,)))]


def _named(state: SessionState, capability: OwnershipCapability, keys: frozenset[str]) -> tuple[SessionFragment, ...]:
    require_narrower(capability, Fragments(keys))
    named: list[SessionFragment] = []
    for key in sorted(keys):
        fragment = state.fragments.get(key)
        if fragment is None:
            raise FragmentNotHeld(state.session_id, key)
        if fragment.owner != capability.owner and capability.scope != FULL_SESSION:
            raise _conflict(state, fragment, capability.owner)
        named.append(fragment)
    return tuple(named)


def _conflict(state: SessionState, held: SessionFragment, requested_owner: str) -> FragmentConflict:
    return FragmentConflict(state.session_id, held.key, held.owner, held.protocol_id, requested_owner)
