"""What can happen to a conversation: its life, its phases, its freezes (de-mls 5.3)."""

from __future__ import annotations

import hashlib

from ..artifacts import Counter
from ..event import event_type
from ..identifiers import Identifier, Names, Text
from ..value import to_json
from .config import ConfigChanges, ConversationConfig
from .event import ConversationEvent, ConversationFact
from .phases import AnchorAction, Cause
from .values import (
    ApprovedRequest,
    Candidate,
    Duration,
    FreezeOutcome,
    LeaveReason,
    OperatingMode,
    Phase,
    Proposal,
    RejectedCandidate,
    Role,
    Score,
    ScoreReason,
    StewardList,
    Time,
)


@event_type("conversation.opened")
class ConversationOpened(ConversationFact):
    """This member created the conversation, or asked to join it (de-mls 1.3, T1, T2).

    Attributes:
        incarnation: how often this id was opened, this time included.
        self_id: who this member is.
        anchor: since when a joiner waits to be let in, in ms, where the opening is done again; None for since now.
    """

    incarnation: Counter
    role: Role
    self_id: Identifier
    config: ConversationConfig
    anchor: Time | None = None

    @property
    def phase(self) -> Phase:
        """The first phase."""
        return Phase.WORKING if self.role is Role.CREATOR else Phase.PENDING_JOIN


@event_type("conversation.withdrawn")
class ConversationWithdrawn(ConversationFact):
    """That this member created the conversation, or asked to join it, was undone (law 8).

    Attributes:
        role: how this member had come to it.
        self_id: who this member was in it.
        config: what its deadlines followed from.
        earlier_role: how this member had come to it the time before; None if it had never been opened before.
        earlier_reason: why this member had left it then.
    """

    role: Role
    self_id: Identifier
    config: ConversationConfig
    earlier_role: Role | None = None
    earlier_reason: LeaveReason | None = None


@event_type("conversation.member_joined")
class MemberJoined(ConversationFact):
    """This member was let in (de-mls 1.3, T3).

    Attributes:
        epoch: the group's epoch.
        members: who is in it.
    """

    epoch: Counter
    members: Names


@event_type("conversation.pending_join_expired")
class PendingJoinExpired(ConversationFact):
    """This member waited too long to be let in (de-mls 1.3, T4).

    Attributes:
        anchored_at: when it had asked, in ms.
        window_ms: how long it has waited for at least.
    """

    anchored_at: Time
    window_ms: Duration


@event_type("conversation.leave_initiated")
class LeaveInitiated(ConversationEvent[int]):
    """This member asked the group to let it go (de-mls 4.2)."""

    proposal_id: Counter

    @property
    def outcome(self) -> int:
        return self.proposal_id


@event_type("conversation.member_leaving")
class MemberLeaving(ConversationFact):
    """This member is on its way out; nothing but the removal comes after (de-mls 1.3, T4, T5, T13).

    Attributes:
        reason: why.
        abandoned: the proposals that were voted on, which are dropped.
    """

    reason: LeaveReason
    abandoned: tuple[Proposal, ...] = ()


@event_type("conversation.removed")
class ConversationRemoved(ConversationFact):
    """The conversation was taken from this member's registry."""

    reason: LeaveReason


@event_type("conversation.config_synced")
class ConfigSynced(ConversationFact):
    """The group's configuration was taken over (de-mls 4.8). It moves phase deadlines that run (de-mls 2.2).

    Attributes:
        source_epoch: the epoch that it is from.
        changes: what is different from before.
    """

    source_epoch: Counter
    changes: ConfigChanges


@event_type("conversation.phase_changed")
class PhaseChanged(ConversationEvent[Phase]):
    """One phase gave way to another, or began again (de-mls 1.3).

    Attributes:
        previous: the phase before.
        phase: the phase now.
        cause: what changed it.
        anchor_action: what became of the anchor.
        anchor: the time that the phase's window is counted from, in ms; None if there is none.
        previous_anchor: the same before.
        window_ms: the window that was over, if one was.
        approved: how many approved requests wait for a commit.
    """

    previous: Phase
    phase: Phase
    cause: Cause
    anchor_action: AnchorAction
    anchor: Time | None = None
    previous_anchor: Time | None = None
    window_ms: Duration | None = None
    approved: Counter = 0

    @property
    def outcome(self) -> Phase:
        return self.phase


