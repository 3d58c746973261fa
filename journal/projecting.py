"""Keeping tables caught up in the background, and saying how they fare."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from ..domain import JournalClosed, ProjectionStopped
from ..projections import Projector
from .storage.commits import JOIN_S, Bell, Commits, Running
from .storage.engine import LogHealth

GATHER_S: Final = 0.01
"""How long commits are gathered before the tables are caught up: a reader finds little to do, and writers wait less."""

_LOOK_AGAIN_S: Final = 5.0
"""How often the thread looks all the same."""

MAX_RETRY_S: Final = 5.0
"""How long to wait at most before what failed is tried again."""


class ProjectionHealth(NamedTuple):
    """The health of one projection.

    Attributes:
        position: the position that its tables have reached.
        lag: how many events of the journal it has not seen.
        error: what stopped it, and at which position; None if nothing did.
    """

    position: int
    lag: int
    error: ProjectionStopped | None


class Projecting(Running):
    """A thread that keeps the tables caught up; use it in a ``with`` block, or ``stop`` it.

    A record that one projection cannot handle stops that one. A failing storage, or a record that cannot be decoded,
    makes all of them wait; it is tried again until it goes.

    Args:
        projector: catches the tables up.
        head: the journal's last position.
        commits: says when something was committed.
        log: tells the health of SQLite's log.
    """

    def __init__(
        self,
        projector: Projector,
        head: Callable[[], int],
        commits: Commits,
        log: Callable[[], LogHealth | None] = lambda: None,
    ) -> None:
        self._log = log
        self._projector = projector
        self._head = head
        self._commits = commits
        self._committed = Bell()
        self._is_stopped = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="muniment-project", daemon=True)
        commits.listen(self._committed)
        self._thread.start()

    @property
    def error(self) -> Exception | None:
        """What makes all projections wait at present; None while they get on."""
        return self._error

    @property
    def lag(self) -> int:
        """How many events of the journal the slowest projection has not seen."""
        return max(each.lag for each in self.health().values())

    @property
    def log(self) -> LogHealth | None:
        """How long SQLite's log is, and which long reads keep it from being taken over; None on another engine."""
        return self._log()

    def health(self) -> dict[str, ProjectionHealth]:
        """The health of each projection, by name.

        Raises:
            JournalError: the storage cannot be asked.
        """
        head = self._head()
        return {
            name: ProjectionHealth(position, max(0, head - position), error)
            for name, (position, error) in self._projector.health().items()
        }

    def tell(self) -> None:
        """Have the thread end, once the batch at hand is done."""
        self._is_stopped = True
        self._committed.ring()

    def stop(self) -> None:
        """End the thread, once the batch at hand is done."""
        self.tell()
        if self._commits.is_inherited:
            return
        self._thread.join(JOIN_S)
        self._commits.unlisten(self._committed)

    def _run(self) -> None:
        retry_s = GATHER_S
        while not self._is_stopped:
            self._committed.wait(_LOOK_AGAIN_S)
            time.sleep(GATHER_S)
            try:
                self._projector.advance(self._head(), self._go_on)
            except _StoppedError:
                return
            except JournalClosed:
                return
            except Exception as error:  # whatever it is, the thread goes on, and says so
                self._error = error
                self._pause(retry_s)
                retry_s = min(2 * retry_s, MAX_RETRY_S)
                self._committed.ring()
            else:
                self._error = None
                retry_s = GATHER_S

    def _pause(self, duration_s: float) -> None:
        ends = time.monotonic() + duration_s
        while not self._is_stopped and (rest := ends - time.monotonic()) > 0:
            time.sleep(min(rest, GATHER_S))

    def _go_on(self, done: int, goal: int) -> None:
        if self._is_stopped:
            raise _StoppedError(f"{done} of {goal}")


class _StoppedError(Exception):
    """The thread was told to end."""
