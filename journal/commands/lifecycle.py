"""The part of ``journal.sessions`` that a host needs: opening, ending, time-outs, and putting away."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from ...domain import (
    CancellationWitness,
    CompositionManifest,
    Decision,
    MissingTaskBinding,
    OwnershipCapability,
    Policy,
    SessionAlreadyOpen,
    SessionNotFinished,
    Surfaces,
    TaskAlreadyBound,
    inbox_stream,
    session,
    session_stream,
)
from ...domain.bounds import MAX_DURATION_MS, MAX_INBOX_CAPACITY
from ...domain.identifiers import identifier, natural_number, role_names, text
from ...domain.protocol import SessionPlan
from ...domain.session import SessionStatus, SessionTerms
from ...domain.value import function_or_none
from ...projections import Progress, Projector, SessionsView, TemporalStore
from ..writing.bindings import Binding, Bindings
from ..writing.times import time_ms
from .base import Ask, Command, Executes, SessionCommands, Steps, carry_out, checked
from .protocols import planned_roles

ResultT = TypeVar("ResultT")


class LifecycleCommands(SessionCommands, SessionsView):
    """Opens, runs out, ends and puts away sessions.

    Args:
        journal: what carries commands out.
        policy: what is permitted beyond the laws.
        surfaces: what the runtime offers.
        clock: tells the time, UTC, in ms since 1970.
        store: the tables.
        projector: what keeps them caught up.
    """

    def __init__(
        self,
        journal: Executes,
        policy: Policy,
        surfaces: Surfaces,
        clock: Callable[[], int],
        store: TemporalStore,
        projector: Projector,
    ) -> None:
        SessionCommands.__init__(self, journal, policy, surfaces)
        SessionsView.__init__(self, store, projector)
        self._clock = clock
        # Reads, also where commands are only noted.
        self._reader = journal
        self._bindings = Bindings()

    def open(
        self,
        session_id: str,
        roles: Iterable[str] = (),
        *,
        plan: SessionPlan | None = None,
        protocol_id: str | None = None,
        context_id: str | None = None,
        current_role: str | None = None,
        timeout_ms: int | None = None,
        inbox_capacity: int | None = None,
        now: int | None = None,
        binding: str | None = None,
    ) -> None:
        """Begin a session, or a new incarnation of a finished one, which is archived with that (aura 2.2; law 5).

        Its counters go on where they were (telltale 1.1).

        Args:
            session_id: 1 to 200 characters, none of them a control character.
            roles: names of the parts that are played in it; distinct, and at most 65 535.
            plan: what its roles do, one local type each, and so which way messages go. Its roles are those of the
                session.
            protocol_id: the protocol that it runs.
            context_id: the context that it belongs to.
            current_role: the role that this host plays, one of ``roles``.
            timeout_ms: how long it may take, in ms; None for ever.
            inbox_capacity: how many envelopes may wait in its inbox; 1 024 by default, at most 10 000.
            now: the time, in ms; by default the journal's clock tells it. A time before the session last ended is not
                believed.
            binding: a name to bind the session to, for hosts with schedulers of their own. Without one, it is bound to
                nothing; ``bound`` binds it to the task or thread.

        Raises:
            SessionAlreadyOpen: it is open.
            UnknownRole: ``current_role`` is none of its roles.
            TaskAlreadyBound: another session is bound to the name.
            LimitReached: it was opened 65 535 times.
            BoundExceeded, EventTooLarge: there are too many roles, or they take too much room.
        """
        names, planned = planned_roles(role_names(roles), plan)
        terms = session_terms(protocol_id, context_id, current_role, timeout_ms, inbox_capacity)
        name = identifier("session_id", session_id)
        opening = timed(session.open_session, now)
        if binding is None:
            return self._journal.execute(session_stream(name), opening, names, terms, planned)
        command = Command(session_stream(name), opening, (names, terms, planned))
        steps: Steps[None] = self._bound_from_the_start(Binding.here(binding), name, command)
        return carry_out(self._journal, steps)

    def _bound_from_the_start(self, binding: Binding, session_id: str, command: Command) -> Steps[Any]:
        """Bind a session while it is being opened, so that nothing else is bound here meanwhile."""
        yield Ask(partial(self._bindings.drop_stale, binding, session_id, self._open_incarnation))
        is_new = self._bindings.bind_starting(binding, session_id)
        try:
            answer = yield command
            self._bindings.started(binding, (yield Ask(partial(self._open_incarnation, session_id))))
        except BaseException as error:
            if is_new:
                self._bindings.unbind(binding, session_id)
            elif isinstance(error, SessionAlreadyOpen):
                # It runs here, and this was no repeat of the command that started it (aura 2.2).
                raise TaskAlreadyBound(session_id, str(binding)) from None
            raise
        return answer

    def drain(self, capability: OwnershipCapability) -> None:
        """Let the session run out: it refuses envelopes, claims and delegations from here on (telltale 4).

        Raises:
            ScopeViolation: the capability covers fragments only.
            SessionDraining: it runs out already.
        """
        return self._present(session.drain, checked(capability, OwnershipCapability))

    def close(self, capability: OwnershipCapability, *, now: int | None = None) -> None:
        """End the session in good order (telltale 2.15; law 5). What is unread in its inbox is lost.

        Args:
            capability: the live capability.
            now: the time, in ms; by default the journal's clock tells it.

        Raises:
            ScopeViolation: the capability covers fragments only.
            TransferPending: a transfer is staged.
            InboxNotEmpty: the session is draining, and not everything in its inbox is acknowledged.
        """
        presented = checked(capability, OwnershipCapability)
        return self._finish(timed(session.close, now), presented.session_id, presented)

    def end(
        self,
        session_id: str | None = None,
        *,
        reason: str | None = None,
        binding: str | None = None,
        now: int | None = None,
    ) -> None:
        """Close the session as its host: whoever owns it, and whatever its inbox holds (aura 2.5).

        Args:
            session_id: the session; None for the one that this task or thread, or the name, is bound to.
            reason: why, in at most 2 000 characters.
            binding: the name that the session is bound to.
            now: the time, in ms; by default the journal's clock tells it.

        Raises:
            MissingTaskBinding: no session is named, and none is bound.
        """
        if session_id is None:
            return carry_out(self._journal, self._ending_what_runs(Binding.here(binding), reason, now))
        if binding is not None:
            self._bindings.require(Binding.here(binding), identifier("session_id", session_id))
        return self._end(SessionStatus.CLOSED, session_id, reason, now)

    def cancel(self, session_id: str, reason: str, *, now: int | None = None) -> None:
        """Cancel the session as its host, whoever owns it; cancelling what is over is an error (aura 2.6).

        Args:
            session_id: the session.
            reason: why, in at most 2 000 characters.
            now: the time, in ms; by default the journal's clock tells it.
        """
        return self._end(SessionStatus.CANCELLED, session_id, text("reason", reason), now)

    def fault(self, session_id: str, reason: str, *, now: int | None = None) -> None:
        """Fault the session as its host, whoever owns it (telltale 4).

        Args:
            session_id: the session.
            reason: why, in at most 2 000 characters.
            now: the time, in ms; by default the journal's clock tells it.
        """
        return self._end(SessionStatus.FAULTED, session_id, text("reason", reason), now)

    def owner_died(
        self, session_id: str, owner: str, generation: int | None = None, *, now: int | None = None
    ) -> CancellationWitness:
        """Record that the owner is gone, and fault the session with it (telltale 2.10).

        Args:
            session_id: the session.
            owner: the owner's label.
            generation: the generation of the owner that is gone, so that a namesake that came after it does not die
                in its place; None for whichever is live.
            now: the time, in ms; by default the journal's clock tells it.

        Raises:
            Unclaimed: the session has no owner.
            StaleCapability: the owner is another, or has another generation.
        """
        told = None if generation is None else natural_number("generation", generation)
        return self._finish(timed(session.owner_died, now), session_id, identifier("owner", owner), told)

    def set_protocol(self, session_id: str, protocol_id: str | None) -> None:
        """Say which protocol the session runs (aura 2.4). The same again appends nothing."""
        told = None if protocol_id is None else identifier("protocol_id", protocol_id)
        return self._run(session.set_protocol, session_id, told)

    def set_timeout(self, session_id: str, timeout_ms: int | None, *, now: int | None = None) -> None:
        """Say how long the session may take since it was opened, in ms; None for ever (aura 2.7).

        Args:
            session_id: the session.
            timeout_ms: how long. Journals of older formats do not say when a session was opened; then it is counted
                from now on.
            now: the time, in ms; by default the journal's clock tells it.
        """
        told = None if timeout_ms is None else natural_number("timeout_ms", timeout_ms, most=MAX_DURATION_MS)
        return self._run(timed(session.set_timeout, now), session_id, told)

    def timed_out(self, now: int | None = None) -> list[str]:
        """The open sessions that are over their time, those of the longest ago first (aura 2.7).

        A session is over its time if more than its time-out has gone by since it was opened. Nothing happens to it by
        itself.

        Args:
            now: the time, in ms; by default the journal's clock tells it.
        """
        return self._due_until(self._time(now) - 1)

    def next_wakeup(self, now: int | None = None) -> int | None:
        """How long until a session is over its time, in ms; None if none will be, as things are.

        A session that is over its time already is no longer in it.

        Args:
            now: the time, in ms; by default the journal's clock tells it.
        """
        time = self._time(now)
        due = self._next_due(time)
        return None if due is None else due + 1 - time

    def reap(self, progress: Progress | None = None) -> tuple[tuple[str, int], ...]:
        """Put every finished session away: it leaves this mapping, and is in ``journal.archive`` (telltale 2.15).

        Args:
            progress: called with how many sessions are done, and how many there are to do.

        Returns:
            The sessions, each with its incarnation.
        """
        return carry_out(self._journal, self._reaping(function_or_none("progress", progress)))

    def _reaping(self, progress: Progress | None) -> Steps[tuple[tuple[str, int], ...]]:
        finished: list[str] = yield Ask(self._finished)
        archived: list[tuple[str, int]] = []
        for done, session_id in enumerate(finished, 1):
            # Somebody may have opened it again meanwhile.
            with suppress(SessionNotFinished):
                if put_away := (yield Command(session_stream(session_id), session.archive, ())):
                    archived.append(put_away)
            if progress is not None:
                progress(done, len(finished))
        return tuple(archived)

    def _ending_what_runs(self, here: Binding, reason: str | None, now: int | None) -> Steps[None]:
        why = None if reason is None else text("reason", reason)
        command = timed(session.end, now)
        running = yield from self._current(here)
        if running is None:
            raise MissingTaskBinding(str(here))
        yield from self._finishing(running, command, (SessionStatus.CLOSED, why))

    def _end(self, target: SessionStatus, session_id: str, reason: str | None, now: int | None) -> None:
        why = None if reason is None else text("reason", reason)
        return self._finish(timed(session.end, now), session_id, target, why)

    def _finish(self, command: Callable[..., Decision[ResultT]], session_id: str, *arguments: object) -> ResultT:
        """Carry out what ends a session, which looks at its inbox too; whoever ran it then runs none."""
        name = identifier("session_id", session_id)
        return carry_out(self._journal, self._finishing(name, command, arguments))

    def _finishing(
        self, session_id: str, command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]
    ) -> Steps[ResultT]:
        answer: ResultT = yield Command((session_stream(session_id), inbox_stream(session_id)), command, arguments)
        if self._bindings.is_bound(session_id):
            yield Ask(partial(self._bindings.drop_stale, None, session_id, self._open_incarnation))
        return answer

    def _current(self, here: Binding) -> Steps[str | None]:
        yield Ask(partial(self._bindings.drop_stale, here, None, self._open_incarnation))
        return self._bindings.of(here)

    def _open_incarnation(self, session_id: str) -> int | None:
        """The incarnation of a session that is open; None if none is."""
        return self._reader.read_state(session_stream(session_id), _incarnation)

    def _time(self, now: int | None) -> int:
        return self._clock() if now is None else time_ms("now", now)


def _incarnation(state: session.SessionState) -> int | None:
    return state.incarnation if state.status.is_open else None


def timed(command: Callable[..., Decision[ResultT]], now: int | None) -> Callable[..., Decision[ResultT]]:
    """A command at a time that the caller says; without one, the write path reads the clock."""
    return command if now is None else partial(command, now=time_ms("now", now))


def session_terms(
    protocol_id: str | None = None,
    context_id: str | None = None,
    current_role: str | None = None,
    timeout_ms: int | None = None,
    inbox_capacity: int | None = None,
    manifest: CompositionManifest | None = None,
) -> SessionTerms:
    """What is said of a session that is opened, checked.

    Raises:
        InvalidIdentifier, InvalidArgument
    """
    most = {"timeout_ms": MAX_DURATION_MS, "inbox_capacity": MAX_INBOX_CAPACITY}
    numbers = {"timeout_ms": timeout_ms, "inbox_capacity": inbox_capacity}
    names = {"protocol_id": protocol_id, "context_id": context_id, "current_role": current_role}
    said: dict[str, Any] = {name: identifier(name, value) for name, value in names.items() if value is not None}
    for name, value in numbers.items():
        if value is not None:
            # An inbox that holds nothing would be none.
            least = 1 if name == "inbox_capacity" else 0
            said[name] = natural_number(name, value, least=least, most=most[name])
    return SessionTerms(**said, constraints=() if manifest is None else manifest.delegation_constraints)
