"""Did you mean: what is there, where somebody named what is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from muniment.domain import (
    BundleNotFound,
    ConversationNotFound,
    MunimentError,
    SessionNotFound,
    UnknownEvent,
    UnknownVersion,
    bundle_stream,
    conversation_stream,
    session_stream,
)
from muniment.journal import Journal

_MISSED: Final[Mapping[type[MunimentError], tuple[str, Callable[[Any], str]]]] = {
    SessionNotFound: ("session-", lambda error: session_stream(error.session_id)),
    BundleNotFound: ("bundle-", lambda error: bundle_stream(error.bundle_id)),
    ConversationNotFound: ("conversation-", lambda error: conversation_stream(error.conversation_id)),
    UnknownVersion: ("", lambda error: error.stream),
    UnknownEvent: ("", lambda error: error.event_id.rpartition("@")[0]),
}
"""The stream that an error misses, and what of its name the caller does not say."""


def did_you_mean(error: MunimentError, open_again: Callable[[], Journal]) -> str:
    """What may have been meant, to be put behind an error's message; empty if nothing is like it.

    Args:
        error: the error.
        open_again: opens the journal for reading; the command has closed it.
    """
    if type(error) not in _MISSED or (isinstance(error, UnknownVersion) and error.last):
        return ""
    beginning, stream_of = _MISSED[type(error)]
    try:
        with open_again() as journal:
            near = journal.similar_streams(stream_of(error))
    except MunimentError:
        # The error that there is says more.
        return ""
    return f"; did you mean {' or '.join(name.removeprefix(beginning) for name in near)}?" if near else ""
