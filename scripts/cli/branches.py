"""What would be otherwise: a branch of the journal, in memory, and what is different in it."""

from __future__ import annotations

import sys

import click
from muniment.domain import CommandRefused, MunimentError
from muniment.journal import Diff
from muniment.scripts.cli.base import Command, cli, journal_options, noted, open_caught_up, without_timeline
from muniment.scripts.output import envelope, show, table

_NOTHING = "-"


class _WhatIf(Command):
    """A command that appends nothing: it says what is in the way, and not to undo that first."""

    def told(self, error: MunimentError) -> str:
        return (
            str(error).removesuffix(f"; {error.advice}") if isinstance(error, CommandRefused) else super().told(error)
        )


@cli.command("what-if", cls=_WhatIf)
@click.option("--at", metavar="MOMENT", help="Begin at a position, an event's id, a time, or HEAD~3, instead of now.")
@click.option(
    "--without", metavar="EVENT", required=True, help="What had been if this event had not: it is reverted first."
)
@journal_options
def what_if(at: str | None, without: str, url: str, lock_timeout: float, as_json: bool) -> None:
    """Tell what would be otherwise without an event, as things stand now or stood at a moment. Nothing is appended.

    The event is reverted in a branch of the journal, which is in memory and gone afterwards. Exits with 1 if anything
    is otherwise there, and with 2 if the event cannot be reverted, such as where a later one stands on it.
    """
    with open_caught_up(url, lock_timeout) as journal, journal.what_if(at, without=without) as branch:
        base, found = branch.base, without_timeline(branch.changes())
        if as_json:
            facts = {"base": base.position, "notes": list(base.notes), "without": without, **found.to_json()}
            envelope("what-if", facts, journal=journal.url, position=base.position)
        else:
            noted(base)
            _show(found, base.position)
    sys.exit(1 if len(found) else 0)


def _show(found: Diff, base: int) -> None:
    if not found:
        show(f"Nothing would be otherwise than at position {base}.")
        return
    rows = [
        (each.table, ", ".join(map(str, each.parts)), column, was, now)
        for each in found
        for column in each.columns
        for was, now in [(_told(each.was, column), _told(each.now, column))]
        if was != now
    ]
    show(table(f"Otherwise than at position {base}", ["table", "key", "column", "was", "would be"], rows))


def _told(row: dict[str, str | int | None] | None, column: str) -> str:
    value = None if row is None else row[column]
    return _NOTHING if value is None else str(value)
