"""Undo by appending: a plan of compensating events, and how it is carried out (law 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from eventsourcing.persistence import IntegrityError, OperationalError

from ...domain import (
    ConcurrencyConflict,
    Event,
    JournalUnavailable,
    KeyUsed,
    RecordedEvent,
    Surfaces,
    UnknownEvent,
    UnknownPosition,
    UnknownVersion,
    session_stream,
)
from ...domain.bundle import BundleLinked, BundleRegistered
from ...domain.identifiers import natural_number, text
from ...domain.record import split_event_id
from ...domain.session import SessionStatus
from ..storage.application import JournalApplication
from ..tables import Projections
from ..writing.execution import MAX_ATTEMPTS, Append, CommandPlanner, Hold, Read, Steps
from ..writing.fingerprint import Fingerprint
from ..writing.streams import new_state
from .attempt import Known, UndoAttempt, Undoing, UndoPlan, UndoStep, differences
from .history import StreamHistory


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
        return Undoing(partial(self._find_event, event), is_bulk=False, fingerprint=fingerprint)

    def to_version(self, stream: str, version: int) -> Undoing:
        """Undo everything in a stream that came after a version.

        Raises:
            InvalidIdentifier, InvalidArgument
        """
        stream, version = text("stream", stream), natural_number("to_version", version)
        new_state(stream)
        fingerprint = Fingerprint("journal.rollback", (stream,), {"to_version": version})
        return Undoing(partial(self._find_after, stream, version), fingerprint=fingerprint)

    def of_events(
        self,
        found: Callable[[], Iterable[tuple[str, int]]],
        ending_stream: str,
        ending: Callable[[StreamHistory], Event[Any]],
        **arguments: object,
    ) -> Undoing:
        """Undo events of several streams, and append what says that it is done."""
        return Undoing(
            lambda _: [self._record(stream, version) for stream, version in found()],
            ending=ending,
            ending_stream=ending_stream,
            fingerprint=Fingerprint("journal.compensate", (ending_stream,), arguments),
        )

    def plan(self, undoing: Undoing) -> UndoPlan:
        """Preview what undoing does; append nothing."""
        return UndoAttempt(self, undoing, {}, self._planner.context.saga, self._surfaces).plan

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
            attempt: UndoAttempt = yield Read(partial(UndoAttempt, self, undoing, known, context.saga, self._surfaces))
            plan = attempt.plan
            if fingerprint is not None:
                # Asked after planning: if the same was done at the same moment, that is no obstacle, but the answer.
                first = yield Read(partial(self._planner.first_use, context, fingerprint))
                if first is not None:
                    return (yield Read(partial(self._recall, first)))  # type: ignore[no-any-return]
            if plan.obstacles:
                raise plan.obstacles[0]
            if attempt.placed:
                records = attempt.records(context, filed, self._planner.now())
            else:
                records = self._planner.key_records(context, filed, None)
            if not records:
                return plan
            stored = [self._application.mapper.to_stored_event(record) for record in records]
            try:
                positions = yield Append(stored, attempt.conditions)
            except IntegrityError:
                # What was planned may not be possible any more, or something else may have to be undone first.
                yield Hold(attempt.streams)
                continue
            except OperationalError as error:
                raise JournalUnavailable(self._place, str(error)) from error
            return replace(plan, positions=tuple(positions or ())[: len(plan.steps)])
        raise ConcurrencyConflict(records[0].stream, MAX_ATTEMPTS)

    def done_before(self, undoing: Undoing) -> UndoPlan | None:
        """The result of undoing before under the context's idempotency key; None if the key was not used.

        Raises:
            IdempotencyConflict: it was used for something else.
        """
        fingerprint = undoing.fingerprint
        first = None if fingerprint is None else self._planner.first_use(self._planner.context, fingerprint)
        return None if first is None else self._recall(first)

    def history(self, stream: str, known: Known) -> StreamHistory:
        """Read a stream, behind what is known of it."""
        return StreamHistory(stream, self._records(stream, known))

    def dependents(self, event: Event[Any]) -> Iterator[RecordedEvent]:
        """The events of other streams that depend on a bundle being known: links, and delegations of live sessions."""
        if not isinstance(event, BundleRegistered | BundleLinked):
            return
        bundle_id = event.bundle.bundle_id
        for linked in self._tables.bundles.linked_from(bundle_id).values():
            yield self.at(linked.since)
        for (session_id, delegation_id), row in self._tables.delegations.through_bundle(bundle_id).items():
            if row.status == "committed" and self._holds(session_id, delegation_id):
                yield self.at(row.since)

    def _holds(self, session_id: str, delegation_id: int) -> bool:
        """Whether a delegation is of a session's present incarnation, which has not finished."""
        state = self.history(session_stream(session_id), {}).state
        return state.status is SessionStatus.ACTIVE and delegation_id in state.outcomes

    def head(self) -> int:
        """The journal's last position."""
        return self._application.recorder.head()

    def _find_event(self, event: str | int, known: Known) -> list[RecordedEvent]:
        if isinstance(event, str):
            return [self._named(text("event", event))]
        if not 1 <= event <= self.head():
            raise UnknownPosition(event, self.head())
        return [self.at(event)]

    def _find_after(self, stream: str, version: int, known: Known) -> list[RecordedEvent]:
        records = self._records(stream, known)
        last = records[-1].version if records else 0
        if version > last or not records:
            raise UnknownVersion(stream, version, last)
        return records[version:]

    def _named(self, event_id: str) -> RecordedEvent:
        split = split_event_id(event_id)
        if split is None:
            raise UnknownEvent(event_id)
        return self._record(*split)

    def _record(self, stream: str, version: int) -> RecordedEvent:
        if (record := self._application.record(stream, version)) is not None:
            return record
        raise UnknownEvent(f"{stream}@{version}")

    def at(self, position: int) -> RecordedEvent:
        """The record at a position.

        Raises:
            UnknownPosition: there is none.
        """
        for stored in self._application.recorder.select_notifications(position, 1):
            return self._application.mapper.to_domain_event(stored)
        raise UnknownPosition(position, self.head())

    def _records(self, stream: str, known: Known) -> list[RecordedEvent]:
        records = known.setdefault(stream, [])
        records.extend(self._application.records(stream, gt=len(records)))
        return records

    def _standing_at(self, stream: str, position: int) -> Any:
        return StreamHistory(stream, list(self._application.records(stream, through=position))).state.standing()

    def _recall(self, first: RecordedEvent) -> UndoPlan:
        """The result of undoing under an idempotency key: everything that was appended together up to this record."""
        if isinstance(first.event, KeyUsed):
            return UndoPlan()
        records = [first]
        while records[0].position > 1:
            before = self.at(records[0].position - 1)
            if before.metadata.idempotency_key != first.metadata.idempotency_key:
                break
            records.insert(0, before)
        steps = [
            UndoStep(undone.id, undone.stream, undone.event, record.event)
            for record in records
            for undone in map(self._named, record.metadata.compensates or ())
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
