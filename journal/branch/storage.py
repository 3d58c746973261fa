"""What a branch is kept in: memory, behind the events and tables of another journal up to where it begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...domain import NotInBranch
from ...projections import Locks, TemporalStore
from ..sqlite.datastore import SQLiteDatastore
from ..sqlite.identity import SQLiteIdentityTable
from ..sqlite.recorder import SQLiteFactory
from ..sqlite.storage import SQLiteStorage, storage_error
from ..storage.address import ENGINES, Address
from ..storage.engine import Storage
from ..storage.identity import Fact, Identity, new_id
from ..storage.identity_table import FORMAT
from .events import BranchFactory, BranchRecorder, EventsThrough
from .tables import BranchTables


class BranchStorage(SQLiteStorage):
    """A branch: what it appends is in memory, and what came before it is read where it is.

    Args:
        base: the storage of the journal that it begins in.
        tables: that journal's tables, which have come to the position.
        position: where it begins.
    """

    def __init__(self, base: Storage, tables: TemporalStore, position: int) -> None:
        address = Address(f"a branch of {base.address.url} at position {position}", ENGINES["memory"], is_stored=False)
        timeout_s = base.locks.timeout_s
        self._past = EventsThrough(base.application.recorder, position)
        self._begins_after = position
        datastore = SQLiteDatastore(":memory:", lock_timeout=timeout_s, originator_id_type="text")
        datastore.translate_error = lambda error: storage_error(error, address, timeout_s)
        super().__init__(address, datastore, is_read_only=False)
        self.locks = Locks(address.url, timeout_s)
        self.tables = BranchTables(datastore, tables, position, address.url)
        self.identity = _IdentityTable(datastore, self._recorder, base.identity.read(), position)
        self.create()

    @property
    def past(self) -> EventsThrough:
        """The events that came before the branch."""
        return self._past

    def _factory(self, datastore: SQLiteDatastore) -> SQLiteFactory:
        return BranchFactory(datastore, self._past)

    def discard(self) -> None:
        """Do nothing: closing it takes all of it back."""

    @contextmanager
    def _importing(self) -> Iterator[Any]:
        raise NotInBranch(str(self.address), "import")
        yield

    def backup(self, path: Path) -> int:
        """Refuse: what it stands on is somewhere else.

        Raises:
            NotInBranch
        """
        raise NotInBranch(str(self.address), "backup")


class _IdentityTable(SQLiteIdentityTable):
    """Says that a branch is the journal that it begins in, and from there on a past of its own, as a restore is."""

    def __init__(self, datastore: SQLiteDatastore, recorder: Any, origin: Identity, position: int) -> None:
        super().__init__(datastore, recorder, f"a branch at position {position}")
        self._origin = origin.as_of(position)
        self._begins = position

    def create(self, cursor: Any) -> None:
        """Make the table in a new branch."""
        recorder: BranchRecorder = self._recorder  # type: ignore[assignment]  # a branch has no other
        recorder.begin(cursor)
        self._create(cursor)
        facts = self._origin.facts()
        if self._origin.format < FORMAT:
            facts.append(Fact("format", str(FORMAT), self._begins))
        self._add(cursor, [*facts, Fact("restore", new_id(), self._begins)])

    def _head(self, cursor: Any) -> int:
        return super()._head(cursor) or self._begins
