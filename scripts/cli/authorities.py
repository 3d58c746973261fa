"""Commands that show which authority has what: footprints, delegations, bundles."""

from __future__ import annotations

import sys

import click
from muniment.domain import BundleNotFound, FootprintClass
from muniment.domain.identifiers import identifier
from muniment.scripts.cli.base import at_option, cli, journal_options, open_caught_up, require_session, tables_at
from muniment.scripts.output import envelope, show, table, to_plain


@cli.command()
@click.argument("session", required=False)
@at_option
@journal_options
def footprints(session: str | None, at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show which sessions each authority has, natively, by delegation, or delegated away; with SESSION, who has it.

    Exits with 1 if authorities contradict each other.
    """
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        if session is not None:
            require_session(as_of, session)
            held = as_of.footprints.of_session(session)
            marks = [(authority, each, session) for authority, each in sorted(held.items())]
        else:
            marks = [
                (authority, each, name)
                for authority, footprint in as_of.footprints.items()
                for each in FootprintClass
                for name in sorted(getattr(footprint, each))
            ]
        violations = [each for each in as_of.coherence() if session in (None, each.session_id)]
    if as_json:
        data = {
            "footprints": [dict(zip(("authority", "class", "session_id"), mark, strict=True)) for mark in marks],
            "violations": to_plain(violations),
        }
        envelope("footprints", data, journal=journal.url, position=as_of.position)
    else:
        title = f"{journal.url} as of position {as_of.position}"
        show(table(title, ["authority", "has it", "session"], marks))
        if violations:
            rows = [(each.session_id, each.kind, ", ".join(each.authorities)) for each in violations]
            show(table("Authorities that contradict each other", ["session", "how", "authorities"], rows))
    sys.exit(1 if violations else 0)


@cli.command()
@click.argument("session", required=False)
@at_option
@journal_options
def delegations(session: str | None, at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show who gave which session to whom, and whether that holds; with SESSION, of that session."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        if session is None:
            items = list(as_of.delegations.items())
        else:
            require_session(as_of, session)
            found = as_of.delegations.of_session(session)
            items = [((session, number), row) for number, row in found.items()]
    if as_json:
        data = [{"session_id": name, "delegation_id": number, **to_plain(row)} for (name, number), row in items]
        envelope("delegations", data, journal=journal.url, position=as_of.position)
        return
    columns = ["session", "number", "from", "to", "through", "new owner", "clears", "status", "since"]
    rows = [
        (
            name,
            number,
            row.from_authority,
            row.to_authority,
            row.bundle_id,
            row.new_owner,
            ", ".join(row.cleared),
            row.status,
            row.since,
        )
        for (name, number), row in items
    ]
    show(table(f"{journal.url} as of position {as_of.position}", columns, rows))


@cli.command()
@click.argument("bundle", required=False)
@at_option
@journal_options
def bundles(bundle: str | None, at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show the bundles that are known, who runs them, and what became of their upgrades; with BUNDLE, that one."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        items = dict(as_of.bundles.items())
        if bundle is not None:
            if identifier("BUNDLE", bundle) not in items:
                raise BundleNotFound(bundle)
            items = {bundle: items[bundle]}
        upgrades = [(key, row) for key, row in as_of.upgrades.items() if bundle in (None, key[0])]
    if as_json:
        last = {key[0]: (key[1], row.phase) for key, row in sorted(upgrades, key=lambda each: each[1].since)}
        data = {
            "bundles": [
                {
                    "bundle_id": name,
                    **to_plain(row),
                    **dict(zip(("last_upgrade", "phase"), last.get(name, (None, None)), strict=True)),
                }
                for name, row in items.items()
            ],
            "upgrades": [{"bundle_id": key[0], "upgrade_id": key[1], **to_plain(row)} for key, row in upgrades],
        }
        envelope("bundles", data, journal=journal.url, position=as_of.position)
        return
    rows = [
        (
            name,
            ", ".join(row.bundle.protocol_ids),
            ", ".join(sorted(row.bundle.exports)),
            ", ".join(sorted(row.bundle.imports)),
            " + ".join(row.linked_from),
            ", ".join(row.members),
            row.epoch,
            row.since,
        )
        for name, row in items.items()
    ]
    columns = ["bundle", "protocols", "exports", "imports", "linked from", "members", "epoch", "since"]
    show(table(f"{journal.url} as of position {as_of.position}", columns, rows))
    if upgrades:
        rows_of_upgrades = [
            (*key, row.phase, ", ".join(row.previous_members), ", ".join(row.next_members), row.reason, row.since)
            for key, row in upgrades
        ]
        show(table("Upgrades", ["bundle", "upgrade", "phase", "from", "to", "reason", "since"], rows_of_upgrades))
