"""What a conversation's events add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..errors import ConversationEnded, ConversationNotFound
from ..event import Event
from . import events, voting_events as voting
from .config import ConversationConfig
from .deadlines import Deadline, DeadlineKind, phase_deadline
from .situation import Situation
from .values import (
    ApprovedRequest,
    Candidate,
    LeaveReason,
    Life,
    OperatingMode,
    Outcome,
    Phase,
    Proposal,
    ProposalKind,
    Role,
    StewardList,
)

RESOLVED_CAPACITY: Final = 256
"""How many resolved proposals are remembered (de-mls 4.4)."""

COMMITTED_CAPACITY: Final = 10
"""How many merged commits are remembered (de-mls 4.6)."""

DEFAULT_SCORE: Final = 100
"""The score that every member begins with (de-mls 4.6)."""


class PendingVote(NamedTuple):
    """A vote that will be cast by itself."""

    fire_at: int
    vote: bool
    delay_ms: int


class PendingTimeout(NamedTuple):
    """The end of waiting for votes."""

    fire_at: int
    delay_ms: int


class Resolution(NamedTuple):
    """The outcome of a proposal."""

    kind: ProposalKind
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ConversationStanding:
    """Where a conversation stands: what undoing restores, and compares.

    Attributes:
        approved_at_selection: how many approved requests waited when the selection began; 0 in any other phase.
    """

    life: Life
    role: Role
    reason: LeaveReason | None
    phase: Phase | None
    anchor: int | None
    mode: OperatingMode
    config: ConversationConfig
    retries: int
    steward_list: StewardList | None
    proposals: dict[int, Proposal]
    groups: dict[int, frozenset[str]]
    auto_votes: dict[int, PendingVote]
    timeouts: dict[int, PendingTimeout]
    approved: dict[int, ApprovedRequest]
    freeze_round: int | None
    scores: dict[str, int]
    accepted_elections: frozenset[int]
    emergencies: int
    approved_at_selection: int


class ConversationState:
    """One member's view of one conversation, as decisions need it.

    Attributes:
        conversation_id: the conversation.
        situation: its life, phase and counts.
        self_id: who this member is; empty before it is opened.
        proposals: what is voted on, by number.
        votes: who voted what on each, in the order in which the votes came; not all of them count.
        groups: who was in the group when each of them was proposed.
        resolved: the outcomes of the last proposals, oldest first.
        accepted_elections: the elections whose list was installed, of those that are remembered.
        auto_votes: the votes that will be cast by themselves.
        timeouts: until when votes are waited for.
        approved: what waits for a commit, oldest approval first.
        urgent_target: the member whose removal has to come first, if one's has to.
        freeze_round: the epoch that candidates are collected for; None if they are not.
        candidates: the commits that were offered, by hash.
        committed: the hashes of the last commits that were merged, oldest first.
        steward_list: who may commit; None if that was never said.
        members: who is in the group.
        was_let_in: whether this member was let in by the group.
        scores: the members' scores, where they differ from the default.
        strangers: how many proposals came from those who are not known to be members, in this epoch.
        votes_of_strangers: how many votes did, in this epoch.
        reports: how many failures the host reported in this epoch.
        reported: digests of those that it reported since anything else happened.
        is_older: whether decisions keep to the rules of formats 1 and 2. Only ``verify`` sets it, for records of then.
    """

    def __init__(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self.situation = Situation()
        self.is_older = False
        self._begin("")

    def _begin(self, self_id: str) -> None:
        self.self_id = self_id
        self.proposals: dict[int, Proposal] = {}
        self.votes: dict[int, dict[str, bool]] = {}
        self.groups: dict[int, frozenset[str]] = {}
        self.resolved: dict[int, Resolution] = {}
        self.accepted_elections: set[int] = set()
        self.auto_votes: dict[int, PendingVote] = {}
        self.timeouts: dict[int, PendingTimeout] = {}
        self.approved: dict[int, ApprovedRequest] = {}
        self.urgent_target: str | None = None
        self.freeze_round: int | None = None
        self.candidates: dict[str, Candidate] = {}
        self.committed: tuple[str, ...] = ()
        self.steward_list: StewardList | None = None
        self.members: frozenset[str] = frozenset({self_id} - {""})
        self.was_let_in = False
        self.scores: dict[str, int] = {}
        self.strangers = self.votes_of_strangers = 0
        self.reports = 0
        self.reported: set[bytes] = set()

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        self.situation = self.situation.after(event)
        handler = _HANDLERS.get(type(event))
        if self.reported and not isinstance(event, events.OperationFailed):
            self.reported.clear()
        if handler is not None:
            handler(self, event)

    def copy(self) -> ConversationState:
        """The same, to be moved on alone."""
        made = object.__new__(ConversationState)
        for name, value in self.__dict__.items():
            if name != "votes":
                made.__dict__[name] = value.copy() if isinstance(value, dict | set) else value
        made.votes = {proposal_id: votes.copy() for proposal_id, votes in self.votes.items()}
        return made

    def standing(self, *, is_brief: bool = False) -> ConversationStanding:
        """Where it stands now.

        Args:
            is_brief: whether only that is of interest which undoing restores; the rest is empty.
        """
        now = self.situation
        return ConversationStanding(
            now.life,
            now.role,
            now.reason,
            now.phase,
            now.anchor,
            now.mode,
            now.config,
            now.retries,
            self.steward_list,
            {} if is_brief else dict(self.proposals),
            dict(self.groups),
            dict(self.auto_votes),
            dict(self.timeouts),
            {} if is_brief else dict(self.approved),
            self.freeze_round,
            {} if is_brief else dict(self.scores),
            frozenset(self.accepted_elections),
            now.emergencies,
            now.approved_at_selection if now.phase is Phase.SELECTION else 0,
        )

    def opened(self) -> Situation:
        """Where the conversation stands, if something can be done in it.

        Raises:
            ConversationNotFound, ConversationEnded
        """
        now = self.situation
        if now.life is Life.UNOPENED:
            raise ConversationNotFound(self.conversation_id)
        if now.life is not Life.OPEN:
            raise ConversationEnded(self.conversation_id, now.life, now.reason or "")
        return now

    def deadlines(self) -> Iterator[Deadline]:
        """Everything that is or will be due."""
        for proposal_id, vote in self.auto_votes.items():
            yield Deadline(vote.fire_at, DeadlineKind.AUTO_VOTE, proposal_id, vote=vote.vote)
        for proposal_id, timeout in self.timeouts.items():
            yield Deadline(timeout.fire_at, DeadlineKind.CONSENSUS_TIMEOUT, proposal_id)
        of_phase = phase_deadline(self.situation)
        if of_phase is not None:
            yield of_phase

    def counted_votes(self, proposal_id: int) -> list[bool]:
        """The votes that count on what is voted on: the voters' own, and no more than there are voters (de-mls 4.3)."""
        votes = self.votes[proposal_id]
        if self.is_older:
            return list(votes.values())
        electorate = self._electorate(proposal_id)
        counted = [choice for voter, choice in votes.items() if electorate is None or voter in electorate]
        return counted[: self.proposals[proposal_id].voters]

    def _electorate(self, proposal_id: int) -> frozenset[str] | None:
        """Whose votes can count: as the host said with the proposal, or else of the group; None if nobody knows."""
        proposal, group = self.proposals[proposal_id], self.groups[proposal_id]
        if proposal.voter_names is not None:
            return proposal.voter_names
        if proposal.voters == 1:
            return frozenset({proposal.creator})
        # A joiner may not have been told yet who is in the group.
        return group if len(group) >= proposal.voters else None

    def resolution_of(self, proposal_id: int) -> Resolution | None:
        """The outcome of a proposal; None if it is voted on, or not known any more (de-mls 4.4).

        What is approved is known until the commit, however many were resolved since.
        """
        waiting = self.approved.get(proposal_id)
        if proposal_id in self.resolved or waiting is None or self.is_older:
            return self.resolved.get(proposal_id)
        return Resolution(waiting.request.kind, Outcome.YES)

    def outcomes(self) -> dict[int, Outcome]:
        """Every outcome that ``resolution_of`` knows, by number."""
        return dict.fromkeys(self.approved, Outcome.YES) | {
            proposal_id: each.outcome for proposal_id, each in self.resolved.items()
        }

    def approved_removal_of(self, member: str) -> int | None:
        """The proposal by which a member's removal was approved; None if it was not."""
        for proposal_id, each in self.approved.items():
            if each.request.kind is ProposalKind.REMOVE_MEMBER and each.request.target == member:
                return proposal_id
        return None

    def epoch_steward(self) -> str | None:
        """Whose turn it is to commit in this epoch; None if it is nobody's (de-mls 4.5)."""
        if self.steward_list is None:
            return None
        stewards = self.steward_list.stewards
        turn = self.situation.epoch - self.steward_list.election_epoch
        if not 0 <= turn < len(stewards):
            return None
        for steward in stewards[turn:] + stewards[:turn]:
            if steward in self.members and self.approved_removal_of(steward) is None:
                return steward
        return None

    def score(self, member: str) -> int:
        """A member's score."""
        return self.scores.get(member, DEFAULT_SCORE)

    def _on_opened(self, event: events.ConversationOpened) -> None:
        self._begin(event.self_id)

    def _on_removed(self, event: events.ConversationRemoved | events.ConversationWithdrawn) -> None:
        self._begin("")

    def _on_leaving(self, event: events.MemberLeaving) -> None:
        self.proposals.clear()
        self.votes.clear()
        self.groups.clear()

    def _on_joined(self, event: events.MemberJoined) -> None:
        self.members = event.members
        self.was_let_in = True

    def _on_steward_list(self, event: events.StewardListInstalled) -> None:
        self.steward_list = event.steward_list
        if event.taken_back is not None:
            self.accepted_elections.discard(event.taken_back)
        elected_by = None if event.steward_list is None else event.steward_list.proposal_id
        # Where undoing restores a list, its election may be forgotten by now, and its number be another's.
        if elected_by is not None and elected_by in self.resolved:
            self.accepted_elections.add(elected_by)

    def _on_score(self, event: events.ScoreChanged) -> None:
        self.scores[event.member] = event.score
        if event.score == DEFAULT_SCORE:
            del self.scores[event.member]

    def _on_round_opened(self, event: events.FreezeRoundOpened) -> None:
        self.freeze_round = event.epoch
        self.candidates.clear()

    def _on_candidate(self, event: events.CandidateBuffered) -> None:
        self.candidates[event.candidate.commit_hash] = event.candidate

    def _on_round_over(self, event: events.FreezeRoundFinalized | events.FreezeRoundWithdrawn) -> None:
        self.freeze_round = None
        self.candidates.clear()

    def _on_commit(self, event: events.CommitApplied) -> None:
        self.committed = (*self.committed, event.commit_hash)[-COMMITTED_CAPACITY:]
        self.members = event.members
        self.strangers = self.votes_of_strangers = self.reports = 0
        for each in event.batch:
            self.approved.pop(each.proposal_id, None)
        if event.is_urgent:
            self.urgent_target = None

    def _on_proposal(self, event: voting.ProposalOpened | voting.ProposalReceived) -> None:
        proposal = event.proposal
        self.proposals[proposal.proposal_id] = proposal
        self.votes[proposal.proposal_id] = {}
        self.groups[proposal.proposal_id] = self.members if event.members is None else event.members
        # A number is used again for what is proposed anew, such as leaving once more.
        self.resolved.pop(proposal.proposal_id, None)
        self.strangers += proposal.creator not in self.members

    def _on_failure(self, event: events.OperationFailed) -> None:
        self.reports += 1
        self.reported.add(event.key())

    def _on_proposal_withdrawn(self, event: voting.ProposalWithdrawn) -> None:
        self._close(event.proposal.proposal_id)

    def _close(self, proposal_id: int) -> None:
        """It is not voted on any more."""
        self.proposals.pop(proposal_id, None)
        self.votes.pop(proposal_id, None)
        self.groups.pop(proposal_id, None)

    def _on_auto_vote(self, event: voting.AutoVoteScheduled) -> None:
        self.auto_votes[event.proposal_id] = PendingVote(event.fire_at, event.vote, event.delay_ms)

    def _on_auto_vote_gone(self, event: voting.AutoVoteCancelled | voting.AutoVoteFired) -> None:
        self.auto_votes.pop(event.proposal_id, None)

    def _on_timeout(self, event: voting.ConsensusTimeoutScheduled) -> None:
        self.timeouts[event.proposal_id] = PendingTimeout(event.fire_at, event.delay_ms)

    def _on_timeout_gone(self, event: voting.ConsensusTimeoutCancelled | voting.ConsensusTimeoutFired) -> None:
        self.timeouts.pop(event.proposal_id, None)

    def _on_vote(self, event: voting.VoteCast) -> None:
        self.votes.setdefault(event.proposal_id, {})[event.voter] = event.vote
        self.votes_of_strangers += event.voter not in self.members

    def _on_resolved(self, event: voting.ConsensusResolved) -> None:
        proposal_id = event.proposal.proposal_id
        self._close(proposal_id)
        # Recording one again would not make it younger; here none is.
        self.resolved[proposal_id] = Resolution(event.proposal.request.kind, event.result)
        while len(self.resolved) > RESOLVED_CAPACITY:
            forgotten = next(iter(self.resolved))
            del self.resolved[forgotten]
            self.accepted_elections.discard(forgotten)

    def _on_approved(self, event: voting.ProposalApproved) -> None:
        self.approved[event.approved.proposal_id] = event.approved
        if event.is_urgent:
            self.urgent_target = event.approved.request.target


