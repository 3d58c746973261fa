"""Which phases a host can move a conversation into by hand, and what that does to the anchor: one table (de-mls 1.2).

A host that drives phases by itself has calls of its own for this, as the reference has. They change the phase and the
time that its window is counted from, and nothing else: no votes, scores, freeze rounds, requests or operating mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ..decision import decision
from ..errors import IllegalMove
from ..event import Accepted, Decision
from .draft import Draft
from .phases import TRANSITIONS, AnchorAction, Cause
from .state import ConversationState
from .values import Phase


class Move(NamedTuple):
    """One move.

    Attributes:
        previous: the phases that it leads out of.
        phase: the phase that it leads to.
        anchor: what becomes of the anchor.
        call: what the reference calls it.
    """

    previous: frozenset[Phase]
    phase: Phase
    anchor: AnchorAction
    call: str


def _move(phase: Phase, anchor: AnchorAction, call: str) -> Move:
    """A move out of every phase that any cause leads there from: the rules have one table of that (de-mls 1.3)."""
    return Move(frozenset().union(*(row.previous for row in TRANSITIONS if row.phase is phase)), phase, anchor, call)


MOVES: Final[Mapping[Phase, Move]] = {
    each.phase: each
    for each in (
        _move(Phase.WORKING, AnchorAction.CLEAR, "start_working"),
        # The reference can also begin a freeze from any phase. Its guarded call is the one that keeps to the table.
        _move(Phase.FREEZING, AnchorAction.SET, "force_freezing"),
        _move(Phase.SELECTION, AnchorAction.KEEP, "start_selection"),
        _move(Phase.REELECTION, AnchorAction.CLEAR, "start_reelection"),
    )
}
"""Every move, by the phase that it leads to. Nothing leads to pending join: a conversation begins there."""


def move(previous: Phase | None, phase: Phase) -> Move | None:
    """The move from one phase to another; None if there is none."""
    found = MOVES.get(phase)
    return found if found is not None and previous in found.previous else None


def moves_from(phase: Phase | None) -> tuple[Phase, ...]:
    """The phases that a host can move a conversation into from a phase, in their order."""
    return tuple(each for each in Phase if move(phase, each) is not None)


@decision("conversation.enter")
def enter(state: ConversationState, phase: Phase, now: int) -> Decision[Phase | None]:
    """Move the conversation into a phase by hand (de-mls 1.2).

    To be working already and to begin working again clears the anchor. Without an anchor, nothing is appended.

    Raises:
        ConversationNotFound, ConversationEnded
        IllegalMove: no rule leads there from the present phase.
    """
    situation = state.opened()
    found = move(situation.phase, phase)
    if found is None:
        raise IllegalMove(state.conversation_id, situation.phase or "", phase, moves_from(situation.phase))
    if phase is situation.phase and situation.anchor is None:
        return Accepted(None)
    draft = Draft(state, now)
    draft.move_phase(found.phase, Cause.BY_HAND, found.anchor)
    return draft.decided()
