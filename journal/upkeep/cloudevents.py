"""A journal as JSON lines of CloudEvents 1.0."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import orjson

from ...domain import DamagedRecord, InvalidArgument
from ...domain.identifiers import text
from ...domain.shown import shown
from ...projections import Progress
from ..storage.identity import Identity
from ..storage.identity_table import IdentityTable
from ..storage.mapper import EventRow
from ..storage.recording import PositionedRecorder
from ..writing.times import to_iso
from .export_mark import MARK, mark_data

_SOURCE: Final = "urn:muniment"
"""What every source begins with; the whole of it for a journal without an id, as an older Muniment made it."""

_URI_REFERENCE: Final = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2}){1,200}")

# Names of extension attributes are lower-case letters and digits, and their integers have 32 bits.
EXTENSIONS: Final = {
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
ENCODED: Final = {"tick", "compensates"}


def checked_source(source: object) -> str:
    """Return ``source`` if events may be said to be from it.

    Raises:
        InvalidArgument: it is no URI reference of at most 200 characters.
    """
    given = text("source", source)
    if not _URI_REFERENCE.fullmatch(given):
        raise InvalidArgument("source", f"must be a URI reference of 1 to 200 characters, not {shown(given)}")
    return given


def source_at(origin: Identity, position: int) -> str:
    """The source of an event: with its id it is unique among all journals, and among the copies of one.

    Args:
        origin: the journal that it is from.
        position: the event's position. Copies that took the event over give it the same source.
    """
    return _SOURCE if origin.id is None else f"{_SOURCE}:{origin.id}:{origin.restore_at(position) or 0}"


def to_lines(
    recorder: PositionedRecorder, identity: IdentityTable, source: str | None, progress: Progress | None
) -> Iterator[bytes]:
    """Write every event up to the present end as a CloudEvent, and the mark; see ``Journal.export``."""
    head = recorder.head()
    # Asked after the end: what it says of events up to there does not change any more.
    origin = identity.read().as_of(head)
    last_id = None
    for rows in recorder.pages(through=head):
        for row in rows:
            yield to_line(row, source or source_at(origin, row[0]))
        position, stream, version, *_ = rows[-1]
        last_id = f"{stream}@{version}"
        if progress is not None:
            progress(position, head)
    mark = {
        "specversion": "1.0",
        "id": f"export-{origin.cursor(head) or head}",
        "source": source or source_at(origin, head),
        "type": MARK,
        "datacontenttype": "application/json",
        "data": mark_data(head, last_id, origin),
    }
    yield orjson.dumps(mark)


def to_line(row: EventRow, source: str) -> bytes:
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
            "source": source,
            "type": type_name,
            "subject": stream,
            "time": time,
            "datacontenttype": "application/json",
            # As wide as any position, so that it is in order as text.
            "sequence": f"{position:019d}",
        }
        for name, value in metadata.items():
            event[EXTENSIONS[name]] = orjson.dumps(value).decode() if name in ENCODED else value
        event["data"] = envelope["data"]
        return orjson.dumps(event)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise DamagedRecord(type_name, stream, version, position, problem) from error
