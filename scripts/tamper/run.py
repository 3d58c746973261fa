"""Edits a journal's file in every way that it knows, and says what finds each.

    python -m muniment.scripts.tamper [--write FILE]

Prints the table of ``docs/tamper.md``; with ``--write`` it renews the table in that file.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import click
from muniment.domain import Fragments, MunimentError, Policy
from muniment.journal import Journal
from muniment.scripts.output import say
from muniment.scripts.tamper.edits import EDITS, Edit, checkpoint, make_edit

BEGIN: Final = "<!-- matrix -->\n"
END: Final = "<!-- end of matrix -->"


class Outcome(NamedTuple):
    """What finds an edit.

    Attributes:
        edit: what was done.
        found_by: ``open``, ``verify`` and its layers, or nothing.
    """

    edit: Edit
    found_by: str


def outcomes() -> Iterator[Outcome]:
    """Make a journal, and try every edit on a copy of it."""
    with tempfile.TemporaryDirectory() as folder:
        original = Path(folder) / "journal.db"
        make(original)
        for number, edit in enumerate(EDITS):
            path = Path(folder) / f"edited-{number}.db"
            shutil.copy(original, path)
            make_edit(edit, path)
            yield Outcome(edit, what_finds(path))


def make(path: Path) -> None:
    """Make a journal with something of everything in it."""
    time = iter(range(1_700_000_000_000, 1_800_000_000_000, 1_000))
    with Journal.open(path, clock=lambda: next(time)) as journal:
        sessions = journal.sessions
        with journal.context(actor="alice", correlation_id="request-7", tick=3):
            sessions.open("s-1", roles=["worker"])
            sessions.host("s-1", "site-a")
            held = sessions.claim("s-1", "alice")
        witness = sessions.issue_witness(held, "ready")
        sessions.consume_witness(held, witness)
        receipt = sessions.begin_transfer(held, "bob", Fragments({"bundle:chat"}))
        handed = sessions.commit_transfer(receipt)
        sessions.release(handed)
        journal.revert("session-s-1@8")
        if (restored := sessions.state("s-1").capability) is not None:
            sessions.release(restored)
        sessions.delegate("s-1", "site-a", "site-b")
        with journal.context(idempotency_key="k"):
            sessions.open("s-2")
        with journal.context(idempotency_key="nothing"):
            journal.rollback("session-s-2", 1)
        team = journal.conversations
        team.create("team", "alice", now=0)
        team.join("other", "alice", now=5)
        with journal.saga("work"):
            sessions.claim("s-2", "carol")
        try:
            sessions.check(handed)
        except MunimentError:
            journal.catch_up()
    checkpoint(path)


def what_finds(path: Path) -> str:
    """How an edit is found: by opening the file, or by verifying it, in which layers; or not at all."""
    try:
        with Journal.open(path, read_only=True, policy=Policy()) as journal:
            report = journal.verify()
    except MunimentError as error:
        return f"open: `{error.code}`"
    layers = dict.fromkeys(finding.layer for finding in report.findings)
    return f"verify: {', '.join(layers)}" if layers else ""


def lines(found: Iterable[Outcome]) -> Iterator[str]:
    """The table, and what nothing finds."""
    hidden = []
    yield "| what was done | found by |"
    yield "|---|---|"
    for edit, found_by in found:
        if found_by:
            yield f"| {edit.name} | {found_by} |"
        else:
            hidden.append(edit.name)
    yield ""
    yield "Nothing in the file tells these. A checkpoint kept elsewhere, such as a backup or an export, does:"
    yield ""
    yield from (f"- {name}" for name in hidden)


@click.command()
@click.option("--write", type=click.Path(path_type=Path), help="The file whose table to renew.")
def main(write: Path | None) -> None:
    """Edit a journal in every way that is known, and say what finds each."""
    table = "\n".join(lines(outcomes())) + "\n"
    if write is None:
        click.echo(table, nl=False)
        return
    before, _, rest = write.read_text().partition(BEGIN)
    write.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}")
    say(f"{len(EDITS)} edits tried; the table in {write} is renewed")
