"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click
from muniment.domain import (
    CATALOGUE,
    InvalidArgument,
    JournalDamaged,
    JournalError,
    JournalReadOnly,
    MunimentError,
    RecordedEvent,
    SessionNotFound,
    identifier,
)
from muniment.journal import Finding, Journal, Projections, VerificationReport
from muniment.scripts.demo import run_demo
from muniment.scripts.output import (
    describe,
    envelope,
    error_envelope,
    progress_bar,
    record_to_plain,
    say,
    short_kind,
    show,
    table,
    to_plain,
    utc,
)
from pydantic_core import to_json

_LARGEST = 2**63 - 1

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class _Command(click.Command):
    """A command whose expected errors are one line on stderr and exit code 2."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except MunimentError as error:
            if context.params.get("as_json"):
                error_envelope(error)
            else:
                say(f"Error: {error}")
            sys.exit(2)


class _Group(click.Group):
    command_class = _Command


def _journal_options(command: CommandT) -> CommandT:
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
        _json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_at_option = click.option(
    "--at", metavar="POSITION|TIME", help="As it was at a position, or at a time such as 2026-01-31T09:30:00Z."
)


def _open(url: str, lock_timeout: float, *, read_only: bool = False) -> Journal:
    return Journal.open(url, create=False, lock_timeout_s=lock_timeout, read_only=read_only)


def _open_caught_up(url: str, lock_timeout: float) -> Journal:
    """Open a journal with its tables up to date, showing how far that has come.

    Where nothing may be written, the tables are made elsewhere.
    """
    journal = None
    with progress_bar("catching up") as progress, suppress(JournalError):
        # What cannot be passed is told by the read, if it is in its way.
        try:
            journal = _open(url, lock_timeout)
            journal.catch_up(progress)
        except JournalReadOnly:
            if journal is not None:
                journal.close()
            journal = _open(url, lock_timeout, read_only=True)
            journal.catch_up(progress)
    return journal or _open(url, lock_timeout)


def _as_of(journal: Journal, at: str | None) -> Projections:
    if at is None:
        return journal.at(position=journal.head())
    if at.isdecimal() and len(at) < 20:
        return journal.at(position=int(at))
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        raise InvalidArgument("--at", f"takes a position or an ISO 8601 time, not {at!r}") from None
    return journal.at(time=time)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="muniment")
def cli() -> None:
    """Read and replay a Muniment journal: who holds what, by whose leave, and how it came about.

    Data goes to stdout, everything else to stderr. Exit codes: 0 fine, 1 a difference was found, 2 wrong usage or
    input.
    """


@cli.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@_json_option
def demo(file: Path | None, as_json: bool) -> None:
    """Make a journal from a recorded trace, and look around in it.

    FILE is where the journal is made; it must not exist. The default is muniment-demo.db in the current folder.
    """
    run_demo(file, as_json=as_json)


@cli.command()
@click.argument("session", required=False)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0, max=_LARGEST),
    default=50,
    show_default=True,
    help="At most so many; 0: all.",
)
@click.option("--reverse", is_flag=True, help="Oldest first.")
@_journal_options
def log(session: str | None, limit: int, reverse: bool, url: str, lock_timeout: float, as_json: bool) -> None:
    """List what happened, newest first; with SESSION, to that session."""
    with _open(url, lock_timeout, read_only=True) as journal:
        records = _log_of(journal, session, limit, oldest_first=reverse)
    if as_json:
        envelope("log", [record_to_plain(record) for record in records], journal=journal.url)
        return
    rows = [
        (each.position, utc(each.metadata.recorded_at), each.id, each.type, describe(each.event), each.metadata.actor)
        for each in records
    ]
    show(table(journal.url, ["position", "time", "event", "type", "what", "actor"], rows))
    if limit and len(rows) == limit:
        say(f"at most {limit} events are listed; --limit 0 lists all")


def _log_of(journal: Journal, session: str | None, limit: int, *, oldest_first: bool) -> list[RecordedEvent]:
    if session is not None:
        stream = f"session-{identifier('SESSION', session)}"
        records = list(journal.read_stream(stream, newest_first=not oldest_first, limit=limit or None))
        if not records:
            raise SessionNotFound(session)
        return records
    if oldest_first:
        return list(journal.read(limit=limit or None))
    # Positions are without gaps, so the last ones are known.
    return list(journal.read(max(0, journal.head() - limit) if limit else 0))[::-1]


@cli.command()
@click.option(
    "-n", "--limit", type=click.IntRange(min=0, max=_LARGEST), default=10, show_default=True, help="Begin with so many."
)
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on with what is committed from now on.")
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice(list(CATALOGUE)),
    metavar="TYPE",
    help="Only this type of event; may be given again.",
)
@_journal_options
def tail(limit: int, follows: bool, types: tuple[str, ...], url: str, lock_timeout: float, as_json: bool) -> None:
    """Print the last events, a line each, oldest first; with -f, go on until interrupted.

    --type chooses among the events that would be printed otherwise.

    With --json, every line is one JSON object.
    """
    with _open(url, lock_timeout, read_only=True) as journal, ExitStack() as stack:
        # Positions are without gaps, so the last ones are known.
        after = max(0, journal.head() - limit)
        records = stack.enter_context(journal.follow(after, types)) if follows else journal.read(after)
        try:
            for record in records:
                if not types or record.type in types:
                    _print_line(record, as_json=as_json)
        except KeyboardInterrupt:
            say("")


def _print_line(record: RecordedEvent, *, as_json: bool) -> None:
    if as_json:
        click.echo(to_json(record_to_plain(record)))
    else:
        when = utc(record.metadata.recorded_at)
        click.echo(f"{record.position}  {when}  {record.id}  {record.type}  {describe(record.event)}")


@cli.command("show")
@click.argument("position", type=click.IntRange(min=1, max=_LARGEST))
@_journal_options
def show_record(position: int, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show the event at POSITION, whole."""
    with _open(url, lock_timeout, read_only=True) as journal:
        plain = record_to_plain(journal.record(position))
    if as_json:
        envelope("show", plain, journal=journal.url)
        return
    rows = [(name, value) for name, value in plain.items() if name not in ("data", "metadata")]
    rows += [(f"data.{name}", value) for name, value in plain["data"].items()]
    rows += [(f"metadata.{name}", value) for name, value in plain["metadata"].items()]
    show(table(f"{journal.url}, position {position}", ["field", "value"], rows))


