"""Sessions: how each stands, its terms and roles; and those that are put away (aura 1.2; telltale 1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from ..domain import RecordedEvent, TerminalReason, session
from ..domain.session import SessionCounts, SessionEnding, SessionStatus, SessionTerms
from .remembering import RememberingProjection
from .temporal import Change, Row, Set, TemporalTable, Unset, Value
from .views import TableMapping

SESSIONS = TemporalTable(
    name="sessions",
    version=1,
    key={"session_id": str},
    columns={
        "status": str,
        "incarnation": int,
        "epoch": int,
        "protocol_id": str,
        "context_id": str,
        "host_role": str,
        "timeout_ms": int,
        "started_at": int,
        "due_at": int,
    },
    lookup=("status",),
    ordered=("due_at",),
    nullable=frozenset({"protocol_id", "context_id", "host_role", "timeout_ms", "started_at", "due_at"}),
)
ROLES = TemporalTable(
    name="session_roles",
    version=1,
    key={"session_id": str, "incarnation": int, "place": int},
    columns={"role": str},
    lookup=("role",),
)
ARCHIVE = TemporalTable(
    name="session_archive",
    version=2,
    key={"session_id": str, "incarnation": int},
    columns={"summary": str},
)

_STATUS, _EPOCH, _TERMS, _DUE = 0, 2, 3, 8
"""The places of columns in a row of sessions, behind its key."""

_ARCHIVED: Final = TypeAdapter(session.SessionArchived)


class ArchivedSession(NamedTuple):
    """A finished incarnation that was put away (telltale 1.4, ``ClosedSessionSummary``).

    Attributes:
        status: how it finished.
        reason: why its ownership ended for good, or None.
        terms: what it was opened with.
        counts: what it consisted of.
        ending: when it ended, how long it took, what was lost; None if an older Muniment ended it.
        last_owner: the label of its last owner; None if nobody ever owned it.
        since: the position of the event that put it away.
    """

    status: SessionStatus
    reason: TerminalReason | None
    terms: SessionTerms
    counts: SessionCounts
    ending: SessionEnding | None
    last_owner: str | None
    since: int


class SessionsProjection(RememberingProjection):
    """Follows every session's life."""

    name = "sessions"
    tables = (SESSIONS, ROLES, ARCHIVE)

    def handle(self, record: RecordedEvent) -> Iterable[Change]:
        """Say what a record sets and unsets."""
        event: Any = record.event
        match event:
            case session.SessionOpened():
                return self._begun(event, SessionStatus.ACTIVE)
            case session.OpeningWithdrawn():
                return self._withdrawn(event)
            case session.SessionArchived():
                key = (event.session_id, event.incarnation)
                summary = Set(ARCHIVE, key, (_ARCHIVED.dump_json(event).decode(),))
                roles = (Unset(ROLES, (*key, place)) for place in range(event.counts.roles))
                return summary, self._unset(SESSIONS, (event.session_id,)), *roles
            case session.TermsChanged():
                return self._changed(event.session_id, terms=event.terms)
        effects = event.effects
        if effects is None or effects.status is None:
            return ()
        ending: SessionEnding | None = getattr(event, "ending", None)
        epoch = getattr(event, "epoch", None) if ending is None else ending.epoch
        return self._changed(effects.session_id, status=effects.status, epoch=epoch)

    def _begun(self, event: Any, status: SessionStatus, epoch: int = 0) -> Iterator[Change]:
        terms = event.terms or SessionTerms()
        row = (status.value, event.incarnation, epoch, *_of_terms(terms, is_open=status.is_open))
        yield self._set(SESSIONS, (event.session_id,), row)
        for place, role in enumerate(event.roles):
            yield Set(ROLES, (event.session_id, event.incarnation, place), (role,))

    def _withdrawn(self, event: session.OpeningWithdrawn) -> Iterable[Change]:
        if event.status is SessionStatus.UNOPENED or event.archived:
            return (self._unset(SESSIONS, (event.session_id,)),)
        return self._begun(event, event.status, 0 if event.ending is None else event.ending.epoch)

    def _changed(
        self,
        session_id: str,
        *,
        status: SessionStatus | None = None,
        epoch: int | None = None,
        terms: SessionTerms | None = None,
    ) -> Iterable[Change]:
        row = self._row(SESSIONS, (session_id,))
        if row is None:
            return ()
        changed: list[Value] = list(row)
        if status is not None:
            changed[_STATUS] = status.value
            if not status.is_open:
                changed[_DUE] = None
        if epoch is not None:
            changed[_EPOCH] = epoch
        if terms is not None:
            changed[_TERMS:] = _of_terms(terms, is_open=True)
        return (self._set(SESSIONS, (session_id,), tuple(changed)),)


def _of_terms(terms: SessionTerms, *, is_open: bool) -> tuple[Value, ...]:
    due = terms.due_at if is_open else None
    return (terms.protocol_id, terms.context_id, terms.current_role, terms.timeout_ms, terms.started_at, due)


class ArchiveView(TableMapping[tuple[str, int], ArchivedSession]):
    """The incarnations that were put away, by session id and incarnation."""

    _table = ARCHIVE
    _projection = SessionsProjection.name

    def of_session(self, session_id: str) -> dict[int, ArchivedSession]:
        """Those of one session, by incarnation."""
        return {key[1]: row for key, row in map(self._read, self._select({"session_id": session_id}))}

    def _to_item(self, row: Row) -> tuple[tuple[str, int], ArchivedSession]:
        session_id, incarnation, summary, since = row
        told = _ARCHIVED.validate_json(summary)
        summarized = ArchivedSession(
            told.status, told.reason, told.terms, told.counts, told.ending, told.last_owner, since
        )
        return (session_id, incarnation), summarized
