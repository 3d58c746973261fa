"""What undoes events: decided on the streams as they are, without reading or writing a thing by itself (law 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple, Protocol

from ..artifacts import OwnershipCapability
from ..bundle import BundleLinked, BundleRegistered, UpgradeEvent, UpgradeFailed, UpgradeStaged, links_as_before
from ..condition import Condition, NoneSince, Unchanged
from ..errors import AlreadyCompensated, CommandRefused, InvalidArgument, LaterEventDepends, NotCompensable
from ..event import Event, Placed
from ..inbox import EnvelopePut, EnvelopeTaken, TypeAdvanced, TypeRestored
from ..record import RecordedEvent
from ..saga import compensated
from ..session import SessionDelegated, SessionHandedOver, SessionOpened
from ..session.envelopes import require_putting_again
from ..session.guards import require_open
from ..session.state import SessionState
from ..stream_names import bundle_stream, inbox_stream, saga_stream, session_stream
from ..surfaces import Surfaces
from .history import StreamHistory
from .rules import RULES, bundles_needed, operation, why_it_stays

_NEED_BUNDLES: Final = tuple(each.type for each in (BundleLinked, SessionDelegated, SessionHandedOver))
"""The types of events that depend on bundles from other streams."""

_ALL: Final = Surfaces()


class Past(Protocol):
    """The journal up to a position, as it is or as it was; it is read as far as a decision asks for it."""

    @property
    def head(self) -> int:
        """The last position."""

    def at(self, position: int) -> RecordedEvent:
        """The record at a position."""

    def history(self, stream: str) -> StreamHistory:
        """A stream's records, to be moved on by one decision."""

    def dependents(self, event: Event[Any]) -> Iterable[RecordedEvent]:
        """The events of other streams that depend on what an event made known."""


class SagaUndone(NamedTuple):
    """A saga that is undone.

    Attributes:
        saga_id: which one.
        reason: why.
    """

    saga_id: str
    reason: str


class UndoStep(NamedTuple):
    """One event, and the event that undoes it.

    Attributes:
        event_id: the event that is undone.
        stream: its stream.
        undone: what had happened.
        event: the compensating event.
    """

    event_id: str
    stream: str
    undone: Event[Any]
    event: Event[Any]


class StateChange(NamedTuple):
    """What a part of a stream's state was before undoing, and is after it.

    Attributes:
        stream: the stream.
        name: the part, such as ``capability`` or ``footprint``.
        before: what it was.
        after: what it is.
    """

    stream: str
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """The result of an undo, or its preview.

    Attributes:
        steps: what is undone, and by what, in the order in which it is appended: newest first. Empty if there are
            obstacles.
        changes: what is different afterwards.
        obstacles: what makes it impossible; if there are any, nothing is appended.
        positions: where the compensating events of the steps stand; empty if nothing was appended.
    """

    steps: tuple[UndoStep, ...] = ()
    changes: tuple[StateChange, ...] = ()
    obstacles: tuple[CommandRefused, ...] = ()
    positions: tuple[int, ...] = ()


