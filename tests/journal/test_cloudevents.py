"""Exports in the hands of others: what CloudEvents say of them, and what comes back."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_json
from cloudevents.v1.http import from_json
from jsonschema import Draft7Validator, FormatChecker
from muniment.domain import InvalidArgument, InvalidExport, JournalNotEmpty
from muniment.journal import Journal, import_journal, restore
from muniment.scripts.cli import cli

Event = dict[str, Any]

# The attributes of the specification, as its JSON format has them.
ATTRIBUTE = {"type": "string", "minLength": 1}
OPTIONAL = {"type": ["string", "null"], "minLength": 1}
SCHEMA = {
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": ATTRIBUTE,
        "source": {**ATTRIBUTE, "format": "uri-reference"},
        "specversion": {"const": "1.0"},
        "type": ATTRIBUTE,
        "datacontenttype": OPTIONAL,
        "dataschema": {**OPTIONAL, "format": "uri"},
        "subject": OPTIONAL,
        "time": {**OPTIONAL, "format": "date-time"},
        "data_base64": {"type": ["string", "null"], "contentEncoding": "base64"},
        "data": True,
    },
    # Extensions: lower-case letters and digits, with a string, a boolean, or an integer of 32 bits.
    "additionalProperties": {
        "type": ["string", "boolean", "integer"],
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
    },
    "propertyNames": {"pattern": "^[a-z0-9]+(_base64)?$"},
}


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """An export with everything that metadata can say, of a journal that is a copy that was written to."""
    with Journal.open(f"sqlite:///{tmp_path}/first.db") as journal:
        with journal.context(actor="ärger", correlation_id="request-7", causation_id="e-1", tick=2**40):
            journal.sessions.open("s", roles=["a", "b"])
            with journal.context(idempotency_key="k"):
                journal.sessions.claim("s", "alice")
        journal.backup(tmp_path / "second.db")
    with Journal.open(f"sqlite:///{tmp_path}/second.db") as journal:
        journal.revert("session-s@2")
        with journal.saga("g"):
            journal.sessions.claim("s", "bob")
        return list(journal.export())


def read(lines: list[bytes]) -> list[Event]:
    return [json.loads(line) for line in lines]


def written(events: list[Event]) -> list[bytes]:
    return [json.dumps(event).encode() for event in events]


def imported(given: list[Any], url: str = "memory://", **settings: Any) -> list[bytes]:
    with Journal.open(url) as journal:
        journal.import_export(given, **settings)
        assert journal.verify().findings == ()
        return list(journal.export())


def test_source_and_id_are_unique_among_journals_and_copies(lines: list[bytes], tmp_path: Path) -> None:
    def named(journal: Journal) -> list[tuple[str, str]]:
        return [(event["source"], event["id"]) for event in read(list(journal.export()))[:-1]]

    with Journal.open("memory://") as one, Journal.open("memory://") as other:
        for journal in (one, other):
            journal.sessions.open("s")
        assert not set(named(one)) & set(named(other))
    path = tmp_path / "again.db"
    with Journal.open(f"sqlite:///{tmp_path}/first.db") as journal:
        journal.backup(path)
        taken_over = named(journal)
        journal.sessions.open("here")
        here = named(journal)
    with Journal.open(f"sqlite:///{path}") as copy:
        # Until something is appended, it is the same journal.
        assert named(copy) == taken_over
        copy.sessions.open("there")
        there = named(copy)
    assert here[:2] == there[:2] == taken_over
    assert here[2][0] != there[2][0]


def test_positions_are_in_order_as_text(lines: list[bytes]) -> None:
    sequences = [event["sequence"] for event in read(lines)[:-1]]
    assert sequences == sorted(sequences)
    assert "9".rjust(19, "0") < "10".rjust(19, "0")
    assert [int(each) for each in sequences] == list(range(1, len(sequences) + 1))


def test_every_line_is_what_the_specification_says(lines: list[bytes]) -> None:
    validator = Draft7Validator(SCHEMA, format_checker=FormatChecker())
    assert [error.message for event in read(lines) for error in validator.iter_errors(event)] == []
    # The schema is one that refuses.
    assert list(validator.iter_errors({**read(lines)[0], "tick": 2**40}))
    assert list(validator.iter_errors({**read(lines)[0], "correlationId": "x"}))
    assert list(validator.iter_errors({**read(lines)[0], "source": "two words"}))
    assert list(validator.iter_errors({**read(lines)[0], "time": "today"}))


def through_version_2(line: bytes) -> bytes:
    return JSONFormat().write(JSONFormat().read(CloudEvent, line))


def through_version_1(line: bytes) -> bytes:
    return to_json(from_json(line))


@pytest.mark.parametrize("through", [through_version_1, through_version_2])
def test_what_the_sdk_writes_again_is_the_same_journal(through: Callable[[bytes], bytes], lines: list[bytes]) -> None:
    again = [through(line) for line in lines]
    assert again != lines
    assert imported(again) == lines


def nulls(event: Event) -> Event:
    absent = {"dataschema", "data_base64", "saga", "actor", "policy", "traceparent"} - event.keys()
    return {**event, **dict.fromkeys(absent)}


def small_letters(event: Event) -> Event:
    return {**event, "time": event["time"].lower()} if "time" in event else event


def other_zone(event: Event) -> Event:
    if "time" not in event:
        return event
    there = datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo
    return {**event, "time": datetime.fromisoformat(event["time"]).astimezone(there).isoformat()}


def bytes_for_data(event: Event) -> Event:
    data = b64encode(json.dumps(event["data"]).encode()).decode()
    return {**{name: value for name, value in event.items() if name != "data"}, "data_base64": data}


def numbers(event: Event) -> Event:
    return {**event, **{name: int(event[name]) for name in ("tick", "sequence") if name in event}}


def as_before(event: Event) -> Event:
    """As an older Muniment wrote it."""
    before = {**event, "source": "urn:muniment"}
    return {**before, "sequence": str(int(event["sequence"]))} if "sequence" in event else before


def no_content_type(event: Event) -> Event:
    return {name: value for name, value in event.items() if name != "datacontenttype"}


@pytest.mark.parametrize(
    "change", [nulls, small_letters, other_zone, bytes_for_data, numbers, as_before, no_content_type]
)
def test_what_the_specification_allows_is_taken(change: Callable[[Event], Event], lines: list[bytes]) -> None:
    changed = written([change(event) for event in read(lines)])
    assert changed != lines
    assert imported(changed) == lines


def pretty(lines: list[bytes]) -> list[bytes]:
    return json.dumps(read(lines), indent=2).encode().splitlines(keepends=True)


BATCHES: dict[str, Callable[[list[bytes]], list[Any]]] = {
    "on one line": lambda lines: [b"[" + b",".join(lines) + b"]"],
    "over several lines": pretty,
    "behind a byte order mark": lambda lines: [b"\xef\xbb\xbf" + pretty(lines)[0], *pretty(lines)[1:]],
    "in several": lambda lines: [b"[" + b",".join(lines[:2]) + b"]", b"[" + b",".join(lines[2:]) + b"]"],
    "and alone": lambda lines: [b"[" + b",".join(lines[:2]) + b"]", *lines[2:]],
    "with lines that end": lambda lines: [line + b"\r\n" for line in lines],
    "with empty lines at the end": lambda lines: [*lines, b"\n", b"", b"  \n"],
    "as text behind a byte order mark": lambda lines: ["\ufeff" + lines[0].decode(), *map(bytes.decode, lines[1:])],
}


@pytest.mark.parametrize("made", BATCHES.values(), ids=BATCHES)
def test_events_may_stand_in_batches(made: Callable[[list[bytes]], list[Any]], lines: list[bytes]) -> None:
    assert imported(made(lines)) == lines


HALF_RIGHT: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a batch that is cut off": (lambda lines: pretty(lines)[:-1], "line 1: the batch that begins here is no JSON"),
    "an event that is none": (
        lambda lines: [b"[" + lines[0] + b', {"specversion": "1.0"}, ' + lines[2] + b"]"],
        "line 1: event 2 of the batch: has no source",
    ),
    "an empty line in between": (lambda lines: [lines[0], b"", *lines[1:]], "line 2: is empty, and more follows"),
    "an event of another source": (
        lambda lines: [lines[0], lines[1].replace(b"urn:muniment:", b"urn:muniment:f"), *lines[2:]],
        "line 2: its source 'urn:muniment:f",
    ),
    "a mark of another source": (
        lambda lines: [*lines[:-1], lines[-1].replace(b'"urn:muniment:', b'"urn:muniment:f')],
        "line 7: it is of the source",
    ),
    "an extension that nobody knows": (
        lambda lines: [lines[0].replace(b'"subject"', b'"traceparent": "00-1-2-01", "subject"'), *lines[1:]],
        "line 1: has attributes that no journal keeps: traceparent",
    ),
    "an extension of the mark": (
        lambda lines: [*lines[:-1], lines[-1].replace(b'"type"', b'"actor": "a", "type"')],
        "line 7: has attributes that no journal keeps: actor",
    ),
    "data twice": (
        lambda lines: [lines[0].replace(b'"subject"', b'"data_base64": "e30=", "subject"'), *lines[1:]],
        "line 1: has both data and data_base64",
    ),
    "a time finer than a ms": (
        lambda lines: [lines[0].replace(b"Z", b"001Z", 1), *lines[1:]],
        "line 1: ValueError",
    ),
}


@pytest.mark.parametrize(("spoilt", "problem"), HALF_RIGHT.values(), ids=HALF_RIGHT)
def test_what_is_half_right_is_refused_whole(
    spoilt: Callable[[list[bytes]], list[bytes]], problem: str, lines: list[bytes], tmp_path: Path
) -> None:
    assert len(lines) == 7
    path = tmp_path / "made" / "copy.db"
    path.parent.mkdir()
    with pytest.raises(InvalidExport) as caught:
        import_journal(path, spoilt(lines))
    assert str(caught.value).startswith(problem)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("has_schema", [False, True])
def test_where_a_server_had_nothing_a_failed_import_leaves_nothing(
    lines: list[bytes], postgres_url: str, has_schema: bool
) -> None:
    import psycopg
    from muniment.journal.postgres.address import parse

    address = parse(postgres_url)
    found = (
        "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s "
        "UNION ALL SELECT proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = %s "
        "UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname = %s"
    )
    with psycopg.connect(address.server, autocommit=True) as connection:

        def there() -> set[str]:
            return {name for (name,) in connection.execute(found, [address.schema] * 3).fetchall()}

        if has_schema:
            connection.execute(f"CREATE SCHEMA {address.schema}".encode())
            connection.execute(f"CREATE TABLE {address.schema}.theirs (a integer)".encode())
        before = there()
        with pytest.raises(InvalidExport):
            import_journal(postgres_url, lines[:-1])
        assert there() == before
        assert import_journal(postgres_url, lines) == 6
        # What was there stays.
        with pytest.raises(JournalNotEmpty):
            import_journal(postgres_url, lines)
    with Journal.open(postgres_url) as journal:
        assert journal.head() == 6


def test_a_source_of_ones_own(lines: list[bytes], tmp_path: Path) -> None:
    with Journal.open("memory://") as journal:
        journal.import_export(lines)
        named = list(journal.export(source="https://example.com/handoffs"))
        assert {event["source"] for event in read(named)} == {"https://example.com/handoffs"}
        assert imported(named) == lines
        for wrong in ("", "two words", "x" * 201, "%zz", "a\nb"):
            with pytest.raises(InvalidArgument):
                journal.export(source=wrong)
    url = f"sqlite:///{tmp_path}/first.db"
    done = CliRunner().invoke(cli, ["export", "--journal", url, "--source", "/handoffs"])
    assert {event["source"] for event in map(json.loads, done.stdout.splitlines())} == {"/handoffs"}
    assert CliRunner().invoke(cli, ["export", "--journal", url, "--source", "a b"]).exit_code == 2


def test_a_restored_backup_of_a_server_is_the_same_journal(
    lines: list[bytes], postgres_url: str, tmp_path: Path
) -> None:
    import_journal(tmp_path / "kept.db", lines)
    assert restore(tmp_path / "kept.db", postgres_url) == 6
    with Journal.open(postgres_url) as journal:
        assert list(journal.export()) == lines
