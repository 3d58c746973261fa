"""Every event of the past, decided again: whether it is one that the domain appends in the state that it found."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from typing import Any, Final, NamedTuple

from ...domain import Event, InvalidArgument, LimitReached, MunimentError, Policy, RecordedEvent, saga_stream
from ...domain.circumstances import Circumstances
from ...domain.compensation import RULES
from ...domain.conversation import ConfigSynced, ConversationEvent, redecision as conversations
from ...domain.redecision import again
from ...domain.saga import SagaCompensated
from ...domain.states import new_state
from ..storage.application import JournalApplication
from .replanning import Replanning

CAPACITY: Final = 100_000
"""How many streams' states are kept in memory; one that was not used for long is read again when it is needed."""

_FIRST_FORMAT: Final = 1

_FORMAT_OF_ENDINGS: Final = 3
"""The format since which events say how sessions were opened, and how they ended.

Since then conversations are judged by other rules as well: who adopts a synchronisation, which votes count, which
proposals time out, whom a commit removes, and why a member leaves. A claim reaches no
further than the last owner did, and a delegation takes that owner's fragments along.
"""

_BOUNDS: Final = (LimitReached, InvalidArgument)
"""What refuses that something is too much or too large, which the first format mostly allowed."""


class Verdict(NamedTuple):
    """What became of deciding again.

    Attributes:
        events: how many events, from the one that was asked about, belong to one decision.
        problem: why they are not what the domain appends; empty if they are.
        note: what is unusual about them; empty if nothing is.
        is_bound: whether they would only be too many, too large, or not worth a record.
    """

    events: int
    problem: str = ""
    note: str = ""
    is_bound: bool = False


class Ahead:
    """Records one after the other, with a look at those that follow."""

    def __init__(self, records: Iterator[RecordedEvent]) -> None:
        self._records = records
        self._seen: deque[RecordedEvent] = deque()

    def __iter__(self) -> Iterator[RecordedEvent]:
        while (record := self.peek(0)) is not None:
            self._seen.popleft()
            yield record

    def peek(self, index: int) -> RecordedEvent | None:
        """The record so many places ahead, from 0; None if there is none."""
        while len(self._seen) <= index:
            record = next(self._records, None)
            if record is None:
                return None
            self._seen.append(record)
        return self._seen[index]

    def follows(self, record: RecordedEvent, index: int) -> RecordedEvent | None:
        """The record so many places behind one, from 0 for itself, without a gap; None if there is none."""
        if index == 0:
            return record
        found = self.peek(index - 1)
        return found if found is not None and found.position == record.position + index else None


class States:
    """The state of every stream as far as the past was read; those used lately are in memory."""

    def __init__(self, application: JournalApplication) -> None:
        self._application = application
        self._states: OrderedDict[str, Any] = OrderedDict()
        self._dropped: set[str] = set()

    def get(self, stream: str, before: int) -> Any:
        """The state of a stream before a position."""
        if stream in self._states:
            self._states.move_to_end(stream)
            return self._states[stream]
        state = self._states[stream] = new_state(stream)
        if stream in self._dropped:
            for record in self._application.records(stream, through=before - 1):
                state.apply(record.event)
        if len(self._states) > CAPACITY:
            self._dropped.add(self._states.popitem(last=False)[0])
        return state


