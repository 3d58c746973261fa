"""Commands that undo by appending: revert, rollback, sagas."""

from __future__ import annotations

import sys

import click
from muniment.domain import InvalidArgument
from muniment.journal import UndoPlan
from muniment.scripts.cli_base import LARGEST, cli, journal_options, open_caught_up, open_journal
from muniment.scripts.describe import describe
from muniment.scripts.output import envelope, show, table, to_plain

_dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what it comes to; append nothing.")


@cli.command()
@click.argument("position", type=click.IntRange(min=1, max=LARGEST))
@_dry_run_option
@journal_options
def revert(position: int, dry_run: bool, url: str, lock_timeout: float, as_json: bool) -> None:
    """Undo the event at POSITION by appending what compensates it. What undid an event can be reverted in its turn.

    With --dry-run, exits with 1 if something makes it impossible.
    """
    with open_journal(url, lock_timeout, read_only=dry_run) as journal:
        plan = journal.revert(position, dry_run=dry_run)
        _show_plan("revert", plan, journal.url, dry_run=dry_run, as_json=as_json)


@cli.command()
@click.argument("stream")
@click.option(
    "--to",
    "version",
    type=click.IntRange(min=0, max=LARGEST),
    required=True,
    metavar="VERSION",
    help="The last version that stays; 0: none.",
)
@_dry_run_option
@journal_options
def rollback(stream: str, version: int, dry_run: bool, url: str, lock_timeout: float, as_json: bool) -> None:
    """Undo everything in STREAM, such as session-s-42, that came after a version: newest first, in one append.

    With --dry-run, exits with 1 if something makes it impossible.
    """
    with open_journal(url, lock_timeout, read_only=dry_run) as journal:
        plan = journal.rollback(stream, version, dry_run=dry_run)
        _show_plan("rollback", plan, journal.url, dry_run=dry_run, as_json=as_json)


@cli.command()
@click.option("--unfinished", is_flag=True, help="Only those that neither completed nor were compensated.")
@click.option("--compensate", "saga_id", metavar="SAGA", help="Undo this one, whose process is gone.")
@click.option("--leave", "left", multiple=True, metavar="STEP", help="With --compensate: leave this outside step.")
@click.option("--resolve", "resolved", metavar="SAGA", help="Say that this one was put right by hand.")
@click.option("--reason", metavar="TEXT", help="With --compensate or --resolve: why, or how.")
@_dry_run_option
@journal_options
def sagas(
    unfinished: bool,
    saga_id: str | None,
    left: tuple[str, ...],
    resolved: str | None,
    reason: str | None,
    dry_run: bool,
    url: str,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """List the sagas, with the steps outside the journal that are still to be undone; or undo or resolve one.

    A saga whose process is at work looks the same as one whose process died; --compensate ends it either way. Steps
    outside the journal cannot be undone from here: undo them by hand, and name them with --leave. What cannot be
    undone at all is put right by hand, and then said with --resolve.
    """
    if saga_id is not None and resolved is None:
        with open_journal(url, lock_timeout, read_only=dry_run) as journal:
            why = "compensated by hand" if reason is None else reason
            plan = journal.sagas.compensate(saga_id, leave=left, reason=why, dry_run=dry_run)
            _show_plan("sagas", plan, journal.url, dry_run=dry_run, as_json=as_json)
        return
    if left or dry_run or (saga_id is not None and resolved is not None):
        raise InvalidArgument("--compensate", "goes with --leave and --dry-run, and not with --resolve")
    if resolved is not None:
        with open_journal(url, lock_timeout) as journal:
            if reason is None:
                raise InvalidArgument("--reason", "must say how it was put right")
            journal.sagas.resolve(resolved, reason)
    elif reason is not None:
        raise InvalidArgument("--reason", "goes with --compensate or --resolve")
    with open_caught_up(url, lock_timeout) as journal:
        found = journal.sagas.unfinished() if unfinished else dict(journal.sagas.items())
        steps = {name: () if row.is_finished else journal.sagas.steps(name) for name, row in found.items()}
    if as_json:
        data = [
            {
                "saga_id": name,
                **to_plain(row),
                "steps": [{"step": each, "details": about} for each, about in steps[name]],
            }
            for name, row in found.items()
        ]
        envelope("sagas", data, journal=journal.url)
        return
    rows = [
        (name, row.name, row.status, row.reason, ", ".join(step for step, _ in steps[name]), row.since)
        for name, row in found.items()
    ]
    show(table(journal.url, ["saga", "name", "status", "reason", "steps outside to undo", "since"], rows))


def _show_plan(command: str, plan: UndoPlan, url: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        facts = {
            "dry_run": dry_run,
            "steps": [
                {"undoes": each.event_id, "type": each.event.type, "data": to_plain(each.event)} for each in plan.steps
            ],
            "changes": [to_plain(each) for each in plan.changes],
            "obstacles": [{"code": each.code, "message": str(each)} for each in plan.obstacles],
            "positions": plan.positions,
        }
        envelope(command, facts, journal=url)
    else:
        if plan.obstacles:
            rows = [(each.code, str(each)) for each in plan.obstacles]
            show(table("What makes it impossible", ["code", "why"], rows))
        elif not plan.steps:
            show("There is nothing to undo.")
        else:
            positions: tuple[int | None, ...] = plan.positions or (None,) * len(plan.steps)
            steps = [
                (position, each.event_id, each.undone.type, each.event.type, describe(each.event))
                for position, each in zip(positions, plan.steps, strict=False)
            ]
            title = "What would be appended" if dry_run else "What was appended"
            show(table(title, ["position", "undoes", "which was", "by", "what"], steps))
            changes = [(each.stream, each.name, describe(each.before), describe(each.after)) for each in plan.changes]
            show(table("What is different afterwards", ["stream", "part", "before", "after"], changes))
    sys.exit(1 if plan.obstacles else 0)
