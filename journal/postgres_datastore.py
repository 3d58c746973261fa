"""Connections to one PostgreSQL database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal

import psycopg
from eventsourcing import persistence, postgres as library
from psycopg.rows import DictRow, tuple_row
from psycopg.sql import SQL, Identifier
from psycopg.types.composite import CompositeInfo, register_composite

from .changes import RETRY_INTERVAL_S, Stop, Watch

_WATCH_INTERVAL_S: Final = 5.0
"""How often those who listen look all the same, lest a connection that died in silence keeps them waiting."""

_RECONNECT_TIMEOUT_S: Final = 1.0
"""How long the pool tries to replace a connection by itself, waiting longer each time; then whoever needs one does."""


def library_error(error: persistence.PersistenceError) -> Exception:
    """The error as the library's datastore raises it."""
    return error


class PostgresDatastore(library.PostgresDatastore):
    """Connections to one PostgreSQL database, set so that a journal's promises hold on any server.

    Args:
        settings: what the library's datastore takes.
        conninfo: what else the client library is told, such as ``sslmode``.
        lock_timeout_s: how long to wait for other processes, in seconds; None as the server is set.
        synchronous: ``FULL``: a commit reaches the disk. ``NORMAL``: it does so shortly after.
        read_only: whether the server is to refuse every change.

    Attributes:
        translate_error: turns an error of the library into the one to raise.
    """

    def __init__(
        self,
        *,
        conninfo: Mapping[str, Any] | None = None,
        lock_timeout_s: float | None = None,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        read_only: bool = False,
        **settings: Any,
    ) -> None:
        self._session: dict[str, str] = {
            # Under other levels, a statement that follows a wait for a lock does not see what was committed meanwhile.
            "default_transaction_isolation": "read committed",
        }
        if read_only:
            self._session["default_transaction_read_only"] = "on"
        if lock_timeout_s is not None:
            # To the server, 0 is for ever.
            self._session["lock_timeout"] = f"{max(1, round(lock_timeout_s * 1000))}ms"
        self._synchronous = synchronous
        self.translate_error: Callable[[persistence.PersistenceError], Exception] = library_error
        super().__init__(**settings)
        self.pool.reconnect_timeout = _RECONNECT_TIMEOUT_S
        self.pool.kwargs = {**self.pool.kwargs, **(conninfo or {})}  # type: ignore[dict-item]

    def after_connect_func(self) -> Callable[[psycopg.Connection[Any]], None]:
        """Set a new connection up."""
        library_set_up = super().after_connect_func()
        # The search path is a list of identifiers.
        session = {**self._session, "search_path": Identifier(self.schema).as_string()}
        settings = [each for setting in session.items() for each in setting]
        statement = f"SELECT {', '.join(['set_config(%s, %s, false)'] * len(session))}"
        synchronous = self._synchronous

        def set_up(connection: psycopg.Connection[Any]) -> None:
            library_set_up(connection)
            connection.execute(statement.encode(), settings)
            if synchronous == "FULL":
                # A server may be set to wait for more than its own disk; it is only kept from waiting for less.
                connection.execute(
                    "SELECT set_config('synchronous_commit', 'on', false) "
                    "WHERE current_setting('synchronous_commit') = 'off'"
                )
            else:
                connection.execute("SET synchronous_commit = off")

        return set_up

    def register_type_adapters(self) -> None:
        """Learn the composite types that the library's recorders pass; a schema may have any name."""
        unknown = self.db_type_names - self.psycopg_type_adapters.keys()
        if not unknown:
            return
        with self.get_connection() as connection:
            for name in unknown:
                info = CompositeInfo.fetch(connection, Identifier(self.schema, name))
                if info is not None:
                    register_composite(info, connection)
                    self.psycopg_type_adapters[name] = info
                    self.psycopg_python_types[name] = info.python_type

    @contextmanager
    def get_connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        """A connection of the pool, in autocommit mode."""
        try:
            with super().get_connection() as connection:
                yield connection
        except persistence.PersistenceError as error:
            if is_lost(error):
                # The other idle connections are dead too; nobody else has to find that out.
                with suppress(psycopg.Error):
                    self.pool.check()
            translated = self.translate_error(error)
            if translated is error:
                raise
            raise translated from error

    @contextmanager
    def transaction(self, *, commit: bool = False, durable: bool = True) -> Iterator[psycopg.Cursor[DictRow]]:
        """Run statements in one transaction.

        Args:
            commit: whether to commit.
            durable: whether the commit waits for the disk.
        """
        with (
            self.get_connection() as connection,
            connection.transaction(force_rollback=not commit),
            connection.cursor() as cursor,
        ):
            if not durable:
                cursor.execute("SET LOCAL synchronous_commit = off")
            yield cursor

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Read rows as plain tuples, outside of any transaction. A connection that was lost is replaced once."""
        try:
            return self._fetch(statement, parameters)
        except Exception as error:
            if not is_lost(error):
                raise
        return self._fetch(statement, parameters)

    def _fetch(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        with self.get_connection() as connection, connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            return cursor.execute(statement.encode(), parameters, prepare=True).fetchall()

    def set_idle_timeout(self, cursor: psycopg.Cursor[Any], timeout_s: float) -> None:
        """Say how long the transaction at hand may do nothing; 0: as long as it likes, if it holds nobody up."""
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [f"{timeout_s}s"])

    def lock(self, purpose: str) -> tuple[str, int]:
        """The statement that takes a lock of this schema until the transaction ends, and its parameter.

        Args:
            purpose: what the lock is for; locks for different purposes do not touch each other.
        """
        digest = hashlib.sha256(f"muniment\0{self.schema}\0{purpose}".encode()).digest()
        return "SELECT pg_advisory_xact_lock(%s)", int.from_bytes(digest[:8], signed=True)

    def listen(self, channel: str) -> Watch:
        """Watch a channel of the server, on a connection of its own; a lost server is waited for."""

        def watch(announce: Callable[[], None], stop: Stop) -> None:
            is_told = False
            while not is_told:
                try:
                    is_told = self._listen(channel, announce, stop)
                except psycopg.Error:
                    is_told = stop.wait(RETRY_INTERVAL_S)
                    # A server that only follows another lets nobody listen; who follows it looks from time to time.
                    announce()

        return watch

    def _listen(self, channel: str, announce: Callable[[], None], stop: Stop) -> bool:
        parameters: Any = {**self.pool.kwargs, "autocommit": True}  # type: ignore[dict-item]
        if self.pool.get_password_func is not None:
            parameters["password"] = self.pool.get_password_func()
        with psycopg.connect(**parameters) as connection:
            connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
            # For what was committed before.
            announce()
            while not stop.wait(_WATCH_INTERVAL_S, connection.fileno()):
                list(connection.notifies(timeout=0))
                announce()
        return True


def is_lost(error: BaseException | None) -> bool:
    """Whether an error says that the connection is gone, rather than that the server refused something."""
    while error is not None:
        if isinstance(error, psycopg.OperationalError):
            state = error.sqlstate
            # Without a state the client library says so; 08 is the class of connection errors, 57P of shutdowns.
            return state is None or state.startswith(("08", "57P"))
        error = error.__cause__
    return False
