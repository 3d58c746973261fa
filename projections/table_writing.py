"""What changes temporal tables: one transaction at a time, or a rebuild of all of them beside the live ones."""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Final, TypeAlias

from .temporal import FOREVER, PREFIX, Change, Folding, Row, TemporalTable, Value

REBUILD: Final = "__rebuild_"
"""What the name of a table that is being rebuilt has in it."""

MAX_OPENED: Final = 500_000
"""How many rows of a rebuild wait in memory for their end; about 200 bytes each."""

MAX_FINISHED: Final = 50_000
"""How many rows of a rebuild that have ended are written together."""

Differences: TypeAlias = dict[str, list[tuple[str, Row]]]
"""Rows that are not as they had stood, by table: ``missing`` or ``added``, and the row."""

POSITIONS: Final = "SELECT application_name, notification_id FROM tracking"
"""The statement that finds how far each projection has come."""

_TRACK: Final = (
    "INSERT INTO tracking (application_name, notification_id) VALUES (?, ?) "
    "ON CONFLICT (application_name) DO UPDATE SET notification_id=excluded.notification_id"
)


class TableWriter(ABC):
    """One transaction that changes tables. It is the only one at its time."""

    def positions(self) -> dict[str, int]:
        """How far each projection has come."""
        return positions_of(self.run(POSITIONS))

    def current(self, table: TemporalTable, key: tuple[Value, ...], suffix: str = "") -> Row | None:
        """Read one row as it is."""
        keys = " AND ".join(f"{column}=?" for column in table.key)
        statement = f"SELECT {table.selected} FROM {table.physical_name}{suffix} WHERE {keys} AND until=?"
        rows = self.run(statement, [*key, FOREVER])
        return rows[0] if rows else None

    def apply(self, changes: Iterable[tuple[int, Change]]) -> None:
        """Write changes, each with the position of its event, in the order of the events."""
        foldings: dict[TemporalTable, Folding] = {}
        for position, change in changes:
            folding = foldings.get(change.table)
            if folding is None:
                folding = foldings[change.table] = Folding(change.table)
            folding.take(position, change)
        for folding in foldings.values():
            self.write(folding, folding.table.physical_name)

    def write(self, folding: Folding, name: str, *, opened: bool = True) -> None:
        """Write what was folded to a table, in the order of its keys.

        Args:
            folding: what was folded.
            name: the table's name in the database.
            opened: whether to write rows that have not ended.
        """
        closed, rows = folding.drain(opened=opened)
        self.close_rows(folding.table, name, closed)
        # In the order of their keys, rows meet the pages that they belong on one after the other.
        self.insert_rows(folding.table, name, sorted(rows, key=itemgetter(slice(len(folding.table.key)))))

    def track(self, projection: str, position: int) -> None:
        """Record how far a projection has come."""
        self.run(_TRACK, [projection, position])

    @abstractmethod
    def run(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run a statement with ``?`` for its parameters; return its rows."""

    @abstractmethod
    def close_rows(self, table: TemporalTable, name: str, closed: Sequence[tuple[int, tuple[Value, ...]]]) -> None:
        """End the rows that stand under these keys, each at its position."""

    @abstractmethod
    def insert_rows(self, table: TemporalTable, name: str, rows: Sequence[Row]) -> None:
        """Write new rows."""

    @abstractmethod
    def table_names(self) -> set[str]:
        """The names of the tables that there are."""

    @abstractmethod
    def create(self, table: TemporalTable, name: str) -> None:
        """Make a table, without the indexes that only readers need."""

    @abstractmethod
    def create_tracking(self) -> None:
        """Make the table of how far each projection has come, if there is none."""

    @abstractmethod
    def are_equal(self, table: TemporalTable, live: str, rebuilt: str) -> bool:
        """Whether two tables hold the same rows."""

    def create_indexes(self, table: TemporalTable) -> None:
        """Make the indexes that readers need."""
        for name, covered in table.indexes.items():
            self.run(f"CREATE INDEX {name} ON {table.physical_name} {covered}")

    def difference(self, table: TemporalTable, live: str, rebuilt: str) -> list[tuple[str, Row]]:
        """The rows that only one of two tables holds."""
        columns = f"{table.selected}, until"
        rows: list[tuple[str, Row]] = []
        for what, left, right in (("missing", live, rebuilt), ("added", rebuilt, live)):
            statement = f"SELECT {columns} FROM {left} EXCEPT SELECT {columns} FROM {right}"
            rows += [(what, row) for row in self.run(statement)]
        return rows


class Rebuild(ABC):
    """Tables that are rebuilt beside the live ones, from the first event.

    Rows wait in memory until they have ended, so that most are written once, and none is looked for.

    Args:
        tables: which tables.
    """

    def __init__(self, tables: Sequence[TemporalTable]) -> None:
        self._foldings = {table: Folding(table, is_empty=True) for table in tables}
        # What their names end with until they are put in place; no other rebuild uses it.
        self._suffix = f"{REBUILD}{os.getpid()}_{secrets.token_hex(4)}"

    def current(self, table: TemporalTable, key: tuple[Value, ...]) -> Row | None:
        """Read one row as it is in the table that is being made."""
        folding = self._foldings[table]
        if folding.knows(key):
            return folding.current(key)
        with self._write() as writer:
            return writer.current(table, key, self._suffix)

    def take(self, changes: Iterable[tuple[int, Change]]) -> None:
        """Take changes in, each with the position of its event, in the order of the events."""
        foldings = self._foldings
        for position, change in changes:
            foldings[change.table].take(position, change)
        is_full = sum(folding.opened for folding in foldings.values()) > MAX_OPENED
        if is_full or sum(folding.finished for folding in foldings.values()) > MAX_FINISHED:
            with self._write() as writer:
                self._flush(writer, opened=is_full)

    @abstractmethod
    def finish(self, positions: Mapping[str, int], *, compare: bool, is_end: bool) -> Differences | None:
        """Put the rebuilt tables in the place of the live ones.

        Args:
            positions: how far each projection was rebuilt.
            compare: whether to look for differences first; the live tables have to have come as far for that.
            is_end: whether no event is behind these positions, so that live tables that claim more are wrong.

        Returns:
            The rows that differ; None if the live tables have come further meanwhile, and nothing was done.
        """

    @abstractmethod
    def _write(self) -> AbstractContextManager[TableWriter]:
        """The transaction that what was taken in is written in."""

    def _flush(self, writer: TableWriter, *, opened: bool) -> None:
        for table, folding in self._foldings.items():
            writer.write(folding, table.physical_name + self._suffix, opened=opened)

    def _swap(
        self, writer: TableWriter, positions: Mapping[str, int], *, compare: bool, is_end: bool
    ) -> Differences | None:
        current = writer.positions()
        if not is_end and any(current.get(name, 0) > position for name, position in positions.items()):
            return None
        self._flush(writer, opened=True)
        differences: Differences = {}
        for table in self._foldings:
            live, rebuilt = table.physical_name, table.physical_name + self._suffix
            if compare and not writer.are_equal(table, live, rebuilt):
                differences[table.name] = writer.difference(table, live, rebuilt)
            writer.run(f"DROP TABLE {live}")
            writer.run(f"ALTER TABLE {rebuilt} RENAME TO {live}")
            writer.create_indexes(table)
        for name, position in positions.items():
            writer.track(name, position)
        needed = {table.physical_name for table in self._foldings}
        for name in writer.table_names():
            if name.startswith(PREFIX) and name not in needed and REBUILD not in name:
                writer.run(f"DROP TABLE {name}")
        return differences


def positions_of(rows: Iterable[Row]) -> dict[str, int]:
    """How far projections have come; what somebody made no number counts as nowhere."""
    return {name: position if isinstance(position, int) else 0 for name, position in rows}
