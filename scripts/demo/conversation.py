"""The part of the demo in which a group decides, time goes by, and nobody commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from muniment.domain import ProposalRequest, RecordedEvent
from muniment.domain.shown import utc
from muniment.journal import Journal
from muniment.projections import LateFiring, PhaseVisit
from muniment.scripts.describe import what_happened
from muniment.scripts.output import record_to_plain, show, table, to_plain

CONVERSATION: Final = "standup"

_START: Final = 1_767_225_600_000
"""When the conversation begins, in ms: the host says what time it is, not the clock of the machine."""


@dataclass(frozen=True)
class HeldConversation:
    """What became of the conversation.

    Attributes:
        records: its events, from the first deadline that was due on.
        visits: the phases that it went through.
        late: what was done late.
        told: what a consumer is told of it.
    """

    records: list[RecordedEvent]
    visits: list[PhaseVisit]
    late: list[LateFiring]
    told: list[str]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON knows it."""
        return {
            "events": [record_to_plain(record) for record in self.records],
            "phase_visits": to_plain(self.visits),
            "late_firings": to_plain(self.late),
            "told": self.told,
        }

    def show(self) -> None:
        """Print it."""
        rows = [(each.position, each.type, what_happened(each)) for each in self.records]
        title = f"Time goes by in {CONVERSATION}: nobody votes by hand, and nobody commits what was approved"
        show(table(title, ["position", "type", "what"], rows))
        visits = [(each.phase, utc(each.entered_at), each.lasted_ms) for each in self.visits]
        show(table("The phases that it went through", ["phase", "from", "ms"], visits))
        late = ", ".join(f"{each.kind} by {each.lateness_ms} ms" for each in self.late)
        show(f"Done late: {late}. A consumer is told: {', '.join(self.told)}.\n")


def hold_conversation(journal: Journal) -> HeldConversation:
    """Hold a conversation whose stewards do nothing."""
    team = journal.conversations
    with journal.context(actor="demo"):
        team.join(CONVERSATION, "alice", now=_START)
        team.joined(CONVERSATION, 1, ["bob", "carol"], now=_START)
        team.install_stewards(CONVERSATION, ["bob", "carol"], now=_START)
        request = ProposalRequest.add_member("dave")
        team.receive_proposal(CONVERSATION, 1, request, creator="carol", voters=3, vote=True, now=_START)
        before = journal.head()
        for passed in (9_999, 10_000, 70_000, 101_500):
            team.tick(_START + passed)
    return HeldConversation(
        list(journal.read(before)),
        journal.phase_visits.of_conversation(CONVERSATION),
        journal.late_firings.of_conversation(CONVERSATION),
        [each.kind.value for each in team.notifications("demo", CONVERSATION)],
    )
