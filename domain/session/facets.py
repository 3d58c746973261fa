"""What a session is made of, facet by facet, and which event gave each facet which value."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from ..event import Event
from ..record import RecordedEvent, split_event_id
from ..scope import FULL_SESSION
from .delegation_events import SessionDelegated, SessionHandedOver, SessionHosted
from .events import (
    OwnerDied,
    OwnershipClaimed,
    OwnershipReleased,
    OwnershipTransferred,
    ScopeAttenuated,
    SessionClosed,
    SessionOpened,
    TransferAbandoned,
    TransferBegun,
    TransferCommitFailed,
    TransferCommitted,
    TransferRolledBack,
)
from .life_events import SessionArchived, SessionEnded, TermsChanged
from .restoration_events import (
    DelegationReverted,
    HandOverReverted,
    HostingWithdrawn,
    OpeningWithdrawn,
    OwnershipRestored,
)
from .state import SessionState
from .terms import NO_TERMS


class Facet(StrEnum):
    """A part of a session that decisions on its owner and its holder read."""

    LIFE = "life"
    """None before it was opened; then an ``Incarnation``."""
    TERMS = "terms"
    CONSTRAINTS = "constraints"
    """What the terms say about delegations: the context and the bundles."""
    ARCHIVED = "archived"
    LIVE = "live"
    """The live capability, or None."""
    STAGED = "staged"
    """The receipt of the staged transfer, or None."""
    BOUND = "bound"
    """Where nobody owns the session, how far the next claim may reach; None for all of it."""
    LAST_OWNER = "last owner"
    HOLDER = "holder"
    """The authority that holds the session, with how it holds it; None if none does."""
    AUTHORITIES = "authorities"
    """All authorities that have the session in any way."""


_AUTHORITY: Final = "authority:"


def authority_facet(authority: str) -> str:
    """The facet that says how one authority has the session."""
    return _AUTHORITY + authority


class Incarnation(NamedTuple):
    """The life of a session.

    Attributes:
        opening: the version of the event that opened it.
        finish: how it finished and why; None while it is open.
    """

    opening: int
    finish: Any = None


class Write(NamedTuple):
    """A facet's value since an event.

    Attributes:
        version: the version of the event; 0 for the value before the first one.
        value: the value.
        source: the version of the event that this value stems from; an earlier one where an undo restored the value.
    """

    version: int
    value: Any
    source: int


_HOLDING: Final = (Facet.HOLDER, Facet.AUTHORITIES)
_OWNED: Final = (Facet.LIVE, Facet.STAGED, Facet.BOUND)
_OWNERSHIP: Final = (*_OWNED, Facet.LAST_OWNER)
_BEGINNING: Final = (Facet.LIFE, Facet.TERMS, Facet.CONSTRAINTS, Facet.ARCHIVED, *_OWNERSHIP, *_HOLDING)
_END: Final = (Facet.LIFE, *_OWNED, *_HOLDING)
_HAND_OVER: Final = (*_OWNERSHIP, *_HOLDING)

WRITES: Final[Mapping[type[Event[Any]], tuple[Facet, ...]]] = {
    SessionOpened: _BEGINNING,
    OpeningWithdrawn: _BEGINNING,
    SessionArchived: (Facet.ARCHIVED,),
    TermsChanged: (Facet.TERMS, Facet.CONSTRAINTS),
    OwnershipClaimed: _OWNERSHIP,
    OwnershipReleased: _OWNED,
    OwnershipTransferred: _OWNERSHIP,
    ScopeAttenuated: _OWNERSHIP,
    OwnershipRestored: _OWNERSHIP,
    TransferBegun: (Facet.STAGED,),
    TransferRolledBack: (Facet.STAGED,),
    TransferCommitted: _OWNERSHIP,
    OwnerDied: _END,
    TransferAbandoned: _END,
    TransferCommitFailed: _END,
    SessionClosed: _END,
    SessionEnded: _END,
    SessionHosted: (*_HOLDING, Facet.BOUND),
    HostingWithdrawn: _HOLDING,
    SessionDelegated: _HOLDING,
    DelegationReverted: _HOLDING,
    SessionHandedOver: _HAND_OVER,
    HandOverReverted: _HAND_OVER,
}
"""The facets that an event of each type sets, beside those of authorities. Other events set none."""


def _bound(state: SessionState) -> Any:
    return state.claimable if state.live is None and state.claimable != FULL_SESSION else None


def _held(state: SessionState) -> Any:
    holder = state.holder
    return None if holder is None else (holder, state.footprint[holder])


_READ: Final[Mapping[Facet, Callable[[SessionState], Any]]] = {
    Facet.TERMS: lambda state: state.terms,
    Facet.CONSTRAINTS: lambda state: (state.terms.context_id, state.terms.constraints),
    Facet.ARCHIVED: lambda state: state.is_archived,
    Facet.LIVE: lambda state: state.live,
    Facet.STAGED: lambda state: state.pending,
    Facet.BOUND: _bound,
    Facet.LAST_OWNER: lambda state: state.last_owner,
    Facet.HOLDER: _held,
    Facet.AUTHORITIES: lambda state: frozenset(state.footprint),
}

_FIRST: Final[Mapping[str, Write]] = {
    Facet.TERMS: Write(0, NO_TERMS, 0),
    Facet.CONSTRAINTS: Write(0, (None, ()), 0),
    Facet.ARCHIVED: Write(0, False, 0),
    Facet.AUTHORITIES: Write(0, frozenset(), 0),
}
_NOTHING: Final = Write(0, None, 0)


def first(facet: str) -> Write:
    """What a facet is before the first event."""
    return _FIRST.get(facet, _NOTHING)


class FacetHistory:
    """Every value that the facets of a session ever had.

    Args:
        session_id: the session.
        records: the events of its stream up to a moment; those of types that ``WRITES`` does not name may be left out.

    Attributes:
        state: what the events add up to, in what the facets show.
        records: the events that set facets, by version.
        undone: the version of the event that an event undoes, by the version of the one that undoes it.
        undone_by: the same the other way round.
    """

    def __init__(self, session_id: str, records: Iterable[RecordedEvent]) -> None:
        self.state = SessionState(session_id)
        self.records: dict[int, RecordedEvent] = {}
        self.undone: dict[int, int] = {}
        self.undone_by: dict[int, int] = {}
        self._writes: dict[int, dict[str, Write]] = {}
        self._by_facet: dict[str, list[Write]] = {}
        # Since the last opening.
        self._authorities_seen: set[str] = set()
        self._changed: dict[str, int] = {}
        self._changed_before: dict[int, dict[str, int]] = {}
        for record in records:
            if type(record.event) in WRITES:
                self._take(record)

    def writes(self, version: int) -> Mapping[str, Write]:
        """What an event set, by facet."""
        return self._writes[version]

    def before(self, facet: str, version: int) -> Write:
        """What a facet was right before an event."""
        writes = self._by_facet.get(facet, [])
        index = bisect_left(writes, version, key=_version_of)
        return writes[index - 1] if index else first(facet)

    def after(self, facet: str, version: int, value_is: Callable[[Any], bool], *, until: int) -> int | None:
        """The first event between two versions that gave a facet a value of some kind.

        Events that are undone until then are passed over, if there are others. None if there is none.
        """
        writes, undone = self._by_facet.get(facet, []), None
        for index in range(bisect_left(writes, version + 1, key=_version_of), len(writes)):
            found = writes[index].version
            if found >= until:
                break
            if value_is(writes[index].value):
                if not self.is_undone(found, until):
                    return found
                undone = undone or found
        return undone

    def is_undone(self, version: int, until: int) -> bool:
        """Whether the effect of an event does not hold before a version: it was undone, and not done again."""
        times = 0
        while (version := self.undone_by.get(version, until)) < until:
            times += 1
        return times % 2 == 1

    def now(self, facet: str) -> Write:
        """What a facet is after the last event."""
        writes = self._by_facet.get(facet)
        return writes[-1] if writes else first(facet)

    def last_change(self, facet: str) -> int | None:
        """The last event of the present incarnation that changed a facet; None if none did since it was opened."""
        return self._changed.get(facet)

    def _take(self, record: RecordedEvent) -> None:
        version, event = record.version, record.event
        self.records[version] = record
        undone = self._undone_by(record)
        if undone is not None:
            self.undone[version], self.undone_by[undone] = undone, version
        facets = (*WRITES[type(event)], *map(authority_facet, self._authorities(event)))
        if isinstance(event, HostingWithdrawn) and event.claimable is not None:
            facets = (*facets, Facet.BOUND)
        self.state.apply(event)
        if isinstance(event, SessionOpened):
            self._changed_before[version], self._changed = self._changed, {}
        written = self._writes[version] = {}
        for facet in facets:
            was, value = self.now(facet), self._value(facet, version, undone)
            source = version
            if undone is not None and not isinstance(event, SessionOpened):
                restored = self.before(facet, undone)
                source = restored.source if restored.value == value else version
            written[facet] = write = Write(version, value, source)
            self._by_facet.setdefault(facet, []).append(write)
            if was.value != value and not isinstance(event, SessionOpened):
                self._changed[facet] = version
        if isinstance(event, OpeningWithdrawn) and undone in self._changed_before:
            self._changed = self._changed_before[undone]

    def _undone_by(self, record: RecordedEvent) -> int | None:
        for event_id in record.metadata.compensates or ():
            name = split_event_id(event_id)
            if name is not None and name[0] == record.stream and name[1] in self.records:
                return name[1]
        return None

    def _authorities(self, event: Event[Any]) -> set[str]:
        """The authorities for which an event says how they have the session; the end of a life says it for all."""
        effects = event.effects
        named = set() if effects is None else {authority for authority, _ in effects.footprint}
        if Facet.LIFE not in WRITES[type(event)]:
            self._authorities_seen |= named
            return named
        named |= self._authorities_seen
        self._authorities_seen = set() if isinstance(event, SessionOpened) else named
        return named

    def _value(self, facet: str, version: int, undone: int | None) -> Any:
        if facet is Facet.LIFE:
            return self._life(version, undone)
        if isinstance(facet, Facet):
            return _READ[facet](self.state)
        return self.state.footprint.get(facet.removeprefix(_AUTHORITY))

    def _life(self, version: int, undone: int | None) -> Incarnation | None:
        event, state = self.records[version].event, self.state
        if isinstance(event, SessionOpened):
            return Incarnation(version)
        if isinstance(event, OpeningWithdrawn):
            life: Incarnation | None = None if undone is None else self.before(Facet.LIFE, undone).value
            return life
        opening = self.now(Facet.LIFE).value
        return Incarnation(0 if opening is None else opening.opening, (state.status, state.terminal_reason))


def _version_of(write: Write) -> int:
    return write.version
