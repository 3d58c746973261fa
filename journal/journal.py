"""The journal: where commands are decided and written, and where the past is read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from os import PathLike
from types import TracebackType
from typing import Any, Self, TypeVar

from ..domain import Decision, InvalidArgument, JournalClosed, Policy, RecordedEvent, Surfaces
from ..domain.bounds import DEFAULT_LOCK_TIMEOUT_S, MAX_PARTS
from ..domain.identifiers import identifier, text
from ..domain.shown import kind_of
from ..domain.value import exact, function, several
from ..projections import IdempotencyView, Projector, all_projections
from .branch.storage import BranchStorage
from .commands.bundles import Bundles
from .commands.conversations import Conversations
from .commands.facade import Commands
from .commands.inboxes import Inboxes
from .commands.sessions import Sessions
from .commands.sites import Sites
from .past.changes import Diff
from .past.comparison import Comparison, Side, compare
from .past.moment import Moment
from .past.questions import MomentLike
from .reading import Reading
from .sqlite.scratch import ScratchTables
from .storage.address import parse_address
from .storage.commits import closing_after
from .storage.engine import Storage, open_storage
from .storage.forks import InsideBlock, require_usable
from .undo.facade import Undo
from .undo.planner import UndoPlanner
from .undo.sagas import Sagas
from .writing.context import ContextHolder
from .writing.execution import Clock, CommandPlanner, Steps
from .writing.executor import Executor
from .writing.times import SteadyClock, system_clock

ResultT = TypeVar("ResultT")


class Journal(Commands, Undo, Reading):
    """An append-only journal of who holds what. Open one with ``Journal.open``; use it from as many threads as needed.

    Attributes:
        application: the ``eventsourcing`` application that it is kept by.
    """

    def __init__(self, storage: Storage, policy: Policy, surfaces: Surfaces, clock: Clock) -> None:
        application = storage.application
        self._policy, self._surfaces, self._clock = policy, surfaces, clock
        self._context = ContextHolder(policy)
        # Who may only read cannot keep the stored tables caught up, and has tables elsewhere.
        self._scratch = ScratchTables() if storage.is_read_only else None
        store = self._scratch or storage.tables
        projector = Projector(store, all_projections(), self, locks=storage.locks)
        super().__init__(storage, store, projector)
        projector.notice_lost_events()
        place = str(storage.address)
        self._planner = CommandPlanner(application, place, clock, self._context, IdempotencyView(store, projector))
        self._executor = Executor(self._planner, application, storage.locks)
        self._undo_planner = UndoPlanner(application, self._planner, self, place, surfaces)
        now = self._planner.now
        self._session_commands = Sessions(self, policy, surfaces, now, store, projector)
        self._inbox_commands = Inboxes(self, application.recorder.commits, store, projector)
        self._site_commands = Sites(self, self._session_commands, store, projector)
        self._bundle_commands = Bundles(self, surfaces, store, projector)
        self._conversation_commands = Conversations(
            self, application, SteadyClock(now, storage.locks), self._context.cleared, store, projector
        )
        self._saga_commands = Sagas(self, self._undo_planner, self._context, store, projector)

    @property
    def policy(self) -> Policy:
        """What is permitted here beyond the laws, as the journal was opened."""
        return self._policy

    @property
    def surfaces(self) -> Surfaces:
        """What the runtime offers, as the journal was opened."""
        return self._surfaces

    @classmethod
    def open(
        cls,
        url: str | PathLike[str],
        *,
        policy: Policy | None = None,
        surfaces: Surfaces | None = None,
        create: bool = True,
        synchronous: str = "FULL",
        lock_timeout_s: float = DEFAULT_LOCK_TIMEOUT_S,
        clock: Clock = system_clock,
        read_only: bool = False,
    ) -> Self:
        """Open a journal.

        Args:
            url: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``memory://``, or
                ``postgresql://user@host/database`` with the extra ``postgres``; the schema is ``muniment``, or
                another with ``?schema=NAME``. A path is a file's.
            policy: what is permitted beyond the laws; nothing by default.
            surfaces: what the runtime offers, without which nothing is linked, delegated or upgraded; by default all.
            create: whether a missing journal is made.
            synchronous: ``FULL``: an acknowledged event survives a power cut. ``NORMAL``: the last ones may not, and
                writing is faster.
            lock_timeout_s: how long to wait for other processes that write, in seconds.
            clock: tells the time, UTC, in ms since 1970.
            read_only: no event and no table is written, and nothing need be permitted but reading. What would append
                raises ``JournalReadOnly``; what is refused is refused as ever, and left off the record. The tables are
                rebuilt from the events, in a temporary file, when the first of them is read. SQLite leaves its
                ``-wal`` and ``-shm`` beside a file, where it may.

        Raises:
            InvalidArgument: the URL or a setting makes no sense.
            JournalNotFound: it is missing, and ``create`` is false.
            NotAJournal: the file is something else.
            NewerSchema: a newer Muniment wrote it.
            JournalDamaged: its storage is damaged.
            JournalLocked: another process kept it locked.
            JournalReadOnly: nobody may write it; open it with ``read_only=True``.
            UnsuitableServer: the PostgreSQL server cannot keep what a journal promises.
            JournalUnavailable: it cannot be read or written.
            JournalForked: this process was forked while a thread of its parent was inside the database's library.
        """
        granted = Policy() if policy is None else exact("policy", policy, Policy)
        offered = Surfaces() if surfaces is None else exact("surfaces", surfaces, Surfaces)
        told_by: Clock = function("clock", clock)
        address = parse_address(url)
        require_usable(str(address))
        with InsideBlock():
            storage = open_storage(
                address,
                create=create,
                lock_timeout_s=lock_timeout_s,
                synchronous=synchronous,
                read_only=read_only,
            )
            try:
                return cls(storage, granted, offered, told_by)
            except BaseException:
                storage.close()
                raise

    @property
    def _is_inherited(self) -> bool:
        """Whether this process was forked from the one that opened it; it can then do nothing here."""
        return self._storage.locks.is_inherited

    def _require_here(self) -> None:
        """Refuse a journal that was inherited by ``fork``.

        Raises:
            JournalForked
        """
        self._storage.locks.require_here()

    def close(self) -> None:
        """Close the journal, and what follows or projects it. Whatever is asked of it then raises ``JournalClosed``.

        What other threads are doing in it ends with that error too, and is waited for a few seconds at most. In a
        process that was forked from the one that opened it, nothing is done.
        """
        self._is_closed = True
        if self._is_inherited:
            return
        running = list(self._running)
        for each in running:
            each.tell()
        with InsideBlock():
            self._storage.close(JournalClosed(self.url))
            if self._scratch is not None:
                self._scratch.close(JournalClosed(self.url))
        for each in running:
            each.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with closing_after(error):
            self.close()

    def context(
        self,
        *,
        actor: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        idempotency_key: str | None = None,
        tick: int | None = None,
    ) -> AbstractContextManager[None]:
        """Give everything that is appended in a ``with`` block this metadata. Blocks nest.

        Actor, correlation, causation and tick go where Python's context goes: into tasks begun in the block, and into
        ``asyncio.to_thread``. The key belongs to the task or thread that entered the block alone.

        Args:
            actor: on whose behalf.
            correlation_id: the conversation or request that it belongs to.
            causation_id: what caused it.
            idempotency_key: a key for one command. The same command with the same arguments under the same key
                answers what it answered first, and appends nothing; with other arguments it is a conflict. Every
                accepted command uses its key up, also one that changes nothing; a refused one does not, nor do
                questions, dry runs and ticks. Two commands on different streams that come at the very same
                moment under one key may both be accepted: keys tell repeats, they are not a lock.
            tick: the embedding runtime's own logical clock.

        Raises:
            InvalidIdentifier, InvalidArgument
        """
        return self._context.changed(
            actor=actor,
            correlation_id=correlation_id,
            causation_id=causation_id,
            idempotency_key=idempotency_key,
            tick=tick,
        )

    def execute(
        self, stream: str | tuple[str, ...], command: Callable[..., Decision[ResultT]], *arguments: object
    ) -> ResultT:
        """Decide a command on the state of a stream, and append the events it produces, all or none.

        Args:
            stream: the stream's name, such as ``session-s-42``; or several, of which the first is the command's own. If
                one to which nothing is appended changes before the append, the command is decided again.
            command: a pure function of the states and the arguments.
            arguments: what it takes beyond the states.

        Returns:
            What the command answers.

        Raises:
            CommandRefused: the state does not permit it.
            IdempotencyConflict: the context's key was used for something else.
            ConcurrencyConflict: other writers were faster at every attempt.
            JournalError: the storage failed, and nothing was appended. With ``JournalUnavailable`` the events may have
                been appended all the same; read again.
        """
        return self._executor.execute(stream, function("command", command), arguments)

    def outcome(self, idempotency_key: str) -> RecordedEvent | None:
        """Find the record of a command that was given under an idempotency key, also before a restart, or elsewhere.

        Args:
            idempotency_key: the key.

        Returns:
            The record whose ``event.outcome`` is what the command answered; None if no accepted command used the key.

        Raises:
            InvalidIdentifier
        """
        return self._planner.outcome(identifier("idempotency_key", idempotency_key))

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        """Bring a stream's state up to date, and look at it.

        Args:
            stream: the stream's name.
            view: copies out of the state what the caller needs.

        Raises:
            InvalidArgument, InvalidIdentifier: no stream can have that name, or the view is no function.
            UnknownEventType, DamagedRecord: an event of the stream cannot be decoded.
        """
        return self._executor.read_state(text("stream", stream), function("view", view))

    def what_if(self, at: MomentLike | None = None, *, without: MomentLike | None = None) -> Branch:
        """Begin a journal in memory at a moment of this one, to try what would happen, or would have happened.

        It takes every command and undo, and nothing of it reaches this journal, whose events and tables up to the
        moment are read where they are. It is gone when it is closed. ::

            with journal.what_if(without="session-s-42@4") as branch:
                print(branch.changes())

        Args:
            at: the moment that it begins at; now, by default.
            without: an event that it begins by reverting: its id, its position, or a moment, for the event at it.

        Raises:
            CommandRefused: the event cannot be reverted; see ``revert``.
            UnknownPosition, UnknownEvent: there is no such event in the branch.
            InvalidMoment, MomentInFuture, InvalidArgument: see ``at``.
            ProjectionStopped, UnknownEventType, DamagedRecord: the tables cannot be brought up to the moment.
        """
        moment = self.at(position=self.head()) if at is None else self.at(at)
        self._projector.catch_up_all(moment.position)
        with InsideBlock():
            branch = Branch(BranchStorage(self._storage, self._store, moment.position), self, moment.notes)
        if without is not None:
            try:
                branch.revert(branch._event(without).id)
            except BaseException:
                branch.close()
                raise
        return branch

    def _now(self) -> int:
        return self._planner.now()

    def _folded(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        # What the write path knows of the stream need not be read again.
        return self.read_state(stream, view)

    def _side(self) -> Side:
        return Side(self.application.recorder, self._store, self._projector.catch_up_all())

    def _write(self, steps: Steps[ResultT]) -> ResultT:
        return self._executor.drive(steps)

    def __repr__(self) -> str:
        return f"<Journal {self.url}>"


class Branch(Journal):
    """A journal in memory that began at a moment of another one; see ``Journal.what_if``.

    It can be asked and told whatever a journal can, but for what takes one that stands alone: ``backup``, ``replay``
    and ``import_export`` raise ``NotInBranch``. If the other journal is closed, what is read of it raises
    ``JournalClosed``.
    """

    def __init__(self, storage: BranchStorage, journal: Journal, notes: tuple[str, ...] = ()) -> None:
        # Nothing of that journal is kept but what is read of it.
        super().__init__(storage, journal.policy, journal.surfaces, journal._clock)
        self._past = storage.past
        self._notes = notes

    @property
    def base(self) -> Moment:
        """The moment that it began at."""
        return self._at(self._past.position, self._notes)

    def changes(self, *, tables: Collection[str] = (), key: Any = None, every: bool = False) -> Diff:
        """What is otherwise than at the moment that it began at; see ``Journal.diff``."""
        return self.diff(self._past.position, tables=tables, key=key, every=every)

    def compare(self, journal: Journal, *, tables: Collection[str] = ()) -> Comparison:
        """What is otherwise than in the journal that it began in, now. What is read is what changed in either since.

        Args:
            journal: that journal, or a copy of it that has the events up to there.
            tables: only in these tables; in all if there are none.

        Raises:
            InvalidArgument: it is no journal.
            UnknownTable: there is no such table.
            OtherPast, JournalWithoutId: it is another journal.
            UnknownPosition: it has not come as far.
        """
        if not issubclass(type(journal), Journal):
            raise InvalidArgument("journal", f"must be a Journal, not {kind_of(journal)}")
        named = [self._table(name) for name in several("tables", tables, MAX_PARTS)]
        wanted = {table.name: table for _, table in named or self._projector.tables.values()}
        if not self._past.is_of(journal.application.recorder):
            journal.position_of(self.cursor(self._past.position))
        return compare(self._side(), journal._side(), self._past.position, wanted.values())

    def __repr__(self) -> str:
        return f"<Branch: {self.url}>"