@event_type("conversation.phase_timer_anchored")
class PhaseTimerAnchored(ConversationFact):
    """Approved work was seen for the first time: inactivity is counted from here on (de-mls 1.4, 4b).

    Attributes:
        phase: the phase, which stays.
        approved: how many approved requests wait for a commit.
        window_ms: how long they may, as it is now.
    """

    phase: Phase
    approved: Counter
    window_ms: Duration


@event_type("conversation.operating_mode_changed")
class OperatingModeChanged(ConversationFact):
    """The conversation began to recover, or has recovered (de-mls 1.1).

    Attributes:
        cause: what changed it.
    """

    previous: OperatingMode
    mode: OperatingMode
    cause: Cause


@event_type("conversation.election_retries_changed")
class ElectionRetriesChanged(ConversationFact):
    """An election of stewards was rejected, and that is counted until the next commit (de-mls 4.5).

    Attributes:
        previous: how many were before.
        retries: how many are now.
        maximum: how many may be; with one more, a deadlock is to be declared.
    """

    previous: Counter
    retries: Counter
    maximum: Counter


@event_type("conversation.steward_list_installed")
class StewardListInstalled(ConversationFact):
    """It was said who may commit (de-mls 4.5).

    Attributes:
        steward_list: who; None after undo, if it had never been said before.
        taken_back: the election whose list undoing takes back; None otherwise.
    """

    steward_list: StewardList | None
    taken_back: Counter | None = None


@event_type("conversation.score_changed")
class ScoreChanged(ConversationFact):
    """A member's score rises or falls (de-mls 4.4, 4.6).

    Attributes:
        reason: why.
        delta: by how much.
        score: what it is now.
        crossed_down: whether it has just come down to where a member is removable.
    """

    member: Identifier
    reason: ScoreReason
    delta: Score
    score: Score
    crossed_down: bool = False


@event_type("conversation.freeze_round_opened")
class FreezeRoundOpened(ConversationFact):
    """Candidates of an epoch are collected (de-mls 4.6)."""

    epoch: Counter


@event_type("conversation.freeze_round_withdrawn")
class FreezeRoundWithdrawn(ConversationFact):
    """A freeze round in which no candidate had come was undone (law 8)."""

    epoch: Counter


@event_type("conversation.candidate_buffered")
class CandidateBuffered(ConversationFact):
    """A commit was offered (de-mls 4.6).

    Attributes:
        epoch: the epoch that it is for.
        received: how many there are, this one included.
        expected: how many stewards could offer one.
    """

    epoch: Counter
    candidate: Candidate
    received: Counter
    expected: Counter


@event_type("conversation.freeze_round_finalized")
class FreezeRoundFinalized(ConversationFact):
    """The round is over, with a winner or without (de-mls 4.6).

    Attributes:
        epoch: the epoch that it was for.
        result: its outcome.
        candidates: how many there were.
        winner: the commit that was merged; None if none was.
        rejected: the candidates that could not be.
    """

    epoch: Counter
    result: FreezeOutcome
    candidates: Counter
    winner: Identifier | None = None
    rejected: tuple[RejectedCandidate, ...] = ()


@event_type("conversation.commit_applied")
class CommitApplied(ConversationFact):
    """A commit was merged: approved requests took effect, and an epoch began (de-mls 4.6).

    Attributes:
        epoch: the epoch that began.
        committer: who made the commit.
        commit_hash: what it is told by.
        batch: what took effect, oldest approval first.
        left: how many approved requests are left.
        members: who is in the group now.
        is_urgent: whether it was for an urgent removal alone.
    """

    epoch: Counter
    committer: Identifier
    commit_hash: Identifier
    batch: tuple[ApprovedRequest, ...]
    left: Counter
    members: Names
    is_urgent: bool = False


@event_type("conversation.operation_failed")
class OperationFailed(ConversationFact):
    """The host could not do something that it should have (de-mls 3.1, Error)."""

    operation: Identifier
    message: Text

    def key(self) -> bytes:
        """What tells this failure from others: a digest of what is reported."""
        return hashlib.sha256(to_json([self.operation, self.message])).digest()


@event_type("conversation.host_told")
class HostTold(ConversationFact):
    """The host has something to tell consumers, in order with everything else that they are told (de-mls 3.1).

    Attributes:
        kind: what it is; the host's own word.
        message: what there is to say of it.
    """

    kind: Identifier
    message: Text
