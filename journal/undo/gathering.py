"""What an undo is decided on, gathered from the journal as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from ...domain import Event, RecordedEvent, UnknownPosition, UnknownVersion, session_stream
from ...domain.bundle import BundleLinked, BundleRegistered
from ...domain.compensation import StreamHistory
from ..storage.application import JournalApplication
from ..tables import Projections

Known: TypeAlias = dict[str, list[RecordedEvent]]
"""Records of streams, from version 1, that need not be read again."""


class GatheredPast:
    """The journal up to its last position; streams are read when they are asked for.

    Args:
        application: where events are stored.
        tables: the projections as they are now.
        known: what was read before; what is read is added to it.

    Attributes:
        head: the last position, as it was before anything else was read.
    """

    def __init__(self, application: JournalApplication, tables: Projections, known: Known) -> None:
        self.head = application.recorder.head()
        self._application = application
        self._tables = tables
        self._known = known

    def at(self, position: int) -> RecordedEvent:
        """The record at a position.

        Raises:
            UnknownPosition: there is none.
        """
        return self._application.record_at(position)

    def history(self, stream: str) -> StreamHistory:
        """A stream's records, and the state that they add up to."""
        return StreamHistory(stream, self._records(stream))

    def dependents(self, event: Event[Any]) -> Iterator[RecordedEvent]:
        """The events of other streams that depend on a bundle being known: links, and delegations of live sessions."""
        if not isinstance(event, BundleRegistered | BundleLinked):
            return
        bundle_id = event.bundle.bundle_id
        for linked in self._tables.bundles.linked_from(bundle_id).values():
            yield self.at(linked.since)
        for (session_id, delegation_id), row in self._tables.delegations.through_bundle(bundle_id).items():
            if row.status == "committed" and self._holds(session_id, delegation_id):
                yield self.at(row.since)

    def event(self, event: str | int) -> RecordedEvent:
        """The event of this id, or at this position.

        Raises:
            UnknownEvent, UnknownPosition: there is none.
        """
        if isinstance(event, str):
            return self._application.named(event)
        if not 1 <= event <= self.head:
            raise UnknownPosition(event, self.head)
        return self.at(event)

    def after(self, stream: str, version: int) -> list[RecordedEvent]:
        """The events of a stream behind a version.

        Raises:
            UnknownVersion: there is no such version.
        """
        records = self._records(stream)
        last = records[-1].version if records else 0
        if version > last or not records:
            raise UnknownVersion(stream, version, last)
        return records[version:]

    def _records(self, stream: str) -> list[RecordedEvent]:
        records = self._known.setdefault(stream, [])
        records.extend(self._application.records(stream, gt=len(records)))
        return records

    def _holds(self, session_id: str, delegation_id: int) -> bool:
        """Whether a delegation is of a session's present incarnation, which has not finished."""
        state = self.history(session_stream(session_id)).state
        return state.status.is_open and delegation_id in state.outcomes
