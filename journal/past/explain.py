"""What one event did, what it follows from and what follows from it; of a refusal, why it was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from ...domain import RecordedEvent, inbox_stream, saga_stream, session
from ...domain.record import split_event_id
from ...domain.saga import SagaBegun
from ...domain.shown import utc, visible
from ...projections import TemporalStore, TemporalTable, TimelineProjection
from ..storage.application import JournalApplication
from ..tables import Projections
from ..undo.gathering import GatheredPast
from .changes import Changes, RowChange
from .naming import EventName
from .refusals import Refusal, refusal_of
from .sentences import Stagings, sentence


@dataclass(frozen=True, slots=True)
class Cause:
    """On whose behalf, and by what, an event came about, as far as that was said.

    Attributes:
        actor: on whose behalf.
        correlation_id: the conversation or request that it belongs to.
        causation_id: what caused it: another event's id, or a message's.
        causing_event: the event that ``causation_id`` names, if it is in this journal.
        saga: the saga that it was appended in.
        saga_name: what that saga is called.
        idempotency_key: the key that the command came under.
    """

    actor: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    causing_event: EventName | None = None
    saga: str | None = None
    saga_name: str | None = None
    idempotency_key: str | None = None

    def __str__(self) -> str:
        said = (
            ("actor", self.actor),
            ("correlation", self.correlation_id),
            ("caused by", self.causing_event or self.causation_id),
            ("saga", self.saga if self.saga_name is None else f"{self.saga} ({self.saga_name})"),
            ("idempotency key", self.idempotency_key),
        )
        return "; ".join(f"{name} {visible(value)}" for name, value in said if value is not None) or "nothing is said"

    def to_json(self) -> dict[str, Any]:
        """The cause as what JSON knows."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**said, "causing_event": None if self.causing_event is None else self.causing_event.to_json()}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one event did, what it follows from and what follows from it.

    Attributes:
        event: the event.
        sentence: what happened, in English; the event's type where there is no more to say.
        cause: on whose behalf, and by what.
        refusal: why something was refused; None if the event is no refusal.
        rows: the rows of all tables that it changed: those that it began, and those that it ended.
        undoes: the events that it undoes.
        undone_by: the event that undid it; None if nothing did.
        holds: whether its effect holds: it was not undone, or that was undone in turn.
        dependents: the later events that depend on it, oldest first: those that have to be undone before it. Empty
            if its effect does not hold.
    """

    event: EventName
    sentence: str
    cause: Cause
    refusal: Refusal | None
    rows: tuple[RowChange, ...]
    undoes: tuple[EventName, ...]
    undone_by: EventName | None
    holds: bool
    dependents: tuple[EventName, ...]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        event = self.event
        yield f"{visible(event.id)} at position {event.position}, {utc(event.time)}: {event.type}"
        if self.sentence != event.type:
            yield f"what: {self.sentence}"
        yield f"cause: {self.cause}"
        if self.refusal is not None:
            yield str(self.refusal)
        yield from (f"undoes: {undone}" for undone in self.undoes)
        if self.undone_by is not None:
            yield f"undone by: {self.undone_by}{', which was undone in turn' if self.holds else ''}"
        # That the clock went on is told with the event's time.
        rows = [row for row in self.rows if row.table != TimelineProjection.name]
        if not rows and self.refusal is None:
            yield "rows: it changed none"
        yield from (f"row: {row.what}" for row in rows)
        yield from (f"depends on it: {later}" for later in self.dependents)

    def to_json(self) -> dict[str, Any]:
        """The explanation as what JSON knows."""
        return {
            "event": self.event.to_json(),
            "sentence": self.sentence,
            "cause": self.cause.to_json(),
            "refusal": None if self.refusal is None else self.refusal.to_json(),
            "rows": [row.to_json() for row in self.rows],
            "undoes": [undone.to_json() for undone in self.undoes],
            "undone_by": None if self.undone_by is None else self.undone_by.to_json(),
            "holds": self.holds,
            "dependents": [later.to_json() for later in self.dependents],
        }


def explain(
    application: JournalApplication,
    tables: Projections,
    store: TemporalStore,
    known: Iterable[TemporalTable],
    record: RecordedEvent,
) -> Explanation:
    """Explain one event.

    What is read is its own stream, what depends on it elsewhere, and its rows.

    Args:
        application: where the events are.
        tables: the tables as they are now.
        store: where they are stored, caught up at least to the event.
        known: every table.
        record: the event.

    Raises:
        UnknownEventType, DamagedRecord: an event of the stream cannot be decoded.
    """
    past = GatheredPast(application, tables, {})
    history = past.history(record.stream)
    chain = history.chain(record)
    behind, holds = chain[chain.index(record) + 1 :], not history.is_undone(record)
    # Where it was undone and done again, what depends on it is what depends on the event that did it again.
    last = chain[-1]
    later = {each.id: each for each in (*history.all_that_stand_on(last), *_elsewhere(past, last))} if holds else {}
    return Explanation(
        event=EventName.of(record),
        sentence=sentence(record, Stagings()),
        cause=_cause(application, record),
        refusal=refusal_of(application, record),
        rows=tuple(Changes(application, store).diff(known, (), record.position - 1, record.position, every=True)),
        undoes=tuple(EventName.of(application.named(undone)) for undone in record.metadata.compensates or ()),
        undone_by=EventName.of(behind[0]) if behind else None,
        holds=holds,
        dependents=tuple(map(EventName.of, sorted(later.values(), key=lambda each: each.position))),
    )


def _elsewhere(past: GatheredPast, record: RecordedEvent) -> Iterator[RecordedEvent]:
    """The events of other streams that depend on one."""
    yield from past.dependents(record.event)
    if isinstance(record.event, session.SessionOpened):
        put = past.history(inbox_stream(record.event.session_id))
        yield from put.all_put(record.event.incarnation)


def _cause(application: JournalApplication, record: RecordedEvent) -> Cause:
    about = record.metadata
    named = None if about.causation_id is None else split_event_id(about.causation_id)
    causing = None if named is None else application.record(*named)
    begun = None if about.saga is None else application.record(saga_stream(about.saga), 1)
    return Cause(
        actor=about.actor,
        correlation_id=about.correlation_id,
        causation_id=about.causation_id,
        causing_event=None if causing is None else EventName.of(causing),
        saga=about.saga,
        saga_name=begun.event.name if begun is not None and isinstance(begun.event, SagaBegun) else None,
        idempotency_key=about.idempotency_key,
    )
