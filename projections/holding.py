"""Locks that are waited for with a time-out, and that no interrupt leaves held.

Python looks for signals, and for exceptions that one thread sets in another, when a function begins and after a call
of a function in C. So a lock that is taken by ``acquire(timeout=…)`` can be had by a caller who never learns it, and
one that is given back by a function in Python may never be. Here the block that holds a lock is an object of its own,
a ``Grip``: it exists before it takes anything, it ends by one call into C, and everything that it took is free then. ::

    grip = Grip()
    try:
        lock.take(grip)
        ...
    finally:
        grip.over.put(None)

One that is gone without having ended holds nothing either.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final
from weakref import ReferenceType, ref

from ..domain import JournalForked, JournalLocked, NestedCommand

LEAST_WAIT_S: Final = 1.0
"""How long another thread of this process is waited for at least, however short the wait for other processes is."""

DEFAULT_WAIT_S: Final = 5.0
"""How long another thread is waited for where nothing else was said."""

_PATIENCE_S: Final = 0.005
"""How long others may be faster, which costs less than waking who waits each time, before whoever waits comes next."""

_LOOK_AGAIN_S: Final = 0.05
"""How often those who wait look by themselves, for what an interrupted thread did not tell them."""

_CERTAIN_S: Final = 0.25
"""How long a thread that seems to wait for itself makes sure; another thread may just be testing the holder's grip."""

_mutex = threading.RLock()
# It may be taken again by the thread that has it: a signal handler runs wherever that thread happens to be.

_generation = 0


def _forget() -> None:
    global _generation, _mutex
    _generation += 1
    _mutex = threading.RLock()


os.register_at_fork(after_in_child=_forget)


