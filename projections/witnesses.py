"""Witnesses: which were issued, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..domain import CancellationWitness, OwnershipScope, ReadinessWitness, RecordedEvent
from ..domain.effects import WitnessStatus
from .owners import read_scope, scope_text
from .projection import Projection
from .temporal import Change, Row, Set, TemporalTable, Value
from .views import TableMapping

WITNESSES = TemporalTable(
    name="witnesses",
    version=1,
    key={"session_id": str, "witness_id": int},
    columns={"status": str, "owner": str, "generation": int, "scope": str, "says": str},
)


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

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Set the rows of the witnesses that something became of."""
        effects = record.event.effects
        if effects is None or not effects.witnesses:
            return ()
        return [_row(witness, became) for witness, became in effects.witnesses]


def _row(witness: ReadinessWitness | CancellationWitness, became: WitnessStatus) -> Set:
    value: tuple[Value, ...]
    if isinstance(witness, CancellationWitness):
        value = (became.value, witness.owner, witness.generation, None, str(witness.reason))
    else:
        value = (became.value, witness.owner, witness.generation, scope_text(witness.scope), witness.predicate)
    return Set(WITNESSES, (witness.session_id, witness.witness_id), value)


class WitnessesView(TableMapping[tuple[str, int], WitnessRow]):
    """The witnesses as a mapping from (session id, witness id) to a row."""

    _table = WITNESSES
    _projection = WitnessesProjection.name

    def _to_item(self, row: Row) -> tuple[tuple[str, int], WitnessRow]:
        """Read a row."""
        session_id, witness_id, status, owner, generation, scope, says, since = row
        found = WitnessRow(WitnessStatus(status), owner, generation, read_scope(scope), says, since)
        return (session_id, witness_id), found

    def of_session(self, session_id: str) -> dict[int, WitnessRow]:
        """One session's witnesses, by witness id."""
        rows = self._select({"session_id": session_id})
        return {key[1]: row for key, row in map(self._read, rows)}
