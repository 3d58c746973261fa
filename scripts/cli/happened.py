"""Commands that show what happened, and who holds what: log, tail, show, owners, audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from typing import Any

import click
from muniment.domain import (
    AuditEvent,
    InvalidArgument,
    JournalWithoutId,
    RecordedEvent,
    UnknownPosition,
    session_stream,
)
from muniment.domain.effects import SessionStatus
from muniment.domain.shown import utc
from muniment.domain.stream_names import split_stream
from muniment.journal import REFUSAL_TYPES, Journal
from muniment.projections import AuditRecord, audit_records
from muniment.scripts.cli.base import (
    LARGEST,
    MomentCommand,
    UnpagedCommand,
    at_option,
    cli,
    journal_options,
    moment_of,
    open_caught_up,
    open_journal,
    position_of,
    require_session,
    tables_at,
)
from muniment.scripts.cli.filters import Filters, filter_options, since_option, until_option
from muniment.scripts.describe import describe, describe_presented, what_happened
from muniment.scripts.output import (
    envelope,
    flattened,
    json_line,
    record_to_plain,
    say,
    short_kind,
    show,
    show_line,
    stream_envelope,
    table,
    to_plain,
)

_LAST = 10
"""How many events ``tail`` begins with."""


@cli.command()
@click.argument("session", required=False)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0, max=LARGEST),
    default=50,
    show_default=True,
    help="At most so many; 0: all.",
)
@click.option("--reverse", is_flag=True, help="Oldest first.")
@filter_options
@journal_options
def log(
    session: str | None,
    limit: int,
    reverse: bool,
    filters: Filters,
    url: str,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """List what happened, newest first; with SESSION, to that session.

    What several options choose has to suit all of them, and is chosen before any limit. --since A --until B lists the
    events that make the difference between two moments: not the event A itself, but B.
    """
    if session is not None:
        if filters.in_session is not None:
            raise InvalidArgument("--session", "does not go with SESSION")
        filters = filters._replace(in_session=session)
    with _open_for(filters, url, lock_timeout) as journal:
        since, until = filters.between(journal)
        found = journal.records(
            **filters.chosen(journal),
            since=since,
            until=until,
            newest_first=not reverse,
            limit=limit + 1 if limit else None,
        )
        listed = islice(found, limit or None)
        if as_json:
            stream_envelope("log", map(record_to_plain, listed), journal=journal.url)
            return
        rows = (
            (
                record.position,
                utc(record.metadata.recorded_at),
                record.id,
                record.type,
                what_happened(record),
                record.metadata.actor,
            )
            for record in listed
        )
        columns = ["position", "time", "event", "type", "what", "actor"]
        show(table(journal.url, columns, rows, stacked=("type", "what")))
        if next(found, None) is not None:
            say(f"at most {limit} events are listed; --limit 0 lists all")


def _open_for(filters: Filters, url: str, lock_timeout: float) -> Journal:
    """Open a journal to be searched; which position a time stands for, its tables tell."""
    if filters.since is None and filters.until is None:
        return open_journal(url, lock_timeout, read_only=True)
    return open_caught_up(url, lock_timeout)


@cli.command(cls=UnpagedCommand)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0, max=LARGEST),
    help="Begin with the last so many; by default 10, or with --after or --since as many as there are.",
)
@click.option("--after", metavar="POSITION|CURSOR", help="Begin behind this.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on with what is committed from now on.")
@filter_options
@journal_options
def tail(
    limit: int | None,
    after: str | None,
    follows: bool,
    filters: Filters,
    url: str,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """Print the last events, a line each, oldest first; with -f, go on until interrupted.

    What options choose is chosen before --limit: the last ten of a type are ten.

    With --json, every line is one JSON object. Its cursor goes with --after, to go on behind it another time. A
    journal that was restored from a backup refuses a cursor of events that the backup does not have.
    """
    if after is not None and filters.since is not None:
        raise InvalidArgument("--after", "does not go with --since")
    if follows and filters.until is not None:
        raise InvalidArgument("--until", "does not go with --follow")
    with _open_for(filters, url, lock_timeout) as journal, ExitStack() as stack:
        chosen, (since, until) = filters.chosen(journal), filters.between(journal)
        if after is not None:
            since = journal.position_of(_number_or_cursor(after))
        until = journal.head() if until is None else until
        if limit is None and since is None:
            limit = _LAST
        if limit is None:
            records: Iterable[RecordedEvent] = journal.records(**chosen, since=since, until=until)
        else:
            last = journal.records(**chosen, since=since, until=until, newest_first=True, limit=limit)
            records = reversed(list(last))
        try:
            for record in records:
                _print_line(record, journal if as_json else None)
            if follows:
                for record in stack.enter_context(journal.follow(until, **chosen)):
                    _print_line(record, journal if as_json else None)
        except KeyboardInterrupt:
            say("")


def _number_or_cursor(after: str) -> int | str:
    return int(after) if after.isdecimal() and after.isascii() and len(after) <= len(str(LARGEST)) else after


def _print_line(record: RecordedEvent, journal: Journal | None) -> None:
    if journal is not None:
        cursor = None
        with suppress(JournalWithoutId):
            cursor = journal.cursor(record.position)
        click.echo(json_line(record_to_plain(record) | {"cursor": cursor}))
    else:
        when = utc(record.metadata.recorded_at)
        show_line(f"{record.position}  {when}  {record.id}  {record.type}  {what_happened(record)}")


@cli.command("show", cls=MomentCommand)
@click.argument("event", metavar="POSITION|ID")
@journal_options
def show_record(event: str, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show one event, whole: that at a position, that of an id such as session-s-42@3, or the last by a moment."""
    with open_journal(url, lock_timeout, read_only=True) as journal:
        record = moment_of(journal, event).event
        if record is None:
            raise UnknownPosition(0, journal.head())
        plain = record_to_plain(record)
    if as_json:
        envelope("show", plain, journal=journal.url)
        return
    rows = [(name, value) for name, value in plain.items() if name not in ("data", "metadata")]
    rows += flattened("data", plain["data"])
    rows += flattened("metadata", plain["metadata"])
    show(table(f"{journal.url}, position {record.position}", ["field", "value"], rows))


