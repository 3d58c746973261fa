"""Connections to one PostgreSQL database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Final, Literal as OneOf, Self, TypeAlias, cast

import psycopg
from eventsourcing import persistence, postgres as library
from psycopg.rows import DictRow, tuple_row
from psycopg.sql import SQL, Composed, Identifier, Literal
from psycopg.types.composite import CompositeInfo, register_composite

from ..storage.commits import RETRY_INTERVAL_S, Stop, Watch
from ..storage.forks import Inherited, InsideBlock
from .connections import Connection, Connections, InheritedConnection, NoAnswer

ANSWER_TIMEOUT_S: Final = 60.0
"""How long a server may say nothing while it is asked something, beside the time that it waits for locks."""

LONG_ANSWER_TIMEOUT_S: Final = 3_600.0
"""The same where it has to go through whole tables."""

POLL_INTERVAL_S: Final = 0.2
"""How often those who listen look where the server cannot tell them: behind a pool of transactions."""

_WATCH_INTERVAL_S: Final = 5.0
"""How often those who listen look all the same, lest a connection that died in silence keeps them waiting."""

_KEEP_ALIVE: Final = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 3}
"""How a connection that nobody uses is kept known to firewalls, and a dead one found out; in seconds and times."""

LEAST_VERSION: Final = 140_000
"""The least version of the server, as it says it in a number."""

_ENCODING: Final = "UTF8"

Pooling: TypeAlias = OneOf["", "session", "transaction"]
"""How what stands between here and the server pools its connections; nothing if nothing does."""

_ERRORS: Final[tuple[tuple[type[psycopg.Error], type[persistence.PersistenceError]], ...]] = (
    (psycopg.InterfaceError, persistence.InterfaceError),
    (psycopg.OperationalError, persistence.OperationalError),
    (psycopg.DataError, persistence.DataError),
    (psycopg.IntegrityError, persistence.IntegrityError),
    (psycopg.InternalError, persistence.InternalError),
    (psycopg.ProgrammingError, persistence.ProgrammingError),
    (psycopg.NotSupportedError, persistence.NotSupportedError),
    (psycopg.DatabaseError, persistence.DatabaseError),
    (psycopg.Error, persistence.PersistenceError),
)


class Unsuitable(psycopg.NotSupportedError):
    """A server that cannot keep a promise; the message says which one, and what to do."""


def library_error(error: persistence.PersistenceError) -> Exception:
    """The error as the library's datastore raises it."""
    return error


