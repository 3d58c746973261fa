"""What undid events, planned again on the past as it was: whether undoing appends just that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ...domain import MunimentError, Placed, RecordedEvent, session_stream
from ...domain.bundle import BundleLinked, BundleWithdrawn
from ...domain.compensation import SagaUndone, StreamHistory, UndoAttempt
from ...domain.conversation import ProposalOpened, ProposalReceived
from ...domain.record import split_event_id
from ...domain.saga import SagaCompensated, SagaCompleted, SagaResolved
from ...domain.session import OwnershipRestored, SessionDelegated, SessionHandedOver, SessionHosted
from ..storage.application import JournalApplication

Group = list[RecordedEvent]
"""Compensating events that stand one behind the other."""


class FormerPast:
    """The journal as it was before a position.

    Attributes:
        head: the last position then.
    """

    def __init__(self, replanning: Replanning, before: int) -> None:
        self.head = before - 1
        self._replanning = replanning

    def at(self, position: int) -> RecordedEvent:
        """The record at a position."""
        return self._replanning.application.record_at(position)

    def history(self, stream: str) -> StreamHistory:
        """A stream's records up to then."""
        return StreamHistory(stream, list(self._replanning.application.records(stream, through=self.head)))

    def dependents(self, event: Any) -> Iterator[RecordedEvent]:
        """The events of other streams that depended on a bundle's being known."""
        yield from map(self.at, self._replanning.dependents(event.bundle.bundle_id, self.head + 1))


