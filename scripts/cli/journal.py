"""The commands on a journal as a whole: reading it, keeping it in order, copying it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click
from muniment.domain import (
    InvalidArgument,
    JournalDamaged,
    JournalNotEmpty,
)
from muniment.journal import (
    MAX_LINE_BYTES,
    Finding,
    VerificationReport,
    import_journal,
    restore as restore_journal,
    without_password,
)
from muniment.scripts.cli.base import (
    UnpagedCommand,
    cli,
    journal_options,
    json_option,
    open_journal,
)
from muniment.scripts.demo.run import run_demo
from muniment.scripts.output import (
    envelope,
    progress_bar,
    show,
    table,
)

_NOTES = 20
"""How many notes are shown; a journal of the references' policy may have one for every second command."""


@cli.command(cls=UnpagedCommand)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def demo(file: Path | None, as_json: bool) -> None:
    """Make a journal from a recorded trace, and look around in it.

    FILE is where the journal is made; it must not exist. Without it, muniment-demo.db is made in the current folder, or
    the next free muniment-demo-N.db.
    """
    run_demo(file, as_json=as_json)


@cli.command()
@journal_options
def replay(url: str, lock_timeout: float, as_json: bool) -> None:
    """Rebuild every table from event 1, compare it with what stood before, and put it in its place.

    Exits with 1 if any rebuilt row differs.
    """
    with open_journal(url, lock_timeout) as journal, progress_bar("replaying") as progress:
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
@journal_options
def verify(url: str, lock_timeout: float, as_json: bool) -> None:
    """Check the storage, every record, the laws over the whole past, and the tables; write nothing.

    Exits with 1 if anything is found. Notes name what is unusual and right, and change no exit code.
    """
    shown = url
    try:
        with open_journal(url, lock_timeout, read_only=True) as journal, progress_bar("verifying") as progress:
            shown = journal.url
            report = journal.verify(progress)
    except JournalDamaged as error:
        report = VerificationReport(0, (Finding("storage", None, error.problem),))
    if as_json:
        findings = [finding._asdict() for finding in report.findings]
        notes = [note._asdict() for note in report.notes]
        envelope("verify", {"events": report.events, "findings": findings, "notes": notes}, journal=shown)
    else:
        counted = f", {len(report.notes)} notes" if report.notes else ""
        show(f"{report.events} events read; {len(report.findings)} findings{counted}")
        if report.findings:
            show(table("Findings", ["layer", "position", "problem"], report.findings))
        if report.notes:
            show(table("Notes", ["layer", "position", "note"], report.notes[:_NOTES]))
            if len(report.notes) > _NOTES:
                show(f"and {len(report.notes) - _NOTES} more notes; --json has them all")
    sys.exit(1 if report.findings else 0)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@journal_options
def backup(file: Path, url: str, lock_timeout: float, as_json: bool) -> None:
    """Copy the journal to FILE while it is in use, as it is at one moment, and check the copy."""
    with open_journal(url, lock_timeout, read_only=True) as journal:
        position = journal.backup(file)
    if as_json:
        envelope("backup", {"file": str(file), "events": position}, journal=journal.url, position=position)
    else:
        show(f"{position} events copied to {file}, and the copy checked")


@cli.command()
@click.argument("backup", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Give up what lies there.")
@journal_options
def restore(backup: Path, force: bool, url: str, lock_timeout: float, as_json: bool) -> None:
    """Put BACKUP in the place of the journal: whole, or not at all. BACKUP is checked first, and stays what it is.

    Refused while anybody has the journal open, and without --force if anything lies there.
    """
    try:
        position = restore_journal(backup, url, force=force, lock_timeout_s=lock_timeout)
    except JournalNotEmpty as error:
        if force:
            raise
        raise InvalidArgument("--journal", f"is taken: {error.path} exists; replace it with --force") from error
    if as_json:
        facts = {"file": str(backup), "events": position}
        envelope("restore", facts, journal=without_password(url), position=position)
    else:
        show(f"{position} events restored from {backup}")


@cli.command("mark-restored")
@journal_options
def mark_restored(url: str, lock_timeout: float, as_json: bool) -> None:
    """Say that the journal was restored by hand, from a dump of a server or a file that was copied.

    Events that are appended from now on are told from those that were lost, so that nobody follows the journal by a
    cursor of lost events. Do it before anybody else opens the journal. What `backup` or `import` made needs no mark.
    """
    with open_journal(url, lock_timeout) as journal:
        restore, position = journal.mark_restored(), journal.head()
    if as_json:
        envelope("mark-restored", {"restore": restore}, journal=url, position=position)
    else:
        show(f"restore {restore} begins behind position {position}")


@cli.command("export")
@click.option("--source", metavar="URI", help="Where events are said to be from, instead of the journal's own URN.")
@journal_options
def export_events(source: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Print every event as a line of JSON, a CloudEvent of version 1.0; --json changes nothing.

    The last line marks the end, so that an export that was cut off is not taken for a whole one.
    """
    with open_journal(url, lock_timeout, read_only=True) as journal, progress_bar("exporting") as progress:
        for line in journal.export(progress, source=source):
            click.echo(line)


@cli.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--unmarked", is_flag=True, help="Take an export without the line that marks its end.")
@journal_options
def import_events(file: BinaryIO, unmarked: bool, url: str, lock_timeout: float, as_json: bool) -> None:
    """Make a journal from FILE, which `export` printed: the same positions, ids, times. All of it, or nothing.

    FILE may be - for standard input. The journal must be missing or empty.

    An export that an older Muniment printed has no mark at its end, and needs --unmarked. Nobody can tell whether such
    an export is whole.
    """
    imported = import_journal(url, _lines(file), unmarked=unmarked, lock_timeout_s=lock_timeout)
    if as_json:
        envelope("import", {"events": imported}, journal=without_password(url), position=imported)
    else:
        show(f"{imported} events imported")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    try:
        # One byte more than a line may have is enough to refuse it.
        yield from iter(lambda: file.readline(MAX_LINE_BYTES + 1), b"")
    except OSError as error:
        raise InvalidArgument("FILE", f"cannot be read: {error.strerror}") from error
