"""Looking after a journal: its tables, its soundness, its copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ...domain import JournalReadOnly, JournalWithoutId, UnknownPosition
from ...domain.identifiers import natural_number, text
from ...domain.value import function_or_none
from ...projections import Events, Progress, Projector, RebuildReport, TemporalStore, all_projections
from ..storage.address import file_path
from ..storage.engine import Storage
from ..storage.identity import Identity
from ..tables import Projections
from .cloudevents import checked_source, to_lines
from .export_reader import ExportReader
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

    @property
    def identity(self) -> Identity:
        """Which journal it is: its id, the restores that it went through, the formats that it was written in."""
        return self._storage.identity.read()

    def cursor(self, position: int | None = None) -> str:
        """What a consumer keeps to go on behind a position: a string that says too whose position it is.

        It is good in this journal and in every copy of it that has the events up to the position. In one that was
        restored from before, and in which other events follow, ``follow`` raises ``OtherPast``.

        Args:
            position: the last position that the consumer is done with; by default the last that there is.

        Raises:
            UnknownPosition: the journal has not reached the position.
            JournalWithoutId: an older Muniment made the journal, and it was not opened for writing since.
        """
        head = self.head()
        if position is None:
            position = head
        elif natural_number("position", position) > head:
            raise UnknownPosition(position, head)
        cursor = self.identity.cursor(position)
        if cursor is None:
            raise JournalWithoutId(self.url)
        return cursor

    def mark_restored(self) -> str:
        """Say that the journal was put back from a copy that could not know it is one, such as a dump of a server.

        What is appended from now on gets a restore id, so that a cursor of the events that were lost is refused. Call
        it after the restore, and before anybody else opens the journal. A copy that ``backup`` or an import made needs
        no such word.

        Returns:
            The restore id.

        Raises:
            JournalReadOnly: the journal was opened to be read only.
        """
        if self._storage.is_read_only:
            raise JournalReadOnly(self.url)
        return self._storage.identity.mark_restored()

    def position_of(self, after: int | str) -> int:
        """The position that a cursor stands at, or a number that is one.

        Args:
            after: a position, or what ``cursor`` gave, here or in another copy of the journal.

        Raises:
            InvalidArgument: it is neither.
            UnknownPosition: the journal has not reached it.
            OtherPast: the cursor is of another journal, or of events that this copy of it does not have.
            JournalWithoutId: an older Muniment made the journal, and it was not opened for writing since.
        """
        if issubclass(type(after), str):
            position = self.identity.position_of(text("after", after), self.url)
        else:
            position = natural_number("after", after)
        head = self.head()
        if position > head:
            raise UnknownPosition(position, head)
        return position

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
        self._projector.advance(head, function_or_none("progress", progress))
        return head

    def replay(self, progress: Progress | None = None) -> RebuildReport:
        """Rebuild every table from the first event, and compare it with what stood before.

        Args:
            progress: called with the position reached and the position aimed for.

        Raises:
            ProjectionStopped, UnknownEventType, DamagedRecord: an event cannot be folded; the tables stay as they were.
            JournalReadOnly: the journal was opened to be read only.
        """
        if self._storage.is_read_only:
            raise JournalReadOnly(self.url)
        return self._projector.rebuild(function_or_none("progress", progress))

    def verify(self, progress: Progress | None = None) -> VerificationReport:
        """Check the storage, every record, the laws over the whole past, every decision, and the tables.

        Nothing is written. Laws 1, 4, 7, 8 and 10 are checked event by event, and every event is decided again.

        Args:
            progress: called with how much is done, and how much there is.

        Returns:
            What was found, each with its layer and position.
        """
        return verify(self._storage, all_projections(), function_or_none("progress", progress))

    def backup(self, path: str | Path) -> int:
        """Copy the journal to a file while it is in use, as it is at one moment, and check the copy.

        The copy is a journal in an SQLite file, also where the original is on a server.

        Args:
            path: where to; nothing may be there.

        Returns:
            The copy's last position.

        Raises:
            InvalidArgument: it is no path of a file.
            JournalNotEmpty: something is there, or the log of a database that was there.
            JournalUnavailable: it cannot be written, or the copy is damaged.
        """
        return self._storage.backup(file_path("path", path))

    def export(self, progress: Progress | None = None, *, source: str | None = None) -> Iterator[bytes]:
        """Write every event as a line of JSON, a CloudEvent of version 1.0, and a last line that marks the end.

        Args:
            progress: called with the position reached and the position aimed for.
            source: what every event is said to be from, a URI reference. By default it is made of the journal's id and
                of the restore id that was in force at the event, so that with the event's id it is unique.

        Raises:
            DamagedRecord: when a row that is no record is reached.
            InvalidArgument: the source is no URI reference.
        """
        recorder, identity = self._storage.application.recorder, self._storage.identity
        given = None if source is None else checked_source(source)
        return to_lines(recorder, identity, given, function_or_none("progress", progress))

    def import_export(self, lines: Iterable[bytes | str], *, unmarked: bool = False) -> int:
        """Append what ``export`` wrote, to an empty journal: the same positions, ids, times. All of it, or nothing.

        The journal becomes a copy of the exported one, with its id, and a restore id once something is appended to it.

        Args:
            lines: the lines, of at most 16 MiB each.
            unmarked: whether to take an export without the line that marks its end. Older Muniments wrote none. That
                such an export is whole, nobody can tell. The journal gets a new id.

        Returns:
            How many events were appended.

        Raises:
            InvalidExport: a line is no event, or not the one that comes next; it has an attribute that no journal
                keeps, or is of another source; or the end is not marked, or is not where its mark says.
            NewerSchema: a newer Muniment wrote it.
            InvalidArgument: what is given is no iterable of lines.
            JournalNotEmpty: the journal holds events already.
            JournalReadOnly: the journal was opened to be read only.
        """
        export = ExportReader(lines, unmarked=unmarked)
        return self._storage.import_events(export, lambda: export.origin)
