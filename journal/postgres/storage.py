"""A journal in a schema of a PostgreSQL database: the checks before it is opened, and its upkeep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any, Final, cast

import psycopg
from eventsourcing import persistence
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from ...domain import (
    InvalidArgument,
    JournalDamaged,
    JournalForked,
    JournalLocked,
    JournalNotEmpty,
    JournalNotFound,
    JournalReadOnly,
    JournalUnavailable,
    NewerSchema,
    NotAJournal,
    NotStored,
    UnsuitableServer,
)
from ...projections import PREFIX, TRACKING, all_projections
from ..sqlite import storage as sqlite_storage
from ..sqlite.file import whole_file
from ..storage.address import file_address
from ..storage.application import JournalApplication
from ..storage.engine import Storage
from ..storage.identity_table import FORMAT, TABLE
from ..storage.recording import MAX_PAGE_BYTES, MAX_STATE_BYTES
from .address import ServerAddress
from .connections import InheritedConnection
from .datastore import Pooling, PostgresDatastore, Unsuitable
from .identity import PostgresIdentityTable
from .recorder import NOT_STORED, TRIGGERS, PostgresApplicationRecorder, PostgresFactory
from .schema import A_TABLE, EVENTS, FACTS, KINDS, VERSION_TABLE, differences, expected_facts
from .tables import PostgresTemporalStore

CONNECT_TIMEOUT_S: Final = 10
"""How long to wait for the server, unless the URL has a ``connect_timeout``."""

IDLE_TIMEOUT_S: Final = 60
"""How long a process that hangs may keep others from the tables."""

MAX_NAME_BYTES: Final = 4_096
"""How long a stream's or a type's name in a row may be to be read; those that Muniment gives are shorter."""

MAX_CONNECTIONS: Final = 16
"""How many connections one journal uses at most, and one more while somebody follows it."""

_DAMAGE: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.DataCorrupted,
    psycopg.errors.IndexCorrupted,
)
"""What the server says of a journal that somebody took something away from, or that the disk did not keep."""


class _JournalRecorder(PostgresApplicationRecorder):
    """Records a journal's events, and reads of what somebody else put in a row no more than an event may have."""

    _columns = (
        f"notification_id, CASE WHEN octet_length(originator_id) <= {MAX_NAME_BYTES} THEN originator_id END, "
        f"originator_version, CASE WHEN octet_length(topic) <= {MAX_NAME_BYTES} THEN topic END, "
        f"CASE WHEN octet_length(state) <= {MAX_STATE_BYTES} THEN state END"
    )

    def __init__(self, datastore: PostgresDatastore, **settings: Any) -> None:
        super().__init__(datastore, **settings)
        # How large a row is, the server knows without reading it.
        self._select_rows = (
            f"SELECT {self._columns} FROM (SELECT *, SUM(LEAST(octet_length(state), {MAX_STATE_BYTES})) "
            f"OVER (ORDER BY {self._position} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before "
            f"FROM (SELECT * FROM {self._table} WHERE {self._position}>%s ORDER BY {self._position} LIMIT %s) AS page) "
            f"AS page WHERE before IS NULL OR before<{MAX_PAGE_BYTES} ORDER BY {self._position}"
        )


class _Factory(PostgresFactory):
    application_recorder_class = _JournalRecorder


_TABLES: Final = frozenset({VERSION_TABLE, EVENTS, TRACKING, TABLE})
"""The tables of every journal, beside the projected ones."""


