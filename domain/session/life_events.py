"""What can happen in a session's life, beside its opening and its orderly close (aura 2.4 to 2.7; telltale 2.15)."""

from __future__ import annotations

from typing import Any

from ..artifacts import Counter, OwnershipCapability, OwnershipReceipt, ReadinessWitness, TerminalReason
from ..boundary import LinkBoundary
from ..effects import Effects, SessionStatus, made_void
from ..event import CATALOGUE, Event, Fact, event_type
from ..fragment import SessionFragment
from ..identifiers import Identifier
from .terms import SessionCounts, SessionEnding, SessionTerms


@event_type("session.started")
class SessionStarted(Event[OwnershipCapability]):
    """A session was opened and claimed at once, for an owner to run it inside a boundary (aura 2.17, 2.18).

    Attributes:
        capability: what the owner holds.
        boundary: what it acts inside.
    """

    capability: OwnershipCapability
    boundary: LinkBoundary

    @property
    def outcome(self) -> OwnershipCapability:
        return self.capability


@event_type("session.drained")
class SessionDrained(Fact):
    """The owner lets the session run out: no envelope, claim or delegation is accepted any more (telltale 4).

    Attributes:
        capability: what the owner holds.
        epoch: how often this incarnation was drained and closed so far, this time included.
    """

    capability: OwnershipCapability
    epoch: Counter

    @property
    def effects(self) -> Effects:
        return Effects(self.capability.session_id, SessionStatus.DRAINING)


@event_type("session.draining_withdrawn")
class DrainingWithdrawn(Fact):
    """The draining was undone: the session accepts everything again; its epoch stays (law 8)."""

    session_id: Identifier

    @property
    def effects(self) -> Effects:
        return Effects(self.session_id, SessionStatus.ACTIVE)


@event_type("session.terms_changed")
class TermsChanged(Fact):
    """The host gave the session another protocol or time-out (aura 2.4, 2.7).

    Attributes:
        session_id: the session.
        terms: its terms from here on.
    """

    session_id: Identifier
    terms: SessionTerms


@event_type("session.ended")
class SessionEnded(Fact):
    """The host ended the session, whoever owned it and whatever its inbox held (aura 2.5, 2.6; telltale 2.15).

    Attributes:
        session_id: the session.
        status: how it ended: closed, cancelled or faulted.
        reason: why.
        ending: the numbers.
        capability: what the owner held; None if nobody owned it.
        receipt: the staged transfer that ended, or None.
        voided: the outstanding readiness witnesses that ended (law 4).
        released_fragments: the fragments that were held in the session.
        site: the site whose crash ended it; None if none did.
    """

    session_id: Identifier
    status: SessionStatus
    reason: TerminalReason
    ending: SessionEnding
    capability: OwnershipCapability | None = None
    receipt: OwnershipReceipt | None = None
    voided: tuple[ReadinessWitness, ...] = ()
    released_fragments: tuple[SessionFragment, ...] = ()
    site: Identifier | None = None

    @property
    def effects(self) -> Effects:
        cleared = tuple((authority, None) for authority in self.ending.cleared)
        return Effects(self.session_id, self.status, True, witnesses=made_void(self.voided), footprint=cleared)


@event_type("session.archived", version=2)
class SessionArchived(Event[tuple[str, int]]):
    """A finished incarnation was put away, with what there is to know of it (telltale 1.4, ``ClosedSessionSummary``).

    Attributes:
        session_id: the session.
        incarnation: which incarnation.
        status: how it finished.
        terms: what it was opened with.
        counts: what it consisted of.
        reason: why its ownership ended for good, or None.
        ending: the numbers; None if an older Muniment ended it.
        last_owner: the label of its last owner; None if nobody ever owned it.
    """

    session_id: Identifier
    incarnation: Counter
    status: SessionStatus
    terms: SessionTerms
    counts: SessionCounts
    reason: TerminalReason | None = None
    ending: SessionEnding | None = None
    last_owner: Identifier | None = None

    @property
    def outcome(self) -> tuple[str, int]:
        return self.session_id, self.incarnation


@CATALOGUE.upcaster("session.archived", from_version=1)
def _with_counts(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 counted roles alone: there were no local types, edges and handlers then."""
    known = {name: value for name, value in data.items() if name != "role_count"}
    return {**known, "counts": {"roles": data["role_count"]}}
