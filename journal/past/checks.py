"""Named predicates over moments, each kept up from change to change instead of being read anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar, Final

from ...domain import CATALOGUE, FootprintClass, UnknownCheck
from ...domain.bundle import BundleLinkRejected
from ...domain.event import Event
from ...domain.identifiers import identifier
from ...domain.laws import Laws
from ...domain.session import Rejection, coherence_violations
from ...domain.session.laws import OwnershipLaws
from ...projections import (
    FootprintsProjection,
    OwnersProjection,
    Progress,
    Projector,
    Row,
    TableChange,
    TemporalStore,
    TemporalTable,
    changes,
    collector_paused,
    history,
    readable,
)
from ..storage.application import JournalApplication
from ..storage.mapper import decode

(_OWNERS,) = OwnersProjection.tables
(_FOOTPRINTS,) = FootprintsProjection.tables
_OWNER, _STATUS = 1, 4
"""The places of columns in a row of owners."""

_SESSION_OWNED: Final = "session-owned:"
_LAWS: Final = range(1, 9)
_OF_OWNERSHIP: Final = (2, 3, 5, 6)
"""The laws that are judged session by session, by whoever owns it."""

CHECKS: Final = (
    "coherent",
    "every-session-owned",
    "no-refusals",
    "session-owned:SESSION",
    *(f"law-{number}" for number in _LAWS),
)
"""The names of all checks; of one, a session's id is a part."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What checks read.

    Attributes:
        application: the events.
        store: the tables.
        projector: what keeps the tables caught up.
    """

    application: JournalApplication
    store: TemporalStore
    projector: Projector


class Check(ABC):
    """A predicate over moments that has a name.

    Args:
        sources: what it reads.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    @abstractmethod
    def holds(self, position: int) -> bool:
        """Whether it holds at a position."""

    @abstractmethod
    def first_failure(self, start: int, end: int, progress: Progress | None = None) -> int | None:
        """The first position from one to another at which it does not hold; None if it always does."""


class _OfTable(Check):
    """A check of one table, which is told of every row that changes.

    Attributes:
        projection: the name of the projection that makes the table.
        table: the table.
        key: only rows whose key begins with these.
    """

    projection: ClassVar[str]
    table: ClassVar[TemporalTable]
    key: tuple[str, ...] = ()

    def first_failure(self, start: int, end: int, progress: Progress | None = None) -> int | None:
        self._sources.projector.catch_up(self.projection, end)
        self._begin(start)
        if self._is_broken():
            return start
        found = changes(self._sources.store, self.table, start, end, self.key)
        for position, together in groupby(found, attrgetter("position")):
            for change in together:
                self._take(change)
            if self._is_broken():
                return int(position)
            if progress is not None:
                progress(position - start, end - start)
        return None

    def holds(self, position: int) -> bool:
        self._sources.projector.catch_up(self.projection, position)
        self._begin(position)
        return not self._is_broken()

    def _rows(self, position: int) -> list[Row]:
        where = dict(zip(self.table.key, self.key, strict=False))
        return self._sources.store.select(self.table, position, where)

    @abstractmethod
    def _begin(self, position: int) -> None:
        """Read how things stand at a position."""

    @abstractmethod
    def _take(self, change: TableChange) -> None:
        """Take one change in."""

    @abstractmethod
    def _is_broken(self) -> bool:
        """Whether it does not hold, as things stand."""


class Coherent(_OfTable):
    """Authorities do not contradict each other over any session (law 7; aura 2.26)."""

    projection = FootprintsProjection.name
    table = _FOOTPRINTS

    def _begin(self, position: int) -> None:
        self._held: dict[str, dict[str, FootprintClass]] = {}
        self._broken: set[str] = set()
        for row in self._rows(position):
            self._held.setdefault(row[1], {})[row[0]] = self._class_of(row)
        for session_id in self._held:
            self._judge(session_id)

    def _take(self, change: TableChange) -> None:
        authority, session_id = map(str, change.key)
        held = self._held.setdefault(session_id, {})
        if change.now is None:
            held.pop(authority, None)
        else:
            held[authority] = self._class_of(change.now)
        # Judged once all that the event changed is taken in.
        self._broken.add(session_id)

    def _is_broken(self) -> bool:
        for session_id in tuple(self._broken):
            self._judge(session_id)
        return bool(self._broken)

    def _class_of(self, row: Row) -> FootprintClass:
        with readable(self.projection, self.table, row):
            return FootprintClass(row[2])

    def _judge(self, session_id: str) -> None:
        if coherence_violations({session_id: list(self._held[session_id].items())}):
            self._broken.add(session_id)
        else:
            self._broken.discard(session_id)