@cli.command()
@_at_option
@_journal_options
def owners(at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show who holds each session, now or as it was."""
    with _open_caught_up(url, lock_timeout) as journal:
        as_of = _as_of(journal, at)
        items = as_of.owners.items()
    if as_json:
        data = [{"session_id": session_id, **to_plain(row)} for session_id, row in items]
        envelope("owners", data, journal=journal.url, position=as_of.position)
        return
    rows = [(name, row.owner, row.generation, row.scope, row.status, row.since) for name, row in items]
    title = f"{journal.url} as of position {as_of.position}"
    show(table(title, ["session", "owner", "generation", "scope", "status", "since"], rows))


@cli.command()
@click.argument("session", required=False)
@_at_option
@_journal_options
def audit(session: str | None, at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show what became of every artifact; with SESSION, of that session's."""
    with _open_caught_up(url, lock_timeout) as journal:
        as_of = _as_of(journal, at)
        if session is not None and identifier("SESSION", session) not in as_of.owners:
            raise SessionNotFound(session)
        records = as_of.audit.records(session)
    if as_json:
        envelope("audit", [to_plain(record) for record in records], journal=journal.url, position=as_of.position)
        return
    rows = [
        (each.position, each.session_id, each.event, short_kind(each.kind), describe(each.artifact), each.reason)
        for each in records
    ]
    title = f"{journal.url} as of position {as_of.position}"
    show(table(title, ["position", "session", "event", "artifact", "what", "reason"], rows))


@cli.command()
@_journal_options
def replay(url: str, lock_timeout: float, as_json: bool) -> None:
    """Rebuild every table from event 1, compare it with what stood before, and put it in its place.

    Exits with 1 if any rebuilt row differs.
    """
    with _open(url, lock_timeout) as journal, progress_bar("replaying") as progress:
        report = journal.replay(progress)
    rate = round(report.events / report.seconds) if report.seconds else 0
    differing = sum(map(len, report.differences.values()))
    if as_json:
        facts = {
            "events": report.events,
            "seconds": round(report.seconds, 3),
            "events_per_second": rate,
            "differing_rows": differing,
            "differences": {
                name: [{"what": what, "row": list(row)} for what, row in rows]
                for name, rows in report.differences.items()
            },
        }
        envelope("replay", facts, journal=journal.url, position=report.events)
    else:
        show(f"{report.events} events in {report.seconds:.2f} s: {rate} events/s; {differing} rows differ")
        rows = [
            (name, what, ", ".join(map(str, row))) for name, found in report.differences.items() for what, row in found
        ]
        if rows:
            show(table("Rows that are not as they had stood", ["table", "row is", "row"], rows[:50]))
    sys.exit(1 if differing else 0)


@cli.command()
@_journal_options
def verify(url: str, lock_timeout: float, as_json: bool) -> None:
    """Check the storage, every record, the laws over the whole past, and the tables; write nothing.

    Exits with 1 if anything is found.
    """
    shown = url
    try:
        with _open(url, lock_timeout, read_only=True) as journal, progress_bar("verifying") as progress:
            shown = journal.url
            report = journal.verify(progress)
    except JournalDamaged as error:
        report = VerificationReport(0, (Finding("storage", None, error.problem),))
    if as_json:
        findings = [finding._asdict() for finding in report.findings]
        envelope("verify", {"events": report.events, "findings": findings}, journal=shown)
    else:
        show(f"{report.events} events read; {len(report.findings)} findings")
        if report.findings:
            show(table("Findings", ["layer", "position", "problem"], report.findings))
    sys.exit(1 if report.findings else 0)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@_journal_options
def backup(file: Path, url: str, lock_timeout: float, as_json: bool) -> None:
    """Copy the journal to FILE while it is in use, as it is at one moment, and check the copy."""
    with _open(url, lock_timeout, read_only=True) as journal:
        position = journal.backup(file)
    if as_json:
        envelope("backup", {"file": str(file), "events": position}, journal=journal.url, position=position)
    else:
        show(f"{position} events copied to {file}, and the copy checked")


@cli.command("export")
@_journal_options
def export_events(url: str, lock_timeout: float, as_json: bool) -> None:
    """Print every event as a line of JSON, a CloudEvent of version 1.0; --json changes nothing."""
    with _open(url, lock_timeout, read_only=True) as journal, progress_bar("exporting") as progress:
        for line in journal.export(progress):
            click.echo(line)


@cli.command("import")
@click.argument("file", type=click.File("rb"))
@_journal_options
def import_events(file: BinaryIO, url: str, lock_timeout: float, as_json: bool) -> None:
    """Make a journal from FILE, which `export` printed: the same positions, ids, times. All of it, or nothing.

    FILE may be - for standard input. The journal must be missing or empty.
    """
    with Journal.open(url, lock_timeout_s=lock_timeout) as journal:
        imported = journal.import_export(file)
    if as_json:
        envelope("import", {"events": imported}, journal=journal.url, position=imported)
    else:
        show(f"{imported} events imported")
