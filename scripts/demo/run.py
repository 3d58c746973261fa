"""``muniment demo``: a journal made from a recorded trace, and a look around in it."""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from importlib.resources import as_file, files
from itertools import count, islice, zip_longest
from pathlib import Path
from shlex import quote
from shutil import which
from typing import Any

import click
from muniment.domain import CommandRefused, InvalidArgument, OwnershipCapability, Policy, RecordedEvent, StaleCapability
from muniment.domain.shown import utc
from muniment.journal import Journal
from muniment.projections import OwnersView
from muniment.scripts.conformance.traces import Json, Translation, give, open_sessions, read_cases
from muniment.scripts.demo.clock import DayClock
from muniment.scripts.demo.conversation import CONVERSATION, hold_conversation
from muniment.scripts.demo.copies import restored
from muniment.scripts.demo.hand_over import fail_hand_over
from muniment.scripts.demo.living import SESSION, live_in_a_session
from muniment.scripts.demo.looking_back import REFUSAL, SESSION as HANDED_ON, change_hands, look_back
from muniment.scripts.demo.protocol import bargain
from muniment.scripts.describe import describe
from muniment.scripts.output import envelope, progress_bar, record_to_plain, short_kind, show, table, to_plain

_DEFAULT_NAME = "muniment-demo.db"
_SHOWN_SESSIONS = 8


