"""A journal for ``asyncio``: many tasks, one thread that writes, and group commit."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from os import PathLike
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from ..domain import Decision, Event, InvalidArgument, JournalClosed, OtherEventLoop, Policy, RecordedEvent, Surfaces
from ..domain.compensation import UndoPlan
from ..domain.shown import kind_of
from ..domain.value import exact, function as require_function
from ..projections import Usage
from .async_reading import AsyncReading
from .commands import base as commands
from .commands.async_bundles import AsyncBundles
from .commands.async_conversations import AsyncConversations
from .commands.async_inboxes import AsyncInboxes, AsyncSites
from .commands.async_sessions import AsyncSessions
from .commands.awaited import drive
from .commands.facade import by_stream
from .journal import Branch, Journal
from .past.async_questions import AsyncQuestions
from .past.changes import Diff
from .past.comparison import Comparison
from .past.moment import Moment
from .past.questions import MomentLike
from .past.searches import Searches
from .storage.commits import closing_after
from .undo.async_saga import AsyncSaga, AsyncSagas
from .undo.planner import Undoing
from .writing.async_writer import AsyncWriter
from .writing.execution import Append, Insist, Read, Steps
from .writing.streams import Stream, StreamCache, in_lock_order

ResultT = TypeVar("ResultT")
P = ParamSpec("P")

CLOSE_TIMEOUT_S: Final = 3.0
"""How long closing waits for the commands that are under way."""


class AsyncJournal(AsyncReading, AsyncQuestions):
    """A journal whose commands are awaited. Open one with ``await AsyncJournal.open``; use it from one event loop.

    Commands are decided in the event loop, and what they append is written by one thread, in one transaction for all
    that are waiting. A task that is cancelled while its append is under way leaves it whole or absent, and does not
    learn which; whoever comes next on that stream reads it first. Tables and records are read with ``run``.

    Attributes:
        sessions: the commands on sessions, awaited.
        bundles: the commands on bundles, awaited.
        conversations: the commands on conversations, awaited, and the passing of time.
        inbox: the commands on envelopes, awaited.
        sites: the commands on sites, awaited.
        sagas: the sagas, and how to finish one whose process died, awaited.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self._writer = AsyncWriter(journal.application)
        self._streams = StreamCache(asyncio.Lock)
        self._is_closed = False
        self._commands = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.sessions = AsyncSessions(self, journal.sessions)
        self.bundles = AsyncBundles(self, journal.bundles, journal.surfaces)
        self._loop = asyncio.get_running_loop()
        self.conversations = AsyncConversations(self, journal.conversations)
        self.inbox = AsyncInboxes(self, journal.inbox)
        self.sites = AsyncSites(self, journal.sites)
        self.sagas = AsyncSagas(self, journal.sagas, journal._context)

    @property
    def policy(self) -> Policy:
        """What is permitted here beyond the laws, as the journal was opened."""
        return self._journal.policy

    @property
    def surfaces(self) -> Surfaces:
        """What the runtime offers, as the journal was opened."""
        return self._journal.surfaces

    @classmethod
    async def open(
        cls,
        url: str | PathLike[str],
        *,
        policy: Policy | None = None,
        surfaces: Surfaces | None = None,
        **settings: Any,
    ) -> Self:
        """Open a journal; see ``Journal.open``, which takes the same settings."""
        journal = await asyncio.to_thread(Journal.open, url, policy=policy, surfaces=surfaces, **settings)
        return cls(journal)

    async def close(self) -> None:
        """Finish the commands that are under way, and close the journal; later ones raise ``JournalClosed``.

        So do those that are not finished within some seconds, such as one that waits for a lock. It can be closed in
        another event loop than its own, too.
        """
        self._is_closed = True
        if self._journal._is_inherited:
            return
        if asyncio.get_running_loop() is not self._loop:
            # What is under way in the journal's own loop, which may be gone, ends with the storage.
            await asyncio.to_thread(self._journal.close)
            self._writer.end()
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), CLOSE_TIMEOUT_S)
        if not self._idle.is_set():
            # What waits for the storage ends with it.
            await asyncio.to_thread(self._journal.close)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), CLOSE_TIMEOUT_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._writer.close(), CLOSE_TIMEOUT_S)
        self._writer.end()
        await asyncio.to_thread(self._journal.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with closing_after(error):
            await self.close()

    def context(self, **metadata: Any) -> AbstractContextManager[None]:
        """Give everything that is appended in a ``with`` block this metadata, in this task; see ``Journal.context``."""
        return self._journal.context(**metadata)

    async def execute(
        self, stream: str | tuple[str, ...], command: Callable[..., Decision[ResultT]], *arguments: object
    ) -> ResultT:
        """Decide a command on the state of a stream, and append the events it produces; see ``Journal.execute``."""
        require_function("command", command)
        self._begin()
        try:
            return await self._execute(stream, command, *arguments)
        finally:
            self._finish()

    async def _execute(
        self, stream: str | tuple[str, ...], command: Callable[..., Decision[ResultT]], *arguments: object
    ) -> ResultT:
        planner = self._journal._planner
        while True:
            known = [self._streams.get(name) for name in planner.names(stream)]
            async with AsyncExitStack() as stack:
                for each in in_lock_order(known):
                    await stack.enter_async_context(each.lock)
                # One that was dropped meanwhile may still be moved by a read that nobody waits for any more.
                if all(map(self._streams.has, known)):
                    return await self._drive(known, planner.steps(known, command, arguments))

    async def revert(self, event: str | int, *, dry_run: bool = False) -> UndoPlan:
        """Undo one event; see ``Journal.revert``."""
        return await self._undo(self._journal._undo_planner.of_event(event), dry_run=dry_run)

    async def rollback(self, stream: str, to_version: int, *, dry_run: bool = False) -> UndoPlan:
        """Undo everything in a stream that came after a version; see ``Journal.rollback``."""
        return await self._undo(self._journal._undo_planner.to_version(stream, to_version), dry_run=dry_run)

    def saga(self, name: str) -> AsyncSaga:
        """Do work with steps outside the journal, in an ``async with`` block; see ``Journal.saga``.

        What undoes a step may be async. A plain function is called in a thread.
        """
        return self.sagas._new(name)

    async def run(
        self, function: Callable[Concatenate[Journal, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Run something that reads, in a thread: ``await journal.run(lambda journal: journal.owners["s-1"])``.

        Args:
            function: takes the journal; it must not write, since writing is for the tasks.
            args: what else it takes.
            kwargs: what else it takes.
        """
        require_function("function", function)
        self._require_own_loop()
        return await asyncio.to_thread(function, self._journal, *args, **kwargs)

    async def tick(self, now: int | None = None) -> dict[str, tuple[Event[Any], ...]]:
        """Do what is due by itself, once; see ``Journal.tick``."""
        return by_stream(await self.conversations.tick(now))

    async def next_wakeup(self, now: int | None = None) -> int | None:
        """How long until something is due anywhere, in ms; see ``Journal.next_wakeup``."""
        return await self._call(partial(self._journal.next_wakeup, now))

    async def _ask(self, question: Callable[[Searches], ResultT]) -> ResultT:
        return await self._call(partial(question, self._journal))

    @asynccontextmanager
    async def what_if(
        self, at: MomentLike | None = None, *, without: MomentLike | None = None
    ) -> AsyncIterator[AsyncBranch]:
        """Begin a journal in memory at a moment of this one, for an ``async with`` block; see ``Journal.what_if``."""
        branch = await self._call(partial(self._journal.what_if, at, without=without))
        async with AsyncBranch(branch) as opened:
            yield opened

    async def usage(self) -> Usage:
        """What the journal holds, and what it weighs; see ``Journal.usage``."""
        return await self._call(self._journal.usage)

    async def outcome(self, idempotency_key: str) -> RecordedEvent | None:
        """The record of a command that was given under an idempotency key; see ``Journal.outcome``."""
        return await self._call(partial(self._journal.outcome, idempotency_key))

    async def _undo(self, undoing: Undoing, *, dry_run: bool) -> UndoPlan:
        planner = self._journal._undo_planner
        if exact("dry_run", dry_run, bool):
            return await self._call(partial(planner.plan, undoing))
        self._begin()
        try:
            return await self._drive([], planner.steps(undoing))
        finally:
            self._finish()

    async def _carry_out(self, steps: commands.Steps[ResultT]) -> ResultT:
        """Do what takes more than one command. The journal is not closed in between."""
        self._begin()
        try:
            return await drive(steps, self._do)
        finally:
            self._finish()

    async def _do(self, step: commands.Step) -> Any:
        match step:
            case commands.Command(stream, command, arguments):
                return await self._execute(stream, command, *arguments)
            case commands.Ask(function):
                return await self._in_a_thread(function)
            case commands.Write(steps):
                return await self._drive([], steps)
            case commands.Call(_, function, argument):
                answer = await self._in_a_thread(partial(function, argument))
                return await answer if inspect.isawaitable(answer) else answer

    async def _call(self, function: Callable[[], ResultT]) -> ResultT:
        """Have the blocking journal do what is rare, in a thread. What is known of its streams here is then behind."""
        self._begin()
        try:
            return await self._in_a_thread(function)
        finally:
            self._finish()

    async def _in_a_thread(self, function: Callable[[], ResultT]) -> ResultT:
        # A thread of its own: what it waits for may need a thread of the pool that all tasks share.
        thread = ThreadPoolExecutor(1, thread_name_prefix="muniment-call")
        future = self._loop.run_in_executor(thread, copy_context().run, self._journal._planner.carried(function))
        thread.shutdown(wait=False)
        # It goes on if the caller is cancelled, and the journal is not closed under it.
        self._commands += 1
        self._idle.clear()
        future.add_done_callback(self._finish)
        return await asyncio.shield(future)

    def _require_own_loop(self) -> None:
        self._journal._require_here()
        if asyncio.get_running_loop() is not self._loop:
            raise OtherEventLoop(self._journal.url)

    def _begin(self) -> None:
        """Keep the journal from being closed."""
        self._require_own_loop()
        if self._is_closed:
            raise JournalClosed(self._journal.url)
        self._commands += 1
        self._idle.clear()

    def _finish(self, done: asyncio.Future[Any] | None = None) -> None:
        if done is not None and not done.cancelled():
            # Looked at, lest an error that nobody waits for any more is complained about.
            done.exception()
        self._commands -= 1
        if not self._commands:
            self._idle.set()

    async def _drive(self, streams: Sequence[Stream[asyncio.Lock]], steps: Steps[ResultT]) -> ResultT:
        held: AsyncExitStack | None = None
        try:
            step = next(steps)
            while True:
                try:
                    if isinstance(step, Append):
                        answer = await self._writer.append(step)
                    elif isinstance(step, Read):
                        answer = await asyncio.to_thread(step.function)
                    elif isinstance(step, Insist):
                        answer = await self._writer.insist(step)
                    else:
                        held, before = AsyncExitStack(), held
                        await self._hold(step.streams, held, before)
                        answer = None
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: ResultT = end.value
            return result
        except asyncio.CancelledError:
            # A read that goes on in its thread may still move these states; they are dropped, and read again.
            for stream in streams:
                self._streams.drop(stream)
            raise
        finally:
            if held is not None:
                await held.aclose()

    async def _hold(self, streams: Iterable[str], held: AsyncExitStack, before: AsyncExitStack | None) -> None:
        """Keep other tasks from these streams, instead of from those before."""
        if before is not None:
            await before.aclose()
        for stream in in_lock_order(map(self._streams.get, streams)):
            await held.enter_async_context(stream.lock)


class AsyncBranch(AsyncJournal):
    """A journal in memory that began at a moment of another one; see ``AsyncJournal.what_if`` and ``Branch``."""

    def __init__(self, branch: Branch) -> None:
        super().__init__(branch)
        self._branch = branch

    @property
    def base(self) -> Moment:
        """The moment that it began at."""
        return self._branch.base

    async def changes(self, *, tables: Collection[str] = (), key: Any = None, every: bool = False) -> Diff:
        """What is otherwise than at the moment that it began at; see ``Branch.changes``."""
        return await self._call(partial(self._branch.changes, tables=tables, key=key, every=every))

    async def compare(self, journal: AsyncJournal, *, tables: Collection[str] = ()) -> Comparison:
        """What is otherwise than in the journal that it began in, now; see ``Branch.compare``."""
        if not issubclass(type(journal), AsyncJournal):
            raise InvalidArgument("journal", f"must be an AsyncJournal, not {kind_of(journal)}")
        return await self._call(partial(self._branch.compare, journal._journal, tables=tables))
