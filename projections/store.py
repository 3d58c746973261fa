"""Where temporal tables are kept: what is the same in every database, and what each has to say for itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Final

from .table_writing import POSITIONS, Rebuild, TableWriter, positions_of
from .temporal import FOREVER, Row, TemporalTable, Value

_PAGE_SIZE: Final = 1_000

TRACKING: Final = "tracking"
"""The table of how far each projection has come; its columns are those of the ``eventsourcing`` library."""


class TemporalStore(ABC):
    """Temporal tables in a database, and how far each projection has come, changed in one transaction."""

    tables: tuple[TemporalTable, ...] = ()
    octets: ClassVar[str]
    """The expression that tells how many bytes a value takes as text, ``{}`` being the value."""
    can_be_rebuilt: ClassVar[bool] = True
    """Whether tables can be made anew from the first event."""

    @abstractmethod
    def write(self) -> AbstractContextManager[TableWriter]:
        """A transaction that changes tables. What it writes can be made again, so it does not wait for the disk."""

    @abstractmethod
    def rebuild(self) -> AbstractContextManager[Rebuild]:
        """Rebuild every table; what is not finished when the block ends is dropped."""

    @abstractmethod
    def table_names(self) -> set[str]:
        """The names of the tables that there are."""

    @abstractmethod
    def fetch(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Read rows, by a statement with ``?`` for its parameters."""

    def create_missing(self, projections: Mapping[str, tuple[TemporalTable, ...]]) -> None:
        """Make the tables that are not there. A projection that lost one starts again from the first event.

        Args:
            projections: the tables of each projection, by the name under which its progress is kept.
        """
        self.tables = tuple(table for tables in projections.values() for table in tables)
        needed = {table.physical_name for table in self.tables} | {TRACKING}
        if needed <= self.table_names():
            return
        with self.write() as writer:
            present = writer.table_names()
            if TRACKING not in present:
                writer.create_tracking()
            for name, tables in projections.items():
                if {table.physical_name for table in tables} <= present:
                    continue
                writer.run("DELETE FROM tracking WHERE application_name=?", [name])
                for table in tables:
                    writer.run(f"DROP TABLE IF EXISTS {table.physical_name}")
                    writer.create(table, table.physical_name)
                    writer.create_indexes(table)

    def positions(self) -> dict[str, int]:
        """How far each projection has come."""
        return positions_of(self.fetch(POSITIONS))

    def select(
        self,
        table: TemporalTable,
        position: int | None,
        where: Mapping[str, Value] | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        between: tuple[str, int, int] | None = None,
        order: Sequence[str] = (),
    ) -> list[Row]:
        """Read rows as they are, or as they were.

        Args:
            table: which table.
            position: the position to read as of; None for now.
            where: columns, and what they must equal.
            after: only rows that began after this position.
            limit: at most so many rows.
            between: a column of numbers, and the least and the greatest that it may be.
            order: the columns that the rows are sorted by before the key.

        Returns:
            The rows, by those columns and by key.
        """
        conditions, parameters = _as_of(position)
        for column, value in (where or {}).items():
            conditions.append(f"{column}=?")
            parameters.append(value)
        if after:
            conditions.append("since>?")
            parameters.append(after)
        if between is not None:
            column, least, greatest = between
            conditions.append(f"{column}>=? AND {column}<=?")
            parameters += [least, greatest]
        statement = (
            f"SELECT {table.selected} FROM {table.physical_name} "
            f"WHERE {' AND '.join(conditions)} ORDER BY {', '.join([*order, *table.key])}"
        )
        if limit is not None:
            statement += " LIMIT ?"
            parameters.append(limit)
        return self.fetch(statement, parameters)

    def scan(self, table: TemporalTable, position: int) -> Iterator[Row]:
        """Read a table's whole history as it was at a position, in pages, by key and time.

        Yields:
            Rows with their ``until`` at the end, as they stood then.
        """
        keys = [*table.key, "since"]
        columns = [*table.key, *table.columns, "since"]
        after: list[Value] = []
        while True:
            behind = f"AND ({', '.join(keys)}) > ({', '.join('?' * len(keys))}) " if after else ""
            rows = self.fetch(
                f"SELECT {', '.join(columns)}, CASE WHEN until>? THEN {FOREVER} ELSE until END "
                f"FROM {table.physical_name} WHERE since<=? {behind}ORDER BY {', '.join(keys)} LIMIT {_PAGE_SIZE}",
                [position, position, *after],
            )
            yield from rows
            if len(rows) < _PAGE_SIZE:
                return
            last = dict(zip([*columns, "until"], rows[-1], strict=True))
            after = [last[name] for name in keys]

    def get(self, table: TemporalTable, position: int | None, key: tuple[Value, ...]) -> Row | None:
        """Read one row as it is, or as it was."""
        as_of = FOREVER if position is None else position
        keys = " AND ".join(f"{column}=?" for column in table.key)
        rows = self.fetch(
            f"SELECT {table.selected}, until FROM {table.physical_name} "
            f"WHERE {keys} AND since<=? ORDER BY since DESC LIMIT 1",
            [*key, as_of],
        )
        if not rows:
            return None
        *row, until = rows[0]
        ended = until != FOREVER if position is None else until <= position
        return None if ended else tuple(row)

    def began(self, table: TemporalTable, after: int, through: int, key: Sequence[Value] = ()) -> list[Row]:
        """Read the rows that began behind a position and up to another.

        Args:
            table: which table.
            after: the position behind which.
            through: the position up to which.
            key: only rows whose key begins with these.

        Returns:
            Rows with their ``until`` at the end, by the position at which they began.
        """
        return self._in_between(table, "since", after, through, key)

    def ended(self, table: TemporalTable, after: int, through: int, key: Sequence[Value] = ()) -> list[Row]:
        """Read the rows that ended behind a position and up to another; see ``began``."""
        return self._in_between(table, "until", after, through, key)

    def changed(self, table: TemporalTable, after: int, through: int) -> list[int]:
        """Read the positions behind one and up to another at which rows began or ended, in order."""
        name = table.physical_name
        statement = (
            f"SELECT since FROM {name} WHERE since>? AND since<=? UNION "
            f"SELECT until FROM {name} WHERE until>? AND until<=? AND until<{FOREVER} ORDER BY 1"
        )
        return [row[0] for row in self.fetch(statement, [after, through, after, through])]

    def _in_between(
        self, table: TemporalTable, bound: str, after: int, through: int, key: Sequence[Value]
    ) -> list[Row]:
        conditions = [f"{bound}>? AND {bound}<=?", *(f"{column}=?" for column, _ in zip(table.key, key, strict=False))]
        if bound == "until":
            # Said as the index of the rows that have ended says it.
            conditions.append(f"until<{FOREVER}")
        statement = (
            f"SELECT {table.selected}, until FROM {table.physical_name} "
            f"WHERE {' AND '.join(conditions)} ORDER BY {bound}, {', '.join(table.key)}"
        )
        return self.fetch(statement, [after, through, *key])

    def versions(self, table: TemporalTable, key: Sequence[Value], before: int, limit: int) -> list[Row]:
        """Read what a key's row was, newest first.

        Args:
            table: which table.
            key: the key, whole.
            before: only rows that began before this position.
            limit: at most so many.

        Returns:
            Rows with their ``until`` at the end.
        """
        keys = " AND ".join(f"{column}=?" for column in table.key)
        statement = (
            f"SELECT {table.selected}, until FROM {table.physical_name} "
            f"WHERE {keys} AND since<? ORDER BY since DESC LIMIT ?"
        )
        return self.fetch(statement, [*key, before, limit])

    def last_position(self, table: TemporalTable, through: int = FOREVER) -> int:
        """The last position, up to one, at which a row of a table began; 0 if there is none."""
        # Without a bound, whatever somebody put there by hand is found too.
        bound, parameters = ("", []) if through == FOREVER else (" WHERE since<=?", [through])
        ((last,),) = self.fetch(f"SELECT coalesce(max(since), 0) FROM {table.physical_name}{bound}", parameters)
        return last if isinstance(last, int) else FOREVER

    def count(self, table: TemporalTable, position: int | None, where: Mapping[str, Value] | None = None) -> int:
        """How many rows there are, or were, of which these columns equal these values."""
        conditions, parameters = _as_of(position)
        for column, value in (where or {}).items():
            conditions.append(f"{column}=?")
            parameters.append(value)
        statement = f"SELECT COUNT(*) FROM {table.physical_name} WHERE {' AND '.join(conditions)}"
        return int(self.fetch(statement, parameters)[0][0])

    def last_until(self, table: TemporalTable, column: str, at_most: Value) -> int | None:
        """Where the latest row whose column is at most this ended; None if no row ever was.

        Returns:
            A position, or ``FOREVER`` if that row has not ended.
        """
        last = self.latest(table, column, at_most)
        return None if last is None else int(last[2])

    def latest(
        self, table: TemporalTable, column: str, at_most: Value, through: int = FOREVER
    ) -> tuple[Any, int, int] | None:
        """Find the row with the greatest value of a column that is at most this, and of those the last to begin.

        Args:
            table: which table.
            column: a column by which rows are looked up.
            at_most: the greatest value that it may have.
            through: only rows that began up to this position.

        Returns:
            The value, and where the row began and ended; None if there is no such row.
        """
        rows = self.fetch(
            f"SELECT {column}, since, until FROM {table.physical_name} WHERE {column}<=? AND since<=? "
            f"ORDER BY {column} DESC, since DESC LIMIT 1",
            [at_most, through],
        )
        return rows[0] if rows else None

    def totals(
        self,
        table: TemporalTable,
        position: int,
        columns: Sequence[str],
        nullable: Sequence[str],
        sums: Sequence[str] = (),
    ) -> tuple[list[int], list[int]]:
        """Add up the rows that a table had come to at a position, in one statement.

        Args:
            table: which table.
            position: the position.
            columns: of which columns the bytes are to be added up.
            nullable: of which columns it is to be counted where they say something.
            sums: what else is to be added up, as SQL has it.

        Returns:
            Two times how many rows there are, and what was asked for, in that order: of those that held at the
            position, and of those that had ended.
        """
        asked = [
            *(f"COALESCE(SUM({self.octets.format(column)}), 0)" for column in columns),
            *(f"COUNT({column})" for column in nullable),
            *(f"COALESCE(SUM({each}), 0)" for each in sums),
        ]
        rows = self.fetch(
            f"SELECT CASE WHEN until>? THEN 1 ELSE 0 END AS holds, COUNT(*), {', '.join(asked)} "
            f"FROM {table.physical_name} WHERE since<=? GROUP BY holds",
            [position, position],
        )
        found = {row[0]: list(map(int, row[1:])) for row in rows}
        empty = [0] * (1 + len(asked))
        return found.get(1, empty), found.get(0, empty)


def _as_of(position: int | None) -> tuple[list[str], list[Value]]:
    if position is None:
        return [f"until={FOREVER}"], []
    return ["since<=?", "until>?"], [position, position]
