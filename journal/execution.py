"""The write path: decide a command on the state of a stream, append what it comes to, move the state forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from eventsourcing.persistence import IntegrityError

from ..domain import (
    UNRECORDED,
    Accepted,
    CommandRefused,
    ConcurrencyConflict,
    Decision,
    IdempotencyConflict,
    RecordedEvent,
    Refused,
)
from ..projections import IdempotencyView
from .context import Context, ContextHolder, command_digest
from .group_commit import GroupCommit
from .storage import JournalApplication
from .streams import Stream, StreamCache

ResultT = TypeVar("ResultT")
Clock = Callable[[], int]

MAX_ATTEMPTS: Final = 20
"""How often a command is decided anew after losing a race, before ``ConcurrencyConflict``."""


class Executor:
    """Carries commands out on streams, from as many threads as needed.

    Args:
        application: where events are stored.
        clock: tells the time, UTC, in ms since 1970.
        context: the metadata that commands are given under.
        idempotency_keys: the keys that were used.
    """

    def __init__(
        self,
        application: JournalApplication,
        clock: Clock,
        context: ContextHolder,
        idempotency_keys: IdempotencyView,
    ) -> None:
        self._application = application
        self._clock = clock
        self._context = context
        self._idempotency_keys = idempotency_keys
        self._writer = GroupCommit(application.recorder)
        self._streams = StreamCache()

    def execute(self, stream: str, command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]) -> ResultT:
        """Carry a command out; see ``Journal.execute``."""
        context = self._context.current
        digest = None
        if context.idempotency_key is not None:
            name = getattr(command, "func", command).__name__
            digest = command_digest(f"{stream.partition('-')[0]}.{name}", (stream, *arguments))
        known = self._streams.get(stream)
        with known.lock:
            for _ in range(MAX_ATTEMPTS):
                if digest is not None:
                    self._refresh(known)
                    first = self._first_use(context, digest)
                    if first is not None:
                        return first.event.outcome  # type: ignore[no-any-return]
                decision = self._decide(known, command, arguments)
                if not decision.events or self._append(known, decision, context, digest):
                    break
                self._refresh(known)
            else:
                raise ConcurrencyConflict(stream, MAX_ATTEMPTS)
        if isinstance(decision, Refused):
            raise decision.error
        return decision.result

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        """Look at a state that is brought up to date; see ``Journal.read_state``."""
        known = self._streams.get(stream)
        with known.lock:
            self._refresh(known)
            return view(known.state)

    def _decide(
        self, stream: Stream, command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]
    ) -> Decision[ResultT]:
        # A stale acceptance fails when it is appended. Anything else is only believed of the newest state.
        try:
            decision = command(stream.state, *arguments)
            if isinstance(decision, Accepted) and decision.events:
                return decision
        except CommandRefused:
            pass
        self._refresh(stream)
        return command(stream.state, *arguments)

    def _append(self, stream: Stream, decision: Decision[Any], context: Context, digest: str | None) -> bool:
        """Append a decision's events behind the last known version; False if another writer was faster."""
        now = max(self._clock(), stream.recorded_at)
        # The key goes with the event that says what the command answered. A refused command does not use it up.
        *others, last = decision.events
        metadata = [context.metadata(now)] * len(others)
        metadata.append(context.metadata(now, digest if isinstance(decision, Accepted) else None))
        records = [
            RecordedEvent(UNRECORDED, stream.name, stream.version + offset, event, about)
            for offset, (event, about) in enumerate(zip([*others, last], metadata, strict=True), 1)
        ]
        stored = [self._application.mapper.to_stored_event(record) for record in records]
        try:
            self._writer.insert_events(stored)
        except IntegrityError:
            return False
        stream.advance(records)
        return True

    def _refresh(self, stream: Stream) -> None:
        stored = self._application.recorder.select_events(stream.name, gt=stream.version)
        stream.advance(map(self._application.mapper.to_domain_event, stored))

    def _first_use(self, context: Context, digest: str) -> RecordedEvent | None:
        key = context.idempotency_key
        use = None if key is None else self._idempotency_keys.get(key)
        if key is None or use is None:
            return None
        if use.command != digest:
            raise IdempotencyConflict(key, f"{use.stream}@{use.version}")
        (stored,) = self._application.recorder.select_events(use.stream, gt=use.version - 1, limit=1)
        return self._application.mapper.to_domain_event(stored)
