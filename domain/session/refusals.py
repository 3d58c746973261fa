"""What is recorded of refusals: each once, so many in all, and none larger than it need be (law 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..artifacts import Omitted, OwnershipCapability, OwnershipReceipt, PresentedArtifact
from ..bounds import MAX_RECORDED_REFUSALS, MAX_WHOLE_REFUSAL_BYTES
from ..errors import MunimentError
from ..event import Refused
from ..value import json_size
from .brief import in_brief
from .events import CapabilityRejected, ReceiptRejected, Rejection, WitnessRejected
from .state import SessionState


def refuse(state: SessionState, artifact: PresentedArtifact, reason: str, error: MunimentError) -> Refused:
    """Refuse what was presented, on the record, within bounds (law 6)."""
    return refuse_as(_kind(artifact), state, artifact, reason, error)


def refuse_as(
    kind: Callable[[Any, str, bool, Omitted | None], Rejection],
    state: SessionState,
    artifact: PresentedArtifact,
    reason: str,
    error: MunimentError,
) -> Refused:
    """Refuse what was presented, recorded as ``kind`` (law 6)."""

    def record(last: bool) -> Rejection:
        if json_size(artifact) > MAX_WHOLE_REFUSAL_BYTES - json_size(reason) - _AROUND:
            brief, omitted = in_brief(artifact)
            return kind(brief, reason, last, omitted)
        return kind(artifact, reason, last, None)

    return refuse_once(state, error, record)


def refuse_once(state: SessionState, error: MunimentError, event: Callable[[bool], Rejection]) -> Refused:
    """Refuse on the record, within bounds (law 6).

    The same thing refused for the same reason is recorded once until a command is accepted, and a session records
    ``MAX_RECORDED_REFUSALS`` in all, however often it is opened. So repeated refusals cannot fill the journal.

    Args:
        state: the session.
        error: what to raise.
        event: makes the record; it is told whether it is this session's last.
    """
    if state.refusals >= MAX_RECORDED_REFUSALS:
        return Refused(error)
    rejection = event(state.refusals + 1 == MAX_RECORDED_REFUSALS)
    return Refused(error) if rejection.key() in state.refused else Refused(error, (rejection,))


_AROUND: Final = 64
"""How many bytes of JSON a refusal takes beside the artifact and the reason."""


def _kind(artifact: PresentedArtifact) -> Callable[[Any, str, bool, Omitted | None], Rejection]:
    if isinstance(artifact, OwnershipCapability):
        return CapabilityRejected
    return ReceiptRejected if isinstance(artifact, OwnershipReceipt) else WitnessRejected
