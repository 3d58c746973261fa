"""``journal.saga`` and ``journal.sagas``: work with steps outside the journal, undone from wherever it stopped.

A saga's beginning and end, and each outside step that has an undo, are events of the stream ``saga-<id>``. What is
appended meanwhile names the saga in its metadata, and is appended only while the saga is open.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Any, Self, TypeAlias

from ...domain import (
    MAX_TEXT_LENGTH,
    CommandRefused,
    InvalidArgument,
    MunimentError,
    SagaEnded,
    SagaNotFound,
    UndoMissing,
    saga,
    saga_stream,
)
from ...domain.bounds import MAX_STEPS
from ...domain.compensation import SagaUndone, UndoPlan
from ...domain.identifiers import identifier, names, text
from ...domain.shown import shown
from ...domain.value import exact, function, several
from ...projections import Projector, SagasView, TemporalStore
from ..commands.base import Executes
from ..writing.context import ContextHolder
from .planner import Undoing, UndoPlanner

UndoOutside: TypeAlias = Callable[[str], object]
"""Undoes a step outside the journal; it is given the details that were recorded with the step."""


class Sagas(SagasView):
    """The sagas: a mapping from saga id to where each stands, and how to finish one whose process died."""

    def __init__(
        self,
        journal: Executes,
        rollback: UndoPlanner,
        carry_out: Callable[[Undoing], UndoPlan],
        context: ContextHolder,
        store: TemporalStore,
        projector: Projector,
    ) -> None:
        super().__init__(store, projector)
        self._journal = journal
        self._rollback = rollback
        self._carry_out = carry_out
        self._context = context

    def new(self, name: str) -> Saga:
        """Make a saga, to be used in a ``with`` block once; see ``Journal.saga``.

        Raises:
            InvalidIdentifier
        """
        return Saga(self, self._journal, self._context, identifier("name", name))

    def steps(self, saga_id: str) -> tuple[tuple[str, str], ...]:
        """The steps that are still to be undone outside the journal, newest first, with their details.

        Raises:
            SagaNotFound: there is no such saga.
        """
        status, steps = self._journal.read_state(saga_stream(identifier("saga_id", saga_id)), _status_and_steps)
        if status is saga.SagaStatus.UNBEGUN:
            raise SagaNotFound(saga_id)
        return () if status.is_finished else steps

    def compensate(
        self,
        saga_id: str,
        undo: Mapping[str, UndoOutside] | None = None,
        *,
        leave: Iterable[str] = (),
        reason: str = "its process is gone",
        dry_run: bool = False,
    ) -> UndoPlan:
        """Undo a saga: its steps outside the journal, newest first, then in one append all that was appended in it.

        From then on nothing more is appended in the saga, also where it is at work. First it is made sure that the
        journal's part can be undone. If a step outside cannot be undone, those before it stay undone, on record, the
        others and the journal's part stay as they are, the saga is in doubt, and this may be tried again. A step
        outside is undone at least once: again, if this process dies before that is on record.

        Args:
            saga_id: the saga.
            undo: how to undo steps outside the journal, by their names.
            leave: the names of the steps to leave as they are, also where ``undo`` has a function for them.
            reason: why, in at most 2 000 characters.
            dry_run: only preview the result.

        Returns:
            What was undone in the journal.

        Raises:
            SagaNotFound, SagaEnded: there is no such saga, or nothing left to do.
            UndoMissing: a step is neither to be undone nor to be left; nothing is begun.
            InvalidArgument: a step is to be left that is none.
            NotCompensable, LaterEventDepends: what was appended cannot be undone, or something depends on it.
        """
        functions, dry_run = undo_functions(undo), exact("dry_run", dry_run, bool)
        saga_id = identifier("saga_id", saga_id)
        stream = saga_stream(saga_id)
        left = names("leave", leave)
        undoing = self._undoing(saga_id, text("reason", reason), left)
        if not dry_run and (done := self._rollback.done_before(undoing)) is not None:
            return done
        steps = self._journal.read_state(stream, _steps_left)
        unknown = left - {step for step, _ in steps}
        if unknown:
            raise InvalidArgument("leave", f"names what is no step to be undone: {', '.join(sorted(unknown))}")
        # What is to be left is left, also where there is a function for it.
        functions = {step: function for step, function in functions.items() if step not in left}
        missing = _missing(steps, functions, left)
        if dry_run:
            plan = self._rollback.plan(undoing)
            return UndoPlan(obstacles=(UndoMissing(saga_id, missing), *plan.obstacles)) if missing else plan
        if missing:
            raise UndoMissing(saga_id, missing)
        context = self._context.current
        # On its own behalf: in no other saga, which would undo the undoing; nor do steps outside take its key.
        with self._context.cleared():
            self._journal.execute(stream, saga.begin_compensation)
            try:
                self._undo_outside(saga_id, undoing, functions, left)
                with self._context.changed(idempotency_key=context.idempotency_key):
                    return self._carry_out(undoing)
            except SagaEnded:
                raise
            except BaseException as error:
                with suppress(MunimentError):
                    self._journal.execute(stream, saga.fail_compensation, _describe(error))
                raise

    def _undo_outside(
        self, saga_id: str, undoing: Undoing, functions: Mapping[str, UndoOutside], left: frozenset[str]
    ) -> None:
        # Until it was closed, the saga may have gone on elsewhere.
        if missing := _missing(self.steps(saga_id), functions, left):
            raise UndoMissing(saga_id, missing)
        # What cannot be done in the journal is found out before anything is touched outside.
        if obstacles := self._rollback.plan(undoing).obstacles:
            raise obstacles[0]
        for step, details in self.steps(saga_id):
            if step in functions:
                _call(step, functions[step], details)
                self._journal.execute(saga_stream(saga_id), saga.undo_step, step)

    def status(self, saga_id: str) -> saga.SagaStatus:
        """Where a saga stands now, read off its events."""
        return self._journal.read_state(saga_stream(saga_id), _status_and_steps)[0]

    def resolve(self, saga_id: str, reason: str) -> None:
        """Say that somebody has put right by hand what could not be undone; the saga is finished with that.

        Args:
            saga_id: the saga.
            reason: how, in at most 2 000 characters.

        Raises:
            SagaNotFound, SagaEnded: there is no such saga, or nothing left to do.
            InvalidArgument: the reason is empty, or too long.
        """
        if not text("reason", reason).strip():
            raise InvalidArgument("reason", "must say how it was put right")
        self._journal.execute(saga_stream(identifier("saga_id", saga_id)), saga.resolve, reason)

    def _undoing(self, saga_id: str, reason: str, left: frozenset[str]) -> Undoing:
        def found() -> Iterable[tuple[str, int]]:
            return [(stream, version) for _, stream, version in self.events(saga_id)]

        return self._rollback.of_saga(SagaUndone(saga_id, reason), found, left)


class Saga:
    """A saga at work; get one from ``Journal.saga``, and use it in a ``with`` block.

    Attributes:
        id: the saga's id.
        name: what it is called.
    """

    def __init__(self, sagas: Sagas, journal: Executes, context: ContextHolder, name: str) -> None:
        self.id = secrets.token_hex(8)
        self.name = name
        self._sagas = sagas
        self._journal = journal
        self._context = context
        self._undo: dict[str, UndoOutside] = {}
        self._block = ExitStack()
        self._status = saga.SagaStatus.UNBEGUN

    def register_undo(self, step: str, undo: UndoOutside, details: str = "") -> None:
        """Say how a step outside the journal is undone, should the saga fail; do so before the step is taken.

        The step's name and details are recorded, so that whoever finishes the saga after a crash knows what there may
        be to undo. So ``undo`` has to bear that the step was never taken, and that it is called again. The function
        itself lives as long as this process.

        Args:
            step: what the step is called; each has another name.
            undo: undoes it; it is given the details.
            details: what it needs to know, in at most 2 000 characters.

        Raises:
            InvalidArgument: there was a step of this name, or ``undo`` is no plain function.
            SagaEnded: the saga was ended elsewhere.
        """
        if not callable(undo) or inspect.iscoroutinefunction(undo):
            raise InvalidArgument("undo", f"must be a function that is not async, not {shown(undo)}")
        step, details = identifier("step", step), text("details", details)
        if step in self._undo:
            raise InvalidArgument("step", f"{step!r} was registered before; name each step once")
        # Known here before it is on record: whoever reads the record may have to call it.
        self._undo[step] = undo
        try:
            self._journal.execute(saga_stream(self.id), saga.register_undo, step, details)
        except CommandRefused:
            del self._undo[step]
            raise

    def joined(self) -> AbstractContextManager[None]:
        """A block in which what this task or thread appends belongs to the saga, whose block another has entered.

        A task that is begun inside the saga's block is not in the saga, nor is a thread; this is how it joins.

        Raises:
            InvalidArgument: this task or thread is in another saga.
            SagaNotFound: the saga's block was not entered yet.
            SagaEnded: the saga's block was left.
        """
        if self._status is not saga.SagaStatus.RUNNING:
            raise SagaNotFound(self.id) if self._status is saga.SagaStatus.UNBEGUN else SagaEnded(self.id, self._status)
        self._require_no_other()
        return self._context.changed(saga=self.id)

    def __enter__(self) -> Self:
        try:
            self._begin()
            self._enter()
        except BaseException as error:
            # Its block is never entered, so nobody else ends it.
            self._end(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._leave()
        except BaseException as interruption:
            if error is None:
                self._end(interruption)
                raise
        self._end(error)

    def _enter(self) -> None:
        """From here on what is appended by this task or thread belongs to the saga."""
        self._block.enter_context(self._context.changed(saga=self.id))

    def _leave(self) -> None:
        # In another context than it began in, as a generator may be closed, there is nothing to go back to.
        with suppress(ValueError):
            self._block.close()

    def _begin(self) -> None:
        """Record that it begins."""
        self._require_no_other()
        self._journal.execute(saga_stream(self.id), saga.begin, self.name)
        self._status = saga.SagaStatus.RUNNING

    def _require_no_other(self) -> None:
        current = self._context.current.saga
        if current not in (None, self.id):
            raise InvalidArgument("saga", f"is entered inside another one, {current!r}, which would not undo it")

    def _end(self, error: BaseException | None) -> None:
        """Complete it, or undo it if something was raised, which then says where the saga stands, and goes on."""
        self._status = saga.SagaStatus.COMPENSATING
        if error is None:
            try:
                self._journal.execute(saga_stream(self.id), saga.complete)
            except BaseException as failure:
                self._tell(failure)
                raise
            return
        obstacle: BaseException | None = None
        try:
            # Under no key: that of a command around the block is not this one's.
            with self._context.cleared():
                self._sagas.compensate(self.id, self._undo, reason=_describe(error))
        except (SagaEnded, SagaNotFound):
            # Somebody else has undone it, which is most likely what was raised here; or it never began.
            pass
        except BaseException as failure:
            # Also an interrupt: what the block raised is never replaced.
            obstacle = failure
        self._tell(error, obstacle)

    def _tell(self, error: BaseException, obstacle: BaseException | None = None) -> None:
        """Note on an error that leaves the block where the saga stands, and what was in the way of undoing it."""
        try:
            standing = f"is {self._sagas.status(self.id).replace('_', ' ')}"
        except Exception as failure:
            standing = f"is unfinished, or ended unseen ({_describe(failure)})"
        undoing = "" if obstacle is None else f"; undoing it came to {_describe(obstacle)}"
        with suppress(Exception):
            error.add_note(f"saga {self.id!r} ({self.name}) {standing}{undoing}")


def _missing(
    steps: Iterable[tuple[str, str]], functions: Mapping[str, UndoOutside], left: frozenset[str]
) -> tuple[str, ...]:
    """The steps that are neither to be undone nor to be left."""
    return tuple(step for step, _ in steps if step not in functions and step not in left)


def _call(step: str, undo: UndoOutside, details: str) -> None:
    answer = undo(details)
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise InvalidArgument("undo", f"of step {step!r} must not be async here: it would not be waited for")


def _describe(error: BaseException) -> str:
    """An error as a record has room for it."""
    try:
        described = f"{type(error).__name__}: {error}"
    except Exception:
        # Whatever it is that cannot even say what it is must not keep anything from being undone.
        described = type(error).__name__
    described = described.replace("\0", "")[:MAX_TEXT_LENGTH]
    return described.encode(errors="replace").decode()


def _steps_left(state: Any) -> tuple[tuple[str, str], ...]:
    state.require_unfinished()
    return tuple(reversed(state.steps))


def _status_and_steps(state: Any) -> tuple[saga.SagaStatus, tuple[tuple[str, str], ...]]:
    return state.status, tuple(reversed(state.steps))


def undo_functions(undo: Mapping[str, Callable[..., Any]] | None) -> dict[str, Callable[..., Any]]:
    """The functions that undo steps, by the names of these.

    Raises:
        InvalidIdentifier, InvalidArgument: something else is given.
    """
    if undo is None:
        return {}
    if not issubclass(type(undo), Mapping):
        raise InvalidArgument("undo", f"must map names of steps to functions, not {shown(undo)}")
    return {identifier("step", step): function("undo", undo[step]) for step in several("undo", undo, MAX_STEPS)}
