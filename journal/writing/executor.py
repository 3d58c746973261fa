"""Carries out, in the caller's thread, what the write path says has to be read and appended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ...domain import Decision
from ...projections import Grip, Lock, Locks
from ..storage.application import JournalApplication
from ..storage.group_commit import GroupCommit
from .execution import Append, CommandPlanner, Insist, Read, Steps
from .streams import Stream, StreamCache, in_lock_order

ResultT = TypeVar("ResultT")


class Executor:
    """Carries commands out in the caller's thread; from as many threads as needed.

    Args:
        planner: says what has to be read and appended.
        application: where.
        locks: how long threads wait for each other.
    """

    def __init__(self, planner: CommandPlanner, application: JournalApplication, locks: Locks) -> None:
        self._planner = planner
        self._locks = locks
        self._writer = GroupCommit(application.recorder, locks)
        self._streams = StreamCache(locks.new)

    def execute(
        self, streams: str | tuple[str, ...], command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]
    ) -> ResultT:
        """Carry a command out; see ``Journal.execute``."""
        self._locks.require_here()
        known = [self._streams.get(name) for name in self._planner.names(streams)]
        grips = [Grip()]
        try:
            _take(known, grips[0])
            return self._drive(self._planner.steps(known, command, arguments), grips)
        finally:
            grips[-1].over.put(None)

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        """Look at a state that is brought up to date; see ``Journal.read_state``."""
        self._locks.require_here()
        known = self._streams.get(stream)
        grip = Grip()
        try:
            _take([known], grip)
            self._planner.refresh([known])
            return view(known.state)
        finally:
            grip.over.put(None)

    def drive(self, steps: Steps[ResultT]) -> ResultT:
        """Read and append what the steps say."""
        self._locks.require_here()
        grips = [Grip()]
        try:
            return self._drive(steps, grips)
        finally:
            grips[-1].over.put(None)

    def _drive(self, steps: Steps[ResultT], grips: list[Grip]) -> ResultT:
        """Do what the steps say.

        Args:
            steps: what to do.
            grips: the last one is what holds the streams; another comes after it when others are to be held.
        """
        try:
            step = next(steps)
            while True:
                try:
                    if isinstance(step, Append):
                        answer = self._writer.insert_events(step.events, step.conditions)
                    elif isinstance(step, Read):
                        answer = step.function()
                    elif isinstance(step, Insist):
                        answer = self._writer.insert_decided(step.decide)
                    else:
                        answer = None
                        grips[-1].over.put(None)
                        grips.append(Grip())
                        _take(map(self._streams.get, step.streams), grips[-1])
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: ResultT = end.value
            return result


def _take(streams: Iterable[Stream[Lock]], grip: Grip) -> None:
    """Keep other threads from streams."""
    for stream in in_lock_order(streams):
        stream.lock.take(grip)
        stream.make_whole()
