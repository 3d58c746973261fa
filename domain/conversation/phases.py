"""Which phase leads to which, and what may be done in each: the tables of de-mls 1.3 and 1.5 as data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from .values import Phase, ProposalKind


class AnchorAction(StrEnum):
    """What a phase change does to the time that the phase's window is counted from (de-mls 1.2)."""

    SET = "set"
    CLEAR = "clear"
    KEEP = "keep"
    RESTORE = "restore"


class Cause(StrEnum):
    """What changes a phase, or the operating mode."""

    JOINED = "joined"
    INACTIVITY = "inactivity"
    CANDIDATE = "candidate"
    URGENT_REMOVAL = "urgent_removal"
    DEADLOCK = "deadlock"
    ALL_CANDIDATES = "all_candidates"
    FREEZE_WINDOW = "freeze_window"
    COMMIT_APPLIED = "commit_applied"
    NO_COMMIT = "no_commit"
    NOTHING_APPROVED = "nothing_approved"
    ELECTION_ACCEPTED = "election_accepted"
    EMERGENCY_RESOLVED = "emergency_resolved"
    BY_HAND = "by_hand"
    REVERTED = "reverted"


class Transition(NamedTuple):
    """A row of the table of de-mls 1.3.

    Attributes:
        rule: the row's number there.
        previous: the phases that it leads out of; in any other, the cause changes nothing.
        cause: what changes the phase.
        phase: the phase that it leads to.
        anchor: what becomes of the anchor.
    """

    rule: str
    previous: frozenset[Phase]
    cause: Cause
    phase: Phase
    anchor: AnchorAction


def _row(rule: str, previous: tuple[Phase, ...], cause: Cause, phase: Phase, anchor: AnchorAction) -> Transition:
    return Transition(rule, frozenset(previous), cause, phase, anchor)


_IN_THE_GROUP: Final = (Phase.WORKING, Phase.FREEZING, Phase.SELECTION, Phase.REELECTION)

TRANSITIONS: Final = (
    _row("T3", (Phase.PENDING_JOIN,), Cause.JOINED, Phase.WORKING, AnchorAction.CLEAR),
    _row("T6", (Phase.WORKING,), Cause.INACTIVITY, Phase.FREEZING, AnchorAction.SET),
    _row("T7", (Phase.WORKING,), Cause.CANDIDATE, Phase.FREEZING, AnchorAction.SET),
    _row("T8", (Phase.WORKING, Phase.REELECTION), Cause.URGENT_REMOVAL, Phase.FREEZING, AnchorAction.SET),
    _row("T9", (Phase.WORKING, Phase.REELECTION), Cause.DEADLOCK, Phase.FREEZING, AnchorAction.SET),
    _row("T11", (Phase.FREEZING,), Cause.ALL_CANDIDATES, Phase.SELECTION, AnchorAction.KEEP),
    _row("T11", (Phase.FREEZING,), Cause.FREEZE_WINDOW, Phase.SELECTION, AnchorAction.KEEP),
    _row("T12, T18", _IN_THE_GROUP, Cause.COMMIT_APPLIED, Phase.WORKING, AnchorAction.CLEAR),
    _row("T14", (Phase.SELECTION,), Cause.NO_COMMIT, Phase.REELECTION, AnchorAction.CLEAR),
    _row("T15", (Phase.SELECTION,), Cause.NOTHING_APPROVED, Phase.WORKING, AnchorAction.CLEAR),
    _row("T16", (Phase.REELECTION,), Cause.ELECTION_ACCEPTED, Phase.WORKING, AnchorAction.CLEAR),
    _row("T17", (Phase.REELECTION,), Cause.EMERGENCY_RESOLVED, Phase.WORKING, AnchorAction.CLEAR),
)
"""Every phase change but those by hand, which are in ``moves``.

The first phase comes with the opening (T1, T2); T4, T5, T10 and T13 change no phase.
"""

_BY_EDGE: Final[Mapping[tuple[Phase, Cause], Transition]] = {
    (previous, row.cause): row for row in TRANSITIONS for previous in row.previous
}


def transition(phase: Phase | None, cause: Cause) -> Transition | None:
    """What a cause does in a phase; None if it changes nothing there."""
    return None if phase is None else _BY_EDGE.get((phase, cause))


class Operation(StrEnum):
    """What a member may want to do."""

    SEND_CHAT = "send_chat"
    OPEN_COMMIT_PROPOSAL = "open_commit_proposal"
    OPEN_STEWARD_ELECTION = "open_steward_election"
    OPEN_EMERGENCY = "open_emergency"
    BAN = "ban"
    VOTE = "vote"


_WORKING_ONLY: Final = frozenset({Phase.WORKING})
_NOT_WHILE_FROZEN: Final = frozenset({Phase.WORKING, Phase.REELECTION})

PERMITTED: Final[Mapping[Operation, frozenset[Phase]]] = {
    Operation.SEND_CHAT: _NOT_WHILE_FROZEN,
    Operation.OPEN_COMMIT_PROPOSAL: _WORKING_ONLY,
    Operation.OPEN_STEWARD_ELECTION: _NOT_WHILE_FROZEN,
    Operation.OPEN_EMERGENCY: _NOT_WHILE_FROZEN,
    Operation.BAN: _WORKING_ONLY,
    # A joiner is let through here, and finds no proposal to vote on.
    Operation.VOTE: _NOT_WHILE_FROZEN | {Phase.PENDING_JOIN},
}
"""In which phases each operation is permitted (de-mls 1.5)."""


def operation_of(kind: ProposalKind) -> Operation:
    """What opening a proposal of a kind is."""
    if kind is ProposalKind.STEWARD_ELECTION:
        return Operation.OPEN_STEWARD_ELECTION
    return Operation.OPEN_EMERGENCY if kind is ProposalKind.EMERGENCY else Operation.OPEN_COMMIT_PROPOSAL
