"""The commands, as what the journal has of each kind; and the passing of time."""

from __future__ import annotations

from typing import Any

from ...domain import Event, conversation_stream
from ...projections import Progress
from .bundles import Bundles
from .conversations import Conversations
from .inboxes import Inboxes
from .sessions import Sessions
from .sites import Sites


class Commands:
    """The commands of each kind."""

    _session_commands: Sessions
    _inbox_commands: Inboxes
    _site_commands: Sites
    _bundle_commands: Bundles
    _conversation_commands: Conversations

    @property
    def sessions(self) -> Sessions:
        """The commands on sessions, and how each stands: a mapping from session id to a row."""
        return self._session_commands

    @property
    def inbox(self) -> Inboxes:
        """The commands on envelopes, and what is unread: a mapping from (session id, number) to a row."""
        return self._inbox_commands

    @property
    def sites(self) -> Sites:
        """The commands on sites, and how each stands: a mapping from site to a row."""
        return self._site_commands

    @property
    def bundles(self) -> Bundles:
        """The commands on bundles, and the bundles that are known: a mapping from bundle id to a row."""
        return self._bundle_commands

    @property
    def conversations(self) -> Conversations:
        """The commands on conversations, the passing of time, and where each stands: a mapping from id to a row."""
        return self._conversation_commands

    def tick(self, now: int | None = None, progress: Progress | None = None) -> dict[str, tuple[Event[Any], ...]]:
        """Do what is due by itself, once. Only conversations have such deadlines; see ``Conversations.tick``.

        Nothing happens to a session that is over its time: ``journal.sessions.timed_out`` lists them, and the host
        decides. Sites go by ticks of their own: ``journal.sites.tick``.

        Args:
            now: the time, in ms; by default the journal's clock tells it.
            progress: called with how much is done, and how much there is to do.

        Returns:
            What happened, by stream; empty if nothing did.
        """
        return by_stream(self._conversation_commands.tick(now, progress=progress))

    def next_wakeup(self, now: int | None = None) -> int | None:
        """How long until something is due in a conversation, or a session is over its time.

        Args:
            now: the time, in ms; by default the journal's clock tells it.

        Returns:
            A time in ms: 0 if something is due; None if nothing ever will be, as things are. A session that is over its
            time already is no longer in it.
        """
        wakeups = (self._conversation_commands.next_wakeup(now), self._session_commands.next_wakeup(now))
        return min((each for each in wakeups if each is not None), default=None)


def by_stream(happened: dict[str, tuple[Event[Any], ...]]) -> dict[str, tuple[Event[Any], ...]]:
    """What happened in conversations, by their streams."""
    return {conversation_stream(conversation_id): events for conversation_id, events in happened.items()}
