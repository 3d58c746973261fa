"""Group commit: callers in many threads share one transaction, and with it one wait for the disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from eventsourcing.persistence import AggregateRecorder, IntegrityError, OperationalError, StoredEvent

from .recording import Condition

MAX_EVENTS: Final = 1_000
"""How many events one transaction takes; more wait for the next."""


MAX_GATHER_S: Final = 0.05
"""How long whoever writes waits at most for others to queue up, however slow the disk is."""


class Request:
    """What one caller wants appended, and what became of it."""

    __slots__ = ("conditions", "error", "events", "positions")

    def __init__(self, events: Sequence[StoredEvent], conditions: Sequence[Condition] = ()) -> None:
        self.events = events
        self.conditions = conditions
        self.positions: Sequence[int] | None = None
        self.error: BaseException | None = None


class _Waiting(Request):
    """A request whose caller waits for it, or writes for itself and others."""

    __slots__ = ("answered", "leads")

    def __init__(self, events: Sequence[StoredEvent], conditions: Sequence[Condition]) -> None:
        super().__init__(events, conditions)
        self.leads = False
        # Released once, when the request is answered or its caller is to lead. A bare lock is the cheapest to wait on.
        self.answered = threading.Lock()
        self.answered.acquire()

    def result(self) -> Sequence[int] | None:
        if self.error is not None:
            raise self.error
        return self.positions


def write_together(recorder: AggregateRecorder, batch: Sequence[Request]) -> None:
    """Append what several callers want in one transaction; each request learns what became of it.

    One that stands on other streams has a transaction of its own, since what others append there would be in its way.
    """
    if len(batch) > 1 and any(request.conditions for request in batch):
        write_together(recorder, [request for request in batch if not request.conditions])
        for request in batch:
            if request.conditions:
                write_together(recorder, [request])
        return
    events = [event for request in batch for event in request.events]
    if not events:
        return
    try:
        stated = {"conditions": batch[0].conditions} if batch[0].conditions else {}
        positions = recorder.insert_events(events, **stated)
    except IntegrityError as conflict:
        # One caller's conflict undid the transaction for all; the halves tell whose it was.
        if len(batch) == 1:
            batch[0].error = conflict
            return
        middle = len(batch) // 2
        write_together(recorder, batch[:middle])
        write_together(recorder, batch[middle:])
    except Exception as error:
        for request in batch:
            request.error = error
    else:
        start = 0
        for request in batch:
            end = start + len(request.events)
            request.positions = None if positions is None else positions[start:end]
            start = end


class GroupCommit:
    """Appends through a recorder, together with whoever else is waiting.

    A caller that finds nobody writing writes at once. Those who come meanwhile queue up; when the writer is done, the
    first of them writes for all. Nobody is told that its events are recorded before the transaction is committed.

    Callers that were answered together most often come back together. So whoever is to write next gives as many as
    shared the last transaction the time to queue up, and no more time than that transaction took. A caller that was
    alone waits for nobody.

    Args:
        recorder: any recorder of the ``eventsourcing`` library.
        max_events: how many events one transaction takes.
    """

    def __init__(self, recorder: AggregateRecorder, *, max_events: int = MAX_EVENTS) -> None:
        self._recorder = recorder
        self._max_events = max_events
        self._mutex = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._is_busy = False
        self._last_callers = 1
        self._last_took_s = 0.0
        # How long the queue must be for a writer that gives others time; released when it is.
        self._awaited = 0
        self._gathered = threading.Lock()
        self._gathered.acquire()

    def insert_events(
        self, stored_events: Sequence[StoredEvent], conditions: Sequence[Condition] = ()
    ) -> Sequence[int] | None:
        """Append events, all of them or none.

        Args:
            stored_events: what to append.
            conditions: what must still hold when they are appended.

        Returns:
            What the recorder returns: their positions.

        Raises:
            IntegrityError: another event stands where one of these was to stand, or a condition does not hold.
                Others in the transaction are not affected.
            OperationalError: the storage failed; nothing was appended.
        """
        request = _Waiting(stored_events, conditions)
        try:
            with self._mutex:
                if self._is_busy:
                    self._queue.append(request)
                    if len(self._queue) == self._awaited:
                        self._awaited = 0
                        self._gathered.release()
                else:
                    # In this order: who is interrupted in between still gives the lead on.
                    request.leads = True
                    self._is_busy = True
            if not request.leads:
                request.answered.acquire()
            if request.leads:
                self._lead(request)
        except BaseException:
            # Interrupted, most likely while it waited. What is still queued is withdrawn.
            with self._mutex, suppress(ValueError):
                self._queue.remove(request)
            raise
        finally:
            if request.leads:
                self._pass_on()
        return request.result()

    def _lead(self, request: _Waiting) -> None:
        """Write for this caller and for those who wait."""
        if self._last_callers > 1:
            self._gather()
        batch = [request]
        with self._mutex:
            size = len(request.events)
            while self._queue and size + len(self._queue[0].events) <= self._max_events:
                size += len(self._queue[0].events)
                batch.append(self._queue.popleft())
        started = time.monotonic()
        # Who fails does not make the next one wait for those who shared the failure.
        self._last_callers = 1
        try:
            write_together(self._recorder, batch)
            if any(each.error is None for each in batch):
                self._last_callers = len(batch)
        except BaseException as interruption:
            for other in (each for each in batch[1:] if each.positions is None):
                other.error = OperationalError(
                    "the thread that was writing was interrupted; read again, and decide anew"
                )
            request.error = interruption
        finally:
            self._last_took_s = time.monotonic() - started
            for other in batch[1:]:
                other.answered.release()

    def _gather(self) -> None:
        """Give those who shared the last transaction the time to queue up."""
        with self._mutex:
            if len(self._queue) >= self._last_callers - 1:
                return
            self._awaited = self._last_callers - 1
        try:
            self._gathered.acquire(timeout=min(self._last_took_s, MAX_GATHER_S))
        finally:
            with self._mutex:
                self._awaited = 0
                # The last of them may have come at the very moment of giving up.
                self._gathered.acquire(blocking=False)

    def _pass_on(self) -> None:
        """Let the next caller lead, if one waits."""
        with self._mutex:
            if not self._queue:
                self._is_busy = False
                return
            successor = self._queue.popleft()
            successor.leads = True
        successor.answered.release()
