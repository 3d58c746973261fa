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
from typing import Final, NamedTuple, TypeAlias

from ...domain import MissingTaskBinding, SessionBindingMismatch, TaskAlreadyBound
from ...domain.identifiers import identifier
from .context import Worker, current_worker

ReadIncarnation: TypeAlias = Callable[[str], int | None]
"""Reads which incarnation of a session is open; None if none is."""


_LEAST_SWEPT: Final = 64
"""How many bindings there are before those of tasks and threads that have ended are looked for."""


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


class Running(NamedTuple):
    """What runs somewhere.

    Attributes:
        session_id: the session.
        incarnation: the incarnation; None while it is just being started.
    """

    session_id: str
    incarnation: int | None


class Bindings:
    """The bindings of one journal.

    What reads the journal takes long, or is interrupted. It only drops what is stale, and is done apart from the rest.
    """

    def __init__(self) -> None:
        self._running: dict[Binding, Running] = {}
        self._places: dict[str, dict[Binding, None]] = {}
        self._swept_at = _LEAST_SWEPT
        # A signal handler may come here while its thread is here.
        self._lock = threading.RLock()

    def bind(self, binding: Binding, session_id: str, incarnation: int) -> None:
        """Bind a session that is open.

        Raises:
            TaskAlreadyBound: it runs a session, or another one runs this session.
        """
        with self._lock:
            self._require_free(binding)
            for other in self._bound_to(session_id):
                raise TaskAlreadyBound(session_id, str(other))
            self._put(binding, Running(session_id, incarnation))

    def bind_starting(self, binding: Binding, session_id: str) -> bool:
        """Bind a session that is just being started. If it is open already, it is the command that is refused.

        Returns:
            Whether it was not bound here before.

        Raises:
            TaskAlreadyBound: another session is bound here.
        """
        with self._lock:
            if self.of(binding) == session_id:
                # The command may be given again, under its idempotency key.
                return False
            self._require_free(binding)
            self._put(binding, Running(session_id, None))
            return True

    def move(self, binding: Binding, session_id: str, incarnation: int) -> None:
        """Bind a session here instead of wherever it is bound.

        Raises:
            TaskAlreadyBound: another session is bound here.
        """
        with self._lock:
            if self.of(binding) != session_id:
                self._require_free(binding)
            for other in self._bound_to(session_id):
                self._drop(other)
            self._put(binding, Running(session_id, incarnation))

    def started(self, binding: Binding, incarnation: int | None) -> None:
        """Say that the session that is bound here is open now, or no more already. Elsewhere it runs no more."""
        with self._lock:
            running = self._drop(binding)
            if running is None or incarnation is None:
                return
            for other in self._bound_to(running.session_id):
                if (self._running[other].incarnation or incarnation + 1) <= incarnation:
                    self._drop(other)
            self._put(binding, Running(running.session_id, incarnation))

    def unbind(self, binding: Binding, session_id: str) -> None:
        """Have a session bound here no more, if it is."""
        with self._lock:
            if self.of(binding) == session_id:
                self._drop(binding)

    def require(self, binding: Binding, session_id: str) -> None:
        """Make sure that a session is bound here (aura 2.16).

        Raises:
            MissingTaskBinding: no session is.
            SessionBindingMismatch: another is.
        """
        running = self.of(binding)
        if running is None:
            raise MissingTaskBinding(str(binding))
        if running != session_id:
            raise SessionBindingMismatch(session_id, running, str(binding))

    def of(self, binding: Binding) -> str | None:
        """The session that is bound here, or None; after ``drop_stale`` it is open."""
        running = self._running.get(binding)
        return None if running is None else running.session_id

    def is_bound(self, session_id: str) -> bool:
        """Whether a session is bound somewhere."""
        with self._lock:
            return bool(self._bound_to(session_id))

    def drop_stale(self, binding: Binding | None, session_id: str | None, read: ReadIncarnation) -> None:
        """Drop what is bound to a task or thread that has ended, or to an incarnation that is over.

        Args:
            binding: what is bound here; None for nothing.
            session_id: wherever this session is bound; None for nowhere.
            read: reads which incarnation of a session is open.
        """
        with self._lock:
            asked = [*self._bound_to(session_id), binding]
            found = [(each, self._running[each]) for each in asked if each is not None and each in self._running]
        for each, running in found:
            if each.is_over or (running.incarnation is not None and read(running.session_id) != running.incarnation):
                with self._lock:
                    # Something else may be bound meanwhile.
                    if self._running.get(each) is running:
                        self._drop(each)

    def _require_free(self, binding: Binding) -> None:
        if (running := self.of(binding)) is not None:
            raise TaskAlreadyBound(running, str(binding))

    def _bound_to(self, session_id: str | None) -> list[Binding]:
        return [] if session_id is None else list(self._places.get(session_id, ()))

    def _put(self, binding: Binding, running: Running) -> None:
        self._drop(binding)
        self._running[binding] = running
        self._places.setdefault(running.session_id, {})[binding] = None
        if len(self._running) > self._swept_at:
            # Tasks that have ended ask for nothing any more.
            for each in [other for other in self._running if other.is_over]:
                self._drop(each)
            self._swept_at = max(_LEAST_SWEPT, 2 * len(self._running))

    def _drop(self, binding: Binding) -> Running | None:
        running = self._running.pop(binding, None)
        if running is not None:
            places = self._places[running.session_id]
            del places[binding]
            if not places:
                del self._places[running.session_id]
        return running
