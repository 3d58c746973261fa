"""How a session begins, runs out and ends (aura 2.2 to 2.7; telltale 2.10, 2.15)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from ..artifacts import CancellationWitness, OwnershipCapability, TerminalReason
from ..bounds import MAX_INCARNATIONS, MAX_TEXT_LENGTH
from ..decision import decision
from ..effects import SessionStatus
from ..errors import (
    InboxNotEmpty,
    InvalidArgument,
    SessionAlreadyOpen,
    SessionDraining,
    SessionNotFinished,
    StaleCapability,
    Unclaimed,
    UnknownRole,
)
from ..event import Accepted, Decision, Event, accept
from ..inbox import InboxState
from ..limits import require_fewer
from ..protocol.plan import SessionPlan
from .ending import counts_of, end_of, finish
from .events import OwnerDied, SessionClosed, SessionOpened
from .fragments import held_fragments
from .guards import refuse_unless_live, require_full_session, require_nothing_staged, require_open
from .life_events import SessionArchived, SessionDrained, SessionEnded, TermsChanged
from .moves import MOVES
from .state import SessionState
from .terms import NO_TERMS, SessionTerms

_KINDS: Final[Mapping[SessionStatus, Literal["ended", "cancelled", "faulted"]]] = {
    SessionStatus.CLOSED: "ended",
    SessionStatus.CANCELLED: "cancelled",
    SessionStatus.FAULTED: "faulted",
}
"""What its terminal reason is called, if a host ends a session so."""


@decision("session.open_session", takes_time=True)
def open_session(
    state: SessionState,
    roles: tuple[str, ...],
    terms: SessionTerms = NO_TERMS,
    plan: SessionPlan | None = None,
    *,
    now: int | None = None,
) -> Decision[None]:
    """Begin a session, or a new incarnation of a finished one, which is archived with that (law 5; aura 2.2).

    Args:
        state: the session.
        roles: the names of the parts that are played in it.
        terms: what else is said of it.
        plan: the protocol that its roles follow; None for none.
        now: the time in ms; None where nobody tells it.

    Raises:
        SessionAlreadyOpen, UnknownRole
        LimitReached: it was opened 65 535 times.
    """
    return Accepted(None, (*archived_before_opening(state), opened(state, roles, terms, plan, now)))


def archived_before_opening(state: SessionState) -> tuple[Event[Any], ...]:
    """The event that archives the finished incarnation, if there is one that is not archived.

    Raises:
        SessionAlreadyOpen
    """
    if state.status not in MOVES["open"].sources:
        raise SessionAlreadyOpen(state.session_id, state.incarnation)
    if state.status is SessionStatus.UNOPENED or state.is_archived:
        return ()
    return (_archived(state),)


def opened(
    state: SessionState, roles: tuple[str, ...], terms: SessionTerms, plan: SessionPlan | None, now: int | None
) -> SessionOpened:
    """The event that opens a session.

    Raises:
        UnknownRole, LimitReached
        InvalidArgument: the roles are not those of the plan.
    """
    require_fewer(f"session {state.session_id!r}", "incarnations", state.incarnation, MAX_INCARNATIONS)
    if plan is not None and plan.roles != roles:
        raise InvalidArgument("roles", f"must be those of the plan, {', '.join(plan.roles)}"[:MAX_TEXT_LENGTH])
    if terms.current_role is not None and terms.current_role not in roles:
        raise UnknownRole(state.session_id, terms.current_role)
    if now is not None:
        terms = terms.started(state.not_before(now))
    # Who had the incarnation before does not have this one unasked.
    cleared = tuple(sorted(state.footprint))
    said = None if terms == NO_TERMS else terms
    return SessionOpened(state.session_id, state.incarnation + 1, roles, cleared, said, plan)


@decision("session.change_terms")
def change_terms(state: SessionState, terms: SessionTerms) -> Decision[None]:
    """Give the session another protocol or time-out (aura 2.4, 2.7). Unchanged terms append nothing.

    Raises:
        SessionNotFound, SessionTerminal
    """
    require_open(state)
    return Accepted(None) if terms == state.terms else accept(TermsChanged(state.session_id, terms))


@decision("session.set_protocol")
def set_protocol(state: SessionState, protocol_id: str | None) -> Decision[None]:
    """Give the session another protocol; see ``change_terms``."""
    return change_terms(state, state.terms.with_protocol(protocol_id))


@decision("session.set_timeout", takes_time=True)
def set_timeout(state: SessionState, timeout_ms: int | None, *, now: int | None = None) -> Decision[None]:
    """Give the session another time-out; see ``change_terms``.

    Of a session of which it is not on record when it was opened, the time is counted from now on.
    """
    terms = state.terms.with_timeout(timeout_ms)
    if timeout_ms is not None and terms.started_at is None and now is not None:
        terms = terms.started(state.not_before(now))
    return change_terms(state, terms)


@decision("session.drain")
def drain(state: SessionState, capability: OwnershipCapability) -> Decision[None]:
    """Let the session run out (telltale 4). This needs a capability over the full session.

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation, SessionDraining
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_full_session(state, capability)
    if state.status not in MOVES["drain"].sources:
        raise SessionDraining(state.session_id)
    return accept(SessionDrained(capability, state.epoch + 1))


