"""The write path: decide a command on the state of a stream, append the events it produces, move the state forward.

It is written once, as steps that say what has to be read or appended next. A driver does that: the one here in the
caller's thread, the one of ``AsyncJournal`` without blocking its event loop.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final, TypeAlias, TypeVar

from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent

from ...domain import (
    Accepted,
    ConcurrencyConflict,
    Decision,
    IdempotencyConflict,
    InvalidArgument,
    JournalReadOnly,
    JournalUnavailable,
    KeyUsed,
    Lost,
    OwnershipCapability,
    ProjectionStopped,
    RecordedEvent,
    Refused,
    SessionTerminal,
    StaleCapability,
    Unclaimed,
    key_stream,
    saga_stream,
    session_stream,
)
from ...domain.bounds import MAX_PARTS
from ...domain.condition import Condition
from ...domain.decision import is_of_the_domain, name_of, takes_time, uses_idempotency_key
from ...domain.identifiers import text
from ...domain.record import UNRECORDED
from ...domain.session import OWNERSHIP_TYPES, lost_by
from ...domain.shown import kind_of
from ...domain.stream_names import split_stream
from ...domain.value import several
from ...projections import IdempotencyProjection, IdempotencyView, KeyUse
from ..storage.application import JournalApplication
from .context import Context, ContextHolder
from .decisions import accepted, advance, conditions, require_decision
from .fingerprint import Fingerprint
from .streams import Stream
from .times import time_ms

ResultT = TypeVar("ResultT")
Clock = Callable[[], int]

MAX_ATTEMPTS: Final = 20
"""How many version conflicts a command survives before ``ConcurrencyConflict``."""


_EAGER_ATTEMPTS: Final = 2
"""How many version conflicts a command answers at once by the next attempt."""

_PATIENT_ATTEMPTS: Final = 6
"""After how many it is decided while nobody else can append: others may be faster for ever."""

_LONGEST_BACK_OFF_S: Final = 0.05
"""How long it waits at most after another one."""

_LOOKED_BACK: Final = 200
"""How many changes of ownership are looked through for the one by which a capability was lost."""

_LOOKED_THROUGH: Final = 10_000
"""How many events of a session are looked through for them."""


@dataclass(slots=True)
class Read:
    """A step that reads from the disk; the answer is what the function returns."""

    function: Callable[[], Any]


@dataclass(slots=True)
class Append:
    """A step that appends events, all or none; ``IntegrityError`` if another writer was faster.

    Attributes:
        events: what to append.
        conditions: what must hold then, beside the versions of the events.
    """

    events: Sequence[StoredEvent]
    conditions: Sequence[Condition] = ()


@dataclass(slots=True)
class Insist:
    """A step that decides, and appends what is decided, while nobody else can append.

    Attributes:
        decide: called then; returns the events to append. What it raises, the step raises, and nothing is appended.
    """

    decide: Callable[[], Sequence[StoredEvent]]


@dataclass(slots=True)
class Hold:
    """A step that keeps this process's other threads from these streams until the steps end, or the next such step.

    Whoever has to read long before it appends would otherwise always be too late.
    """

    streams: Iterable[str]


Steps: TypeAlias = Generator[Read | Append | Insist | Hold, Any, ResultT]


class CommandPlanner:
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

    @property
    def context(self) -> Context:
        """The context that commands are given in here and now."""
        return self._context.current

    def carried(self, function: Callable[[], ResultT]) -> Callable[[], ResultT]:
        """The function, to be called in a thread on behalf of the task that asks, under its key and in its saga."""
        return self._context.carried(function)

    def on_behalf_of(self, context: Context) -> AbstractContextManager[None]:
        """A block in which commands are given in this context, whichever task or thread had entered it."""
        return self._context.on_behalf_of(context)

    def names(self, streams: str | tuple[str, ...]) -> tuple[str, ...]:
        """The streams that a command is decided on, and last the saga's that it is given in, if it is in one."""
        named = checked_streams(streams)
        saga_id = self._context.current.saga
        if saga_id is None or saga_stream(saga_id) in named:
            return named
        return (*named, saga_stream(saga_id))

    def steps(
        self, streams: Sequence[Stream[Any]], command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]
    ) -> Steps[ResultT]:
        """Say step by step what has to be read and appended; nobody else may touch the streams meanwhile.

        Who shows a capability that is not live any more is told since when, which is read then.

        Args:
            streams: the streams of ``names``, in that order; the first is the command's own.
            command: takes their states, but for the saga's that it is given in.
            arguments: what it takes beyond the states.

        Returns:
            What the command answers.

        Raises:
            CommandRefused, IdempotencyConflict, ConcurrencyConflict
        """
        try:
            return (yield from self._attempts(streams, command, arguments))
        except (StaleCapability, Unclaimed, SessionTerminal) as refusal:
            presented = next((each for each in arguments if type(each) is OwnershipCapability), None)
            lost = None if presented is None else (yield Read(partial(self._lost, presented, streams)))
            raise refusal if lost is None else replace(refusal, lost=lost) from None

    def _attempts(
        self, streams: Sequence[Stream[Any]], command: Callable[..., Decision[ResultT]], arguments: tuple[object, ...]
    ) -> Steps[ResultT]:
        context = self._context.current
        function = command.func if type(command) is partial else command
        own = streams[0]
        in_saga = context.saga is not None and own.name != saga_stream(context.saga)
        decided = streams[:-1] if in_saga else streams
        fingerprint = None if context.idempotency_key is None else _fingerprint(decided, function, arguments)
        filed = None if fingerprint is None else str(fingerprint)
        now: int | None = None
        if takes_time(function) and not (type(command) is partial and "now" in command.keywords):
            # One reading of the clock for what is decided, and for when it is recorded.
            now = self.now()
            command = partial(command, now=now)
        decision: Decision[ResultT] | None
        for attempt in range(MAX_ATTEMPTS):
            if fingerprint is not None:
                yield Read(partial(self.refresh, streams))
                first = yield Read(partial(self.first_use, context, fingerprint))
                if first is not None:
                    return first.event.outcome  # type: ignore[no-any-return]
            if attempt >= _PATIENT_ATTEMPTS and self._application.recorder.reads_while_it_writes:
                found: list[Any] = []
                known = (found, streams, decided, command, arguments, context, filed, now)
                try:
                    yield Insist(partial(self._insisting, *known))
                except IntegrityError:
                    continue
                except OperationalError as error:
                    raise JournalUnavailable(self._place, str(error)) from error
                decision, records = found
            else:
                decision = accepted(decided, command, arguments)
                if decision is None:
                    # A stale acceptance fails when it is appended. Anything else is only believed of the newest state.
                    yield Read(partial(self.refresh, streams))
                    decision = command(*[stream.state for stream in decided], *arguments)
                require_decision(decision, decided, is_trusted=is_of_the_domain(function))
                records = self._records(streams, decision, context, filed, now)
                if records:
                    if in_saga and not streams[-1].state.is_open:
                        # Whoever ended the saga elsewhere has undone what was in it; nothing may come after.
                        yield Read(partial(self.refresh, streams[-1:]))
                        streams[-1].state.require_open()
                    try:
                        yield Append(self._stored(records), conditions(streams, records))
                    except IntegrityError:
                        yield Read(partial(_back_off, attempt))
                        yield Read(partial(self.refresh, streams))
                        continue
                    except OperationalError as error:
                        raise JournalUnavailable(self._place, str(error)) from error
                    except JournalReadOnly:
                        if isinstance(decision, Refused):
                            # Who may only read is told all the same; it is a writer that puts a refusal on record.
                            raise decision.error from None
                        raise
            if records:
                advance(streams, records)
            if isinstance(decision, Refused):
                raise decision.error
            return decision.result
        raise ConcurrencyConflict(own.name, MAX_ATTEMPTS)

    def _insisting(
        self,
        found: list[Any],
        streams: Sequence[Stream[Any]],
        decided: Sequence[Stream[Any]],
        command: Callable[..., Decision[Any]],
        arguments: tuple[object, ...],
        context: Context,
        filed: str | None,
        now: int | None,
    ) -> Sequence[StoredEvent]:
        """Decide while nobody else can append; leave the decision and its records in ``found``."""
        for stream in streams:
            records = list(self._application.records(stream.name, gt=stream.version))
            stream.advance(records)
            if context.idempotency_key is not None and any(
                record.metadata.idempotency_key == context.idempotency_key for record in records
            ):
                raise IntegrityError("the idempotency key was used meanwhile")
        decision = command(*[stream.state for stream in decided], *arguments)
        require_decision(decision, decided, is_trusted=False)
        made = self._records(streams, decision, context, filed, now)
        if made and len(decided) < len(streams):
            streams[-1].state.require_open()
        found[:] = decision, made
        return self._stored(made)

    def _stored(self, records: Sequence[RecordedEvent]) -> list[StoredEvent]:
        return [self._application.mapper.to_stored_event(record) for record in records]

    def _lost(self, presented: OwnershipCapability, streams: Sequence[Stream[Any]]) -> Lost | None:
        """Since when a capability is not live any more; None if that is not among the last changes of its session."""
        name = session_stream(presented.session_id)
        behind = max((each.version for each in streams if each.name == name), default=0) - _LOOKED_THROUGH
        newest_first = self._application.records(
            name, gt=max(0, behind), desc=True, topics=OWNERSHIP_TYPES, limit=_LOOKED_BACK
        )
        event = lost_by(presented, newest_first)
        return None if event is None else Lost(event.id, event.type, event.metadata.recorded_at)

    def refresh(self, streams: Sequence[Stream[Any]]) -> None:
        """Read what the streams do not know yet."""
        for stream in streams:
            stream.advance(self._application.records(stream.name, gt=stream.version))

    def _records(
        self,
        streams: Sequence[Stream[Any]],
        decision: Decision[Any],
        context: Context,
        filed: str | None,
        now: int | None,
    ) -> list[RecordedEvent]:
        if not decision.events and not decision.placed:
            return self.key_records(context, filed, decision.result) if isinstance(decision, Accepted) else []
        now = self.now() if now is None else now
        own, records = streams[0], []
        version = own.version
        if decision.placed:
            recorded_at = {stream.name: max(now, stream.recorded_at) for stream in streams}
            versions = {stream.name: stream.version for stream in streams}
            for each in decision.placed:
                versions[each.stream] += 1
                about = context.metadata(recorded_at[each.stream])
                records.append(RecordedEvent(UNRECORDED, each.stream, versions[each.stream], each.event, about))
            version = versions[own.name]
        about = context.metadata(max(now, own.recorded_at))
        records += [
            RecordedEvent(UNRECORDED, own.name, version + offset, event, about)
            for offset, event in enumerate(decision.events, 1)
        ]
        if filed is not None and isinstance(decision, Accepted):
            # The key goes with the event that says what the command answered. A refused command does not use it up.
            last = records[-1]
            records[-1] = last._replace(metadata=context.metadata(last.metadata.recorded_at, filed))
        return records

    def key_records(self, context: Context, filed: str | None, answer: object) -> list[RecordedEvent]:
        """What uses up the context's idempotency key for an accepted command that appends nothing; nothing without."""
        key = context.idempotency_key
        if key is None or filed is None:
            return []
        # No earlier event is there: whoever is faster files the key, and that is found when this is decided again.
        about = context.metadata(self.now(), filed)
        return [RecordedEvent(UNRECORDED, key_stream(key), 1, KeyUsed.answering(key, answer), about)]

    def now(self) -> int:
        """The time, UTC, in ms since 1970.

        Raises:
            InvalidArgument: the clock fails, or tells what no row can hold.
        """
        try:
            told = self._clock()
        except Exception as error:
            raise InvalidArgument("clock", f"must tell the time, and raises {kind_of(error)}") from error
        return time_ms("clock", told)

    def first_use(self, context: Context, fingerprint: Fingerprint) -> RecordedEvent | None:
        """The event under which the context's idempotency key was used before, for the same command; None if none.

        Raises:
            IdempotencyConflict: it was used for something else.
        """
        key = context.idempotency_key
        use = None if key is None else self._idempotency_keys.get(key)
        if key is None or use is None:
            return None
        if differences := fingerprint.differences(use.command):
            raise IdempotencyConflict(key, f"{use.stream}@{use.version}", differences)
        return self._recorded(use)

    def outcome(self, key: str) -> RecordedEvent | None:
        """The record that says what a command under this key brought about; None if the key was not used."""
        use = self._idempotency_keys.get(key)
        return None if use is None else self._recorded(use)

    def _recorded(self, use: KeyUse) -> RecordedEvent:
        if (record := self._application.record(use.stream, use.version)) is not None:
            return record
        problem = f"the event {use.stream}@{use.version} that it names is not there; verify the journal"
        raise ProjectionStopped(IdempotencyProjection.name, use.since, problem)


