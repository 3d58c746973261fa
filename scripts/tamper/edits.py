"""What somebody who can write a journal's file could do to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from muniment.journal import Journal

Apply: TypeAlias = Callable[[sqlite3.Connection, Path], object]


class Edit(NamedTuple):
    """One way to change a journal.

    Attributes:
        name: what is done.
        apply: does it, on a connection that no trigger holds back; it returns the trigger that is not to be put back.
        overwrite: what is done to the file itself; None for nothing.
    """

    name: str
    apply: Apply
    overwrite: Callable[[Path], object] | None = None


def make_edit(edit: Edit, path: Path) -> None:
    """Edit a file past the triggers that keep the journal append-only, which are put back, as far as they can be.

    Raises:
        ValueError: the edit is not one that can be made.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
        for name, _, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        try:
            left_out = edit.apply(connection, path)
        except sqlite3.Error as error:
            raise ValueError(f"{edit.name}: {error}") from error
        present = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'trigger')")
        }
        for name, table, statement in triggers:
            if table in present and name not in present and name != left_out:
                connection.execute(statement)
    if edit.overwrite is not None:
        edit.overwrite(path)


def checkpoint(path: Path) -> None:
    """Have all of a database in its file, without a log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def sql(*statements: str) -> Apply:
    """Run statements."""

    def apply(connection: sqlite3.Connection, path: Path) -> None:
        for statement in statements:
            connection.execute(statement)

    return apply


def state(position: int, old: str, new: str) -> Apply:
    """Replace a part of an event's content."""
    statement = (
        f"UPDATE stored_events SET state=CAST(replace(CAST(state AS TEXT), ?, ?) AS BLOB) WHERE position={position}"
    )

    def apply(connection: sqlite3.Connection, path: Path) -> None:
        before = connection.execute(f"SELECT state FROM stored_events WHERE position={position}").fetchone()
        connection.execute(statement, [old, new])
        if before == connection.execute(f"SELECT state FROM stored_events WHERE position={position}").fetchone():
            raise LookupError(f"{old!r} is not in event {position}: {before}")

    return apply


def append(stream: str, version: int, type_name: str, data: str) -> Apply:
    """Forge an event at the end."""
    content = f'{{"data":{data},"metadata":{{"recorded_at":1700001000000}}}}'
    statement = "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?)"

    def apply(connection: sqlite3.Connection, path: Path) -> None:
        connection.execute(statement, [stream, version, f"{type_name}.v1", content.encode()])

    return apply


def without_trigger(name: str) -> Apply:
    """Leave a trigger out when the others are put back."""
    return lambda connection, path: name


