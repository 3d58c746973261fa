"""The owner map: who holds each session, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from pydantic_core import from_json, to_json

from ..domain import OwnershipScope, RecordedEvent, session
from ..domain.effects import SessionStatus
from ..domain.scope import scope_from_json, scope_to_json
from .projection import Projection
from .temporal import Change, Row, Set, TemporalTable, Unset, Value
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
        status: active while the session is open, also while it drains; or how it finished.
        since: the position of the event from which on all this holds.
    """

    owner: str | None
    generation: int | None
    scope: OwnershipScope | None
    status: session.SessionStatus
    since: int


class OwnersProjection(Projection):
    """Sets a row with every change of owner, generation, scope or status."""

    name = "owners"
    tables = (OWNERS,)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Set or unset the row of the session whose owner or status the event changed."""
        effects = record.event.effects
        if effects is None:
            return ()
        held, status = effects.capability, effects.status
        row: tuple[Value, ...]
        if held is not None:
            row = (held.owner, held.generation, scope_text(held.scope), _ACTIVE)
        elif status is SessionStatus.UNOPENED:
            return (Unset(OWNERS, (effects.session_id,)),)
        elif isinstance(record.event, _OWNER_STAYS):
            return ()
        elif status is not None or effects.ends_ownership:
            row = (None, None, None, _ACTIVE if status is None else status.value)
        else:
            return ()
        return (Set(OWNERS, (effects.session_id,), row),)


_OWNER_STAYS: Final = (session.SessionDrained, session.DrainingWithdrawn)
"""The types of events that change the status of a session that stays open, and leave its owner alone."""

# A plain string: an enum's value is looked up every time, and that shows when a million events are folded.
_ACTIVE: Final = SessionStatus.ACTIVE.value


class OwnersView(TableMapping[str, OwnerRow]):
    """The owner map as a mapping from session id to its row."""

    _table = OWNERS
    _projection = OwnersProjection.name

    def _to_item(self, row: Row) -> tuple[str, OwnerRow]:
        """Read a row."""
        session_id, owner, generation, scope, status, since = row
        # A named tuple's own constructor takes twice as long, and maps are long.
        return session_id, _new_tuple(OwnerRow, (owner, generation, read_scope(scope), _STATUS[status], since))


_new_tuple = tuple.__new__
_STATUS = {status.value: status for status in session.SessionStatus}


@lru_cache(maxsize=4_096)
def scope_text(scope: OwnershipScope) -> str:
    """A scope as tables hold it: JSON."""
    return to_json(scope_to_json(scope)).decode()


@lru_cache(maxsize=4_096)
def read_scope(text: str | None) -> OwnershipScope | None:
    """Read what ``scope_text`` wrote."""
    return None if text is None else scope_from_json(from_json(text))
