"""What can happen to a conversation's proposals, votes and their deadlines (de-mls 5.3)."""

from __future__ import annotations

from ..artifacts import Counter
from ..event import event_type
from ..identifiers import Identifier, Names
from .event import ConversationFact
from .values import (
    ApprovedRequest,
    CancelReason,
    CreatorVote,
    Duration,
    Outcome,
    Proposal,
    ResolvedVia,
    Time,
    VoteSource,
)


@event_type("conversation.proposal_opened")
class ProposalOpened(ConversationFact):
    """This member opened a proposal (de-mls 4.2).

    Attributes:
        members: who was in the group when it was first opened, where undoing gives it back to another; None otherwise.
    """

    proposal: Proposal
    creator_vote: CreatorVote
    members: Names | None = None


@event_type("conversation.proposal_received")
class ProposalReceived(ConversationFact):
    """A peer's proposal came in (de-mls 4.2).

    Attributes:
        members: who was in the group when it first came in, where undoing gives it back to another; None otherwise.
    """

    proposal: Proposal
    members: Names | None = None


@event_type("conversation.proposal_withdrawn")
class ProposalWithdrawn(ConversationFact):
    """That a proposal was opened or received was undone (law 8).

    Attributes:
        creator_vote: how its creator voted, if this member opened it.
    """

    proposal: Proposal
    creator_vote: CreatorVote | None = None


@event_type("conversation.auto_vote_scheduled")
class AutoVoteScheduled(ConversationFact):
    """A vote will be cast by itself unless one is cast by hand before (de-mls 2.4).

    Attributes:
        vote: what will be voted.
        delay_ms: how long a vote by hand is waited for.
        fire_at: when it is due, in ms.
        replaced_fire_at: when the one that this replaces was due; None if there was none.
    """

    proposal_id: Counter
    vote: bool
    delay_ms: Duration
    fire_at: Time
    replaced_fire_at: Time | None = None


@event_type("conversation.auto_vote_cancelled")
class AutoVoteCancelled(ConversationFact):
    """No vote will be cast by itself (de-mls 2.4)."""

    proposal_id: Counter
    reason: CancelReason


@event_type("conversation.auto_vote_fired")
class AutoVoteFired(ConversationFact):
    """Nobody voted by hand in time (de-mls 2.4).

    Attributes:
        fire_at: when it was due, in ms.
    """

    proposal_id: Counter
    vote: bool
    fire_at: Time


@event_type("conversation.auto_vote_failed")
class AutoVoteFailed(ConversationFact):
    """The vote that was due could not be cast, and is not tried again (de-mls 2.4)."""

    proposal_id: Counter
    error: Identifier


@event_type("conversation.vote_cast")
class VoteCast(ConversationFact):
    """A member voted (de-mls 4.3)."""

    proposal_id: Counter
    voter: Identifier
    vote: bool
    source: VoteSource


@event_type("conversation.consensus_timeout_scheduled")
class ConsensusTimeoutScheduled(ConversationFact):
    """Votes on a proposal are waited for, but not for ever (de-mls 2.5).

    Attributes:
        delay_ms: how long.
        fire_at: until when, in ms.
        replaced_fire_at: until when before; None if there was no such deadline.
    """

    proposal_id: Counter
    delay_ms: Duration
    fire_at: Time
    replaced_fire_at: Time | None = None


@event_type("conversation.consensus_timeout_cancelled")
class ConsensusTimeoutCancelled(ConversationFact):
    """Votes on a proposal are not waited for any more (de-mls 2.5)."""

    proposal_id: Counter
    reason: CancelReason


@event_type("conversation.consensus_timeout_fired")
class ConsensusTimeoutFired(ConversationFact):
    """The time to vote on a proposal was over (de-mls 2.5).

    Attributes:
        fire_at: when it was due, in ms.
        session_active: whether it was still being voted on.
    """

    proposal_id: Counter
    fire_at: Time
    session_active: bool


@event_type("conversation.consensus_resolved")
class ConsensusResolved(ConversationFact):
    """Voting on a proposal ended (de-mls 4.3).

    Attributes:
        proposal: what was voted on.
        result: its outcome.
        via: what brought that about.
        yes: how many votes for it counted.
        no: how many against it did.
    """

    proposal: Proposal
    result: Outcome
    via: ResolvedVia
    yes: Counter
    no: Counter


@event_type("conversation.proposal_approved")
class ProposalApproved(ConversationFact):
    """What was proposed waits for a commit (de-mls 4.4).

    Attributes:
        approved: what is to be done.
        is_urgent: whether it has to be done at once, and alone.
    """

    approved: ApprovedRequest
    is_urgent: bool = False


@event_type("conversation.removal_deduplicated")
class RemovalDeduplicated(ConversationFact):
    """The member's removal was approved before, and once is enough (de-mls 4.4).

    Attributes:
        target: the member.
        approved_by: the proposal that it was approved by before.
    """

    proposal_id: Counter
    target: Identifier
    approved_by: Counter