def _back_off(attempt: int) -> None:
    """Wait for a moment after several version conflicts, a random one, so that writers do not meet again and again."""
    if attempt >= _EAGER_ATTEMPTS:
        time.sleep(random.uniform(0, min(_LONGEST_BACK_OFF_S, 0.001 * 2**attempt)))  # noqa: S311  # no secret


def checked_streams(streams: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names of the streams that a command is decided on.

    Raises:
        InvalidArgument: there are none, or one is no text.
    """
    if issubclass(type(streams), str):
        return (text("stream", streams),)
    given = tuple(several("stream", streams, MAX_PARTS + 1))
    if not given:
        raise InvalidArgument("stream", "must name at least one")
    return tuple(text("stream", name) for name in given)


def _fingerprint(
    streams: Sequence[Stream[Any]], function: Callable[..., Decision[Any]], arguments: tuple[object, ...]
) -> Fingerprint | None:
    """What the context's idempotency key is filed under; None for a command that uses none up."""
    if not uses_idempotency_key(function):
        return None
    kind = type(function)
    own_name = function.__name__ if kind in (FunctionType, MethodType, BuiltinFunctionType) else kind.__name__
    name = name_of(function) or f"{split_stream(streams[0].name)[0]}.{own_name}"
    return Fingerprint.of_call(name, function, tuple(stream.name for stream in streams), arguments)
