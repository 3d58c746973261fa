"""Undo by appending: what is to be undone, and how what undoes it is appended (law 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eventsourcing.persistence import IntegrityError, OperationalError

from ...domain import ConcurrencyConflict, JournalUnavailable, KeyUsed, RecordedEvent, Surfaces, saga_stream
from ...domain.compensation import SagaUndone, StreamHistory, UndoAttempt, UndoPlan, UndoStep, differences
from ...domain.identifiers import natural_number, text
from ...domain.record import UNRECORDED
from ...domain.states import new_state
from ..storage.application import JournalApplication
from ..tables import Projections
from ..writing.context import Context
from ..writing.execution import MAX_ATTEMPTS, Append, CommandPlanner, Hold, Read, Steps
from ..writing.fingerprint import Fingerprint
from .gathering import GatheredPast, Known


@dataclass(frozen=True, slots=True)
class Undoing:
    """What is to be undone.

    Attributes:
        find: finds the events to undo.
        is_bulk: whether records that changed nothing, and events that are undone, are passed over in silence.
        ends: the saga that is undone by this, if one is.
        fingerprint: what an idempotency key is filed under.
    """

    find: Callable[[GatheredPast], list[RecordedEvent]]
    fingerprint: Fingerprint
    is_bulk: bool = True
    ends: SagaUndone | None = None


class UndoPlanner:
    """Plans what undoes events, and has it appended.

    Args:
        application: where events are stored.
        planner: how commands are carried out.
        tables: the projections as they are now.
        place: what the journal is called in errors.
        surfaces: what the runtime offers.
    """

    def __init__(
        self,
        application: JournalApplication,
        planner: CommandPlanner,
        tables: Projections,
        place: str,
        surfaces: Surfaces,
    ) -> None:
        self._surfaces = surfaces
        self._application = application
        self._planner = planner
        self._tables = tables
        self._place = place

    def of_event(self, event: str | int) -> Undoing:
        """Undo one event, by its id or its position.

        Raises:
            InvalidArgument: it is neither.
        """
        event = text("event", event) if issubclass(type(event), str) else natural_number("position", event)
        fingerprint = Fingerprint("journal.revert", (), {"event": event})
        return Undoing(lambda past: [past.event(event)], fingerprint, is_bulk=False)

    def to_version(self, stream: str, version: int) -> Undoing:
        """Undo everything in a stream that came after a version.

        Raises:
            InvalidIdentifier, InvalidArgument
        """
        stream, version = text("stream", stream), natural_number("to_version", version)
        new_state(stream)
        fingerprint = Fingerprint("journal.rollback", (stream,), {"to_version": version})
        return Undoing(lambda past: past.after(stream, version), fingerprint)

    def of_saga(
        self, ends: SagaUndone, found: Callable[[], Iterable[tuple[str, int]]], left: frozenset[str]
    ) -> Undoing:
        """Undo what was appended in a saga, and append what says that it is undone.

        Args:
            ends: the saga, and why.
            found: tells the streams and versions of its events.
            left: the steps outside the journal that are not undone.
        """
        arguments = {"reason": ends.reason, "left": left}
        fingerprint = Fingerprint("journal.compensate", (saga_stream(ends.saga_id),), arguments)
        named = self._application.named
        return Undoing(lambda _: [named(f"{stream}@{version}") for stream, version in found()], fingerprint, ends=ends)

    def plan(self, undoing: Undoing) -> UndoPlan:
        """Preview what undoing does; append nothing."""
        return self._decide(undoing, {}, self._planner.context.saga).plan

    def steps(self, undoing: Undoing) -> Steps[UndoPlan]:
        """Say step by step what has to be read and appended to undo something; all of it is appended, or nothing.

        Raises:
            CommandRefused: the first obstacle.
            JournalReadOnly: nothing may be appended.
            ConcurrencyConflict: other writers were faster at every attempt.
        """
        context = self._planner.context
        fingerprint = None if context.idempotency_key is None else undoing.fingerprint
        filed = None if fingerprint is None else str(fingerprint)
        known: Known = {}
        for _ in range(MAX_ATTEMPTS):
            attempt: UndoAttempt = yield Read(partial(self._decide, undoing, known, context.saga))
            plan = attempt.plan
            if fingerprint is not None:
                # Asked after planning: if the same was done at the same moment, that is no obstacle, but the answer.
                first = yield Read(partial(self._planner.first_use, context, fingerprint))
                if first is not None:
                    return (yield Read(partial(self._recall, first)))  # type: ignore[no-any-return]
            if plan.obstacles:
                raise plan.obstacles[0]
            if attempt.placed:
                records = self._records(attempt, context, filed)
            else:
                records = self._planner.key_records(context, filed, None)
            if not records:
                return plan
            stored = [self._application.mapper.to_stored_event(record) for record in records]
            try:
                positions = yield Append(stored, attempt.conditions)
            except IntegrityError:
                # What was planned may not be possible any more, or something else may have to be undone first.
                yield Hold(tuple(attempt.histories))
                continue
            except OperationalError as error:
                raise JournalUnavailable(self._place, str(error)) from error
            return replace(plan, positions=tuple(positions or ())[: len(plan.steps)])
        raise ConcurrencyConflict(records[0].stream, MAX_ATTEMPTS)

    def done_before(self, undoing: Undoing, context: Context) -> UndoPlan | None:
        """The result of undoing before under a context's idempotency key; None if the key was not used.

        Raises:
            IdempotencyConflict: it was used for something else.
        """
        first = self._planner.first_use(context, undoing.fingerprint)
        return None if first is None else self._recall(first)

    def _decide(self, undoing: Undoing, known: Known, saga: str | None) -> UndoAttempt:
        """Gather what there is to undo, and decide what undoes it."""
        past = GatheredPast(self._application, self._tables, known)
        found = undoing.find(past)
        return UndoAttempt(past, found, is_bulk=undoing.is_bulk, ends=undoing.ends, saga=saga, surfaces=self._surfaces)

    def _records(self, attempt: UndoAttempt, context: Context, filed: str | None) -> list[RecordedEvent]:
        """The compensating events as they are to be stored."""
        now, records = self._planner.now(), []
        last = {stream: (each.version, each.recorded_at) for stream, each in attempt.histories.items()}
        for each in attempt.placed:
            version, recorded_at = last[each.stream]
            last[each.stream] = version + 1, recorded_at
            compensates = None if each.compensates is None else (each.compensates,)
            metadata = context.metadata(max(now, recorded_at), filed, compensates)
            records.append(RecordedEvent(UNRECORDED, each.stream, version + 1, each.event, metadata))
        return records

    def _standing_at(self, stream: str, position: int) -> Any:
        return StreamHistory(stream, list(self._application.records(stream, through=position))).state.standing()

    def _recall(self, first: RecordedEvent) -> UndoPlan:
        """The result of undoing under an idempotency key: everything that was appended together up to this record."""
        if isinstance(first.event, KeyUsed):
            return UndoPlan()
        records = [first]
        while records[0].position > 1:
            before = self._application.record_at(records[0].position - 1)
            if before.metadata.idempotency_key != first.metadata.idempotency_key:
                break
            records.insert(0, before)
        steps = [
            UndoStep(undone.id, undone.stream, undone.event, record.event)
            for record in records
            for undone in map(self._application.named, record.metadata.compensates or ())
        ]
        begin = records[0].position - 1
        changes = tuple(
            each
            for stream in dict.fromkeys(step.stream for step in steps)
            for each in differences(stream, self._standing_at(stream, begin), self._standing_at(stream, first.position))
        )
        return UndoPlan(
            tuple(steps), changes, (), tuple(record.position for record in records if record.metadata.compensates)
        )
