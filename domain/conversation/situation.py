"""What a conversation's deadlines follow from, and what tables say of it: one value, which each event moves on.

It is the one fold of these facts: the state that decisions are made on has it, and so has the projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from ..event import Event
from . import events, voting_events as voting
from .config import ConversationConfig
from .event import ConversationEvent
from .values import LeaveReason, Life, OperatingMode, Phase, Proposal, ProposalKind, Role


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a conversation stands.

    Attributes:
        at: when its last event was, in ms; no later one is before that, whatever clocks say.
        life: where it stands in its life.
        incarnation: how often it was opened.
        role: how this member came to it.
        reason: why this member leaves, or left; None otherwise.
        phase: its phase; None before it is opened and after it is removed.
        entered_at: since when, in ms.
        visits: how many phases it has been in, this one included.
        anchor: the time that the phase's window is counted from, in ms; None if there is none.
        prompted_at: since when the next tick has something to do whatever its time, in ms: all candidates are there, or
            approved work was seen by no tick yet; None otherwise.
        mode: whether it recovers from a deadlock.
        config: what its deadlines follow from.
        epoch: the group's epoch.
        retries: how many elections were rejected since the last commit.
        proposals: how many are voted on.
        own_elections: how many of those are elections that this member opened.
        emergencies: how many of them are emergencies.
        approved: how many approved requests wait for a commit.
        approved_at_selection: how many did when the last selection began.
        candidates: how many commits were offered in this freeze round.
        stewards: how many may commit.
    """

    at: int = 0
    life: Life = Life.UNOPENED
    incarnation: int = 0
    role: Role = Role.CREATOR
    reason: LeaveReason | None = None
    phase: Phase | None = None
    entered_at: int = 0
    visits: int = 0
    anchor: int | None = None
    prompted_at: int | None = None
    mode: OperatingMode = OperatingMode.NORMAL
    config: ConversationConfig = field(default_factory=ConversationConfig)
    epoch: int = 0
    retries: int = 0
    proposals: int = 0
    own_elections: int = 0
    emergencies: int = 0
    approved: int = 0
    approved_at_selection: int = 0
    candidates: int = 0
    stewards: int = 0

    def after(self, event: Event[Any]) -> Situation:
        """Where it stands after an event; itself if nothing changes. Events of other streams' types change nothing."""
        if not isinstance(event, ConversationEvent):
            return self
        handler = _HANDLERS.get(type(event))
        changes = {} if handler is None else handler(self, event)
        if not changes and event.at == self.at:
            return self
        now = replace(self, at=event.at, **changes)
        prompted_at = now._prompted_since(self, event.at)
        return now if prompted_at == now.prompted_at else replace(now, prompted_at=prompted_at)

    def _prompted_since(self, before: Situation, time: int) -> int | None:
        if self.life is not Life.OPEN:
            return None
        match self.phase:
            case Phase.FREEZING:
                is_prompted = self.candidates >= self.stewards > 0
            case Phase.WORKING:
                is_prompted = bool(self.approved) and not self.own_elections and self.anchor is None
            case _:
                is_prompted = False
        if not is_prompted:
            return None
        return time if before.prompted_at is None or before.phase is not self.phase else before.prompted_at


Changes: TypeAlias = dict[str, Any]
"""What is different after an event, beside the time."""


def _opened(before: Situation, event: events.ConversationOpened) -> Changes:
    waits_since = event.at if event.anchor is None else event.anchor
    return {
        **_AFRESH,
        "life": Life.OPEN,
        "incarnation": event.incarnation,
        "role": event.role,
        "phase": event.phase,
        "entered_at": event.at,
        "visits": before.visits + 1,
        "anchor": waits_since if event.phase is Phase.PENDING_JOIN else None,
        "config": event.config,
    }


def _withdrawn(before: Situation, event: events.ConversationWithdrawn) -> Changes:
    return _gone(event.earlier_role or Role.CREATOR, event.earlier_reason)


def _removed(before: Situation, event: events.ConversationRemoved) -> Changes:
    return _gone(before.role, event.reason)


def _gone(role: Role, reason: LeaveReason | None) -> Changes:
    """What is left of a conversation that is not, or no longer, in the registry."""
    return {**_AFRESH, "life": Life.UNOPENED if reason is None else Life.REMOVED, "role": role, "reason": reason}


def _phase_changed(before: Situation, event: events.PhaseChanged) -> Changes:
    changes: Changes = {"phase": event.phase, "anchor": event.anchor}
    if event.phase is not before.phase:
        changes |= {"entered_at": event.at, "visits": before.visits + 1}
    if event.phase is Phase.SELECTION:
        changes["approved_at_selection"] = event.approved
    return changes


def _config_synced(before: Situation, event: events.ConfigSynced) -> Changes:
    changed: Changes = dict(event.changes.given())
    return {"config": replace(before.config, **changed)}


def _steward_list(before: Situation, event: events.StewardListInstalled) -> Changes:
    return {"stewards": 0 if event.steward_list is None else len(event.steward_list.stewards)}


def _counted(before: Situation, proposal: Proposal, by: int) -> Changes:
    kind = proposal.request.kind
    return {
        "proposals": before.proposals + by,
        "own_elections": before.own_elections + by * (proposal.is_own and kind is ProposalKind.STEWARD_ELECTION),
        "emergencies": before.emergencies + by * (kind is ProposalKind.EMERGENCY),
    }


_AFRESH: Final[Changes] = {
    name: getattr(Situation(), name)
    for name in Situation.__dataclass_fields__
    if name not in ("at", "incarnation", "visits")
}
"""What every incarnation begins with."""

_HANDLERS: Final[dict[type[Event[Any]], Callable[[Situation, Any], Changes]]] = {
    events.ConversationOpened: _opened,
    events.ConversationRemoved: _removed,
    events.ConversationWithdrawn: _withdrawn,
    events.MemberJoined: lambda before, event: {"epoch": event.epoch},
    events.MemberLeaving: lambda before, event: {
        "life": Life.LEAVING,
        "reason": event.reason,
        "proposals": 0,
        "own_elections": 0,
        "emergencies": 0,
    },
    events.PhaseChanged: _phase_changed,
    events.PhaseTimerAnchored: lambda before, event: {"anchor": event.at},
    events.OperatingModeChanged: lambda before, event: {"mode": event.mode},
    events.ElectionRetriesChanged: lambda before, event: {"retries": event.retries},
    events.ConfigSynced: _config_synced,
    events.StewardListInstalled: _steward_list,
    events.FreezeRoundOpened: lambda before, event: {"candidates": 0},
    events.CandidateBuffered: lambda before, event: {"candidates": event.received},
    events.FreezeRoundFinalized: lambda before, event: {"candidates": 0},
    events.FreezeRoundWithdrawn: lambda before, event: {"candidates": 0},
    events.CommitApplied: lambda before, event: {"epoch": event.epoch, "approved": event.left, "retries": 0},
    voting.ProposalOpened: lambda before, event: _counted(before, event.proposal, 1),
    voting.ProposalReceived: lambda before, event: _counted(before, event.proposal, 1),
    voting.ProposalWithdrawn: lambda before, event: _counted(before, event.proposal, -1),
    voting.ConsensusResolved: lambda before, event: _counted(before, event.proposal, -1),
    voting.ProposalApproved: lambda before, event: {"approved": before.approved + 1},
}
