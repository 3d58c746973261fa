"""What a journal's schema holds, and where it differs from what Muniment made.

A table, its columns, keys, indexes, triggers and functions are told as facts: of which object, which item, and how it
reads. Tables, views and functions of somebody else in the same schema are nobody's concern, until one of them holds
on to a table of the journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from ...projections import FOREVER, TRACKING, TemporalTable
from ..storage.identity_table import TABLE

Facts: TypeAlias = dict[tuple[str, str], str]
"""How each item of each object reads."""

_KINDS: Final = (
    "CASE relkind WHEN 'r' THEN 'a table' WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' "
    "WHEN 'p' THEN 'a partitioned table' WHEN 'f' THEN 'a foreign table' ELSE 'something else' END "
    "|| CASE relpersistence WHEN 'p' THEN '' ELSE ', whose rows a crash loses' END"
)

KINDS: Final = (
    f"SELECT relname::text, {_KINDS} FROM pg_class "
    "WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'v', 'm', 'p', 'f')"
)
"""What the names in a schema stand for; of tables, A_TABLE."""

A_TABLE: Final = "a table"

_FACTS: Final = f"""
WITH ours AS (
  SELECT * FROM pg_class
  WHERE relnamespace = to_regnamespace(@schema) AND relname = ANY(@names::text[]) AND relkind NOT IN ('i', 'I')
)
SELECT relname::text, 'kind', {_KINDS} FROM ours
UNION ALL
SELECT relname::text, 'row level security', 'enabled' FROM ours WHERE relrowsecurity OR relforcerowsecurity
UNION ALL
SELECT relname::text, format('column %s', attname), format('%s: %s%s%s%s',
    row_number() OVER (PARTITION BY attrelid ORDER BY attnum), format_type(atttypid, atttypmod),
    CASE WHEN attcollation NOT IN (0, typcollation) THEN ' COLLATE ' || collname END,
    CASE WHEN attnotnull THEN ' NOT NULL' END,
    CASE WHEN atthasdef OR attidentity <> '' OR attgenerated <> '' THEN ' with a value of its own' END)
  FROM ours JOIN pg_attribute ON attrelid = ours.oid JOIN pg_type ON pg_type.oid = atttypid
  LEFT JOIN pg_collation ON pg_collation.oid = attcollation WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT relname::text, 'constraint ' || replace(pg_get_constraintdef(pg_constraint.oid), '"', ''), ''
  FROM ours JOIN pg_constraint ON conrelid = ours.oid WHERE contype NOT IN ('n', 't')
UNION ALL
SELECT relname::text, 'foreign key of ' || conrelid::regclass, pg_get_constraintdef(pg_constraint.oid)
  FROM ours JOIN pg_constraint ON confrelid = ours.oid
UNION ALL
SELECT ours.relname::text, format('index on %s%s', (
    SELECT string_agg(coalesce(attname::text, 'an expression'), ', ' ORDER BY number)
    FROM unnest(indkey::int2[]) WITH ORDINALITY AS key (attnum, number)
    LEFT JOIN pg_attribute ON attrelid = ours.oid AND pg_attribute.attnum = key.attnum AND key.attnum > 0),
    ' where ' || pg_get_expr(indpred, indrelid)),
    CASE WHEN indisunique THEN 'unique' ELSE '' END
    || CASE WHEN indisvalid AND indisready AND indislive AND indimmediate THEN '' ELSE ', not in force' END
  FROM ours JOIN pg_index ON indrelid = ours.oid
UNION ALL
SELECT relname::text, format('trigger %s', tgname), format('kind %s, calls %s%s, %s%s', tgtype,
    CASE WHEN pronamespace <> relnamespace THEN nspname || '.' END, proname,
    CASE tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'A' THEN 'enabled always'
    ELSE 'enabled on replicas only' END,
    CASE WHEN tgqual IS NOT NULL OR tgnargs > 0 OR cardinality(tgattr::int2[]) > 0 OR tgdeferrable
    THEN ', on a condition' END)
  FROM ours JOIN pg_trigger ON tgrelid = ours.oid JOIN pg_proc ON pg_proc.oid = tgfoid
  JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE NOT tgisinternal
UNION ALL
SELECT relname::text, format('rule %s', rulename), '' FROM ours JOIN pg_rewrite ON ev_class = ours.oid
UNION ALL
SELECT relname::text, format('policy %s', polname), '' FROM ours JOIN pg_policy ON polrelid = ours.oid
UNION ALL
SELECT relname::text, 'parent ' || inhparent::regclass, '' FROM ours JOIN pg_inherits ON inhrelid = ours.oid
UNION ALL
SELECT relname::text, 'child ' || inhrelid::regclass, '' FROM ours JOIN pg_inherits ON inhparent = ours.oid
UNION ALL
SELECT proname::text, format('function(%s)', pg_get_function_identity_arguments(pg_proc.oid)), format(
    'returns %s, in %s, set to %s%s, body %s', format_type(prorettype, NULL), lanname,
    coalesce(array_to_string(proconfig, ', '), 'nothing'),
    CASE WHEN prosecdef OR proisstrict OR provolatile <> 'v' OR prokind <> 'f' THEN ', in another way' END,
    encode(sha256(convert_to(prosrc, 'UTF8')), 'hex'))
  FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
  WHERE pronamespace = to_regnamespace(@schema) AND proname = ANY(@names::text[])
