"""Since when what was refused did not hold any more: found by folding the session up to the refusal (law 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from ..artifacts import PresentedArtifact
from ..record import RecordedEvent
from .brief import in_brief
from .delegation_events import DelegationRejected
from .events import ReadinessWitnessConsumed, ReadinessWitnessIssued, Rejection
from .provenance import PROVENANCE_TYPES
from .restoration_events import ReadinessWitnessWithdrawn
from .state import SessionState

LOSS_TYPES: Final = (
    *PROVENANCE_TYPES,
    *(each.type for each in (ReadinessWitnessIssued, ReadinessWitnessConsumed, ReadinessWitnessWithdrawn)),
)
"""The types of events by which what is presented begins to hold, or ceases to."""


class Loss(NamedTuple):
    """How what was refused had fared before that.

    Attributes:
        state: the session right before the refusal, in what ``LOSS_TYPES`` tell.
        given: the event since which what was presented held, the last time; None if it never did.
        lost: the event since which it did not hold any more; None if it never held, or if it held still.
        real: what was given out under the same number, and is not what was presented; None if nothing was.
        instead: the event since which something else holds in its place, or nothing; None if that was ever so.
    """

    state: SessionState
    given: RecordedEvent | None
    lost: RecordedEvent | None
    real: Any
    instead: RecordedEvent | None


def loss_of(refusal: Rejection, session_id: str, records: Iterable[RecordedEvent]) -> Loss:
    """Find the event since which what was refused did not hold any more.

    Args:
        refusal: the refusal.
        session_id: the session.
        records: the session's events before the refusal, of ``LOSS_TYPES``, oldest first.
    """
    place = _place_of(refusal)
    presented = refusal.presented
    is_the_same = _comparison(presented, getattr(refusal, "omitted", None))
    state = SessionState(session_id)
    given = lost = instead = None
    real: Any = None
    there: Any = None
    for record in records:
        state.apply(record.event)
        was, there = there, place(state)
        if was == there:
            continue
        instead = record
        if is_the_same(there):
            given, lost = record, None
        elif is_the_same(was):
            lost = record
        if there is not None and not is_the_same(there) and _number(there) == _number(presented):
            real = there
    return Loss(state, given, lost, real, instead)


def _place_of(refusal: Rejection) -> Callable[[SessionState], Any]:
    """Where in a session stands what would have to be the same as what was presented."""
    if isinstance(refusal, DelegationRejected):
        return lambda state: state.holder
    presented = refusal.presented
    number = getattr(presented, "witness_id", None)
    if number is not None:
        return lambda state: state.issued[number] if number in state.outstanding else None
    if hasattr(presented, "claim_id"):
        return lambda state: state.pending
    return lambda state: state.live


def _comparison(presented: Any, omitted: Any) -> Callable[[Any], bool]:
    if isinstance(presented, tuple):
        return lambda there: bool(there == presented[0])
    if omitted is not None:
        return lambda there: there is not None and in_brief(there) == (presented, omitted)
    return lambda there: bool(there == presented)


def _number(artifact: PresentedArtifact | Any) -> Any:
    """The number that a session gives no two artifacts of a kind; of anything else, nothing like it."""
    for name in ("witness_id", "claim_id", "generation"):
        if hasattr(artifact, name):
            return name, getattr(artifact, name)
    return artifact
