"""Commands that tell why: why a session is owned and held as it is, and why one event came about."""

from __future__ import annotations

import click
from muniment.scripts.cli.base import (
    MomentCommand,
    at_option,
    cli,
    journal_options,
    open_caught_up,
    open_journal,
    position_of,
)
from muniment.scripts.output import envelope, show, with_times


@cli.command()
@click.argument("session")
@at_option
@click.option("--mermaid", is_flag=True, help="Print the events as a graph for Mermaid.")
@journal_options
def why(session: str, at: str | None, mermaid: bool, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show the events that make the owner and the holder of SESSION what they are, and no others.

    Where nobody owns it, these are those of its last ownership, and what ended it.
    """
    if mermaid and as_json:
        raise click.UsageError("--mermaid and --json are two ways to print it; choose one.")
    # Only the session's own events are read, but a time is looked up in a table.
    opened = open_journal(url, lock_timeout, read_only=True) if at is None else open_caught_up(url, lock_timeout)
    with opened as journal:
        answer = journal.why(session, position_of(journal, at))
    if mermaid:
        # A picture is copied, and is not folded.
        click.echo(answer.to_mermaid())
    elif as_json:
        envelope("why", with_times(answer.to_json()), journal=journal.url, position=answer.position)
    else:
        show(str(answer))


@cli.command(cls=MomentCommand)
@click.argument("event", metavar="EVENT")
@journal_options
def explain(event: str, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show what one event did, what it follows from, and which later events depend on it.

    EVENT is an id, such as session-s-42@3, a position, or a moment: the event at it. Of a refusal it shows what was
    presented, what held instead, since when the presented did not hold any more, and what could have been done.
    """
    with open_caught_up(url, lock_timeout) as journal:
        answer = journal.explain(event)
    if as_json:
        envelope("explain", with_times(answer.to_json()), journal=journal.url, position=answer.event.position)
    else:
        show(str(answer))
