"""Noticing that something was committed, by this process or another, without asking all the time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

POLL_INTERVAL_S: Final = 0.01
"""How often another process's commits are looked for, while somebody listens: 5 ms late on average."""


class Changes:
    """Sets the events of those who listen when something is committed.

    Commits of this process are announced. Those of other processes are found by a thread that looks at a counter of
    the database every 10 ms, and runs only while somebody listens.

    Args:
        counter: reads a number that changes with every commit of another connection; None if there can be no other
            process.
    """

    def __init__(self, counter: Callable[[], int] | None) -> None:
        self._counter = counter
        self._listeners: set[threading.Event] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def listen(self, listener: threading.Event) -> None:
        """Set this event whenever something is committed, and once now, for what was missed."""
        with self._lock:
            self._listeners.add(listener)
            if self._counter is not None and self._watcher is None:
                self._stop.clear()
                self._watcher = threading.Thread(target=self._watch, args=(self._counter,), daemon=True)
                self._watcher.start()
        listener.set()

    def unlisten(self, listener: threading.Event) -> None:
        """Leave this event alone from now on."""
        with self._lock:
            self._listeners.discard(listener)
            if self._listeners or self._watcher is None:
                return
            watcher, self._watcher = self._watcher, None
            self._stop.set()
        watcher.join()

    def announce(self) -> None:
        """Say that something was committed."""
        if self._listeners:
            with self._lock:
                listeners = tuple(self._listeners)
            for listener in listeners:
                listener.set()

    def _watch(self, counter: Callable[[], int]) -> None:
        last = counter()
        self.announce()
        while not self._stop.wait(POLL_INTERVAL_S):
            current = counter()
            if current != last:
                last = current
                self.announce()
