"""The line that marks the end of an export: how much there is, and which journal it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ...domain import InvalidExport, NewerSchema
from ..storage.identity import FormatSince, Identity, Restore, identity_of
from ..storage.identity_table import FORMAT

MARK: Final = "muniment.export.ended.v1"
"""The type of the CloudEvent that marks the end. It is no event of the journal, and has no position."""


def mark_data(events: int, last_id: str | None, origin: Identity) -> dict[str, Any]:
    """What the mark says.

    Args:
        events: how many events stand before it.
        last_id: the id of the last of them; None if there is none.
        origin: the journal that they are from.
    """
    return {
        "events": events,
        "last_id": last_id,
        "journal": origin.id,
        "restores": [each._asdict() for each in origin.restores],
        "formats": [each._asdict() for each in origin.formats],
    }


def origin_in(number: int, mark: Mapping[str, Any], events: int, last_id: str | None) -> Identity:
    """Check a mark against what stands before it; return the journal that the events are from.

    Args:
        number: the mark's line, from 1.
        mark: the line as a CloudEvent.
        events: how many events stand before it.
        last_id: the id of the last of them; None if there is none.

    Raises:
        InvalidExport: it does not fit, or makes no sense.
        NewerSchema: a newer Muniment wrote it.
    """
    try:
        data = mark["data"]
        said, found = (data["events"], data["last_id"]), (events, last_id)
        if said != found:
            raise InvalidExport(number, f"the export ends after {said[0]} events with {said[1]}, found {found}")
        origin = _origin(data)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidExport(number, f"the mark at the end is damaged: {type(error).__name__}: {error}") from error
    if origin.format > FORMAT:
        raise NewerSchema("the export", origin.format, FORMAT)
    if max(origin.positions()) >= max(1, events):
        raise InvalidExport(number, "the mark at the end speaks of positions that the export has not")
    return origin


def _origin(data: Mapping[str, Any]) -> Identity:
    formats = tuple(FormatSince(each["format"], each["after"]) for each in data["formats"])
    restores = tuple(Restore(each["id"], each["after"]) for each in data["restores"])
    stated = Identity(data["journal"], formats, restores)
    # Read as the rows that it becomes, which says what is wrong with it.
    understood = identity_of((row, *fact) for row, fact in enumerate(stated.facts(), 1))
    if understood.problems:
        raise ValueError("the journal that it names makes no sense")
    return replace(understood, id=stated.id)
