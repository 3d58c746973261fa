"""Commands that tell why: why a session is owned and held as it is, and why one event came about."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import Any

import click
from muniment.domain.shown import utc
from muniment.scripts.cli.base import at_option, cli, journal_options, open_caught_up, open_journal
from muniment.scripts.output import envelope, say, show


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
        moment = None if at is None else journal.at(at)
        answer = journal.why(session, moment)
    for note in () if moment is None else moment.notes:
        say(note)
    if as_json:
        envelope("why", _with_times(answer.to_json()), journal=journal.url, position=answer.position)
    else:
        # A picture is copied, and is not folded.
        click.echo(answer.to_mermaid()) if mermaid else show(_fitted(str(answer)))


@cli.command()
@click.argument("event", metavar="POSITION|ID")
@journal_options
def explain(event: str, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show what one event did, what it follows from, and which later events depend on it.

    The event is named by its position, or by its id, such as session-s-42@3. Of a refusal it shows what was presented,
    what held instead, since when the presented did not hold any more, and what could have been done.
    """
    with open_caught_up(url, lock_timeout) as journal:
        is_position = event.isascii() and event.isdecimal() and len(event) < 20
        answer = journal.explain(int(event) if is_position else event)
    if as_json:
        envelope("explain", _with_times(answer.to_json()), journal=journal.url, position=answer.event.position)
    else:
        show(_fitted(str(answer)))


def _with_times(value: Any) -> Any:
    """A plain value with its times as all commands print them."""
    if isinstance(value, dict):
        return {name: utc(each) if name == "time" else _with_times(each) for name, each in value.items()}
    return [_with_times(each) for each in value] if isinstance(value, list) else value


def _fitted(text: str) -> str:
    """A text whose lines fit a terminal, if that is where it goes; no word is broken."""
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(_folded(line, width) for line in text.split("\n"))


def _folded(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
