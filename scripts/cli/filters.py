"""Options by which commands choose records, the same ones everywhere, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click
from muniment.domain import InvalidArgument, SessionNotFound, UnknownVersion, session_stream
from muniment.domain.identifiers import identifier
from muniment.journal import Journal
from muniment.scripts.cli.base import position_of

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Filters(NamedTuple):
    """What the options say, as they were given."""

    types: tuple[str, ...]
    stream: str | None
    in_session: str | None
    actor: str | None
    correlation: str | None
    since: str | None
    until: str | None
    grep: str | None

    def chosen(self, journal: Journal) -> dict[str, Any]:
        """What ``journal.records`` and ``journal.follow`` take of it: everything but moments.

        Raises:
            InvalidArgument: a stream and a session are named.
            SessionNotFound, UnknownVersion: there is no such session, or no such stream.
        """
        if self.in_session is not None and self.stream is not None:
            raise InvalidArgument("--stream", "does not go with a session")
        stream = self.stream if self.in_session is None else session_stream(identifier("SESSION", self.in_session))
        if stream is not None and next(journal.read_stream(stream, limit=1), None) is None:
            raise UnknownVersion(stream, 0, 0) if self.in_session is None else SessionNotFound(self.in_session)
        return {
            "types": self.types,
            "stream": stream,
            "actor": self.actor,
            "correlation_id": self.correlation,
            "grep": self.grep,
        }

    def between(self, journal: Journal) -> tuple[int | None, int | None]:
        """Since when and until when, each as a position."""
        return position_of(journal, self.since), position_of(journal, self.until)


def filter_options(command: CommandT) -> CommandT:
    """Give a command the options, as its argument ``filters``."""

    @wraps(command)
    def collected(*arguments: Any, **given: Any) -> Any:
        return command(*arguments, filters=Filters(*(given.pop(name) for name in Filters._fields)), **given)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected  # type: ignore[return-value]  # it is what the decorators of click make of the command


since_option = click.option(
    "--since",
    metavar="MOMENT",
    help="Only what came after a position, an event, or a time such as -10m.",
)
until_option = click.option("--until", metavar="MOMENT", help="Only what had happened by then.")
_OPTIONS = (
    click.option(
        "--type",
        "types",
        multiple=True,
        metavar="TYPE",
        help="Only this type, or those that begin so, or match a glob such as '*rejected'; may be given again.",
    ),
    click.option("--stream", metavar="STREAM", help="Only this stream, such as bundle-chat or saga-0123456789abcdef."),
    click.option("--session", "in_session", metavar="SESSION", help="Only what happened to this session."),
    click.option("--actor", metavar="NAME", help="Only what was appended on this behalf."),
    click.option("--correlation", metavar="ID", help="Only what belongs to this conversation or request."),
    since_option,
    until_option,
    click.option(
        "--grep", metavar="TEXT", help="Only records that hold this text; in lower case it stands for upper case too."
    ),
)
