"""The owner map: who holds each session, and since when."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pydantic_core import from_json, to_json

from ..domain import (
    OwnershipCapability,
    OwnershipScope,
    session as events,
)
from ..domain.scope import (
    scope_from_json,
    scope_to_json,
)
from .projection import Projection
from .temporal import Change, Row, Set, TemporalTable, Unset
from .views import TableMapping

OWNERS = TemporalTable(
    name="owners",
    version=1,
    key={"session_id": str},
    columns={"owner": str, "generation": int, "scope": str, "status": str},
)


class OwnerRow(NamedTuple):
    """What the owner map says of one session.

    Attributes:
        owner: the label of the owner, or None while there is none.
        generation: the generation of its capability, or None.
        scope: how far its authority reaches, or None.
        status: whether the session is active, or how it finished.
        since: the position of the event from which on all this holds.
    """

    owner: str | None
    generation: int | None
    scope: OwnershipScope | None
    status: events.SessionStatus
    since: int


class OwnersProjection(Projection):
    """Sets a row with every change of owner, generation, scope or status."""

    name = "owners"
    tables = (OWNERS,)


# Plain strings: an enum's value is looked up anew every time, and that shows when a million events are folded.
_ACTIVE, _CLOSED, _CANCELLED, _FAULTED = (
    status.value
    for status in (
        events.SessionStatus.ACTIVE,
        events.SessionStatus.CLOSED,
        events.SessionStatus.CANCELLED,
        events.SessionStatus.FAULTED,
    )
)


def _held(capability: OwnershipCapability) -> tuple[Set]:
    value = (capability.owner, capability.generation, scope_text(capability.scope), _ACTIVE)
    return (Set(OWNERS, (capability.session_id,), value),)


def _unheld(session_id: str, status: str) -> tuple[Set]:
    return (Set(OWNERS, (session_id,), (None, None, None, status)),)


def _restored(event: events.OwnershipRestored) -> tuple[Set]:
    return _unheld(event.session_id, _ACTIVE) if event.capability is None else _held(event.capability)


def _not_opened(event: events.OpeningWithdrawn) -> tuple[Change]:
    if event.status is events.SessionStatus.UNOPENED:
        return (Unset(OWNERS, (event.session_id,)),)
    return _unheld(event.session_id, event.status.value)


OwnersProjection.handlers = {
    events.SessionOpened: lambda event: _unheld(event.session_id, _ACTIVE),
    events.OwnershipClaimed: lambda event: _held(event.capability),
    events.OwnershipTransferred: lambda event: _held(event.capability),
    events.ScopeAttenuated: lambda event: _held(event.capability),
    events.TransferCommitted: lambda event: _held(event.capability),
    events.OwnershipReleased: lambda event: _unheld(event.capability.session_id, _ACTIVE),
    events.OwnerDied: lambda event: _unheld(event.capability.session_id, _FAULTED),
    events.TransferAbandoned: lambda event: _unheld(event.capability.session_id, _CANCELLED),
    events.TransferCommitFailed: lambda event: _unheld(event.capability.session_id, _FAULTED),
    events.SessionClosed: lambda event: _unheld(event.capability.session_id, _CLOSED),
    events.SessionHandedOver: lambda event: _held(event.capability),
    events.HandOverReverted: lambda event: _held(event.capability),
    events.OwnershipRestored: _restored,
    events.OpeningWithdrawn: _not_opened,
}


class OwnersView(TableMapping[str, OwnerRow]):
    """The owner map as a mapping from session id to its row."""

    table = OWNERS
    projection = OwnersProjection.name

    def _to_item(self, row: Row) -> tuple[str, OwnerRow]:
        """Read a row."""
        session_id, owner, generation, scope, status, since = row
        # A named tuple's own constructor takes twice as long, and maps are long.
        return session_id, _new_tuple(OwnerRow, (owner, generation, read_scope(scope), _STATUS[status], since))


_new_tuple = tuple.__new__
_STATUS = {status.value: status for status in events.SessionStatus}


@lru_cache(maxsize=4_096)
def scope_text(scope: OwnershipScope) -> str:
    """A scope as tables hold it: JSON."""
    return to_json(scope_to_json(scope)).decode()


@lru_cache(maxsize=4_096)
def read_scope(text: str | None) -> OwnershipScope | None:
    """Read what ``scope_text`` wrote."""
    return None if text is None else scope_from_json(from_json(text))