_HANDLERS: Final[dict[type[Event[Any]], Callable[[ConversationState, Any], None]]] = {
    events.ConversationOpened: ConversationState._on_opened,
    events.ConversationRemoved: ConversationState._on_removed,
    events.ConversationWithdrawn: ConversationState._on_removed,
    events.MemberJoined: ConversationState._on_joined,
    events.MemberLeaving: ConversationState._on_leaving,
    events.StewardListInstalled: ConversationState._on_steward_list,
    events.ScoreChanged: ConversationState._on_score,
    events.FreezeRoundOpened: ConversationState._on_round_opened,
    events.CandidateBuffered: ConversationState._on_candidate,
    events.FreezeRoundFinalized: ConversationState._on_round_over,
    events.FreezeRoundWithdrawn: ConversationState._on_round_over,
    events.CommitApplied: ConversationState._on_commit,
    events.OperationFailed: ConversationState._on_failure,
    voting.ProposalOpened: ConversationState._on_proposal,
    voting.ProposalReceived: ConversationState._on_proposal,
    voting.ProposalWithdrawn: ConversationState._on_proposal_withdrawn,
    voting.AutoVoteScheduled: ConversationState._on_auto_vote,
    voting.AutoVoteCancelled: ConversationState._on_auto_vote_gone,
    voting.AutoVoteFired: ConversationState._on_auto_vote_gone,
    voting.ConsensusTimeoutScheduled: ConversationState._on_timeout,
    voting.ConsensusTimeoutCancelled: ConversationState._on_timeout_gone,
    voting.ConsensusTimeoutFired: ConversationState._on_timeout_gone,
    voting.VoteCast: ConversationState._on_vote,
    voting.ConsensusResolved: ConversationState._on_resolved,
    voting.ProposalApproved: ConversationState._on_approved,
}
