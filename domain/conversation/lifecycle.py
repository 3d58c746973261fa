"""Coming, going, and what the host says of the group: configuration, stewards, failures (de-mls 1.3, 4.2, 4.5, 4.8)."""

from __future__ import annotations

import hashlib
from typing import Any

from ..bounds import MAX_INCARNATIONS, MAX_REPORTS
from ..decision import decision
from ..errors import (
    ConversationEnded,
    ConversationExists,
    ConversationNotFound,
    NotAnElection,
    ProposalNotActive,
    ProposalNotFound,
)
from ..event import Accepted, Decision
from ..identifiers import names
from ..limits import require_fewer
from .config import ConfigChanges, ConversationConfig
from .draft import Draft
from .events import (
    ConfigSynced,
    ConversationOpened,
    ConversationRemoved,
    HostTold,
    LeaveInitiated,
    MemberJoined,
    MemberLeaving,
    OperatingModeChanged,
    OperationFailed,
    StewardListInstalled,
)
from .guards import named
from .outcomes import end_auto_vote, end_timeout, resolve_by_host
from .phases import Cause
from .state import ConversationState
from .values import (
    CancelReason,
    CreatorVote,
    LeaveReason,
    Life,
    OperatingMode,
    Outcome,
    Phase,
    Proposal,
    ProposalKind,
    ProposalRequest,
    Role,
    StewardList,
    StewardListReason,
    VoteSource,
)
from .voting import cast_vote, expiry
from .voting_events import ProposalOpened


@decision("conversation.open_conversation")
def open_conversation(
    state: ConversationState, role: Role, self_id: str, config: ConversationConfig, now: int
) -> Decision[None]:
    """Create a conversation, or ask to be let into one (de-mls 1.3, T1, T2).

    One that was removed gets a new incarnation.

    Raises:
        ConversationExists
        LimitReached: it was opened 65 535 times.
    """
    situation = state.situation
    if situation.life in (Life.OPEN, Life.LEAVING):
        raise ConversationExists(state.conversation_id, situation.life)
    require_fewer(named(state), "incarnations", situation.incarnation, MAX_INCARNATIONS)
    draft = Draft(state, now)
    draft.record(ConversationOpened, incarnation=situation.incarnation + 1, role=role, self_id=self_id, config=config)
    return draft.decided()


@decision("conversation.joined")
def joined(state: ConversationState, epoch: int, members: frozenset[str], now: int) -> Decision[Phase | None]:
    """Be let in; nothing happens to who is in already (de-mls 1.3, T3).

    The phase of a joiner that was moved on by hand stays.

    Raises:
        ConversationNotFound, ConversationEnded
        InvalidArgument: the group has more members than are allowed.
    """
    situation = state.opened()
    is_in = situation.role is Role.CREATOR or state.was_let_in
    if situation.phase is not Phase.PENDING_JOIN and is_in:
        return Accepted(None)
    draft = Draft(state, now)
    draft.record(MemberJoined, epoch=epoch, members=names("members", members | {state.self_id}))
    draft.change_phase(Cause.JOINED)
    return draft.decided()


@decision("conversation.leave")
def leave(state: ConversationState, now: int) -> Decision[int | None]:
    """Ask the group to let this member go; who is not in it yet goes at once (de-mls 1.3, T5; 4.2).

    Returns:
        The number of the proposal to send; None if there is none to send, or it was sent before.

    Raises:
        ConversationNotFound, ConversationEnded
    """
    situation = state.opened()
    if situation.phase is Phase.PENDING_JOIN:
        draft = Draft(state, now)
        begin_leaving(draft, LeaveReason.LEFT_PENDING)
        draft.record(ConversationRemoved, reason=LeaveReason.LEFT_PENDING)
        return draft.decided()
    proposal_id = self_leave_id(state.self_id)
    # One that was carried out and left this member in the group is over: it may ask again.
    is_taken = proposal_id in state.proposals or proposal_id in state.approved
    if is_taken or state.approved_removal_of(state.self_id) is not None:
        return Accepted(None)
    draft = Draft(state, now)
    proposal = Proposal(
        proposal_id,
        ProposalRequest.remove_member(state.self_id),
        creator=state.self_id,
        is_own=True,
        voters=1,
        liveness_yes=True,
        opened_at=draft.at,
        expires_at_s=expiry(situation, draft.at),
    )
    draft.record(ProposalOpened, proposal=proposal, creator_vote=CreatorVote.YES)
    cast_vote(draft, proposal_id, state.self_id, True, VoteSource.BUNDLED)
    draft.record(LeaveInitiated, proposal_id=proposal_id)
    return draft.decided()


def self_leave_id(self_id: str) -> int:
    """The number of the proposal by which a member asks to be let go (de-mls 4.2)."""
    return int.from_bytes(hashlib.sha256(self_id.encode()).digest()[:4])


def begin_leaving(draft: Draft, reason: LeaveReason) -> None:
    """Start leaving: deadlines are cancelled and open votes are dropped."""
    for proposal_id in sorted(draft.state.auto_votes):
        end_auto_vote(draft, proposal_id, CancelReason.LEFT)
    for proposal_id in sorted(draft.state.timeouts):
        end_timeout(draft, proposal_id, CancelReason.LEFT)
    draft.record(MemberLeaving, reason=reason, abandoned=tuple(draft.state.proposals.values()))


def reason_of_removal(state: ConversationState) -> LeaveReason:
    """Why a commit that takes this member out of the group does: it asked for that, or others decided it."""
    asked = state.approved.get(self_leave_id(state.self_id))
    has_asked = asked is not None and asked.request == ProposalRequest.remove_member(state.self_id)
    return LeaveReason.SELF_LEAVE if has_asked and not state.is_older else LeaveReason.REMOVED


