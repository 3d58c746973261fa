"""``journal.conversations``: the commands on conversations, the passing of time, notifications, and the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final

from eventsourcing.persistence import Notification as StoredNotification

from ..domain import (
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
    identifier,
    natural_number,
)
from ..domain.consumer import ConsumerState
from ..domain.conversation import TELLING_TYPES, kinds_told, next_wakeup
from ..domain.value import function_or_none
from ..projections import ConversationsView, DeadlinesView, Progress, Projector, TemporalStore
from .commands import Executes, checked
from .conversation_commands import ConversationCommands
from .recording import PAGE_SIZE
from .storage import JournalApplication
from .times import SteadyClock

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
        time, progress = self.waited_until(now), function_or_none("progress", progress)
        due = [conversation_id] if conversation_id is not None else self.due(time)
        happened: dict[str, tuple[Event[Any], ...]] = {}
        for done, each in enumerate(due, 1):
            with self._untouched(), self._unless_withdrawn(conversation_id):
                if events := self._tick_one(each, time):
                    happened[each] = events
            if progress is not None:
                progress(done, len(due))
        return happened

    def waited_until(self, now: int | None) -> int:
        """The time that is given, or else the clock's, and no earlier than the last event of any open conversation.

        So a step back of the clock delays no deadline, also where this journal was closed then, or was not looking.

        Raises:
            InvalidArgument: it is no time.
        """
        time = self.time(now)
        if now is None and (ahead := self._ahead_of(time)):
            time = self._steady.at_least(max(ahead.values()))
        return time

    def due(self, now: int) -> list[str]:
        """The conversations in which something is due at a time in ms, earliest first.

        Where a clock went back, the time of the conversation's last event counts.

        Raises:
            InvalidArgument: it is no time.
        """
        time = self.time(now)
        found = dict.fromkeys(each.conversation_id for each in self._deadlines.until(time))
        return list(found | dict.fromkeys(self._due_by_own_time(time)))

    def _due_by_own_time(self, now: int) -> Iterator[str]:
        """The conversations that are ahead of a time in ms, and in which something was due by their last event."""
        for conversation_id, at in self._ahead_of(now).items():
            if any(each.deadline.due_at <= at for each in self._deadlines.of_conversation(conversation_id)):
                yield conversation_id

    def _unless_withdrawn(self, named: str | None) -> AbstractContextManager[None]:
        """Pass over a conversation that nobody named, and whose opening was undone since it was found to be due."""
        return nullcontext() if named is not None else suppress(ConversationNotFound)

    def next_wakeup(self, now: int | None = None, conversation_id: str | None = None) -> int | None:
        """How long nothing is due, by the same windows that ``tick`` goes by (de-mls 5.4).

        Args:
            now: the time, in ms; by default the journal's clock tells it.
            conversation_id: only in this one; by default in all.

        Returns:
            A time in ms: 0 if something is due; None if nothing ever will be, as things are.

        Raises:
            ConversationNotFound: the one that is named was never opened.
        """
        time = self.waited_until(now)
        if conversation_id is None:
            wakeup = self._deadlines.next_wakeup(time)
            return 0 if wakeup and any(self._due_by_own_time(time)) else wakeup
        stream = conversation_stream(identifier("conversation_id", conversation_id))
        return self._journal.read_state(stream, lambda state: next_wakeup(state, time))

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
        """Move its consumer's cursor behind a notification: all up to it were told, of the conversations asked for.

        One that was acknowledged before changes nothing.

        Raises:
            UnknownPosition: it is from no event of this journal.
            InvalidArgument: no such notification is told of that event.
        """
        stream, *cursor = self._require_told(notification)
        self._journal.execute(stream, consumer.acknowledge, *cursor)

    def _require_told(self, notification: Notification) -> tuple[str, int, int, str | None]:
        """The stream of a notification's consumer, and how far that has come with it; see ``acknowledge``."""
        given = checked(notification, Notification)
        stream = consumer_stream(identifier("consumer", given.consumer))
        position, part = natural_number("position", given.position), natural_number("part", given.part)
        head = self._application.recorder.head()
        if not 1 <= position <= head:
            raise UnknownPosition(position, head)
        (stored,) = self._application.recorder.select_notifications(position, 1)
        event: Any = self._application.mapper.to_domain_event(stored).event
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
            yield from recorder.select_events(stream, behind=max(0, start - 1), topics=TELLING_TYPES)
            return
        while True:
            page = recorder.select_notifications(start, PAGE_SIZE, topics=TELLING_TYPES)
            yield from page
            if len(page) < PAGE_SIZE:
                return
            start = page[-1].id + 1
