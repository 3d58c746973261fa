"""Group commit: callers in many threads share one transaction, and with it one wait for the disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

from eventsourcing.persistence import (
    AggregateRecorder,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)

from ...domain import JournalLocked, JournalUnavailable, NestedCommand
from ...domain.condition import Condition, Unchanged
from ...projections import Grip, Locks
from .recording import Outcome, PositionedRecorder

MAX_EVENTS: Final = 1_000
"""How many events one transaction takes; more wait for the next."""


MAX_ANSWER_S: Final = 60.0
"""How long an append that is being written is waited for at most, beyond which the storage counts as lost."""

_LOOK_AGAIN_S: Final = 0.05
"""How often those who wait look by themselves, for what an interrupted thread did not tell them."""

MAX_GATHER_S: Final = 0.05
"""How long whoever writes waits at most for others to queue up, however slow the disk is."""


class Request:
    """What one caller wants appended, and what became of it."""

    __slots__ = ("_outcome", "_start", "conditions", "error", "events", "woken")

    def __init__(self, events: Sequence[StoredEvent], conditions: Sequence[Condition] = ()) -> None:
        self.events = events
        self.conditions = conditions
        self.error: BaseException | None = None
        self.woken: SimpleQueue[None] | None = None
        self._outcome: Outcome | None = None
        self._start = 0

    def share(self, outcome: Outcome, start: int) -> None:
        """Be answered by what becomes of a transaction, from one of its events on."""
        self._outcome = outcome
        self._start = start

    @property
    def is_answered(self) -> bool:
        """Whether it is known what became of it."""
        return self.error is not None or (self._outcome is not None and self._outcome.positions is not None)

    @property
    def positions(self) -> Sequence[int] | None:
        """Where its events were recorded; None if they were not, or the recorder does not say."""
        positions = None if self._outcome is None else self._outcome.positions
        return positions[self._start : self._start + len(self.events)] if positions else None

    def result(self) -> Sequence[int] | None:
        """Its positions, or its error raised."""
        if self.error is not None:
            raise self.error
        return self.positions

    def wake(self) -> None:
        """Have its caller look."""
        if self.woken is not None:
            self.woken.put(None)


def write_together(recorder: AggregateRecorder, batch: Sequence[Request]) -> None:
    """Append what several callers want in one transaction; each request learns what became of it.

    One that depends on a stream that another one appends to waits for another transaction: what is appended there
    would be in its way.
    """
    if len(batch) > 1 and any(request.conditions for request in batch):
        first, rest = _independent(batch)
        if rest:
            write_together(recorder, first)
            write_together(recorder, rest)
            return
    events = batch[0].events if len(batch) == 1 else [event for request in batch for event in request.events]
    outcome = Outcome()
    start = 0
    for request in batch:
        request.share(outcome, start)
        start += len(request.events)
    if not events:
        outcome.positions = []
        return
    conditions = [condition for request in batch for condition in request.conditions]
    stated: dict[str, Any] = {"conditions": conditions} if conditions else {}
    if getattr(recorder, "is_certain", False):
        stated["outcome"] = outcome
    try:
        # One assignment answers all of them.
        outcome.positions = recorder.insert_events(events, **stated) or []
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


def _independent(batch: Sequence[Request]) -> tuple[list[Request], list[Request]]:
    """The requests that can share a transaction, whose conditions are looked at before it appends; and the rest."""
    first: list[Request] = []
    rest: list[Request] = []
    watched: set[Any] = set()
    appended: set[Any] = set()
    for request in batch:
        streams = {event.originator_id for event in request.events}
        needed = {condition.stream for condition in request.conditions if isinstance(condition, Unchanged)}
        # A condition on all streams stands alone.
        is_alone = len(needed) < len(request.conditions)
        if first and (is_alone or not needed.isdisjoint(appended) or not streams.isdisjoint(watched)):
            rest.append(request)
            continue
        first.append(request)
        if is_alone:
            rest += batch[len(first) + len(rest) :]
            break
        watched |= needed
        appended |= streams
    return first, rest


class GroupCommit:
    """Appends through a recorder, together with whoever else is waiting.

    A caller that finds nobody writing writes at once. Those who come meanwhile queue up; when the writer is done, the
    first of them writes for all. No caller returns before its events are committed.

    Whoever writes may be interrupted at any moment, and may then leave undone what it should do for others: those who
    wait look by themselves from time to time, and whoever writes next first sees to what was left.

    Callers that were answered together most often come back together. So whoever is to write next gives as many as
    shared the last transaction the time to queue up, and no more time than that transaction took. A caller that was
    alone waits for nobody.

    Args:
        recorder: any recorder of the ``eventsourcing`` library.
        locks: how long to wait for those who write.
        max_events: how many events one transaction takes.
    """

    def __init__(
        self, recorder: AggregateRecorder, locks: Locks | None = None, *, max_events: int = MAX_EVENTS
    ) -> None:
        self._recorder = recorder
        self._locks = locks or Locks("the database")
        self._max_events = max_events
        self._leading = self._locks.new()
        self._queue: deque[Request] = deque()
        self._writing: Sequence[Request] = ()
        # A signal handler may come here while its thread is here.
        self._mutex = threading.RLock()
        self._last_callers = 1
        self._last_took_s = 0.0
        # How long the queue must be for a writer that gives others time.
        self._awaited = 0
        self._gathered: SimpleQueue[None] = SimpleQueue()

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
            JournalLocked: whoever writes took too long; nothing was appended.
            JournalUnavailable: whoever writes took too long, and it is not known what it appended.
            NestedCommand: this thread is writing already.
        """
        request = Request(stored_events, conditions)
        grip = Grip()
        try:
            self._queue.append(request)
            if len(self._queue) == self._awaited:
                self._gathered.put(None)
            leads = self._leading.try_take(grip) or self._must_lead(request, grip)
            while leads and not request.is_answered:
                self._write()
        except BaseException:
            # Interrupted, most likely while it waited. What is still queued is withdrawn.
            self._withdraw(request)
            raise
        finally:
            grip.over.put(None)
        if leads and self._queue:
            with suppress(IndexError):
                self._queue[0].wake()
        return request.result()

    def insert_decided(self, decide: Callable[[], Sequence[StoredEvent]]) -> Sequence[int] | None:
        """Decide, and append what is decided, while nobody else can append, here or in another process.

        Args:
            decide: called then, in this thread; returns the events to append.

        Raises:
            JournalLocked: whoever writes took too long.
            OperationalError: the storage failed; nothing was appended.
        """
        grip = Grip()
        try:
            self._leading.take(grip)
            self._see_to_what_was_left()
            return self._recorder.insert_events((), decide=decide)
        finally:
            grip.over.put(None)
            with suppress(IndexError):
                self._queue[0].wake()

    def _must_lead(self, request: Request, grip: Grip) -> bool:
        """Wait until the request is answered, or nobody is left to write it but its caller."""
        request.woken = SimpleQueue()
        turns, since = self._leading.turns, time.monotonic()
        while not request.is_answered:
            if self._leading.try_take(grip):
                return True
            with suppress(Empty):
                request.woken.get(timeout=_LOOK_AGAIN_S)
            if turns != self._leading.turns:
                turns, since = self._leading.turns, time.monotonic()
            self._require_in_time(request, time.monotonic() - since)
        return False

    def _require_in_time(self, request: Request, waited_s: float) -> None:
        if waited_s > self._locks.timeout_s and self._withdraw(request):
            raise self._locks.locked()
        if waited_s > self._locks.timeout_s + MAX_ANSWER_S and not request.is_answered:
            problem = "it does not answer, and it is not known whether the command was appended; read again"
            raise JournalUnavailable(self._locks.place, problem)

    def _write(self) -> None:
        """Write for this caller and for those who wait."""
        self._see_to_what_was_left()
        if self._last_callers > 1:
            self._gather()
        batch: list[Request] = []
        self._writing = batch
        started = time.monotonic()
        try:
            self._take(batch)
            # Who fails does not make the next one wait for those who shared the failure.
            self._last_callers = 1
            started = time.monotonic()
            write_together(self._recorder, batch)
            if any(request.error is None for request in batch):
                self._last_callers = len(batch)
        finally:
            self._last_took_s = time.monotonic() - started
            self._see_to_what_was_left()

    def _take(self, batch: list[Request]) -> None:
        """Take from the queue what fits in one transaction."""
        size = 0
        with self._mutex:
            while self._queue:
                request = self._queue[0]
                size += len(request.events)
                if batch and size > self._max_events:
                    return
                # In this order: one that is in both is not lost.
                batch.append(request)
                self._queue.popleft()

    def _withdraw(self, request: Request) -> bool:
        """Take a request from the queue; return whether it was there still."""
        with self._mutex:
            if request in self._writing or request not in self._queue:
                return False
            self._queue.remove(request)
            return True

    def _see_to_what_was_left(self) -> None:
        """Tell those whose events were written, and queue again, or give up, those of whom that is not known."""
        for request in reversed(self._writing):
            if not request.is_answered:
                if getattr(self._recorder, "is_certain", False):
                    with self._mutex:
                        if request not in self._queue:
                            self._queue.appendleft(request)
                else:
                    request.error = OperationalError(
                        "the thread that was writing was interrupted, and it is not known whether it had written; "
                        "read again, and decide again"
                    )
            request.wake()
        self._writing = ()

    def _gather(self) -> None:
        """Give those who shared the last transaction the time to queue up."""
        if len(self._queue) >= self._last_callers:
            return
        gathered: SimpleQueue[None] = SimpleQueue()
        self._gathered = gathered
        self._awaited = self._last_callers
        try:
            # The last of them may have come before that was set.
            if len(self._queue) < self._last_callers:
                with suppress(Empty):
                    gathered.get(timeout=min(self._last_took_s, MAX_GATHER_S))
        finally:
            self._awaited = 0


