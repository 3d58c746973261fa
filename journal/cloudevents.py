"""A journal as JSON lines of CloudEvents 1.0, and back, event for event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from eventsourcing.persistence import StoredEvent

from ..domain import DamagedRecord, InvalidArgument, InvalidExport, JournalError
from ..projections import Progress
from .mapper import Row, decode
from .recording import PositionedRecorder
from .streams import belongs
from .times import to_iso, to_ms

SOURCE: Final = "urn:muniment"

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
}
_ENCODED: Final = {"tick", "compensates"}


def to_lines(recorder: PositionedRecorder, progress: Progress | None) -> Iterator[bytes]:
    """Write every event up to the present end as a CloudEvent; see ``Journal.export``."""
    head = recorder.head()
    for rows in recorder.pages(through=head):
        yield from map(to_line, rows)
        if progress is not None:
            progress(rows[-1][0], head)


def to_line(row: Row) -> bytes:
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


def from_lines(lines: Iterable[bytes | str]) -> Iterator[StoredEvent]:
    """Read what ``to_line`` wrote, from position 1; check that nothing is missing, doubled or damaged.

    Yields:
        Each event as it is to be stored.

    Raises:
        InvalidExport: a line is no event of a journal, or not the one that comes next.
    """
    versions: dict[str, int] = {}
    times: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        stored, recorded_at = _from_line(number, line)
        stream = str(stored.originator_id)
        if stored.originator_version != versions.get(stream, 0) + 1:
            problem = f"event {stream}@{stored.originator_version} does not follow version {versions.get(stream, 0)}"
            raise InvalidExport(number, problem)
        if recorded_at < times.get(stream, 0):
            raise InvalidExport(number, "the time is before that of the stream's last event")
        versions[stream], times[stream] = stored.originator_version, recorded_at
        yield stored


def _from_line(number: int, line: bytes | str) -> tuple[StoredEvent, int]:
    try:
        event = orjson.loads(line)
        if not isinstance(event, Mapping) or event.get("specversion") != "1.0":
            raise InvalidExport(number, "not a CloudEvent of version 1.0")
        stream, version = str(event["subject"]), _version(event)
        if event["sequence"] != str(number):
            raise InvalidExport(number, f"expected the event at position {number}, found {event['sequence']!r}")
        recorded_at = to_ms(datetime.fromisoformat(event["time"]))
        metadata = {"recorded_at": recorded_at}
        for name, attribute in _EXTENSIONS.items():
            if attribute in event:
                value = event[attribute]
                metadata[name] = orjson.loads(value) if name in _ENCODED else value
        state = orjson.dumps({"data": event["data"], "metadata": metadata})
        record = decode((number, stream, version, event["type"], state))
        if not belongs(record):
            raise InvalidExport(number, f"the event is not one of the stream {stream!r}")
    except JournalError as error:
        raise InvalidExport(number, str(error)) from error
    except InvalidExport:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, InvalidArgument) as error:
        raise InvalidExport(number, f"{type(error).__name__}: {error}") from error
    return StoredEvent(stream, version, event["type"], state), recorded_at


def _version(event: Mapping[str, Any]) -> int:
    stream, _, version = event["id"].rpartition("@")
    if stream != event["subject"]:
        raise ValueError(f"the id {event['id']!r} is not of the stream {event['subject']!r}")
    return int(version)
