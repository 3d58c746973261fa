"""What undoing comes to: a plan of compensating events, made on the streams as they are (law 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..domain import (
    UNRECORDED,
    AlreadyCompensated,
    CommandRefused,
    Event,
    LaterEventDepends,
    NotCompensable,
    Placed,
    RecordedEvent,
)
from ..domain.bundle import BundleLinked, BundleRegistered
from ..domain.compensation import RULES
from .context import Context
from .history import StreamHistory
from .recording import Unchanged

if TYPE_CHECKING:
    from .rollback import Rollback


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
    """What undoing comes to.

    Attributes:
        steps: what is undone, and by what, in the order in which it is appended: newest first.
        changes: what is different afterwards.
        obstacles: what makes it impossible; if there are any, nothing is appended.
        positions: where the compensating events stand; none if nothing was appended.
    """

    steps: tuple[UndoStep, ...] = ()
    changes: tuple[StateChange, ...] = ()
    obstacles: tuple[CommandRefused, ...] = ()
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Undoing:
    """What is to be undone.

    Attributes:
        name: what the command is called.
        arguments: what it was given.
        find: finds the events to undo.
        is_bulk: whether records that changed nothing, and events that are undone, are passed over in silence.
        ending: what is appended to the same end once everything is undone: the end of a saga, or nothing.
    """

    name: str
    arguments: tuple[object, ...]
    find: Callable[[], list[RecordedEvent]]
    is_bulk: bool = True
    ending: Callable[[StreamHistory], Event[Any]] | None = None
    ending_stream: str = ""


class Planning:
    """One attempt at a plan, on the streams as they are now."""

    def __init__(self, rollback: Rollback, undoing: Undoing) -> None:
        self._rollback = rollback
        self._histories: dict[str, StreamHistory] = {}
        self._steps: list[UndoStep] = []
        self._obstacles: list[CommandRefused] = []
        self._unchanged: list[Unchanged] = []
        self.placed: list[Placed] = []
        # Before anything is looked up, so that whatever comes later is told from it.
        self._head = rollback.head()
        targets = self._targets(undoing)
        before = {stream: history.state.standing() for stream, history in self._histories.items()}
        self._undo(targets)
        changes = tuple(
            change
            for stream, standing in before.items()
            for change in differences(stream, standing, self._histories[stream].state.standing())
        )
        self.plan = UndoPlan(tuple(self._steps), () if self._obstacles else changes, tuple(self._obstacles))
        self._end(undoing)

    @property
    def unchanged(self) -> list[Unchanged]:
        """What the plan stands on beside the streams that it appends to."""
        appended = {each.stream for each in self.placed}
        return [each for each in self._unchanged if each[0] not in appended]

    def records(self, context: Context, digest: str | None, now: int) -> list[RecordedEvent]:
        """The compensating events as they are to be stored."""
        now = max(now, *(self._history(each.stream).recorded_at for each in self.placed))
        versions = {each.stream: self._history(each.stream).version for each in self.placed}
        records: list[RecordedEvent] = []
        for each in self.placed:
            versions[each.stream] += 1
            compensates = None if each.compensates is None else (each.compensates,)
            metadata = context.metadata(now, digest, compensates)
            records.append(RecordedEvent(UNRECORDED, each.stream, versions[each.stream], each.event, metadata))
        return records

    def _targets(self, undoing: Undoing) -> list[RecordedEvent]:
        """The events that have to be undone, newest first."""
        found = {record.id: record for record in undoing.find()}
        for record in list(found.values()):
            for companion in self._rollback.companions(record):
                if companion.id not in self._history(companion.stream).undone_by:
                    found[companion.id] = companion
        targets = sorted(found.values(), key=lambda record: record.position, reverse=True)
        for record in targets:
            self._history(record.stream)
        if not undoing.is_bulk:
            return targets
        return [record for record in targets if self._has_effect(record, found)]

    def _has_effect(self, record: RecordedEvent, targets: dict[str, RecordedEvent]) -> bool:
        """Whether it is no mere record, is not undone already, and does more than undo what is undone here."""
        if RULES[type(record.event)].is_mere_record or record.id in self._history(record.stream).undone_by:
            return False
        undone = record.metadata.compensates
        return undone is None or not all(each in targets for each in undone)

    def _undo(self, targets: Sequence[RecordedEvent]) -> None:
        befores = {
            stream: history.standing_before({record.version for record in targets if record.stream == stream})
            for stream, history in self._histories.items()
        }
        gone: set[str] = set()
        for record in targets:
            obstacle = self._obstacle(record, gone)
            gone.add(record.id)
            compensate = RULES[type(record.event)].compensate
            if obstacle is not None:
                self._obstacles.append(obstacle)
            elif compensate is not None and not self._obstacles:
                history = self._histories[record.stream]
                event = compensate(record.event, befores[record.stream][record.version], history.state)
                history.state.apply(event)
                self._steps.append(UndoStep(record.id, record.stream, record.event, event))
                self.placed.append(Placed(record.stream, event, record.id))

    def _obstacle(self, record: RecordedEvent, gone: set[str]) -> CommandRefused | None:
        history = self._histories[record.stream]
        rule = RULES[type(record.event)]
        if rule.compensate is None:
            return NotCompensable(record.id, record.type, rule.reason)
        if record.id in history.undone_by:
            return AlreadyCompensated(record.id, history.undone_by[record.id])
        later = history.latest_that_stands_on(record, gone)
        if isinstance(record.event, BundleRegistered | BundleLinked):
            # What stands on a bundle may be in any stream, and may be appended at this very moment.
            self._unchanged.append((None, self._head))
            others = (each for each in self._rollback.dependents(record.event) if each.id not in gone)
            later = later or next(others, None)
        return None if later is None else LaterEventDepends(record.id, later.id, later.type)

    def _end(self, undoing: Undoing) -> None:
        """Append the saga's end, if this undoes one; and stand on the saga's going on, if this is done in one."""
        if undoing.ending is not None and not self._obstacles:
            history = self._history(undoing.ending_stream)
            self.placed.append(Placed(undoing.ending_stream, undoing.ending(history)))
        elif self._rollback.saga is not None:
            history = self._history(f"saga-{self._rollback.saga}")
            history.state.require_open()
            self._unchanged.append((history.stream, history.version))

    def _history(self, stream: str) -> StreamHistory:
        if stream not in self._histories:
            self._histories[stream] = self._rollback.history(stream)
        return self._histories[stream]


_ABSENT: Final = object()


def differences(stream: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[StateChange]:
    """The parts of a stream's state that are not what they were."""
    for name, value in before.items():
        if after.get(name, _ABSENT) != value:
            yield StateChange(stream, name, value, after.get(name))
