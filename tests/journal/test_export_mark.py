"""An export ends with a mark, so that what was cut off is not taken for the whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import pytest
from muniment.domain import InvalidArgument, InvalidExport, MunimentError, NewerSchema
from muniment.journal import MAX_LINE_BYTES, Journal
from muniment.journal.storage.identity_table import FORMAT

from .test_identity import fill

EVENTS = 7


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """An export of seven events, of a journal that went through one restore."""
    with Journal.open("memory://") as journal, Journal.open("memory://") as copy:
        fill(journal, "s-1", "s-2", "s-3")
        copy.import_export(journal.export())
        fill(copy, "s-4", "s-5", "s-6", "s-7")
        return list(copy.export())


@pytest.fixture
def target() -> Iterator[Journal]:
    with Journal.open("memory://") as journal:
        yield journal
        # Whatever was refused has left nothing, and does not keep anything else out.
        made = journal.identity.id
        assert journal.head() == 0
        with Journal.open("memory://") as other:
            fill(other, "s-1")
            journal.import_export(other.export())
        assert journal.identity.id != made


def test_the_mark_says_how_much_there_is_and_whose(lines: list[bytes]) -> None:
    mark = json.loads(lines[-1])
    journal, restore = mark["data"].pop("journal"), mark["data"]["restores"][0]["id"]
    assert mark == {
        "specversion": "1.0",
        "id": f"export-{journal}-{restore}-7",
        "source": f"urn:muniment:{journal}:{restore}",
        "type": "muniment.export.ended.v1",
        "datacontenttype": "application/json",
        "data": {
            "events": EVENTS,
            "last_id": "session-s-7@1",
            "restores": [{"id": restore, "after": 3}],
            "formats": [{"format": FORMAT, "after": 0}],
        },
    }


def test_an_import_takes_over_what_the_mark_says(lines: list[bytes], journal: Journal) -> None:
    assert journal.import_export(lines) == EVENTS
    data = json.loads(lines[-1])["data"]
    assert journal.identity.id == data["journal"]
    assert [each._asdict() for each in journal.identity.restores] == data["restores"]
    assert list(journal.export()) == lines
    fill(journal, "s-8")
    assert [each.after for each in journal.identity.restores] == [3, EVENTS]
    assert journal.verify().findings == ()


def test_nothing_is_exported_as_just_the_mark(journal: Journal) -> None:
    (mark,) = journal.export()
    assert json.loads(mark)["data"] == {
        "events": 0,
        "last_id": None,
        "journal": journal.identity.id,
        "restores": [],
        "formats": [{"format": FORMAT, "after": 0}],
    }
    with Journal.open("memory://") as copy:
        assert copy.import_export([mark]) == 0
        assert copy.identity.id == journal.identity.id
        assert list(copy.export()) == [mark]
        # Again, as nothing is in it yet.
        assert copy.import_export([mark]) == 0


@pytest.mark.parametrize("kept", range(EVENTS + 1))
def test_what_was_cut_off_between_two_lines(lines: list[bytes], target: Journal, kept: int) -> None:
    with pytest.raises(InvalidExport, match="cut off") as caught:
        target.import_export(lines[:kept])
    assert caught.value.line == kept + 1


@pytest.mark.parametrize("unmarked", [False, True])
def test_what_was_cut_off_in_a_line(lines: list[bytes], target: Journal, unmarked: bool) -> None:
    for number in (3, EVENTS):
        for end in (1, len(lines[number]) // 2, len(lines[number]) - 1):
            with pytest.raises(InvalidExport) as caught:
                target.import_export([*lines[:number], lines[number][:end]], unmarked=unmarked)
            assert caught.value.line == number + 1


def test_lines_that_do_not_fit_the_mark(lines: list[bytes], target: Journal) -> None:
    mark = lines[-1]
    for wrong in (
        [*lines, mark],
        [*lines[:4], b"", *lines[4:]],
        [*lines, b"nonsense"],
        [mark, *lines[:-1]],
        [*lines[:3], mark],
        [*lines[:3], mark, *lines[3:]],
        [*lines[:-2], mark],
        [mark],
    ):
        for unmarked in (False, True):
            with pytest.raises(InvalidExport):
                target.import_export(wrong, unmarked=unmarked)


def _data(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda mark: mark["data"].update(changes)


def _less(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda mark: mark["data"].pop(name)


RESTORE = {"id": "a" * 32, "after": 2}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda mark: mark.pop("data"),
        lambda mark: mark.update(data=None),
        lambda mark: mark.update(data=[]),
        lambda mark: mark.update(specversion="0.3"),
        lambda mark: mark.update(type="muniment.export.ended.v2"),
        lambda mark: mark.update(type=["muniment.export.ended.v1"]),
        *(_less(name) for name in ("events", "last_id", "journal", "restores", "formats")),
        _data(events=6),
        _data(events="7"),
        _data(last_id="session-s-6@1"),
        _data(last_id=None),
        _data(journal=""),
        _data(journal="a" * 31),
        _data(journal=7),
        _data(journal=["a" * 32]),
        _data(restores=None),
        _data(restores={}, formats={}),
        _data(restores=[{}]),
        _data(restores=[RESTORE, 7]),
        _data(restores=[{"id": "a" * 32, "after": EVENTS}]),
        _data(restores=[{"id": "a" * 32, "after": -1}]),
        _data(restores=[{"id": "a" * 32, "after": "2"}]),
        _data(restores=[{"id": "a" * 32, "after": 2.0}]),
        _data(restores=[{"id": "a" * 32, "after": 2**70}]),
        _data(restores=[{"id": "restore", "after": 2}]),
        _data(restores=[RESTORE] * 100_000),
        _data(formats=[]),
        _data(formats=[{"format": 0, "after": 0}]),
        _data(formats=[{"format": "two", "after": 0}]),
        _data(formats=[{"format": None, "after": 0}]),
        _data(formats=[{"format": 2, "after": 0}, {"format": 1, "after": 3}]),
        _data(formats=[{"format": 1, "after": 0}, {"format": 2, "after": EVENTS}]),
    ],
)
def test_a_spoilt_mark(lines: list[bytes], target: Journal, spoil: Callable[[dict[str, Any]], Any]) -> None:
    mark = json.loads(lines[-1])
    spoil(mark)
    with pytest.raises(InvalidExport) as caught:
        target.import_export([*lines[:-1], json.dumps(mark)])
    assert caught.value.line == EVENTS + 1
    assert len(str(caught.value)) < 1_000


def test_an_export_of_a_newer_format(lines: list[bytes], target: Journal) -> None:
    mark = json.loads(lines[-1])
    mark["data"]["formats"].append({"format": FORMAT + 1, "after": 5})
    with pytest.raises(NewerSchema) as caught:
        target.import_export([*lines[:-1], json.dumps(mark)])
    assert (caught.value.found, caught.value.supported) == (FORMAT + 1, FORMAT)


def test_unmarked_means_that_the_mark_may_be_missing(lines: list[bytes], journal: Journal) -> None:
    assert journal.import_export(lines[:5], unmarked=True) == 5
    assert journal.identity.id != json.loads(lines[-1])["data"]["journal"]
    with Journal.open("memory://") as another:
        assert another.import_export(lines, unmarked=True) == EVENTS
        assert list(another.export()) == lines
    with Journal.open("memory://") as another:
        assert another.import_export([], unmarked=True) == 0


@pytest.mark.parametrize(
    "line",
    [
        None,
        7,
        [],
        "\udcff",
        b"\xff",
        "[" * 100_000,
        '{"specversion":"1.0","data":' + "[" * 600 + "]" * 600 + "}",
        '{"specversion":"1.0"}',
        '{"specversion":"1.0","type":"muniment.export.ended.v1"}',
        "9" * 5_000,
        b" " * (MAX_LINE_BYTES + 1),
    ],
)
def test_lines_that_are_none(lines: list[bytes], target: Journal, line: Any) -> None:
    with pytest.raises(InvalidExport) as caught:
        target.import_export([*lines[:2], line, *lines[2:]])
    assert caught.value.line == 3
    assert len(str(caught.value)) < 1_000


def test_an_event_that_would_not_be_read_again(lines: list[bytes], target: Journal) -> None:
    event = json.loads(lines[0])
    event["data"]["roles"] = [f"role-{number:08}" for number in range(600_000)]
    with pytest.raises(InvalidExport, match="bytes"):
        target.import_export([json.dumps(event), *lines[1:]])


@pytest.mark.parametrize("given", [None, 7, "text", b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), object()])
def test_what_is_not_lines(target: Journal, given: Any) -> None:
    with pytest.raises(InvalidArgument, match="lines"):
        target.import_export(given)


@pytest.mark.parametrize("unmarked", [None, 1, "yes"])
def test_unmarked_is_true_or_false(target: Journal, unmarked: Any) -> None:
    with pytest.raises(InvalidArgument, match="unmarked"):
        target.import_export([], unmarked=unmarked)


def test_any_iterable_of_lines(lines: list[bytes]) -> None:
    texts = [line.decode() for line in lines]
    for given in (lines, tuple(texts), iter(texts), map(bytearray, lines), (f"{line}\r\n" for line in texts)):
        with Journal.open("memory://") as journal:
            assert journal.import_export(given) == EVENTS  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, GeneratorExit])
def test_lines_that_fail_leave_nothing(lines: list[bytes], journal: Journal, error: type[BaseException]) -> None:
    def failing() -> Iterator[bytes]:
        yield from lines[:5]
        raise error

    with pytest.raises(error):
        journal.import_export(failing())
    assert journal.head() == 0
    made = journal.identity.id
    fill(journal, "s-1")
    assert (journal.identity.id, journal.identity.restores) == (made, ())


def test_endless_lines_end_at_the_first_that_is_none(lines: list[bytes], target: Journal) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield lines[0]

    given: Iterable[bytes] = chain(lines[:3], endless())
    with pytest.raises(MunimentError):
        target.import_export(given)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "session-s-2@٣"},
        {"id": "session-s-2@ 1"},
        {"id": "session-s-2@+1"},
        {"id": "session-s-2@01"},
        {"id": f"session-s-2@{'1' * 5_000}"},
        {"id": f"session-s-2@{2**64}"},
        {"time": "0001-01-01T00:00:00+23:59"},
        {"time": "9999-12-31T23:59:59-23:59"},
        {"time": 7},
        {"type": []},
        {"type": {}},
        {"subject": None},
        {"tick": "1e999"},
        {"tick": 7.5},
        {"tick": True},
        {"compensates": "[[[["},
        {"actor": "\ud800"},
        {"data": None},
        {"source": None},
        {"source": 7},
        {"source": "urn:muniment:another"},
        {"traceparent": "00-ab-cd-01"},
        {"dataschema": "https://example.com/schema"},
        {"datacontenttype": "text/xml"},
        {"data_base64": "e30="},
        {"time": "2026-01-01T00:00:00.000001Z"},
    ],
)
def test_events_that_are_none(lines: list[bytes], target: Journal, changed: dict[str, Any]) -> None:
    event = json.loads(lines[1]) | changed
    with pytest.raises(InvalidExport) as caught:
        target.import_export([lines[0], json.dumps(event), *lines[2:]])
    assert caught.value.line == 2