class Birth:
    """Remembers in which process something was made.

    Args:
        place: what the journal is called in errors.
    """

    __slots__ = ("_generation", "place")

    def __init__(self, place: str) -> None:
        self.place = place
        self._generation = _generation

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a child, made by ``fork``, of the one that it was made in."""
        return self._generation != _generation

    def require_here(self) -> None:
        """Refuse what was inherited, before anything of it is touched.

        Raises:
            JournalForked
        """
        if self._generation != _generation:
            raise JournalForked(self.place)


class Grip:
    """What one block in one thread holds: as many locks as it took, until it is over.

    Attributes:
        over: ends it when something is put in, also more than once.
        thread: the thread that it belongs to.
    """

    __slots__ = ("__weakref__", "over", "thread")

    def __init__(self) -> None:
        self.over: SimpleQueue[None] = SimpleQueue()
        self.thread = threading.get_ident()


class Locks(Birth):
    """How the locks of one journal are waited for.

    Args:
        place: what the journal is called in errors.
        timeout_s: how long to wait, in seconds, for one that does not change hands.
    """

    __slots__ = ("timeout_s",)

    def __init__(self, place: str, timeout_s: float = DEFAULT_WAIT_S) -> None:
        super().__init__(place)
        self.timeout_s = max(timeout_s, LEAST_WAIT_S)

    def new(self) -> Lock:
        """A lock that nobody holds."""
        return Lock(self)

    def locked(self) -> JournalLocked:
        """The error of one who waited in vain."""
        return JournalLocked(self.place, round(self.timeout_s * 1_000))


class Lock:
    """A lock that one ``Grip`` has at a time.

    Attributes:
        turns: how often it was taken, or its holder got on.
    """

    __slots__ = ("_holder", "_line", "_locks", "_next", "turns")

    def __init__(self, locks: Locks) -> None:
        self._locks = locks
        self._holder: ReferenceType[Grip] | None = None
        self._next: ReferenceType[Grip] | None = None
        self._line: threading.RLock | None = None
        self.turns = 0

    def take(self, grip: Grip, timeout_s: float | None = None) -> None:
        """Take the lock, and wait for it if need be. The time-out begins again whenever the lock changes hands.

        Args:
            grip: what holds it then.
            timeout_s: how long to wait, in seconds, instead of as long as is usual here.

        Raises:
            JournalForked: it was inherited from the process that forked this one.
            JournalLocked: it could not be had in time.
            NestedCommand: another block of this very thread holds it.
        """
        if not self.try_take(grip) and not self._wait(grip, timeout_s or self._locks.timeout_s):
            raise self._locks.locked()

    def try_take(self, grip: Grip) -> bool:
        """Take it if it is free; return whether it was.

        Raises:
            JournalForked, NestedCommand
        """
        holder = self._try(grip)
        if holder is None or holder.thread != grip.thread:
            return holder is None
        over = holder.over
        # Kept by nobody, it is gone if its block is.
        del holder
        if not _is_over(over, _CERTAIN_S) and self._try(grip) is not None:
            raise NestedCommand(self._locks.place)
        return self.is_with(grip)

    def grab(self, grip: Grip) -> bool:
        """Take it if it is free, as one who would rather do without than wait or fail; return whether it was."""
        return not self._locks.is_inherited and self._try(grip) is None

    def _try(self, grip: Grip) -> Grip | None:
        """Take it if it is free; otherwise return who has it, or is to have it next."""
        self._locks.require_here()
        with _mutex:
            entry = self._holder
            holder = None if entry is None else entry()
            if holder is None or not holder.over.empty():
                holder = None if self._next is None else _living(self._next)
            if holder is None or holder is grip:
                self._holder = ref(grip)
                self._next = None
                self.turns += 1
                return None
            return holder

    def go_on(self) -> None:
        """Say that whoever has it gets on with long work, so that those who wait go on waiting."""
        self.turns += 1

    def is_with(self, grip: Grip) -> bool:
        """Whether this grip has it."""
        return self._holder is not None and self._holder() is grip

    def _wait(self, grip: Grip, timeout_s: float) -> bool:
        # One at a time waits for who holds it; the others wait in line, so that not all are woken for one to get it.
        with _mutex:
            if self._line is None:
                self._line = threading.RLock()
            line = self._line
        deadline = _Deadline(self, timeout_s)
        try:
            while not line.acquire(timeout=_LOOK_AGAIN_S):
                if deadline.is_over():
                    return False
            patient_until = time.monotonic() + _PATIENCE_S
            while not self.try_take(grip):
                if deadline.is_over():
                    return False
                if time.monotonic() > patient_until:
                    # Whoever gives it back and comes again at once would have it for ever.
                    self._next = ref(grip)
                self._wait_for_holder()
            return True
        finally:
            if _living(self._next) is grip:
                # It has given up, and comes next no more.
                self._next = None
            with suppress(RuntimeError):  # it was never had
                line.release()

    def _wait_for_holder(self) -> None:
        if (holder := _living(self._holder)) is not None:
            over = holder.over
            # Kept by nobody, it is gone if its block is.
            del holder
            _is_over(over, _LOOK_AGAIN_S)


def _living(entry: ReferenceType[Grip] | None) -> Grip | None:
    grip = None if entry is None else entry()
    return grip if grip is not None and grip.over.empty() else None


def _is_over(over: SimpleQueue[None], timeout_s: float) -> bool:
    """Whether a grip is over within this time."""
    try:
        over.get(timeout=timeout_s)
    except Empty:
        return False
    over.put(None)
    return True


class _Deadline:
    """The time until which a lock may stay with whoever has it; begins again whenever it changes hands."""

    def __init__(self, lock: Lock, timeout_s: float) -> None:
        self._lock = lock
        self._timeout_s = timeout_s
        self._turns = lock.turns
        self._ends = time.monotonic() + timeout_s

    def is_over(self) -> bool:
        if self._lock.turns != self._turns:
            self._turns = self._lock.turns
            self._ends = time.monotonic() + self._timeout_s
        return time.monotonic() > self._ends


class Held:
    """A ``with`` block that holds a lock; for blocks of which nothing bad comes if an interrupt delays their end.

    Args:
        lock: what to grip.
    """

    __slots__ = ("_hold", "_lock")

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._hold = Grip()

    def __enter__(self) -> None:
        try:
            self._lock.take(self._hold)
        except BaseException:
            self._hold.over.put(None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hold.over.put(None)
