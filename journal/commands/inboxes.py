"""``journal.inbox``: envelopes are put in, delivered at least once, and acknowledged once (aura 2.8)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar, cast

from ...domain import (
    Decision,
    Delivery,
    Envelope,
    InvalidArgument,
    OwnershipCapability,
    Unread,
    WaitTimedOut,
    inbox_stream,
    session,
    session_stream,
)
from ...domain.bounds import MAX_WAIT_S
from ...domain.identifiers import identifier, natural_number
from ...domain.inbox import InboxState, Selection
from ...domain.shown import shown
from ...projections import InboxView, Projector, TemporalStore
from ..storage.commits import Bell, Commits
from .base import Command, Executes, checked, checked_or_none

ResultT = TypeVar("ResultT")

LOOK_AGAIN_S: Final = 0.5
"""How often a waiting caller checks whether the journal was closed, in seconds."""


class Inboxes(InboxView):
    """The commands on envelopes, and what is unread: a mapping from (session id, number) to a row.

    Args:
        journal: what carries commands out.
        commits: tells when something is committed.
        store: the tables.
        projector: what keeps them caught up.
    """

    def __init__(self, journal: Executes, commits: Commits, store: TemporalStore, projector: Projector) -> None:
        super().__init__(store, projector)
        self._journal = journal
        self._commits = commits

    def put(self, session_id: str, envelope: Envelope, *, capability: OwnershipCapability | None = None) -> int:
        """Put an envelope in, for whoever owns the session (aura 2.8).

        Args:
            session_id: the session.
            envelope: the envelope. One with a name is put once: the same again changes nothing, also after it was
                acknowledged, for the last 10 000 names of the incarnation. One along an edge takes a step of its
                sender's local type.
            capability: the live capability, which an envelope along an edge needs; None for none.

        Returns:
            Its number in the inbox, from 1.

        Raises:
            SessionNotFound, SessionTerminal: the session is not open.
            SessionDraining: it runs out.
            InboxFull: as many are unread as may be, or they take 16 MiB together.
            DuplicateEnvelope: another envelope of that name was put before.
            EnvelopeNeedsCapability: it goes along an edge, and no capability is shown.
            Unclaimed, StaleCapability: the capability is not live; this is recorded.
            CapabilitySessionMismatch: the capability is of another session.
            UnknownEdge: the edge is none of this session's.
            TypeViolation: its sender's type does not permit to send it.
        """
        name, given = identifier("session_id", session_id), checked(envelope, Envelope)
        presented = checked_or_none(capability, OwnershipCapability)
        if presented is not None:
            session.require_session(name, presented)
        return self._journal.execute((inbox_stream(name), session_stream(name)), session.put, given, presented)

    def take(
        self,
        capability: OwnershipCapability,
        *,
        source: str | None = None,
        context: str | None = None,
        authority: str | None = None,
        device: str | None = None,
    ) -> Delivery | None:
        """Take the first envelope that matches (aura 2.8). It is leased to the capability's generation.

        Until it is acknowledged, a later generation gets it again. This one does not, unless it gives it back.

        Args:
            capability: the live capability.
            source: only from this authority.
            context: only of this context.
            authority: the authority that takes it. An envelope for it matches unless it is for another device. One for
                another authority matches only if it is for ``device``.
            device: the device that takes it.

        Returns:
            The envelope with its number; None if there is none.

        Raises:
            SessionNotFound, SessionTerminal: the session is not open.
            Unclaimed, StaleCapability: the capability is not live; this is recorded.
        """
        wanted = selection(source, context, authority, device)
        return self._present(session.take, capability, wanted)

    def acknowledge(self, capability: OwnershipCapability, number: int) -> None:
        """Spend an envelope that this generation took: what it asks for is done.

        Args:
            capability: the live capability.
            number: the envelope's number.

        Raises:
            SessionNotFound, SessionTerminal, Unclaimed, StaleCapability
            EnvelopeNotFound: no such envelope is unread.
            EnvelopeNotTaken: this generation has not taken it.
            EnvelopeOutOfOrder: an earlier envelope of its edge is unread.
            TypeViolation: its receiver's local type does not permit to receive it.
        """
        return self._present(session.acknowledge, capability, natural_number("number", number))

    def give_back(self, capability: OwnershipCapability, number: int | None = None) -> tuple[int, ...]:
        """Have an envelope delivered again that this generation took.

        Args:
            capability: the live capability.
            number: the envelope's number; None for all that this generation took, as a worker does that comes back.

        Returns:
            The numbers of those that are delivered again.

        Raises:
            SessionNotFound, SessionTerminal, Unclaimed, StaleCapability, EnvelopeNotFound, EnvelopeNotTaken
        """
        told = None if number is None else natural_number("number", number)
        return self._present(session.give_back, capability, told)

    def wait(
        self,
        capability: OwnershipCapability,
        *,
        timeout_s: float,
        source: str | None = None,
        context: str | None = None,
        authority: str | None = None,
        device: str | None = None,
    ) -> None:
        """Wait until there is an envelope to take, put by this process or another.

        Args:
            capability: the live capability.
            timeout_s: how long to wait, in seconds.
            source: see ``take``, also for the next three.
            context: only of this context.
            authority: the authority that takes it.
            device: the device that takes it.

        Raises:
            WaitTimedOut: nothing came in time.
            SessionNotFound, SessionTerminal: the session is not open, or ended meanwhile.
            Unclaimed, StaleCapability: the capability is not live, or no more; this is recorded.
            InvalidArgument: ``timeout_s`` is no number of seconds from 0 to a day.
        """
        wanted, ends = selection(source, context, authority, device), time.monotonic() + seconds("timeout_s", timeout_s)
        if self._present(session.check_deliverable, capability, wanted):
            return
        bell = Bell()
        # Told of what comes from here on, before it is looked for the first time; so nothing is missed in between.
        self._commits.listen(bell)
        try:
            while not self._present(session.check_deliverable, capability, wanted):
                remaining = ends - time.monotonic()
                if remaining <= 0:
                    raise WaitTimedOut(capability.session_id, timeout_s)
                bell.wait(min(remaining, LOOK_AGAIN_S))
        finally:
            self._commits.unlisten(bell)

    def unread(self, session_id: str) -> int:
        """How many envelopes are not acknowledged; 0 for a session that was never opened, or is over."""
        return self._journal.read_state(_stream(session_id), _count)

    def snapshot(self, session_id: str) -> tuple[Unread, ...]:
        """The envelopes that are not acknowledged, whole and in order, each with the generation that took it."""
        return self._journal.read_state(_stream(session_id), _all_unread)

    def _present(
        self, command: Callable[..., Decision[ResultT]], capability: OwnershipCapability, *arguments: object
    ) -> ResultT:
        presented = checked(capability, OwnershipCapability)
        streams = (inbox_stream(presented.session_id), session_stream(presented.session_id))
        return self._journal.execute(streams, command, presented, *arguments)

    def _checking(self, capability: OwnershipCapability, wanted: Selection) -> Command:
        """The command that asks whether there is anything to take; where commands are only noted."""
        return cast(Command, self._present(session.check_deliverable, capability, wanted))


def selection(source: str | None, context: str | None, authority: str | None, device: str | None) -> Selection:
    """Which envelopes are wanted, checked.

    Raises:
        InvalidIdentifier
    """
    named = {"source": source, "context": context, "authority": authority, "device": device}
    return Selection(**{name: identifier(name, value) for name, value in named.items() if value is not None})


def seconds(argument: str, value: object) -> float:
    """Return ``value`` if it may be waited for.

    Raises:
        InvalidArgument: it is no number of seconds from 0 to a day.
    """
    if type(value) not in (int, float) or not 0 <= value <= MAX_WAIT_S:  # type: ignore[operator]
        raise InvalidArgument(argument, f"must be a number of seconds from 0 to {MAX_WAIT_S}, not {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def _stream(session_id: str) -> str:
    return inbox_stream(identifier("session_id", session_id))


def _count(state: InboxState) -> int:
    return len(state.unread)


def _all_unread(state: InboxState) -> tuple[Unread, ...]:
    return tuple(state.all_unread())
