"""Noticing that something was committed, by this process or another, without asking all the time."""

from __future__ import annotations

import asyncio
import os
import select
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias
from weakref import ReferenceType, ref

from ...domain.shown import kind_of
from ...projections import Birth

POLL_INTERVAL_S: Final = 0.01
"""How often another process's commits are looked for, while somebody listens: 5 ms late on average."""

RETRY_INTERVAL_S: Final = 0.2
"""How long to wait before what failed is tried again."""


JOIN_S: Final = 1.0
"""How long a thread that was told to end is waited for; it ends by itself, whoever waits."""


class Bell:
    """Wakes one thread. Neither ringing it nor waiting for it can be split by an interrupt."""

    def __init__(self) -> None:
        self._rung: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake whoever waits, now or next."""
        if self._rung.empty():
            self._rung.put(None)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is rung, or the time is over; return whether it was."""
        try:
            self._rung.get(timeout=timeout_s)
        except Empty:
            return False
        return True


class LoopBell:
    """Wakes a task of an event loop, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Have the task look."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._rung.set)

    def mute(self) -> None:
        """Wait for the next time only."""
        self._rung.clear()

    async def wait(self, timeout_s: float) -> None:
        """Wait until it is rung, or the time is over."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), timeout_s)


class Listener(Protocol):
    """Who is told that something was committed; from any thread."""

    def ring(self) -> None:
        """Take note of it, and return at once."""


class Stop:
    """Tells a thread to end: one that waits for a time, or for a file descriptor.

    Args:
        is_needed: asked whenever the thread waits; it ends when it is not needed any more.
    """

    def __init__(self, is_needed: Callable[[], bool] = lambda: True) -> None:
        self._told, self._teller = os.pipe()
        self._is_needed = is_needed

    def tell(self) -> None:
        """End it."""
        with suppress(OSError):
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
        is_told = any(ready == self._told for ready, _ in watched.poll(timeout_s * 1_000))
        return is_told or not self._is_needed()

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._told)
        os.close(self._teller)


@contextmanager
def closing_after(error: BaseException | None) -> Iterator[None]:
    """Close what a block used. What the block raised comes out of it, also where closing fails; that is then a note."""
    try:
        yield
    except Exception as failure:
        if error is None:
            raise
        error.add_note(f"closing failed as well: {kind_of(failure)}: {failure}")


class Running(ABC):
    """Something that goes on until it is stopped; a ``with`` block stops it at its end."""

    @abstractmethod
    def tell(self) -> None:
        """Have it end, and wait for nothing; from any thread, and more than once."""

    @abstractmethod
    def stop(self) -> None:
        """End it, and wait for a moment until it has; from any thread, and more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with closing_after(error):
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


class Commits:
    """Tells those who listen when something is committed.

    Commits of this process are announced. Those of other processes are watched for in a thread that runs only while
    somebody listens. A listener that is garbage-collected is dropped.

    Args:
        watch: notices the commits of other processes; None if there can be no other.
    """

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch
        self._birth = Birth("the journal")
        self._listeners: set[ReferenceType[Listener]] = set()
        # A signal handler may come here while its thread is here.
        self._lock = threading.RLock()
        self._watcher: tuple[threading.Thread, Stop] | None = None

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that made it."""
        return self._birth.is_inherited

    def require_here(self) -> None:
        """Refuse what was inherited from the process that forked this one.

        Raises:
            JournalForked
        """
        self._birth.require_here()

    def listen(self, listener: Listener) -> None:
        """Tell a listener whenever something is committed, and once now, for what was missed."""
        self._birth.require_here()
        with self._lock:
            self._listeners.add(ref(listener, self._listeners.discard))
            if self._watch is not None and self._watcher is None:
                stop = Stop(lambda: bool(self._listeners))
                thread = threading.Thread(
                    target=self._run, args=(self._watch, stop), name="muniment-watch", daemon=True
                )
                self._watcher = thread, stop
                thread.start()
        listener.ring()

    def unlisten(self, listener: Listener) -> None:
        """Leave a listener alone from now on."""
        if self._birth.is_inherited:
            return
        with self._lock:
            self._listeners.discard(ref(listener))
            if self._listeners or self._watcher is None:
                return
            (thread, stop), self._watcher = self._watcher, None
        stop.tell()
        if thread is not threading.current_thread():
            # Its file descriptors are closed by itself.
            thread.join(JOIN_S)

    def announce(self) -> None:
        """Say that something was committed."""
        for each in tuple(self._listeners):
            if (listener := each()) is not None:
                listener.ring()

    def _run(self, watch: Watch, stop: Stop) -> None:
        try:
            watch(self.announce, stop)
        finally:
            with self._lock:
                if self._watcher is not None and self._watcher[1] is stop:
                    self._watcher = None
            stop.close()
