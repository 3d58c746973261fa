"""Turns between processes that write one file.

SQLite's own waiting is a sleep that grows, so of several busy writers one gets nothing for seconds. A file lock is
waited for in the kernel instead, and whoever waits is woken when it is free.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path


class Turns:
    """A lock that processes take in turns, on a file beside the database. One thread of a process asks at a time.

    Args:
        path: the lock's file; it is made if need be, and stays empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._changed = threading.Condition()
        self._is_wanted = False
        self._is_held = False
        self._waiter: threading.Thread | None = None

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
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if self._waiter is None:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                return True
        return self._wait(self._descriptor, timeout_s)

    def release(self) -> None:
        """Give the turn to whoever waits for it."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; a turn that is held is given up with it."""
        if self._descriptor is not None and self._waiter is None:
            os.close(self._descriptor)
            self._descriptor = None

    def _wait(self, descriptor: int, timeout_s: float) -> bool:
        # The kernel knows no timeout for this lock, so another thread waits for it, and this one for that one.
        with self._changed:
            self._is_wanted = True
            if self._waiter is None:
                self._waiter = threading.Thread(target=self._block, args=(descriptor,), daemon=True)
                self._waiter.start()
            got_it = self._changed.wait_for(lambda: self._is_held, timeout_s)
            self._is_wanted = self._is_held = False
            return got_it

    def _block(self, descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with self._changed:
            self._waiter = None
            if self._is_wanted:
                self._is_held = True
                self._changed.notify()
            else:
                # Nobody waits any longer; the next one asks anew.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