def overwritten(name: str, offset: int, content: bytes) -> Edit:
    """Overwrite bytes of the file; write behind its end where the offset is negative."""

    def overwrite(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(0 if offset < 0 else offset, 2 if offset < 0 else 0)
            file.write(content)

    return Edit(name, lambda connection, path: None, overwrite)


def _rebuild(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.replay()


def _rewrite(connection: sqlite3.Connection, path: Path) -> None:
    """Give the session to somebody else from the beginning, consistently, and leave no table that could contradict."""
    for old, new in (('"owner":"carol"', '"owner":"mallory"'), ('"name":"work"', '"name":"toil"')):
        connection.execute(
            "UPDATE stored_events SET state=CAST(replace(CAST(state AS TEXT), ?, ?) AS BLOB) WHERE position>15",
            [old, new],
        )


def _cut_the_end(connection: sqlite3.Connection, path: Path) -> None:
    """Delete the last event, and everything that could tell."""
    connection.execute("DELETE FROM stored_events WHERE position=19")
    connection.execute("UPDATE sqlite_sequence SET seq=18")


_SWAP: Final = (
    "UPDATE stored_events SET position=-1 WHERE position=14",
    "UPDATE stored_events SET position=14 WHERE position=15",
    "UPDATE stored_events SET position=15 WHERE position=-1",
)
_LIVE: Final = '{"session_id":"s-2","owner":"carol","generation":1,"scope":"session"}'
_STEP: Final = (
    '{"incarnation":1,"role":"a","direction":"send","partner":"b","label":"offer","value_type":null,'
    '"number":1,"previous":0,"state_before":0,"state":1}'
)
_MALLORY: Final = '{"session_id":"s-2","owner":"mallory","generation":2,"scope":"session"}'
_RECEIPT: Final = (
    '{"session_id":"s-2","claim_id":1,"from_owner":"carol","from_generation":1,"to_owner":"mallory","to_generation":2,'
    '"scope":"session"}'
)
_UPGRADE: Final = (
    '{"artifact":{"bundle_id":"chat","request":{"upgrade_id":"u","plan":{"plan_id":"plan","steps":'
    '[{"step_id":"step","next_members":["eve"]}]}},"phase":"staged","previous_members":["x"],"next_members":["eve"]}}'
)


_ENVELOPE: Final = '"envelope":{"destination":"b","source":"a","context":"c","payload":{"bytes":"aGk="}}'
_TIMEOUT: Final = '{"witness_id":1,"site":"a","issued_at_tick":1,"until_tick":9}'


EDITS: Final = (
    Edit("an event's owner is changed", state(3, '"owner":"alice"', '"owner":"mallory"')),
    Edit("an event's generation is raised", state(3, '"generation":1', '"generation":7')),
    Edit("an event's scope is widened", state(8, '["bundle:chat"]', '"session"')),
    Edit("a role is added", state(1, '["worker"]', '["admin","worker"]')),
    Edit("the reason of a refusal is changed", state(19, "session has no owner", "capability is not live")),
    Edit("a spent witness becomes another", state(5, '"witness_id":1', '"witness_id":2')),
    Edit("a receipt names another taker", state(6, '"to_owner":"bob"', '"to_owner":"eve"')),
    Edit("a delegation goes to another authority", state(11, '"to_authority":"site-b"', '"to_authority":"site-c"')),
    Edit("a conversation is another member's", state(14, '"self_id":"alice"', '"self_id":"eve"')),
    Edit("a saga is another's", state(18, '"name":"work"', '"name":"toil"')),
    Edit("what an event undoes is changed", state(9, "session-s-1@8", "session-s-1@3")),
    Edit("an event no longer says what it undoes", state(9, ',"compensates":["session-s-1@8"]', "")),
    Edit(
        "an event says that it undoes another",
        state(10, '"recorded_at"', '"compensates":["session-s-1@9"],"recorded_at"'),
    ),
    Edit("an event is moved into a saga that has ended", state(19, '"recorded_at"', '"saga":"none","recorded_at"')),
    Edit("an event is taken out of its saga", state(17, ',"saga":', ',"actor":')),
    Edit(
        "an event claims to be under the references' policy",
        state(3, '"recorded_at"', '"policy":"unknown","recorded_at"'),
    ),
    Edit("the key of a command is changed", state(12, '"idempotency_key":"k"', '"idempotency_key":"l"')),
    Edit("the digest of a command is changed", state(12, "session.open_session@1", "session.open_session@2")),
    Edit("the answer under a key is changed", state(13, '"key":"nothing"', '"key":"nothing","fragments":[]')),
    Edit("a stamp is set before that of the stream's last event", state(5, "1700000004000", "1600000004000")),
    Edit("a stamp is set ten years ahead", state(18, "1700000017000", "2000000017000")),
    Edit("content is no JSON", sql("UPDATE stored_events SET state=x'00' WHERE position=4")),
    Edit("content is empty", sql("UPDATE stored_events SET state=x'' WHERE position=4")),
    Edit("a field is missing", state(4, ',"predicate":"ready"', "")),
    Edit("a field is added", state(4, ',"predicate"', ',"extra":1,"predicate"')),
    Edit("a number is text", state(4, '"witness_id":1', '"witness_id":"one"')),
    Edit("content is of 9 MB", sql("UPDATE stored_events SET state=zeroblob(9000000) WHERE position=4")),
    Edit(
        "an event's type is changed to another",
        sql("UPDATE stored_events SET topic='session.closed.v1' WHERE position=8"),
    ),
    Edit("an event's type is unknown", sql("UPDATE stored_events SET topic='session.stolen.v1' WHERE position=8")),
    Edit("an event's type names a Python path", sql("UPDATE stored_events SET topic='os:system' WHERE position=8")),
    Edit(
        "an event goes to another stream", sql("UPDATE stored_events SET originator_id='session-s-9' WHERE position=17")
    ),
    Edit("an event's stream is of no kind", sql("UPDATE stored_events SET originator_id='none' WHERE position=17")),
    Edit("an event's version is raised", sql("UPDATE stored_events SET originator_version=99 WHERE position=19")),
    Edit("an event's version is text", sql("UPDATE stored_events SET originator_version='x' WHERE position=19")),
    Edit("two streams' events change places", sql(*_SWAP)),
    Edit("the first event is deleted", sql("DELETE FROM stored_events WHERE position=1")),
    Edit("an event in the middle is deleted", sql("DELETE FROM stored_events WHERE position=9")),
    Edit("the last event is deleted", sql("DELETE FROM stored_events WHERE position=19")),
    Edit("all events are deleted", sql("DELETE FROM stored_events")),
    Edit(
        "an event in the middle is deleted, and the others move up",
        sql(
            "DELETE FROM stored_events WHERE position=13",
            "UPDATE stored_events SET position=position-1 WHERE position>13",
            "UPDATE sqlite_sequence SET seq=18",
        ),
    ),
    Edit("a position is far ahead", sql("UPDATE stored_events SET position=999 WHERE position=19")),
    Edit(
        "forged: a claim over a living owner",
        append("session-s-2", 3, "session.ownership_claimed", f'{{"capability":{_MALLORY}}}'),
    ),
    Edit(
        "forged: a claim of a session that was never opened",
        append("session-s-9", 1, "session.ownership_claimed", f'{{"capability":{_LIVE.replace("s-2", "s-9")}}}'),
    ),
    Edit(
        "forged: a second opening", append("session-s-2", 3, "session.opened", '{"session_id":"s-2","incarnation":2}')
    ),
    Edit(
        "forged: a commit of what was never staged",
        append(
            "session-s-2",
            3,
            "session.transfer_committed",
            f'{{"receipt":{_RECEIPT},"previous":{_LIVE},"capability":{_MALLORY}}}',
        ),
    ),
    Edit(
        "forged: a transfer by somebody who is not the owner",
        append(
            "session-s-2",
            3,
            "session.ownership_transferred",
            f'{{"previous":{_MALLORY},"capability":{_MALLORY.replace(":2", ":3")}}}',
        ),
    ),
    Edit(
        "forged: the refusal of what is live",
        append(
            "session-s-2",
            3,
            "session.capability_rejected",
            f'{{"capability":{_LIVE},"reason":"capability is not live"}}',
        ),
    ),
    Edit(
        "forged: a second host",
        append("session-s-1", 13, "session.hosted", '{"session_id":"s-1","authority":"site-z"}'),
    ),
    Edit("forged: an upgrade by nobody's leave", append("bundle-chat", 1, "bundle.upgrade_staged", _UPGRADE)),
    Edit(
        "forged: the end of a saga that has ended",
        append("saga-none", 1, "saga.completed", '{"saga_id":"none","name":"work"}'),
    ),
    Edit(
        "forged: a conversation that is opened twice",
        append(
            "conversation-team",
            2,
            "conversation.opened",
            '{"conversation_id":"team","at":0,"incarnation":2,"role":"creator","self_id":"eve","config":{}}',
        ),
    ),
    Edit(
        "forged: an envelope for a session that nobody opened",
        append("inbox-s-9", 1, "inbox.envelope_put", f'{{"session_id":"s-9","incarnation":1,"number":1,{_ENVELOPE}}}'),
    ),
    Edit(
        "forged: an envelope that was taken and never put",
        append("inbox-s-2", 1, "inbox.envelope_taken", f'{{"capability":{_LIVE},"number":1,{_ENVELOPE}}}'),
    ),
    Edit(
        "forged: an envelope that was acknowledged and never taken",
        append("inbox-s-2", 1, "inbox.envelope_acknowledged", f'{{"capability":{_LIVE},"number":1}}'),
    ),
    Edit(
        "forged: envelopes that are lost, and no end of the session",
        append("inbox-s-2", 1, "inbox.envelopes_lost", '{"session_id":"s-2","incarnation":1,"numbers":[]}'),
    ),
    Edit(
        "forged: a step of a role that has no local type",
        append("inbox-s-2", 1, "session.type_advanced", f'{{"capability":{_LIVE},"advance":{_STEP}}}'),
    ),
    Edit(
        "forged: a step undone that nobody took",
        append("inbox-s-2", 1, "session.type_restored", f'{{"capability":{_LIVE},"undone":{_STEP}}}'),
    ),
    Edit(
        "forged: a handler that somebody else named",
        append("session-s-2", 3, "session.handler_set", f'{{"capability":{_MALLORY},"handler":"mine"}}'),
    ),
    Edit(
        "forged: a trace on an edge of another session",
        append(
            "session-s-2",
            3,
            "session.trace_set",
            f'{{"capability":{_LIVE},"edge":{{"session_id":"s-9","sender":"a","receiver":"b"}},"trace":["int"]}}',
        ),
    ),
    Edit(
        "forged: the end of a session, with other numbers",
        append(
            "session-s-2",
            3,
            "session.ended",
            f'{{"session_id":"s-2","status":"closed","reason":{{"kind":"ended","owner":"carol"}},"ending":{{"epoch":9}},'
            f'"capability":{_LIVE}}}',
        ),
    ),
    Edit(
        "forged: a session that drains for somebody else",
        append("session-s-2", 3, "session.drained", f'{{"capability":{_MALLORY},"epoch":1}}'),
    ),
    Edit(
        "forged: a start where nothing was claimed",
        append("session-s-2", 3, "session.started", f'{{"capability":{_LIVE},"boundary":{{"scope":"session"}}}}'),
    ),
    Edit(
        "forged: what came in under a capability that is not live",
        append(
            "session-s-2",
            3,
            "session.ingress_accepted",
            f'{{"capability":{_MALLORY},"boundary":{{"scope":"session"}},"kind":"message"}}',
        ),
    ),
    Edit(
        "forged: an archive of a session that is open",
        append(
            "session-s-2",
            3,
            "session.archived",
            '{"session_id":"s-2","incarnation":1,"status":"closed","role_count":0,"terms":{}}',
        ),
    ),
    Edit(
        "forged: a time-out that runs out before its tick",
        append("site-a", 1, "site.timeout_expired", f'{{"witness":{_TIMEOUT},"tick":3}}'),
    ),
    Edit("forged: a key that is used twice", append("key-nothing", 2, "key.used", '{"key":"nothing"}')),
    Edit("a trigger that refuses changes is missing", without_trigger("stored_events_refuse_update")),
    Edit(
        "a trigger that refuses changes does nothing",
        sql("CREATE TRIGGER stored_events_refuse_delete BEFORE DELETE ON stored_events WHEN 0 BEGIN SELECT 1; END"),
    ),
    Edit(
        "a trigger of somebody's swallows events",
        sql("CREATE TRIGGER swallow BEFORE INSERT ON stored_events BEGIN SELECT RAISE(IGNORE); END"),
    ),
    Edit(
        "an index of somebody's is on the events",
        sql("CREATE UNIQUE INDEX once ON stored_events (topic, originator_id, position)"),
    ),
    Edit("a column is added to the events", sql("ALTER TABLE stored_events ADD COLUMN extra")),
    Edit("a column of the events has another name", sql("ALTER TABLE stored_events RENAME COLUMN state TO content")),
    Edit(
        "the events are in a table without its unique key",
        sql(
            "ALTER TABLE stored_events RENAME TO kept",
            "CREATE TABLE stored_events (position INTEGER PRIMARY KEY AUTOINCREMENT, originator_id TEXT NOT NULL, "
            "originator_version INTEGER NOT NULL, topic TEXT NOT NULL, state BLOB NOT NULL)",
            "INSERT INTO stored_events SELECT * FROM kept",
            "DROP TABLE kept",
        ),
    ),
    Edit(
        "a view stands in the place of the events",
        sql("ALTER TABLE stored_events RENAME TO kept", "CREATE VIEW stored_events AS SELECT * FROM kept"),
    ),
    Edit(
        "a host's table has a foreign key on the events",
        sql("CREATE TABLE host (p INTEGER REFERENCES stored_events(position))"),
    ),
    Edit("the sequence of positions is set back", sql("UPDATE sqlite_sequence SET seq=5")),
    Edit("the sequence of positions is set ahead", sql("UPDATE sqlite_sequence SET seq=500")),
    Edit("the schema's version is lowered", sql("PRAGMA user_version=1")),
    Edit("the schema's version is raised", sql("PRAGMA user_version=99")),
    Edit("the file no longer says that it is a journal", sql("PRAGMA application_id=0")),
    Edit("the journal's id is deleted", sql("DELETE FROM journal WHERE kind='id'")),
    Edit("the journal has a second id", sql("INSERT INTO journal VALUES (9, 'id', '00', 0)")),
    Edit("the format is said to be in force from later on", sql("UPDATE journal SET position=19 WHERE kind='format'")),
    Edit("a restore is invented", sql("INSERT INTO journal VALUES (9, 'restore', 'x', 999)")),
    Edit("the table journal is missing", sql("DROP TABLE journal")),
    Edit(
        "a row of a table is changed", sql("UPDATE projection_owners_v1_2 SET owner='mallory' WHERE session_id='s-2'")
    ),
    Edit("a row of a table is deleted", sql("DELETE FROM projection_owners_v1_2 WHERE session_id='s-2'")),
    Edit(
        "a row of a table is invented",
        sql(
            "INSERT INTO projection_owners_v1_2 SELECT 'x', owner, generation, scope, status, since, until "
            "FROM projection_owners_v1_2 WHERE session_id='s-2' LIMIT 1"
        ),
    ),
    Edit("an index of a table is missing", sql("DROP INDEX projection_owners_v1_2_now")),
    Edit("a table claims more events than there are", sql("UPDATE tracking SET notification_id=99")),
    Edit("a table is missing", sql("DROP TABLE projection_owners_v1_2")),
    overwritten("bytes lie behind the last page", -1, b"hidden" * 100),
    overwritten("a page is overwritten", 4096 * 3 + 8, b"\xff" * 64),
    overwritten("the header of the file is overwritten", 0, b"none"),
    Edit("a session goes to another owner in all events, and the tables are rebuilt", _rewrite, _rebuild),
    Edit("the last event is deleted, with the sequence, and the tables are rebuilt", _cut_the_end, _rebuild),
    Edit("an event's actor is changed", state(1, '"actor":"alice"', '"actor":"eve"')),
    Edit("an event's correlation or tick is changed", state(2, '"tick":3', '"tick":4')),
    Edit("a stamp is moved between its neighbours'", state(18, "1700000017000", "1700000017001")),
)
"""Every edit that is tried, the plainest first."""
