"""What is recorded of refusals: each once, so many in all, and none larger than it need be (law 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

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
    return refuse_once(state, error, lambda last: _rejection(artifact, reason, last))


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


def refuse_rejected(
    state: SessionState,
    capability: OwnershipCapability,
    reason: str,
    error: MunimentError,
    kind: Callable[[OwnershipCapability, str, bool, Omitted | None], Rejection],
) -> Refused:
    """Refuse a live capability for what it was shown for, by a record of its own kind (law 6)."""

    def record(last: bool) -> Rejection:
        if json_size(capability) > MAX_WHOLE_REFUSAL_BYTES - json_size(reason) - _AROUND:
            brief, omitted = in_brief(capability)
            return kind(cast(OwnershipCapability, brief), reason, last, omitted)
        return kind(capability, reason, last, None)

    return refuse_once(state, error, record)


def _rejection(artifact: PresentedArtifact, reason: str, last: bool) -> Rejection:
    if json_size(artifact) > MAX_WHOLE_REFUSAL_BYTES - json_size(reason) - _AROUND:
        brief, omitted = in_brief(artifact)
        return _event(brief, reason, last, omitted)
    return _event(artifact, reason, last, None)


_AROUND: Final = 64
"""How many bytes of JSON a refusal takes beside the artifact and the reason."""


def _event(artifact: PresentedArtifact, reason: str, last: bool, omitted: Omitted | None) -> Rejection:
    if isinstance(artifact, OwnershipCapability):
        return CapabilityRejected(artifact, reason, last, omitted)
    if isinstance(artifact, OwnershipReceipt):
        return ReceiptRejected(artifact, reason, last, omitted)
    return WitnessRejected(artifact, reason, last, omitted)
