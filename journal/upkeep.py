"""Looking after a journal: its tables, its soundness, its copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..domain import JournalReadOnly
from ..projections import (
    BundlesProjection,
    ConversationsProjection,
    DelegationsProjection,
    Events,
    FootprintsProjection,
    IdempotencyProjection,
    OwnersProjection,
    Progress,
    Projection,
    Projector,
    RebuildReport,
    SagasProjection,
    TemporalStore,
    TimelineProjection,
    WitnessesProjection,
)
from .cloudevents import from_lines, to_lines
from .storage import Storage
from .tables import Projections
from .verification import VerificationReport, verify


class Upkeep(Projections):
    """The tables as they are now, and what keeps them, and the events, in order."""

    def __init__(self, events: Events, storage: Storage, store: TemporalStore, projector: Projector) -> None:
        super().__init__(events, store, projector)
        self._storage = storage
        self._store = store
        self._projector = projector

    @property
    def url(self) -> str:
        """The address that it was opened with; a password is not shown."""
        return self._storage.address.url

    def head(self) -> int:
        """The last position; 0 when nothing was appended yet."""
        return self._storage.application.recorder.head()

    def catch_up(self, progress: Progress | None = None) -> int:
        """Bring the tables up to the journal's end now. A read does that too, but says nothing while it takes long.

        Args:
            progress: called with the position reached and the position aimed for.

        Returns:
            The position reached.

        Raises:
            UnknownEventType, DamagedRecord: a record cannot be read.
        """
        head = self.head()
        self._projector.advance(head, progress)
        return head

    def replay(self, progress: Progress | None = None) -> RebuildReport:
        """Make every table anew from the first event, and compare it with what stood before.

        Args:
            progress: called with the position reached and the position aimed for.

        Raises:
            ProjectionStopped, UnknownEventType, DamagedRecord: an event cannot be folded; the tables stay as they were.
            JournalReadOnly: the journal was opened to be read only.
        """
        if self._storage.is_read_only:
            raise JournalReadOnly(self.url)
        return self._projector.rebuild(progress)

    def verify(self, progress: Progress | None = None) -> VerificationReport:
        """Check the storage, every record, laws 1, 4, 7 and 8 over the whole past, and the tables; write nothing.

        Args:
            progress: called with how much is done, and how much there is.

        Returns:
            What was found, each with its layer and position.
        """
        return verify(self._storage, all_projections(), progress)

    def backup(self, path: str | Path) -> int:
        """Copy the journal to a file while it is in use, as it is at one moment, and check the copy.

        The copy is a journal in an SQLite file, also where the original is on a server.

        Args:
            path: where to; nothing may be there.

        Returns:
            The copy's last position.

        Raises:
            JournalNotEmpty: something is there.
            JournalUnavailable: it cannot be written, or the copy is damaged.
        """
        return self._storage.backup(Path(path))

    def export(self, progress: Progress | None = None) -> Iterator[bytes]:
        """Write every event as a line of JSON, a CloudEvent of version 1.0.

        Args:
            progress: called with the position reached and the position aimed for.

        Raises:
            DamagedRecord: when a row that is no record is reached.
        """
        return to_lines(self._storage.application.recorder, progress)

    def import_export(self, lines: Iterable[bytes | str]) -> int:
        """Append what ``export`` wrote, to an empty journal: the same positions, ids, times. All of it, or nothing.

        Returns:
            How many events were appended.

        Raises:
            InvalidExport: a line is no event, or not the one that comes next.
            JournalNotEmpty: the journal holds events already.
            JournalReadOnly: the journal was opened to be read only.
        """
        return self._storage.import_events(from_lines(lines))


def all_projections() -> tuple[Projection, ...]:
    """Every projection, made anew: some remember where they stand, and are for one projector."""
    return (
        OwnersProjection(),
        WitnessesProjection(),
        FootprintsProjection(),
        DelegationsProjection(),
        BundlesProjection(),
        SagasProjection(),
        ConversationsProjection(),
        TimelineProjection(),
        IdempotencyProjection(),
    )
