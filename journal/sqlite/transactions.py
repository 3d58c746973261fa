"""Transactions on one SQLite database: on the connection that writes, and on those that read."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from eventsourcing import sqlite as library

from ...projections import Grip
from ..storage.forks import Inside
from . import log


class Connections(Protocol):
    """The connections that transactions run on: those of a datastore."""

    translate_error: Callable[[sqlite3.Error], Exception]

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that opened them."""

    def begin_writing(self, writing: Writing, begin: str, synchronous: str) -> sqlite3.Cursor:
        """Wait for the turn to write, and begin; ``end_writing`` must follow."""

    def is_writing(self, writing: Writing) -> bool:
        """Whether it is this transaction's turn to write."""

    def require_writable(self) -> None:
        """Refuse to commit what is not waited for any more."""

    def end_writing(self, writing: Writing) -> None:
        """Roll back what is not committed, and let the next one write."""

    def mend(self) -> None:
        """End a transaction that was left open by one who was interrupted."""

    def take_reader(self) -> sqlite3.Connection:
        """A connection that nobody else reads through; ``give_back`` must follow."""

    def after_long_read(self, reader: sqlite3.Connection) -> None:
        """Take over what had to stay in the log meanwhile."""

    def give_back(self, reader: sqlite3.Connection) -> None:
        """Keep a reader for the next one who reads."""


class Writing(Grip, Inside):
    """A transaction on the connection that writes.

    Attributes:
        datastore: where.
        is_committed: whether it is certain that it was committed.
    """

    __slots__ = ("_begin", "_commit", "_cursor", "_entry", "_is_ended", "_synchronous", "datastore", "is_committed")

    def __init__(self, datastore: Connections, *, commit: bool, synchronous: str) -> None:
        self._is_ended = True
        super().__init__()
        self.datastore = datastore
        self._commit = commit
        self._begin = "BEGIN IMMEDIATE" if commit else "BEGIN"
        self._synchronous = synchronous
        self.is_committed = False

    def __enter__(self) -> library.SQLiteCursor:
        try:
            self.enter()
            self._is_ended = False
            self._cursor = self.datastore.begin_writing(self, self._begin, self._synchronous)
            # The library's cursor class only forwards to this one.
            return self._cursor  # type: ignore[return-value]
        except BaseException as error:
            self._end()
            if isinstance(error, sqlite3.Error):
                raise self.datastore.translate_error(error) from error
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._commit and error is None:
                self._commit_it()
        except sqlite3.Error as failure:
            raise self.datastore.translate_error(failure) from failure
        finally:
            self._end()
        if isinstance(error, sqlite3.Error):
            raise self.datastore.translate_error(error) from error

    def _commit_it(self) -> None:
        self.datastore.require_writable()
        connection = self._cursor.connection
        try:
            self._cursor.execute("COMMIT")
        except sqlite3.Error:
            raise
        except BaseException:
            # An interrupt arrives when the call is over.
            self.is_committed = not connection.in_transaction
            raise
        self.is_committed = True

    def _end(self) -> None:
        if self.datastore.is_inherited:
            return
        try:
            if self.datastore.is_writing(self):
                self.datastore.end_writing(self)
        finally:
            self.over.put(None)
            self._is_ended = True
            self.leave()

    def __del__(self) -> None:
        if not self._is_ended:
            self.datastore.mend()


class Reading(Inside):
    """A transaction that reads, on a connection of its own.

    Attributes:
        datastore: where.
        since: when it began, as ``time.monotonic`` tells.
    """

    __slots__ = ("__weakref__", "_cursor", "_entry", "datastore", "since", "thread")

    def __init__(self, datastore: Connections) -> None:
        self.datastore = datastore
        self.since = time.monotonic()
        self._cursor: sqlite3.Cursor | None = None

    def __enter__(self) -> library.SQLiteCursor:
        try:
            self.enter()
            reader = self.datastore.take_reader()
            try:
                self._cursor = reader.execute("BEGIN")
            except BaseException:
                reader.close()
                raise
            return self._cursor  # type: ignore[return-value]
        except BaseException as error:
            self.leave()
            if isinstance(error, sqlite3.Error):
                raise self.datastore.translate_error(error) from error
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.datastore.is_inherited:
            return
        try:
            self._give_back()
        finally:
            self.leave()
        if isinstance(error, sqlite3.Error):
            raise self.datastore.translate_error(error) from error

    def interrupt(self) -> None:
        """Have what is being read fail; from any thread."""
        if (cursor := self._cursor) is not None:
            with suppress(sqlite3.Error):
                cursor.connection.interrupt()

    def _give_back(self) -> None:
        if (cursor := self._cursor) is None:
            return
        reader = cursor.connection
        cursor.close()
        try:
            reader.rollback()
        except sqlite3.Error:
            # Closed under the reader's feet; what it was doing says so itself.
            reader.close()
        else:
            if log.is_long(self.since):
                self.datastore.after_long_read(reader)
            self.datastore.give_back(reader)
