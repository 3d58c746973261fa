"""Which state the events of a stream add up to, by the kind of the stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .bundle import BundleState
from .consumer import ConsumerState
from .conversation import ConversationState
from .errors import InvalidIdentifier
from .idempotency import KeyState
from .identifiers import text
from .inbox import InboxState
from .saga import SagaState
from .session import SessionState
from .site import SiteState
from .stream_names import split_stream

_STATES: Final[dict[str, Callable[[str], Any]]] = {
    "bundle": BundleState,
    "consumer": ConsumerState,
    "conversation": ConversationState,
    "inbox": InboxState,
    "key": KeyState,
    "saga": SagaState,
    "session": SessionState,
    "site": SiteState,
}


def new_state(stream: str) -> Any:
    """The state of a stream before its first event.

    Raises:
        InvalidIdentifier: there is no such kind of stream.
    """
    kind, identity = split_stream(text("stream", stream))
    if kind not in _STATES:
        raise InvalidIdentifier("stream", f"must begin with one of {', '.join(sorted(_STATES))}, not {stream!r}")
    return _STATES[kind](identity)
