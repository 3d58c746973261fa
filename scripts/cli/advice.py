"""What to do about an error, for who types commands; an error itself advises who writes Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from muniment.domain import (
    AlreadyCompensated,
    BundleNotFound,
    ConversationNotFound,
    DamagedRecord,
    JournalDamaged,
    JournalLocked,
    JournalNotFound,
    JournalReadOnly,
    JournalWithoutId,
    LaterEventDepends,
    MunimentError,
    NotStored,
    ProjectionStopped,
    SagaNotFound,
    SessionNotFound,
    UndoMissing,
    UnknownEvent,
    UnknownPosition,
    UnknownVersion,
)
from muniment.domain.shown import visible

_ADVICE: Final[Mapping[type[MunimentError], Callable[[Any], str]]] = {
    AlreadyCompensated: lambda error: f"'muniment revert {error.compensated_by}' restores it",
    BundleNotFound: lambda _: "'muniment bundles' lists the registered bundles",
    ConversationNotFound: lambda _: "'muniment conversations' lists the conversations",
    DamagedRecord: lambda _: "'muniment verify' finds every damaged record",
    JournalDamaged: lambda _: "go back to a backup with 'muniment restore', or to an export with 'muniment import'",
    JournalLocked: lambda _: "try again, or give it longer with --lock-timeout",
    JournalNotFound: lambda _: "name another with --journal or MUNIMENT_JOURNAL, or see one with 'muniment demo'",
    JournalReadOnly: lambda _: "have it done by who may write it",
    JournalWithoutId: lambda _: "begin at a position, or give a command that may write it once, such as 'owners'",
    LaterEventDepends: lambda error: (
        f"that later event cannot be undone either: {error.stays}"
        if error.stays
        else f"'muniment revert {error.later_event_id}' first"
    ),
    NotStored: lambda _: "remove the trigger or rule that does so, which 'muniment verify' names",
    ProjectionStopped: lambda _: "'muniment verify' tells what is wrong with the events",
    SagaNotFound: lambda _: "'muniment sagas' lists them",
    SessionNotFound: lambda _: "'muniment owners' lists the sessions",
    UndoMissing: lambda error: f"undo them by hand, and give {' '.join(f'--leave {step}' for step in error.steps)}",
    UnknownEvent: lambda _: "'muniment log' shows the ids",
    UnknownPosition: lambda _: "'muniment log' shows the positions",
    UnknownVersion: lambda _: "'muniment log --stream' shows the versions",
}


def told(error: MunimentError) -> str:
    """An error as the command line tells it: what is wrong, and which command helps."""
    message = str(error)
    advise = _ADVICE.get(type(error))
    if advise is None:
        return message
    return visible(f"{message.removesuffix(f'; {error.advice}')}; {advise(error)}")