@decision("conversation.remove")
def remove(state: ConversationState, now: int) -> Decision[None]:
    """Remove the conversation from this member's registry, whatever its phase is.

    Why this member leaves is told as ``leave`` would tell it: it was not let in yet, or goes by itself.

    Raises:
        ConversationNotFound
        ConversationEnded: it was removed before.
    """
    situation = state.situation
    if situation.life is Life.UNOPENED:
        raise ConversationNotFound(state.conversation_id)
    if situation.life is Life.REMOVED:
        raise ConversationEnded(state.conversation_id, situation.life, situation.reason or "")
    draft = Draft(state, now)
    if situation.life is Life.OPEN:
        is_waiting = situation.phase is Phase.PENDING_JOIN and not state.is_older
        begin_leaving(draft, LeaveReason.LEFT_PENDING if is_waiting else LeaveReason.SELF_LEAVE)
    draft.record(ConversationRemoved, reason=draft.situation.reason or LeaveReason.SELF_LEAVE)
    return draft.decided()


@decision("conversation.sync_config")
def sync_config(state: ConversationState, source_epoch: int, changes: ConfigChanges, now: int) -> Decision[None]:
    """Adopt the group's configuration. Unchanged settings append nothing (de-mls 2.1, 4.8).

    Nothing is adopted, and nothing appended, by who waits to be let in, where a list of stewards is installed, or of an
    epoch that is not reached yet.

    Raises:
        ConversationNotFound, ConversationEnded
    """
    situation = state.opened()
    is_waiting = situation.phase is Phase.PENDING_JOIN
    if is_waiting or state.steward_list is not None or source_epoch > situation.epoch:
        return Accepted(None)
    config = situation.config
    different: dict[str, Any] = {
        name: value
        for name, value in changes.given()
        # A zero there means that nothing is said of it.
        if getattr(config, name) != value and not (name == "voting_inactivity_ms" and value == 0)
    }
    if not different:
        return Accepted(None)
    draft = Draft(state, now)
    draft.record(ConfigSynced, source_epoch=source_epoch, changes=ConfigChanges(**different))
    return draft.decided()


@decision("conversation.install_stewards")
def install_stewards(
    state: ConversationState, stewards: tuple[str, ...], reason: StewardListReason, now: int
) -> Decision[None]:
    """Say who may commit from this epoch on. Installing the present list again appends nothing (de-mls 4.5).

    Raises:
        ConversationNotFound, ConversationEnded
    """
    situation = state.opened()
    installed = StewardList(stewards, situation.epoch, 0, reason)
    if state.steward_list == installed:
        return Accepted(None)
    draft = Draft(state, now)
    draft.record(StewardListInstalled, steward_list=installed)
    return draft.decided()


@decision("conversation.accept_election")
def accept_election(
    state: ConversationState, proposal_id: int, stewards: tuple[str, ...], now: int
) -> Decision[Phase | None]:
    """Install the list of an election that was won, which the host has found valid (de-mls 1.3, T16; 4.4).

    It ends a recovery, and a reelection; in any other phase, the phase stays. Accepting it again changes nothing.

    Raises:
        ConversationNotFound, ConversationEnded, ProposalNotFound
        NotAnElection: the proposal elects nobody.
        ProposalNotActive: the election was not won.
    """
    situation = state.opened()
    proposal, resolution = state.proposals.get(proposal_id), state.resolution_of(proposal_id)
    kind = proposal.request.kind if proposal is not None else resolution.kind if resolution is not None else None
    if kind is None:
        raise ProposalNotFound(state.conversation_id, proposal_id)
    if kind is not ProposalKind.STEWARD_ELECTION:
        raise NotAnElection(state.conversation_id, proposal_id, kind)
    if resolution is not None and resolution.outcome is not Outcome.YES:
        raise ProposalNotActive(state.conversation_id, proposal_id, resolution.outcome)
    if proposal_id in state.accepted_elections:
        return Accepted(None)
    draft = Draft(state, now)
    if proposal is not None:
        resolve_by_host(draft, proposal, Outcome.YES)
    installed = StewardList(stewards, situation.epoch, situation.retries, StewardListReason.ELECTION, proposal_id)
    draft.record(StewardListInstalled, steward_list=installed)
    if situation.mode is not OperatingMode.NORMAL:
        draft.record(
            OperatingModeChanged, previous=situation.mode, mode=OperatingMode.NORMAL, cause=Cause.ELECTION_ACCEPTED
        )
    draft.change_phase(Cause.ELECTION_ACCEPTED)
    return draft.decided()


@decision("conversation.report_failure")
def report_failure(state: ConversationState, operation: str, message: str, now: int) -> Decision[None]:
    """Put on record that the host could not do something that it should have (de-mls 3.1).

    The same failure is recorded once until something else happens, and an epoch has so many in all (law 6).

    Raises:
        ConversationNotFound, ConversationEnded, LimitReached
    """
    state.opened()
    draft = Draft(state, now)
    failed = draft.record(OperationFailed, operation=operation, message=message)
    if failed.key() in state.reported:
        return Accepted(None)
    require_fewer(named(state), "reported failures in this epoch", state.reports, MAX_REPORTS)
    return draft.decided()


@decision("conversation.tell")
def tell(state: ConversationState, kind: str, message: str, now: int) -> Decision[None]:
    """Tell consumers something of the host's own, in any phase; the same told again is recorded again (de-mls 3).

    Raises:
        ConversationNotFound, ConversationEnded
    """
    state.opened()
    draft = Draft(state, now)
    draft.record(HostTold, kind=kind, message=message)
    return draft.decided()
