"""``journal.inbox`` and ``journal.sites`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

import asyncio
import time
from copy import copy

from ...domain import OwnershipCapability, WaitTimedOut
from ..storage.commits import LoopBell
from .awaited import AsyncCommands, Awaits, awaited, read_in_a_thread
from .base import Checks
from .inboxes import LOOK_AGAIN_S, Inboxes, seconds, selection
from .sites import Sites


class AsyncInboxes(AsyncCommands):
    """The commands of ``Inboxes``, each with the same arguments, answers and errors, to be awaited.

    Args:
        journal: carries commands out.
        blocking: the same of the blocking journal, for what only reads.
    """

    def __init__(self, journal: Awaits, blocking: Inboxes) -> None:
        noting = copy(blocking)
        noting._journal = Checks()
        super().__init__(journal, noting, blocking)
        self._checks = noting
        self._commits = blocking._commits

    put = awaited(Inboxes.put)
    take = awaited(Inboxes.take)
    acknowledge = awaited(Inboxes.acknowledge)
    give_back = awaited(Inboxes.give_back)
    unread = read_in_a_thread(Inboxes.unread)
    snapshot = read_in_a_thread(Inboxes.snapshot)

    async def wait(
        self,
        capability: OwnershipCapability,
        *,
        timeout_s: float,
        source: str | None = None,
        context: str | None = None,
        authority: str | None = None,
        device: str | None = None,
    ) -> None:
        """Wait until there is an envelope to take, put by this process or another; see ``Inboxes.wait``."""
        wanted, ends = selection(source, context, authority, device), time.monotonic() + seconds("timeout_s", timeout_s)
        command, bell = self._checks._checking(capability, wanted), LoopBell()
        self._commits.listen(bell)
        try:
            while True:
                bell.mute()
                if await self._carry_out(command):
                    return
                remaining = ends - time.monotonic()
                if remaining <= 0:
                    raise WaitTimedOut(capability.session_id, timeout_s)
                await bell.wait(min(remaining, LOOK_AGAIN_S))
        finally:
            await asyncio.to_thread(self._commits.unlisten, bell)


class AsyncSites(AsyncCommands):
    """The commands of ``Sites``, each with the same arguments, answers and errors, to be awaited."""

    def __init__(self, journal: Awaits, blocking: Sites) -> None:
        noting = copy(blocking)
        noting._journal = Checks()
        super().__init__(journal, noting, blocking)

    time_out = awaited(Sites.time_out)
    tick = awaited(Sites.tick)
    crashed = awaited(Sites.crashed)
