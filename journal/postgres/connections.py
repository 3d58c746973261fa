"""Connections to a PostgreSQL server, each for one thread at a time, and none waited for without end.

A connection that sat idle may be dead: servers, proxies and firewalls end those. So one is looked at before it is
lent. A server that ended it in an orderly way has left something to be read, which costs no round trip to find out;
one that idled for long, or is suspect, is asked.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar
from weakref import ReferenceType, ref

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

ResultT = TypeVar("ResultT")
ThingT = TypeVar("ThingT")

ASK_AFTER_S: Final = 30.0
"""A connection that idled for longer is asked whether it lives, since firewalls drop those without a word."""

ASK_TIMEOUT_S: Final = 5.0
"""How long its answer is waited for."""

MAX_IDLE_S: Final = 600.0
"""A connection that nobody needed for so long is closed."""

CLOSE_GRACE_S: Final = 1.0
"""How long a statement that is under way when everything is closed has for its end, before it is cancelled."""

CLOSE_TIMEOUT_S: Final = 5.0
"""How long closing waits for those who use a connection."""

CANCEL_TIMEOUT_S: Final = 2.0
"""How long the server has to take a request to cancel a statement."""

_WAKE_S: Final = 0.1
"""How often who waits for a connection looks by itself, since an interrupted thread tells nobody."""


class NoAnswer(psycopg.OperationalError):
    """What this module gives up by itself; trying again at once would only wait again."""


class InheritedConnection(NoAnswer):
    """A connection belongs to the process that forked this one, and would be lost to it if anything were said here."""

    def __init__(self) -> None:
        super().__init__("it was opened by the process that forked this one; open it in this process")


class Connection(psycopg.Connection[Any]):
    """A connection whose every wait has an end.

    Attributes:
        answer_timeout_s: how long the server may say nothing, in seconds; None for as long as it likes.
        idle_since: when it was last given back, on the monotonic clock.
        opened_at: when it was opened, on the monotonic clock.
        place: what it takes of the number of connections that there may be.
    """

    answer_timeout_s: float | None = None
    closing: Closing | None = None

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._process = os.getpid()
        self.opened_at = self.idle_since = time.monotonic()
        self.place: object = None

    def __del__(self, _: Any = None) -> None:
        """Nothing: who was interrupted loses a connection, and the client library closes it without a warning."""

    @property
    def is_inherited(self) -> bool:
        """Whether it belongs to the process that forked this one; then nothing may be said on it."""
        return self._process != os.getpid()

    def wait(self, gen: PQGen[ResultT], *args: Any, **settings: Any) -> ResultT:
        """Wait for the server, but not for ever, and not once everything is to be closed.

        Raises:
            NoAnswer: it took too long, or the connections are closed. The connection is closed then.
            InheritedConnection: the connection belongs to another process.
        """
        if self.is_inherited:
            raise InheritedConnection
        if self.closing is not None and self.closing.since is not None:
            self.close()
            raise NoAnswer("the connections are closed")
        try:
            return super().wait(self._watched(gen), *args, **settings)
        except NoAnswer:
            # What the server still does is not waited for, and should not hold anybody up.
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=CANCEL_TIMEOUT_S)
            self.close()
            raise

    def close(self) -> None:
        """Close it, unless it is another process's, who would lose it."""
        if not self.is_inherited:
            super().close()

    def _watched(self, gen: PQGen[ResultT]) -> PQGen[ResultT]:
        try:
            wanted = next(gen)
            since = time.monotonic()
            while True:
                ready = yield wanted
                if not ready:
                    self._give_up(since)
                elif self.answer_timeout_s is not None:
                    since = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            result: ResultT = end.value
            return result

    def _give_up(self, silent_since: float) -> None:
        now = time.monotonic()
        if self.closing is not None and self.closing.is_over(now):
            raise NoAnswer("the connections were closed meanwhile")
        if self.answer_timeout_s is not None and now - silent_since > self.answer_timeout_s:
            raise NoAnswer(f"the server has not answered for {self.answer_timeout_s:.0f} s")


class Closing:
    """When the connections began to be closed.

    Attributes:
        since: on the monotonic clock; None while they are open.
    """

    since: float | None = None

    def is_over(self, now: float) -> bool:
        """Whether what was under way then has had its time."""
        return self.since is not None and now - self.since > CLOSE_GRACE_S