class PostgresStorage(Storage):
    """A journal in a schema of a PostgreSQL database."""

    def __init__(self, address: ServerAddress, datastore: PostgresDatastore, *, is_read_only: bool) -> None:
        # The settings only have to be there; the datastore has what they would say.
        settings = dict.fromkeys(("DBNAME", "HOST", "USER", "PASSWORD"), "")
        factory = _Factory(
            {**{f"POSTGRES_{name}": value for name, value in settings.items()}, "CREATE_TABLE": "no"}, datastore
        )
        application = JournalApplication(factory)
        self._datastore = datastore
        self._schema_name = address.schema
        self._schema = Identifier(address.schema).as_string()
        self._recorder = cast(PostgresApplicationRecorder, application.recorder)
        identity = PostgresIdentityTable(datastore, self._recorder, str(address))
        super().__init__(address, application, PostgresTemporalStore(datastore), identity, is_read_only=is_read_only)
        self._made_tables = self._made_schema = False

    def create(self) -> None:
        """Make the tables in a schema that has none."""
        statement, key = self._datastore.lock("create")
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(statement.encode(), [key])
            # Another process may have been faster since the schema was looked at.
            if self.is_there():
                return
            # Asked first: who may use a schema that is there may not be permitted to make one.
            if not self._datastore.fetch("SELECT FROM pg_namespace WHERE nspname = %s", [self._schema_name]):
                cursor.execute(SQL("CREATE SCHEMA {}").format(Identifier(self._schema_name)))
                self._made_schema = True
            for each in self._recorder.sql_create_statements:
                cursor.execute(each)
            self.identity.create(cursor)
        self._made_tables = True

    def discard(self) -> None:
        """Drop the tables, and the schema if it was made with them."""
        if not self._made_tables:
            return
        statements = (self._datastore.lock("create"), self._recorder.append_lock())
        with self._datastore.transaction(commit=True) as cursor:
            for statement, key in statements:
                cursor.execute(statement.encode(), [key])
            if self._recorder.max_notification_id():
                return
            if self._made_schema:
                cursor.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(self._schema_name)))
                return
            for name, _ in self._datastore.fetch(KINDS, [self._schema]):
                # Others may have tables of their own in the schema.
                if name in _TABLES or name.startswith(PREFIX):
                    cursor.execute(SQL("DROP TABLE {}").format(Identifier(self._schema_name, name)))
            for function in self._recorder.bodies:
                cursor.execute(SQL("DROP FUNCTION {}").format(Identifier(self._schema_name, function)))

    def is_there(self) -> bool:
        """Whether the schema holds a journal; False if it may become one.

        Raises:
            NotAJournal: it holds something else under the names that a journal needs.
            NewerSchema: a newer Muniment wrote it.
            JournalDamaged: a table of the journal is missing, or something else stands in its place.
        """
        # Asked at once: another process may be making the journal, all its tables in one transaction.
        kinds = dict(self._datastore.fetch(KINDS, [self._schema]))
        if VERSION_TABLE not in kinds:
            taken = kinds.keys() & (_TABLES - {VERSION_TABLE})
            if taken:
                name = min(taken)
                raise NotAJournal(str(self.address), f"its schema has {kinds[name]} {name!r} of something else")
            return False
        # Others could answer anything, and without an end, or lose what they were given.
        for name in (
            VERSION_TABLE,
            EVENTS,
            *(each for each in kinds if each in (TABLE, TRACKING) or each.startswith(PREFIX)),
        ):
            if kinds.get(name) != A_TABLE:
                problem = f"{name} is {kinds.get(name, 'missing')}, and must be an ordinary table"
                raise JournalDamaged(str(self.address), problem)
        version = self._version()
        if version > FORMAT:
            raise NewerSchema(str(self.address), version, FORMAT)
        return True

    def _version(self) -> int:
        rows = self._datastore.fetch(f"SELECT schema_version FROM {VERSION_TABLE} LIMIT 2")
        if len(rows) != 1 or not isinstance(rows[0][0], int):
            raise JournalDamaged(str(self.address), f"{VERSION_TABLE} must hold one row with the schema's version")
        return rows[0][0]

    @contextmanager
    def _importing(self) -> Iterator[Any]:
        with self._datastore.transaction(commit=True) as cursor:
            # How fast the lines come is the caller's choice.
            self._datastore.allow_long(cursor)
            statement, key = self._recorder.append_lock()
            cursor.execute(statement.encode(), [key])
            if self._recorder.max_notification_id():
                raise JournalNotEmpty(str(self.address))
            yield cursor

    def backup(self, path: Path) -> int:
        """Write the events to a journal in an SQLite file, whose tables are rebuilt when they are read."""
        head = self._recorder.head()
        with whole_file(path) as made:
            return self._copy(made, head)

    def _copy(self, path: Path, head: int) -> int:
        address = file_address("path", path, self.address.url)
        copy = sqlite_storage.open_storage(address, create=True, lock_timeout_s=0, synchronous="FULL", read_only=False)
        try:
            copied = copy.import_events(self._events(head), self.identity.read)
            for problem in copy.problems():
                raise JournalUnavailable(str(path), f"the copy is damaged: {problem}")
        finally:
            copy.close()
        return copied

    def problems(self) -> Iterator[str]:
        is_older = self._version() < FORMAT
        projected = [table for projection in all_projections() for table in projection.tables]
        expected = expected_facts(self._recorder.bodies, TRIGGERS, projected, is_older=is_older)
        names = list({name for name, _ in expected})
        found = self._datastore.fetch(FACTS, [self._schema, names, self._schema, names])
        # Those that are made from the events are made when they are needed.
        optional = {TRACKING, *(table.physical_name for table in projected), *([TABLE] if is_older else [])}
        yield from differences(expected, {(name, item): reads for name, item, reads in found}, optional=optional)

    def _fail_with(self, error: Exception) -> None:
        self._datastore.translate_error = lambda _: error

    def _events(self, head: int) -> Iterator[StoredEvent]:
        # The copy gives new positions, so they must be without holes.
        expected = count(1)
        for position, stream, version, topic, state in chain.from_iterable(self._recorder.pages(through=head)):
            if position != next(expected):
                raise JournalDamaged(str(self.address), f"positions before {position} are missing")
            yield StoredEvent(stream, version, topic, state)


