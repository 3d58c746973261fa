"""The commands on proposals, their votes and deadlines: arguments are checked, and each is one decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar, cast

from ...domain import (
    CreatorVote,
    Decision,
    InvalidArgument,
    Outcome,
    Phase,
    ProposalRequest,
    conversation,
    conversation_stream,
)
from ...domain.bounds import MAX_DURATION_MS, MAX_NAMES, MAX_VOTERS
from ...domain.identifiers import identifier, integer, names, natural_number
from ...domain.value import several
from ..writing.times import time_ms
from .base import Executes, checked

ResultT = TypeVar("ResultT")


class ProposalCommands:
    """Puts on record what is proposed and voted in conversations, and decides what follows.

    Every command takes the time as ``now``, UTC, in ms since 1970; without it, the journal's clock tells it. A time
    before the conversation's last event counts as the time of that event. A command either appends its events and
    returns, or raises. Those that may change the phase answer the phase that they have recorded, and None if they have
    recorded none. Where the reference ignores something, nothing is appended and the answer is None. All of them
    raise ``ConversationNotFound`` and ``ConversationEnded`` where there is nothing to be done, ``InvalidInput`` for
    arguments that make no sense, ``ConcurrencyConflict`` when other writers win every race, and ``JournalError`` when
    the storage fails.

    Args:
        journal: what carries commands out.
        clock: tells the time in a conversation.
    """

    def __init__(self, journal: Executes, clock: Callable[[str | None], int]) -> None:
        self._journal = journal
        self._clock = clock

    def open_proposal(
        self,
        conversation_id: str,
        proposal_id: int,
        request: ProposalRequest,
        *,
        voters: int | Iterable[str],
        creator_vote: CreatorVote = CreatorVote.YES,
        now: int | None = None,
    ) -> Phase | None:
        """Open a proposal: with this member's yes, or to be voted on later, by itself if not by hand (de-mls 4.2).

        Args:
            conversation_id: the conversation.
            proposal_id: its number, which nobody used lately.
            request: what is proposed.
            voters: who is expected to vote, by name, or how many are; see ``receive_vote``.
            creator_vote: whether this member's yes comes with it.
            now: the time, in ms.

        Raises:
            ConversationBlocked: the phase does not permit it (de-mls 1.5).
            PartialFreeze: an emergency is being voted on, and this is none.
            ProposalExists: the number was used.
            LimitReached: too many are open.
        """
        return self._run(
            conversation.open_proposal,
            conversation_id,
            now,
            natural_number("proposal_id", proposal_id),
            _request(request),
            _voters(voters),
            checked(creator_vote, CreatorVote, "creator_vote"),
        )

    def receive_proposal(
        self,
        conversation_id: str,
        proposal_id: int,
        request: ProposalRequest,
        *,
        creator: str,
        voters: int | Iterable[str],
        vote: bool | None = None,
        expires_at_s: int | None = None,
        now: int | None = None,
    ) -> Phase | None:
        """Receive a peer's proposal. This member's vote is cast by itself if not by hand (de-mls 2.4, 4.2).

        Args:
            conversation_id: the conversation.
            proposal_id: its number.
            request: what is proposed.
            creator: who opened it.
            voters: who is expected to vote, by name, or how many are; see ``receive_vote``. A proposal that only its
                creator votes on can only remove that creator, and is ignored otherwise.
            vote: the creator's vote, if it came with the proposal.
            expires_at_s: from when on it cannot be voted on, in seconds since 1970; by default as the configuration
                says, from now on.
            now: the time, in ms.

        Raises:
            ProposalExists: the number was used.
            ProposalExpired: it cannot be voted on any more.
            LimitReached: too many are open, or came in this epoch from those who are not known to be members.
        """
        return self._run(
            conversation.receive_proposal,
            conversation_id,
            now,
            natural_number("proposal_id", proposal_id),
            _request(request),
            identifier("creator", creator),
            _voters(voters),
            None if vote is None else checked(vote, bool, "vote"),
            None if expires_at_s is None else natural_number("expires_at_s", expires_at_s),
        )

    def vote(self, conversation_id: str, proposal_id: int, choice: bool, *, now: int | None = None) -> Phase | None:
        """Vote by hand, in the place of the vote that would be cast by itself (de-mls 2.4).

        On what is resolved, a vote is accepted and not counted.

        Raises:
            ConversationBlocked: the phase does not permit it (de-mls 1.5).
            ProposalNotFound, ProposalExpired, AlreadyVoted
            ProposalNotActive: voting has failed. A vote that is refused drops the automatic one all the same, and that
                is recorded, unless the configuration keeps it.
        """
        number = natural_number("proposal_id", proposal_id)
        return self._run(conversation.vote, conversation_id, now, number, checked(choice, bool, "choice"))

    def receive_vote(
        self, conversation_id: str, proposal_id: int, voter: str, choice: bool, *, now: int | None = None
    ) -> Phase | None:
        """Receive a peer's vote, in any phase (de-mls 1.5, 4.3). A vote on a resolved proposal is not counted.

        Nor is one beyond the number of voters, or of who is no voter: it is recorded, and decides nothing. The voters
        are those that were named with the proposal. Where only their number was told, they are members of the group,
        if it had as many when the proposal came; else nobody knows who they are, and any vote counts.

        Raises:
            ProposalNotFound, ProposalNotActive, ProposalExpired, AlreadyVoted
            LimitReached: 10 000 came in this epoch from those who are not known to be members.
        """
        return self._run(
            conversation.receive_vote,
            conversation_id,
            now,
            natural_number("proposal_id", proposal_id),
            identifier("voter", voter),
            checked(choice, bool, "choice"),
        )

    def approve(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> Phase | None:
        """Record that a proposal was approved, as the host reports, and do what follows (de-mls 4.4).

        It is for hosts that count votes elsewhere, and for emergencies too. A proposal that was resolved before keeps
        its outcome, and nothing follows again.

        Raises:
            ProposalNotFound
        """
        return self._resolve(conversation_id, proposal_id, Outcome.YES, now)

    def reject(
        self, conversation_id: str, proposal_id: int, *, failed: bool = False, now: int | None = None
    ) -> Phase | None:
        """Record that a proposal was rejected, or that voting on it failed, as the host reports; see ``approve``."""
        return self._resolve(
            conversation_id, proposal_id, Outcome.FAILED if checked(failed, bool, "failed") else Outcome.NO, now
        )

    def accept_election(
        self, conversation_id: str, proposal_id: int, stewards: Iterable[str], *, now: int | None = None
    ) -> Phase | None:
        """Install the list of an election that was won, which the host has found valid (de-mls 1.3, T16).

        Args:
            conversation_id: the conversation.
            proposal_id: the election; approved with this, if it is still voted on.
            stewards: who may commit, in their order.
            now: the time, in ms.

        Raises:
            ProposalNotFound, NotAnElection
            ProposalNotActive: it was not won.
        """
        number = natural_number("proposal_id", proposal_id)
        return self._run(conversation.accept_election, conversation_id, now, number, distinct_stewards(stewards))

    def schedule_auto_vote(
        self, conversation_id: str, proposal_id: int, choice: bool, *, delay_ms: int, now: int | None = None
    ) -> None:
        """Schedule an automatic vote after a delay; it replaces any that was scheduled before (de-mls 2.4).

        If the proposal is resolved by then, no vote is cast, and that is recorded.

        Raises:
            ProposalNotFound
        """
        number, vote = natural_number("proposal_id", proposal_id), checked(choice, bool, "choice")
        return self._run(conversation.schedule_auto_vote, conversation_id, now, number, vote, _delay(delay_ms))

    def cancel_auto_vote(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> None:
        """Cancel the automatic vote, if there is one (de-mls 2.4)."""
        number = natural_number("proposal_id", proposal_id)
        return self._run(conversation.cancel_auto_vote, conversation_id, now, number)

    def cancel_auto_votes(self, conversation_id: str, *, now: int | None = None) -> None:
        """Cancel every automatic vote of a conversation, in one append (de-mls 2.4)."""
        return self._run(conversation.cancel_auto_votes, conversation_id, now)

    def schedule_timeout(
        self, conversation_id: str, proposal_id: int, *, delay_ms: int, now: int | None = None
    ) -> None:
        """Wait for votes for ``delay_ms`` from now on; this replaces any earlier deadline (de-mls 2.5).

        Raises:
            ProposalNotFound
        """
        number = natural_number("proposal_id", proposal_id)
        return self._run(conversation.schedule_timeout, conversation_id, now, number, _delay(delay_ms))

    def cancel_timeout(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> None:
        """Wait for votes without end: cancel their deadline, if there is one (de-mls 2.5)."""
        return self._run(conversation.cancel_timeout, conversation_id, now, natural_number("proposal_id", proposal_id))

    def time(self, now: int | None, conversation_id: str | None = None) -> int:
        """The time that is given, or else what the clock tells, in general or for a conversation.

        Raises:
            InvalidArgument: it is no time that a calendar shows.
            InvalidIdentifier: no conversation can have that id.
        """
        name = None if conversation_id is None else identifier("conversation_id", conversation_id)
        return self._clock(name) if now is None else time_ms("now", now)

    def _resolve(self, conversation_id: str, proposal_id: int, outcome: Outcome, now: int | None) -> Phase | None:
        number = natural_number("proposal_id", proposal_id)
        return self._run(conversation.resolve, conversation_id, now, number, outcome)

    def _run(
        self, command: Callable[..., Decision[ResultT]], conversation_id: str, now: int | None, *arguments: object
    ) -> ResultT:
        name = identifier("conversation_id", conversation_id)
        # The time is no part of what an idempotency key stands for: a command that comes again comes later.
        decide = partial(command, now=self.time(now, name))
        return self._journal.execute(conversation_stream(name), decide, *arguments)


def _request(request: object) -> ProposalRequest:
    made = checked(request, ProposalRequest, "request")
    made.require_sense()
    return made


def _voters(voters: object) -> int | frozenset[str]:
    if integer(voters) is not None or isinstance(voters, bool):
        return natural_number("voters", voters, least=1, most=MAX_VOTERS)
    named = names("voters", cast(Iterable[str], voters))
    if not named:
        raise InvalidArgument("voters", "must name at least one")
    return named


def _delay(delay_ms: object) -> int:
    return natural_number("delay_ms", delay_ms, most=MAX_DURATION_MS)


def distinct_stewards(stewards: Iterable[str]) -> tuple[str, ...]:
    """The names of stewards, in their order.

    Raises:
        InvalidIdentifier, InvalidArgument: there are none, or one comes twice.
    """
    found = tuple(identifier("stewards", name) for name in several("stewards", stewards, MAX_NAMES))
    listed = names("stewards", found)
    if not listed:
        raise InvalidArgument("stewards", "must name at least one")
    if len(listed) != len(found):
        raise InvalidArgument("stewards", "must name each once")
    return found
