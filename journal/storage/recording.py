"""What every recorder of this package adds to the library's: positions with every event, plain rows, subscriptions."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    Notification as StoredNotification,
    StoredEvent,
    Subscription,
)

from ...domain import UnknownPosition
from ...domain.condition import Condition, Unchanged
from .commits import Bell, Commits, Listener

_LIMIT: Final = 500
"""How many events a subscription reads at once."""

_LOOK_AGAIN_S: Final = 5.0
"""How often whoever waits for the next event looks all the same."""

PAGE_SIZE: Final = 1_000
"""How many rows are read at once."""

MAX_STATE_BYTES: Final = 8 * 2**20
"""How large a row's content may be to be read. An event has at most 1 MiB; an older Muniment set no bound."""

MAX_PAGE_BYTES: Final = 16 * 2**20
"""From how many bytes on a page has no more rows."""


class Outcome:
    """What became of an append whose caller may be interrupted.

    Attributes:
        positions: where the events were recorded, once that is certain.
    """

    __slots__ = ("positions",)

    def __init__(self) -> None:
        self.positions: Sequence[int] | None = None


class PositionedRecorder(ApplicationRecorder):
    """Reads events with their positions, and can be subscribed to.

    Attributes:
        commits: announces commits to those who listen.
        is_certain: whether ``insert_events``, when it is interrupted, says by its ``outcome`` whether it recorded.
        reads_while_it_writes: whether what is committed can be read while a transaction appends, by the same thread.
        before_append: called inside the transaction of an append, with its cursor, before the events are inserted;
            whoever appends to an empty journal by ``append`` goes past it.
        together: appends in one transaction with other threads; None where callers see to that themselves.
    """

    commits: Commits
    is_certain: bool = False
    reads_while_it_writes: bool = True
    together: Callable[[Sequence[StoredEvent]], Sequence[int] | None] | None = None
    before_append: Callable[[Any], None] | None = None
    _columns: str
    _position: str
    _octets: str
    _table: str

    def head(self) -> int:
        """The last position; 0 when nothing was appended yet."""
        return self.max_notification_id() or 0

    @property
    def select_head(self) -> str:
        """The statement that finds the last position, if there is one."""
        return f"SELECT MAX({self._position}) FROM {self._table}"

    @abstractmethod
    def append(self, cursor: Any, stored_events: Sequence[StoredEvent]) -> Sequence[int] | None:
        """Append events inside a transaction of the caller's, during which nobody else appends."""

    @abstractmethod
    def select_rows(self, after: int, limit: int) -> list[Any]:
        """Events of all originators behind a position, as plain rows: the fastest way to read many.

        Returns:
            Tuples of position, originator id, originator version, topic and state; a state of more than
            ``MAX_STATE_BYTES`` is not read, and is None. There may be fewer than the limit, where rows are large; there
            are none behind the last.
        """

    def pages(self, after: int = 0, through: int | None = None, size: int = PAGE_SIZE) -> Iterator[list[Any]]:
        """The same, page by page, up to a position or to the end."""
        while through is None or after < through:
            rows = self.select_rows(after, size if through is None else min(size, through - after))
            if not rows:
                return
            yield rows
            after = rows[-1][0]

    @abstractmethod
    def fetch(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        """Read rows, by a statement with ``?`` for its parameters."""

    def require(self, run: Callable[[str, Sequence[Any]], Any], conditions: Iterable[Condition]) -> None:
        """Make sure, inside the transaction that appends, that what was decided on still holds.

        Args:
            run: runs a statement with ``?`` for its parameters; returns the one value it finds.
            conditions: what must hold.

        Raises:
            IntegrityError: it does not.
        """
        for condition in conditions:
            if not self._holds(run, condition):
                raise IntegrityError(f"another writer was faster: {condition} does not hold any more")

    def _holds(self, run: Callable[[str, Sequence[Any]], Any], condition: Condition) -> bool:
        if isinstance(condition, Unchanged):
            return self._last_version(run, condition.stream) == condition.version
        marks = ",".join("?" * len(condition.types))
        statement = f"SELECT COUNT(*) FROM {self._table} WHERE {self._position}>? AND topic IN ({marks})"
        return bool(run(statement, [condition.position, *condition.types]) == 0)

    def _last_version(self, run: Callable[[str, Sequence[Any]], Any], stream: str) -> int:
        statement = f"SELECT MAX(originator_version) FROM {self._table} WHERE originator_id=?"
        return int(run(statement, [self._to_column(stream)]) or 0)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append events, all of them or none, and wake those who subscribed.

        Args:
            stored_events: the events.
            kwargs: what a subclass takes with them. Such events are appended in a transaction of their own.

        Returns:
            Their positions.
        """
        if self.together is None or kwargs or self._is_extended:
            return self.insert_now(stored_events, **kwargs)
        return self.together(stored_events)

    @property
    def _is_extended(self) -> bool:
        """Whether a subclass does something of its own when events are inserted."""
        return False

    @abstractmethod
    def insert_now(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append events in a transaction of their own; see ``insert_events``.

        Args:
            stored_events: the events.
            kwargs: ``conditions``, which must hold then; or ``decide``, which is called once nobody else can append,
                and says what the events are.
        """

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """One originator's events, by version, as they were inserted."""
        found = self.select_recorded(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        return [StoredEvent(each.originator_id, each.originator_version, each.topic, each.state) for each in found]

    def select_recorded(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
        behind: int = 0,
        through: int | None = None,
        topics: Sequence[str] = (),
    ) -> Sequence[StoredNotification]:
        """One originator's events, by version; each says its position too.

        Args:
            originator_id: which one's.
            gt: only those behind this version.
            lte: only those up to this version.
            desc: whether to begin with the last.
            limit: at most so many.
            behind: only those behind this position.
            through: only those up to this position.
            topics: only events of these types; all if there are none.
        """
        conditions = ["originator_id=?"]
        parameters: list[Any] = [self._to_column(originator_id)]
        if gt is not None:
            conditions.append("originator_version>?")
            parameters.append(gt)
        if lte is not None:
            conditions.append("originator_version<=?")
            parameters.append(lte)
        if behind:
            conditions.append(f"{self._position}>?")
            parameters.append(behind)
        if through is not None:
            conditions.append(f"{self._position}<=?")
            parameters.append(through)
        self._of_types(topics, conditions, parameters)
        order = f"originator_version {'DESC' if desc else 'ASC'}"
        return self._notifications(conditions, parameters, order, limit)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
        desc: bool = False,
    ) -> Sequence[StoredNotification]:
        """Events of all originators, by position; with ``desc`` the last first."""
        conditions: list[str] = []
        parameters: list[Any] = []
        if start is not None:
            conditions.append(f"{self._position}>=?" if inclusive_of_start else f"{self._position}>?")
            parameters.append(start)
        if stop is not None:
            conditions.append(f"{self._position}<=?")
            parameters.append(stop)
        self._of_types(topics, conditions, parameters)
        return self._notifications(conditions, parameters, f"{self._position} {'DESC' if desc else 'ASC'}", limit)

    def streams_from(self, name: str, most: int) -> list[str]:
        """The names of the streams from a name on, in order; each is found by itself, however many events it has."""
        statement = f"SELECT originator_id FROM {self._table} WHERE originator_id{{}}? ORDER BY originator_id LIMIT 1"
        found: list[str] = []
        while len(found) < most:
            last = found[-1] if found else name
            rows = self.fetch(statement.format(">" if found else ">="), [self._to_column(last)])
            if not rows:
                break
            found.append(str(self._from_column(rows[0][0])))
        return found

    def names(self, positions: Collection[int]) -> dict[int, tuple[str, str]]:
        """The id, ``<stream>@<version>``, and the type of the events at these positions, without decoding any.

        Raises:
            UnknownPosition: at one of them there is none; somebody deleted it, or changed the row that names it.
        """
        found: dict[int, tuple[str, str]] = {}
        wanted = sorted(positions)
        for begin in range(0, len(wanted), _LIMIT):
            batch = wanted[begin : begin + _LIMIT]
            statement = (
                f"SELECT {self._position}, originator_id, originator_version, topic FROM {self._table} "
                f"WHERE {self._position} IN ({','.join('?' * len(batch))})"
            )
            for position, originator_id, version, topic in self.fetch(statement, batch):
                found[position] = f"{originator_id}@{version}", topic
        for position in wanted:
            if position not in found:
                raise UnknownPosition(position, self.head())
        return found

    def usage(self, through: int) -> tuple[int, int]:
        """How many events there are up to a position, and how many bytes they take: stream, type and content."""
        octets = "+".join(self._octets.format(column) for column in ("originator_id", "topic", "state"))
        statement = f"SELECT COUNT(*), COALESCE(SUM({octets}), 0) FROM {self._table} WHERE {self._position}<=?"
        ((count, size),) = self.fetch(statement, [through])
        return int(count), int(size)

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> ChangesSubscription:
        """Follow the events behind a position, those recorded already and those to come, from any process.

        Args:
            gt: begin behind this position; None for the first event.
            topics: only events of these types; all if there are none.

        Returns:
            A context manager and endless iterator of notifications; ``stop`` ends it.
        """
        return ChangesSubscription(self, gt, topics)

    def _of_types(self, topics: Sequence[str], conditions: list[str], parameters: list[Any]) -> None:
        if topics:
            conditions.append(f"topic IN ({','.join('?' * len(topics))})")
            parameters += topics

    def _notifications(
        self, conditions: list[str], parameters: list[Any], order: str, limit: int | None
    ) -> Sequence[StoredNotification]:
        statement = f"SELECT {self._columns} FROM {self._table}"
        if conditions:
            statement += f" WHERE {' AND '.join(conditions)}"
        statement += f" ORDER BY {order}"
        if limit is not None:
            statement += " LIMIT ?"
            parameters.append(limit)
        return [
            StoredNotification(
                id=position,
                originator_id=self._from_column(originator_id),
                originator_version=version,
                topic=topic,
                state=state,
            )
            for position, originator_id, version, topic, state in self.fetch(statement, parameters)
        ]

    def _to_column(self, originator_id: UUID | str) -> UUID | str:
        return originator_id

    def _from_column(self, originator_id: Any) -> UUID | str:
        found: UUID | str = originator_id
        return found


class ChangesSubscription(Subscription[PositionedRecorder]):
    """Yields events as they are committed, read by whoever asks for the next one."""

    def __init__(self, recorder: PositionedRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._bell = Bell()
        self._told: Listener = self._bell
        self._events: deque[StoredNotification] = deque()
        # Whether more may be there to read at once, without waiting for another commit.
        self._is_behind = True
        recorder.commits.listen(self._bell)

    def __next__(self) -> StoredNotification:
        """Wait for the next event.

        Raises:
            StopIteration: the subscription was stopped.
        """
        self._recorder.commits.require_here()
        while not self._has_been_stopped:
            try:
                return self._events.popleft()
            except IndexError:
                self._read_or_end()
        raise StopIteration

    def ready(self) -> list[StoredNotification] | None:
        """What can be had without waiting; None if the subscription was stopped."""
        self._recorder.commits.require_here()
        self._is_behind = True
        if not self._events:
            self._read_or_end()
        found, self._events = list(self._events), deque()
        return None if self._has_been_stopped else found

    def ring(self, listener: Listener) -> None:
        """Have another listener told of what is committed, and of the end, than whoever waits in ``next``."""
        commits = self._recorder.commits
        commits.listen(listener)
        commits.unlisten(self._bell)
        self._told = listener

    def stop(self) -> None:
        """End the subscription, also where another thread waits in it."""
        self.tell()
        self._recorder.commits.unlisten(self._told)

    def tell(self) -> None:
        """End it, and wait for nothing."""
        super().stop()
        self._told.ring()

    def _read_or_end(self) -> None:
        try:
            self._read()
        except Exception:
            if not self._has_been_stopped:
                self.stop()
                raise

    def _read(self) -> None:
        if not self._is_behind:
            # Whatever is committed is announced; an interrupted thread may not have come to that.
            self._bell.wait(_LOOK_AGAIN_S)
        if self._has_been_stopped:
            return
        found = self._recorder.select_notifications(
            start=self._last_notification_id or 0, limit=_LIMIT, topics=self._topics, inclusive_of_start=False
        )
        self._is_behind = len(found) == _LIMIT
        if found:
            self._last_notification_id = found[-1].id
            self._events.extend(found)
