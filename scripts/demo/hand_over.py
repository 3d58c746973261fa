"""The part of the demo in which a hand-over fails outside the journal, and is undone by appending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from muniment.domain import ComposedBundle, CompositionManifest, FootprintClass, LinkSpec, RecordedEvent
from muniment.journal import Journal
from muniment.scripts.describe import describe, what_happened
from muniment.scripts.output import record_to_plain, show, table, to_plain

SESSION: Final = "relocation"


class Unreachable(Exception):
    """What the demo's outside world answers."""


@dataclass(frozen=True)
class FailedHandOver:
    """What became of the hand-over.

    Attributes:
        records: the events of the session, from the hand-over on, and of the saga.
        before: how authorities had the session before.
        meanwhile: how they had it while the hand-over held.
        after: how they have it since it was undone.
        error: what was raised outside.
        undone: what was undone outside.
    """

    records: list[RecordedEvent]
    before: dict[str, FootprintClass]
    meanwhile: dict[str, FootprintClass]
    after: dict[str, FootprintClass]
    error: str
    undone: list[str]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON knows it."""
        return {
            "events": [record_to_plain(record) for record in self.records],
            "footprints": {"before": self.before, "meanwhile": self.meanwhile, "after": self.after},
            "error": self.error,
            "undone_outside": self.undone,
        }

    def show(self) -> None:
        """Print it."""
        rows = [
            (
                each.position,
                each.id,
                each.type,
                what_happened(each),
            )
            for each in self.records
        ]
        title = f"A hand-over of {SESSION} to site-b, which fails outside the journal and is undone by appending"
        show(table(title, ["position", "event", "type", "what"], rows))
        marks = [(when, describe(to_plain(held))) for when, held in self._footprints()]
        show(table(f"Which authority has {SESSION}", ["when", "authorities"], marks))
        show(f"What went wrong outside: {self.error}. Undone outside: {', '.join(self.undone)}.\n")

    def _footprints(self) -> list[tuple[str, dict[str, FootprintClass]]]:
        return [("before", self.before), ("while it held", self.meanwhile), ("now", self.after)]


def fail_hand_over(journal: Journal) -> FailedHandOver:
    """Hand a live session over in a saga whose last step, outside the journal, fails."""
    undone: list[str] = []
    with journal.context(actor="demo"):
        journal.bundles.register(ComposedBundle("chat", ("relocation",)))
        journal.sessions.open(SESSION)
        journal.sessions.host(SESSION, "site-a")
        held = journal.sessions.claim(SESSION, "alice")
        journal.sessions.claim_fragments(held, CompositionManifest("relocation", (LinkSpec("chat"),)))
        before, start = journal.footprints.of_session(SESSION), journal.head()
        meanwhile: dict[str, FootprintClass] = {}
        try:
            with journal.saga("relocate") as saga:
                saga.register_undo("announcement", undone.append, "alice moves to site-b")
                journal.sessions.hand_over(
                    held, "bob", from_authority="site-a", to_authority="site-b", bundle_id="chat"
                )
                meanwhile = journal.footprints.of_session(SESSION)
                raise Unreachable("site-b does not answer")
        except Unreachable as error:
            problem = str(error)
    records = list(journal.read(start))
    return FailedHandOver(records, before, meanwhile, journal.footprints.of_session(SESSION), problem, undone)