class Redeciding:
    """Decides every event again, in order, and folds it.

    Args:
        application: reads what was forgotten, and what undoing looks at.
        format_at: tells which format was in force at a position.
        ahead: the records that follow the one that is asked about.
    """

    def __init__(self, application: JournalApplication, format_at: Callable[[int], int], ahead: Ahead) -> None:
        self._format_at = format_at
        self._ahead = ahead
        self._states = States(application)
        self._replanning = Replanning(application, self._states.get)
        self._previous: RecordedEvent | None = None
        self._decided = 0

    def verdict(self, record: RecordedEvent) -> Verdict | None:
        """Decide on a record, and take it in; None for one that belongs to a decision that was told before."""
        verdict = None
        try:
            if self._decided == 0:
                verdict = self._verdict(record)
                self._decided = verdict.events
            self._take(record)
        except MunimentError as error:
            # A state that another record damages, or a stream of no kind.
            self._decided = 1
            verdict = Verdict(1, f"cannot be decided again: {error}")
        self._decided -= 1
        self._previous = record
        return verdict

    def _take(self, record: RecordedEvent) -> None:
        self._states.get(record.stream, record.position).apply(record.event)
        self._replanning.take(record)

    def _verdict(self, record: RecordedEvent) -> Verdict:
        is_old = self._format_at(record.position) <= _FIRST_FORMAT
        try:
            policy = Policy.named(record.metadata.policy)
        except InvalidArgument as error:
            return Verdict(1, str(error))
        if problem := self._outside_its_saga(record):
            return Verdict(1, problem)
        if record.metadata.compensates is not None or isinstance(record.event, SagaCompensated):
            is_before_endings = self._is_before_endings(record)
            follows = partial(self._ahead.follows, record)
            verdict = Verdict(*self._replanning.verdict(record, follows, is_before_endings=is_before_endings))
            if verdict.problem and is_old:
                return Verdict(1, note=f"undoing would not append this any more: {verdict.problem}")
            return verdict
        verdict = self._decided_again(record, policy)
        if isinstance(record.event, ConversationEvent) and self._is_before_endings(record):
            verdict = self._in_older_conversation(record, verdict)
        if verdict.problem and is_old:
            return self._by_older_rules(record, verdict)
        if verdict.problem and isinstance(record.event, ConfigSynced) and self._is_before_endings(record):
            return Verdict(1, note=f"would not be adopted any more: {verdict.problem}")
        return verdict

    def _is_before_endings(self, record: RecordedEvent) -> bool:
        return self._format_at(record.position) < _FORMAT_OF_ENDINGS

    def _by_older_rules(self, record: RecordedEvent, verdict: Verdict) -> Verdict:
        """What the first format permitted: events did not say their policy, and fewer bounds were kept."""
        permitted = self._decided_again(record, Policy.reference())
        if not permitted.problem:
            return Verdict(permitted.events, note=f"only the references' policy permits this: {verdict.problem}")
        if verdict.is_bound or RULES[type(record.event)].is_mere_record:
            return Verdict(1, note=f"would not be recorded any more: {verdict.problem}")
        return verdict

    def _outside_its_saga(self, record: RecordedEvent) -> str:
        """Why an event that says that it was appended in a saga cannot have been; empty if it can."""
        saga_id = record.metadata.saga
        if saga_id is None or record.stream == saga_stream(saga_id):
            return ""
        is_open = self._states.get(saga_stream(saga_id), record.position).is_open
        return "" if is_open else f"is appended in the saga {saga_id}, which is not at work"

    def _decided_again(self, record: RecordedEvent, policy: Policy) -> Verdict:
        if isinstance(record.event, ConversationEvent):
            return self._in_conversation(record)
        decide = again(record.event)
        if decide is None:
            return Verdict(1, f"{record.type} only undoes, and undoes nothing here")
        state = self._states.get(record.stream, record.position)
        previous = self._previous
        about = Circumstances(
            policy,
            partial(self._states.get, before=record.position),
            previous.event if previous is not None and previous.position == record.position - 1 else None,
            self._is_before_endings(record),
        )
        try:
            decision = decide(state, record.event, about)
        except MunimentError as error:
            return Verdict(1, f"is not permitted: {error}", is_bound=isinstance(error, _BOUNDS))
        made = (*(each.event for each in decision.placed), *decision.events)
        if self._is_before_endings(record):
            made = tuple(_as_far_as_recorded(each, record.event) for each in made)
        if record.event in made:
            return Verdict(1)
        return Verdict(1, _difference(record.event, made), is_bound=not made)

    def _in_conversation(self, record: RecordedEvent) -> Verdict:
        """The longest run of events that one command leads to."""
        state = self._states.get(record.stream, record.position)

        def follows(index: int) -> Event[Any] | None:
            found = self._ahead.follows(record, index)
            # What undoes is decided otherwise.
            if found is None or found.stream != record.stream or found.metadata.compensates is not None:
                return None
            return found.event

        longest, is_bound, problem = 0, False, f"{record.type} is nothing that a command begins with"
        for command in conversations.commands(record.event, follows):
            try:
                made = command(state).events
            except MunimentError as error:
                problem, is_bound = f"is not permitted: {error}", isinstance(error, _BOUNDS)
                continue
            if all(event == follows(index) for index, event in enumerate(made)):
                longest = max(longest, len(made))
            if not longest:
                same = [event for index, event in enumerate(made) if event == follows(index)]
                ahead = follows(len(same)) if same else record.event
                is_bound = not made
                problem = _difference(ahead, made[len(same) : len(same) + 1])
        return Verdict(longest) if longest else Verdict(1, problem, is_bound=is_bound)

    def _in_older_conversation(self, record: RecordedEvent, verdict: Verdict) -> Verdict:
        """What conversations permitted before the third format, if that leads to more of a run; else the verdict given.

        A command that decides nothing by the rules of now may have decided something by those of then.
        """
        state = self._states.get(record.stream, record.position)
        state.is_older = True
        try:
            permitted = self._in_conversation(record)
        finally:
            state.is_older = False
        if permitted.problem or (not verdict.problem and permitted.events <= verdict.events):
            return verdict
        why = verdict.problem or "what follows here would not"
        return Verdict(permitted.events, note=f"only the rules of then permit this: {why}")


def _as_far_as_recorded(made: Event[Any], recorded: Event[Any]) -> Event[Any]:
    """An event without what a record of an older format does not say."""
    if type(made) is not type(recorded):
        return made
    names = [field.name for field in fields(made)]  # type: ignore[arg-type]  # every event is a dataclass
    unsaid = {name: None for name in names if getattr(recorded, name) is None}
    return replace(made, **unsaid)  # type: ignore[type-var]


def _difference(event: Event[Any] | None, made: tuple[Event[Any], ...]) -> str:
    """What a decision leads to in the place of an event."""
    if not made:
        return "a command appends nothing here"
    expected = made[-1]
    if event is None:
        return f"{expected.type} is missing behind it"
    if type(expected) is not type(event):
        return f"a command appends {expected.type} here, not {event.type}"
    names = [
        field.name
        for field in fields(expected)  # type: ignore[arg-type]  # every event is a dataclass
        if getattr(expected, field.name) != getattr(event, field.name)
    ]
    return f"a command appends {event.type} with another {' and '.join(names)}"
