"""Which journal this is: its id, the copies that it comes from, the formats it was written in. And its cursors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final, NamedTuple

from ...domain import InvalidArgument, JournalWithoutId, OtherPast
from ...domain.identifiers import natural_number, text

FIRST_FORMAT: Final = 1
"""The format of a journal that names none: the table ``journal`` came with the second."""

MAX_ROWS: Final = 100_000
"""How many rows the table ``journal`` has at most; each copy that is written to adds two."""

_ID: Final = re.compile(r"[0-9a-f]{32}")
_FORMAT: Final = re.compile(r"[1-9][0-9]{0,8}")
_CURSOR: Final = re.compile(r"([0-9a-f]{32})-([0-9a-f]{32}|0)-(0|[1-9][0-9]{0,18})")
_SHOWN: Final = 100


def new_id() -> str:
    """An id that no other journal and no other copy has."""
    return token_hex(16)


class Fact(NamedTuple):
    """A row of the table ``journal``.

    Attributes:
        kind: ``id``, ``format``, ``restore`` or ``copy``.
        value: the id, the format, the restore id; empty for a copy.
        position: the last position before it counts.
    """

    kind: str
    value: str
    position: int


class FormatSince(NamedTuple):
    """A format, and since when it is in force.

    Attributes:
        format: its number, from 1.
        after: the last position before it is in force.
    """

    format: int
    after: int


class Restore(NamedTuple):
    """A copy that was written to.

    Attributes:
        id: tells its events from those that other copies append at the same positions.
        after: the last position that it took over.
    """

    id: str
    after: int


@dataclass(frozen=True, slots=True)
class Identity:
    """What the table ``journal`` says.

    Attributes:
        id: the journal's id; None if an older Muniment made it and nobody opened it for writing since.
        formats: the formats that it was written in, rising.
        restores: the copies that it comes from, in their order.
        is_copy: whether it is a copy to which nothing was appended yet.
        problems: what is wrong with the table.
    """

    id: str | None = None
    formats: tuple[FormatSince, ...] = (FormatSince(FIRST_FORMAT, 0),)
    restores: tuple[Restore, ...] = ()
    is_copy: bool = False
    problems: tuple[str, ...] = ()

    @property
    def format(self) -> int:
        """The format that the journal is written in now."""
        return self.formats[-1].format

    def format_at(self, position: int) -> int:
        """The format that was in force when the event at a position was appended."""
        position = natural_number("position", position)
        return next((each.format for each in reversed(self.formats) if each.after < position), self.formats[0].format)

    def restore_at(self, position: int) -> str:
        """The restore id that was in force when the event at a position was appended; empty before the first."""
        position = natural_number("position", position)
        return next((each.id for each in reversed(self.restores) if each.after < position), "")

    def positions(self) -> list[int]:
        """The positions that it speaks of."""
        return [*(each.after for each in self.formats), *(each.after for each in self.restores)]

    def as_of(self, head: int) -> Identity:
        """What it was when the journal ended at a position."""
        head = natural_number("head", head)
        formats = tuple(each for each in self.formats if each.after < head)
        restores = tuple(each for each in self.restores if each.after < head)
        return Identity(self.id, formats or self.formats[:1], restores)

    def facts(self) -> list[Fact]:
        """The rows that say the same in another journal; a journal without an id gets one."""
        formats = [Fact("format", str(each.format), each.after) for each in self.formats]
        restores = [Fact("restore", each.id, each.after) for each in self.restores]
        by_position = sorted([*formats, *restores], key=lambda fact: fact.position)
        return [Fact("id", new_id() if self.id is None else self.id, 0), *by_position]

    def cursor(self, position: int) -> str | None:
        """The cursor of a position: the journal's id, the restore id in force there or 0, the position."""
        position = natural_number("position", position)
        return self.id and f"{self.id}-{self.restore_at(position) or 0}-{position}"

    def position_of(self, cursor: str, place: str) -> int:
        """The position that a cursor stands at.

        Args:
            cursor: what ``cursor`` gave, here or in another copy of the journal.
            place: where the journal is, for the message.

        Raises:
            InvalidArgument: it is no cursor.
            OtherPast: it is one of another journal, or of events that this one does not have.
            JournalWithoutId
        """
        cursor = text("after", cursor)
        parts = _CURSOR.fullmatch(cursor)
        if parts is None:
            shown = cursor if len(cursor) <= _SHOWN else f"{cursor[:_SHOWN]}…"
            raise InvalidArgument("after", f"must be a position, or a cursor of journal.cursor, not {shown!r}")
        if self.id is None:
            raise JournalWithoutId(place)
        journal, restore = parts[1], "" if parts[2] == "0" else parts[2]
        position = natural_number("after", int(parts[3]))
        here = self.restore_at(position)
        if (journal, restore) != (self.id, here):
            shared = self._shared(restore, position) if journal == self.id else 0
            raise OtherPast(cursor, self.id, here, position, shared)
        return position

    def _shared(self, restore: str, position: int) -> int | None:
        """The last position of another past that this one has too; None where only that past knows."""
        known = ["", *(each.id for each in self.restores)]
        if restore not in known:
            return None
        return min(position, *(each.after for each in self.restores[known.index(restore) :]))


def identity_of(rows: Iterable[Sequence[Any]]) -> Identity:
    """Read the rows of the table ``journal``: number, kind, value, position. It never fails; it says what is wrong."""
    reading = _Reading()
    for row in rows:
        reading.add(*row)
    return reading.result()


class _Reading:
    """The rows of the table ``journal``, taken in one by one."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._formats: list[FormatSince] = []
        self._restores: list[Restore] = []
        self._is_copy = False
        self._problems: list[str] = []
        self._number = 0
        self._position = 0

    def add(self, number: object, kind: object, value: object, position: object) -> None:
        self._number += 1
        if self._number > MAX_ROWS:
            self._problems.append(f"the table journal has more than {MAX_ROWS} rows")
        elif number != self._number:
            self._problems.append(f"the table journal has row {number!r} where number {self._number} is expected")
        elif not isinstance(value, str) or not isinstance(position, int) or not self._take(kind, value, position):
            self._problems.append(f"row {number} of the table journal does not fit those before it")

    def result(self) -> Identity:
        if self._id is None:
            self._problems.append("the table journal has no id")
        if not self._formats:
            self._problems.append("the table journal has no format")
        elif self._formats[0].after:
            # Otherwise later rules could be kept from what they were in force for.
            self._problems.append(f"the table journal says no format up to position {self._formats[0].after}")
        formats = tuple(self._formats) or Identity().formats
        return Identity(self._id, formats, tuple(self._restores), self._is_copy, tuple(self._problems))

    def _take(self, kind: object, value: str, position: int) -> bool:
        """Take a row in, unless it makes no sense; return whether it did."""
        is_later, self._position = position >= self._position, max(position, self._position)
        if kind == "id" and _ID.fullmatch(value):
            # An empty journal becomes another by an import. Nothing else makes one another.
            self._id, self._formats, self._restores, self._is_copy = value, [], [], False
            return is_later and self._position == 0
        if self._id is None or not is_later:
            return False
        if kind == "format" and _FORMAT.fullmatch(value):
            rises = not self._formats or int(value) > self._formats[-1].format
            self._formats.append(FormatSince(int(value), position))
            return rises
        if kind == "restore" and _ID.fullmatch(value):
            self._restores.append(Restore(value, position))
            self._is_copy = False
            return True
        self._is_copy = kind == "copy"
        return self._is_copy and not value
