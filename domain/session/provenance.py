"""Which events make the owner and the holder of a session what they are: no more than it takes, and no fewer.

The events of the chain lead to the same owner and holder when they are decided again by themselves. So each has in the
chain what its decision read: a transfer the capability that was presented for it, a claim that nobody owned the
session, an event that undoes another one what there was before that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..errors import InvalidArgument
from ..event import Event
from ..policy import Policy
from ..record import RecordedEvent
from ..scope import OwnershipScope
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
from .facets import WRITES, Facet, FacetHistory, Incarnation, Write, authority_facet, first
from .life_events import SessionArchived, SessionEnded, TermsChanged
from .restoration_events import (
    DelegationReverted,
    HandOverReverted,
    HostingWithdrawn,
    OpeningWithdrawn,
    OwnershipRestored,
)
from .state import SessionState

PROVENANCE_TYPES: Final = tuple(each.type for each in WRITES)
"""The types of events that a chain can be made of."""


class Chain(NamedTuple):
    """The events that make the owner and the holder of a session what they are.

    Attributes:
        state: the session as its owner and its holder are now; what else there is to it is not told here.
        records: the events, oldest first.
        depends_on: for each event's version, the versions of the events of the chain that its decision read.
        undone_by: the id of the event that undid an event whose effect does not hold any more, by its version.
        last: the versions of the events that the owner and the holder were changed by last.
    """

    state: SessionState
    records: tuple[RecordedEvent, ...]
    depends_on: Mapping[int, tuple[int, ...]]
    undone_by: Mapping[int, str]
    last: tuple[int, ...]


def chain_of(session_id: str, records: Iterable[RecordedEvent]) -> Chain:
    """Find the events that make the owner and the holder of a session what they are.

    Where nobody owns the session, these are the events that led to its last owner in the present incarnation, and to
    the end of that ownership; and the same where no authority holds it. An incarnation that nobody ever owned or held
    is told by its opening, with what that undoes, if it undoes anything.

    Args:
        session_id: the session.
        records: the events of its stream up to a moment; those of other types than ``PROVENANCE_TYPES`` may be left
            out.
    """
    history = FacetHistory(session_id, records)
    search = _Search(history)
    search.run()
    versions, found = sorted(search.chain), history.records
    undone = (version for version in versions if history.is_undone(version, search.end))
    return Chain(
        history.state,
        tuple(found[version] for version in versions),
        search.depends_on(),
        {version: found[history.undone_by[version]].id for version in undone},
        search.last,
    )


class _Need(NamedTuple):
    """What the decision on an event read.

    Attributes:
        facet: the facet.
        at: right before which version it was read.
        reader: the version of the event that was decided.
        accepts: which values lead to the same decision.
        is_exact: whether only the very value that it had does.
    """

    facet: str
    at: int
    reader: int
    accepts: Callable[[Any], bool]
    is_exact: bool = False


_OWNED: Final = (Facet.LIFE, Facet.LIVE, Facet.STAGED)
_DELEGATED: Final = (Facet.LIFE, Facet.CONSTRAINTS, Facet.HOLDER, Facet.LIVE)

_COMMANDS: Final[Mapping[type[Event[Any]], tuple[Facet, ...]]] = {
    # An incarnation before it is only in a chain with its end.
    SessionOpened: (),
    SessionArchived: (Facet.LIFE, Facet.TERMS, Facet.LAST_OWNER),
    TermsChanged: (Facet.LIFE,),
    OwnershipClaimed: (Facet.LIFE, Facet.LIVE),
    OwnershipReleased: _OWNED,
    OwnershipTransferred: _OWNED,
    ScopeAttenuated: _OWNED,
    TransferBegun: _OWNED,
    TransferCommitted: _OWNED,
    TransferRolledBack: (Facet.LIFE, Facet.STAGED),
    OwnerDied: _OWNED,
    TransferAbandoned: _OWNED,
    TransferCommitFailed: _OWNED,
    SessionClosed: _OWNED,
    SessionEnded: _OWNED,
    SessionHosted: (Facet.LIFE, Facet.HOLDER, Facet.BOUND),
    SessionDelegated: _DELEGATED,
    SessionHandedOver: (*_DELEGATED, Facet.STAGED),
}
"""What a command reads, by the type of the event that it leads to."""

_UNDOING: Final[Mapping[type[Event[Any]], tuple[tuple[Facet, ...], tuple[Facet, ...]]]] = {
    SessionOpened: ((), (Facet.LIFE, Facet.TERMS)),
    OpeningWithdrawn: ((), (Facet.LIFE, Facet.TERMS, Facet.ARCHIVED)),
    TermsChanged: ((), (Facet.TERMS,)),
    OwnershipRestored: ((Facet.LIVE, Facet.STAGED), (Facet.LIVE, Facet.STAGED)),
    TransferBegun: ((), ()),
    TransferRolledBack: ((Facet.STAGED,), ()),
    SessionHosted: ((Facet.BOUND,), ()),
    HostingWithdrawn: ((), ()),
    SessionDelegated: ((Facet.LIVE,), ()),
    DelegationReverted: ((Facet.LIVE,), ()),
    SessionHandedOver: ((Facet.LIVE,), (Facet.LIVE,)),
    HandOverReverted: ((Facet.LIVE,), ()),
}
"""What undoing reads: at that moment, and right before the event that is undone."""

_AT_ONCE: Final = (Facet.LIVE, Facet.STAGED, Facet.HOLDER)
"""Facets of which hardly two values are alike, so that only the event that set one can stand for it."""


class _Search:
    """Searches the chain: first what the last events read, and what those read; then what is in their way.

    Attributes:
        chain: the versions of its events.
        end: the version behind the last event.
        last: the versions of the events that the owner and the holder were changed by last.
    """

    def __init__(self, history: FacetHistory) -> None:
        self.chain: set[int] = set()
        self._kept: set[int] = set()
        self._history = history
        self.last: tuple[int, ...] = ()
        self.end = max(history.records, default=0) + 1
        self._needs: dict[int, list[_Need]] = {}
        # What was read of the chain: by the event that set it, with what it was before that.
        self._read: dict[int, list[tuple[_Need, Any]]] = {}

    def run(self) -> None:
        """Find the chain."""
        history = self._history
        changes = (history.last_change(Facet.LIVE), history.last_change(Facet.HOLDER))
        last = {version for version in changes if version is not None}
        life: Incarnation | None = history.now(Facet.LIFE).value
        if not last and life is not None:
            last = self._kept = {life.opening}
        self.last = tuple(sorted(last))
        self._add(last)
        for _ in range(2 * len(history.records) + 1):
            if not self._add(self._missing()) and not self._dropped():
                return
        raise AssertionError("each round adds an event or drops one for good")

    def depends_on(self) -> dict[int, tuple[int, ...]]:
        """What each event of the chain depends on: what its decision could not do without, and what it undoes."""
        opening = {version for version in self.chain if isinstance(self._history.records[version].event, SessionOpened)}
        found: dict[int, set[int]] = {version: set() for version in self.chain}
        for provider in self.chain:
            for need, before in self._read.get(provider, ()):
                if need.reader in found and not need.accepts(before):
                    found[need.reader].add(provider)
        for version in self.chain & self._history.undone.keys():
            found[version].add(self._history.undone[version])
        # Everything depends on the opening; it is said where nothing else is in between.
        return {version: tuple(sorted(found[version] - opening or found[version])) for version in sorted(found)}

    def _add(self, versions: Iterable[int]) -> bool:
        """Take events into the chain, with the events that gave them what nothing else can give."""
        waiting = [version for version in versions if version not in self.chain]
        is_new = bool(waiting)
        while waiting:
            version = waiting.pop()
            if version in self.chain:
                continue
            self.chain.add(version)
            needs = self._needs[version] = list(self._read_by(version))
            for need in needs:
                write = self._history.before(need.facet, need.at)
                if need.is_exact and need.facet in _AT_ONCE and write.value is not None:
                    waiting.append(write.source)
            if version in self._history.undone:
                waiting.append(self._history.undone[version])
        return is_new

    def _missing(self) -> set[int]:
        """Go through the chain, and find what else its events need."""
        needs: dict[int, list[_Need]] = {}
        for version in self.chain:
            for need in self._needs[version]:
                needs.setdefault(need.at, []).append(need)
        needs[self.end] = [self._same(facet, self.end, self.end) for facet in (Facet.LIVE, Facet.HOLDER)]
        missing: set[int] = set()
        values: dict[str, tuple[int, Any, Any]] = {}
        self._read = {}
        for version in (*sorted(self.chain), self.end):
            for need in needs.get(version, ()):
                setter, value, before = values.get(need.facet, (0, first(need.facet).value, None))
                if need.accepts(value):
                    self._read.setdefault(setter, []).append((need, before))
                elif (found := self._setter(need, setter)) is not None:
                    missing.add(found)
            if version != self.end:
                for facet, write in self._history.writes(version).items():
                    before = values.get(facet, (0, first(facet).value, None))[1]
                    values[facet] = version, self._value_in_chain(version, write, facet, values), before
        return missing - self.chain

    def _value_in_chain(
        self, version: int, write: Write, facet: str, values: Mapping[str, tuple[int, Any, Any]]
    ) -> Any:
        """What an event of the chain sets a facet to; a bound comes back only where the chain has no owner then."""
        event = self._history.records[version].event
        if facet is not Facet.BOUND or not isinstance(event, HostingWithdrawn):
            return write.value
        has_owner = Facet.LIVE in values and values[Facet.LIVE][1] is not None
        return None if has_owner else event.claimable

    def _setter(self, need: _Need, behind: int) -> int | None:
        """The event behind a version that gives a decision what it needs."""
        write = self._history.before(need.facet, need.at)
        if write.source > behind and write.value != first(need.facet).value:
            return write.source
        found = self._history.after(need.facet, behind, need.accepts, until=need.at)
        return found if found is not None else write.version or None

    def _dropped(self) -> bool:
        """Drop the last event without which all the others are decided the same, if there is one."""
        undone = {self._history.undone.get(version) for version in self.chain}
        for version in sorted(self.chain - undone - self._kept, reverse=True):
            if all(need.accepts(before) for need, before in self._read.get(version, ())):
                self.chain.remove(version)
                return True
        return False

    def _read_by(self, version: int) -> Iterator[_Need]:
        """What the decision on an event read."""
        record = self._history.records[version]
        event, undone = record.event, self._history.undone.get(version)
        if undone is not None and type(event) in _UNDOING:
            yield from self._read_by_undoing(version, event, undone)
            return
        for facet in _COMMANDS.get(type(event), ()):
            yield self._same(facet, version, version)
        if isinstance(event, TermsChanged):
            changed = event.terms
            yield _Need(Facet.TERMS, version, version, lambda terms: terms != changed)
        if isinstance(event, OwnershipClaimed):
            yield _Need(Facet.BOUND, version, version, _reaches(event.capability.scope, record.metadata.policy))
        if isinstance(event, SessionDelegated | SessionHandedOver):
            yield self._same(authority_facet(event.receipt.to_authority), version, version)

    def _read_by_undoing(self, version: int, event: Event[Any], undone: int) -> Iterator[_Need]:
        now, then = _UNDOING[type(event)]
        if isinstance(event, OwnershipRestored) and event.capability is None:
            then = (*then, Facet.BOUND, Facet.LAST_OWNER)
        for facet in now:
            yield self._same(facet, version, version)
        for facet in then:
            yield self._same(facet, undone, version)
        if Facet.AUTHORITIES in WRITES[type(event)] and not isinstance(event, SessionOpened):
            yield self._same_but_for(event, version)
        if isinstance(event, DelegationReverted | HandOverReverted | OpeningWithdrawn):
            for authority, _ in event.footprint:
                yield self._same(authority_facet(authority), undone, version)

    def _same_but_for(self, event: Event[Any], version: int) -> _Need:
        """The need for the same authorities to have the session, beside those of which an event says it itself."""
        told = set() if event.effects is None else {authority for authority, _ in event.effects.footprint}
        others = self._history.before(Facet.AUTHORITIES, version).value - told
        return _Need(Facet.AUTHORITIES, version, version, lambda authorities: authorities - told == others)

    def _same(self, facet: str, at: int, reader: int) -> _Need:
        """The need for a facet to be what it was."""
        was = self._history.before(facet, at).value
        return _Need(facet, at, reader, lambda value: value == was, is_exact=True)


def _reaches(scope: OwnershipScope, policy: str | None) -> Callable[[Any], bool]:
    """Whether a claim of a scope is permitted within a bound (law 3)."""
    try:
        may_widen = Policy.named(policy).scope_may_widen
    except InvalidArgument:
        may_widen = True
    return lambda bound: may_widen or bound is None or bound.includes(scope)
