"""``journal.saga`` and ``journal.sagas``: work with steps outside the journal, undone from wherever it stopped.

A saga's beginning and end, and each outside step that has an undo, are events of the stream ``saga-<id>``. What is
appended meanwhile names the saga in its metadata, and is appended only while the saga is open.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias

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
from ..commands.base import Ask, Call, Command, Executes, Steps, Write, carry_out
from ..writing.context import Context, ContextHolder
from .planner import Undoing, UndoPlanner

UndoOutside: TypeAlias = Callable[[str], object]
"""Undoes a step outside the journal; it is given the details that were recorded with the step."""


class Compensation(NamedTuple):
    """How a saga is to be undone.

    Attributes:
        saga_id: the saga.
        functions: what undoes steps outside the journal, by their names.
        left: the steps that are left as they are.
        reason: why.
    """

    saga_id: str
    functions: Mapping[str, UndoOutside]
    left: frozenset[str]
    reason: str

    def missing(self, steps: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """The steps that are neither to be undone nor to be left."""
        return tuple(step for step, _ in steps if step not in self.functions and step not in self.left)


class Sagas(SagasView):
    """The sagas: a mapping from saga id to where each stands, and how to finish one whose process died."""

    def __init__(
        self,
        journal: Executes,
        planner: UndoPlanner,
        context: ContextHolder,
        store: TemporalStore,
        projector: Projector,
    ) -> None:
        super().__init__(store, projector)
        self._journal = journal
        self._read_state = journal.read_state
        self._planner = planner
        self._context = context

    def _new(self, name: str) -> Saga:
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
        status, steps = self._read_state(saga_stream(identifier("saga_id", saga_id)), _status_and_steps)
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
        compensation = Compensation(
            identifier("saga_id", saga_id), undo_functions(undo), names("leave", leave), text("reason", reason)
        )
        is_preview = exact("dry_run", dry_run, bool)
        return carry_out(self._journal, self._compensating(compensation, self._context.current, is_preview=is_preview))

    def _compensating(self, asked: Compensation, context: Context, *, is_preview: bool = False) -> Steps[UndoPlan]:
        """Compensate a saga; under the context's key, if it has one."""
        undoing = self._undoing(asked)
        if not is_preview and (done := (yield Ask(partial(self._planner.done_before, undoing, context)))) is not None:
            return done  # type: ignore[no-any-return]
        stream = saga_stream(asked.saga_id)
        steps = yield Ask(partial(self._read_state, stream, _steps_left))
        unknown = asked.left - {step for step, _ in steps}
        if unknown:
            raise InvalidArgument("leave", f"names what is no step to be undone: {', '.join(sorted(unknown))}")
        missing = asked.missing(steps)
        if is_preview:
            plan: UndoPlan = yield Ask(partial(self._planner.plan, undoing))
            return UndoPlan(obstacles=(UndoMissing(asked.saga_id, missing), *plan.obstacles)) if missing else plan
        if missing:
            raise UndoMissing(asked.saga_id, missing)
        # On its own behalf: in no other saga, which would undo the undoing; nor do steps outside take its key.
        with self._context.cleared():
            yield Command(stream, saga.begin_compensation, ())
            try:
                yield from self._undoing_outside(asked, undoing)
                with self._context.changed(idempotency_key=context.idempotency_key):
                    return (yield Write(self._planner.steps(undoing)))  # type: ignore[no-any-return]
            except (SagaEnded, GeneratorExit):
                raise
            except BaseException as error:
                with suppress(MunimentError):
                    yield Command(stream, saga.fail_compensation, (_describe(error),))
                raise

    def _undoing_outside(self, asked: Compensation, undoing: Undoing) -> Steps[None]:
        # Until it was closed, the saga may have gone on elsewhere.
        steps = yield Ask(partial(self.steps, asked.saga_id))
        if missing := asked.missing(steps):
            raise UndoMissing(asked.saga_id, missing)
        # What cannot be done in the journal is found out before anything is touched outside.
        if obstacles := (yield Ask(partial(self._planner.plan, undoing))).obstacles:
            raise obstacles[0]
        for step, details in steps:
            # What is to be left is left, also where there is a function for it.
            if step not in asked.left:
                yield Call(f"step {step!r}", asked.functions[step], details)
                yield Command(saga_stream(asked.saga_id), saga.undo_step, (step,))

    def status(self, saga_id: str) -> saga.SagaStatus:
        """Where a saga stands now, read off its events."""
        return self._read_state(saga_stream(saga_id), _status_and_steps)[0]

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
        return self._journal.execute(saga_stream(identifier("saga_id", saga_id)), saga.resolve, reason)

    def _undoing(self, asked: Compensation) -> Undoing:
        def found() -> Iterable[tuple[str, int]]:
            return [(stream, version) for _, stream, version in self.events(asked.saga_id)]

        return self._planner.of_saga(SagaUndone(asked.saga_id, asked.reason), found, asked.left)


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
            step: what the step is called; each step of a saga needs a name of its own.
            undo: undoes it; it is given the details.
            details: what it needs to know, in at most 2 000 characters.

        Raises:
            InvalidArgument: there was a step of this name, or ``undo`` is no plain function.
            SagaNotFound: the saga's block was not entered yet.
            SagaEnded: the saga was ended elsewhere.
        """
        if callable(undo) and inspect.iscoroutinefunction(undo):
            raise InvalidArgument("undo", f"must be a function that is not async, not {shown(undo)}")
        carry_out(self._journal, self._registering(step, undo, details))

    def _registering(self, step: str, undo: UndoOutside, details: str) -> Steps[None]:
        if not callable(undo):
            raise InvalidArgument("undo", f"must be a function, not {shown(undo)}")
        step, details = identifier("step", step), text("details", details)
        if step in self._undo:
            raise InvalidArgument("step", f"{step!r} was registered before; name each step once")
        # Known here before it is on record: whoever reads the record may have to call it.
        self._undo[step] = undo
        try:
            yield Command(saga_stream(self.id), saga.register_undo, (step, details))
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
            carry_out(self._journal, self._beginning())
            self._enter()
        except BaseException as error:
            # Its block is never entered, so nobody else ends it.
            carry_out(self._journal, self._ending(error))
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._leave()
        except BaseException as interruption:
            if error is None:
                carry_out(self._journal, self._ending(interruption))
                raise
        carry_out(self._journal, self._ending(error))

    def _enter(self) -> None:
        """From here on what is appended by this task or thread belongs to the saga."""
        self._block.enter_context(self._context.changed(saga=self.id))

    def _leave(self) -> None:
        # In another context than it began in, as a generator may be closed, there is nothing to go back to.
        with suppress(ValueError):
            self._block.close()

    def _beginning(self) -> Steps[None]:
        """Record that it begins."""
        self._require_no_other()
        yield Command(saga_stream(self.id), saga.begin, (self.name,))
        self._status = saga.SagaStatus.RUNNING

    def _require_no_other(self) -> None:
        current = self._context.current.saga
        if current not in (None, self.id):
            raise InvalidArgument("saga", f"is entered inside another one, {current!r}, which would not undo it")

    def _ending(self, error: BaseException | None) -> Steps[None]:
        """Complete the saga; or, if the block raised, undo it and note on the error where the saga stands."""
        self._status = saga.SagaStatus.COMPENSATING
        if error is None:
            try:
                yield Command(saga_stream(self.id), saga.complete, ())
            except GeneratorExit:
                raise
            except BaseException as failure:
                yield from self._telling(failure)
                raise
            return
        obstacle: BaseException | None = None
        asked = Compensation(self.id, self._undo, frozenset(), _describe(error))
        try:
            # Under no key: that of a command around the block is not this one's.
            yield from self._sagas._compensating(asked, self._context.current.elsewhere)
        except (SagaEnded, SagaNotFound):
            # Somebody else has undone it, which is most likely what was raised here; or it never began.
            pass
        except GeneratorExit:
            raise
        except BaseException as failure:
            # Also an interrupt: what the block raised is never replaced.
            obstacle = failure
        yield from self._telling(error, obstacle)

    def _telling(self, error: BaseException, obstacle: BaseException | None = None) -> Steps[None]:
        """Note on an error that leaves the block where the saga stands, and what was in the way of undoing it."""
        try:
            status: saga.SagaStatus = yield Ask(partial(self._sagas.status, self.id))
        except Exception as failure:
            self._tell(error, unseen(failure), obstacle)
        else:
            self._tell(error, f"is {status.replace('_', ' ')}", obstacle)

    def _tell(self, error: BaseException, standing: str, obstacle: BaseException | None) -> None:
        undoing = "" if obstacle is None else f"; undoing it failed with {_describe(obstacle)}"
        with suppress(Exception):
            error.add_note(f"saga {self.id!r} ({self.name}) {standing}{undoing}")


def unseen(failure: BaseException) -> str:
    """What to say of a saga whose status could not be read."""
    return f"is unfinished, or ended unseen ({_describe(failure)})"


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
