"""The events of a branch: up to a position those of another journal, which are only read, and behind it its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final
from uuid import UUID

from eventsourcing import sqlite as library
from eventsourcing.persistence import IntegrityError, Notification as StoredNotification, StoredEvent

from ...domain.condition import Condition, NoneSince
from ..sqlite.datastore import SQLiteDatastore
from ..sqlite.recorder import SQLiteApplicationRecorder, SQLiteFactory
from ..storage.recording import PositionedRecorder

_BEGIN: Final = "INSERT INTO sqlite_sequence (name, seq) VALUES ('stored_events', ?)"


class EventsThrough:
    """The events of a journal up to a position, to be read and nothing else. What comes behind it is never seen.

    Args:
        recorder: records the journal's events.
        position: the position.
    """

    def __init__(self, recorder: PositionedRecorder, position: int) -> None:
        self._recorder = recorder
        self.position = position

    def is_of(self, recorder: PositionedRecorder) -> bool:
        """Whether this recorder records them."""
        return recorder is self._recorder

    def rows(self, after: int, limit: int) -> list[Any]:
        """Those behind a position, as plain rows; see ``PositionedRecorder.select_rows``."""
        left = self.position - after
        if left <= 0:
            return []
        # Where somebody deleted events, there are fewer than that, and later ones are found.
        return [row for row in self._recorder.select_rows(after, min(limit, left)) if row[0] <= self.position]

    def recorded(
        self, originator_id: UUID | str, through: int | None = None, **bounds: Any
    ) -> Sequence[StoredNotification]:
        """Those of one originator; see ``PositionedRecorder.select_recorded``."""
        through = self.position if through is None else min(through, self.position)
        return self._recorder.select_recorded(originator_id, through=through, **bounds)

    def notifications(
        self, start: int | None, limit: int, *, stop: int | None, **bounds: Any
    ) -> Sequence[StoredNotification]:
        """Those of all originators; see ``PositionedRecorder.select_notifications``."""
        stop = self.position if stop is None else min(stop, self.position)
        return self._recorder.select_notifications(start, limit, stop, **bounds)

    def streams_from(self, name: str, most: int) -> list[str]:
        """The names of their streams; see ``PositionedRecorder.streams_from``."""
        found: list[str] = []
        named = self._recorder.streams_from(name, most)
        while named and len(found) < most:
            # A stream may have begun later.
            found += [each for each in named if self.recorded(each, limit=1)]
            named = self._recorder.streams_from(named[-1], most + 1)[1:]
        return found[:most]

    def last_version(self, originator_id: UUID | str) -> int:
        """The version of an originator's last one; 0 if it has none."""
        return next((each.originator_version for each in self.recorded(originator_id, desc=True, limit=1)), 0)

    def names(self, positions: Collection[int]) -> dict[int, tuple[str, str]]:
        """What those at these positions are called; see ``PositionedRecorder.names``."""
        return self._recorder.names([each for each in positions if each <= self.position])

    def usage(self, through: int) -> tuple[int, int]:
        """How many there are, and how many bytes they take; see ``PositionedRecorder.usage``."""
        return self._recorder.usage(min(through, self.position))


