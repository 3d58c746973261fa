"""Commands that undo by appending: revert, rollback, sagas."""

from __future__ import annotations

import sys

import click
from muniment.domain import InvalidArgument, SessionNotFound, session_stream
from muniment.domain.identifiers import identifier
from muniment.journal import Journal, UndoPlan
from muniment.scripts.cli.base import LARGEST, actor_option, cli, journal_options, open_caught_up, open_journal
from muniment.scripts.describe import describe
from muniment.scripts.output import envelope, show, table, to_plain

_STACKED = ("type", "with", "what")
_dry_run_option = click.option("--dry-run", is_flag=True, help="Only preview the result; append nothing.")


@cli.command()
@click.argument("event", metavar="POSITION|ID")
@click.option(
    "--last",
    "last_of",
    metavar="TYPE",
    help="The last event of this type, or of types like it, of session POSITION|ID.",
)
@_dry_run_option
@actor_option
@journal_options
def revert(
    event: str, last_of: str | None, dry_run: bool, actor: str | None, url: str, lock_timeout: float, as_json: bool
) -> None:
    """Undo one event by appending what compensates it. What undid an event can be reverted in its turn.

    The event is named by its position, or by its id, such as session-s-42@3. Or it is the last of a type in a session
    that is not undone: revert --last session.handed_over s-42. The type can be a beginning, or a glob. With --dry-run,
    exits with 1 if something makes it impossible.
    """
    with open_journal(url, lock_timeout, read_only=dry_run) as journal, journal.context(actor=actor):
        if last_of is not None:
            event = _last_of(journal, last_of, event)
        is_position = event.isascii() and event.isdecimal() and len(event) < 20
        plan = journal.revert(int(event) if is_position and last_of is None else event, dry_run=dry_run)
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
@actor_option
@journal_options
def rollback(
    stream: str, version: int, dry_run: bool, actor: str | None, url: str, lock_timeout: float, as_json: bool
) -> None:
    """Undo everything in STREAM, such as session-s-42, that came after a version: newest first, in one append.

    With --dry-run, exits with 1 if something makes it impossible.
    """
    with open_journal(url, lock_timeout, read_only=dry_run) as journal, journal.context(actor=actor):
        plan = journal.rollback(stream, version, dry_run=dry_run)
        _show_plan("rollback", plan, journal.url, dry_run=dry_run, as_json=as_json)


@cli.command()
@click.option("--unfinished", is_flag=True, help="Only those that neither completed nor were compensated.")
@click.option("--compensate", "saga_id", metavar="SAGA", help="Undo this one, whose process is gone.")
@click.option("--leave", "left", multiple=True, metavar="STEP", help="With --compensate: leave this outside step.")
@click.option("--resolve", "resolved", metavar="SAGA", help="Say that this one was put right by hand.")
@click.option("--reason", metavar="TEXT", help="With --compensate or --resolve: why, or how.")
@_dry_run_option
@actor_option
@journal_options
def sagas(
    unfinished: bool,
    saga_id: str | None,
    left: tuple[str, ...],
    resolved: str | None,
    reason: str | None,
    dry_run: bool,
    actor: str | None,
    url: str,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """List the sagas, with the steps outside the journal that are still to be undone; or undo or resolve one.

    A saga whose process is at work looks the same as one whose process died; --compensate ends it either way. Steps
    outside the journal cannot be undone from here: undo them by hand, and name them with --leave. What cannot be
    undone at all is put right by hand, and then said with --resolve.
    """
    if unfinished and (saga_id is not None or resolved is not None):
        raise InvalidArgument("--unfinished", "goes with neither --compensate nor --resolve")
    if saga_id is not None and resolved is None:
        with open_journal(url, lock_timeout, read_only=dry_run) as journal, journal.context(actor=actor):
            why = reason or "its process is gone"
            plan = journal.sagas.compensate(saga_id, leave=left, reason=why, dry_run=dry_run)
            _show_plan("sagas", plan, journal.url, dry_run=dry_run, as_json=as_json)
        return
    if saga_id is not None:
        raise InvalidArgument("--resolve", "does not go with --compensate")
    if left or dry_run:
        raise InvalidArgument("--leave and --dry-run", "need --compensate SAGA")
    if resolved is not None:
        with open_journal(url, lock_timeout) as journal, journal.context(actor=actor):
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


def _last_of(journal: Journal, type_name: str, session: str) -> str:
    """The id of the last event of a type in a session that is not undone."""
    stream = session_stream(identifier("SESSION", session))
    found = journal.last_not_undone(stream, [type_name])
    if found is not None:
        return found.id
    if next(journal.read_stream(stream, limit=1), None) is None:
        raise SessionNotFound(session)
    raise InvalidArgument("--last", f"finds no {type_name} of session {session!r} that is not undone")


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
            steps: list[tuple[object, ...]] = [
                (each.event_id, each.undone.type, each.event.type, describe(each.event)) for each in plan.steps
            ]
            columns = ["undoes", "type", "with", "what"]
            if dry_run:
                show(table("What would be appended", columns, steps, stacked=_STACKED))
            else:
                placed = [(position, *step) for position, step in zip(plan.positions, steps, strict=True)]
                show(table("What was appended", ["position", *columns], placed, stacked=_STACKED))
            changes = [(each.stream, each.name, describe(each.before), describe(each.after)) for each in plan.changes]
            show(table("What is different afterwards", ["stream", "part", "before", "after"], changes))
    sys.exit(1 if plan.obstacles else 0)
