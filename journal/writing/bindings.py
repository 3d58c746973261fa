"""Which task or thread runs which session: in this process, and for as long as both last (aura 1.2, 2.1).

A binding is no event. It is keyed by the running task, or by the thread where no task runs, or by a name for hosts with
schedulers of their own. Tasks and threads that are begun in it do not inherit it.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ...domain import MissingTaskBinding, SessionBindingMismatch, TaskAlreadyBound
from ...domain.identifiers import identifier
from .context import Worker, current_worker

IsOpen: TypeAlias = Callable[[str], bool]
"""Reads whether a session is open."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a session can be bound to.

    Attributes:
        worker: a task or thread; None for a name.
        name: what it is called.
    """

    worker: weakref.ref[Worker] | None
    name: str

    @classmethod
    def here(cls, name: str | None) -> Binding:
        """The binding of this name; without one, that of the task or thread that asks.

        Raises:
            InvalidIdentifier: it may not serve as a name.
        """
        if name is not None:
            return cls(None, identifier("binding", name))
        return cls(weakref.ref(current_worker()), "")

    @property
    def is_over(self) -> bool:
        """Whether its task or thread has ended."""
        if self.worker is None:
            return False
        worker = self.worker()
        if worker is None:
            return True
        return worker.done() if isinstance(worker, asyncio.Task) else not worker.is_alive()

    def __str__(self) -> str:
        if self.worker is None:
            return f"binding {self.name!r}"
        worker = self.worker()
        if worker is None:
            return "a task or thread that has ended"
        return f"task {worker.get_name()!r}" if isinstance(worker, asyncio.Task) else f"thread {worker.name!r}"


class Bindings:
    """The bindings of one journal."""

    def __init__(self) -> None:
        self._sessions: dict[Binding, str] = {}
        # Bound to a session that is just being started, so that it is not open yet.
        self._starting: set[Binding] = set()
        # A signal handler may come here while its thread is here.
        self._lock = threading.RLock()

    def of(self, binding: Binding) -> str | None:
        """The session that is bound here, open or not."""
        return self._sessions.get(binding)

    def bind(self, binding: Binding, session_id: str, is_open: IsOpen, *, is_starting: bool = False) -> None:
        """Bind a session. A binding of a session that is over, or of a task or thread that has ended, is dropped.

        Args:
            binding: to what.
            session_id: the session.
            is_open: reads whether a session is open.
            is_starting: whether it is just being started.

        Raises:
            TaskAlreadyBound: it runs a session, or another one runs this session.
        """
        self._drop_stale(binding, is_open)
        for other in self._running(session_id):
            self._drop_stale(other, is_open)
        with self._lock:
            if (running := self._sessions.get(binding)) is not None:
                raise TaskAlreadyBound(running, str(binding))
            if is_starting:
                # One that is open already is refused by the command.
                self._starting.add(binding)
            else:
                for other in self._running(session_id):
                    raise TaskAlreadyBound(session_id, str(other))
            self._sessions[binding] = session_id

    def move(self, binding: Binding, session_id: str, is_open: IsOpen) -> None:
        """Bind a session here instead of wherever it is bound.

        Raises:
            TaskAlreadyBound: another session is bound here.
        """
        self._drop_stale(binding, is_open)
        with self._lock:
            running = self._sessions.get(binding)
            if running not in (None, session_id):
                raise TaskAlreadyBound(str(running), str(binding))
            self.drop_session(session_id)
            self._sessions[binding] = session_id

    def started(self, binding: Binding) -> None:
        """Say that the session that is bound here is open now; wherever else it was bound, it is no more."""
        with self._lock:
            self._starting.discard(binding)
            for other in self._running(self._sessions.get(binding, "")):
                if other != binding:
                    self._drop(other)

    def unbind(self, binding: Binding, session_id: str) -> None:
        """Have a session bound here no more, if it is."""
        with self._lock:
            if self._sessions.get(binding) == session_id:
                self._drop(binding)

    def drop_session(self, session_id: str) -> None:
        """Have a session bound nowhere."""
        with self._lock:
            for binding in self._running(session_id):
                self._drop(binding)

    def require(self, binding: Binding, session_id: str) -> None:
        """Make sure that a session is bound here (aura 2.16).

        Raises:
            MissingTaskBinding: no session is.
            SessionBindingMismatch: another is.
        """
        running = self._sessions.get(binding)
        if running is None:
            raise MissingTaskBinding(str(binding))
        if running != session_id:
            raise SessionBindingMismatch(session_id, running, str(binding))

    def current(self, binding: Binding, is_open: IsOpen) -> str | None:
        """The open session that is bound here, or None."""
        self._drop_stale(binding, is_open)
        return self._sessions.get(binding)

    def _drop_stale(self, binding: Binding, is_open: IsOpen) -> None:
        running = self._sessions.get(binding)
        if running is None or (binding in self._starting and not binding.is_over):
            return
        # Read outside the lock: it may take long.
        if binding.is_over or not is_open(running):
            self.unbind(binding, running)

    def _running(self, session_id: str) -> list[Binding]:
        with self._lock:
            return [binding for binding, running in self._sessions.items() if running == session_id]

    def _drop(self, binding: Binding) -> None:
        self._sessions.pop(binding, None)
        self._starting.discard(binding)
