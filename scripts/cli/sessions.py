"""Commands that show how sessions stand, what waits in their inboxes, and which sites timed out or crashed."""

from __future__ import annotations

import click
from muniment.domain import FULL_SESSION, session_stream
from muniment.domain.content import content_bytes
from muniment.domain.identifiers import identifier
from muniment.domain.shown import utc
from muniment.scripts.cli.base import (
    LARGEST,
    at_option,
    cli,
    journal_options,
    open_caught_up,
    require_session,
    tables_at,
)
from muniment.scripts.describe import describe, what_happened
from muniment.scripts.output import envelope, record_to_plain, say, show, table, to_plain, utc_or_none

_PREVIEW = 40
"""How many characters of a payload are shown."""


@cli.command()
@at_option
@journal_options
def sessions(at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show every session that is not put away: how it stands, who owns and holds it, how much is unread."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        items = sorted(as_of.sessions.items())
    if as_json:
        data = [{"session_id": name, **to_plain(row)} for name, row in items]
        envelope("sessions", data, journal=journal.url, position=as_of.position)
        return
    columns = ["session", "status", "owner", "holder", "protocol", "role", "unread", "due", "since"]
    rows = [
        (
            name,
            row.status,
            row.owner,
            row.holder,
            row.protocol_id,
            row.current_role,
            row.unread,
            utc_or_none(row.due_at),
            row.since,
        )
        for name, row in items
    ]
    show(table(f"{journal.url} as of position {as_of.position}", columns, rows))


@cli.command("session")
@click.argument("session")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0, max=LARGEST),
    default=10,
    show_default=True,
    help="At most so many events of its history; 0: all.",
)
@journal_options
def show_session(session: str, limit: int, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show one session on a page: status, owner, staged transfer, witnesses, inbox, and its history, newest first."""
    with open_caught_up(url, lock_timeout) as journal:
        name = identifier("SESSION", session)
        view = journal.sessions.state(name)
        unread = journal.inbox.of_session(name)
        archived = journal.archive.of_session(name)
        newest = journal.read_stream(session_stream(name), newest_first=True, limit=limit + 1 if limit else None)
        found = list(newest)
        history = found[: limit or None]
    if as_json:
        data = {
            "session": to_plain(view),
            "inbox": [{"number": number, **to_plain(row)} for number, row in unread.items()],
            "archive": [{"incarnation": number, **to_plain(row)} for number, row in archived.items()],
            "history": [record_to_plain(record) for record in history],
        }
        envelope("session", data, journal=journal.url)
        return
    terms, ending = view.terms, view.ending
    facts: list[tuple[str, object]] = [
        ("status", view.status),
        ("why it ended", view.terminal_reason),
        ("incarnation", view.incarnation),
        ("owner", describe(view.capability) or "nobody"),
        ("can be claimed for", None if view.capability or view.claimable == FULL_SESSION else view.claimable),
        ("staged transfer", describe(view.pending_receipt)),
        ("held by", view.holder),
        ("roles", ", ".join(view.roles)),
        ("role of this host", terms.current_role),
        ("protocol", terms.protocol_id),
        ("context", terms.context_id),
        ("opened", utc_or_none(terms.started_at)),
        ("in time until", utc_or_none(terms.due_at)),
        ("fragments", ", ".join(view.fragments)),
        ("outstanding witnesses", describe(view.outstanding_witnesses)),
        ("unread envelopes", len(unread)),
    ]
    if ending is not None:
        facts += [
            ("ended", utc_or_none(ending.ended_at)),
            ("took, ms", ending.duration_ms),
            ("envelopes acknowledged, lost", f"{ending.acknowledged_envelopes}, {ending.lost_envelopes}"),
            ("ingresses, rounds", f"{ending.ingresses}, {ending.rounds}"),
        ]
    facts.append(("incarnations put away", ", ".join(map(str, archived))))
    show(table(f"session {name} in {journal.url}", ["", ""], [each for each in facts if each[1] not in (None, "")]))
    rows = [
        (each.position, utc(each.metadata.recorded_at), each.type, what_happened(each), each.metadata.actor)
        for each in history
    ]
    show(table("History", ["position", "time", "type", "what", "actor"], rows, stacked=("type", "what")))
    if len(found) > len(history):
        say(f"the last {limit} events are listed; --limit 0 lists all")


@cli.command()
@click.argument("session")
@journal_options
def inbox(session: str, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show the envelopes of a session that are not acknowledged, in order, and which generation took each."""
    with open_caught_up(url, lock_timeout) as journal:
        name = identifier("SESSION", session)
        require_session(journal, name)
        unread = journal.inbox.snapshot(name)
    if as_json:
        envelope("inbox", [to_plain(each) for each in unread], journal=journal.url)
        return
    rows = [
        (
            each.number,
            each.envelope.source,
            each.envelope.destination,
            each.envelope.context,
            each.envelope.name,
            _preview(each.envelope.payload),
            each.taken_by,
        )
        for each in unread
    ]
    columns = ["number", "from", "to", "context", "name", "payload", "taken by generation"]
    show(table(f"inbox of {name} in {journal.url}", columns, rows))


def _preview(payload: object) -> str:
    """The beginning of a payload, as text if it is text."""
    raw = content_bytes(payload)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"{len(raw)} bytes"
    return text if len(text) <= _PREVIEW else f"{text[: _PREVIEW - 1]}…"


@cli.command()
@at_option
@journal_options
def sites(at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show the sites that timed out or crashed, by the runtime's own ticks."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        items = sorted(as_of.sites.items())
    if as_json:
        data = [{"site": name, **to_plain(row)} for name, row in items]
        envelope("sites", data, journal=journal.url, position=as_of.position)
        return
    rows = [
        (
            name,
            "crashed" if row.is_crashed else "",
            row.timeout and row.timeout.until_tick,
            row.last_tick,
            row.since,
        )
        for name, row in items
    ]
    columns = ["site", "", "timed out until tick", "last tick", "since"]
    show(table(f"{journal.url} as of position {as_of.position}", columns, rows))