class EverySessionOwned(_OfTable):
    """Every session that is open, and was claimed in this incarnation, has an owner."""

    projection = OwnersProjection.name
    table = _OWNERS

    def _begin(self, position: int) -> None:
        self._claimed: set[str] = set()
        self._lost: set[str] = set()
        for row in self._rows(position):
            # Most have an owner, and only of those that have none is it asked whether they ever had.
            self._judge(row[0], row)
            if row[_OWNER] is None and row[_STATUS] == "active" and self._was_claimed(row[0], position):
                self._claimed.add(row[0])
                self._lost.add(row[0])

    def _take(self, change: TableChange) -> None:
        self._judge(str(change.key[0]), change.now)

    def _is_broken(self) -> bool:
        return bool(self._lost)

    def _judge(self, session_id: str, row: Row | None) -> None:
        self._lost.discard(session_id)
        if row is None or row[_STATUS] != "active":
            self._claimed.discard(session_id)
        elif row[_OWNER] is not None:
            self._claimed.add(session_id)
        elif session_id in self._claimed:
            self._lost.add(session_id)

    def _was_claimed(self, session_id: str, position: int) -> bool:
        """Whether an open session had an owner since it was opened the last time."""
        begun: int | None = None
        for row in history(self._sources.store, self.table, (session_id,), position):
            if row[_STATUS] != "active" or (begun is not None and row[-1] != begun):
                return False
            if row[_OWNER] is not None:
                return True
            begun = self.table.row_position(row)
        return False


class SessionOwned(EverySessionOwned):
    """A session is not open, was not claimed yet in this incarnation, or has an owner."""

    def __init__(self, sources: Sources, session_id: str) -> None:
        super().__init__(sources)
        self.key = (session_id,)


class _OfRecords(Check):
    """A check that is broken by an event, and stays broken from there on."""

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._read = 0
        self._broken: int | None = None

    def holds(self, position: int) -> bool:
        return self.first_failure(position, position) is None

    def first_failure(self, start: int, end: int, progress: Progress | None = None) -> int | None:
        if self._broken is None and self._read < end:
            with collector_paused():
                self._broken = self._find(end, progress)
            self._read = end
        return None if self._broken is None or self._broken > end else max(start, self._broken)

    @abstractmethod
    def _find(self, end: int, progress: Progress | None) -> int | None:
        """The first position, of those that were not read yet and up to one, that breaks it."""


class NoRefusals(_OfRecords):
    """No refusal is on record."""

    def _find(self, end: int, progress: Progress | None) -> int | None:
        recorder = self._sources.application.recorder
        found = recorder.select_notifications(self._read + 1, 1, end, REFUSAL_TYPES)
        return found[0].id if found else None


class Law(_OfRecords):
    """No event breaks a law of the house plan."""

    def __init__(self, sources: Sources, number: int) -> None:
        super().__init__(sources)
        self._prefix = f"law {number}: "
        self._judge = OwnershipLaws() if number in _OF_OWNERSHIP else Laws()

    def _find(self, end: int, progress: Progress | None) -> int | None:
        for page in self._sources.application.recorder.pages(self._read, end):
            for record in map(decode, page):
                if any(each.startswith(self._prefix) for each in self._judge.broken_by(record)):
                    return record.position
            if progress is not None:
                progress(page[-1][0], end)
        return None


def _refusals() -> Iterator[str]:
    kinds: tuple[type[Event[Any]], ...] = (Rejection, BundleLinkRejected)
    for name, cls in CATALOGUE.types().items():
        if issubclass(cls, kinds):
            yield from CATALOGUE.stored_names(name)


REFUSAL_TYPES: Final = tuple(sorted(_refusals()))
"""The stored names of the types of events that put a refusal on record."""


def named_check(sources: Sources, name: str) -> Check:
    """The check of a name.

    Raises:
        UnknownCheck: there is none.
        InvalidIdentifier: the name of the session in it cannot be one.
    """
    if name.startswith(_SESSION_OWNED):
        return SessionOwned(sources, identifier("session_id", name.removeprefix(_SESSION_OWNED)))
    made: dict[str, Callable[[Sources], Check]] = {
        "coherent": Coherent,
        "every-session-owned": EverySessionOwned,
        "no-refusals": NoRefusals,
        **{f"law-{number}": partial(Law, number=number) for number in _LAWS},
    }
    if name not in made:
        raise UnknownCheck(name, tuple(get_close_matches(name[:100], CHECKS)) or CHECKS)
    return made[name](sources)