"""

# The server's own placeholders, for texts, look like those of the client library.
FACTS: Final = _FACTS.replace("%", "%%").replace("@schema", "%s").replace("@names", "%s")
"""The facts of the tables and functions of these names: schema, names, schema, names."""


EVENTS: Final = "stored_events"
VERSION_TABLE: Final = "muniment_journal"
"""The table that says the version of the schema; a Muniment that does not know the table ``journal`` looks there."""

_EVENT_COLUMNS: Final = {
    "notification_id": "bigint NOT NULL",
    "originator_id": "text COLLATE C NOT NULL",
    "originator_version": "bigint NOT NULL",
    "topic": "text NOT NULL",
    "state": "bytea NOT NULL",
}
_IDENTITY_COLUMNS: Final = {
    "number": "bigint NOT NULL",
    "kind": "text NOT NULL",
    "value": "text NOT NULL",
    "position": "bigint NOT NULL",
}
_ARGUMENTS: Final = "ids text[], versions bigint[], topics text[], states bytea[]"

_COLUMN_TYPES: Final = {str: "text COLLATE C", int: "bigint"}
_TRIGGER_BITS: Final = {"BEFORE": 2, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}


def expected_facts(
    functions: Mapping[str, str],
    triggers: Mapping[str, str],
    projected: Iterable[TemporalTable],
    *,
    is_older: bool,
) -> Facts:
    """How everything that is ours reads.

    Args:
        functions: the bodies of the functions that refuse changes, and that append, by name.
        triggers: the triggers of a table that only grows, and what each refuses.
        projected: the tables that are made from the events.
        is_older: whether an older Muniment made it, whose function to append is replaced at the next writing.
    """
    refuse, append = functions
    facts = {
        **_table(EVENTS, _EVENT_COLUMNS, ["originator_id", "originator_version"], unique=["notification_id"]),
        **_table(TABLE, _IDENTITY_COLUMNS, ["number"]),
        **_table(VERSION_TABLE, {"schema_version": "integer NOT NULL"}, []),
        **_table(
            TRACKING, {"application_name": "text COLLATE C NOT NULL", "notification_id": "bigint"}, ["application_name"]
        ),
        **_function(refuse, "", "trigger", "nothing", functions[refuse]),
    }
    if not is_older:
        facts |= _function(append, _ARGUMENTS, "bigint", "enable_seqscan=off", functions[append])
    for table in projected:
        facts |= _projected_table(table)
    for trigger, refused in triggers.items():
        bits = _TRIGGER_BITS["BEFORE"] + sum(_TRIGGER_BITS[each] for each in refused.split(" OR "))
        for name in (EVENTS, TABLE):
            facts[name, f"trigger {trigger}"] = f"kind {bits}, calls {refuse}, enabled"
    return facts


def _table(
    name: str,
    columns: Mapping[str, str],
    key: Sequence[str],
    *,
    unique: Sequence[str] = (),
    indexes: Iterable[tuple[str, str]] = (),
) -> Facts:
    """The facts of a table: its columns, its key, single columns that are unique, indexes with their conditions."""
    facts: Facts = {(name, "kind"): A_TABLE}
    for number, (column, reads) in enumerate(columns.items(), 1):
        facts[name, f"column {column}"] = f"{number}: {reads}"
    if key:
        facts[name, f"constraint PRIMARY KEY ({', '.join(key)})"] = ""
        facts[name, f"index on {', '.join(key)}"] = "unique"
    for column in unique:
        facts[name, f"constraint UNIQUE ({column})"] = ""
        facts[name, f"index on {column}"] = "unique"
    for listed, condition in indexes:
        facts[name, f"index on {listed}{condition and f' where {condition}'}"] = ""
    return facts


def _projected_table(table: TemporalTable) -> Facts:
    columns = {**table.key, **table.columns, "since": int, "until": int}
    key = [*table.key, "since"]
    holds_now = f"(until = '{FOREVER}'::bigint)"
    return _table(
        table.physical_name,
        {name: _COLUMN_TYPES[kind] + " NOT NULL" * (name in key) for name, kind in columns.items()},
        key,
        indexes=[
            *((f"{column}, since", "") for column in table.lookup),
            *((column, holds_now) for column in table.ordered),
            (", ".join(table.key), holds_now),
            ("since", ""),
            ("until", f"(until < '{FOREVER}'::bigint)"),
        ],
    )


def _function(name: str, arguments: str, returns: str, setting: str, body: str) -> Facts:
    digest = hashlib.sha256(body.encode()).hexdigest()
    return {(name, f"function({arguments})"): f"returns {returns}, in plpgsql, set to {setting}, body {digest}"}


def differences(expected: Facts, found: Facts, *, optional: Iterable[str] = ()) -> Iterator[str]:
    """Say where a schema differs from what Muniment made.

    Args:
        expected: the facts of everything that is ours.
        found: the facts as they are.
        optional: objects that need not be there, but must be right if they are.
    """
    present = {name for name, _ in found}
    absent = {name for name, _ in expected} - present
    for name in sorted(absent - set(optional)):
        yield f"{name} is missing"
    for name, item in sorted(expected.keys() | found.keys()):
        should, is_ = expected.get((name, item)), found.get((name, item))
        if name in absent or should == is_:
            continue
        if is_ is None:
            yield f"{name}: the {item} is missing"
        elif should is None:
            yield f"{name}: the {item} is not Muniment's"
        else:
            yield f"{name}: the {item} should read {should!r}, and reads {is_!r}"
