"""Which stream an event is about."""

from __future__ import annotations

from typing import Any, Final

from .artifacts import TimeoutWitness
from .bundle.events import bundle_of
from .errors import InvalidArgument
from .event import Event
from .inbox.events import TypeAdvanced, TypeRestored
from .session.events import WitnessRejected
from .shown import shown

_NAMED_BY: Final = {"saga": "saga_id", "conversation": "conversation_id", "consumer": "consumer", "key": "key"}
"""The field by which every event of a kind names whose it is."""


_SESSION_NAMES: Final = ("session_id", "capability", "receipt", "witness")
_IN_INBOXES: Final = (TypeAdvanced, TypeRestored)
"""Of a session, and in the stream of its inbox, so that they do not race ownership commands."""

_SITE_NAMES: Final = ("site", "witness")
"""The fields one of which says whose an event is: by itself, or by the artifact in it."""


def subject_of(event: Event[Any]) -> tuple[str, str | None]:
    """The kind of stream that an event stands in, and whose; None if it does not say whose.

    A rejected witness may be another session's, and says nothing of the session that it was shown to.

    Raises:
        InvalidArgument: it is no event.
    """
    if not issubclass(type(event), Event):
        raise InvalidArgument("event", f"must be an event, not {shown(event)}")
    kind = "inbox" if isinstance(event, _IN_INBOXES) else event.type.partition(".")[0]
    if kind == "bundle":
        return kind, bundle_of(event)
    if isinstance(event, WitnessRejected):
        return kind, None
    if kind in _NAMED_BY:
        return kind, getattr(event, _NAMED_BY[kind])
    for name in _SITE_NAMES if kind == "site" else _SESSION_NAMES:
        found = getattr(event, name, None)
        if found is not None:
            return kind, found if isinstance(found, str) else _of_artifact(found)
    return kind, None


def _of_artifact(artifact: Any) -> str:
    return str(artifact.site if isinstance(artifact, TimeoutWitness) else artifact.session_id)