class UndoAttempt:
    """What undoes some events, decided on a past; on the same past it is the same. It writes nothing.

    Args:
        past: the journal as it is, or as it was.
        found: the events to be undone.
        is_bulk: whether records that changed nothing, and events that are undone, are passed over in silence.
        ends: the saga that is undone by this, if one is.
        saga: the saga that it is done in, if any.
        surfaces: what the runtime offers; undoing is held to it as commands are.

    Attributes:
        plan: what is undone, or what makes it impossible.
        placed: what is to be appended for it, in this order.
        histories: the streams that were looked at, by their names.
    """

    def __init__(
        self,
        past: Past,
        found: list[RecordedEvent],
        *,
        is_bulk: bool = True,
        ends: SagaUndone | None = None,
        saga: str | None = None,
        surfaces: Surfaces = _ALL,
    ) -> None:
        self._past = past
        self._saga = saga
        self._surfaces = surfaces
        self.histories: dict[str, StreamHistory] = {}
        self._steps: list[UndoStep] = []
        self._obstacles: list[CommandRefused] = []
        self._conditions: list[Condition] = []
        # What stands right behind the last phase of an upgrade.
        self._delegated: dict[str, RecordedEvent | None] = {}
        self.placed: list[Placed] = []
        self._head = past.head
        found = self._with_companions(found)
        targets = self._targets_before_all(found) if is_bulk else self._targets_of_each(found)
        before = {stream: history.state.standing() for stream, history in self.histories.items()}
        self._gone = {record.id for record in (*found, *targets)}
        for history in self.histories.values():
            history.set_aside(self._gone)
        self._undo(targets, is_bulk=is_bulk)
        if self._obstacles:
            self.plan = UndoPlan(obstacles=tuple(self._obstacles))
            return
        changes = (
            change
            for stream in dict.fromkeys(step.stream for step in self._steps)
            for change in differences(stream, before[stream], self.histories[stream].state.standing())
        )
        self.plan = UndoPlan(tuple(self._steps), tuple(changes))
        self._end(ends)

    @property
    def conditions(self) -> list[Condition]:
        """What the plan depends on beside the streams that it appends to."""
        appended = {each.stream for each in self.placed}
        return [each for each in self._conditions if not isinstance(each, Unchanged) or each.stream not in appended]

    def _with_companions(self, found: list[RecordedEvent]) -> list[RecordedEvent]:
        """The events, and those that are one act with them, newest first."""
        records = {record.id: record for record in found}
        for record in found:
            chain = self._history(record.stream).chain(record)
            for companion in self._act(chain[0]):
                # What is one act is done, undone and done again together.
                others = self._history(companion.stream).chain(companion)
                index = min(chain.index(record), len(others) - 1)
                if (chain.index(record) - index) % 2 == 0:
                    records[others[index].id] = others[index]
        return _newest_first(records.values())

    def _act(self, record: RecordedEvent) -> list[RecordedEvent]:
        """A delegation or hand-over and the upgrade committed with it, if this is a part of them; otherwise nothing."""
        event = record.event
        if isinstance(event, SessionDelegated | SessionHandedOver) and event.upgrade is not None:
            upgrades = self._history(bundle_stream(event.upgrade.bundle_id)).upgrades
            return [*upgrades.get(event.upgrade.upgrade_id, ()), record]
        if not isinstance(event, UpgradeEvent):
            return []
        phases = self._history(record.stream).upgrades.get(event.artifact.upgrade_id, [record])
        if phases[-1].id not in self._delegated:
            # They were appended together, the delegation right behind the upgrade.
            following = phases[-1].position + 1
            self._delegated[phases[-1].id] = self._past.at(following) if following <= self._head else None
        behind = self._delegated[phases[-1].id]
        if behind is None or not isinstance(behind.event, SessionDelegated | SessionHandedOver):
            return []
        return [*phases, behind] if behind.event.upgrade == phases[-1].event.outcome else []

    def _targets_of_each(self, found: list[RecordedEvent]) -> list[RecordedEvent]:
        """The events whose undoing undoes these: where one was undone and done again, the event that did it again."""
        targets: list[RecordedEvent] = []
        for record in found:
            history = self._history(record.stream)
            targets.append(record if history.is_undone(record) else history.chain(record)[-1])
        return _newest_first(targets)

    def _targets_before_all(self, found: list[RecordedEvent]) -> list[RecordedEvent]:
        """What has to be undone to have everything as it was before the oldest of these."""
        oldest: dict[int, tuple[RecordedEvent, list[RecordedEvent]]] = {}
        for record in found:
            chain = self._history(record.stream).chain(record)
            oldest[id(chain)] = (record, chain)
        staged = {
            (record.stream, record.event.artifact.upgrade_id)
            for record in found
            if isinstance(record.event, UpgradeStaged)
        }
        return _newest_first(
            chain[-1]
            for record, chain in oldest.values()
            if (len(chain) - chain.index(record)) % 2 == 1
            and not RULES[type(record.event)].is_mere_record
            # An upgrade that was staged and has failed within these is as if it had not been.
            and not (
                isinstance(record.event, UpgradeFailed) and (record.stream, record.event.artifact.upgrade_id) in staged
            )
        )

    def _undo(self, targets: Sequence[RecordedEvent], *, is_bulk: bool) -> None:
        befores = {
            stream: history.standing_before({record.version for record in targets if record.stream == stream})
            for stream, history in self.histories.items()
        }
        for record in targets:
            history = self.histories[record.stream]
            event: Event[Any] | None = None
            try:
                self._require_undoable(record)
                compensate = RULES[type(record.event)].compensate
                if compensate is not None:
                    event = compensate(record.event, befores[record.stream][record.version], history.state)
                if event is not None:
                    self._require_possible(record, event)
                elif not is_bulk:
                    raise NotCompensable(record.id, record.type, "what it did has ended by itself since")
            except CommandRefused as obstacle:
                self._obstacles.append(obstacle)
            except InvalidArgument:
                # Only a journal that somebody has written by hand holds such numbers.
                problem = "a generation or number would be more than a journal holds"
                self._obstacles.append(NotCompensable(record.id, record.type, problem))
            if event is not None:
                # Also where something is in the way, so that what is told of the others is true.
                history.state.apply(event)
                self._steps.append(UndoStep(record.id, record.stream, record.event, event))
                self.placed.append(Placed(record.stream, event, record.id))

    def _require_undoable(self, record: RecordedEvent) -> None:
        history = self.histories[record.stream]
        if reason := why_it_stays(record.event):
            raise NotCompensable(record.id, record.type, reason)
        if history.is_undone(record):
            raise AlreadyCompensated(record.id, history.chain(record)[-1].id)
        later = history.latest_that_stands_on(record)
        if isinstance(record.event, BundleRegistered | BundleLinked):
            # What depends on a bundle may be in any stream, and may be appended at this very moment.
            self._conditions.append(NoneSince(_NEED_BUNDLES, self._head))
            others = (each for each in self._past.dependents(record.event) if each.id not in self._gone)
            later = later or next(others, None)
        if isinstance(record.event, SessionOpened):
            later = later or self._put_since(record.event)
        if later is not None:
            raise LaterEventDepends(record.id, later.id, later.type, why_it_stays(later.event))

    def _put_since(self, opened: SessionOpened) -> RecordedEvent | None:
        """The last envelope that was put in for an incarnation, or step of its types, that was not undone."""
        history = self._history(inbox_stream(opened.session_id))
        self._conditions.append(Unchanged(history.stream, history.version))
        return history.latest_put(opened.incarnation)

    def _require_possible(self, record: RecordedEvent, event: Event[Any]) -> None:
        """Check a compensating event, outside its own stream, as the command that does the same is checked."""
        if (name := operation(event)) is not None:
            self._surfaces.require(name)
        histories = [self._history(bundle_stream(bundle_id)) for bundle_id in bundles_needed(event)]
        for history in histories:
            history.state.known()
            self._conditions.append(Unchanged(history.stream, history.version))
        if isinstance(event, TypeRestored):
            self._open_again(record, event.capability.session_id, event.undone.incarnation)
        if isinstance(event, EnvelopePut):
            session = self._open_again(record, event.session_id, event.incarnation)
            if event.advance is not None and event.capability is not None:
                self._require_live(record, event.capability)
            require_putting_again(self._history(record.stream).state, session, event.envelope)
        if isinstance(event, EnvelopeTaken | TypeAdvanced):
            # A capability that is live is of this incarnation.
            self._require_live(record, event.capability)
        if isinstance(event, BundleLinked) and not links_as_before(event, *(each.state for each in histories)):
            reason = f"{event.left!r} and {event.right!r}, which it was linked from, are not what they were"
            raise NotCompensable(record.id, record.type, reason)

    def _require_live(self, record: RecordedEvent, capability: OwnershipCapability) -> None:
        """What is done again under a capability, is done again only while that is live."""
        if self._open_session(capability.session_id).live != capability:
            raise NotCompensable(record.id, record.type, "the capability that it was done under is not live any more")

    def _open_again(self, record: RecordedEvent, session_id: str, incarnation: int) -> SessionState:
        """The session, open in the same incarnation as then."""
        session = self._open_session(session_id)
        if session.incarnation != incarnation:
            raise NotCompensable(record.id, record.type, "the session was opened again since")
        return session

    def _open_session(self, session_id: str) -> SessionState:
        """The session, open, and unchanged until the append."""
        session = self._history(session_stream(session_id))
        self._conditions.append(Unchanged(session.stream, session.version))
        require_open(session.state)
        state: SessionState = session.state
        return state

    def _end(self, ends: SagaUndone | None) -> None:
        """Append the saga's end, if this undoes a saga; otherwise require that the saga it is done in stays open."""
        if ends is not None:
            stream = saga_stream(ends.saga_id)
            self.placed.append(Placed(stream, compensated(self._history(stream).state, ends.reason)))
        elif self._saga is not None:
            history = self._history(saga_stream(self._saga))
            history.state.require_open()
            self._conditions.append(Unchanged(history.stream, history.version))

    def _history(self, stream: str) -> StreamHistory:
        if stream not in self.histories:
            self.histories[stream] = self._past.history(stream)
        return self.histories[stream]


def _newest_first(records: Iterable[RecordedEvent]) -> list[RecordedEvent]:
    """Each record once, newest first."""
    return sorted({each.id: each for each in records}.values(), key=lambda each: each.position, reverse=True)


def differences(stream: str, before: Any, after: Any) -> Iterator[StateChange]:
    """The parts of where a stream stands that are not what they were."""
    for field in (each for each in fields(before) if each.compare):
        was, now = getattr(before, field.name), getattr(after, field.name)
        if was != now:
            yield StateChange(stream, field.name, was, now)