class PostgresDatastore(library.PostgresDatastore, Inherited):
    """Connections to one PostgreSQL database, set so that a journal's promises hold on any server.

    Args:
        settings: what the library's datastore takes.
        conninfo: what else the client library is told, such as ``sslmode``.
        lock_timeout_s: how long to wait for other processes, in seconds; None as the server is set.
        synchronous: ``FULL``: a commit reaches the disk. ``NORMAL``: it does so shortly after.
        read_only: whether the server is to refuse every change.
        pooling: how what stands between here and the server pools its connections. Where it gives each transaction
            another one, what is set for a connection is set for each transaction, and nobody can listen.

    Attributes:
        translate_error: turns an error of the library into the one to raise.
    """

    def __init__(
        self,
        *,
        conninfo: Mapping[str, Any] | None = None,
        lock_timeout_s: float | None = None,
        synchronous: OneOf["FULL", "NORMAL"] = "FULL",
        read_only: bool = False,
        pooling: Pooling = "",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if lock_timeout_s is None and self.lock_timeout:
            # As the library's setting says it; 0 leaves it to the server.
            lock_timeout_s = float(self.lock_timeout)
        self.translate_error: Callable[[persistence.PersistenceError], Exception] = library_error
        self._pooling = pooling
        self._read_only = read_only
        self._answer_timeout_s = None if lock_timeout_s is None else lock_timeout_s + ANSWER_TIMEOUT_S
        self._session = _session_settings(self, lock_timeout_s, is_transaction=pooling == "transaction")
        if read_only and pooling != "transaction":
            self._session["default_transaction_read_only"] = "on"
        self._set_up = _set_up_statement(self._session, synchronous, is_local=pooling == "transaction")
        # The library's pool holds the settings, and is never opened: it has threads, and waits for what is dead.
        pool = self.pool
        self._parameters = {
            "connect_timeout": max(2, round(pool.timeout)),
            **_KEEP_ALIVE,
            **cast(dict[str, Any], pool.kwargs),
            **(conninfo or {}),
            # Whatever the environment says: text is read and written as it is stored.
            "client_encoding": _ENCODING,
            "autocommit": True,
            "prepare_threshold": None if pooling == "transaction" else 5,
        }
        self.connections = Connections(
            self._connect,
            limit=pool.max_size,
            timeout_s=pool.timeout,
            max_age_s=pool.max_lifetime,
            max_waiting=pool.max_waiting,
            ask_always=self.pre_ping,
        )
        self.watch_forks()

    def _connect(self) -> Connection:
        parameters = dict(self._parameters)
        if self.pool.get_password_func is not None:
            parameters["password"] = self.pool.get_password_func()
        connection = Connection.connect(**parameters)
        try:
            # For transactions; where a statement is one by itself, the session says the same.
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.read_only = self._read_only or None
            connection.answer_timeout_s = self._answer_timeout_s
            self._require_suitable(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_suitable(self, connection: Connection) -> None:
        """Set a new connection up, and look who answers."""
        if (version := connection.info.server_version) < LEAST_VERSION:
            raise Unsuitable(f"it is PostgreSQL {version // 10_000}, and {LEAST_VERSION // 10_000} or newer is needed")
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != _ENCODING:
            raise Unsuitable(
                f"the database has the encoding {encoding}, which cannot hold every text; make one with "
                f"CREATE DATABASE name ENCODING '{_ENCODING}' TEMPLATE template0, and name it in the URL"
            )
        with connection.cursor(row_factory=tuple_row) as cursor:
            (backend, *_) = cursor.execute(self._set_up, prepare=False).fetchone() or (None,)
        # A pool gives each client a number of its own for the connection.
        if not self._pooling and backend != connection.info.backend_pid:
            raise Unsuitable(
                "a connection pool such as pgbouncer stands between this process and the server, and might give each "
                "transaction another connection; add pooling=transaction to the URL, or pooling=session if it keeps "
                "one connection for each client"
            )

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
    def get_connection(self) -> Iterator[Connection]:
        """A connection, in autocommit mode; in a transaction behind a pool of transactions."""
        try:
            # Asked before anything else, so that a child neither waits for nor touches what is its parent's.
            self.connections.require_here()
            with InsideBlock(), self._lent() as connection:
                if self._pooling == "transaction":
                    with _committed(connection):
                        connection.execute(self._set_up)
                        yield connection
                else:
                    yield connection
        except psycopg.Error as error:
            if is_lost(error):
                # The other idle connections may be dead too.
                self.connections.suspect()
            raise self._translated(error) from error
        except UnicodeEncodeError as error:
            # A lone surrogate, which no server holds.
            unstorable = psycopg.DataError(str(error))
            raise self._translated(unstorable) from unstorable

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        connection = self.connections.take()
        try:
            connection.answer_timeout_s = self._answer_timeout_s
            for info in self.psycopg_type_adapters.values():
                if not connection.adapters.types.get(info.oid):
                    register_composite(info, connection)
            yield connection
        finally:
            self.connections.give_back(connection)

    def _translated(self, error: psycopg.Error) -> Exception:
        counterpart = next(ours for theirs, ours in _ERRORS if isinstance(error, theirs))(str(error))
        counterpart.__cause__ = error
        translated = self.translate_error(counterpart)
        return translated

    @contextmanager
    def transaction(self, *, commit: bool = False, durable: bool = True) -> Iterator[psycopg.Cursor[DictRow]]:
        """Run statements in one transaction.

        Args:
            commit: whether to commit.
            durable: whether the commit waits for the disk.
        """
        with (
            self.get_connection() as connection,
            _committed(connection, force_rollback=not commit),
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

    def allow_long(self, cursor: psycopg.Cursor[Any]) -> None:
        """Let the current transaction idle without limit, and its statements take long.

        The transaction must not keep others waiting meanwhile.
        """
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
        connection = cast(Connection, cursor.connection)
        connection.answer_timeout_s = LONG_ANSWER_TIMEOUT_S

    def lock(self, purpose: str) -> tuple[str, int]:
        """The statement that takes a lock of this schema until the transaction ends, and its parameter.

        Args:
            purpose: what the lock is for; locks for different purposes do not touch each other.
        """
        digest = hashlib.sha256(f"muniment\0{self.schema}\0{purpose}".encode()).digest()
        return "SELECT pg_advisory_xact_lock(%s)", int.from_bytes(digest[:8], signed=True)

    def listen(self, channel: str) -> Watch:
        """Watch a channel of the server, on a connection of its own; a lost server is waited for."""
        if self._pooling == "transaction":
            return _look_often

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
        with InsideBlock():
            connection = self._connect()
        with connection:
            with InsideBlock():
                connection.answer_timeout_s = _WATCH_INTERVAL_S
                connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
            # For what was committed before.
            announce()
            while not stop.wait(_WATCH_INTERVAL_S, connection.fileno()):
                with InsideBlock():
                    list(connection.notifies(timeout=0))
                announce()
        return True

    def let_go(self) -> None:
        """Close the connections that nobody uses, before a fork; see ``forks.Inherited``."""
        self.connections.let_go()

    def abandon(self, keep: Callable[[Any], None]) -> None:
        """Leave alone, in a child made by a fork, what was inherited; see ``Connections.abandon``."""
        self.connections.abandon(keep)

    def close(self) -> None:
        """Close every connection, within seconds; see ``Connections.close``."""
        self.connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        """Nothing: connections that nobody knows close by themselves, and nobody waits for that."""


def is_lost(error: BaseException | None) -> bool:
    """Whether an error says that the connection is gone, rather than that the server refused something."""
    while error is not None:
        if isinstance(error, NoAnswer | psycopg.errors.ConnectionTimeout):
            # Who waited long enough does not wait again.
            return False
        if isinstance(error, psycopg.OperationalError):
            state = error.sqlstate
            # Without a state the client library says so; 08 is the class of connection errors, 57P of shutdowns.
            return state is None or state.startswith(("08", "57P"))
        error = error.__cause__
    return False


def _session_settings(
    datastore: library.PostgresDatastore, lock_timeout_s: float | None, *, is_transaction: bool
) -> dict[str, str]:
    """What is set for each connection, or for each transaction."""
    settings = {
        # The search path is a list of identifiers.
        "search_path": Identifier(datastore.schema).as_string(),
        "idle_in_transaction_session_timeout": f"{int(datastore.idle_in_transaction_session_timeout * 1000)}ms",
    }
    if lock_timeout_s is not None:
        # To the server, 0 is for ever.
        settings["lock_timeout"] = f"{max(1, round(lock_timeout_s * 1000))}ms"
    if not is_transaction:
        # Under other levels, a statement that follows a wait for a lock does not see what was committed meanwhile.
        settings["default_transaction_isolation"] = "read committed"
    return settings


def _set_up_statement(settings: Mapping[str, str], synchronous: str, *, is_local: bool) -> Composed:
    """The statement that sets a connection up, or a transaction; it answers with the server's process."""
    scope = Literal(is_local)
    each = [SQL("set_config({}, {}, {})").format(name, value, scope) for name, value in settings.items()]
    if synchronous == "FULL":
        # A server may be set to wait for more than its own disk; it is only kept from waiting for less.
        each.append(
            SQL(
                "CASE current_setting('synchronous_commit') WHEN 'off' "
                "THEN set_config('synchronous_commit', 'on', {}) END"
            ).format(scope)
        )
    else:
        each.append(SQL("set_config('synchronous_commit', 'off', {})").format(scope))
    return SQL("SELECT pg_backend_pid(), {}").format(SQL(", ").join(each))


@contextmanager
def _committed(connection: Connection, *, force_rollback: bool = False) -> Iterator[None]:
    """A transaction that commits when the block ends, or rolls back if told so. A commit that fails raises."""
    with ExitStack() as stack:
        transaction = stack.enter_context(psycopg.Transaction(connection, force_rollback=force_rollback))
        try:
            yield
        finally:
            if connection.is_inherited:
                # A child that was forked in the block ends nothing of its parent's.
                stack.pop_all()
    # The client library says nothing where the connection was gone before the commit.
    if not force_rollback and transaction.status is not psycopg.Transaction.Status.COMMITTED:
        raise (
            InheritedConnection
            if connection.is_inherited
            else psycopg.OperationalError("the connection was lost too early")
        )


def _look_often(announce: Callable[[], None], stop: Stop) -> None:
    while not stop.wait(POLL_INTERVAL_S):
        announce()