def open_storage(
    address: ServerAddress, *, create: bool, lock_timeout_s: float, synchronous: str, read_only: bool
) -> PostgresStorage:
    """Open the schema of a journal; make it if it is not there. See ``storage.engine.open_storage``."""
    connection = _connection_settings(address)
    connect_timeout_s = _connect_timeout(connection)
    names = {"dbname": "", "host": "", "port": "", "user": "", "password": ""}
    datastore = PostgresDatastore(
        **{name: connection.pop(name, default) for name, default in names.items()},
        conninfo=connection,
        schema=address.schema,
        connect_timeout=connect_timeout_s,
        idle_in_transaction_session_timeout=IDLE_TIMEOUT_S,
        pool_size=1,
        max_overflow=MAX_CONNECTIONS - 1,
        lock_timeout_s=lock_timeout_s,
        synchronous="FULL" if synchronous == "FULL" else "NORMAL",
        originator_id_type="text",
        read_only=read_only,
        pooling=cast(Pooling, address.pooling),
    )
    datastore.translate_error = lambda error: storage_error(error, address, lock_timeout_s)
    storage = PostgresStorage(address, datastore, is_read_only=read_only)
    try:
        if not storage.is_there():
            if not create:
                raise JournalNotFound(str(address))
            storage.create()
        storage.identity.prepare(read_only=read_only)
    except BaseException:
        storage.close()
        raise
    return storage


def storage_error(error: persistence.PersistenceError, address: ServerAddress, lock_timeout_s: float) -> Exception:
    """What a failure of the server means to the journal's user; a version conflict stays the library's error."""
    cause = error.__cause__
    if isinstance(cause, InheritedConnection):
        return JournalForked(str(address))
    if isinstance(cause, Unsuitable):
        return UnsuitableServer(str(address), _first_line(error))
    if getattr(cause, "sqlstate", None) == NOT_STORED:
        return NotStored(str(address), _first_line(error))
    if isinstance(cause, psycopg.errors.LockNotAvailable):
        return JournalLocked(str(address), round(lock_timeout_s * 1000))
    if isinstance(cause, psycopg.errors.ReadOnlySqlTransaction):
        return JournalReadOnly(str(address))
    if isinstance(cause, _DAMAGE):
        return JournalDamaged(str(address), _first_line(error))
    if isinstance(error, persistence.IntegrityError | persistence.DataError):
        return error
    return JournalUnavailable(str(address), _first_line(error))


def _connection_settings(address: ServerAddress) -> dict[str, Any]:
    try:
        return {"connect_timeout": CONNECT_TIMEOUT_S, **conninfo_to_dict(address.server)}
    except psycopg.Error as error:
        raise InvalidArgument("url", _first_line(error)) from error


def _connect_timeout(connection: dict[str, Any]) -> float:
    given = connection["connect_timeout"]
    try:
        timeout_s = int(given)
    except ValueError:
        timeout_s = 0
    if timeout_s < 1:
        raise InvalidArgument("url", f"must have a connect_timeout in whole seconds, 1 or more, not {given!r}")
    return float(timeout_s)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