class BranchRecorder(SQLiteApplicationRecorder):
    """Records the events of a branch in a table in memory, where positions and versions go on from another journal's.

    Args:
        datastore: the table's.
        past: the events of the other journal, up to the branch's beginning.
    """

    def __init__(self, datastore: SQLiteDatastore, past: EventsThrough) -> None:
        super().__init__(datastore)
        self.past = past

    def begin(self, cursor: Any) -> None:
        """Have the first position be the one behind the beginning; inside the transaction that makes the table."""
        cursor.execute(_BEGIN, [self.past.position])

    def max_notification_id(self) -> int | None:  # type: ignore[override]  # the library's finds None too
        """The last position; None when nothing was appended yet, here or there."""
        return super().max_notification_id() or self.past.position or None

    def select_rows(self, after: int, limit: int) -> list[Any]:
        """Events of all originators behind a position, as plain rows."""
        return self.past.rows(after, limit) or super().select_rows(max(after, self.past.position), limit)

    def select_recorded(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
        behind: int = 0,
        through: int | None = None,
        topics: Sequence[str] = (),
    ) -> Sequence[StoredNotification]:
        """One originator's events, by version; each says its position too."""
        bounds: dict[str, Any] = {"gt": gt, "lte": lte, "desc": desc, "behind": behind, "topics": topics}
        found: list[StoredNotification] = []
        begins = self.past.position
        for is_own in (True, False) if desc else (False, True):
            if is_own and (through is None or through > begins):
                more = super().select_recorded
            elif not is_own and behind < begins:
                more = self.past.recorded
            else:
                continue
            left = None if limit is None else limit - len(found)
            if left is None or left > 0:
                found += more(originator_id, limit=left, through=through, **bounds)
        return found

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
        desc: bool = False,
    ) -> Sequence[StoredNotification]:
        """Events of all originators, by position; with ``desc`` the last first."""
        bounds: dict[str, Any] = {"topics": topics, "inclusive_of_start": inclusive_of_start, "desc": desc}
        begins = self.past.position
        found: list[StoredNotification] = []
        more: Callable[..., Sequence[StoredNotification]]
        for is_own in (True, False) if desc else (False, True):
            if is_own and (stop is None or stop > begins):
                more = super().select_notifications
            elif not is_own and (start is None or start <= begins):
                more = self.past.notifications
            else:
                continue
            if len(found) < limit:
                found += more(start, limit - len(found), stop=stop, **bounds)
        return found

    def streams_from(self, name: str, most: int) -> list[str]:
        """The names of the streams from a name on, in order."""
        return sorted({*self.past.streams_from(name, most), *super().streams_from(name, most)})[:most]

    def names(self, positions: Collection[int]) -> dict[int, tuple[str, str]]:
        """The id and the type of the events at these positions, without decoding any."""
        return self.past.names(positions) | super().names([each for each in positions if each > self.past.position])

    def usage(self, through: int) -> tuple[int, int]:
        """How many events there are up to a position, and how many bytes they take."""
        (past, past_bytes), (own, own_bytes) = self.past.usage(through), super().usage(through)
        return past + own, past_bytes + own_bytes

    def _holds(self, run: Callable[[str, Sequence[Any]], Any], condition: Condition) -> bool:
        if isinstance(condition, NoneSince) and condition.position < self.past.position:
            known: dict[str, Any] = {"stop": None, "topics": condition.types, "inclusive_of_start": False}
            if self.past.notifications(condition.position, 1, **known):
                return False
        return super()._holds(run, condition)

    def _last_version(self, run: Callable[[str, Sequence[Any]], Any], stream: str) -> int:
        return super()._last_version(run, stream) or self.past.last_version(stream)

    def _insert_events(
        self, c: library.SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        first: dict[UUID | str, int] = {}
        for each in stored_events:
            first.setdefault(each.originator_id, each.originator_version)
        for originator_id, version in first.items():
            # Read while nobody else appends here; there, nothing changes any more up to the beginning.
            if self.past.recorded(originator_id, gt=version - 1, lte=version):
                raise IntegrityError(f"{originator_id}@{version} is recorded already")
        return super()._insert_events(c, stored_events, **kwargs)


class BranchFactory(SQLiteFactory):
    """Builds the recorder of a branch.

    Args:
        datastore: the branch's.
        past: the events of the other journal, up to the branch's beginning.
    """

    def __init__(self, datastore: SQLiteDatastore, past: EventsThrough) -> None:
        super().__init__({"SQLITE_DBNAME": ":memory:", "CREATE_TABLE": "no"}, datastore)
        self._past = past

    def application_recorder(self) -> BranchRecorder:
        """A recorder of events."""
        return BranchRecorder(self.datastore, self._past)
