"""The write path: decide a command on the state of a stream, append what it comes to, move the state forward.

It is written once, as steps that say what has to be read or appended next. A driver does that: the one here in the
caller's thread, the one of ``AsyncJournal`` without blocking its event loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent

from ..domain import (
    UNRECORDED,
    Accepted,
    CommandRefused,
    ConcurrencyConflict,
    Decision,
    IdempotencyConflict,
    InvalidArgument,
    JournalUnavailable,
    ProjectionStopped,
    RecordedEvent,
    Refused,
)
from ..projections import IdempotencyProjection, IdempotencyView
from .context import Context, ContextHolder, command_digest
from .group_commit import GroupCommit
from .storage import JournalApplication
from .streams import Stream, StreamCache

ResultT = TypeVar("ResultT")
Clock = Callable[[], int]

_END_OF_TIME_MS: Final = 253_402_300_800_000
"""The end of the year 9999."""

MAX_ATTEMPTS: Final = 20
"""How often a command is decided anew after losing a race, before ``ConcurrencyConflict``."""


@dataclass(slots=True)
class Read:
    """A step that reads from the disk; the answer is what the function returns."""

    function: Callable[[], Any]


@dataclass(slots=True)
class Append:
    """A step that appends events, all or none; ``IntegrityError`` if another writer was faster."""

    events: Sequence[StoredEvent]


Steps: TypeAlias = Generator[Read | Append, Any, ResultT]


class Planner:
    """Plans how a command is carried out on a stream, without doing any of it.

    Args:
        application: where events are stored.
        clock: tells the time, UTC, in ms since 1970.
        place: what the journal is called in errors.
        context: the metadata that commands are given under.
        idempotency_keys: the keys that were used.
    """

    def __init__(
        self,
        application: JournalApplication,
        place: str,
        clock: Clock,
        context: ContextHolder,
        idempotency_keys: IdempotencyView,
    ) -> None:
        self._application = application
        self._place = place
        self._clock = clock
        self._context = context
        self._idempotency_keys = idempotency_keys

    def steps(
        self, stream: Stream[Any], command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]
    ) -> Steps[ResultT]:
        """Say step by step what has to be read and appended; nobody else may touch the stream meanwhile.

        Returns:
            What the command answers.

        Raises:
            CommandRefused, IdempotencyConflict, ConcurrencyConflict
        """
        context = self._context.current
        digest = None
        if context.idempotency_key is not None:
            name = getattr(command, "func", command).__name__
            digest = command_digest(f"{stream.name.partition('-')[0]}.{name}", (stream.name, *arguments))
        for _ in range(MAX_ATTEMPTS):
            if digest is not None:
                yield Read(partial(self.refresh, stream))
                first = yield Read(partial(self._first_use, context, digest))
                if first is not None:
                    return first.event.outcome  # type: ignore[no-any-return]
            decision = _accepted(stream, command, arguments)
            if decision is None:
                # A stale acceptance fails when it is appended. Anything else is only believed of the newest state.
                yield Read(partial(self.refresh, stream))
                decision = command(stream.state, *arguments)
            if decision.events:
                records = self._records(stream, decision, context, digest)
                try:
                    yield Append([self._application.mapper.to_stored_event(record) for record in records])
                except IntegrityError:
                    yield Read(partial(self.refresh, stream))
                    continue
                except OperationalError as error:
                    raise JournalUnavailable(self._place, str(error)) from error
                stream.advance(records)
            if isinstance(decision, Refused):
                raise decision.error
            return decision.result
        raise ConcurrencyConflict(stream.name, MAX_ATTEMPTS)

    def refresh(self, stream: Stream[Any]) -> None:
        """Read what the stream does not know yet."""
        stored = self._application.recorder.select_events(stream.name, gt=stream.version)
        stream.advance(map(self._application.mapper.to_domain_event, stored))

    def _records(
        self, stream: Stream[Any], decision: Decision[Any], context: Context, digest: str | None
    ) -> list[RecordedEvent]:
        now = max(self._now(), stream.recorded_at)
        about = context.metadata(now)
        name, version = stream.name, stream.version
        records = [
            RecordedEvent(UNRECORDED, name, version + offset, event, about)
            for offset, event in enumerate(decision.events, 1)
        ]
        if digest is not None and isinstance(decision, Accepted):
            # The key goes with the event that says what the command answered. A refused command does not use it up.
            records[-1] = records[-1]._replace(metadata=context.metadata(now, digest))
        return records

    def _now(self) -> int:
        now = self._clock()
        # A time that no row can hold, or no calendar show, would make the journal unreadable for good.
        if not isinstance(now, int) or not 0 <= now < _END_OF_TIME_MS:
            raise InvalidArgument("clock", f"must tell UTC ms since 1970 as an integer, not {now!r}")
        return now

    def _first_use(self, context: Context, digest: str) -> RecordedEvent | None:
        key = context.idempotency_key
        use = None if key is None else self._idempotency_keys.get(key)
        if key is None or use is None:
            return None
        if use.command != digest:
            raise IdempotencyConflict(key, f"{use.stream}@{use.version}")
        for stored in self._application.recorder.select_events(use.stream, gt=use.version - 1, lte=use.version):
            return self._application.mapper.to_domain_event(stored)
        problem = f"the event {use.stream}@{use.version} that it names is not there; verify the journal"
        raise ProjectionStopped(IdempotencyProjection.name, use.since, problem)


def _accepted(
    stream: Stream[Any], command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]
) -> Decision[ResultT] | None:
    """The decision on the state as it is known here, if it is for the command and appends something."""
    try:
        decision = command(stream.state, *arguments)
    except CommandRefused:
        return None
    return decision if isinstance(decision, Accepted) and decision.events else None


class Executor:
    """Carries commands out in the caller's thread; from as many threads as needed."""

    def __init__(self, planner: Planner, application: JournalApplication) -> None:
        self._planner = planner
        self._writer = GroupCommit(application.recorder)
        self._streams = StreamCache(threading.Lock)

    def execute(self, stream: str, command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]) -> ResultT:
        """Carry a command out; see ``Journal.execute``."""
        known = self._streams.get(stream)
        with known.lock:
            return self._drive(self._planner.steps(known, command, arguments))

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        """Look at a state that is brought up to date; see ``Journal.read_state``."""
        known = self._streams.get(stream)
        with known.lock:
            self._planner.refresh(known)
            return view(known.state)

    def _drive(self, steps: Steps[ResultT]) -> ResultT:
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._writer.insert_events(step.events) if isinstance(step, Append) else step.function()
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: ResultT = end.value
            return result
