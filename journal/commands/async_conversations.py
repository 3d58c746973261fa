"""``journal.conversations`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

from copy import copy

from ...domain import Notification
from .awaited import AsyncCommands, Awaits, awaited, read_in_a_thread
from .base import Checks
from .conversations import Conversations


class AsyncConversations(AsyncCommands):
    """The commands of ``Conversations``, each with the same arguments, answers and errors, to be awaited.

    Args:
        journal: carries commands out.
        blocking: the same of the blocking journal, for what only reads.
    """

    def __init__(self, journal: Awaits, blocking: Conversations) -> None:
        noting = copy(blocking)
        noting._journal = Checks()
        super().__init__(journal, noting, blocking)

    create = awaited(Conversations.create)
    join = awaited(Conversations.join)
    joined = awaited(Conversations.joined)
    leave = awaited(Conversations.leave)
    remove = awaited(Conversations.remove)
    check = awaited(Conversations.check)
    open_proposal = awaited(Conversations.open_proposal)
    receive_proposal = awaited(Conversations.receive_proposal)
    vote = awaited(Conversations.vote)
    receive_vote = awaited(Conversations.receive_vote)
    approve = awaited(Conversations.approve)
    reject = awaited(Conversations.reject)
    accept_election = awaited(Conversations.accept_election)
    install_stewards = awaited(Conversations.install_stewards)
    sync_config = awaited(Conversations.sync_config)
    schedule_auto_vote = awaited(Conversations.schedule_auto_vote)
    cancel_auto_vote = awaited(Conversations.cancel_auto_vote)
    cancel_auto_votes = awaited(Conversations.cancel_auto_votes)
    schedule_timeout = awaited(Conversations.schedule_timeout)
    cancel_timeout = awaited(Conversations.cancel_timeout)
    buffer_candidate = awaited(Conversations.buffer_candidate)
    commit_applied = awaited(Conversations.commit_applied)
    removed_by_commit = awaited(Conversations.removed_by_commit)
    no_commit_found = awaited(Conversations.no_commit_found)
    report_failure = awaited(Conversations.report_failure)
    tell = awaited(Conversations.tell)
    enter = awaited(Conversations.enter)
    tick = awaited(Conversations.tick)
    acknowledge = awaited(Conversations.acknowledge)
    next_wakeup = read_in_a_thread(Conversations.next_wakeup)
    state = read_in_a_thread(Conversations.state)

    async def notifications(self, consumer: str, conversation_id: str | None = None) -> list[Notification]:
        """See ``Conversations.notifications``; all that there are now."""
        return await _told(self, consumer, conversation_id)


def _all_told(blocking: Conversations, consumer: str, conversation_id: str | None) -> list[Notification]:
    return list(blocking.notifications(consumer, conversation_id))


_told = read_in_a_thread(_all_told)
