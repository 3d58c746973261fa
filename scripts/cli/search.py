"""Commands that find when something went wrong first."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, Final

import click
from muniment.domain import InvalidArgument, SearchStopped
from muniment.domain.shown import utc
from muniment.journal import SKIP, Bisection, Journal, Moment
from muniment.scripts.cli.base import UnpagedCommand, cli, journal_options, moment_of, open_caught_up, require_session
from muniment.scripts.describe import what_happened
from muniment.scripts.output import envelope, progress_bar, record_to_plain, say, show

_RUN: Final = "run"
_STDERR: Final = 2
_CANNOT_TELL: Final = 125
_STOPS: Final = 128
"""From which exit code on a command that was run stops the search, as git has it."""

_CHECK_HELP: Final = (
    "coherent, every-session-owned, no-refusals, session-owned:SESSION, or law-1 to law-8; see docs/time-travel.md."
)


@cli.command()
@click.option("--check", required=True, metavar="NAME", help=_CHECK_HELP)
@click.option("--start", metavar="MOMENT", default="0", help="Where to begin; by default before the first event.")
@click.option("--end", metavar="MOMENT", default="HEAD", help="Where to end; by default now.")
@journal_options
def first(check: str, start: str, end: str, url: str, lock_timeout: float, as_json: bool) -> None:
    """Find the first position at which a check fails, exactly, by one pass over what changed.

    Exits with 1 if it fails anywhere.
    """
    with open_caught_up(url, lock_timeout) as journal, progress_bar("looking") as progress:
        begin, last = moment_of(journal, start), moment_of(journal, end)
        _require_session(last, check)
        found = journal.first(check, start=begin, end=last, progress=progress)
        if as_json:
            facts = {"check": check, "start": begin.position, "end": last.position, "first": _plain(found)}
            envelope("first", facts, journal=journal.url, position=last.position)
        elif found is None:
            show(f"{check} holds from position {begin.position} to {last.position}")
        else:
            is_start = found.position == begin.position
            show(f"{check} fails {'already' if is_start else 'first'} at position {found.position}")
            if not is_start:
                _show_event(found)
    sys.exit(0 if found is None else 1)


@cli.command(cls=UnpagedCommand, context_settings={"allow_interspersed_args": False})
@click.option("--check", metavar="NAME", help=_CHECK_HELP)
@click.option("--good", metavar="MOMENT", default="0", help="A moment at which all is well; by default the first.")
@click.option("--bad", metavar="MOMENT", default="HEAD", help="A later one at which it is not; by default now.")
@journal_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[run COMMAND...]")
def bisect(
    check: str | None, good: str, bad: str, command: tuple[str, ...], url: str, lock_timeout: float, as_json: bool
) -> None:
    """Find by halving when a check, or a command, began to fail. It assumes that this happened once.

    With run, COMMAND is called for some moments, and says by its exit code how each is: 0 good, 1 to 124, 126 and 127
    bad, 125 that it cannot tell; 128 and above stop the search. Its environment has MUNIMENT_POSITION and
    MUNIMENT_JOURNAL: 'muniment owners --at $MUNIMENT_POSITION' shows what it is to judge. What it prints goes to
    stderr.

    Exits with 1 once it is found, or once nothing but what cannot be told is left.
    """
    if (check is None) == (not command) or (command and command[0] != _RUN) or command == (_RUN,):
        raise InvalidArgument("bisect", "takes either --check NAME or run COMMAND")
    with open_caught_up(url, lock_timeout) as journal, progress_bar("halving") as progress:
        begin, last = moment_of(journal, good), moment_of(journal, bad)
        _require_session(last, check or "")
        predicate = check if check is not None else _Running(command[1:], url)
        found = journal.bisect(predicate, begin, last, progress=progress)
        if as_json:
            bad_event = _plain(journal.at(found.bad))
            facts = {"check": check, **found.to_json(), "first_bad": bad_event}
            envelope("bisect", facts, journal=journal.url, position=last.position)
        else:
            _show_bisection(journal, found)
    sys.exit(1)


def _require_session(last: Moment, check: str) -> None:
    """Make sure that a check is of a session that there is: a misspelt one would hold for ever."""
    kind, _, session_id = check.partition(":")
    if kind == "session-owned" and session_id:
        require_session(last, session_id)


class _Running:
    """Asks a command about moments.

    Args:
        command: its name and arguments.
        url: the journal.
    """

    def __init__(self, command: tuple[str, ...], url: str) -> None:
        self._command = command
        self._url = url

    def __call__(self, moment: Moment) -> object:
        environment = os.environ | {"MUNIMENT_POSITION": str(moment.position), "MUNIMENT_JOURNAL": self._url}
        try:
            # What it prints is not what this command found.
            ran = subprocess.run(self._command, env=environment, stdout=_STDERR, check=False)  # noqa: S603
        except OSError as error:
            raise SearchStopped(f"{self._command[0]} cannot be run: {error.strerror or error}") from None
        code = ran.returncode if ran.returncode >= 0 else _STOPS - ran.returncode
        if code >= _STOPS:
            raise SearchStopped(f"{self._command[0]} ended with {code} at position {moment.position}")
        answer = {0: "good", _CANNOT_TELL: "cannot be told"}.get(code, "bad")
        say(f"position {moment.position}: {answer}")
        return SKIP if code == _CANNOT_TELL else code == 0


def _plain(moment: Moment | None) -> dict[str, Any] | None:
    if moment is None:
        return None
    event = moment.event
    return {"position": moment.position, "event": None if event is None else record_to_plain(event)}


def _show_bisection(journal: Journal, found: Bisection) -> None:
    show(f"{found}")
    if found.is_exact:
        _show_event(journal.at(found.bad))


def _show_event(moment: Moment) -> None:
    event = moment.event
    if event is not None:
        show(f"{utc(event.metadata.recorded_at)}  {event.id}  {event.type}  {what_happened(event)}")
