"""What conversations, proposals and votes are made of: frozen values, compared whole (de-mls 1, 2.1, 4.1)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ..artifacts import Counter
from ..bounds import MAX_DURATION_MS, MAX_EPOCH, MAX_VOTERS
from ..errors import InvalidArgument
from ..identifiers import Identifier, Names, Text
from ..value import VALUE, value_type

Time = Annotated[int, Field(ge=0, le=MAX_EPOCH)]
"""A time in ms, with room for what is added to it."""

Duration = Annotated[int, Field(ge=0, le=MAX_DURATION_MS)]
"""How long something takes, in ms."""

Score = Annotated[int, Field(ge=-(2**62), le=2**62)]
"""How well a member is thought of."""


class Phase(StrEnum):
    """What a conversation is at (de-mls 1.1)."""

    PENDING_JOIN = "pending_join"
    WORKING = "working"
    FREEZING = "freezing"
    SELECTION = "selection"
    REELECTION = "reelection"


class OperatingMode(StrEnum):
    """Whether a conversation recovers from a deadlock; no phase change sets or clears it (de-mls 1.1)."""

    NORMAL = "normal"
    RECOVERY = "recovery"


class Role(StrEnum):
    """How this member came to the conversation."""

    CREATOR = "creator"
    JOINER = "joiner"


class Life(StrEnum):
    """Where a conversation stands in its life, for this member."""

    UNOPENED = "unopened"
    OPEN = "open"
    LEAVING = "leaving"
    REMOVED = "removed"


class LeaveReason(StrEnum):
    """Why this member leaves, or left."""

    EXPIRED = "expired"
    LEFT_PENDING = "left_pending"
    REMOVED = "removed"
    SELF_LEAVE = "self_leave"


class ProposalKind(StrEnum):
    """What a proposal is for (de-mls 4.1)."""

    ADD_MEMBER = "add_member"
    REMOVE_MEMBER = "remove_member"
    OTHER = "other"
    STEWARD_ELECTION = "steward_election"
    EMERGENCY = "emergency"


class Violation(StrEnum):
    """What an emergency is about (de-mls 4.4)."""

    BROKEN_COMMIT = "broken_commit"
    BROKEN_PROPOSAL = "broken_proposal"
    CENSORSHIP = "censorship"
    SCORE_BELOW_THRESHOLD = "score_below_threshold"
    DEADLOCK = "deadlock"


class CreatorVote(StrEnum):
    """How the creator of a proposal votes: with it, or later (de-mls 4.2)."""

    YES = "yes"
    DEFERRED = "deferred"


class VoteSource(StrEnum):
    """How a vote came about."""

    MANUAL = "manual"
    AUTO = "auto"
    BUNDLED = "bundled"
    PEER = "peer"


class Outcome(StrEnum):
    """The outcome of the vote on a proposal (de-mls 4.3)."""

    YES = "yes"
    NO = "no"
    FAILED = "failed"


class ResolvedVia(StrEnum):
    """What brought the outcome about: the votes, the time that ran out, or the host, which knows it from elsewhere."""

    VOTES = "votes"
    TIMEOUT = "timeout"
    HOST = "host"


class CancelReason(StrEnum):
    """Why a deadline of a proposal was dropped before it was due."""

    MANUAL = "manual"
    RESOLVED = "resolved"
    LEFT = "left"
    REVERTED = "reverted"


class StewardListReason(StrEnum):
    """Why a steward list was installed (de-mls 5.3)."""

    BOOTSTRAP = "bootstrap"
    ELECTION = "election"
    SYNC = "sync"
    AUTOFILL = "autofill"
    RECONCILE = "reconcile"


class FreezeOutcome(StrEnum):
    """The outcome of a freeze round (de-mls 1.3, T12 to T15)."""

    APPLIED = "applied"
    REMOVED_US = "removed_us"
    NOTHING = "nothing"


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class ProposalRequest:
    """What is proposed.

    Attributes:
        kind: what it is for.
        target: the member that it is about; to add and to remove one, and for every emergency but a deadlock;
            optional for ``OTHER``.
        violation: what an emergency is about; None for everything else.
        details: what else the host needs to know of it.
    """

    kind: ProposalKind
    target: Identifier | None = None
    violation: Violation | None = None
    details: Text = ""

    @classmethod
    def add_member(cls, target: str, details: str = "") -> ProposalRequest:
        """Propose to add a member."""
        return cls(ProposalKind.ADD_MEMBER, target, details=details)

    @classmethod
    def remove_member(cls, target: str, details: str = "") -> ProposalRequest:
        """Propose to remove a member."""
        return cls(ProposalKind.REMOVE_MEMBER, target, details=details)

    @classmethod
    def steward_election(cls, details: str = "") -> ProposalRequest:
        """Propose a list of stewards."""
        return cls(ProposalKind.STEWARD_ELECTION, details=details)

    @classmethod
    def emergency(cls, violation: Violation, target: str | None = None, details: str = "") -> ProposalRequest:
        """Declare an emergency: about a member, unless it is a deadlock."""
        return cls(ProposalKind.EMERGENCY, target, violation, details)

    def require_sense(self) -> None:
        """Make sure that it has what its kind needs, and nothing else.

        Raises:
            InvalidArgument
        """
        is_emergency = self.kind is ProposalKind.EMERGENCY
        # An emergency without evidence would block other proposals and never end (de-mls 7.5, 31).
        if is_emergency != (self.violation is not None):
            raise InvalidArgument("violation", "must be said of an emergency, and of nothing else")
        needs_target = self.kind in (ProposalKind.ADD_MEMBER, ProposalKind.REMOVE_MEMBER) or (
            is_emergency and self.violation is not Violation.DEADLOCK
        )
        if needs_target != (self.target is not None) and self.kind is not ProposalKind.OTHER:
            needed = "must be" if needs_target else "must not be"
            raise InvalidArgument("target", f"{needed} said of {self.violation or self.kind}")


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Proposal:
    """A proposal that is voted on.

    Attributes:
        proposal_id: its number in the conversation.
        request: what is proposed.
        creator: who opened it.
        is_own: whether this member did.
        voters: how many are expected to vote; no more votes than that count.
        liveness_yes: how those who are silent count.
        opened_at: when it was opened here, in ms.
        expires_at_s: from when on it cannot be voted on, UTC, in seconds since 1970.
        voter_names: who they are, where the host named them; None where it said only how many.
    """

    proposal_id: Counter
    request: ProposalRequest
    creator: Identifier
    is_own: bool
    voters: Annotated[int, Field(ge=1, le=MAX_VOTERS)]
    liveness_yes: bool
    opened_at: Time
    expires_at_s: Counter
    voter_names: Names | None = None

    def is_open_at(self, now: int) -> bool:
        """Whether it can be voted on at a time in ms."""
        return now // 1_000 < self.expires_at_s


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class ApprovedRequest:
    """What was approved, and waits for a commit.

    Attributes:
        proposal_id: the proposal that it was approved by.
        request: what is to be done; an emergency about a low score has become the removal of its target.
    """

    proposal_id: Counter
    request: ProposalRequest


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class StewardList:
    """Who may commit (de-mls 4.5).

    Attributes:
        stewards: the stewards in their order; the host has checked it.
        election_epoch: the epoch from which on they take turns, one each.
        retry_seed: how many elections had been rejected before.
        reason: why it was installed.
        proposal_id: the election that it was accepted by; None if it was installed otherwise.
    """

    stewards: tuple[Identifier, ...]
    election_epoch: Counter
    retry_seed: Counter = 0
    reason: StewardListReason = StewardListReason.BOOTSTRAP
    proposal_id: Counter | None = None


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Candidate:
    """A commit that was offered in a freeze round (de-mls 4.6).

    Attributes:
        commit_hash: what it is told by.
        steward: who offers it.
        proposals: how many proposals it holds.
        is_local: whether this member offers it.
    """

    commit_hash: Identifier
    steward: Identifier
    proposals: Counter
    is_local: bool = False


class ScoreReason(StrEnum):
    """Why a member's score rises or falls (de-mls 4.4, 4.6)."""

    EMERGENCY_CONFIRMED = "emergency_confirmed"
    EMERGENCY_REFUTED = "emergency_refuted"
    BROKEN_COMMIT = "broken_commit"
    BROKEN_PROPOSAL = "broken_proposal"
    CENSORSHIP = "censorship"
    UNSTAGEABLE_COMMIT = "unstageable_commit"
    COMMIT_PICKED = "commit_picked"
    COMMIT_OFFERED = "commit_offered"
    REVERTED = "reverted"


class RejectionReason(StrEnum):
    """Why a candidate could not be merged (de-mls 4.6)."""

    UNSTAGEABLE = "unstageable"
    FORGED_SENDER = "forged_sender"
    NOT_A_STEWARD = "not_a_steward"
    OTHER_ACTIONS = "other_actions"


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class RejectedCandidate:
    """A candidate that could not be merged.

    Attributes:
        commit_hash: what it is told by.
        member: who is to blame: the real sender of a forged one.
        reason: why not.
    """

    commit_hash: Identifier
    member: Identifier
    reason: RejectionReason
