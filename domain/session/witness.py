"""Issuing readiness witnesses, and spending them once."""

from __future__ import annotations

from ..artifacts import OwnershipCapability, ReadinessWitness
from ..decision import decision
from ..errors import InvalidWitness, WitnessConsumed
from ..event import Decision, accept
from ..limits import require_room
from .events import ReadinessWitnessConsumed, ReadinessWitnessIssued
from .guards import refuse_unless_live, require_full_session
from .refusals import refuse
from .state import SessionState

ALREADY_CONSUMED = "witness already consumed"
NEVER_ISSUED = "witness was never issued"
WITNESS_MISMATCH = "witness payload mismatch"
NO_LONGER_MATCHES = "live ownership no longer matches witness"


@decision("session.issue_witness")
def issue_witness(state: SessionState, capability: OwnershipCapability, predicate: str) -> Decision[ReadinessWitness]:
    """Attest that a readiness check passed under the live capability (telltale 2.8).

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation
        LimitReached: too many are outstanding.
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_full_session(state, capability)
    witness = ReadinessWitness(
        witness_id=state.witnesses + 1,
        session_id=state.session_id,
        owner=capability.owner,
        generation=capability.generation,
        scope=capability.scope,
        predicate=predicate,
    )
    outstanding = (*state.outstanding_witnesses(), witness)
    require_room(f"session {state.session_id!r}", "outstanding witnesses", outstanding)
    return accept(ReadinessWitnessIssued(witness))


@decision("session.consume_witness")
def consume_witness(state: SessionState, capability: OwnershipCapability, witness: ReadinessWitness) -> Decision[None]:
    """Spend a readiness witness (telltale 2.9; law 4). A refused one stays outstanding.

    Raises:
        SessionNotFound, SessionTerminal, ScopeViolation
    """
    if refused := refuse_unless_live(state, capability):
        return refused
    require_full_session(state, capability)
    if witness.witness_id in state.consumed:
        error = WitnessConsumed(witness.session_id, witness.witness_id)
        return refuse(state, witness, ALREADY_CONSUMED, error)
    if problem := _problem_with(state, witness):
        return refuse(state, witness, problem, InvalidWitness(state.session_id, witness.witness_id, problem))
    return accept(ReadinessWitnessConsumed(witness))


def _problem_with(state: SessionState, witness: ReadinessWitness) -> str | None:
    issued = state.issued.get(witness.witness_id)
    if issued is None:
        return NEVER_ISSUED
    if witness != issued:
        return WITNESS_MISMATCH
    # Every change of owner, generation or scope voids what was outstanding, so what still is matches the live one.
    if witness.witness_id not in state.outstanding:
        return NO_LONGER_MATCHES
    return None
