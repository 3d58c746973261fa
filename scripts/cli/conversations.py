"""Commands that show conversations and their deadlines, and let time go by."""

from __future__ import annotations

import click
from muniment.domain import ConversationNotFound, Deadline
from muniment.domain.identifiers import identifier
from muniment.domain.shown import utc
from muniment.journal import Projections
from muniment.scripts.cli.base import (
    LARGEST,
    actor_option,
    at_option,
    cli,
    journal_options,
    open_caught_up,
    open_journal,
    tables_at,
)
from muniment.scripts.describe import describe
from muniment.scripts.output import envelope, progress_bar, show, table, to_plain, utc_or_none


@cli.command()
@at_option
@journal_options
def conversations(at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show where each conversation stands, and what is due in it next."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        items = list(as_of.conversations.items())
    if as_json:
        data = [{"conversation_id": name, **to_plain(row)} for name, row in items]
        envelope("conversations", data, journal=journal.url, position=as_of.position)
        return
    columns = ["conversation", "life", "phase", "in it from", "mode", "voted on", "approved", "due next", "since"]
    rows = [
        (
            name,
            row.life,
            row.phase,
            utc_or_none(row.entered_at),
            row.mode,
            row.proposals,
            row.approved,
            _due(row.deadlines[0]) if row.deadlines else None,
            row.since,
        )
        for name, row in items
    ]
    show(table(f"{journal.url} as of position {as_of.position}", columns, rows))


@cli.command()
@click.argument("conversation_id", metavar="ID")
@at_option
@journal_options
def conversation(conversation_id: str, at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show one conversation: its proposals, what is due, how long each phase took, what was done late."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        if identifier("ID", conversation_id) not in as_of.conversations:
            raise ConversationNotFound(conversation_id)
        if as_json:
            envelope("conversation", _to_plain(as_of, conversation_id), journal=journal.url, position=as_of.position)
        else:
            _show(as_of, conversation_id, journal.url)


@cli.command()
@at_option
@journal_options
def deadlines(at: str | None, url: str, lock_timeout: float, as_json: bool) -> None:
    """Show what is due in all conversations, earliest first."""
    with open_caught_up(url, lock_timeout) as journal:
        as_of = tables_at(journal, at)
        pending = list(as_of.deadlines)
    if as_json:
        data = [
            {"conversation_id": each.conversation_id, **to_plain(each.deadline), "since": each.since}
            for each in pending
        ]
        envelope("deadlines", data, journal=journal.url, position=as_of.position)
        return
    columns = ["due at", "ms since 1970", "conversation", "what", "proposal", "vote", "since"]
    rows = [
        (
            utc(each.deadline.due_at),
            each.deadline.due_at,
            each.conversation_id,
            each.deadline.kind,
            each.deadline.proposal_id,
            "" if each.deadline.vote is None else "yes" if each.deadline.vote else "no",
            each.since,
        )
        for each in pending
    ]
    show(table(f"{journal.url} as of position {as_of.position}", columns, rows))


@cli.command()
@click.argument("conversation_id", metavar="[ID]", required=False)
@click.option(
    "--now",
    type=click.IntRange(min=0, max=LARGEST),
    metavar="MS",
    help="The time, in ms since 1970, UTC; by default what the clock says.",
)
@actor_option
@journal_options
def tick(
    conversation_id: str | None, now: int | None, actor: str | None, url: str, lock_timeout: float, as_json: bool
) -> None:
    """Do what is due in all conversations, or in the one that is named; where nothing is due, append nothing.

    Votes that nobody cast by hand are cast, the waiting for votes ends, freezes begin and end, joins expire.
    """
    with open_journal(url, lock_timeout) as journal, journal.context(actor=actor):
        # One reading of the clock for both, so that the answer is of one time.
        time = journal.conversations.time(now)
        with progress_bar("ticking") as progress:
            happened = journal.conversations.tick(time, conversation_id, progress)
        wakeup = journal.conversations.next_wakeup(time, conversation_id)
    if as_json:
        data = {
            "now": time,
            "next_wakeup_ms": wakeup,
            "happened": [
                {
                    "conversation_id": name,
                    "events": [{"type": each.type, "data": to_plain(each)} for each in events],
                }
                for name, events in happened.items()
            ],
        }
        envelope("tick", data, journal=journal.url)
        return
    if happened:
        rows = [(name, each.type, describe(each)) for name, events in happened.items() for each in events]
        show(table(f"What was due at {utc(time)}", ["conversation", "type", "what"], rows))
    else:
        show(f"Nothing was due at {utc(time)}.")
    show("Nothing more will be, as things are." if wakeup is None else f"The next is due in {wakeup} ms.")


def _due(deadline: Deadline) -> str:
    about = "" if deadline.proposal_id is None else f" of proposal {deadline.proposal_id}"
    return f"{deadline.kind}{about} at {utc(deadline.due_at)}"


def _to_plain(as_of: Projections, conversation_id: str) -> dict[str, object]:
    proposals = as_of.proposals.of_conversation(conversation_id)
    visits = as_of.phase_visits.of_conversation(conversation_id)
    late = as_of.late_firings.of_conversation(conversation_id)
    return {
        "conversation": {"conversation_id": conversation_id, **to_plain(as_of.conversations[conversation_id])},
        "proposals": [{"proposal_id": number, **to_plain(each)} for number, each in proposals.items()],
        "phases": [{**to_plain(each), "lasted_ms": each.lasted_ms} for each in visits],
        "late": [{**to_plain(each), "lateness_ms": each.lateness_ms} for each in late],
    }


def _show(as_of: Projections, conversation_id: str, url: str) -> None:
    row = as_of.conversations[conversation_id]
    about = [
        ("conversation", conversation_id),
        ("life", row.life if row.reason is None else f"{row.life}: {row.reason}"),
        ("role", row.role),
        ("phase", row.phase),
        ("in it from", utc_or_none(row.entered_at)),
        ("its window counts from", utc_or_none(row.anchor)),
        ("mode", row.mode),
        ("epoch", row.epoch),
        ("stewards", row.stewards),
        ("candidates", row.candidates),
        ("proposals voted on", row.proposals),
        ("requests approved", row.approved),
        ("elections rejected", row.retries),
        ("last event", utc(row.at)),
    ]
    facts = [each for each in about if each[1] is not None]
    show(table(f"{url} as of position {as_of.position}", ["fact", "value"], facts))
    if row.deadlines:
        due = [(utc(each.due_at), each.kind, each.proposal_id) for each in row.deadlines]
        show(table("What is due", ["due at", "what", "proposal"], due))
    proposals = [
        (
            number,
            each.request.violation or each.request.kind,
            each.request.target,
            each.creator,
            each.voters,
            each.status,
            utc(each.opened_at),
            utc_or_none(each.resolved_at),
        )
        for number, each in as_of.proposals.of_conversation(conversation_id).items()
        if each.incarnation == row.incarnation
    ]
    if proposals:
        columns = ["number", "for", "about", "by", "voters", "status", "opened at", "resolved at"]
        show(table("Proposals", columns, proposals))
    visits = [
        (each.phase, utc(each.entered_at), utc_or_none(each.left_at), each.lasted_ms)
        for each in as_of.phase_visits.of_conversation(conversation_id)
    ]
    show(table("Phases", ["phase", "from", "until", "ms"], visits))
    late = [
        (each.kind, each.proposal_id, utc(each.due_at), utc(each.fired_at), each.lateness_ms)
        for each in as_of.late_firings.of_conversation(conversation_id)
    ]
    if late:
        show(table("Done late", ["what", "proposal", "due at", "done at", "ms late"], late))
