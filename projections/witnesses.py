"""Witnesses: which were issued, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from ..domain import CancellationWitness, OwnershipScope, ReadinessWitness, session as events
from .owners import read_scope, scope_text
from .projection import Projection
from .temporal import Row, Set, TemporalTable
from .views import TableMapping

WITNESSES = TemporalTable(
    name="witnesses",
    version=1,
    key={"session_id": str, "witness_id": int},
    columns={"status": str, "owner": str, "generation": int, "scope": str, "says": str},
)


class WitnessStatus(StrEnum):
    """What became of a witness."""

    OUTSTANDING = "outstanding"
    CONSUMED = "consumed"
    VOID = "void"
    CANCELLATION = "cancellation"


class WitnessRow(NamedTuple):
    """What is known of one witness.

    Attributes:
        status: outstanding, consumed or void for a readiness witness; ``cancellation`` for one that proves an end.
        owner: the label of the owner it was issued to.
        generation: the generation it was issued under.
        scope: the scope it was issued under; None for a cancellation witness.
        says: the predicate of a readiness witness, or why the session was given up.
        since: the position of the event from which on all this holds.
    """

    status: WitnessStatus
    owner: str
    generation: int
    scope: OwnershipScope | None
    says: str
    since: int


class WitnessesProjection(Projection):
    """Follows every witness from its issue to its end."""

    name = "witnesses"
    tables = (WITNESSES,)


# Plain strings: an enum's value is looked up anew every time, and that shows when a million events are folded.
_OUTSTANDING, _CONSUMED, _VOID, _CANCELLATION = (status.value for status in WitnessStatus)


def _readiness(witness: ReadinessWitness, status: str) -> Set:
    value = (status, witness.owner, witness.generation, scope_text(witness.scope), witness.predicate)
    return Set(WITNESSES, (witness.session_id, witness.witness_id), value)


def _void(witnesses: Iterable[ReadinessWitness]) -> Iterator[Set]:
    return (_readiness(witness, _VOID) for witness in witnesses)


def _cancellation(witness: CancellationWitness) -> Set:
    value = (_CANCELLATION, witness.owner, witness.generation, None, str(witness.reason))
    return Set(WITNESSES, (witness.session_id, witness.witness_id), value)


WitnessesProjection.handlers = {
    events.ReadinessWitnessIssued: lambda event: (_readiness(event.witness, _OUTSTANDING),),
    events.ReadinessWitnessConsumed: lambda event: (_readiness(event.witness, _CONSUMED),),
    events.OwnershipReleased: lambda event: _void(event.voided),
    events.OwnershipTransferred: lambda event: _void(event.voided),
    events.ScopeAttenuated: lambda event: _void(event.voided),
    events.TransferCommitted: lambda event: _void(event.voided),
    events.TransferCommitFailed: lambda event: _void(event.voided),
    events.SessionClosed: lambda event: _void(event.voided),
    events.SessionHandedOver: lambda event: _void(event.voided),
    events.HandOverReverted: lambda event: _void(event.voided),
    events.OwnershipRestored: lambda event: _void(event.voided),
    events.ReadinessWitnessWithdrawn: lambda event: _void([event.witness]),
    events.OwnerDied: lambda event: (*_void(event.voided), _cancellation(event.witness)),
    events.TransferAbandoned: lambda event: (*_void(event.voided), _cancellation(event.witness)),
}


class WitnessesView(TableMapping[tuple[str, int], WitnessRow]):
    """The witnesses as a mapping from (session id, witness id) to a row."""

    table = WITNESSES
    projection = WitnessesProjection.name

    def _to_item(self, row: Row) -> tuple[tuple[str, int], WitnessRow]:
        """Read a row."""
        session_id, witness_id, status, owner, generation, scope, says, since = row
        found = WitnessRow(WitnessStatus(status), owner, generation, read_scope(scope), says, since)
        return (session_id, witness_id), found

    def of_session(self, session_id: str) -> dict[int, WitnessRow]:
        """One session's witnesses, by witness id."""
        rows = self._select({"session_id": session_id})
        return {key[1]: row for key, row in map(self._read, rows)}
