"""An export read back, event for event: what the CloudEvents specification allows, and nothing that would be lost."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from eventsourcing.persistence import StoredEvent

from ...domain import MAX_EVENT_BYTES, InvalidArgument, InvalidExport, JournalError
from ...domain.identifiers import plain_text
from ...domain.shown import kind_of, shown
from ...domain.value import exact
from ..storage.identity import Identity
from ..storage.mapper import decode
from ..storage.recording import MAX_STATE_BYTES
from ..writing.streams import belongs
from ..writing.times import time_ms, to_ms
from .cloudevents import ENCODED, EXTENSIONS, source_at
from .export_mark import MARK, origin_in

MAX_LINE_BYTES: Final = 2 * MAX_STATE_BYTES
"""How long a line may be, with its end: what a row may hold, and room for another way to write the same JSON."""

MAX_BATCH_BYTES: Final = 4 * MAX_LINE_BYTES
"""How long a batch may be that is written over several lines. It is read whole before its first event is."""

_UNMARKED: Final = (
    "the line that marks the end of an export is missing: the export was cut off, or an older Muniment wrote it; "
    "export again, or import it as unmarked if it is known to be whole"
)
_BYTE_ORDER_MARK: Final = "\ufeff"
_JSON: Final = "application/json"
_MOST_DIGITS: Final = 19
_CORE: Final = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "sequence", "data")
_KNOWN: Final = frozenset({*_CORE, "data_base64", *EXTENSIONS.values()})
# A program that writes the mark again may say when it did.
_OF_THE_MARK: Final = frozenset(
    {"specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64"}
)


class Found(NamedTuple):
    """One event of an export.

    Attributes:
        line: the line that it stands on, from 1.
        number: which one it is in its batch, from 1; 0 if it stands alone.
        event: what it says; attributes that are null are absent.
    """

    line: int
    number: int
    event: Mapping[str, Any]

    def wrong(self, problem: str) -> InvalidExport:
        """The error of a problem with it."""
        return InvalidExport(self.line, f"event {self.number} of the batch: {problem}" if self.number else problem)


class ExportReader:
    """Reads what ``Journal.export`` wrote, from position 1; checks that nothing is missing, doubled or damaged.

    Iterating gives each event as it is to be stored. The events may have gone through other programs that keep to the
    specification: an attribute that is absent may be null, ``data`` may be ``data_base64``, and events may stand in
    batches, which are JSON arrays, on one line or over several.

    Args:
        lines: the lines of an export.
        unmarked: whether the mark at the end may be missing.

    Attributes:
        origin: which journal the events are from, once all are read.

    Raises:
        InvalidArgument: what is given is no iterable of lines.
    """

    def __init__(self, lines: Iterable[bytes | str], *, unmarked: bool) -> None:
        exact("unmarked", unmarked, bool)
        is_one = issubclass(type(lines), str | bytes | bytearray | memoryview)
        try:
            self._lines: Iterator[bytes | str] = iter(() if is_one else lines)
        except Exception as error:
            raise InvalidArgument("lines", f"must be an iterable of lines, not {shown(lines)}") from error
        if is_one:
            raise InvalidArgument("lines", f"must be an iterable of lines, not {kind_of(lines)}")
        self.origin = Identity()
        self._may_lack_mark = unmarked
        self._line = 0

    def __iter__(self) -> Iterator[StoredEvent]:
        """Read the lines.

        Raises:
            InvalidExport: an event is none of a journal, or not the one that comes next; it has an attribute that no
                journal keeps, or is of another source; or the end is not marked, or not where the mark says.
            NewerSchema: a newer Muniment wrote it.
        """
        versions: dict[str, int] = {}
        times: dict[str, int] = {}
        sources = _Sources()
        last_id, position, is_ended = None, 0, False
        for found in self._events():
            if is_ended:
                raise found.wrong("it stands behind the event that marks the export's end")
            if found.event.get("type") == MARK:
                _require_known(found, _OF_THE_MARK)
                marked = {**found.event, "data": _data(found)}
                self.origin, is_ended = origin_in(found.line, marked, position, last_id), True
                sources.require(found, self.origin, position)
                continue
            position += 1
            stored, recorded_at = _stored(found, position)
            sources.take(found, position)
            stream = str(stored.originator_id)
            if stored.originator_version != versions.get(stream, 0) + 1:
                last = versions.get(stream, 0)
                raise found.wrong(f"{stream}@{stored.originator_version} does not follow version {last}")
            if recorded_at < times.get(stream, 0):
                raise found.wrong("the time is before that of the stream's last event")
            versions[stream], times[stream] = stored.originator_version, recorded_at
            last_id = f"{stream}@{stored.originator_version}"
            yield stored
        if not is_ended and not self._may_lack_mark:
            raise InvalidExport(self._line + 1, _UNMARKED)

    def _events(self) -> Iterator[Found]:
        """The events, whether they stand alone or in batches. Only at the end may lines be empty."""
        empty = 0
        for given in self._lines:
            self._line += 1
            line = _text(self._line, given)
            if self._line == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if not line.strip():
                empty = empty or self._line
                continue
            if empty:
                raise InvalidExport(empty, "is empty, and more follows")
            try:
                parsed = orjson.loads(line)
            except ValueError as error:
                if not line.lstrip().startswith("["):
                    raise InvalidExport(self._line, f"{type(error).__name__}: {error}") from error
                parsed = self._rest_of_batch(line)
            yield from _each(self._line, parsed)

    def _rest_of_batch(self, begun: str) -> Any:
        first, parts, size = self._line, [begun], len(begun)
        for given in self._lines:
            self._line += 1
            parts.append(_text(self._line, given))
            size += len(parts[-1])
            if size > MAX_BATCH_BYTES:
                raise InvalidExport(first, f"the batch that begins here has more than {MAX_BATCH_BYTES} bytes")
        try:
            return orjson.loads("\n".join(parts))
        except ValueError as error:
            raise InvalidExport(first, f"the batch that begins here is no JSON: {error}") from error


class _Sources:
    """Where the events say that they are from, in runs of the same."""

    def __init__(self) -> None:
        self._runs: list[tuple[str, int]] = []

    def take(self, found: Found, position: int) -> None:
        source = found.event["source"]
        if not self._runs or self._runs[-1][0] != source:
            if self._runs and self._journal(source) != self._journal(self._runs[-1][0]):
                raise found.wrong(f"its source {source!r} is not that of the events before it")
            self._runs.append((source, position))

    def require(self, mark: Found, origin: Identity, head: int) -> None:
        """Make sure that all are of the journal that the mark names, or all of the one source that the mark has."""
        named = mark.event["source"]
        is_one = all(source == named for source, _ in self._runs)
        as_it_was = all(source == source_at(origin, position) for source, position in self._runs)
        if not is_one and not (as_it_was and named == source_at(origin, head)):
            wrong = next(source for source, _ in self._runs if source != named)
            raise mark.wrong(f"it is of the source {named!r}, and there are events of {wrong!r}")

    @staticmethod
    def _journal(source: str) -> str:
        """The source without its restore id."""
        return source.rpartition(":")[0] if source.startswith("urn:muniment:") else source


def _text(number: int, line: Any) -> str:
    if type(line) in (bytes, bytearray, memoryview):
        if len(line) > MAX_LINE_BYTES:
            raise InvalidExport(number, f"has more than {MAX_LINE_BYTES} bytes")
        try:
            return str(line, "utf-8")
        except UnicodeDecodeError as error:
            raise InvalidExport(number, f"{type(error).__name__}: {error}") from error
    if not issubclass(type(line), str):
        raise InvalidExport(number, f"must be text, not {kind_of(line)}")
    line = plain_text(line)
    if len(line) > MAX_LINE_BYTES:
        raise InvalidExport(number, f"has more than {MAX_LINE_BYTES} bytes")
    return str(line)


def _each(line: int, parsed: Any) -> Iterator[Found]:
    events = enumerate(parsed, 1) if isinstance(parsed, list) else [(0, parsed)]
    for number, event in events:
        if not isinstance(event, dict) or event.get("specversion") != "1.0":
            raise Found(line, number, {}).wrong("not a CloudEvent of version 1.0")
        found = Found(line, number, {name: value for name, value in event.items() if value is not None})
        if not isinstance(found.event.get("source"), str):
            raise found.wrong("has no source")
        yield found


def _require_known(found: Found, known: frozenset[str]) -> None:
    if others := found.event.keys() - known:
        raise found.wrong(f"has attributes that no journal keeps: {', '.join(sorted(others))}")
    if found.event.get("datacontenttype", _JSON) != _JSON:
        raise found.wrong(f"has data of type {shown(found.event['datacontenttype'])}, not {_JSON}")


def _data(found: Found) -> Any:
    """The event's data, also where another program has made bytes of it."""
    if "data_base64" not in found.event:
        return found.event.get("data")
    if "data" in found.event:
        raise found.wrong("has both data and data_base64")
    return orjson.loads(b64decode(found.event["data_base64"], validate=True))


