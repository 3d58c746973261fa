"""``journal.conversations`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

from ...domain import (
    ConversationConfig,
    ConversationView,
    CreatorVote,
    Event,
    Notification,
    Operation,
    Phase,
    ProposalRequest,
    RejectedCandidate,
    consumer,
)
from ...domain.conversation import ConfigChanges, StewardListReason
from ...domain.value import function_or_none
from ...projections import Progress
from .async_commands import AsyncCommands, Checks
from .conversation_commands import ConversationCommands
from .conversations import Conversations

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class AsyncConversations(AsyncCommands):
    """The commands of ``Conversations``, each with the same arguments, answers and errors, to be awaited.

    Args:
        execute: carries commands out.
        blocking: the same of the blocking journal, for what only reads.
        call: has the blocking journal do something, in a thread.
        untouched: a block in which no saga and no idempotency key is under way.
    """

    def __init__(
        self,
        execute: Callable[..., Awaitable[Any]],
        blocking: Conversations,
        call: Callable[..., Awaitable[Any]],
        untouched: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__(execute)
        self._blocking = blocking
        self._checked = ConversationCommands(Checks(), blocking._clock)
        self._call = call
        self._untouched = untouched

    async def create(
        self, conversation_id: str, self_id: str, config: ConversationConfig | None = None, *, now: int | None = None
    ) -> None:
        """See ``Conversations.create``."""
        return await self.give(self._checked.create, conversation_id, self_id, config, now=now)

    async def join(
        self, conversation_id: str, self_id: str, config: ConversationConfig | None = None, *, now: int | None = None
    ) -> None:
        """See ``Conversations.join``."""
        return await self.give(self._checked.join, conversation_id, self_id, config, now=now)

    async def joined(
        self, conversation_id: str, epoch: int, members: Iterable[str] = (), *, now: int | None = None
    ) -> Phase | None:
        """See ``Conversations.joined``."""
        return await self.give(self._checked.joined, conversation_id, epoch, members, now=now)

    async def leave(self, conversation_id: str, *, now: int | None = None) -> int | None:
        """See ``Conversations.leave``."""
        return await self.give(self._checked.leave, conversation_id, now=now)

    async def remove(self, conversation_id: str, *, now: int | None = None) -> None:
        """See ``Conversations.remove``."""
        return await self.give(self._checked.remove, conversation_id, now=now)

    async def check(self, conversation_id: str, operation: Operation) -> None:
        """See ``Conversations.check``."""
        return await self.give(self._checked.check, conversation_id, operation)

    async def open_proposal(
        self,
        conversation_id: str,
        proposal_id: int,
        request: ProposalRequest,
        *,
        voters: int,
        creator_vote: CreatorVote = CreatorVote.YES,
        now: int | None = None,
    ) -> Phase | None:
        """See ``Conversations.open_proposal``."""
        settings: Any = {"voters": voters, "creator_vote": creator_vote, "now": now}
        return await self.give(self._checked.open_proposal, conversation_id, proposal_id, request, **settings)

    async def receive_proposal(
        self,
        conversation_id: str,
        proposal_id: int,
        request: ProposalRequest,
        *,
        creator: str,
        voters: int,
        vote: bool | None = None,
        expires_at_s: int | None = None,
        now: int | None = None,
    ) -> Phase | None:
        """See ``Conversations.receive_proposal``."""
        settings: Any = {
            "creator": creator,
            "voters": voters,
            "vote": vote,
            "expires_at_s": expires_at_s,
            "now": now,
        }
        return await self.give(self._checked.receive_proposal, conversation_id, proposal_id, request, **settings)

    async def vote(
        self, conversation_id: str, proposal_id: int, choice: bool, *, now: int | None = None
    ) -> Phase | None:
        """See ``Conversations.vote``."""
        return await self.give(self._checked.vote, conversation_id, proposal_id, choice, now=now)

    async def receive_vote(
        self, conversation_id: str, proposal_id: int, voter: str, choice: bool, *, now: int | None = None
    ) -> Phase | None:
        """See ``Conversations.receive_vote``."""
        return await self.give(self._checked.receive_vote, conversation_id, proposal_id, voter, choice, now=now)

    async def approve(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> Phase | None:
        """See ``Conversations.approve``."""
        return await self.give(self._checked.approve, conversation_id, proposal_id, now=now)

    async def reject(
        self, conversation_id: str, proposal_id: int, *, failed: bool = False, now: int | None = None
    ) -> Phase | None:
        """See ``Conversations.reject``."""
        return await self.give(self._checked.reject, conversation_id, proposal_id, failed=failed, now=now)

    async def accept_election(
        self, conversation_id: str, proposal_id: int, stewards: Iterable[str], *, now: int | None = None
    ) -> Phase | None:
        """See ``Conversations.accept_election``."""
        return await self.give(self._checked.accept_election, conversation_id, proposal_id, stewards, now=now)

    async def install_stewards(
        self,
        conversation_id: str,
        stewards: Iterable[str],
        reason: StewardListReason = StewardListReason.BOOTSTRAP,
        *,
        now: int | None = None,
    ) -> None:
        """See ``Conversations.install_stewards``."""
        return await self.give(self._checked.install_stewards, conversation_id, stewards, reason, now=now)

    async def sync_config(
        self, conversation_id: str, changes: ConfigChanges, *, epoch: int, now: int | None = None
    ) -> None:
        """See ``Conversations.sync_config``."""
        return await self.give(self._checked.sync_config, conversation_id, changes, epoch=epoch, now=now)

    async def schedule_auto_vote(
        self, conversation_id: str, proposal_id: int, choice: bool, *, delay_ms: int, now: int | None = None
    ) -> None:
        """See ``Conversations.schedule_auto_vote``."""
        settings: Any = {"delay_ms": delay_ms, "now": now}
        return await self.give(self._checked.schedule_auto_vote, conversation_id, proposal_id, choice, **settings)

    async def cancel_auto_vote(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> None:
        """See ``Conversations.cancel_auto_vote``."""
        return await self.give(self._checked.cancel_auto_vote, conversation_id, proposal_id, now=now)

    async def schedule_timeout(
        self, conversation_id: str, proposal_id: int, *, delay_ms: int, now: int | None = None
    ) -> None:
        """See ``Conversations.schedule_timeout``."""
        settings: Any = {"delay_ms": delay_ms, "now": now}
        return await self.give(self._checked.schedule_timeout, conversation_id, proposal_id, **settings)

    async def cancel_timeout(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> None:
        """See ``Conversations.cancel_timeout``."""
        return await self.give(self._checked.cancel_timeout, conversation_id, proposal_id, now=now)

    async def buffer_candidate(
        self,
        conversation_id: str,
        commit_hash: str,
        steward: str,
        *,
        proposals: int,
        is_local: bool = False,
        now: int | None = None,
    ) -> Phase | None:
        """See ``Conversations.buffer_candidate``."""
        settings: Any = {"proposals": proposals, "is_local": is_local, "now": now}
        return await self.give(self._checked.buffer_candidate, conversation_id, commit_hash, steward, **settings)

    async def commit_applied(
        self,
        conversation_id: str,
        commit_hash: str,
        committer: str,
        *,
        members: Iterable[str] | None = None,
        rejected: Iterable[RejectedCandidate] = (),
        now: int | None = None,
    ) -> Phase | None:
        """See ``Conversations.commit_applied``."""
        settings: Any = {"members": members, "rejected": rejected, "now": now}
        return await self.give(self._checked.commit_applied, conversation_id, commit_hash, committer, **settings)

    async def removed_by_commit(
        self,
        conversation_id: str,
        commit_hash: str,
        committer: str,
        *,
        rejected: Iterable[RejectedCandidate] = (),
        now: int | None = None,
    ) -> None:
        """See ``Conversations.removed_by_commit``."""
        settings: Any = {"rejected": rejected, "now": now}
        return await self.give(self._checked.removed_by_commit, conversation_id, commit_hash, committer, **settings)

    async def no_commit_found(
        self, conversation_id: str, *, rejected: Iterable[RejectedCandidate] = (), now: int | None = None
    ) -> Phase | None:
        """See ``Conversations.no_commit_found``."""
        return await self.give(self._checked.no_commit_found, conversation_id, rejected=rejected, now=now)

    async def report_failure(
        self, conversation_id: str, operation: str, message: str, *, now: int | None = None
    ) -> None:
        """See ``Conversations.report_failure``."""
        return await self.give(self._checked.report_failure, conversation_id, operation, message, now=now)

    async def tick(
        self, now: int | None = None, conversation_id: str | None = None, progress: Progress | None = None
    ) -> dict[str, tuple[Event[Any], ...]]:
        """See ``Conversations.tick``."""
        function_or_none("progress", progress)
        to_do = await self._ask(self._blocking._to_do, now, conversation_id)
        happened: dict[str, tuple[Event[Any], ...]] = {}
        for done, (each, time) in enumerate(to_do.items(), 1):
            with self._untouched(), self._blocking._unless_withdrawn(conversation_id):
                if events := await self.give(self._checked._tick_one, each, time):
                    happened[each] = events
            if progress is not None:
                progress(done, len(to_do))
        return happened

    async def next_wakeup(self, now: int | None = None, conversation_id: str | None = None) -> int | None:
        """See ``Conversations.next_wakeup``."""
        return await self._ask(self._blocking.next_wakeup, now, conversation_id)

    async def state(self, conversation_id: str) -> ConversationView:
        """See ``Conversations.state``."""
        return await self._ask(self._blocking.state, conversation_id)

    async def notifications(self, consumer: str, conversation_id: str | None = None) -> list[Notification]:
        """See ``Conversations.notifications``; all that there are now."""
        return await self._ask(lambda: list(self._blocking.notifications(consumer, conversation_id)))

    async def acknowledge(self, notification: Notification) -> None:
        """See ``Conversations.acknowledge``."""
        stream, *arguments = await self._ask(self._blocking._require_told, notification)
        await self._execute(stream, consumer.acknowledge, *arguments)

    async def _ask(self, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        answer: ResultT = await self._call(lambda: function(*args, **kwargs))
        return answer
