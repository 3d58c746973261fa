"""Records events in a PostgreSQL table, append-only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

from eventsourcing import postgres as library
from eventsourcing.persistence import ApplicationRecorder, ProcessRecorder, StoredEvent
from eventsourcing.utils import Environment, EnvType
from psycopg import Cursor
from psycopg.rows import DictRow, tuple_row
from psycopg.sql import SQL, Composed, Identifier, Literal

from ...domain import NotForApplications
from ..storage.commits import Commits
from ..storage.group_commit import Together
from ..storage.recording import PositionedRecorder
from .datastore import PostgresDatastore
from .schema import VERSION_TABLE

TRIGGERS: Final = {
    "refuse_change": "UPDATE OR DELETE",
    "refuse_truncate": "TRUNCATE",
}
"""The triggers that refuse changes, and what they refuse."""

NOT_STORED: Final = "MU001"
"""The error code of an append whose events would not have been stored as they are."""

_COLUMNS: Final = "originator_id, originator_version, topic, state"
_EVENTS: Final = (
    "unnest(ids, versions, topics, states) WITH ORDINALITY "
    "AS event (originator_id, originator_version, topic, state, number)"
)


class PostgresApplicationRecorder(PositionedRecorder, library.PostgresApplicationRecorder):
    """Records events in one table, each at its own position, and never changes one."""

    _columns = "notification_id, originator_id, originator_version, topic, state"
    _position = "notification_id"
    _octets = "OCTET_LENGTH({})"

    datastore: PostgresDatastore

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "stored_events") -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        self.channel_name = f"{datastore.schema}_{events_table_name}"[: self.MAX_IDENTIFIER_LEN]
        self._names = {
            "table": Identifier(datastore.schema, events_table_name),
            "append": Identifier(datastore.schema, f"{events_table_name}_append"),
            "refuse": Identifier(datastore.schema, f"{events_table_name}_refuse_change"),
        }
        self._table = self._names["table"].as_string()
        self._append = self._format("SELECT {append}(%b::{type}[], %b::bigint[], %b::text[], %b::bytea[])").as_string()
        self._select_rows = (
            f"SELECT {self._columns} FROM {self._table} WHERE {self._position}>%s ORDER BY {self._position} LIMIT %s"
        )
        self._max_position = f"SELECT MAX({self._position}) FROM {self._table}"
        # The library's own table gives positions from a sequence, which leaves gaps.
        self.sql_create_statements = self._create_statements()
        self.commits = Commits(datastore.listen(self.channel_name))

    @property
    def _is_extended(self) -> bool:
        return type(self)._insert_events is not library.PostgresApplicationRecorder._insert_events

    def insert_now(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append events in a transaction of their own; see ``insert_events``."""
        conditions, decide = kwargs.pop("conditions", ()), kwargs.pop("decide", None)
        before_append = self.before_append
        if not (conditions or decide or before_append or kwargs or self._is_extended):
            if not stored_events:
                return []
            with self.datastore.get_connection() as connection, connection.cursor() as cursor:
                positions = self.append(cursor, stored_events)
        else:
            with self.datastore.transaction(commit=True) as cursor:
                if conditions or decide or before_append:
                    # Under the lock that every append takes, what is found stays so until the commit.
                    statement, key = self.append_lock()
                    cursor.execute(statement.encode(), [key])
                    self.require(partial(_value, cursor), conditions)
                if decide is not None:
                    stored_events = decide()
                if before_append is not None and stored_events:
                    before_append(cursor)
                self._insert_events(cursor, stored_events, **kwargs)
                positions = self.append(cursor, stored_events) if stored_events else []
        self.commits.announce()
        return positions

    def append(self, cursor: Cursor[DictRow], stored_events: Sequence[StoredEvent]) -> Sequence[int]:
        """Append events by one statement."""
        columns = zip(
            *((each.originator_id, each.originator_version, each.topic, each.state) for each in stored_events),
            strict=True,
        )
        plain = cast(Cursor[Any], cursor)
        plain.row_factory = tuple_row
        plain.execute(self._append.encode(), [list(column) for column in columns], prepare=True)
        (last,) = plain.fetchone() or (0,)
        return list(range(last - len(stored_events) + 1, last + 1))

    @property
    def table_name(self) -> str:
        """The table of events, with its schema, quoted where need be."""
        return self._table

    @property
    def refuse_function(self) -> str:
        """The function by which the triggers refuse changes, with its schema, quoted where need be."""
        return self._names["refuse"].as_string()

    @property
    def bodies(self) -> dict[str, str]:
        """The bodies of the functions, by name."""
        statements = [statement.as_string().split("$body$") for statement in self.sql_create_statements]
        bodies = (parts[1] for parts in statements if len(parts) > 1)
        suffixes = ("refuse_change", "append")
        return {f"{self.events_table_name}_{suffix}": body for suffix, body in zip(suffixes, bodies, strict=True)}

    def append_lock(self) -> tuple[str, int]:
        """The statement that takes the lock under which positions are given, and its parameter."""
        return self.datastore.lock(f"append {self.events_table_name}")

    def select_rows(self, after: int, limit: int) -> list[Any]:
        """Events of all originators behind a position, as plain rows: the fastest way to read many."""
        return self.datastore.fetch(self._select_rows, (after, limit))

    def max_notification_id(self) -> int | None:
        """The last position."""
        last: int | None = self.datastore.fetch(self._max_position)[0][0]
        return last

    def fetch(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        """Read rows."""
        return self.datastore.fetch(statement.replace("?", "%s"), parameters)

    def _create_table(self, curs: Cursor[DictRow]) -> None:
        # "IF NOT EXISTS" does not keep two processes that make a table at once from failing.
        statement, key = self.datastore.lock("create")
        curs.execute(statement.encode(), [key])
        super()._create_table(curs)

    def _create_statements(self) -> list[Composed]:
        return [
            self._format(
                "CREATE TABLE IF NOT EXISTS {table} ("
                "notification_id bigint NOT NULL UNIQUE, "
                "originator_id {type} NOT NULL, "
                "originator_version bigint NOT NULL, "
                "topic text NOT NULL, "
                "state bytea NOT NULL, "
                "PRIMARY KEY (originator_id, originator_version))"
            ),
            self._format(
                "CREATE OR REPLACE FUNCTION {refuse}() RETURNS trigger LANGUAGE plpgsql AS $body$ "
                "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $body$"
            ),
            *(
                self._format(
                    f"CREATE OR REPLACE TRIGGER {name} BEFORE {operation} ON {{table}} EXECUTE FUNCTION {{refuse}}()"
                )
                for name, operation in TRIGGERS.items()
            ),
            # In a function every statement sees what is committed by then, so that the last position is known once
            # the lock is had; it is given back after the commit can be seen. So no reader can skip a position.
            # What stands there in the end is compared with what was given, after every trigger has run. A plan that
            # was made while the table was small would read all of it, however large it has become.
            self._format(
                "CREATE OR REPLACE FUNCTION {append} "
                "(ids {type}[], versions bigint[], topics text[], states bytea[]) "
                "RETURNS bigint LANGUAGE plpgsql SET enable_seqscan TO off AS $body$ DECLARE last bigint; BEGIN "
                "PERFORM pg_advisory_xact_lock({lock}); "
                "SELECT COALESCE(MAX(notification_id), 0) INTO last FROM {table}; "
                f"INSERT INTO {{table}} (notification_id, {_COLUMNS}) SELECT last + number, {_COLUMNS} FROM {_EVENTS}; "
                "SET CONSTRAINTS ALL IMMEDIATE; "
                f"IF EXISTS (SELECT FROM (SELECT last + number AS notification_id, {_COLUMNS} FROM {_EVENTS}) AS given "
                f"FULL JOIN (SELECT notification_id, {_COLUMNS} FROM {{table}} WHERE notification_id > last) AS stored "
                "USING (notification_id) WHERE ROW(given.*) IS DISTINCT FROM ROW(stored.*)) THEN "
                "RAISE EXCEPTION 'a trigger or rule drops or changes what is inserted into %', {name} "
                "USING ERRCODE = {not_stored}; END IF; "
                "NOTIFY {channel}; "
                "RETURN last + cardinality(ids); END $body$"
            ),
        ]

    def _format(self, statement: str) -> Composed:
        collation = ' COLLATE "C"' if self.datastore.originator_id_type == "text" and "TABLE" in statement else ""
        _, lock = self.append_lock()
        return SQL(statement).format(
            **self._names,
            type=SQL(self.datastore.originator_id_type + collation),
            channel=Identifier(self.channel_name),
            lock=Literal(lock),
            name=Literal(self.events_table_name),
            not_stored=Literal(NOT_STORED),
        )


class PostgresProcessRecorder(library.PostgresProcessRecorder, PostgresApplicationRecorder):
    """Records events together with how far another application's events were processed."""


class PostgresFactory(library.PostgresFactory):
    """Builds the recorders of this module from the library's environment variables.

    Threads that append at the same time share a transaction.

    Args:
        env: the library's settings.
        datastore: the database to use, instead of one that the settings name.

    Raises:
        OSError: a setting makes no sense, or has no meaning for this module.
        NotForApplications: the schema holds a journal, or the events of the library's own module.
    """

    aggregate_recorder_class = library.PostgresAggregateRecorder
    application_recorder_class: type[library.PostgresApplicationRecorder] = PostgresApplicationRecorder
    tracking_recorder_class = library.PostgresTrackingRecorder
    process_recorder_class = PostgresProcessRecorder

    datastore: PostgresDatastore

    def __init__(self, env: Environment | EnvType | None, datastore: PostgresDatastore | None = None) -> None:
        super().__init__(env)
        self._is_given = datastore is not None
        self.datastore = self._made(self.datastore) if datastore is None else datastore

    def application_recorder(self) -> ApplicationRecorder:
        """A recorder of events."""
        self._require_for_applications()
        recorder = super().application_recorder()
        if not self._is_given and isinstance(recorder, PostgresApplicationRecorder):
            recorder.together = Together(recorder, f"schema {self.datastore.schema}").insert_events
        return recorder

    def process_recorder(self) -> ProcessRecorder:
        """A recorder of events, and of how far another application's were processed."""
        self._require_for_applications()
        return super().process_recorder()

    def _require_for_applications(self) -> None:
        if self._is_given:
            return
        schema = self.datastore.schema
        own = f"{self.env.name.lower() or 'stored'}_events"
        found = self.datastore.fetch(_OF_OTHERS, [schema, own, schema, VERSION_TABLE])
        tables = {name for (name,) in found}
        if VERSION_TABLE in tables:
            raise NotForApplications(f"schema {schema}", "it holds a journal")
        if tables:
            problem = f"its table {min(tables)} was made by another persistence module"
            raise NotForApplications(f"schema {schema}", problem)

    def _made(self, checked: library.PostgresDatastore) -> PostgresDatastore:
        if checked.enable_db_functions:
            problem = "has no meaning for this module, which always appends by a function of the database"
            raise OSError(f"{self.POSTGRES_ENABLE_DB_FUNCTIONS} {problem}; leave it out")
        return _made(checked)


# The application's table of events, if it lacks the function by which this module appends; and the mark of a journal.
_OF_OTHERS: Final = (
    "SELECT t.relname::text FROM pg_class t "
    "WHERE t.relnamespace = to_regnamespace(quote_ident(%s)) AND t.relname = %s AND NOT EXISTS "
    "(SELECT FROM pg_proc p WHERE p.pronamespace = t.relnamespace AND p.proname = t.relname || '_append') "
    "UNION ALL SELECT relname::text FROM pg_class "
    "WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relname = %s"
)


def _value(cursor: Cursor[Any], statement: str, parameters: Sequence[Any]) -> Any:
    cursor.row_factory = tuple_row
    (value,) = cursor.execute(statement.replace("?", "%s").encode(), parameters).fetchone() or (None,)
    return value


def _made(checked: library.PostgresDatastore) -> PostgresDatastore:
    pool = checked.pool
    connection = cast(dict[str, Any], pool.kwargs)
    return PostgresDatastore(
        **{name: connection[name] for name in ("dbname", "host", "port", "user", "password")},
        connect_timeout=pool.timeout,
        idle_in_transaction_session_timeout=checked.idle_in_transaction_session_timeout,
        pool_size=pool.min_size,
        max_overflow=pool.max_size - pool.min_size,
        max_waiting=pool.max_waiting,
        conn_max_age=pool.max_lifetime,
        pre_ping=checked.pre_ping,
        lock_timeout=checked.lock_timeout,
        schema=checked.schema,
        get_password_func=pool.get_password_func,
        single_row_tracking=checked.single_row_tracking,
        originator_id_type=checked.originator_id_type,
    )
