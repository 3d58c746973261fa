"""The table ``journal``, which says which journal this is; it only grows, as the events do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from ...domain import JournalDamaged, NewerSchema, NotAJournal, NotStored
from .identity import FIRST_FORMAT, MAX_ROWS, Fact, FormatSince, Identity, identity_of, new_id
from .recording import PositionedRecorder

FORMAT: Final = 3
"""The layout of what is stored, and the rules that events are decided by; whoever changes either raises it."""

TABLE: Final = "journal"

_COLUMNS: Final = ["number", "kind", "value", "position"]


class IdentityTable(ABC):
    """The table ``journal`` on an engine.

    Args:
        recorder: records the journal's events.
        place: where the journal is, for messages.
    """

    def __init__(self, recorder: PositionedRecorder, place: str) -> None:
        self._recorder = recorder
        self._place = place
        self._settled: Identity | None = None

    def read(self) -> Identity:
        """What the table says; where there is none, what goes for a journal of an older Muniment."""
        if self._settled is None:
            head = self._recorder.head()
            with self._reading() as cursor:
                identity = self._read(cursor)
            if identity.id is None or identity.is_copy or not head:
                return identity
            # Only a first write to a copy, or an import into an empty journal, changes it.
            self._settled = identity
        return self._settled

    def prepare(self, *, read_only: bool) -> None:
        """Do what an opening has to: refuse what is newer; unless it is read only, bring what is older up to date.

        Raises:
            NewerSchema
            NotAJournal: it is older, and has a table of this name, of something else.
            JournalDamaged: the table makes no sense, and the journal was to be written.
        """
        with self._reading() as cursor:
            identity = self._require_known(cursor)
        if read_only:
            return
        if identity.id is None or identity.format < FORMAT:
            with self._writing() as cursor:
                identity = self._upgrade(cursor)
        if identity.problems:
            raise JournalDamaged(self._place, identity.problems[0])
        self._recorder.before_append = self._before_append

    def create(self, cursor: Any) -> None:
        """Make the table in a new journal."""
        self._create(cursor)
        self._add(cursor, [Fact("id", new_id(), 0), Fact("format", str(FORMAT), 0)])

    def adopt(self, cursor: Any, origin: Identity, through: int) -> None:
        """Say, in a journal that was empty, that its events up to a position are those of another.

        Args:
            cursor: of the transaction in which they were appended.
            origin: the other journal; a new id is given if it has none.
            through: the last position that was taken over.
        """
        self._add(cursor, origin.as_of(through).facts())
        if origin.id is not None:
            self._add(cursor, [Fact("copy", "", through)])
        if origin.as_of(through).format < FORMAT:
            self._add(cursor, [Fact("format", str(FORMAT), through)])

    def mark_restored(self) -> str:
        """Say that what is appended from now on is not what was appended elsewhere; return the restore id."""
        with self._writing() as cursor:
            self._add(cursor, [restore := Fact("restore", new_id(), self._head(cursor))])
        self._settled = None
        return restore.value

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the table, and whether what else says the format agrees with it."""
        with self._reading() as cursor:
            identity, version = self._read(cursor), self._version(cursor)
        yield from identity.problems
        # Asked afterwards: what was appended meanwhile only moves it on.
        head = self._recorder.head()
        for position in identity.positions():
            if position > head:
                yield f"the table journal speaks of position {position}, and the last one is {head}"
        if not identity.problems and version != identity.format:
            yield f"the schema version says format {version}, and the table journal {identity.format}"

    def _read(self, cursor: Any) -> Identity:
        if self._columns(cursor) != _COLUMNS:
            is_missing = self._version(cursor) > FIRST_FORMAT
            return Identity(problems=("the table journal is missing, or is something else's",) if is_missing else ())
        statement = f"SELECT {', '.join(_COLUMNS)} FROM {self._table} ORDER BY number LIMIT {MAX_ROWS + 1}"
        return identity_of(self._run(cursor, statement))

    def _require_known(self, cursor: Any) -> Identity:
        identity = self._read(cursor)
        if identity.format > FORMAT:
            raise NewerSchema(self._place, identity.format, FORMAT)
        return identity

    def _upgrade(self, cursor: Any) -> Identity:
        """Bring a journal of an older Muniment up to date, unless another process was faster."""
        identity = self._require_known(cursor)
        if identity.problems:
            return identity
        head = self._head(cursor)
        if identity.id is None:
            if self._columns(cursor):
                raise NotAJournal(self._place, f"it needs the name of its table {TABLE!r}; rename that table first")
            self._create(cursor)
            self._add(cursor, Identity(new_id(), (FormatSince(FIRST_FORMAT if head else FORMAT, 0),)).facts())
        if identity.format < FORMAT and head:
            self._add(cursor, [Fact("format", str(FORMAT), head)])
        self._set_version(cursor)
        return self._read(cursor)

    def _before_append(self, cursor: Any) -> None:
        """Give a copy a restore id before its first event; the id tells its events from those appended elsewhere."""
        head = self._head(cursor)
        if self._read(cursor).is_copy:
            self._add(cursor, [Fact("restore", new_id(), head)])
        elif head:
            # An empty journal may still become a copy, by an import.
            self._recorder.before_append = None

    def _add(self, cursor: Any, facts: Iterable[Fact]) -> None:
        statement = f"INSERT INTO {self._table} SELECT COALESCE(MAX(number), 0) + 1, ?, ?, ? FROM {self._table}"
        for fact in facts:
            self._run(cursor, statement, fact)
            if cursor.rowcount != 1:
                raise NotStored(self._place, "its table journal did not keep a row")

    def _head(self, cursor: Any) -> int:
        return int(self._run(cursor, self._recorder.select_head)[0][0] or 0)

    @property
    @abstractmethod
    def _table(self) -> str:
        """The table's name in statements."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Any]:
        """A transaction that reads; it gives a cursor."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Any]:
        """A transaction during which nobody else opens or appends; it gives a cursor."""

    @abstractmethod
    def _run(self, cursor: Any, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a statement with ``?`` for its parameters; return the rows that it finds."""

    @abstractmethod
    def _columns(self, cursor: Any) -> list[str]:
        """The names of the table's columns; none if there is no table."""

    @abstractmethod
    def _create(self, cursor: Any) -> None:
        """Make the table, and the triggers that keep it append-only."""

    @abstractmethod
    def _version(self, cursor: Any) -> int:
        """The version of the schema, where older Muniments look for it."""

    @abstractmethod
    def _set_version(self, cursor: Any) -> None:
        """Say there that the format is this Muniment's."""
