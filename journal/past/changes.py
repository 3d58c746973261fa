"""What changed between two moments, and what a row ever was; read off where rows begin and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...domain import RecordedEvent
from ...domain.shown import utc, visible
from ...projections import FOREVER, TableChange, TemporalStore, TemporalTable, Value, changes, history
from ..storage.application import JournalApplication


def key_parts(key: Any) -> tuple[Any, ...]:
    """The columns of a key as callers know it: of several, a tuple."""
    return key if isinstance(key, tuple) else (key,)


def key_to_json(key: Any) -> Any:
    """A key as what JSON knows: of several columns, a list."""
    return list(key) if isinstance(key, tuple) else key


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that is not what it was.

    Attributes:
        table: the table's name.
        key: the row's key; of several columns, a tuple.
        was: the columns as they were; None if there was no row.
        now: the columns as they are; None if there is no row.
        columns: the columns that differ; all, where a row came or went.
        position: the position of the event that made it so.
        event_id: the event's id.
        type: the event's type.
    """

    table: str
    key: Any
    was: dict[str, Value] | None
    now: dict[str, Value] | None
    columns: tuple[str, ...]
    position: int
    event_id: str
    type: str

    def __str__(self) -> str:
        return f"{self.position}  {self.what}  ({visible(self.event_id)} {self.type})"

    @property
    def parts(self) -> tuple[Value, ...]:
        """The columns of the row's key, however many there are."""
        return key_parts(self.key)

    @property
    def what(self) -> str:
        """What changed, in a line, without the event that made it so."""
        return f"{self.table} {', '.join(map(visible, self.parts))}: {self.how}"

    @property
    def how(self) -> str:
        """How the row changed, in a line: each column that differs, or that it is new or gone."""
        if self.was is None or self.now is None:
            how, values = ("new", self.now) if self.was is None else ("gone", self.was)
            said = [f"{name} {visible(value)}" for name, value in (values or {}).items() if value is not None]
        else:
            how, said = "", [f"{name} {_told(self.was[name])} -> {_told(self.now[name])}" for name in self.columns]
        return "; ".join([how, *said] if how else said)

    def to_json(self) -> dict[str, Any]:
        """The change as what JSON knows."""
        return {
            "table": self.table,
            "key": key_to_json(self.key),
            "was": self.was,
            "now": self.now,
            "columns": list(self.columns),
            "position": self.position,
            "event_id": self.event_id,
            "type": self.type,
        }


class Diff(Sequence[RowChange]):
    """What changed between two moments, by table and then in the order of the events.

    Attributes:
        start: the position of the first moment.
        end: the position of the second.
    """

    def __init__(self, start: int, end: int, found: Iterable[RowChange]) -> None:
        self.start = start
        self.end = end
        self._changes = tuple(found)

    def __getitem__(self, index: Any) -> Any:
        return self._changes[index]

    def __len__(self) -> int:
        return len(self._changes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Diff) and (self.start, self.end, self._changes) == (
            other.start,
            other.end,
            other._changes,
        )

    def __hash__(self) -> int:
        return hash((self.start, self.end, len(self._changes)))

    def __str__(self) -> str:
        if not self._changes:
            return f"nothing differs between positions {self.start} and {self.end}"
        return "\n".join(map(str, self._changes))

    def __repr__(self) -> str:
        return f"<Diff {self.start}..{self.end}: {len(self)} changes>"

    def to_json(self) -> dict[str, Any]:
        """The changes as what JSON knows."""
        return {"from": self.start, "to": self.end, "changes": [each.to_json() for each in self._changes]}


@dataclass(frozen=True, slots=True)
class RowVersion:
    """What a row was for a while.

    Attributes:
        values: its columns by name, but for the key's.
        since: the position of the event from which on it held.
        until: the position of the event that ended it; None if it holds still.
        event_id: the id of the event that it began with.
        type: that event's type.
    """

    values: dict[str, Value]
    since: int
    until: int | None
    event_id: str
    type: str


@dataclass(frozen=True, slots=True)
class Blame:
    """Which event gave a column its value.

    Attributes:
        value: the value.
        position: the position of the event after which the column first had it, and kept it.
        event_id: the event's id.
        type: the event's type.
        time: when it was recorded, in ms.
        actor: on whose behalf, or None.
    """

    value: Value
    position: int
    event_id: str
    type: str
    time: int
    actor: str | None

    def __str__(self) -> str:
        by = f" by {visible(self.actor)}" if self.actor else ""
        event = f"{visible(self.event_id)} {self.type}"
        return f"{visible(self.value)}: position {self.position}, {utc(self.time)}{by}, {event}"


class Changes:
    """Reads what changed.

    Args:
        application: where the events are.
        store: the tables, caught up.
    """

    def __init__(self, application: JournalApplication, store: TemporalStore) -> None:
        self._application = application
        self._store = store

    def diff(self, tables: Iterable[TemporalTable], key: Sequence[Value], start: int, end: int, *, every: bool) -> Diff:
        """What changed in tables between two positions, as a whole, or one after the other."""
        found: list[TableChange] = []
        for table in tables:
            each = changes(self._store, table, start, end, key)
            found += each if every else net(each)
        named = self._application.recorder.names({change.position for change in found})
        return Diff(start, end, (to_row_change(change, *named[change.position]) for change in found))

    def history(self, table: TemporalTable, key: Sequence[Value]) -> tuple[RowVersion, ...]:
        """Every row that a key ever had, oldest first."""
        rows = list(history(self._store, table, key))[::-1]
        named = self._application.recorder.names({table.row_position(row) for row in rows})
        return tuple(
            RowVersion(
                table.values_of(row),
                table.row_position(row),
                None if row[-1] == FOREVER else row[-1],
                *named[table.row_position(row)],
            )
            for row in rows
        )

    def blame(self, table: TemporalTable, key: Sequence[Value], position: int) -> dict[str, Blame] | None:
        """Which event gave each column of a row its value, as of a position; None if there was no row."""
        rows = history(self._store, table, key, position)
        last = next(rows, None)
        if last is None or last[-1] <= position:
            return None
        values, begun = table.values_of(last), table.row_position(last)
        since = dict.fromkeys(values, begun)
        open_columns = set(values)
        for row in rows:
            before = table.values_of(row)
            # Behind a gap, a row is another one.
            open_columns = {name for name in open_columns if row[-1] == begun and before[name] == values[name]}
            if not open_columns:
                break
            begun = table.row_position(row)
            since.update(dict.fromkeys(open_columns, begun))
        records = {each: self._application.record_at(each) for each in set(since.values())}
        return {name: _blamed(value, records[since[name]]) for name, value in values.items()}


def net(found: Iterable[TableChange]) -> Iterator[TableChange]:
    """Of a table's changes, what is left of those of each row, by the position of the last of them."""
    last: dict[tuple[Value, ...], TableChange] = {}
    for change in found:
        first = last.pop(change.key, None)
        last[change.key] = change if first is None else change._replace(was=first.was)
    return (change for change in last.values() if change.columns)


def to_row_change(change: TableChange, event_id: str, type_name: str) -> RowChange:
    """A change as callers see it."""
    table = change.table
    was, now = (None if row is None else table.values_of(row) for row in (change.was, change.now))
    return RowChange(
        table.name, table.key_of(change.key), was, now, change.columns, change.position, event_id, type_name
    )


def _blamed(value: Value, record: RecordedEvent) -> Blame:
    about = record.metadata
    return Blame(value, record.position, record.id, record.type, about.recorded_at, about.actor)


def _told(value: Value) -> str:
    return "nothing" if value is None else visible(value)