def run_demo(file: Path | None, *, as_json: bool) -> None:
    """Make the journal, and show what it knows.

    Args:
        file: where to make it; None for a free name in the current folder.
        as_json: whether to print one JSON object instead of tables.

    Raises:
        InvalidArgument: the file exists.
        JournalUnavailable: it cannot be made.
    """
    path = _free_path() if file is None else file
    if path.exists():
        raise InvalidArgument("FILE", f"exists already: {path}")
    url = f"sqlite:///{path}"
    with as_file(files("muniment.scripts.data") / "telltale-ownership.jsonl.gz") as trace:
        cases = list(read_cases(trace))
    clock = DayClock(sum(len(case["steps"]) for case in cases))
    with Journal.open(url, policy=Policy.reference(), clock=clock) as journal:
        answers = _feed(journal, cases, clock)
        session_id, stale, error = _refused_stale_capability(journal)
        followed = _followed(journal, session_id)
        failed = fail_hand_over(journal)
        lived = live_in_a_session(journal)
        looked_back = look_back(journal)
        bargained = bargain(journal)
        held = hold_conversation(journal)
        copied = restored(journal)
        head = journal.head()
        then = journal.at(position=head // 2)
        chosen = _changed_sessions(journal.owners, then.owners, session_id)
        trail = journal.audit.records(session_id)
        with progress_bar("verifying") as progress:
            findings = journal.verify(progress).findings
        if as_json:
            facts = {
                "answers": dict(answers),
                "events": head,
                "owners_now": {name: to_plain(journal.owners[name]) for name in chosen},
                "owners_then": {name: to_plain(then.owners[name]) for name in chosen},
                "then": then.position,
                "audit": [to_plain(record) for record in trail],
                "refused": {"presented": to_plain(stale), "code": error.code, "message": str(error)},
                "followed": record_to_plain(followed),
                "hand_over": failed.to_json(),
                "living": lived.to_json(),
                "looking_back": looked_back.to_json(),
                "protocol": bargained.to_json(),
                "conversation": held.to_json(),
                "restored": copied.to_json(),
                "findings": [finding._asdict() for finding in findings],
                "try": _next_commands(url, session_id, then.position),
            }
            envelope("demo", facts, journal=url, position=head)
            return
        refused = sum(answers.values()) - answers["accepted"]
        show(f"{sum(answers.values())} recorded commands given: {answers['accepted']} accepted, {refused} refused.")
        show(f"{head} events are in {path}, with every refusal that showed a stale, forged or spent artifact.")
        show(f"They are stamped as if the commands had been given since {utc(clock.began)}, some seconds apart.")
        show(
            "They were decided by the policy of the reference, which permits more than Muniment's laws do: "
            "a transfer may widen a scope.\nA journal that is opened without a policy keeps to the laws.\n"
        )
        show(
            _owner_table(
                f"Who holds what now ({len(chosen)} of {len(journal.owners)} sessions)", journal.owners, chosen
            )
        )
        show(_owner_table(f"The same sessions as of position {then.position}", then.owners, chosen))
        rows = [
            (each.position, each.event, short_kind(each.kind), describe(each.artifact), each.reason) for each in trail
        ]
        show(table(f"How it came about: {session_id}", ["position", "event", "artifact", "what", "reason"], rows))
        show(f"A capability from before is refused, and that is on the record:\n  {type(error).__name__}: {error}\n")
        what = f"{followed.position}  {followed.id}  {followed.type}"
        show(f"Whoever follows the journal is told as it is committed:\n  {what}\n")
        failed.show()
        lived.show()
        looked_back.show()
        bargained.show()
        held.show()
        copied.show()
        show(f"Verified from the first event to the last, tables included: {len(findings)} findings.\n")
    # Commands are not folded: they are copied.
    click.echo("\n  ".join(["Try next:", *_next_commands(url, session_id, then.position)]))


def _feed(journal: Journal, cases: list[Json], clock: DayClock) -> Counter[str]:
    """Give every recorded command to the journal, some seconds after the one before; count the answers."""
    answers: Counter[str] = Counter()
    names = [f"case-{case['case']:03}" for case in cases]
    translations = [Translation(partial("{}-session-{}".format, name)) for name in names]
    for case, translation in zip(cases, translations, strict=True):
        open_sessions(journal, case, translation)
    # The cases run side by side, a command of each in turn, as sessions do.
    rounds = zip_longest(*(case["steps"] for case in cases))
    # In between, one session changes hands that is asked about afterwards.
    acts = change_hands(journal)
    with progress_bar("recording") as progress:
        for done, steps in enumerate(rounds, 1):
            next(acts, None)
            for step, name, translation in zip(steps, names, translations, strict=True):
                if step is not None:
                    clock.step()
                    with journal.context(actor="demo", correlation_id=name):
                        answers[_give(journal, step, translation)] += 1
            progress(done, max(len(case["steps"]) for case in cases))
    return answers


def _give(journal: Journal, step: Json, translation: Translation) -> str:
    try:
        result = give(journal, step, translation)
    except CommandRefused as error:
        return error.code
    if result is not None and isinstance(step.get("ok"), dict):
        translation.learn(step["ok"], result)
    return "accepted"


def _refused_stale_capability(journal: Journal) -> tuple[str, OwnershipCapability, StaleCapability]:
    """Present the first capability of a session that has changed hands often."""
    held = {name: row for name, row in journal.owners.items() if row.generation is not None and row.scope is not None}
    session_id = max(held, key=lambda name: (held[name].generation or 0, name))
    issued: Any = next(each.artifact for each in journal.audit.records(session_id) if each.event == "issued")
    try:
        journal.sessions.check(issued)
    except StaleCapability as error:
        return session_id, issued, error
    raise AssertionError(f"{issued} is live")


def _followed(journal: Journal, session_id: str) -> RecordedEvent:
    """Follow the journal while somebody gives a session to the next owner."""
    live = journal.sessions.state(session_id).capability
    if live is None:
        raise AssertionError(f"nobody holds {session_id}")
    with journal.follow(after=journal.head()) as following, journal.context(actor="demo"):
        journal.sessions.transfer(live, "dave")
        return next(following)


def _changed_sessions(now: OwnersView, then: OwnersView, session_id: str) -> list[str]:
    """Sessions that are not as they were, the given one first."""
    before = dict(then.items())
    changed = (name for name, row in now.items() if name in before and row != before[name] and name != session_id)
    first = [session_id] if session_id in before else []
    return [*first, *islice(changed, _SHOWN_SESSIONS - len(first))]


def _owner_table(title: str, owners: OwnersView, chosen: list[str]) -> Any:
    rows = [(name, owners[name]) for name in chosen]
    return table(
        title,
        ["session", "owner", "generation", "scope", "status", "since"],
        [(name, row.owner, row.generation, row.scope, row.status, row.since) for name, row in rows],
    )


def _next_commands(url: str, session_id: str, position: int | None) -> list[str]:
    commands = (
        f"log {session_id}",
        f"owners --at {position}",
        "delegations",
        f"session {SESSION}",
        f"why {HANDED_ON}",
        f"explain {REFUSAL}",
        "sagas",
        f"conversation {CONVERSATION}",
        "tail",
        "verify",
        "replay",
    )
    return [f"{_as_typed()} {command} --journal {quote(url)}" for command in commands]


def _as_typed() -> str:
    """The program, as whoever called it can call it again from where they are."""
    called = Path(sys.argv[0])
    if called.name != "muniment":
        return f"{quote(sys.executable)} -m muniment.scripts.main"
    found = which("muniment")
    is_on_path = found is not None and called.resolve() == Path(found).resolve()
    return "muniment" if is_on_path else quote(sys.argv[0])


def _free_path() -> Path:
    path = Path(_DEFAULT_NAME)
    for number in count(2):
        if not path.exists():
            break
        path = Path(f"{Path(_DEFAULT_NAME).stem}-{number}.db")
    return path
