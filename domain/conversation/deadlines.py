"""When what is due: the one function of a phase's window that decisions, tables and wake-ups all use (de-mls 2)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from .situation import Situation
from .values import Life, OperatingMode, Phase

JOIN_EXPIRY_WINDOWS: Final = 3
"""How many inactivity windows a joiner waits to be let in (de-mls 1.3, T4)."""


class DeadlineKind(StrEnum):
    """What is due, in the order in which a tick does it (de-mls 5.1, 7)."""

    AUTO_VOTE = "auto_vote"
    CONSENSUS_TIMEOUT = "consensus_timeout"
    SELECTION = "selection"
    FREEZE = "freeze"
    ANCHORING = "anchoring"
    INACTIVITY = "inactivity"
    JOIN_EXPIRY = "join_expiry"


_ORDER: Final = {kind: number for number, kind in enumerate(DeadlineKind)}


class Deadline(NamedTuple):
    """Something that is due at a time.

    Attributes:
        due_at: from when on, in ms; exactly then is late enough (de-mls 2.3).
        kind: what is due. ``SELECTION`` and ``ANCHORING`` are due with the next tick: all candidates are there, or
            approved work was not seen by any tick yet.
        proposal_id: the proposal that it is about; None for the phase's own.
        window_ms: the phase's window; None where none is counted.
        vote: which way the automatic vote will go; None of all other kinds.
    """

    due_at: int
    kind: DeadlineKind
    proposal_id: int | None = None
    window_ms: int | None = None
    vote: bool | None = None

    @property
    def order(self) -> tuple[int, int, int]:
        """What deadlines are sorted by: the time, then what a tick does first, then the proposal."""
        return self.due_at, _ORDER[self.kind], self.proposal_id or 0


def inactivity_window(situation: Situation) -> int:
    """How long approved work may wait for a commit, in ms, as things are now (de-mls 1.4, 3)."""
    is_recovering = situation.mode is OperatingMode.RECOVERY or situation.retries > 0
    config = situation.config
    return config.recovery_inactivity_ms if is_recovering else config.commit_inactivity_ms


def phase_deadline(situation: Situation) -> Deadline | None:
    """What is due of the phase itself; None if nothing is (de-mls 1.3, 1.4, 2.2).

    Only the anchor is stored. The window is read from the configuration, mode and retries as they are now, so that a
    change of these moves a deadline that runs.
    """
    anchor, config = situation.anchor, situation.config
    if situation.life is not Life.OPEN:
        return None
    match situation.phase:
        case Phase.PENDING_JOIN if anchor is not None:
            window = JOIN_EXPIRY_WINDOWS * config.commit_inactivity_ms
            return Deadline(anchor + window, DeadlineKind.JOIN_EXPIRY, window_ms=window)
        case Phase.FREEZING if situation.prompted_at is not None:
            return Deadline(situation.prompted_at, DeadlineKind.SELECTION)
        case Phase.FREEZING if anchor is not None:
            return Deadline(anchor + config.freeze_ms, DeadlineKind.FREEZE, window_ms=config.freeze_ms)
        case Phase.WORKING if situation.prompted_at is not None:
            return Deadline(situation.prompted_at, DeadlineKind.ANCHORING, window_ms=inactivity_window(situation))
        case Phase.WORKING if situation.approved and not situation.own_elections and anchor is not None:
            window = inactivity_window(situation)
            return Deadline(anchor + window, DeadlineKind.INACTIVITY, window_ms=window)
    return None


def earliest_wakeup(deadlines: Iterable[Deadline], now: int) -> int | None:
    """How long until something is due, in ms: 0 if something is now, None if nothing ever will be (de-mls 5.4)."""
    earliest = min((each.due_at for each in deadlines), default=None)
    return None if earliest is None else max(0, earliest - now)
