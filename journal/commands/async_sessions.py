"""``journal.sessions`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from copy import copy
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec

from ...domain import LinkBoundary, OwnershipCapability
from ...domain.identifiers import identifier
from ...domain.session import RoundOutcome
from ..writing.bindings import Binding
from .awaited import AsyncCommands, Awaits, awaited, read_in_a_thread
from .base import Checks
from .owned import OwnedSession, require_success
from .sessions import Sessions

P = ParamSpec("P")


class AsyncOwnedSession(AsyncCommands):
    """An ``OwnedSession`` whose commands are awaited."""

    def __init__(self, journal: Awaits, noting: OwnedSession) -> None:
        super().__init__(journal, noting)
        self._owned = noting

    @property
    def capability(self) -> OwnershipCapability:
        """What the owner holds."""
        return self._owned.capability

    @property
    def boundary(self) -> LinkBoundary:
        """What it acts inside."""
        return self._owned.boundary

    @property
    def session_id(self) -> str:
        """The session."""
        return self._owned.session_id

    @property
    def owner(self) -> str:
        """The owner's label."""
        return self._owned.owner

    accept = awaited(OwnedSession.accept)
    transfer_in_place = awaited(OwnedSession.transfer_in_place)
    attenuate = awaited(OwnedSession.attenuate)
    close = awaited(OwnedSession.close)

    async def round(self, role: str, step: Callable[[], RoundOutcome | Awaitable[RoundOutcome]]) -> RoundOutcome:
        """Run one step of the host's machine, awaited if it is async; see ``OwnedSession.round``."""
        await self._carry_out(self._owned._admit(role, step))
        answer = step()
        result: RoundOutcome = await answer if inspect.isawaitable(answer) else answer
        await self._carry_out(self._owned._record(role, result))
        return require_success(self.session_id, role, result)

    def __repr__(self) -> str:
        return repr(self._owned)


def _started(
    command: Callable[Concatenate[Any, P], OwnedSession],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, AsyncOwnedSession]]:
    """A command that starts an owned session, to be awaited, and so are the commands of what it answers."""
    give = awaited(command)

    @wraps(command)
    async def start(self: AsyncCommands, /, *args: P.args, **kwargs: P.kwargs) -> AsyncOwnedSession:
        return AsyncOwnedSession(self._journal, await give(self, *args, **kwargs))

    return start


class AsyncSessions(AsyncCommands):
    """The commands of ``Sessions``, each with the same arguments, answers and errors, to be awaited.

    Args:
        journal: carries commands out.
        blocking: the same of the blocking journal, for what only reads.
    """

    def __init__(self, journal: Awaits, blocking: Sessions) -> None:
        noting = copy(blocking)
        noting._journal = Checks()
        super().__init__(journal, noting, blocking)
        self._sessions = noting
        self._commands = blocking

    open = awaited(Sessions.open)
    claim = awaited(Sessions.claim)
    release = awaited(Sessions.release)
    transfer = awaited(Sessions.transfer)
    begin_transfer = awaited(Sessions.begin_transfer)
    commit_transfer = awaited(Sessions.commit_transfer)
    rollback_transfer = awaited(Sessions.rollback_transfer)
    abandon_transfer = awaited(Sessions.abandon_transfer)
    fail_transfer_commit = awaited(Sessions.fail_transfer_commit)
    attenuate = awaited(Sessions.attenuate)
    check = awaited(Sessions.check)
    issue_witness = awaited(Sessions.issue_witness)
    consume_witness = awaited(Sessions.consume_witness)
    owner_died = awaited(Sessions.owner_died)
    drain = awaited(Sessions.drain)
    close = awaited(Sessions.close)
    end = awaited(Sessions.end)
    cancel = awaited(Sessions.cancel)
    fault = awaited(Sessions.fault)
    set_protocol = awaited(Sessions.set_protocol)
    set_timeout = awaited(Sessions.set_timeout)
    reap = awaited(Sessions.reap)
    rebind = awaited(Sessions.rebind)
    current = awaited(Sessions.current)
    host = awaited(Sessions.host)
    delegate = awaited(Sessions.delegate)
    hand_over = awaited(Sessions.hand_over)
    claim_fragments = awaited(Sessions.claim_fragments)
    move_fragments = awaited(Sessions.move_fragments)
    release_fragments = awaited(Sessions.release_fragments)
    advance = awaited(Sessions.advance)
    set_default_handler = awaited(Sessions.set_default_handler)
    set_edge_handler = awaited(Sessions.set_edge_handler)
    set_edge_trace = awaited(Sessions.set_edge_trace)
    check_boundary = awaited(Sessions.check_boundary)
    state = read_in_a_thread(Sessions.state)
    timed_out = read_in_a_thread(Sessions.timed_out)
    next_wakeup = read_in_a_thread(Sessions.next_wakeup)
    active_count = read_in_a_thread(Sessions.active_count)

    start = _started(Sessions.start)

    def owned(
        self, capability: OwnershipCapability, boundary: LinkBoundary | None = None, *, binding: str | None = None
    ) -> AsyncOwnedSession:
        """Make an owned session of a capability; see ``Sessions.owned``. This is not awaited."""
        return AsyncOwnedSession(self._journal, self._sessions.owned(capability, boundary, binding=binding))

    @asynccontextmanager
    async def bound(self, session_id: str, *, binding: str | None = None) -> AsyncIterator[None]:
        """Have the session run in this task, in an ``async with`` block; see ``Sessions.bound``."""
        name, here = identifier("session_id", session_id), Binding.here(binding)
        incarnation = await self._journal._call(partial(self._commands._to_bind, here, name))
        # Without waiting in between: whoever is cancelled before this has bound nothing.
        self._commands._bindings.bind(here, name, incarnation)
        try:
            yield
        finally:
            self._commands._bindings.unbind(here, name)