class Together:
    """Group commit for an application of the library, whose recorder is used from many threads.

    Args:
        recorder: what is appended through.
        place: what the database is called in errors.
    """

    def __init__(self, recorder: PositionedRecorder, place: str) -> None:
        self._group = GroupCommit(_Alone(recorder), Locks(place))

    def insert_events(self, stored_events: Sequence[StoredEvent]) -> Sequence[int] | None:
        """Append events, in one transaction with those of other threads that come at the same time.

        Raises:
            IntegrityError: another event stands where one of these was to stand.
            OperationalError: the storage failed, or whoever writes took too long.
            ProgrammingError: this thread is writing already.
        """
        try:
            return self._group.insert_events(stored_events)
        except NestedCommand as error:
            raise ProgrammingError(str(error)) from error
        except (JournalLocked, JournalUnavailable) as error:
            raise OperationalError(str(error)) from error


class _Alone(AggregateRecorder):
    """A recorder's appends, each in the transaction of whoever writes."""

    def __init__(self, recorder: PositionedRecorder) -> None:
        self._recorder = recorder
        self.is_certain = recorder.is_certain

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        return self._recorder.insert_now(stored_events, **kwargs)

    def select_events(self, *args: Any, **kwargs: Any) -> Sequence[StoredEvent]:
        return self._recorder.select_events(*args, **kwargs)
