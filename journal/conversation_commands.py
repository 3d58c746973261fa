"""The commands on conversations, their proposals and votes: arguments are checked, and each is one decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from ..domain import (
    MAX_TEXT_LENGTH,
    ConversationConfig,
    CreatorVote,
    Decision,
    InvalidArgument,
    Operation,
    Outcome,
    Phase,
    ProposalRequest,
    RejectedCandidate,
    conversation,
    conversation_stream,
    identifier,
    names,
    natural_number,
    text,
)
from ..domain.conversation import (
    MAX_DURATION_MS,
    MAX_VOTERS,
    Candidate,
    ConfigChanges,
    Role,
    StewardListReason,
    require_synchronisable,
)
from .commands import Executes, checked
from .execution import Clock
from .times import time_ms

ResultT = TypeVar("ResultT")
PhaseChange = Phase | None
"""The phase that a command led to; None if it changed none."""


class ConversationCommands:
    """Puts on record what happens in conversations, and decides what follows.

    Every command takes the time as ``now``, UTC, in ms since 1970; without it, the journal's clock tells it. A time
    before the conversation's last event counts as the time of that event. A command either appends its events and
    returns, or raises. Where the reference ignores something, nothing is appended and the answer is None. All of them
    raise ``ConversationNotFound`` and ``ConversationEnded`` where there is nothing to be done, ``InvalidInput`` for
    arguments that make no sense, ``ConcurrencyConflict`` when other writers win every race, and ``JournalError`` when
    the storage fails.

    Args:
        journal: what carries commands out.
        clock: tells the time.
    """

    def __init__(self, journal: Executes, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def create(
        self, conversation_id: str, self_id: str, config: ConversationConfig | None = None, *, now: int | None = None
    ) -> None:
        """Create a conversation, in which work can begin (de-mls 1.3, T1). One that was removed begins anew.

        Args:
            conversation_id: the conversation.
            self_id: who this member is.
            config: what its deadlines follow from.
            now: the time, in ms.

        Raises:
            ConversationExists: it is open, or not removed yet.
        """
        return self._open(conversation_id, Role.CREATOR, self_id, config, now)

    def join(
        self, conversation_id: str, self_id: str, config: ConversationConfig | None = None, *, now: int | None = None
    ) -> None:
        """Ask to be let into a conversation; see ``create`` (de-mls 1.3, T2)."""
        return self._open(conversation_id, Role.JOINER, self_id, config, now)

    def joined(
        self, conversation_id: str, epoch: int, members: Iterable[str] = (), *, now: int | None = None
    ) -> PhaseChange:
        """Be let in, at an epoch of the group; ignored of who is in already (de-mls 1.3, T3)."""
        return self._run(
            conversation.joined, conversation_id, now, natural_number("epoch", epoch), names("members", members)
        )

    def leave(self, conversation_id: str, *, now: int | None = None) -> int | None:
        """Ask the group to let this member go; who is not let in yet goes at once (de-mls 1.3, T5; 4.2).

        Returns:
            The number of the proposal to send; None if there is none, or it was sent before.
        """
        return self._run(conversation.leave, conversation_id, now)

    def remove(self, conversation_id: str, *, now: int | None = None) -> None:
        """Take the conversation from this member's registry; nothing of it is due any more."""
        return self._run(conversation.remove, conversation_id, now)

    def check(self, conversation_id: str, operation: Operation) -> None:
        """Ask whether an operation is permitted in the phase, such as sending a chat message; append nothing.

        Raises:
            ConversationBlocked: it is not (de-mls 1.5).
        """
        stream = conversation_stream(identifier("conversation_id", conversation_id))
        return self._journal.execute(stream, conversation.check, checked(operation, Operation))

    def open_proposal(
        self,
        conversation_id: str,
        proposal_id: int,
        request: ProposalRequest,
        *,
        voters: int,
        creator_vote: CreatorVote = CreatorVote.YES,
        now: int | None = None,
    ) -> PhaseChange:
        """Open a proposal: with this member's yes, or to be voted on later, by itself if not by hand (de-mls 4.2).

        Args:
            conversation_id: the conversation.
            proposal_id: its number, which nobody used lately.
            request: what is proposed.
            voters: how many are expected to vote.
            creator_vote: whether this member's yes comes with it.
            now: the time, in ms.

        Raises:
            ConversationBlocked: the phase does not permit it (de-mls 1.5).
            PartialFreeze: an emergency is being voted on, and this is none.
            ProposalExists: the number was used.
        """
        return self._run(
            conversation.open_proposal,
            conversation_id,
            now,
            natural_number("proposal_id", proposal_id),
            _request(request),
            _voters(voters),
            checked(creator_vote, CreatorVote),
        )

    def receive_proposal(
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
    ) -> PhaseChange:
        """Take in a peer's proposal; this member's vote on it is cast by itself if not by hand (de-mls 2.4, 4.2).

        Args:
            conversation_id: the conversation.
            proposal_id: its number.
            request: what is proposed.
            creator: who opened it.
            voters: how many are expected to vote; one that only its creator votes on can only remove that creator, and
                is ignored otherwise.
            vote: the creator's vote, if it came with the proposal.
            expires_at_s: from when on it cannot be voted on, in seconds since 1970; by default as the configuration
                says, from now on.
            now: the time, in ms.

        Raises:
            ProposalExists: the number was used.
            ProposalExpired: it cannot be voted on any more.
        """
        return self._run(
            conversation.receive_proposal,
            conversation_id,
            now,
            natural_number("proposal_id", proposal_id),
            _request(request),
            identifier("creator", creator),
            _voters(voters),
            None if vote is None else checked(vote, bool),
            None if expires_at_s is None else natural_number("expires_at_s", expires_at_s),
        )

    def vote(self, conversation_id: str, proposal_id: int, choice: bool, *, now: int | None = None) -> PhaseChange:
        """Vote by hand, in the place of the vote that would be cast by itself (de-mls 2.4).

        On what is resolved, a vote is accepted and changes nothing.

        Raises:
            ConversationBlocked: the phase does not permit it (de-mls 1.5).
            ProposalNotFound, ProposalExpired, AlreadyVoted
            ProposalNotActive: voting has failed. A vote that is refused drops the automatic one all the same, and that
                is recorded, unless the configuration keeps it.
        """
        number = natural_number("proposal_id", proposal_id)
        return self._run(conversation.vote, conversation_id, now, number, checked(choice, bool))

    def receive_vote(
        self, conversation_id: str, proposal_id: int, voter: str, choice: bool, *, now: int | None = None
    ) -> PhaseChange:
        """Take in a peer's vote, in any phase (de-mls 1.5, 4.3). On what is resolved, it changes nothing.

        Raises:
            ProposalNotFound, ProposalNotActive, ProposalExpired, AlreadyVoted
        """
        return self._run(
            conversation.receive_vote,
            conversation_id,
            now,
            natural_number("proposal_id", proposal_id),
            identifier("voter", voter),
            checked(choice, bool),
        )

    def approve(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> PhaseChange:
        """Take it from the host that a proposal was approved, emergencies included, and do what follows (de-mls 4.4).

        It is for hosts that count votes elsewhere. What was resolved before stays; nothing follows again.

        Raises:
            ProposalNotFound
        """
        return self._resolve(conversation_id, proposal_id, Outcome.YES, now)

    def reject(
        self, conversation_id: str, proposal_id: int, *, failed: bool = False, now: int | None = None
    ) -> PhaseChange:
        """Take it from the host that a proposal was rejected, or that voting on it failed; see ``approve``."""
        return self._resolve(conversation_id, proposal_id, Outcome.FAILED if failed else Outcome.NO, now)

    def accept_election(
        self, conversation_id: str, proposal_id: int, stewards: Iterable[str], *, now: int | None = None
    ) -> PhaseChange:
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
        return self._run(conversation.accept_election, conversation_id, now, number, _stewards(stewards))

    def install_stewards(
        self,
        conversation_id: str,
        stewards: Iterable[str],
        reason: StewardListReason = StewardListReason.BOOTSTRAP,
        *,
        now: int | None = None,
    ) -> None:
        """Say who may commit, without an election (de-mls 4.5)."""
        why = checked(reason, StewardListReason)
        if why in (StewardListReason.ELECTION, StewardListReason.REVERTED):
            raise InvalidArgument("reason", f"must not be {why}: that is recorded by other commands")
        return self._run(conversation.install_stewards, conversation_id, now, _stewards(stewards), why)

    def sync_config(self, conversation_id: str, changes: ConfigChanges, *, epoch: int, now: int | None = None) -> None:
        """Take over the group's configuration; phase deadlines that run move with it (de-mls 2.2, 4.8).

        Raises:
            InvalidArgument: a time is zero; nothing of it is taken.
        """
        require_synchronisable(checked(changes, ConfigChanges))
        return self._run(conversation.sync_config, conversation_id, now, natural_number("epoch", epoch), changes)

    def schedule_auto_vote(
        self, conversation_id: str, proposal_id: int, choice: bool, *, delay_ms: int, now: int | None = None
    ) -> None:
        """Have a vote cast by itself after a delay, in the place of any that would be (de-mls 2.4).

        Raises:
            ProposalNotFound
        """
        number, delay = natural_number("proposal_id", proposal_id), _delay(delay_ms)
        return self._run(conversation.schedule_auto_vote, conversation_id, now, number, delay, checked(choice, bool))

    def cancel_auto_vote(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> None:
        """Have no vote cast by itself; of what there is none, nothing happens (de-mls 2.4)."""
        return self._run(conversation.drop_auto_vote, conversation_id, now, natural_number("proposal_id", proposal_id))

    def schedule_timeout(
        self, conversation_id: str, proposal_id: int, *, delay_ms: int, now: int | None = None
    ) -> None:
        """Wait for votes so long from now on, in the place of any time before (de-mls 2.5).

        Raises:
            ProposalNotFound
        """
        number = natural_number("proposal_id", proposal_id)
        return self._run(conversation.schedule_timeout, conversation_id, now, number, _delay(delay_ms))

    def cancel_timeout(self, conversation_id: str, proposal_id: int, *, now: int | None = None) -> None:
        """Wait for votes without an end; of what there is none, nothing happens (de-mls 2.5)."""
        return self._run(conversation.drop_timeout, conversation_id, now, natural_number("proposal_id", proposal_id))

    def buffer_candidate(
        self,
        conversation_id: str,
        commit_hash: str,
        steward: str,
        *,
        proposals: int,
        is_local: bool = False,
        now: int | None = None,
    ) -> PhaseChange:
        """Take in a commit that somebody offers, or this member does; it freezes one that works (de-mls 4.6).

        Args:
            conversation_id: the conversation.
            commit_hash: what it is told by; one that was taken or merged before is ignored.
            steward: who offers it.
            proposals: how many proposals it holds.
            is_local: whether this member offers it.
            now: the time, in ms.
        """
        candidate = Candidate(
            identifier("commit_hash", commit_hash),
            identifier("steward", steward),
            natural_number("proposals", proposals),
            checked(is_local, bool),
        )
        return self._run(conversation.buffer_candidate, conversation_id, now, candidate)

    def commit_applied(
        self,
        conversation_id: str,
        commit_hash: str,
        committer: str,
        *,
        members: Iterable[str] | None = None,
        rejected: Iterable[RejectedCandidate] = (),
        now: int | None = None,
    ) -> PhaseChange:
        """Take it from the host that a commit was merged, and this member is still in the group (de-mls 1.3, T12, T18).

        Args:
            conversation_id: the conversation.
            commit_hash: what it is told by; one that was merged before is ignored.
            committer: who made it.
            members: who is in the group now; by default as the requests that took effect say.
            rejected: the candidates that could not be merged.
            now: the time, in ms.
        """
        return self._run(
            conversation.commit_applied,
            conversation_id,
            now,
            identifier("committer", committer),
            identifier("commit_hash", commit_hash),
            None if members is None else names("members", members),
            _rejected(rejected),
        )

    def removed_by_commit(
        self,
        conversation_id: str,
        commit_hash: str,
        committer: str,
        *,
        rejected: Iterable[RejectedCandidate] = (),
        now: int | None = None,
    ) -> None:
        """Take it from the host that a merged commit removed this member; ``remove`` is next (de-mls 1.3, T13)."""
        return self._run(
            conversation.removed_by_commit,
            conversation_id,
            now,
            identifier("committer", committer),
            identifier("commit_hash", commit_hash),
            _rejected(rejected),
        )

    def no_commit_found(
        self, conversation_id: str, *, rejected: Iterable[RejectedCandidate] = (), now: int | None = None
    ) -> PhaseChange:
        """Take it from the host that no candidate could be merged; ignored but in selection (de-mls 1.3, T14, T15)."""
        return self._run(conversation.no_commit_found, conversation_id, now, _rejected(rejected))

    def report_failure(self, conversation_id: str, operation: str, message: str, *, now: int | None = None) -> None:
        """Put on record that the host could not do something that it should have (de-mls 3.1)."""
        return self._run(
            conversation.report_failure,
            conversation_id,
            now,
            identifier("operation", operation),
            text("message", message),
        )

    def tick_one(self, conversation_id: str, now: int) -> tuple[Any, ...]:
        """Do what is due in one conversation; see ``Conversations.tick``."""
        return self._run(conversation.tick, conversation_id, now)

    def time(self, now: int | None) -> int:
        """The time that is given, or else what the clock tells.

        Raises:
            InvalidArgument: it is no time that a calendar shows.
        """
        return self._clock() if now is None else time_ms("now", now)

    def _open(
        self, conversation_id: str, role: Role, self_id: str, config: ConversationConfig | None, now: int | None
    ) -> None:
        who = identifier("self_id", self_id)
        given = ConversationConfig() if config is None else checked(config, ConversationConfig)
        return self._run(conversation.open_conversation, conversation_id, now, role, who, given)

    def _resolve(self, conversation_id: str, proposal_id: int, outcome: Outcome, now: int | None) -> PhaseChange:
        number = natural_number("proposal_id", proposal_id)
        return self._run(conversation.resolve, conversation_id, now, number, outcome)

    def _run(
        self, command: Callable[..., Decision[ResultT]], conversation_id: str, now: int | None, *arguments: object
    ) -> ResultT:
        stream = conversation_stream(identifier("conversation_id", conversation_id))
        # The time is no part of what an idempotency key stands for: a command that comes again comes later.
        return self._journal.execute(stream, partial(command, now=self.time(now)), *arguments)


def _request(request: object) -> ProposalRequest:
    made = checked(request, ProposalRequest)
    made.require_sense()
    return made


def _voters(voters: object) -> int:
    if natural_number("voters", voters) not in range(1, MAX_VOTERS + 1):
        raise InvalidArgument("voters", f"must be from 1 to {MAX_VOTERS}, not {voters}")
    return natural_number("voters", voters)


def _delay(delay_ms: object) -> int:
    if natural_number("delay_ms", delay_ms) > MAX_DURATION_MS:
        raise InvalidArgument("delay_ms", f"must be at most {MAX_DURATION_MS}, a hundred years, not {delay_ms}")
    return natural_number("delay_ms", delay_ms)


def _stewards(stewards: Iterable[str]) -> tuple[str, ...]:
    found = tuple(stewards) if not isinstance(stewards, str) else ()
    listed = names("stewards", stewards if isinstance(stewards, str) else found)
    if not listed:
        raise InvalidArgument("stewards", "must name at least one")
    if len(listed) != len(found):
        raise InvalidArgument("stewards", "must name each once")
    return found


def _rejected(rejected: Iterable[RejectedCandidate]) -> tuple[RejectedCandidate, ...]:
    found = tuple(checked(each, RejectedCandidate) for each in rejected)
    if len(found) > MAX_TEXT_LENGTH:
        raise InvalidArgument("rejected", f"has {len(found)} candidates; at most {MAX_TEXT_LENGTH} are taken")
    return found
