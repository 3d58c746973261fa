"""The part of the demo in which a session is lived in: started, fed, handed on in the middle of work, and ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from muniment.domain import Envelope, RecordedEvent, StaleCapability, inbox_stream, session_stream
from muniment.domain.session import RoundOutcome, SessionEnding
from muniment.domain.stream_names import split_stream
from muniment.journal import Journal
from muniment.scripts.describe import what_happened
from muniment.scripts.output import record_to_plain, show, table, to_plain

SESSION: Final = "kitchen"


@dataclass(frozen=True)
class LivedIn:
    """What became of the session.

    Attributes:
        records: its events and those of its inbox.
        refused: what the first owner was told when it went on.
        ending: how the session ended, in numbers.
    """

    records: list[RecordedEvent]
    refused: str
    ending: SessionEnding

    def to_json(self) -> dict[str, Any]:
        """The same as JSON knows it."""
        return {
            "events": [record_to_plain(record) for record in self.records],
            "refused": self.refused,
            "ending": to_plain(self.ending),
        }

    def show(self) -> None:
        """Print it."""
        rows = [(each.position, split_stream(each.stream)[0], each.type, what_happened(each)) for each in self.records]
        title = f"{SESSION} is started, fed, handed on in the middle of an order, and ended by its host"
        show(table(title, ["position", "stream", "type", "what"], rows))
        show(f"The first owner comes back too late:\n  {self.refused}")
        lost, done = self.ending.lost_envelopes, self.ending.acknowledged_envelopes
        show(f"The order that it left was delivered again: {done} acknowledged, {lost} lost with the end.\n")


def live_in_a_session(journal: Journal) -> LivedIn:
    """Start a session, put orders in, lose its owner in the middle of one, and end it."""
    before = journal.head()
    refused = ""
    with journal.context(actor="demo"):
        owned = journal.sessions.start(SESSION, "cook-1", roles=["cook", "waiter"], timeout_ms=3_600_000)
        for number in (1, 2):
            order = Envelope("kitchen", "table-4", "lunch", {"order": number}, name=f"order-{number}")
            journal.inbox.put(SESSION, order)
        first = journal.inbox.take(owned.capability)
        owned.accept("order", from_role="waiter", to_role="cook", payload=None if first is None else "order 1")
        lost = journal.sessions.owned(owned.capability)
        owned.transfer_in_place("cook-2")
        try:
            lost.round("cook", lambda: RoundOutcome.COMPLETE)
        except StaleCapability as error:
            refused = str(error)
        again = journal.inbox.take(owned.capability)
        owned.round("cook", lambda: RoundOutcome.COMPLETE)
        if again is not None:
            journal.inbox.acknowledge(owned.capability, again.number)
        journal.sessions.end(reason="closing time")
    ending = journal.sessions.state(SESSION).ending or SessionEnding()
    streams = (session_stream(SESSION), inbox_stream(SESSION))
    return LivedIn([record for record in journal.read(before) if record.stream in streams], refused, ending)
