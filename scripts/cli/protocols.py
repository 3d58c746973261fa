"""Commands that show what the roles of sessions may do next, what is known of edges, and what it all weighs."""

from __future__ import annotations

from typing import Any

import click
from muniment.domain.identifiers import identifier
from muniment.scripts.cli.base import at_option, cli, journal_options, open_caught_up, tables_at
from muniment.scripts.output import envelope, show, table, to_plain

_ROOT = 12
"""How many characters of a root a table shows; ``--json`` has all."""


@cli.command()
@click.argument("session", required=False)
@at_option
@journal_options
def types(session: str | None, at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show the local type of every role, or of those of one session: which steps it permits next."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        items = _of_session(as_of.types, session)
    if as_json:
        data = [{"session_id": name, "role": role, **to_plain(row)} for (name, role), row in items]
        envelope("types", data, journal=journal.url, position=as_of.position)
        return
    rows = [
        (name, role, row.step, "; or ".join(map(str, row.permitted)) or "nothing: it is at its end", row.since)
        for (name, role), row in items
    ]
    columns = ["session", "role", "step", "may next", "since"]
    show(table(f"{journal.url} as of position {as_of.position}", columns, rows))


@cli.command()
@click.argument("session", required=False)
@at_option
@journal_options
def edges(session: str | None, at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show the edges of every session, or of one: handler, trace, and the root of what was queued."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        items = _of_session(as_of.edges, session)
    if as_json:
        data = [_edge(key, row) for key, row in items]
        envelope("edges", data, journal=journal.url, position=as_of.position)
        return
    rows = [
        (*key, row.handler, ", ".join(row.trace), row.queued, row.root.hex()[:_ROOT], row.since) for key, row in items
    ]
    columns = ["session", "sender", "receiver", "handler", "trace", "queued", "root", "since"]
    show(table(f"{journal.url} as of position {as_of.position}", columns, rows))


def _of_session(view: Any, session: str | None) -> list[tuple[Any, Any]]:
    """What a view has of one session, or of all, in order."""
    return sorted((view if session is None else view.of_session(identifier("SESSION", session))).items())


def _edge(key: tuple[str, ...], row: Any) -> dict[str, Any]:
    session_id, sender, receiver = key
    named = {"session_id": session_id, "sender": sender, "receiver": receiver}
    return {**named, **to_plain(row), "root": row.root.hex()}


@cli.command()
@journal_options
def usage(url: str, lock_timeout: float, as_json: bool) -> None:
    """Show how many sessions, types, envelopes and events there are, and how many bytes each kind takes."""
    with open_caught_up(url, lock_timeout) as journal:
        found = journal.usage()
    if as_json:
        data = {**to_plain(found), "total_entries": found.total_entries, "total_bytes": found.total_bytes}
        envelope("usage", data, journal=journal.url, position=found.position)
        return
    counts: list[tuple[str, object]] = [
        ("sessions that are not put away", found.live_sessions),
        ("of these, finished", found.finished_sessions),
        ("incarnations that are put away", found.archived_sessions),
        ("local types", found.local_types),
        ("edges", found.edges),
        ("envelopes that are not acknowledged", found.buffered_envelopes),
        ("edges with a handler of their own", found.edge_handlers),
        ("edges with a trace", found.edge_traces),
        ("envelopes that trees prove, and trees", f"{found.edge_leaves}, {found.edge_trees}"),
    ]
    show(table(f"{journal.url} as of position {found.position}", ["", ""], counts))
    rows = [(kind.value, found.entries[kind], found.stored_bytes[kind]) for kind in found.entries]
    show(
        table(
            "What is stored", ["kind", "entries", "bytes"], [*rows, ("total", found.total_entries, found.total_bytes)]
        )
    )
