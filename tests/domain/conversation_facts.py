"""What happened in a conversation, as tests of decisions begin with it: alice's view of a group with bob and carol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from muniment.domain import (
    ApprovedRequest,
    ConversationConfig,
    CreatorVote,
    Event,
    Outcome,
    Phase,
    Proposal,
    ProposalRequest,
    Violation,
)
from muniment.domain.conversation import (
    AnchorAction,
    AutoVoteScheduled,
    Cause,
    ConsensusResolved,
    ConsensusTimeoutScheduled,
    ConversationOpened,
    MemberJoined,
    PhaseChanged,
    ProposalApproved,
    ProposalOpened,
    ProposalReceived,
    ResolvedVia,
    Role,
    StewardList,
    StewardListInstalled,
    VoteCast,
    VoteSource,
)

CONFIG = ConversationConfig()
ADD = ProposalRequest.add_member("dave")
REMOVE_BOB = ProposalRequest.remove_member("bob")
ELECTION = ProposalRequest.steward_election()
DEADLOCK = ProposalRequest.emergency(Violation.DEADLOCK)
BELOW = ProposalRequest.emergency(Violation.SCORE_BELOW_THRESHOLD, "bob")
BROKEN = ProposalRequest.emergency(Violation.BROKEN_COMMIT, "bob")

CREATED = ConversationOpened("c", 0, 1, Role.CREATOR, "alice", CONFIG)
JOINING = replace(CREATED, role=Role.JOINER)
LET_IN = MemberJoined("c", 0, 5, frozenset({"alice", "bob", "carol"}))
STEWARDS = StewardListInstalled("c", 0, StewardList(("bob", "carol"), 5))


def changed(previous: Phase, phase: Phase, cause: Cause, at: int = 0, **facts: Any) -> PhaseChanged:
    """A phase gave way to another; there is no anchor any more unless the facts say otherwise."""
    facts.setdefault("anchor_action", AnchorAction.CLEAR)
    return PhaseChanged("c", at, previous, phase, cause, **facts)


MEMBER: tuple[Event[Any], ...] = (
    JOINING,
    LET_IN,
    changed(Phase.PENDING_JOIN, Phase.WORKING, Cause.JOINED, previous_anchor=0),
    STEWARDS,
)


def member(config: ConversationConfig) -> tuple[Event[Any], ...]:
    """The same, as a configuration says."""
    return (replace(JOINING, config=config), *MEMBER[1:])


FREEZING = changed(
    Phase.WORKING, Phase.FREEZING, Cause.DEADLOCK, at=100, anchor_action=AnchorAction.SET, anchor=100, approved=0
)
SELECTION = changed(
    Phase.FREEZING,
    Phase.SELECTION,
    Cause.FREEZE_WINDOW,
    at=30_100,
    anchor_action=AnchorAction.KEEP,
    anchor=100,
    previous_anchor=100,
    window_ms=30_000,
)
REELECTION = changed(Phase.SELECTION, Phase.REELECTION, Cause.NO_COMMIT, at=30_100, previous_anchor=100)

IN_PHASE: dict[Phase, tuple[Event[Any], ...]] = {
    Phase.PENDING_JOIN: (JOINING,),
    Phase.WORKING: MEMBER,
    Phase.FREEZING: (*MEMBER, FREEZING),
    Phase.SELECTION: (*MEMBER, FREEZING, SELECTION),
    Phase.REELECTION: (*MEMBER, FREEZING, SELECTION, REELECTION),
}
"""What led to each phase."""

AT = {
    Phase.PENDING_JOIN: 0,
    Phase.WORKING: 0,
    Phase.FREEZING: 100,
    Phase.SELECTION: 30_100,
    Phase.REELECTION: 30_100,
}
"""When that was."""


def proposal(proposal_id: int = 1, request: ProposalRequest = ADD, **facts: Any) -> Proposal:
    """A peer's proposal that three vote on."""
    made = Proposal(
        proposal_id,
        request,
        creator="carol",
        is_own=False,
        voters=3,
        liveness_yes=True,
        opened_at=0,
        expires_at_s=600,
    )
    return replace(made, **facts)


def own(proposal_id: int = 1, request: ProposalRequest = ADD, **facts: Any) -> Proposal:
    """A proposal of alice's."""
    return proposal(proposal_id, request, creator="alice", is_own=True, **facts)


def received(at: int = 0, **facts: Any) -> ProposalReceived:
    """A peer's proposal came in."""
    return ProposalReceived("c", at, proposal(**facts))


def opened(at: int = 0, **facts: Any) -> ProposalOpened:
    """Alice opened a proposal, and votes later."""
    return ProposalOpened("c", at, own(**facts), CreatorVote.DEFERRED)


def approved(proposal_id: int = 7, request: ProposalRequest = ADD, at: int = 0, **facts: Any) -> ProposalApproved:
    """A request waits for a commit."""
    return ProposalApproved("c", at, ApprovedRequest(proposal_id, request), **facts)


def resolved(of: Proposal, result: Outcome, at: int = 0, yes: int = 0, no: int = 0) -> ConsensusResolved:
    """Voting came to its end, as the host said."""
    return ConsensusResolved("c", at, of, result, ResolvedVia.HOST, yes, no)


def auto_vote(proposal_id: int = 1, fire_at: int = 10_000, vote: bool = True) -> AutoVoteScheduled:
    """A vote will be cast by itself."""
    return AutoVoteScheduled("c", 0, proposal_id, vote, fire_at, fire_at)


def timeout(proposal_id: int = 1, fire_at: int = 30_000) -> ConsensusTimeoutScheduled:
    """Votes are waited for."""
    return ConsensusTimeoutScheduled("c", 0, proposal_id, fire_at, fire_at)


def voted(voter: str, vote: bool = True, proposal_id: int = 1, source: VoteSource = VoteSource.PEER) -> VoteCast:
    """A member voted at once."""
    return VoteCast("c", 0, proposal_id, voter, vote, source)