class Replanning:
    """Plans undoing again.

    Args:
        application: reads the streams that undoing looks at.
        state_of: the state of a stream before a position.
    """

    def __init__(self, application: JournalApplication, state_of: Callable[[str, int], Any]) -> None:
        self.application = application
        self._state_of = state_of
        # What depends on a bundle: the bundles linked from it, and the sessions delegated through it, with positions.
        self._linked: dict[str, dict[str, int]] = {}
        self._delegated: dict[str, dict[tuple[str, int], int]] = {}
        self._in_saga: dict[str, list[tuple[str, int]]] = {}

    def take(self, record: RecordedEvent) -> None:
        """Remember what later undoing depends on."""
        event, saga_id = record.event, record.metadata.saga
        if isinstance(event, BundleLinked):
            for source in (event.left, event.right):
                self._linked.setdefault(source, {})[event.bundle.bundle_id] = record.position
        elif isinstance(event, BundleWithdrawn):
            for linked in self._linked.values():
                linked.pop(event.bundle.bundle_id, None)
        elif isinstance(event, SessionDelegated | SessionHandedOver) and event.receipt.bundle_id is not None:
            key = (event.receipt.session_id, event.receipt.delegation_id)
            self._delegated.setdefault(event.receipt.bundle_id, {})[key] = record.position
        elif isinstance(event, SagaCompensated | SagaCompleted | SagaResolved):
            self._in_saga.pop(event.saga_id, None)
        if saga_id is not None:
            self._in_saga.setdefault(saga_id, []).append((record.stream, record.version))

    def dependents(self, bundle_id: str, before: int) -> Iterator[int]:
        """The positions of the events that depend on a bundle, and hold before a position."""
        yield from self._linked.get(bundle_id, {}).values()
        for (session_id, delegation_id), position in self._delegated.get(bundle_id, {}).items():
            state = self._state_of(session_stream(session_id), before)
            if state.status.is_open and delegation_id in state.outcomes:
                yield position

    def verdict(
        self, record: RecordedEvent, ahead: Callable[[int], RecordedEvent | None], *, is_before_endings: bool = False
    ) -> tuple[int, str]:
        """Find what was undone at once with a record, and whether undoing appends just that.

        Args:
            record: the first event that undoes, or the end of a saga in which nothing was to be undone.
            ahead: the records behind it, without a gap; 0 for itself.
            is_before_endings: whether the format was one of the first two, whose events say less.

        Returns:
            How many records belong together, and what is wrong with them; empty if nothing is.
        """
        group, targets = self._group(record, ahead)
        problem = ""
        for length in sorted({len(group), _same_stream(group), 1}, reverse=True):
            problem = self._problem_with(group[:length], targets[:length], is_before_endings)
            if not problem:
                return length, ""
        return 1, problem

    def _group(
        self, record: RecordedEvent, ahead: Callable[[int], RecordedEvent | None]
    ) -> tuple[Group, list[RecordedEvent]]:
        """The run of records that one undo may have appended, and the events that they undo, newest first."""
        group: Group = []
        targets: list[RecordedEvent] = []
        following: RecordedEvent | None = record
        while following is not None and following.metadata.compensates is not None:
            target = self._target(following)
            if target is None or target.position >= record.position:
                break
            if targets and target.position >= targets[-1].position:
                break
            group.append(following)
            targets.append(target)
            following = ahead(len(group))
        if following is not None and isinstance(following.event, SagaCompensated):
            group.append(following)
        return group or [record], targets

    def _target(self, record: RecordedEvent) -> RecordedEvent | None:
        """The event that a record says to undo; None if there is not one."""
        undone = record.metadata.compensates or ()
        named = split_event_id(undone[0]) if len(undone) == 1 else None
        return None if named is None else self.application.record(*named)

    def _problem_with(self, group: Group, targets: list[RecordedEvent], is_before_endings: bool) -> str:
        if not targets and not isinstance(group[0].event, SagaCompensated):
            return "it undoes no earlier event of the journal"
        expected = [Placed(each.stream, each.event, (each.metadata.compensates or (None,))[0]) for each in group]
        problem = ""
        past, saga = FormerPast(self, group[0].position), group[0].metadata.saga
        for found, is_bulk, ends in self._requests(group, targets):
            try:
                attempt = UndoAttempt(past, found, is_bulk=is_bulk, ends=ends, saga=saga)
            except MunimentError as error:
                problem = problem or str(error)
                continue
            placed = [_as_before_endings(each) for each in attempt.placed] if is_before_endings else attempt.placed
            if placed == expected and not attempt.plan.obstacles:
                return ""
            obstacles = attempt.plan.obstacles
            problem = problem or (str(obstacles[0]) if obstacles else _difference(placed, expected))
        return problem

    def _requests(
        self, group: Group, targets: list[RecordedEvent]
    ) -> Iterator[tuple[list[RecordedEvent], bool, SagaUndone | None]]:
        """What may have been asked for: the end of a saga, single events, or all behind a version of a stream."""
        end = group[-1].event
        if isinstance(end, SagaCompensated):
            in_saga = self._in_saga.get(end.saga_id, [])
            found = [each for each in (self.application.record(*name) for name in in_saga) if each is not None]
            yield found, True, SagaUndone(end.saga_id, end.reason)
            return
        yield targets, False, None
        if len({each.stream for each in targets}) == 1:
            bounds = {"gt": targets[-1].version - 1, "through": group[0].position - 1}
            yield list(self.application.records(targets[0].stream, **bounds)), True, None


def _as_before_endings(made: Placed) -> Placed:
    """What undoing appends, as the first two formats say it: without how far a claim reaches, and who is to vote."""
    event = made.event
    if isinstance(event, OwnershipRestored):
        return replace(made, event=replace(event, claimable=None, last_owner=None))
    if isinstance(event, ProposalOpened | ProposalReceived):
        return replace(made, event=replace(event, members=None))
    return replace(made, event=replace(event, lifted=None)) if isinstance(event, SessionHosted) else made


def _same_stream(group: Group) -> int:
    """How many records stand in the stream of the first."""
    return next((index for index, each in enumerate(group) if each.stream != group[0].stream), len(group))


def _difference(made: list[Placed], expected: list[Placed]) -> str:
    for mine, theirs in zip(made, expected, strict=False):
        if mine.compensates != theirs.compensates:
            return f"undoing {theirs.compensates} undoes {mine.compensates} first"
        if mine != theirs:
            return f"undoing {theirs.compensates} appends {mine.event}"
    return f"undoing appends {len(made)} events here"
