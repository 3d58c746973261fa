"""The part of the demonstration that takes a backup, restores it, and asks for events that were lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from muniment.domain import OtherPast
from muniment.journal import Journal, restore
from muniment.scripts.output import show


@dataclass(frozen=True)
class Restored:
    """What came of the backup.

    Attributes:
        events: how many events it holds.
        refusal: what a consumer of lost events was told.
        followed: the first event that it is given instead.
    """

    events: int
    refusal: OtherPast
    followed: str

    def to_json(self) -> dict[str, Any]:
        """The facts."""
        facts = {"code": self.refusal.code, "message": str(self.refusal), "shared": self.refusal.shared}
        return {"backup_events": self.events, "refused": facts, "followed": self.followed}

    def show(self) -> None:
        """Print them."""
        show(f"A backup of {self.events} events is restored, and a consumer asks for what came after one that is lost:")
        show(f"  {type(self.refusal).__name__}: {self.refusal}")
        shared = self.refusal.shared
        begins = "at the first event" if shared is None else f"behind position {shared}"
        show(f"It begins again {begins}: {self.followed}.\n")


def restored(journal: Journal) -> Restored:
    """Take a backup, lose an event, restore the backup, and go on."""
    with TemporaryDirectory() as folder:
        backup, place = Path(folder) / "backup.db", Path(folder) / "journal.db"
        events = journal.backup(backup)
        restore(backup, place)
        with Journal.open(place) as lost:
            lost.sessions.open("written-and-lost")
            cursor = lost.cursor()
        restore(backup, place, force=True)
        with Journal.open(place) as again:
            again.sessions.open("written-instead")
            try:
                again.follow(cursor)
            except OtherPast as refusal:
                with again.follow(refusal.shared or 0) as following:
                    return Restored(events, refusal, next(following).id)
    raise AssertionError(f"{cursor} was taken for a cursor of the restored journal")
