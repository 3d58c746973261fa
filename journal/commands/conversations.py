"""``journal.conversations``: the commands on conversations, the passing of time, notifications, and the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, Final

from eventsourcing.persistence import Notification as StoredNotification

from ...domain import (
    ConversationNotFound,
    ConversationView,
    Event,
    InvalidArgument,
    Life,
    Notification,
    UnknownPosition,
    consumer,
    consumer_stream,
    conversation_stream,
)
from ...domain.consumer import ConsumerState
from ...domain.conversation import TELLING_TYPES, kinds_told, next_wakeup, tick
from ...domain.identifiers import identifier, natural_number
from ...domain.value import function_or_none
from ...projections import ConversationsView, DeadlinesView, Progress, Projector, TemporalStore
from ..storage.application import JournalApplication
from ..storage.recording import PAGE_SIZE
from ..writing.times import SteadyClock
from .base import Ask, Command, Executes, Steps, carry_out, checked
from .conversation_commands import ConversationCommands

_QUIET_CONSUMERS: Final = 1_000
"""Of how many consumers it is remembered that they were told everything."""


class Conversations(ConversationCommands, ConversationsView):
    """The commands on conversations, and where each stands: a mapping from conversation id to a row.

    Args:
        journal: what carries commands out.
        application: where events are stored.
        clock: tells the time that waits for deadlines.
        untouched: a block in which no saga and no idempotency key is under way.
        store: the tables.
        projector: what keeps them caught up.
    """

    def __init__(
        self,
        journal: Executes,
        application: JournalApplication,
        clock: SteadyClock,
        untouched: Callable[[], AbstractContextManager[None]],
        store: TemporalStore,
        projector: Projector,
    ) -> None:
        ConversationCommands.__init__(self, journal, clock)
        self._steady = clock
        ConversationsView.__init__(self, store, projector)
        self._application = application
        self._untouched = untouched
        self._deadlines = DeadlinesView(store, projector)
        # From which position on a consumer that was told everything may be told more; cursors only move forward.
        self._quiet: dict[str, int] = {}

    def tick(
        self, now: int | None = None, conversation_id: str | None = None, progress: Progress | None = None
    ) -> dict[str, tuple[Event[Any], ...]]:
        """Let time go by: do what is due, once, in the order of de-mls 5.1, 7. Where nothing is due, nothing happens.

        Conversations in which nothing is due cost nothing. What is done belongs to no saga, and takes no idempotency
        key: it is due once whoever asks.

        Args:
            now: the time, in ms; by default the journal's clock tells it. Where that stepped back, the time is
                counted on from where it was.
            conversation_id: only in this one; by default in all.
            progress: called with how many conversations are done, and how many there are to do.

        Returns:
            What happened, by conversation; empty if nothing did.

        Raises:
            ConversationNotFound: the one that is named was never opened.
            JournalError: the storage failed; what was done before that is on record.
        """
        ticking = self._ticking(now, conversation_id, function_or_none("progress", progress))
        return carry_out(self._journal, ticking)

    def _ticking(
        self, now: int | None, conversation_id: str | None, progress: Progress | None
    ) -> Steps[dict[str, tuple[Event[Any], ...]]]:
        to_do: dict[str, int] = yield Ask(partial(self._to_do, now, conversation_id))
        happened: dict[str, tuple[Event[Any], ...]] = {}
        for done, (each, time) in enumerate(to_do.items(), 1):
            with self._untouched(), self._unless_withdrawn(conversation_id):
                if events := (yield Command(conversation_stream(each), partial(tick, now=time), ())):
                    happened[each] = events
            if progress is not None:
                progress(done, len(to_do))
        return happened

    def due(self, now: int) -> list[str]:
        """The conversations in which something is due at a time in ms, earliest first.

        Where a clock went back, the time of the conversation's last event counts.

        Raises:
            InvalidArgument: it is no time.
        """
        return list(self._to_do(self.time(now), None))

    def _to_do(self, now: int | None, conversation_id: str | None) -> dict[str, int]:
        """The conversations that a tick looks at, those that are due the longest first, and the time in each, in ms."""
        time, own = self._times(now)
        if conversation_id is not None:
            name = identifier("conversation_id", conversation_id)
            return {name: own.get(name, time)}
        due: dict[str, int] = {}
        for each in self._deadlines.until(time):
            due.setdefault(each.conversation_id, each.deadline.due_at)
        for name, their_time in own.items():
            earliest = self._earliest_in(name)
            if earliest is not None and earliest <= their_time:
                due[name] = earliest
        return {name: own.get(name, time) for name in sorted(due, key=lambda name: due[name])}

    def _times(self, now: int | None) -> tuple[int, dict[str, int]]:
        """The given time or else the clock's, in ms; and the time in each conversation that is ahead of it.

        The time in such a conversation counts on from its last event. So a step back of the clock delays no deadline,
        even if this journal was closed when the clock stepped back.

        Raises:
            InvalidArgument: it is no time.
        """
        time = self.time(now)
        ahead = self._ahead_of(time)
        return (time, ahead) if now is not None else self._steady.counted_on(ahead)

    def _next_in(self, conversation_id: str, now: int) -> int | None:
        """How long until something is due in a conversation that is ahead, in ms; None if nothing ever will be."""
        earliest = self._earliest_in(conversation_id)
        return None if earliest is None else max(0, earliest - now)

    def _earliest_in(self, conversation_id: str) -> int | None:
        pending = [each.deadline.due_at for each in self._deadlines.of_conversation(conversation_id)]
        if not pending:
            self._steady.forget(conversation_id)
        return min(pending, default=None)

    def _unless_withdrawn(self, named: str | None) -> AbstractContextManager[None]:
        """Pass over a conversation that nobody named, and whose opening was undone since it was found to be due."""
        return nullcontext() if named is not None else suppress(ConversationNotFound)

    def next_wakeup(self, now: int | None = None, conversation_id: str | None = None) -> int | None:
        """How long until something is due, by the same windows that ``tick`` uses (de-mls 5.4).

        Args:
            now: the time, in ms; by default the journal's clock tells it.
            conversation_id: only in this one; by default in all.

        Returns:
            A time in ms: 0 if something is due; None if nothing ever will be, as things are.

        Raises:
            ConversationNotFound: the one that is named was never opened.
        """
        time, own = self._times(now)
        if conversation_id is None:
            wakeups = [self._deadlines.next_wakeup(time)]
            for each, their_time in own.items():
                wakeup = self._next_in(each, their_time)
                # With a given time, later deadlines come due by the caller's clock, as in the first entry.
                wakeups.append(wakeup if now is None or wakeup == 0 else None)
            return min((each for each in wakeups if each is not None), default=None)
        name = identifier("conversation_id", conversation_id)
        passed = time if now is not None else own.get(name, time)
        return self._journal.read_state(conversation_stream(name), lambda state: next_wakeup(state, passed))

    def state(self, conversation_id: str) -> ConversationView:
        """Read a conversation as it is now: who is in it, what is approved, offered and voted, whose turn it is.

        Raises:
            ConversationNotFound: it was never opened.
        """
        stream = conversation_stream(identifier("conversation_id", conversation_id))
        view: ConversationView = self._journal.read_state(stream, ConversationView.of)
        if view.life is Life.UNOPENED:
            raise ConversationNotFound(conversation_id)
        return view

    def notifications(self, consumer: str, conversation_id: str | None = None) -> Iterator[Notification]:
        """Tell a consumer what it was not told yet, in order (de-mls 3, 5.1).

        It is told again until it is acknowledged; after a restart, the consumer goes on where it was.

        Args:
            consumer: who is told; each name has a cursor of its own.
            conversation_id: only of this one; by default of all.

        Raises:
            UnknownEventType, DamagedRecord: when an event that cannot be decoded is reached.
        """
        name = identifier("consumer", consumer)
        only = None if conversation_id is None else identifier("conversation_id", conversation_id)
        return self._notifications(name, only)

    def acknowledge(self, notification: Notification) -> None:
        """Record that a notification's consumer was told everything up to it, of the conversations it asked for.

        One that was acknowledged before changes nothing.

        Raises:
            UnknownPosition: it is from no event of this journal.
            InvalidArgument: no such notification is told of that event.
        """
        return carry_out(self._journal, self._acknowledging(notification))

    def _acknowledging(self, notification: Notification) -> Steps[None]:
        stream, *cursor = yield Ask(partial(self._require_told, notification))
        yield Command(stream, consumer.acknowledge, tuple(cursor))

    def _require_told(self, notification: Notification) -> tuple[str, int, int, str | None]:
        """The stream of a notification's consumer, and how far that has come with it; see ``acknowledge``."""
        given = checked(notification, Notification)
        stream = consumer_stream(identifier("consumer", given.consumer))
        position, part = natural_number("position", given.position), natural_number("part", given.part)
        head = self._application.recorder.head()
        if not 1 <= position <= head:
            raise UnknownPosition(position, head)
        event: Any = self._application.record_at(position).event
        told = kinds_told(event)[part : part + 1]
        # The whole of it: a journal that was restored from a backup may hold another event at the same position.
        if not told or (*told, event.conversation_id, event.at, event) != given[:4]:
            raise InvalidArgument("notification", f"is not one that the event at position {position} tells")
        return stream, position, part, given.conversation_id if checked(given.only, bool, "only") else None

    def _notifications(self, consumer: str, only: str | None) -> Iterator[Notification]:
        cursors = self._journal.read_state(consumer_stream(consumer), ConsumerState.standing)
        start = cursors.everywhere if only is None else cursors.of(only)
        # Asked before: what comes meanwhile may be told the next time.
        head, is_news = self._application.recorder.head(), False
        for stored in self._telling(max(start.position, self._quiet.get(consumer, 0)), only):
            record = self._application.mapper.to_domain_event(stored)
            event: Any = record.event
            cursor = cursors.of(event.conversation_id)
            for part, kind in enumerate(kinds_told(event)):
                if (record.position, part) > cursor:
                    is_news = True
                    yield Notification(
                        kind, event.conversation_id, event.at, event, record.position, part, consumer, only is not None
                    )
        if not is_news and only is None:
            if len(self._quiet) >= _QUIET_CONSUMERS:
                self._quiet.clear()
            self._quiet[consumer] = head + 1

    def _telling(self, start: int, only: str | None) -> Iterable[StoredNotification]:
        """The events that tell anything, page by page, from a position on."""
        recorder = self._application.recorder
        if only is not None:
            stream = conversation_stream(only)
            yield from recorder.select_recorded(stream, behind=max(0, start - 1), topics=TELLING_TYPES)
            return
        while True:
            page = recorder.select_notifications(start, PAGE_SIZE, topics=TELLING_TYPES)
            yield from page
            if len(page) < PAGE_SIZE:
                return
            start = page[-1].id + 1
