"""What can be asked of the past, as methods of the journal. Nothing here writes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, TypeAlias

from ...domain import (
    InvalidArgument,
    InvalidKey,
    InvalidMoment,
    MomentInFuture,
    MomentsReversed,
    RecordedEvent,
    UnknownEvent,
    UnknownPosition,
    UnknownRow,
)
from ...domain.bounds import MAX_PARTS
from ...domain.identifiers import identifier, integer, plain_text
from ...domain.shown import shown, utc
from ...domain.value import exact, several
from ...projections import (
    TemporalTable,
    Value,
    is_storable,
    to_columns,
)
from ..storage.application import JournalApplication
from ..tables import Projections, known_table
from ..writing.times import to_ms
from .changes import Blame, Changes, Diff, RowVersion
from .explain import Explanation, explain
from .grammar import AtTime, FromHead, cut, parse
from .moment import Moment
from .why import Provenance, why

MomentLike: TypeAlias = int | str | datetime | Moment
"""A moment as callers say it: a position, a text (see ``docs/time-travel.md``), a time that knows its zone."""


class Questions(Projections):
    """What can be asked of the past.

    Attributes:
        application: the ``eventsourcing`` application that the journal is kept by.
    """

    application: JournalApplication

    @abstractmethod
    def head(self) -> int:
        """The last position; 0 when there is none."""

    @abstractmethod
    def _now(self) -> int:
        """The time by the journal's clock, in ms."""

    def at(
        self,
        moment: MomentLike | None = None,
        /,
        *,
        position: int | None = None,
        time: int | datetime | None = None,
        event: str | None = None,
    ) -> Moment:
        """The tables, sessions, bundles and conversations as they were at a moment.

        Args:
            moment: a position, a time, a moment, or a text such as ``"HEAD~3"``, ``"yesterday 14:00"`` or ``"-10m"``.
            position: as of this position; 0 is before the first event.
            time: as of this time: UTC ms since 1970, or a ``datetime`` that knows its time zone.
            event: right after the event of this id, such as ``session-s-42@4``.

        Raises:
            UnknownPosition: the journal has not reached the position.
            UnknownEvent: there is no such event.
            MomentInFuture: neither the journal's clock nor any event has reached the time.
            InvalidMoment: the text is no moment, or may be more than one.
            InvalidArgument: none or several are given, or the time has no time zone.
        """
        given = [each for each in (moment, position, time, event) if each is not None]
        if len(given) != 1:
            raise InvalidArgument("at", "takes one moment: a position, a time or an event")
        if position is not None:
            return self._at(self._known_position(position, least=0))
        if time is not None:
            return self._at_time(time, to_ms(time))
        if event is not None:
            return self._at(self.application.named(plain_text(event)).position)
        return self._moment(given[0])

    def diff(
        self,
        start: MomentLike,
        end: MomentLike | None = None,
        *,
        tables: Collection[str] = (),
        key: Any = None,
        every: bool = False,
    ) -> Diff:
        """What changed between two moments.

        What is read is what changed: it costs the same in a journal of any size.

        Args:
            start: the first moment; or a range such as ``"1000..1200"`` or ``"yesterday.."``.
            end: the second; by default now.
            tables: only these tables; all if there are none.
            key: only rows whose key is this, or begins with it; a key of several columns is a tuple.
            every: whether to tell each change on the way, instead of what is left of them all.

        Raises:
            MomentsReversed: the second moment lies before the first.
            UnknownTable: there is no such table.
            InvalidKey: no row of these tables can have such a key.
            InvalidMoment, MomentInFuture, UnknownPosition, UnknownEvent, InvalidArgument: see ``at``.
        """
        first, last = self.between(start, end)
        wanted = [self._table(name) for name in several("tables", tables, MAX_PARTS)]
        every = exact("every", every, bool)
        chosen = {table.name: (name, table) for name, table in wanted or self._projector.tables.values()}
        prefix: tuple[Value, ...] = ()
        if key is not None:
            prefix = key if type(key) is tuple else (key,)
            fitting = {name: each for name, each in chosen.items() if _begins(each[1], prefix)}
            if not fitting or (wanted and len(fitting) < len(chosen)):
                name, table = next(each for each in chosen.values() if each[1].name not in fitting)
                raise InvalidKey(table.name, key, tuple(table.key))
            chosen = fitting
        for name in {name for name, _ in chosen.values()}:
            self._projector.catch_up(name, last.position)
        found = [table for _, table in chosen.values()] if _may_be_stored(prefix) else []
        return Changes(self.application, self._store).diff(found, prefix, first.position, last.position, every=every)

    def history(self, table: str, key: Any) -> tuple[RowVersion, ...]:
        """Every row that a key of a table ever had, oldest first.

        Args:
            table: the table's name, such as ``owners``.
            key: the row's key; of several columns, a tuple.

        Raises:
            UnknownTable: there is no such table.
            InvalidKey: no row of it can have such a key.
        """
        projection, found = self._table(table)
        columns = _columns(found, key)
        self._projector.catch_up(projection)
        return Changes(self.application, self._store).history(found, columns) if _may_be_stored(columns) else ()

    def blame(self, table: str, key: Any, at: MomentLike | None = None) -> dict[str, Blame]:
        """Which event gave each column of a row its value: the one after which it first had it, and kept it.

        Args:
            table: the table's name, such as ``owners``.
            key: the row's key; of several columns, a tuple.
            at: as of this moment; by default now.

        Raises:
            UnknownTable: there is no such table.
            InvalidKey: no row of it can have such a key.
            UnknownRow: it has, or had then, no row under the key.
            InvalidMoment, MomentInFuture, UnknownPosition, UnknownEvent, InvalidArgument: see ``at``.
        """
        projection, found = self._table(table)
        columns = _columns(found, key)
        position = self.head() if at is None else self._moment(at).position
        self._projector.catch_up(projection, position)
        changes = Changes(self.application, self._store)
        blamed = changes.blame(found, columns, position) if _may_be_stored(columns) else None
        if blamed is None:
            raise UnknownRow(found.name, key, position)
        return blamed

    def why(self, session_id: str, at: MomentLike | None = None) -> Provenance:
        """The events that make the owner and the holder of a session what they are; no more than that takes.

        Args:
            session_id: the session.
            at: as of this moment; by default now.

        Raises:
            SessionNotFound: it was not opened, or not by then.
            InvalidIdentifier: it is no id.
            InvalidMoment, MomentInFuture, UnknownPosition, UnknownEvent, InvalidArgument: see ``at``.
        """
        session_id = identifier("session_id", session_id)
        position = self.head() if at is None else self._moment(at).position
        return why(self.application, session_id, position)

    def explain(self, event: MomentLike) -> Explanation:
        """What one event did, what it follows from and what follows from it; of a refusal, why it was refused.

        What is read is the event's own stream, the events elsewhere that depend on it, and the rows that it changed.

        Args:
            event: its id, such as ``session-s-42@3``, its position, or a moment, for the event at it.

        Raises:
            UnknownEvent, UnknownPosition: there is none.
            InvalidMoment, MomentInFuture, InvalidArgument: see ``at``.
        """
        record = self._event(event)
        tables = self._projector.tables.values()
        for name in {name for name, _ in tables}:
            self._projector.catch_up(name, record.position)
        return explain(self.application, self, self._store, (table for _, table in tables), record)

    def between(self, start: MomentLike, end: MomentLike | None = None) -> tuple[Moment, Moment]:
        """The moments that a range names.

        Args:
            start: the first moment; or, without an end, a text such as ``"A..B"``, of which either may be left out.
            end: the second; by default now.

        Raises:
            MomentsReversed: the second lies before the first.
            InvalidMoment: the text can be cut in two ways.
            MomentInFuture, UnknownPosition, UnknownEvent, InvalidArgument: see ``at``.
        """
        if end is None and issubclass(type(start), str):
            first, last = self._cut(plain_text(start))
        else:
            first, last = self._moment(start), self._at(self.head()) if end is None else self._moment(end)
        if last.position < first.position:
            raise MomentsReversed(first.position, last.position)
        return first, last

    def _event(self, named: object) -> RecordedEvent:
        """The event that is named by its id, its position, or as the one at a moment."""
        event = self._moment(named).event
        if event is None:
            raise UnknownPosition(0, self.head())
        return event

    def _cut(self, said: str) -> tuple[Moment, Moment]:
        ways = cut(said, self._now())
        if not ways:
            return self._moment(said), self._at(self.head())
        if len(ways) > 1 or self._is_event(said):
            raise InvalidMoment(said, "can be read in more than one way; give both ends apart")
        start, end = ways[0]
        return self._moment(start) if start else self._at(0), self._moment(end) if end else self._at(self.head())

    def _is_event(self, said: str) -> bool:
        try:
            return isinstance(parse(said, self._now()), str) and bool(self.application.named(said))
        except (InvalidMoment, UnknownEvent):
            return False

    def _moment(self, moment: object) -> Moment:
        """The moment that a caller says."""
        if isinstance(moment, Moment):
            return self._own(moment)
        if issubclass(type(moment), datetime):
            return self._at_time(moment, to_ms(moment))  # type: ignore[arg-type]  # a subclass is one
        if not issubclass(type(moment), str):
            return self._at(self._known_position(moment, least=0))
        said = plain_text(moment)
        match parse(said, self._now()):
            case AtTime(time_ms, note):
                return self._at_time(said, time_ms, note)
            case FromHead(back):
                head = self.head()
                if back > head:
                    raise InvalidMoment(said, f"is before the first event; the journal's last position is {head}")
                return self._at(head - back)
            case str(event_id):
                return self._at(self.application.named(event_id).position)
            case position:
                return self._at(self._known_position(position, least=0))

    def _own(self, moment: Moment) -> Moment:
        """A moment of this journal, or of a copy that has the same event there."""
        position = self._known_position(moment.position, least=0)
        if moment._events is not self._events and position:
            own = self.application.recorder.names([position])[position][0]
            if (event := moment.event) is None or event.id != own:
                raise InvalidMoment(moment, f"is of another journal, in which another event than {own} stands there")
        return self._at(position, moment.notes)

    def _at_time(self, said: object, time_ms: int, note: str = "") -> Moment:
        now = self._now()
        if time_ms > now and time_ms > self.timeline.greatest():
            raise MomentInFuture(said, time_ms, now)
        position = self.timeline.position_at(time_ms)
        notes = (note,) if note else ()
        if position == 0:
            notes = (*notes, f"{utc(time_ms)} is before the first event")
        return self._at(position, notes)

    def _at(self, position: int, notes: Iterable[str] = ()) -> Moment:
        return Moment(self._events, self._store, self._projector, position, tuple(notes))

    def _known_position(self, position: object, *, least: int) -> int:
        given = integer(position)
        if given is None:
            raise InvalidArgument("position", f"must be an integer, not {shown(position)}")
        head = self.head()
        if not least <= given <= head:
            raise UnknownPosition(given, head)
        return given

    def _table(self, name: object) -> tuple[str, TemporalTable]:
        return known_table(self._projector, name)


def _columns(table: TemporalTable, key: object) -> tuple[Value, ...]:
    columns = to_columns(table, key)
    if columns is None:
        raise InvalidKey(table.name, key, tuple(table.key))
    return columns


def _may_be_stored(columns: Iterable[Value]) -> bool:
    """Whether any row can have these columns: what no database can hold, no row has."""
    return all(map(is_storable, columns))


def _begins(table: TemporalTable, prefix: tuple[object, ...]) -> bool:
    """Whether a key of the table can begin with these columns."""
    kinds = list(table.key.values())
    return len(prefix) <= len(kinds) and all(type(value) is kind for value, kind in zip(prefix, kinds, strict=False))
