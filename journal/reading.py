"""The past, read: records by position and by stream, as they are committed, and the tables as they were."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain, islice
from weakref import WeakSet

from ..domain import JournalClosed, RecordedEvent
from ..domain.identifiers import natural_number, text
from ..domain.value import exact
from ..projections import Projector, TemporalStore, Usage, measure
from .filtering import RecordFilter
from .follow import Following
from .past.questions import MomentLike
from .past.records import chosen_records, last_not_undone, similar
from .past.searches import Searches
from .projecting import Projecting
from .storage.commits import Running
from .storage.engine import Storage
from .storage.mapper import decode
from .storage.recording import PAGE_SIZE
from .upkeep.upkeep import Upkeep


class Reading(Upkeep, Searches):
    """What is read of a journal, and what goes on reading until the journal is closed.

    Attributes:
        application: the ``eventsourcing`` application that it is kept by.
    """

    def __init__(self, storage: Storage, store: TemporalStore, projector: Projector) -> None:
        super().__init__(self, storage, store, projector)
        self.application = storage.application
        self._running: WeakSet[Running] = WeakSet()
        self._is_closed = False

    def record(self, position: int) -> RecordedEvent:
        """Read the record at a position.

        Raises:
            UnknownPosition: there is none.
            InvalidArgument: it is no integer.
            UnknownEventType, DamagedRecord: it cannot be decoded.
        """
        return self.application.record_at(self._known_position(position, least=1))

    def usage(self) -> Usage:
        """Measure what the journal holds: sessions, types, envelopes, handlers, proofs, events (telltale 5).

        Every table is read once, that of the events too, without decoding any. The benchmark says what that takes.

        Raises:
            UnknownEventType, DamagedRecord: an event that is not in the tables yet cannot be decoded.
        """
        position = self._projector.catch_up_all()
        return measure(self._store, position, self.application.recorder.usage(position))

    def read(self, after: int | str = 0, limit: int | None = None) -> Iterator[RecordedEvent]:
        """Read records of all streams, by position.

        Args:
            after: begin behind this position, or behind that of a cursor.
            limit: at most so many.

        Raises:
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
            InvalidArgument: a number is negative, or too large for any journal.
            OtherPast: the cursor is of events that this journal does not have.
            JournalWithoutId: a cursor is given, and an older Muniment made the journal, which has no id yet.
            UnknownPosition: the journal has not reached the position or the cursor.
        """
        after = self.position_of(after) if issubclass(type(after), str) else natural_number("after", after)
        size = PAGE_SIZE if limit is None else min(natural_number("limit", limit), PAGE_SIZE)
        if size:
            pages = self.application.recorder.pages(after, size=size)
            first = next(pages, None)
            if first is None:
                self.position_of(after)
                return
            rows = chain(first, chain.from_iterable(pages))
            yield from map(decode, rows if limit is None else islice(rows, limit))

    def read_stream(
        self,
        stream: str,
        after: int = 0,
        *,
        newest_first: bool = False,
        limit: int | None = None,
        behind: int = 0,
        through: int | None = None,
    ) -> Iterator[RecordedEvent]:
        """Read one stream's records, by version.

        Args:
            stream: the stream's name.
            after: only those behind this version.
            newest_first: whether to begin with the last.
            limit: at most so many.
            behind: only those behind this position of the journal.
            through: only those up to this position of the journal.

        Raises:
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
            InvalidArgument: a number is negative, or too large for any journal.
        """
        yield from self.application.records(
            text("stream", stream),
            gt=natural_number("after", after),
            desc=exact("newest_first", newest_first, bool),
            limit=None if limit is None else natural_number("limit", limit),
            behind=natural_number("behind", behind),
            through=None if through is None else natural_number("through", through),
        )

    def records(
        self,
        *,
        types: Collection[str] = (),
        stream: str | None = None,
        actor: str | None = None,
        correlation_id: str | None = None,
        grep: str | None = None,
        since: MomentLike | None = None,
        until: MomentLike | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[RecordedEvent]:
        """Read the records that filters choose, of those that there are now. What several filters choose must suit all.

        Types, stream and positions are chosen by the database. The newest few are found from the end.

        Args:
            types: types, beginnings of types such as ``session.``, or globs such as ``*rejected``; any of them.
            stream: one stream's, such as ``session-s-42``.
            actor: those that were appended on this behalf.
            correlation_id: those that belong to this conversation or request.
            grep: a text in what is stored of the record, its data and metadata as compact JSON. A text in lower case
                stands for upper case too.
            since: only what came after this moment: behind a position or an event, or recorded after a time.
            until: only what had happened by this moment, so that ``since`` and ``until`` choose the events that make
                the difference between two moments.
            newest_first: whether to begin with the last.
            limit: at most so many.

        Raises:
            NoTypeMatches: no type of event is called so.
            MomentsReversed: the second moment lies before the first.
            InvalidMoment, MomentInFuture, UnknownPosition, UnknownEvent: see ``at``.
            InvalidArgument, InvalidIdentifier: something else cannot be what it is given for.
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
        """
        wanted = RecordFilter(types, stream, actor, correlation_id, grep)
        first, last = self.between(0 if since is None else since, self.head() if until is None else until)
        return chosen_records(
            self.application,
            wanted,
            first.position,
            last.position,
            newest_first=exact("newest_first", newest_first, bool),
            limit=None if limit is None else natural_number("limit", limit),
        )

    def last_not_undone(self, stream: str, types: Collection[str] = ()) -> RecordedEvent | None:
        """The last event of a stream that stands: nothing undid it, or what undid it was undone itself.

        Args:
            stream: the stream's name, such as ``session-s-42``.
            types: types, beginnings of types, or globs; any of them. All if there are none.

        Returns:
            The record; None if no event of these types stands.

        Raises:
            NoTypeMatches: no type of event is called so.
            InvalidArgument
            UnknownEventType, DamagedRecord: an event on the way to it cannot be decoded.
        """
        return last_not_undone(self.application, RecordFilter(types, text("stream", stream)), self.head())

    def similar_streams(self, stream: str, most: int = 3) -> tuple[str, ...]:
        """The streams of the same kind whose names are most like one that is not there, to say what may be meant.

        Of a large journal only names are looked at that begin alike.

        Args:
            stream: the name, such as ``session-s-42``.
            most: at most so many.

        Raises:
            InvalidArgument, InvalidIdentifier
        """
        recorder = self.application.recorder
        return similar(recorder, text("stream", stream), natural_number("most", most))

    def follow(
        self,
        after: int | str = 0,
        types: Collection[str] = (),
        *,
        stream: str | None = None,
        actor: str | None = None,
        correlation_id: str | None = None,
        grep: str | None = None,
    ) -> Following:
        """Yield records as they are committed, by this process or another, beginning with those that are there.

        A consumer that keeps how far it has come keeps a cursor, ``journal.cursor(record.position)``. A position says
        nothing of whose it is: after a restore, other events may stand there.

        Args:
            after: begin behind this position, or behind that of a cursor; ``journal.head()`` for new ones only.
            types: only records of these types, such as ``session.closed.v1``; all if there are none. They are chosen as
                in ``records``, as is what follows.
            stream: one stream's.
            actor: those that were appended on this behalf.
            correlation_id: those that belong to this conversation or request.
            grep: a text in what is stored of the record.

        Returns:
            An endless iterator, to be used in a ``with`` block. Closing the journal ends it too.

        Raises:
            NoTypeMatches: no type of event is called so.
            InvalidArgument: the position, the cursor or a filter makes no sense.
            UnknownPosition: the journal has not reached the position.
            OtherPast: the cursor is of another journal, or of events that this copy of it does not have.
            JournalWithoutId: an older Muniment made the journal, which knows no cursors yet.
            UnknownEventType, DamagedRecord: when the record that cannot be decoded is reached.
            JournalUnavailable: when the server is lost; follow again, behind the last record that was yielded.
        """
        # Asks the journal in any case, so that a closed one says so here, and not in the thread that reads.
        position = self.position_of(after)
        wanted = RecordFilter(types, stream, actor, correlation_id, grep)
        following = Following(self.application.recorder, self.application.mapper, position, wanted)
        self._keep(following)
        return following

    def project(self) -> Projecting:
        """Keep the tables caught up in the background, so that those who read find little to do.

        Returns:
            What does it, to be used in a ``with`` block; it tells the health of each projection. Closing the journal
            ends it too.
        """
        self.head()  # so that a closed journal says so here, and not in the thread
        projecting = Projecting(self._projector, self.head, self.application.recorder.commits, self._storage.log_health)
        self._keep(projecting)
        return projecting

    def _keep(self, running: Running) -> None:
        """Stop it when the journal closes, which may be happening now."""
        self._running.add(running)
        if self._is_closed:
            running.stop()
            raise JournalClosed(self.url)
