"""Starting a session owned: opened, claimed with its fragments, its boundary set, in one append (aura 2.17, 2.18)."""

from __future__ import annotations

from typing import Any

from ..artifacts import OwnershipCapability
from ..boundary import LinkBoundary
from ..bundle.values import CompositionManifest
from ..decision import decision
from ..event import Accepted, Decision, Event
from ..limits import require_room
from ..protocol.plan import SessionPlan
from ..scope import FULL_SESSION
from .delegation_events import FragmentsClaimed
from .events import OwnershipClaimed
from .fragments import fragments_of
from .life_events import SessionStarted
from .lifecycle import archived_before_opening, opened
from .state import SessionState
from .terms import SessionTerms


@decision("session.start", takes_time=True)
def start(
    state: SessionState,
    owner: str,
    roles: tuple[str, ...],
    terms: SessionTerms,
    manifest: CompositionManifest | None,
    plan: SessionPlan | None = None,
    *,
    now: int | None = None,
) -> Decision[OwnershipCapability]:
    """Open a session for an owner, who holds all of it. There is no moment at which it is open and has no owner.

    Args:
        state: the session.
        owner: the owner's label.
        roles: the names of the parts that are played in it.
        terms: what else is said of it.
        manifest: what it is put together from; None to claim no fragments.
        plan: the protocol that its roles follow; None for none.
        now: the time in ms; None where nobody tells it.

    Raises:
        SessionAlreadyOpen, UnknownRole
        LimitReached: it was opened 65 535 times, or the manifest has too many fragments.
    """
    held = state.next_capability(owner, FULL_SESSION)
    events: list[Event[Any]] = [*archived_before_opening(state), opened(state, roles, terms, plan, now)]
    events.append(OwnershipClaimed(held))
    if manifest is not None:
        fragments = tuple(fragments_of(manifest, owner))
        require_room(f"session {state.session_id!r}", "fragments", fragments)
        events.append(FragmentsClaimed(held, fragments))
    events.append(SessionStarted(held, boundary_of(manifest)))
    return Accepted(held, tuple(events))


def boundary_of(manifest: CompositionManifest | None) -> LinkBoundary:
    """The boundary of a session that is started from a manifest, or from none."""
    return LinkBoundary.for_scope(FULL_SESSION) if manifest is None else LinkBoundary.for_manifest(manifest)
