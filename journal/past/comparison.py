"""What is otherwise in a branch than in the journal that it began in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...domain.shown import visible
from ...projections import TableChange, TemporalStore, TemporalTable, Value, changes
from ..storage.recording import PositionedRecorder
from .changes import key_parts, key_to_json, net


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is otherwise in a branch than in the journal.

    Attributes:
        table: the table's name.
        key: the row's key; of several columns, a tuple.
        in_branch: the columns as they are in the branch; None if there is no row.
        in_journal: the columns as they are in the journal; None if there is no row.
        columns: the columns that differ; all, where only one of them has the row.
        branch_event: the id of the event that made it so in the branch; None if the row is there as it was.
        journal_event: the id of the event that made it so in the journal; None if the row is there as it was.
    """

    table: str
    key: Any
    in_branch: dict[str, Value] | None
    in_journal: dict[str, Value] | None
    columns: tuple[str, ...]
    branch_event: str | None
    journal_event: str | None

    def __str__(self) -> str:
        key = ", ".join(map(visible, key_parts(self.key)))
        there, here = self._told(self.in_journal, self.journal_event), self._told(self.in_branch, self.branch_event)
        return f"{self.table} {key}: in the journal {there}; in the branch {here}"

    def to_json(self) -> dict[str, Any]:
        """The difference as what JSON knows."""
        return {
            "table": self.table,
            "key": key_to_json(self.key),
            "in_branch": self.in_branch,
            "in_journal": self.in_journal,
            "columns": list(self.columns),
            "branch_event": self.branch_event,
            "journal_event": self.journal_event,
        }

    def _told(self, row: dict[str, Value] | None, event: str | None) -> str:
        values = {} if row is None else {name: row[name] for name in self.columns}
        if self.in_branch is None or self.in_journal is None:
            values = {name: value for name, value in values.items() if value is not None}
        said = [f"{name} {'-' if value is None else visible(value)}" for name, value in values.items()]
        return (", ".join(said) or "nothing") + (f" ({visible(event)})" if event else "")


class Comparison(Sequence[Difference]):
    """What is otherwise in a branch than in the journal, by table: first what the branch changed.

    Attributes:
        base: the position that the branch began at.
        branch_head: the last position of the branch.
        journal_head: the last position of the journal.
    """

    def __init__(self, base: int, branch_head: int, journal_head: int, found: Iterable[Difference]) -> None:
        self.base, self.branch_head, self.journal_head = base, branch_head, journal_head
        self._differences = tuple(found)

    def __getitem__(self, index: Any) -> Any:
        return self._differences[index]

    def __len__(self) -> int:
        return len(self._differences)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Comparison) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.base, self.branch_head, self.journal_head))

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "nothing is otherwise in the branch than in the journal"

    def __repr__(self) -> str:
        return f"<Comparison of what came after position {self.base}: {len(self)} differences>"

    def to_json(self) -> dict[str, Any]:
        """The differences as what JSON knows."""
        return {
            "base": self.base,
            "branch_head": self.branch_head,
            "journal_head": self.journal_head,
            "differences": [each.to_json() for each in self],
        }


class Side(NamedTuple):
    """A branch, or the journal that it began in, caught up.

    Attributes:
        recorder: records its events.
        store: its tables.
        head: the position that they have come to.
    """

    recorder: PositionedRecorder
    store: TemporalStore
    head: int

    def changed(self, table: TemporalTable, base: int) -> dict[tuple[Value, ...], TableChange]:
        """What is left, of each row, of what changed behind a position."""
        return {change.key: change for change in net(changes(self.store, table, base, self.head))}


class _Unlike(NamedTuple):
    """A row that differs.

    Attributes:
        change: what it would take to make the journal's row the branch's.
        branch_position: the position of the event that made it so in the branch; None if it is there as it was.
        journal_position: the same in the journal.
    """

    change: TableChange
    branch_position: int | None
    journal_position: int | None

    def told(self, branch: dict[int, tuple[str, str]], journal: dict[int, tuple[str, str]]) -> Difference:
        """The difference as callers see it, with the names of the events of either side."""
        table, was, now = self.change.table, self.change.was, self.change.now
        return Difference(
            table=table.name,
            key=table.key_of(self.change.key),
            in_branch=None if now is None else table.values_of(now),
            in_journal=None if was is None else table.values_of(was),
            columns=self.change.columns,
            branch_event=None if self.branch_position is None else branch[self.branch_position][0],
            journal_event=None if self.journal_position is None else journal[self.journal_position][0],
        )


def compare(branch: Side, journal: Side, base: int, tables: Iterable[TemporalTable]) -> Comparison:
    """Compare the rows that either changed behind the position where the branch began; all others are the same."""
    found = [each for table in tables for each in _unlike(branch.changed(table, base), journal.changed(table, base))]
    in_branch = branch.recorder.names({each.branch_position for each in found if each.branch_position is not None})
    in_journal = journal.recorder.names({each.journal_position for each in found if each.journal_position is not None})
    return Comparison(base, branch.head, journal.head, (each.told(in_branch, in_journal) for each in found))


def _unlike(
    here: dict[tuple[Value, ...], TableChange], there: dict[tuple[Value, ...], TableChange]
) -> Iterator[_Unlike]:
    for key in {**here, **there}:
        mine, theirs = here.get(key), there.get(key)
        known = here[key] if key in here else there[key]
        # Who did not change a row has it as it was before the other did.
        now, was = mine.now if mine else known.was, theirs.now if theirs else known.was
        change = known._replace(was=was, now=now)
        if change.columns:
            yield _Unlike(change, mine and mine.position, theirs and theirs.position)
