"""Records by filters: what the database can choose it chooses, the rest is decided while the rows go by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final

from eventsourcing.persistence import Notification as StoredNotification

from ...domain import RecordedEvent
from ...domain.stream_names import split_stream
from ..filtering import RecordFilter
from ..storage.application import JournalApplication
from ..storage.recording import PositionedRecorder

_LEAST: Final = 64
_MOST: Final = 500
"""How many rows are read at once: few at first, since most who ask want a few."""


_LOOKED_AT: Final = 20
"""How many names are looked at from each beginning on."""


def chosen_records(
    application: JournalApplication,
    wanted: RecordFilter,
    after: int,
    through: int,
    *,
    newest_first: bool,
    limit: int | None,
) -> Iterator[RecordedEvent]:
    """Read the records that a filter chooses, page by page: no more pages than it takes to find as many as wanted.

    Args:
        application: where they are.
        wanted: chooses them.
        after: only those behind this position.
        through: only those up to this position.
        newest_first: whether to begin with the last.
        limit: at most so many.

    Raises:
        UnknownEventType, DamagedRecord: when one that cannot be decoded is reached.
    """
    decode = application.mapper.to_domain_event
    rows = (row for page in _pages(application, wanted, after, through, newest_first) for row in page)
    records = (decode(row) for row in rows if wanted.may_choose(row))
    yield from islice((record for record in records if wanted.chooses(record)), limit)


def _pages(
    application: JournalApplication, wanted: RecordFilter, after: int, through: int, newest_first: bool
) -> Iterator[Sequence[StoredNotification]]:
    recorder, size, last = application.recorder, _LEAST, None
    while after < through:
        if wanted.stream is not None:
            # Of one stream, versions are in the order of positions, and there is an index of them.
            bounds: dict[str, int] = {} if last is None else {"lte": last - 1} if newest_first else {"gt": last}
            page = recorder.select_recorded(
                wanted.stream,
                **bounds,
                desc=newest_first,
                limit=size,
                behind=after,
                through=through,
                topics=wanted.topics,
            )
            last = page[-1].originator_version if page else None
        else:
            page = recorder.select_notifications(
                after,
                size,
                stop=through,
                topics=wanted.topics,
                inclusive_of_start=False,
                desc=newest_first,
            )
            if page and newest_first:
                through = page[-1].id - 1
            elif page:
                after = page[-1].id
        yield page
        if len(page) < size:
            return
        size = _MOST


def last_not_undone(application: JournalApplication, wanted: RecordFilter, through: int) -> RecordedEvent | None:
    """The last record that a filter chooses and that stands: nothing undid it, or what did was undone itself."""
    every = RecordFilter(stream=wanted.stream)
    undone: set[str] = set()
    for record in chosen_records(application, every, 0, through, newest_first=True, limit=None):
        if record.id in undone:
            continue
        if not wanted.topics or record.type in wanted.topics:
            return record
        undone.update(record.metadata.compensates or ())
    return None


def similar(recorder: PositionedRecorder, stream: str, most: int) -> tuple[str, ...]:
    """The streams of the same kind whose names are most like a given one, of those that begin alike."""
    kind, name = split_stream(stream)
    beginning = f"{kind}-"
    kept = {len(name), max(0, len(name) - 1), len(name) // 2, 1, 0}
    known = {
        found.removeprefix(beginning)
        for length in kept
        for found in recorder.streams_from(beginning + name[:length], _LOOKED_AT)
        if found.startswith(beginning)
    }
    near = get_close_matches(name, sorted(known - {name}), most) if most else []
    return tuple(beginning + each for each in near)
