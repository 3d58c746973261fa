"""A journal as JSON lines of CloudEvents 1.0, and back, event for event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from eventsourcing.persistence import StoredEvent

from ...domain import MAX_EVENT_BYTES, DamagedRecord, InvalidArgument, InvalidExport, JournalError
from ...domain.identifiers import plain_text
from ...domain.shown import kind_of, shown
from ...domain.value import exact
from ...projections import Progress
from ..storage.identity import Identity
from ..storage.identity_table import IdentityTable
from ..storage.mapper import EventRow, decode
from ..storage.recording import MAX_STATE_BYTES, PositionedRecorder
from ..writing.streams import belongs
from ..writing.times import time_ms, to_iso, to_ms
from .export_mark import MARK, mark_data, origin_in

SOURCE: Final = "urn:muniment"

MAX_LINE_BYTES: Final = 2 * MAX_STATE_BYTES
"""How long a line may be, with its end: what a row may hold, and room for another way to write the same JSON."""

_UNMARKED: Final = (
    "the line that marks the end of an export is missing: the export was cut off, or an older Muniment wrote it; "
    "export again, or import it as unmarked if it is known to be whole"
)

# Names of extension attributes are lower-case letters and digits, and their integers have 32 bits.
_EXTENSIONS: Final = {
    "actor": "actor",
    "correlation_id": "correlationid",
    "causation_id": "causationid",
    "idempotency_key": "idempotencykey",
    "command": "command",
    "tick": "tick",
    "compensates": "compensates",
    "saga": "saga",
    "policy": "policy",
}
_ENCODED: Final = {"tick", "compensates"}


def to_lines(recorder: PositionedRecorder, identity: IdentityTable, progress: Progress | None) -> Iterator[bytes]:
    """Write every event up to the present end as a CloudEvent, and the mark; see ``Journal.export``."""
    head = recorder.head()
    # Asked after the end: what it says of events up to there does not change any more.
    origin = identity.read().as_of(head)
    last_id = None
    for rows in recorder.pages(through=head):
        yield from map(to_line, rows)
        position, stream, version, *_ = rows[-1]
        last_id = f"{stream}@{version}"
        if progress is not None:
            progress(position, head)
    mark = {
        "specversion": "1.0",
        "id": f"export-{origin.cursor(head) or head}",
        "source": SOURCE,
        "type": MARK,
        "datacontenttype": "application/json",
        "data": mark_data(head, last_id, origin),
    }
    yield orjson.dumps(mark)


def to_line(row: EventRow) -> bytes:
    """Write a row as one CloudEvent: id, stream as ``subject``, position as ``sequence``, metadata as extensions.

    Raises:
        DamagedRecord: the row's content is not what a row holds.
    """
    position, stream, version, type_name, state = row
    try:
        envelope = orjson.loads(state)
        metadata = dict(envelope["metadata"])
        time = to_iso(metadata.pop("recorded_at"))
        event = {
            "specversion": "1.0",
            "id": f"{stream}@{version}",
            "source": SOURCE,
            "type": type_name,
            "subject": stream,
            "time": time,
            "datacontenttype": "application/json",
            "sequence": str(position),
        }
        for name, value in metadata.items():
            event[_EXTENSIONS[name]] = orjson.dumps(value).decode() if name in _ENCODED else value
        event["data"] = envelope["data"]
        return orjson.dumps(event)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise DamagedRecord(type_name, stream, version, position, problem) from error


class ExportReader:
    """Reads what ``to_lines`` wrote, from position 1; checks that nothing is missing, doubled or damaged.

    Iterating gives each event as it is to be stored.

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

    def __iter__(self) -> Iterator[StoredEvent]:
        """Read the lines.

        Raises:
            InvalidExport: a line is no event of a journal, or not the one that comes next; or the end is not marked,
                or not where the mark says.
            NewerSchema: a newer Muniment wrote it.
        """
        versions: dict[str, int] = {}
        times: dict[str, int] = {}
        last_id, number, is_ended = None, 0, False
        for number, line in enumerate(self._lines, 1):
            if is_ended:
                raise InvalidExport(number, "it stands behind the line that marks the export's end")
            event = _parsed(number, line)
            if event.get("type") == MARK:
                self.origin, is_ended = origin_in(number, event, last_id), True
                continue
            stored, recorded_at = _stored(number, event)
            stream = str(stored.originator_id)
            if stored.originator_version != versions.get(stream, 0) + 1:
                last = versions.get(stream, 0)
                raise InvalidExport(number, f"{stream}@{stored.originator_version} does not follow version {last}")
            if recorded_at < times.get(stream, 0):
                raise InvalidExport(number, "the time is before that of the stream's last event")
            versions[stream], times[stream] = stored.originator_version, recorded_at
            last_id = f"{stream}@{stored.originator_version}"
            yield stored
        if not is_ended and not self._may_lack_mark:
            raise InvalidExport(number + 1, _UNMARKED)


def _parsed(number: int, line: Any) -> Mapping[str, Any]:
    if type(line) not in (str, bytes, bytearray, memoryview):
        if not issubclass(type(line), str):
            raise InvalidExport(number, f"must be text, not {kind_of(line)}")
        line = plain_text(line)
    if len(line) > MAX_LINE_BYTES:
        raise InvalidExport(number, f"has more than {MAX_LINE_BYTES} bytes")
    try:
        event = orjson.loads(line)
    except ValueError as error:
        raise InvalidExport(number, f"{type(error).__name__}: {error}") from error
    if not isinstance(event, dict) or event.get("specversion") != "1.0":
        raise InvalidExport(number, "not a CloudEvent of version 1.0")
    return event


def _stored(number: int, event: Mapping[str, Any]) -> tuple[StoredEvent, int]:
    try:
        stream, version = str(event["subject"]), _version(event)
        if event["sequence"] != str(number):
            raise InvalidExport(number, f"expected the event at position {number}, found {event['sequence']!r}")
        recorded_at = time_ms("time", to_ms(datetime.fromisoformat(event["time"])))
        metadata = {"recorded_at": recorded_at}
        for name, attribute in _EXTENSIONS.items():
            if attribute in event:
                value = event[attribute]
                metadata[name] = orjson.loads(value) if name in _ENCODED else value
        state = orjson.dumps({"data": event["data"], "metadata": metadata})
        if len(state) > MAX_EVENT_BYTES:
            raise InvalidExport(number, f"the event takes {len(state)} bytes; at most {MAX_EVENT_BYTES} are stored")
        if len(state) > MAX_STATE_BYTES:
            raise InvalidExport(number, f"an event of {len(state)} bytes; at most {MAX_STATE_BYTES} are read again")
        record = decode((number, stream, version, event["type"], state))
        if not belongs(record):
            raise InvalidExport(number, f"the event is not one of the stream {stream!r}")
    except JournalError as error:
        raise InvalidExport(number, str(error)) from error
    except InvalidExport:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, InvalidArgument) as error:
        raise InvalidExport(number, f"{type(error).__name__}: {error}") from error
    return StoredEvent(stream, version, event["type"], state), recorded_at


def _version(event: Mapping[str, Any]) -> int:
    stream, _, digits = event["id"].rpartition("@")
    version = int(digits)
    if event["id"] != f"{event['subject']}@{version}":
        raise ValueError(f"the id {event['id']!r} is not one of the stream {stream!r}")
    return version
