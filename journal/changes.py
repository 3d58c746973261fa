"""Noticing that something was committed, by this process or another, without asking all the time."""

from __future__ import annotations

import os
import select
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias

POLL_INTERVAL_S: Final = 0.01
"""How often another process's commits are looked for, while somebody listens: 5 ms late on average."""

RETRY_INTERVAL_S: Final = 0.2
"""How long to wait before what failed is tried again."""


class Stop:
    """Tells a thread to end: one that waits for a time, or for a file descriptor."""

    def __init__(self) -> None:
        self._told, self._teller = os.pipe()

    def tell(self) -> None:
        """End it."""
        os.write(self._teller, b".")

    def wait(self, timeout_s: float, descriptor: int | None = None) -> bool:
        """Wait until told to end, until the time is over, or until the descriptor can be read.

        Returns:
            Whether to end.
        """
        # Not select.select, which knows no descriptors above 1 023.
        watched = select.poll()
        watched.register(self._told, select.POLLIN)
        if descriptor is not None:
            watched.register(descriptor, select.POLLIN)
        return any(ready == self._told for ready, _ in watched.poll(timeout_s * 1_000))

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._told)
        os.close(self._teller)


class Running(ABC):
    """Something that goes on until it is stopped; a ``with`` block stops it at its end."""

    @abstractmethod
    def stop(self) -> None:
        """End it; from any thread, and more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


Watch: TypeAlias = Callable[[Callable[[], None], Stop], None]
"""Calls its first argument after every commit of another connection, until told to stop."""


def poll(counter: Callable[[], int]) -> Watch:
    """Watch a number that changes with every commit of another connection, every 10 ms."""

    def watch(announce: Callable[[], None], stop: Stop) -> None:
        last = None
        while True:
            try:
                current = counter()
            except Exception:  # whatever it is, those who listen find it out when they read
                current = None
            if current is None or current != last:
                last = current
                announce()
            if stop.wait(POLL_INTERVAL_S if current is not None else RETRY_INTERVAL_S):
                return

    return watch


class Changes:
    """Sets the events of those who listen when something is committed.

    Commits of this process are announced. Those of other processes are watched for in a thread that runs only while
    somebody listens.

    Args:
        watch: notices the commits of other processes; None if there can be no other.
    """

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch
        self._listeners: set[threading.Event] = set()
        self._lock = threading.Lock()
        self._watcher: tuple[threading.Thread, Stop] | None = None

    def listen(self, listener: threading.Event) -> None:
        """Set this event whenever something is committed, and once now, for what was missed."""
        with self._lock:
            self._listeners.add(listener)
            if self._watch is not None and self._watcher is None:
                stop = Stop()
                thread = threading.Thread(target=self._watch, args=(self.announce, stop), daemon=True)
                self._watcher = thread, stop
                thread.start()
        listener.set()

    def unlisten(self, listener: threading.Event) -> None:
        """Leave this event alone from now on."""
        with self._lock:
            self._listeners.discard(listener)
            if self._listeners or self._watcher is None:
                return
            (thread, stop), self._watcher = self._watcher, None
            stop.tell()
        thread.join()
        stop.close()

    def announce(self) -> None:
        """Say that something was committed."""
        if self._listeners:
            with self._lock:
                listeners = tuple(self._listeners)
            for listener in listeners:
                listener.set()