class Connections:
    """As many connections as there are threads that need one, up to a number.

    Args:
        connect: opens one.
        limit: how many there may be.
        timeout_s: how long to wait for one while all are in use, in seconds.
        max_age_s: one that is older is replaced.
        max_waiting: how many threads may wait for one; 0 for any number.
        ask_always: whether each is asked whether it lives before it is lent.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        limit: int,
        timeout_s: float,
        max_age_s: float,
        max_waiting: int = 0,
        ask_always: bool = False,
    ) -> None:
        self._connect = connect
        self._limit = limit
        self._timeout_s = timeout_s
        self._max_age_s = max_age_s
        self._max_waiting = max_waiting
        self._ask_after_s = -1.0 if ask_always else ASK_AFTER_S
        self._suspect_before = 0.0
        self._closing = Closing()
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._idle: deque[Connection] = deque()
        # Who is interrupted at any point loses its connection, and with it, by itself, the place that it took.
        self._places: _Living[_Place] = _Living()
        self._lent: _Living[Connection] = _Living()
        self._waiting: set[int] = set()
        self._returned: SimpleQueue[None] = SimpleQueue()

    def require_here(self) -> None:
        """Refuse what was inherited from the process that forked this one.

        Raises:
            InheritedConnection
        """
        if self._process != os.getpid():
            raise InheritedConnection

    def take(self) -> Connection:
        """A connection that nobody else uses; ``give_back`` must follow.

        Raises:
            psycopg.Error: there is none to be had.
        """
        self.require_here()
        connection = self._idle_one() or self._new_one()
        return self._wait() if connection is None else connection

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next one who needs one, if it is good for that."""
        if connection.is_inherited:
            return
        self._lent.discard(connection)
        now = time.monotonic()
        is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if is_idle and self._closing.since is None and now - connection.opened_at < self._max_age_s:
            connection.idle_since = now
            self._idle.append(connection)
            if self._closing.since is not None:
                self.let_go()
            elif now - self._idle[0].idle_since > MAX_IDLE_S:
                with suppress(IndexError):
                    _close(self._idle.popleft())
        else:
            _close(connection)
        if self._waiting or self._closing.since is not None:
            self._returned.put(None)

    def suspect(self) -> None:
        """Have those that are idle asked before they are lent, since another turned out to be dead."""
        self._suspect_before = time.monotonic()

    def let_go(self) -> None:
        """Close those that nobody uses; they are opened again when they are needed."""
        with suppress(IndexError):
            while True:
                _close(self._idle.pop())

    def abandon(self, keep: Callable[[Any], None]) -> None:
        """Leave all of them alone, in a child of the process that they belong to.

        Args:
            keep: keeps an object from ever being destroyed.
        """
        for each in (*self._idle, *self._lent.all()):
            keep(each)

    def close(self) -> None:
        """Close all of them.

        Who uses one may finish the statement that is under way, within a second; then it is cancelled. Every other
        statement fails.
        """
        if self._process != os.getpid():
            return
        if self._closing.since is None:
            self._closing.since = time.monotonic()
        self.let_go()
        deadline = self._closing.since + CLOSE_TIMEOUT_S
        while (lent := self._lent.all()) and time.monotonic() < deadline:
            for connection in lent:
                # Nobody waits for it, so that nobody would end it: its transaction is rolled back at once.
                if connection.lock.acquire(blocking=False):
                    try:
                        _close(connection)
                        self._lent.discard(connection)
                    finally:
                        connection.lock.release()
            del lent
            with suppress(Empty):
                self._returned.get(timeout=_WAKE_S)

    def _idle_one(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if self._is_alive(connection):
                self._lent.add(connection)
                return connection
            _close(connection)

    def _new_one(self) -> Connection | None:
        place = _Place()
        with self._lock:
            if len(self._places) >= self._limit:
                return None
            self._places.add(place)
        try:
            if self._closing.since is not None:
                raise NoAnswer("the connections are closed")
            connection = self._connect()
        except BaseException:
            # The error knows this frame, and may be kept for long.
            self._places.discard(place)
            raise
        connection.place = place
        connection.closing = self._closing
        self._lent.add(connection)
        return connection

    def _wait(self) -> Connection:
        if self._max_waiting and len(self._waiting) >= self._max_waiting:
            raise NoAnswer(f"{self._max_waiting} others wait for a connection already")
        deadline = time.monotonic() + self._timeout_s
        try:
            self._waiting.add(threading.get_ident())
            while (left := deadline - time.monotonic()) > 0:
                with suppress(Empty):
                    self._returned.get(timeout=min(left, _WAKE_S))
                if (connection := self._idle_one() or self._new_one()) is not None:
                    return connection
        finally:
            self._waiting.discard(threading.get_ident())
        raise NoAnswer(f"all {self._limit} connections were in use for {self._timeout_s:g} s")

    def _is_alive(self, connection: Connection) -> bool:
        if connection.closed or self._closing.since is not None:
            return False
        now = time.monotonic()
        if now - connection.opened_at > self._max_age_s or _has_something_to_read(connection):
            return False
        if now - connection.idle_since <= self._ask_after_s and connection.idle_since > self._suspect_before:
            return True
        timeout_s, connection.answer_timeout_s = connection.answer_timeout_s, ASK_TIMEOUT_S
        try:
            connection.execute("")
        except psycopg.Error:
            return False
        connection.answer_timeout_s = timeout_s
        return True


class _Living(Generic[ThingT]):
    """A set that keeps nothing alive. What each method does is one step, which no thread and no interrupt divides."""

    def __init__(self) -> None:
        self._entries: set[ReferenceType[ThingT]] = set()

    def add(self, thing: ThingT) -> None:
        self._entries.add(ref(thing, self._entries.discard))

    def discard(self, thing: ThingT) -> None:
        self._entries.discard(ref(thing))

    def all(self) -> list[ThingT]:
        return [thing for entry in tuple(self._entries) if (thing := entry()) is not None]

    def __len__(self) -> int:
        return len(self._entries)


class _Place:
    """One of the number of connections that there may be."""

    __slots__ = ("__weakref__",)


def _has_something_to_read(connection: Connection) -> bool:
    """Whether the server said something on a connection that asked nothing: mostly, that it ended it."""
    watched = select.poll()
    watched.register(connection.fileno(), select.POLLIN)
    return bool(watched.poll(0))


def _close(connection: Connection) -> None:
    connection.place = None
    connection.close()
