"""What a child made by ``fork`` may do: open journals of its own where that is safe, and nothing with inherited ones.

SQLite and PostgreSQL's client library cannot be used across a fork. A connection belongs to the process that opened it:
the child would drop the parent's locks, or speak on its socket. And a lock inside the library, held by another thread
at that moment, is held in the child for ever; no call of the library can tell, so none may be made. SQLite also
remembers in memory which locks its process has on a file, and a child that inherits that memory has none of them.

So every block in which a thread is inside a library says so (``Inside``). A fork waits for a moment until all of them
have ended, keeps others from beginning, and closes the connections that nobody uses; they are opened again when they
are needed. The child looks at the copy of the same list: if nobody was inside, it inherited nothing, and may open
journals.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self
from weakref import ReferenceType, WeakSet, ref

from ...domain import JournalForked

DRAIN_S: Final = 0.5
"""How long a fork waits for threads to leave the libraries; a commit is over by then, a backup may not be."""

_inside: set[ReferenceType[Inside]] = set()
_forking: set[int] = set()
_is_over = threading.Event()
_engines: WeakSet[Inherited] = WeakSet()
_kept: list[object] = []
_is_closed_here = False


class Inside:
    """A block in which a thread may be inside a database's library.

    A subclass that has slots has these too: ``thread``, ``_entry`` and ``__weakref__``.
    """

    __slots__ = ()
    thread: int
    _entry: ReferenceType[Inside]

    def enter(self) -> None:
        """Say so; wait for a fork that is under way."""
        self.thread = threading.get_ident()  # type: ignore[misc]  # the slot is a subclass's
        # One that is forgotten leaves by itself, so that an interrupt cannot leave it here for ever.
        self._entry = ref(self, _inside.discard)  # type: ignore[misc]
        _inside.add(self._entry)
        if _forking:
            self._wait()

    def leave(self) -> None:
        """Say that it is over."""
        # An interrupt may have come before there was one.
        if (entry := getattr(self, "_entry", None)) is not None:
            _inside.discard(entry)

    def _wait(self) -> None:
        # Who is inside already has to go on, or the fork would wait for those who wait for it.
        if self.thread in _forking or any(each is not self for each in who_is_inside(self.thread)):
            return
        deadline = time.monotonic() + 2 * DRAIN_S
        while _forking and time.monotonic() < deadline:
            _inside.discard(self._entry)
            _is_over.wait(DRAIN_S)
            _inside.add(self._entry)


class InsideBlock(Inside):
    """A ``with`` block in which a thread may be inside a database's library."""

    __slots__ = ("__weakref__", "_entry", "thread")

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()


class Inherited(ABC):
    """What has connections that a fork must not carry into the child."""

    def watch_forks(self) -> None:
        """Have it told of forks from now on."""
        _engines.add(self)

    @abstractmethod
    def let_go(self) -> None:
        """Close, before a fork, the connections that nobody uses; they are opened again when they are needed."""

    @abstractmethod
    def abandon(self, keep: Callable[[Any], None]) -> None:
        """Leave alone, in the child, what was inherited.

        Args:
            keep: keeps an object from ever being destroyed, also when the interpreter ends.
        """


def require_usable(place: str) -> None:
    """Refuse to open a journal in a process whose libraries cannot be used.

    Args:
        place: what the journal is called in the error.

    Raises:
        JournalForked
    """
    if _is_closed_here:
        raise JournalForked(place, is_closed_here=True)


def who_is_inside(thread: int | None = None) -> list[Inside]:
    """The blocks that have not ended: all, or those of one thread."""
    found = (entry() for entry in tuple(_inside))
    return [each for each in found if each is not None and thread in (None, each.thread)]


def _before() -> None:
    if not _engines and not _inside:
        return
    here = threading.get_ident()
    _is_over.clear()
    _forking.add(here)
    deadline = time.monotonic() + DRAIN_S
    while (inside := who_is_inside()) and time.monotonic() < deadline:
        if any(each.thread == here for each in inside):
            break
        time.sleep(0.001)
    if not who_is_inside():
        for engine in tuple(_engines):
            with suppress(Exception):
                engine.let_go()
    with suppress(ImportError):
        import ctypes  # noqa: F401  # so that the child need not


def _after_in_parent() -> None:
    _forking.discard(threading.get_ident())
    if not _forking:
        _is_over.set()


def _after_in_child() -> None:
    global _is_closed_here, _is_over
    _is_closed_here = _is_closed_here or bool(who_is_inside())
    _is_over = threading.Event()
    _forking.clear()
    for engine in tuple(_engines):
        engine.abandon(_keep_for_ever)
    _inside.clear()


def _keep_for_ever(thing: object) -> None:
    """Keep an object from being destroyed: not by a collection, and not when the interpreter ends and forgets all."""
    _kept.append(thing)
    try:
        import ctypes
    except ImportError:  # an interpreter without it destroys at its end what is left
        return
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
