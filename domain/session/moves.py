"""Which moves a session's life permits, and who may make each: one table (telltale 4; law 5)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from ..effects import SessionStatus

_OPEN: Final = frozenset(status for status in SessionStatus if status.is_open)
_FINISHED: Final = frozenset(status for status in SessionStatus if status.is_finished)


class Mover(StrEnum):
    """Who makes a move."""

    HOST = "host"
    OWNER = "owner of the full session"
    RECEIPT = "whoever holds the receipt of the staged transfer"


class Move(NamedTuple):
    """One move.

    Attributes:
        sources: where the session stands before it.
        target: where it stands after it; None if it stays where it is.
        mover: who makes it.
    """

    sources: frozenset[SessionStatus]
    target: SessionStatus | None
    mover: Mover


MOVES: Final[Mapping[str, Move]] = {
    "open": Move(_FINISHED | {SessionStatus.UNOPENED}, SessionStatus.ACTIVE, Mover.HOST),
    "drain": Move(frozenset({SessionStatus.ACTIVE}), SessionStatus.DRAINING, Mover.OWNER),
    "close": Move(_OPEN, SessionStatus.CLOSED, Mover.OWNER),
    "end": Move(_OPEN, SessionStatus.CLOSED, Mover.HOST),
    "cancel": Move(_OPEN, SessionStatus.CANCELLED, Mover.HOST),
    "fault": Move(_OPEN, SessionStatus.FAULTED, Mover.HOST),
    "owner_died": Move(_OPEN, SessionStatus.FAULTED, Mover.HOST),
    "abandon_transfer": Move(_OPEN, SessionStatus.CANCELLED, Mover.RECEIPT),
    "fail_transfer_commit": Move(_OPEN, SessionStatus.FAULTED, Mover.RECEIPT),
    "archive": Move(_FINISHED, None, Mover.HOST),
}
"""Every move, by its name."""
