"""The sessions as readers see them: life, terms and roles, who owns and holds each, and how much is unread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ..domain import FootprintClass
from ..domain.session import SessionStatus
from .footprints import FOOTPRINTS
from .inboxes import INBOX
from .owners import OWNERS
from .sessions import ROLES, SESSIONS, SessionsProjection
from .temporal import FOREVER, Row, Value
from .views import MappingView, readable


class SessionRow(NamedTuple):
    """What is known of one session that is not put away.

    Attributes:
        status: active, draining, or how it finished.
        incarnation: how often it was opened.
        epoch: how often this incarnation was drained and closed.
        protocol_id: the protocol that it runs, or None.
        context_id: the context that it belongs to, or None.
        roles: the roles that are played in it.
        current_role: the role that its host plays, or None.
        timeout_ms: how long it may take, in ms, or None.
        started_at: when it was opened, in ms; None if that is not on record.
        due_at: the last moment, in ms, at which it is in time; None if it is over, or may take for ever.
        owner: the label of its owner, or None.
        holder: the authority that has it, natively or by delegation, or None.
        unread: how many envelopes in its inbox are not acknowledged.
        since: the position of the event from which on status, epoch and terms hold.
    """

    status: SessionStatus
    incarnation: int
    epoch: int
    protocol_id: str | None
    context_id: str | None
    roles: tuple[str, ...]
    current_role: str | None
    timeout_ms: int | None
    started_at: int | None
    due_at: int | None
    owner: str | None
    holder: str | None
    unread: int
    since: int


class SessionsView(MappingView[str, SessionRow]):
    """The sessions as a mapping from session id to how each stands; not those that are put away."""

    _table = SESSIONS
    _projection = SessionsProjection.name

    def __getitem__(self, session_id: str) -> SessionRow:
        found = self._find({"session_id": session_id})
        if not found:
            raise KeyError(session_id)
        (row,) = found.values()
        return row

    def __len__(self) -> int:
        return self._count()

    def __iter__(self) -> Iterator[str]:
        return iter([row[0] for row in self._select()])

    def active_count(self) -> int:
        """How many sessions are active; those that drain are not (telltale 8.2)."""
        self._catch_up()
        return self._store.count(SESSIONS, self._position, {"status": SessionStatus.ACTIVE.value})

    def _due_until(self, time: int) -> list[str]:
        """The open sessions whose last moment in time is at or before a time in ms, those of the longest ago first."""
        rows = self._select(between=("due_at", 0, min(time, FOREVER)), order=("due_at",)) if time >= 0 else []
        return [row[0] for row in rows]

    def _next_due(self, now: int) -> int | None:
        """The earliest last moment in time, in ms, that is not over; None if there is none."""
        rows = self._select(between=("due_at", max(0, min(now, FOREVER)), FOREVER), order=("due_at",), limit=1)
        return rows[0][-2] if rows else None

    def _playing(self, role: str) -> list[str]:
        """The open sessions in which a role is played."""
        position = self._catch_up()
        playing = {(row[0], row[1]) for row in self._select({"role": role}, position=position, table=ROLES)}
        found: list[str] = []
        for session_id, incarnation in sorted(playing):
            for row in self._select({"session_id": session_id}, position=position):
                with readable(self._projection, SESSIONS, row):
                    is_open = SessionStatus(row[1]).is_open
                if row[2] == incarnation and is_open:
                    found.append(session_id)
        return found

    def _finished(self) -> list[str]:
        """The sessions that finished, and are not put away."""
        finished = [status for status in SessionStatus if status.is_finished]
        return sorted(row[0] for status in finished for row in self._select({"status": status.value}))

    def _all(self) -> dict[str, SessionRow]:
        return self._find({})

    def _find(self, where: dict[str, Value]) -> dict[str, SessionRow]:
        # All tables as of one position, whatever is written meanwhile.
        position = self._catch_up()
        rows = self._select(where, position=position)
        owners = {row[0]: row[1] for row in self._select(where, position=position, table=OWNERS)}
        unread = Counter(row[0] for row in self._select(where, position=position, table=INBOX))
        holders = {
            row[1]: row[0]
            for row in self._select(where, position=position, table=FOOTPRINTS)
            if row[2] != FootprintClass.DELEGATED_OUT.value
        }
        roles: dict[tuple[str, int], list[tuple[int, str]]] = {}
        for session_id, incarnation, place, role, _ in self._select(where, position=position, table=ROLES):
            roles.setdefault((session_id, incarnation), []).append((place, role))
        found: dict[str, SessionRow] = {}
        for row in rows:
            with readable(self._projection, SESSIONS, row):
                found[row[0]] = _to_row(row, roles, owners.get(row[0]), holders.get(row[0]), unread[row[0]])
        return found


def _to_row(
    row: Row,
    roles: dict[tuple[str, int], list[tuple[int, str]]],
    owner: str | None,
    holder: str | None,
    unread: int,
) -> SessionRow:
    SESSIONS.require_types(row)
    session_id, status, incarnation, epoch, protocol_id, context_id, current_role, timeout_ms, *times, since = row
    started_at, due_at = times
    return SessionRow(
        status=SessionStatus(status),
        incarnation=incarnation,
        epoch=epoch,
        protocol_id=protocol_id,
        context_id=context_id,
        roles=tuple(role for _, role in sorted(roles.get((session_id, incarnation), ()))),
        current_role=current_role,
        timeout_ms=timeout_ms,
        started_at=started_at,
        due_at=due_at,
        owner=owner,
        holder=holder,
        unread=unread,
        since=since,
    )