@cli.command()
@click.argument("session", required=False)
@click.option("--owner", metavar="NAME", help="Only what this owner holds.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in SessionStatus if status is not SessionStatus.UNOPENED]),
    help="Only sessions of this status.",
)
@at_option
@journal_options
def owners(
    session: str | None,
    owner: str | None,
    status: str | None,
    at: str | None,
    url: str,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """Show who holds each session, now or as it was; with SESSION, who holds that one."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        if session is None:
            items = list(as_of.owners.items())
        else:
            require_session(as_of, session)
            items = [(session, as_of.owners[session])]
    items = [(name, row) for name, row in items if owner in (None, row.owner) and status in (None, row.status)]
    if as_json:
        data = [{"session_id": session_id, **to_plain(row)} for session_id, row in items]
        envelope("owners", data, journal=journal.url, position=as_of.position)
        return
    rows = [(name, row.owner, row.generation, row.scope, row.status, row.since) for name, row in items]
    title = f"{journal.url} as of position {as_of.position}"
    show(table(title, ["session", "owner", "generation", "scope", "status", "since"], rows))


@cli.command()
@click.argument("session", required=False)
@click.option("--refused", is_flag=True, help="Only what was presented and refused.")
@since_option
@until_option
@at_option
@journal_options
def audit(
    session: str | None,
    refused: bool,
    since: str | None,
    until: str | None,
    at: str | None,
    url: str,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """Show what became of every artifact, and on whose behalf; with SESSION, of that session's."""
    if at is not None and until is not None:
        raise InvalidArgument("--at", "does not go with --until, which says the same")
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at if until is None else until)
        if session is not None:
            require_session(as_of, session)
        records = journal.records(
            types=REFUSAL_TYPES if refused else (),
            stream=None if session is None else session_stream(session),
            since=position_of(journal, since),
            until=as_of,
        )
        lines = _audited(records)
        if as_json:
            data = (
                {**_plain_line(record, line), "time": utc(record.metadata.recorded_at), "actor": record.metadata.actor}
                for record, line in lines
            )
            stream_envelope("audit", data, journal=journal.url, position=as_of.position)
            return
        rows = (
            (
                record.position,
                utc(record.metadata.recorded_at),
                *_told_line(record, line),
                record.metadata.actor,
            )
            for record, line in lines
        )
        columns = ["position", "time", "session", "event", "artifact", "what", "reason", "actor"]
        title = f"{journal.url} as of position {as_of.position}"
        show(table(title, columns, rows, stacked=("artifact", "what", "reason")))


def _audited(records: Iterable[RecordedEvent]) -> Iterator[tuple[RecordedEvent, AuditRecord | None]]:
    """The lines of the audit trail; of a refusal that concerns no artifact, None."""
    for record in records:
        lines = audit_records(record)
        yield from ((record, line) for line in lines)
        if not lines and record.type in REFUSAL_TYPES:
            yield record, None


def _told_line(record: RecordedEvent, line: AuditRecord | None) -> tuple[object, ...]:
    """Where it stands, what became of what, and why."""
    if line is None:
        event: Any = record.event
        return split_stream(record.stream)[1], AuditEvent.REJECTED, "", describe(event), event.reason
    whose = line.session_id or f"site {line.site}"
    return whose, line.event, short_kind(line.kind), describe_presented(line.artifact, line.omitted), line.reason


def _plain_line(record: RecordedEvent, line: AuditRecord | None) -> dict[str, Any]:
    if line is not None:
        return dict(to_plain(line))
    event: Any = record.event
    kind, whose = split_stream(record.stream)
    about = {"session_id": whose if kind == "session" else None, "position": record.position}
    said = {"artifact": None, "kind": None, "event": AuditEvent.REJECTED, "reason": event.reason}
    return {**said, **about, "refused": to_plain(event)}
