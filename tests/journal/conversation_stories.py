"""Conversations as tests tell of them: what was recorded, and when."""

from __future__ import annotations

from typing import Any

from muniment.domain import ProposalRequest
from muniment.domain.conversation import ConversationEvent, Phase
from muniment.journal import Journal
from muniment.journal.testing import types

from ..domain.conversation_facts import ADD

REMOVE_ALICE = ProposalRequest.remove_member("alice")


def told(journal: Journal, after: int = 0) -> list[tuple[int, str]]:
    """The times and types of what was recorded of conversations behind a position."""
    events = [record.event for record in journal.read(after) if isinstance(record.event, ConversationEvent)]
    return list(zip((event.at for event in events), types(events), strict=True))


def ticked(journal: Journal, now: int, conversation_id: str = "c") -> list[str]:
    """What a tick over all conversations did in one of them; it did nothing in any other."""
    happened = journal.conversations.tick(now)
    assert set(happened) <= {conversation_id}
    return types(happened.get(conversation_id, ()))


def phases(events: Any) -> list[Phase]:
    """The phases that events led to."""
    return [event.phase for event in events if event.type == "conversation.phase_changed.v1"]


def newcomer(journal: Journal, conversation_id: str = "c", now: int = 0) -> None:
    """This member is alice, let into a group with bob and carol; who its stewards are, she was not told yet."""
    journal.conversations.join(conversation_id, "alice", now=now)
    journal.conversations.joined(conversation_id, 5, ["alice", "bob", "carol"], now=now)


def member(journal: Journal, conversation_id: str = "c", now: int = 0) -> None:
    """This member is alice, in a group with bob and carol; bob and carol are its stewards."""
    newcomer(journal, conversation_id, now)
    journal.conversations.install_stewards(conversation_id, ["bob", "carol"], now=now)


def approved(journal: Journal, request: ProposalRequest = ADD, proposal_id: int = 1, now: int = 0) -> None:
    """A peer's proposal was approved."""
    journal.conversations.receive_proposal("c", proposal_id, request, creator="carol", voters=3, now=now)
    journal.conversations.approve("c", proposal_id, now=now)


def reelecting(journal: Journal) -> int:
    """The freeze has failed, at a time that is returned."""
    member(journal)
    approved(journal)
    for now in (0, 60_000, 90_000):
        journal.conversations.tick(now)
    assert journal.conversations["c"].phase is Phase.REELECTION
    return 90_000


def phase_of(journal: Journal, conversation_id: str = "c") -> Phase | None:
    """What phase a conversation is in, as the table says."""
    return journal.conversations[conversation_id].phase
