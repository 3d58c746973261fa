"""Undoing: for every event what undoes it, or why nothing can, and what undoes several at once (law 8)."""

from .attempt import Past, SagaUndone, StateChange, UndoAttempt, UndoPlan, UndoStep, differences
from .history import StreamHistory
from .rule import HasEnded, Part, Rule
from .rules import (
    RULES,
    bundles_needed,
    changes,
    has_ended,
    needs,
    operation,
    stands_on,
    why_it_stays,
)
from .undoing import ONLY_UNDOING, UNDONE_BY

__all__ = [
    "ONLY_UNDOING",
    "RULES",
    "UNDONE_BY",
    "HasEnded",
    "Part",
    "Past",
    "Rule",
    "SagaUndone",
    "StateChange",
    "StreamHistory",
    "UndoAttempt",
    "UndoPlan",
    "UndoStep",
    "bundles_needed",
    "changes",
    "differences",
    "has_ended",
    "needs",
    "operation",
    "stands_on",
    "why_it_stays",
]