def _stored(found: Found, position: int) -> tuple[StoredEvent, int]:
    _require_known(found, _KNOWN)
    event = found.event
    try:
        stream, version = str(event["subject"]), _version(event)
        if _number(event["sequence"]) != position:
            raise found.wrong(f"expected the event at position {position}, found {event['sequence']!r}")
        recorded_at = time_ms("time", _ms(event["time"]))
        metadata = {"recorded_at": recorded_at}
        for name, attribute in EXTENSIONS.items():
            if attribute in event:
                value = event[attribute]
                # What other programs have made a number of stays one.
                metadata[name] = orjson.loads(value) if name in ENCODED and type(value) is str else value
        if (data := _data(found)) is None:
            raise found.wrong("has no data")
        state = orjson.dumps({"data": data, "metadata": metadata})
        if len(state) > MAX_EVENT_BYTES:
            raise found.wrong(f"the event takes {len(state)} bytes; at most {MAX_EVENT_BYTES} are stored")
        if len(state) > MAX_STATE_BYTES:
            raise found.wrong(f"an event of {len(state)} bytes; at most {MAX_STATE_BYTES} are read again")
        record = decode((position, stream, version, event["type"], state))
        if not belongs(record):
            raise found.wrong(f"the event is not one of the stream {stream!r}")
    except JournalError as error:
        raise found.wrong(str(error)) from error
    except InvalidExport:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, InvalidArgument) as error:
        raise found.wrong(f"{type(error).__name__}: {error}") from error
    return StoredEvent(stream, version, event["type"], state), recorded_at


def _number(value: Any) -> int:
    """A position, also where another program has made a number of it."""
    if type(value) is int:
        return value
    if not value.isascii() or not value.isdecimal() or len(value) > _MOST_DIGITS:
        raise ValueError(f"the sequence {value!r} is no position")
    return int(value)


def _ms(time: str) -> int:
    """A time of RFC 3339, where ``t`` and ``z`` may be small letters."""
    moment = datetime.fromisoformat(time.upper())
    if moment.microsecond % 1_000:
        raise ValueError(f"{time!r} is finer than a ms")
    return to_ms(moment)


def _version(event: Mapping[str, Any]) -> int:
    stream, _, digits = event["id"].rpartition("@")
    version = int(digits)
    if event["id"] != f"{event['subject']}@{version}":
        raise ValueError(f"the id {event['id']!r} is not one of the stream {stream!r}")
    return version
