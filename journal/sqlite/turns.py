"""Turns between processes that write one file.

SQLite's own waiting is a sleep that grows, so of several busy writers one gets nothing for seconds. A file lock is
waited for in the kernel instead, and whoever waits is woken when it is free.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from .file import open_turns

_CLAIM_S: Final = 0.1
"""How long a turn that was waited for is kept for whoever asked, who may have given up or been interrupted."""


class Turns:
    """A lock that processes take in turns, on a file beside the database. One thread of a process asks at a time.

    Args:
        path: the lock's file; it is made if need be, and stays empty.
        database: the database's file, whose owner and mode it gets.
    """

    def __init__(self, path: Path, database: Path) -> None:
        self._path = path
        self._database = database
        self._descriptor: int | None = None
        self._waiter: _Waiter | None = None

    def acquire(self, timeout_s: float) -> bool:
        """Take the turn.

        Args:
            timeout_s: how long to wait for it, in seconds.

        Returns:
            Whether it was got.

        Raises:
            OSError: the file cannot be made.
        """
        if self._descriptor is None:
            self._descriptor = open_turns(self._path, self._database)
        deadline = time.monotonic() + timeout_s
        while True:
            if self._waiter is None or self._waiter.has_given_up():
                try:
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._waiter = _Waiter(self._descriptor)
                    self._waiter.start()
                else:
                    self._waiter = None
                    return True
            if self._waiter.is_mine(min(_CLAIM_S, max(0, deadline - time.monotonic()))):
                self._waiter = None
                return True
            if time.monotonic() >= deadline:
                return False

    def release(self) -> None:
        """Give the turn to whoever waits for it."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; a turn that is held is given up with it."""
        if self._descriptor is not None and (self._waiter is None or self._waiter.has_given_up()):
            os.close(self._descriptor)
            self._descriptor = None

    def abandon(self) -> None:
        """Close the copy of the descriptor that a child has; its parent keeps the turn, if it has it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _Waiter(threading.Thread):
    """Waits for the lock in the kernel, which knows no time-out for it; the one who asks waits for this thread."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(name="muniment-turn", daemon=True)
        self._descriptor = descriptor
        self._had: SimpleQueue[None] = SimpleQueue()
        self._claimed: SimpleQueue[None] = SimpleQueue()

    def run(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._had.put(None)
        try:
            self._claimed.get(timeout=_CLAIM_S)
        except Empty:
            # Whoever takes this out has the turn.
            try:
                self._had.get_nowait()
            except Empty:
                return
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def is_mine(self, timeout_s: float) -> bool:
        """Take the turn over from this thread, if it has it by then."""
        try:
            self._had.get(timeout=timeout_s)
        except Empty:
            return False
        self._claimed.put(None)
        return True

    def has_given_up(self) -> bool:
        """Whether it had the turn, and nobody came for it."""
        return not self.is_alive() and self._had.empty()