@decision("session.close", takes_time=True)
def close(
    state: SessionState, inbox: InboxState, capability: OwnershipCapability, *, now: int | None = None
) -> Decision[None]:
    """End the session in good order. This needs a capability over the full session, and no staged transfer (law 5).

    Args:
        state: the session.
        inbox: its inbox; of a session that is draining, it must be empty.
        capability: the live capability.
        now: the time in ms; None where nobody tells it.

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation, TransferPending, InboxNotEmpty
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_full_session(state, capability)
    require_nothing_staged(state)
    ending, lost = end_of(state, inbox, now, closes=True)
    if state.status is SessionStatus.DRAINING and ending.lost_envelopes:
        raise InboxNotEmpty(state.session_id, ending.lost_envelopes)
    event = SessionClosed(capability, state.outstanding_witnesses(), held_fragments(state), ending)
    return finish(event, lost)


@decision("session.end", takes_time=True)
def end(
    state: SessionState,
    inbox: InboxState,
    target: SessionStatus,
    reason: str | None = None,
    site: str | None = None,
    *,
    now: int | None = None,
) -> Decision[None]:
    """End an open session as its host, whoever owns it and whatever its inbox holds (aura 2.5, 2.6; telltale 2.15).

    Args:
        state: the session.
        inbox: its inbox.
        target: how it finishes: closed, cancelled or faulted.
        reason: why.
        site: the site whose crash ends it; None if none does.
        now: the time in ms; None where nobody tells it.

    Raises:
        SessionNotFound, SessionTerminal
    """
    require_open(state)
    live = state.live
    ending, lost = end_of(state, inbox, now, closes=target is SessionStatus.CLOSED)
    why = TerminalReason(_KINDS[target], None if live is None else live.owner, None, reason)
    voided, fragments = state.outstanding_witnesses(), held_fragments(state)
    event = SessionEnded(state.session_id, target, why, ending, live, state.pending, voided, fragments, site)
    return finish(event, lost)


@decision("session.fault_crashed", takes_time=True, uses_key=False)
def fault_crashed(state: SessionState, inbox: InboxState, site: str, *, now: int | None = None) -> Decision[None]:
    """Fault a session since a site that plays a role in it crashed (telltale 2.15); see ``end``."""
    return end(state, inbox, SessionStatus.FAULTED, f"site {site} crashed", site, now=now)


@decision("session.archive", uses_key=False)
def archive(state: SessionState) -> Decision[tuple[str, int] | None]:
    """Put a finished session away; one that is put away already stays so (telltale 2.15, reap).

    Raises:
        SessionNotFinished
    """
    if state.status.is_open:
        raise SessionNotFinished(state.session_id, state.status)
    if state.status is SessionStatus.UNOPENED or state.is_archived:
        return Accepted(None)
    event = _archived(state)
    return Accepted(event.outcome, (event,))


@decision("session.owner_died", takes_time=True)
def owner_died(
    state: SessionState, inbox: InboxState, owner: str, generation: int | None = None, *, now: int | None = None
) -> Decision[CancellationWitness]:
    """Record that the owner is gone, and fault the session with it (telltale 2.10).

    Nothing is presented but the owner's label, and perhaps its generation. What is wrong is refused, and leaves no
    record.

    Args:
        state: the session.
        inbox: its inbox.
        owner: the owner's label.
        generation: its generation; None for whichever is live.
        now: the time in ms; None where nobody tells it.

    Raises:
        SessionNotFound, SessionTerminal, Unclaimed, StaleCapability
    """
    require_open(state)
    live = state.live
    if live is None:
        raise Unclaimed(state.session_id)
    if live.owner != owner or generation not in (None, live.generation):
        raise StaleCapability(state.session_id, owner, generation, None, live.owner, live.generation, live.scope)
    reason = TerminalReason("owner_died", owner)
    witness = CancellationWitness(state.witnesses + 1, state.session_id, owner, live.generation, reason)
    ending, lost = end_of(state, inbox, now)
    voided, fragments = state.outstanding_witnesses(), held_fragments(state)
    return finish(OwnerDied(live, witness, state.pending, voided, fragments, ending), lost)


def _archived(state: SessionState) -> SessionArchived:
    return SessionArchived(
        session_id=state.session_id,
        incarnation=state.incarnation,
        status=state.status,
        terms=state.terms,
        counts=counts_of(state),
        reason=state.terminal_reason,
        ending=state.ending,
        last_owner=state.last_owner,
    )
