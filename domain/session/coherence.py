"""Whether the footprints of a session contradict each other (law 7)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ..artifacts import FootprintClass


class ViolationKind(StrEnum):
    """How the footprints of a session can contradict each other (aura 2.26, V1 to V4)."""

    MULTIPLE_ACTIVE_OWNERS = "multiple_active_owners"
    MULTIPLE_DELEGATORS = "multiple_delegators"
    MULTIPLE_RECEIVERS = "multiple_receivers"
    DELEGATED_OUT_WITHOUT_RECEIVER = "delegated_out_without_receiver"


class CoherenceViolation(NamedTuple):
    """One contradiction.

    Attributes:
        kind: which.
        session_id: the session.
        authorities: those that contradict each other, sorted.
    """

    kind: ViolationKind
    session_id: str
    authorities: tuple[str, ...]


def coherence_violations(
    sessions: dict[str, list[tuple[str, FootprintClass]]],
) -> tuple[CoherenceViolation, ...]:
    """Judge every session by itself (aura 2.26; law 7).

    Args:
        sessions: how each authority has each session, by session.

    Returns:
        First every session with several active owners, then the others, each by session id.
    """
    several: list[CoherenceViolation] = []
    others: list[CoherenceViolation] = []
    for session_id, marks in sorted(sessions.items()):
        by_class = {each: tuple(sorted(name for name, held in marks if held is each)) for each in FootprintClass}
        received, delegated = by_class[FootprintClass.DELEGATED_IN], by_class[FootprintClass.DELEGATED_OUT]
        active = tuple(sorted(by_class[FootprintClass.NATIVE] + received))
        if len(active) > 1:
            several.append(CoherenceViolation(ViolationKind.MULTIPLE_ACTIVE_OWNERS, session_id, active))
        if not delegated:
            continue
        if not received:
            kind, named = ViolationKind.DELEGATED_OUT_WITHOUT_RECEIVER, delegated
        elif len(received) > 1:
            kind, named = ViolationKind.MULTIPLE_RECEIVERS, received
        elif len(delegated) > 1:
            kind, named = ViolationKind.MULTIPLE_DELEGATORS, delegated
        else:
            continue
        others.append(CoherenceViolation(kind, session_id, named))
    return (*several, *others)
