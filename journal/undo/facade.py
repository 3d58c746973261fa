"""What undoes, as methods of the journal."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from ...domain.compensation import UndoPlan
from ...domain.value import exact
from ..writing.execution import Steps
from .planner import UndoPlanner
from .sagas import Saga, Sagas

ResultT = TypeVar("ResultT")


class Undo:
    """What undoes, by appending what compensates."""

    _undo_planner: UndoPlanner
    _saga_commands: Sagas

    @abstractmethod
    def _write(self, steps: Steps[ResultT]) -> ResultT:
        """Carry out what steps say."""

    @property
    def sagas(self) -> Sagas:
        """Every saga: a mapping from saga id to where it stands; and how to finish one whose process died."""
        return self._saga_commands

    def revert(self, event: str | int, *, dry_run: bool = False) -> UndoPlan:
        """Undo one event by appending what compensates it (law 8). A compensating event can be reverted like any other.

        A hand-over and the upgrade that was committed with it are undone together. Who owned a session before owns it
        again, under a new generation: ``journal.sessions.state(session_id).capability``.

        Args:
            event: its id, such as ``session-s-42@3``, or its position.
            dry_run: only preview the result, and what makes it impossible.

        Returns:
            What was undone, or would be, and what is different afterwards.

        Raises:
            UnknownPosition, UnknownEvent: there is none.
            NotCompensable: nothing undoes it, or what it did has ended by itself.
            AlreadyCompensated: it is undone already.
            LaterEventDepends: a later event depends on it.
            CommandRefused: something else is in the way; ``dry_run`` lists every obstacle.
        """
        planner, undoing = self._undo_planner, self._undo_planner.of_event(event)
        return planner.plan(undoing) if exact("dry_run", dry_run, bool) else self._write(planner.steps(undoing))

    def rollback(self, stream: str, to_version: int, *, dry_run: bool = False) -> UndoPlan:
        """Undo everything in a stream that came after a version, newest first, in one append (law 8).

        Args:
            stream: the stream's name, such as ``session-s-42``.
            to_version: the last version that stays.
            dry_run: only preview the result, and what makes it impossible.

        Returns:
            What was undone, or would be, and what is different afterwards.

        Raises:
            UnknownVersion: the stream has no such version.
            NotCompensable: nothing undoes one of the events.
            LaterEventDepends: an event of another stream depends on one of them.
        """
        planner, undoing = self._undo_planner, self._undo_planner.to_version(stream, to_version)
        return planner.plan(undoing) if exact("dry_run", dry_run, bool) else self._write(planner.steps(undoing))

    def saga(self, name: str) -> Saga:
        """Do work with steps outside the journal, in a ``with`` block.

        What the task or thread that enters the block appends in it belongs to the saga. A task or thread begun in it
        does not, unless it joins with ``saga.joined()``. If the block raises, the steps outside whose undo is
        registered are undone, newest first, then in one append all that was appended in the saga. The exception goes
        on, with a note that says which saga it was and how it ended. If the process dies,
        ``journal.sagas.unfinished()`` lists it after reopening, and ``journal.sagas.compensate`` finishes it.

        Args:
            name: what it is called.

        Raises:
            InvalidIdentifier: it may not serve as a name.
        """
        return self._saga_commands._new(name)
