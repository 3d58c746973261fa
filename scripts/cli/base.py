"""What the commands of the command line are made of."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection
from contextlib import nullcontext, suppress
from typing import Any, Final, TypeVar

import click
from muniment.domain import JournalError, JournalReadOnly, MunimentError, SessionNotFound
from muniment.domain.identifiers import identifier
from muniment.domain.shown import visible
from muniment.journal import Diff, Journal, Moment, Projections
from muniment.scripts.cli.advice import told
from muniment.scripts.cli.hints import did_you_mean
from muniment.scripts.output import error_envelope, progress_bar, say, wide_option
from muniment.scripts.paging import paged

LARGEST = 2**63 - 1
_NO_PAGER: Final = f"{__name__}.no_pager"

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Command(click.Command):
    """A command whose expected errors are one line on stderr and exit code 2, and which has a pager on a terminal."""

    is_paged = True

    def told(self, error: MunimentError) -> str:
        """An error as this command tells it."""
        return told(error)

    def invoke(self, context: click.Context) -> Any:
        with paged() if self.is_paged and not context.meta.get(_NO_PAGER) else nullcontext():
            try:
                return super().invoke(context)
            except MunimentError as error:
                message = self.told(error)
                if (url := context.params.get("url")) is not None:
                    message += visible(did_you_mean(error, lambda: open_journal(url, 0, read_only=True)))
                if context.params.get("as_json"):
                    error_envelope(error, message)
                else:
                    say(f"Error: {message}")
                sys.exit(2)


class MomentCommand(Command):
    """A command whose arguments may begin with a minus: ``-10m`` is a moment, though it looks like an option."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(context, [_MINUS + each[1:] if _AGO.match(each) else each for each in args])


_AGO: Final = re.compile(r"-\d", re.ASCII)
_MINUS: Final = "\N{MINUS SIGN}"


def as_typed(argument: str) -> str:
    """An argument of a ``MomentCommand`` that is no moment, as it was typed."""
    return f"-{argument[1:]}" if argument.startswith(_MINUS) else argument


class UnpagedCommand(Command):
    """A command that prints as it goes on, whatever is on the screen: no pager may wait for its end."""

    is_paged = False


class _Group(click.Group):
    command_class = Command


def journal_options(command: CommandT) -> CommandT:
    """Give a command what names a journal and says how to print."""
    options = (
        click.option(
            "--journal",
            "url",
            envvar="MUNIMENT_JOURNAL",
            required=True,
            show_envvar=True,
            metavar="URL",
            help="The journal: sqlite:///relative.db, sqlite:////absolute.db or postgresql://user@host/database.",
        ),
        click.option(
            "--lock-timeout",
            type=click.FloatRange(min=0),
            default=5.0,
            show_default=True,
            metavar="SECONDS",
            help="How long to wait for another process that writes.",
        ),
        json_option,
        wide_option,
        _no_pager_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


_no_pager_option = click.option(
    "--no-pager",
    is_flag=True,
    expose_value=False,
    callback=lambda context, _, is_set: context.meta.update({_NO_PAGER: True} if is_set else {}),
    help="Print to the terminal, not through a pager.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
actor_option = click.option(
    "--actor", envvar="MUNIMENT_ACTOR", show_envvar=True, metavar="NAME", help="On whose behalf it is appended."
)
at_option = click.option(
    "--at", metavar="MOMENT", help="As it was at a position, an event, or a time such as 10:42 or 2026-01-31T09:30:00Z."
)


def open_journal(url: str, lock_timeout: float, *, read_only: bool = False) -> Journal:
    """Open a journal that there is."""
    return Journal.open(url, create=False, lock_timeout_s=lock_timeout, read_only=read_only)


def open_caught_up(url: str, lock_timeout: float) -> Journal:
    """Open a journal with its tables up to date, showing how far that has come.

    Where nothing may be written, the tables are made elsewhere.
    """
    journal = None
    with progress_bar("catching up") as progress, suppress(JournalError):
        # If a record cannot be read, the command that then reads the tables reports it.
        try:
            journal = open_journal(url, lock_timeout)
            journal.catch_up(progress)
        except JournalReadOnly:
            if journal is not None:
                journal.close()
            journal = open_journal(url, lock_timeout, read_only=True)
            journal.catch_up(progress)
    return journal or open_journal(url, lock_timeout)


def tables_at(journal: Journal, at: str | None) -> Moment:
    """The tables as the option --at says."""
    return journal.at(journal.head()) if at is None else moment_of(journal, at)


def moment_of(journal: Journal, said: str) -> Moment:
    """A moment as it was typed; what had to be assumed is told on stderr."""
    return noted(journal.at(said))


def noted(moment: Moment) -> Moment:
    """The moment, once what had to be assumed of it is told on stderr."""
    for note in moment.notes:
        say(note)
    return moment


def position_of(journal: Journal, said: str | None) -> int | None:
    """The position of a moment, or None for none."""
    return None if said is None else moment_of(journal, said).position


def without_timeline(found: Diff, tables: Collection[str] = ()) -> Diff:
    """What changed, without what every event changes, unless it is asked for: the latest time of all."""
    return Diff(found.start, found.end, (each for each in found if tables or each.table not in _OF_TIME))


_OF_TIME: Final = ("timeline", "clock_steps")


def require_session(tables: Projections, session_id: str) -> None:
    """Make sure that a session was opened.

    Raises:
        SessionNotFound, InvalidIdentifier
    """
    if identifier("SESSION", session_id) not in tables.owners:
        raise SessionNotFound(session_id)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="muniment")
@_no_pager_option
def cli() -> None:
    """Read, replay and undo in a Muniment journal: who holds what, by whose leave, and how it came about.

    Data goes to stdout, everything else to stderr. Exit codes: 0 fine, 1 found what it looks for, such as a
    difference, 2 wrong usage or input.
    """
