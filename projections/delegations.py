"""Delegations: who gave which session to whom, and whether that holds (aura 2.27, 2.31)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ..domain import DelegationReceipt, session
from .projection import Projection
from .temporal import Row, Set, TemporalTable
from .texts import read_names, text_of_names
from .views import TableMapping

DELEGATIONS = TemporalTable(
    name="delegations",
    version=2,
    key={"session_id": str, "delegation_id": int},
    columns={
        "status": str,
        "from_authority": str,
        "to_authority": str,
        "bundle_id": str,
        "context_id": str,
        "cleared": str,
        "new_owner": str,
        "delegated_at": int,
        "claimed_by": str,
        "uncertainty_ms": int,
    },
    lookup=("bundle_id",),
)


class DelegationStatus(StrEnum):
    """Whether a delegation holds."""

    COMMITTED = "committed"
    REVERTED = "reverted"


class DelegationRow(NamedTuple):
    """What is known of one delegation.

    Attributes:
        status: whether it holds, or was undone.
        from_authority: the authority that gave the session away.
        to_authority: the authority that got it.
        bundle_id: the bundle that it was made through, or None.
        context_id: the context that it belongs to, or None.
        cleared: the delegators that have no part in the session since, sorted.
        new_owner: the label that owns the session since; None where nobody owned it.
        delegated_at: when it was made, in ms; None where nobody told the time, and of older formats.
        claimed_by: who claims that time; None if the journal's clock told it.
        uncertainty_ms: by how much that time may be wrong, in ms; None if that is not said.
        since: the position of the event from which on all this holds.
    """

    status: DelegationStatus
    from_authority: str
    to_authority: str
    bundle_id: str | None
    context_id: str | None
    cleared: tuple[str, ...]
    new_owner: str | None
    delegated_at: int | None
    claimed_by: str | None
    uncertainty_ms: int | None
    since: int


class DelegationsProjection(Projection):
    """Follows every delegation."""

    name = "delegations"
    tables = (DELEGATIONS,)


def _row(receipt: DelegationReceipt, status: DelegationStatus, new_owner: str | None) -> tuple[Set]:
    at = receipt.delegated_at
    value = (
        status.value,
        receipt.from_authority,
        receipt.to_authority,
        receipt.bundle_id,
        receipt.context_id,
        text_of_names(receipt.cleared),
        new_owner,
        *((None, None, None) if at is None else (at.at, at.origin, at.uncertainty_ms)),
    )
    return (Set(DELEGATIONS, (receipt.session_id, receipt.delegation_id), value),)


_COMMITTED, _REVERTED = DelegationStatus.COMMITTED, DelegationStatus.REVERTED

DelegationsProjection.handlers = {
    session.SessionDelegated: lambda event: _row(event.receipt, _COMMITTED, None),
    session.SessionHandedOver: lambda event: _row(event.receipt, _COMMITTED, event.capability.owner),
    session.DelegationReverted: lambda event: _row(event.receipt, _REVERTED, None),
    session.HandOverReverted: lambda event: _row(event.receipt, _REVERTED, event.previous.owner),
}


class DelegationsView(TableMapping[tuple[str, int], DelegationRow]):
    """The delegations as a mapping from (session id, delegation id) to a row."""

    _table = DELEGATIONS
    _projection = DelegationsProjection.name

    def _to_item(self, row: Row) -> tuple[tuple[str, int], DelegationRow]:
        """Read a row."""
        session_id, delegation_id, status, giver, taker, bundle_id, context_id, cleared, *rest = row
        parties = (giver, taker, bundle_id, context_id)
        found = DelegationRow(DelegationStatus(status), *parties, read_names(cleared), *rest)
        return (session_id, delegation_id), found

    def of_session(self, session_id: str) -> dict[int, DelegationRow]:
        """One session's delegations, by delegation id."""
        return {key[1]: row for key, row in map(self._read, self._select({"session_id": session_id}))}

    def through_bundle(self, bundle_id: str) -> dict[tuple[str, int], DelegationRow]:
        """The delegations that were made through one bundle."""
        return dict(map(self._read, self._select({"bundle_id": bundle_id})))
