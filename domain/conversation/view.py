"""What a host can see of a conversation, to make a commit or to show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .config import ConversationConfig
from .state import ConversationState
from .values import ApprovedRequest, Candidate, Life, OperatingMode, Outcome, Phase, Proposal, Role


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation at one moment, for reading.

    Attributes:
        conversation_id: the conversation.
        self_id: who this member is; empty once it is removed.
        life: where it stands in its life, for this member.
        role: how this member came to it.
        phase: its phase; None once it is removed.
        mode: whether it recovers from a deadlock.
        config: what its deadlines follow from.
        epoch: the group's epoch.
        members: who is in the group.
        stewards: who may commit, in their order; empty if that was never said.
        epoch_steward: whose turn it is to commit; None if it is nobody's (de-mls 4.5).
        proposals: what is voted on, by number.
        votes: who voted what on each, by number and voter.
        approved: what waits for a commit, oldest approval first.
        urgent_target: the member whose removal has to be committed first, and alone; None if nobody's.
        candidates: the commits that were offered in this freeze round.
        scores: the members' scores, where they differ from the 100 that each member begins with (de-mls 4.6).
        resolved: the outcomes that commands know of, by number: of the last 256, and of what waits for a commit.
    """

    conversation_id: str
    self_id: str
    life: Life
    role: Role
    phase: Phase | None
    mode: OperatingMode
    config: ConversationConfig
    epoch: int
    members: frozenset[str]
    stewards: tuple[str, ...]
    epoch_steward: str | None
    proposals: Mapping[int, Proposal]
    votes: Mapping[int, Mapping[str, bool]]
    approved: tuple[ApprovedRequest, ...]
    urgent_target: str | None
    candidates: tuple[Candidate, ...]
    scores: Mapping[str, int]
    resolved: Mapping[int, Outcome]

    @classmethod
    def of(cls, state: ConversationState) -> ConversationView:
        """Copy what a reader may see out of the state."""
        now = state.situation
        return cls(
            conversation_id=state.conversation_id,
            self_id=state.self_id,
            life=now.life,
            role=now.role,
            phase=now.phase,
            mode=now.mode,
            config=now.config,
            epoch=now.epoch,
            members=state.members,
            stewards=() if state.steward_list is None else state.steward_list.stewards,
            epoch_steward=state.epoch_steward(),
            proposals=dict(state.proposals),
            votes={proposal_id: dict(votes) for proposal_id, votes in state.votes.items()},
            approved=tuple(state.approved.values()),
            urgent_target=state.urgent_target,
            candidates=tuple(state.candidates.values()),
            scores=dict(state.scores),
            resolved=state.outcomes(),
        )
