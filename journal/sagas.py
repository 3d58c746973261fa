"""``journal.saga`` and ``journal.sagas``: work with steps outside the journal, undone from wherever it stopped.

A saga's beginning and end, and each outside step that has an undo, are events of the stream ``saga-<id>``. What is
appended meanwhile names the saga in its metadata, and is appended only while the saga is open.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Any, Self, TypeAlias

from ..domain import InvalidArgument, MunimentError, SagaEnded, UndoMissing, identifier, saga, text
from ..projections import Projector, SagasView, TemporalStore
from .commands import Executes
from .context import ContextHolder
from .history import StreamHistory
from .planning import Undoing, UndoPlan
from .rollback import Rollback

UndoStepOutside: TypeAlias = Callable[[str], object]
"""Undoes a step outside the journal; it is given the details that were recorded with the step."""


class Sagas(SagasView):
    """The sagas: a mapping from saga id to where each stands, and how to finish one whose process died."""

    def __init__(
        self,
        journal: Executes,
        rollback: Rollback,
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

    def begin(self, name: str) -> Saga:
        """Make a saga, to be used in a ``with`` block; see ``Journal.saga``."""
        return Saga(self, self._journal, self._context, identifier("name", name))

    def steps(self, saga_id: str) -> tuple[tuple[str, str], ...]:
        """The steps that are still to be undone outside the journal, newest first, with their details.

        Raises:
            SagaNotFound: there is no such saga.
        """
        return self._journal.read_state(_stream(saga_id), _steps)

    def compensate(
        self,
        saga_id: str,
        undo: Mapping[str, UndoStepOutside] | None = None,
        *,
        leave: Collection[str] = (),
        reason: str = "compensated by hand",
        dry_run: bool = False,
    ) -> UndoPlan:
        """Undo a saga: its steps outside the journal, newest first, then in one append all that was appended in it.

        If anything is in the way, nothing is appended but that, the saga is in doubt, and this may be tried again;
        steps that were undone outside are not undone twice. A saga that is running elsewhere is ended by this.

        Args:
            saga_id: the saga.
            undo: how to undo steps outside the journal, by their names.
            leave: the names of the steps to leave as they are.
            reason: why, in at most 2 000 characters.
            dry_run: only say what it comes to.

        Returns:
            What was undone in the journal.

        Raises:
            SagaNotFound, SagaEnded: there is no such saga, or nothing left to do.
            UndoMissing: a step is neither to be undone nor to be left.
            NotCompensable, LaterEventDepends: what was appended cannot be undone, or something stands on it.
        """
        functions = dict(undo or {})
        text("reason", reason)
        steps = self.steps(saga_id)
        undoing = self._undoing(saga_id, reason, tuple(step for step, _ in steps if step not in functions))
        if dry_run:
            return self._rollback.plan(undoing)
        missing = tuple(step for step, _ in steps if step not in functions and step not in leave)
        if missing:
            raise UndoMissing(saga_id, missing)
        try:
            # What cannot be done in the journal is found out before anything is touched outside.
            if obstacles := self._rollback.plan(undoing).obstacles:
                raise obstacles[0]
            for step, details in steps:
                if step in functions:
                    functions[step](details)
                    self._journal.execute(_stream(saga_id), saga.undo_step, step)
            return self._carry_out(undoing)
        except SagaEnded:
            raise
        except BaseException as error:
            with suppress(MunimentError):
                problem = f"{type(error).__name__}: {error}"[:2_000].replace("\0", "")
                self._journal.execute(_stream(saga_id), saga.fail_compensation, problem)
            raise

    def _undoing(self, saga_id: str, reason: str, left: tuple[str, ...]) -> Undoing:
        def ending(history: StreamHistory) -> saga.SagaCompensated:
            history.state.require_open()
            return saga.SagaCompensated(saga_id, history.state.name, reason, left)

        def found() -> Iterable[tuple[str, int]]:
            return [(stream, version) for _, stream, version in self.events(saga_id)]

        return self._rollback.of_events(found, _stream(saga_id), ending)


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
        self._undo: dict[str, UndoStepOutside] = {}
        self._block = ExitStack()

    def register_undo(self, step: str, undo: UndoStepOutside, details: str = "") -> None:
        """Say how a step outside the journal is undone, in case the saga fails; best right after the step is taken.

        The function lives as long as this process. The step's name and details are recorded, so that whoever finishes
        the saga after a crash knows what there is to undo.

        Args:
            step: what the step is called; each has another name.
            undo: undoes it; it is given the details.
            details: what it needs to know, in at most 2 000 characters.

        Raises:
            InvalidArgument: there was a step of this name.
            SagaEnded: the saga was ended elsewhere.
        """
        if identifier("step", step) in self._undo:
            raise InvalidArgument("step", f"{step!r} was registered before; name each step once")
        self._journal.execute(_stream(self.id), saga.take_step, step, text("details", details))
        self._undo[step] = undo

    def __enter__(self) -> Self:
        self.begin()
        self._block.enter_context(self.context())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.close()
        self.end(error)

    def context(self) -> AbstractContextManager[None]:
        """The context of what is appended in the saga."""
        return self._context.changed(saga=self.id)

    def begin(self) -> None:
        """Record that it begins.

        Raises:
            InvalidArgument: another one is under way here.
        """
        current = self._context.current.saga
        if current is not None:
            raise InvalidArgument("saga", f"is begun inside another one, {current!r}, which would not undo it")
        self._journal.execute(_stream(self.id), saga.begin, self.name)

    def end(self, error: BaseException | None) -> None:
        """Complete it, or undo it if something was raised."""
        if error is None:
            self._journal.execute(_stream(self.id), saga.complete)
            return
        reason = f"{type(error).__name__}: {error}"[:2_000].replace("\0", "")
        try:
            self._sagas.compensate(self.id, self._undo, reason=reason)
        except SagaEnded:
            # Somebody else has undone it, which is most likely what was raised here.
            pass
        except Exception as failure:
            error.add_note(f"saga {self.id!r} ({self.name}) is in doubt, and was not undone: {failure}")


def _stream(saga_id: str) -> str:
    return f"saga-{identifier('saga_id', saga_id)}"


def _steps(state: Any) -> tuple[tuple[str, str], ...]:
    state.require_open()
    return tuple(reversed(state.steps))
