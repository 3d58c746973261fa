"""Both faces take the same arguments, and a wrong one is an error of types.

mypy goes through this with ``warn_unused_ignores``: where it finds no error any more, the comment that expects one is
an error itself.
"""

from __future__ import annotations

from typing import assert_type

from muniment.domain import DelegationOutcome, OwnershipCapability, Phase, ProposalRequest
from muniment.domain.conversation import VoteCast, VoteSource
from muniment.domain.conversation.draft import Draft
from muniment.journal import AsyncJournal, Journal


def blocking(journal: Journal) -> None:
    held = journal.sessions.claim("s", owner="alice")
    assert_type(held, OwnershipCapability)
    assert_type(journal.sessions.transfer(held, "bob"), OwnershipCapability)
    assert_type(journal.sessions.delegate("s", "a", "b"), DelegationOutcome)
    assert_type(journal.conversations.vote("c", 1, True), Phase | None)
    journal.sessions.claim("s")  # type: ignore[call-arg]
    journal.sessions.claim("s", "alice", scoop=None)  # type: ignore[call-arg]
    journal.sessions.claim("s", 5)  # type: ignore[arg-type]


async def awaited(journal: AsyncJournal) -> None:
    held = await journal.sessions.claim("s", owner="alice")
    assert_type(held, OwnershipCapability)
    assert_type(await journal.sessions.transfer(held, "bob"), OwnershipCapability)
    assert_type(await journal.sessions.delegate("s", "a", "b"), DelegationOutcome)
    assert_type(await journal.conversations.vote("c", 1, True), Phase | None)
    assert_type(await journal.conversations.next_wakeup(), int | None)
    request = ProposalRequest.add_member("dave")
    await journal.conversations.receive_proposal("c", 1, request, creator="bob", voters=3)
    await journal.sessions.claim("s")  # type: ignore[call-arg]
    await journal.sessions.claim("s", "alice", scoop=None)  # type: ignore[call-arg]
    await journal.sessions.claim("s", 5)  # type: ignore[arg-type]
    journal.sessions.claim("s", "alice")  # type: ignore[unused-coroutine]


def drafted(draft: Draft) -> None:
    draft.record(VoteCast, proposal_id=1, voter="alice", vote=True, source=VoteSource.PEER)
    draft.record(VoteCast, proposal_id=1, voter="alice", vote=True)  # type: ignore[call-arg]
    draft.record(VoteCast, proposal=1, voter="alice", vote=True, source=VoteSource.PEER)  # type: ignore[call-arg]
    draft.record(VoteCast, proposal_id=None, voter="a", vote=True, source=VoteSource.PEER)  # type: ignore[arg-type]
