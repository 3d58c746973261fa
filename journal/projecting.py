"""Keeping tables caught up in the background, and saying how they fare."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from ..domain import ProjectionStopped
from ..projections import Projector
from .changes import Changes, Running

GATHER_S: Final = 0.01
"""How long commits are gathered before the tables are caught up: a reader finds little to do, and writers wait less."""

MAX_RETRY_S: Final = 5.0
"""How long to wait at most before what failed is tried again."""


class ProjectionHealth(NamedTuple):
    """How one projection fares.

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
        changes: says when something was committed.
    """

    def __init__(self, projector: Projector, head: Callable[[], int], changes: Changes) -> None:
        self._projector = projector
        self._head = head
        self._changes = changes
        self._committed = threading.Event()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="muniment-project", daemon=True)
        changes.listen(self._committed)
        self._thread.start()

    @property
    def error(self) -> Exception | None:
        """What makes all projections wait at present; None while they get on."""
        return self._error

    @property
    def lag(self) -> int:
        """How many events of the journal the slowest projection has not seen."""
        return max(each.lag for each in self.health().values())

    def health(self) -> dict[str, ProjectionHealth]:
        """How each projection fares, by name.

        Raises:
            JournalError: the storage cannot be asked.
        """
        head = self._head()
        return {
            name: ProjectionHealth(position, max(0, head - position), error)
            for name, (position, error) in self._projector.health().items()
        }

    def stop(self) -> None:
        """End the thread, once the batch at hand is done."""
        with self._lock:
            if self._stop.is_set():
                return
            self._stop.set()
        self._committed.set()
        self._thread.join()
        self._changes.unlisten(self._committed)

    def _run(self) -> None:
        retry_s = GATHER_S
        while self._committed.wait() and not self._stop.wait(GATHER_S):
            self._committed.clear()
            try:
                self._projector.advance(self._head())
            except Exception as error:  # whatever it is, the thread goes on, and says so
                self._error = error
                self._stop.wait(retry_s)
                retry_s = min(2 * retry_s, MAX_RETRY_S)
                self._committed.set()
            else:
                self._error = None
                retry_s = GATHER_S
