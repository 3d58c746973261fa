"""Every error of Muniment, with its code, what it says, and its facts.

    python -m muniment.scripts.errors [--write FILE]

Prints the tables of ``docs/errors.md``; with ``--write`` it renews them in that file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import click
from muniment.domain import (
    FULL_SESSION,
    CommandRefused,
    Fragments,
    InvalidInput,
    JournalError,
    Lost,
    MunimentError,
    TerminalReason,
)

BEGIN: Final = "<!-- errors -->\n"
END: Final = "<!-- end of errors -->"

_BRANCHES: Final[dict[str, tuple[type[MunimentError], ...]]] = {
    "A command that is refused": (CommandRefused,),
    "An argument that is wrong": (InvalidInput,),
    "A journal that cannot be used as asked": (JournalError,),
    "Others": (MunimentError,),
}

_EXAMPLES: Final[dict[str, Any]] = {
    "session_id": "s-42",
    "owner": "agent-a",
    "live_owner": "agent-b",
    "generation": 1,
    "live_generation": 2,
    "scope": FULL_SESSION,
    "live_scope": FULL_SESSION,
    "required": FULL_SESSION,
    "actual": Fragments({"bundle:chat"}),
    "lost": Lost("session-s-42@4", "session.ownership_transferred.v1", 1_767_261_600_000),
    "reason": "it was withdrawn",
    "event_id": "session-s-42@4",
    "later_event_id": "session-s-42@5",
    "later_type": "session.hosted.v1",
    "compensated_by": "session-s-42@6",
    "type": "session.opened.v1",
    "stream": "session-s-42",
    "pattern": "session.clsed",
    "path": "handoffs.db",
    "problem": "…",
    "idempotency_key": "claim-1",
    "differences": ("owner",),
    "authority": "site-a",
    "holder": "site-b",
    "bundle_id": "chat",
    "boundary_bundle_id": "mail",
    "conversation_id": "team",
    "cursor": f"{'5b0c' * 8}-0-7",
    "journal": "77aa" * 8,
    "status": "closed",
    "stays": "",
    "is_opening": False,
    "now": 1_767_261_600_000,
    "argument": "owner",
    "projection": "owners",
    "what": "witnesses",
    "most": 1_000,
    "found": 3,
    "supported": 2,
    "timeout_ms": 5_000,
    "life": "removed",
    "phase": "freezing",
    "operation": "open_proposal",
    "permitted": ("working",),
    "target": "reelection",
    "legal": ("working", "selection"),
    "emergencies": (7,),
    "outcome": "rejected",
    "kind": "add_member",
    "voter": "bob",
    "rule": "b",
    "needed": "staged",
    "left": "chat",
    "right": "mail",
    "fragment_key": "bundle:chat",
    "fragment_keys": ("bundle:chat",),
    "protocol_id": "group-chat",
    "requested_owner": "agent-b",
    "saga_id": "0123456789abcdef",
    "steps": ("booking",),
    "upgrade_id": "u-1",
    "size": 2_000_000,
    "capability_session_id": "s-43",
    "expected_session_id": "s-42",
    "bound_session_id": "s-43",
    "binding": "task 'Task-7'",
    "role": "worker",
    "from_role": "worker",
    "to_role": "reviewer",
    "bound": "it holds 1024 envelopes",
    "unread": 3,
    "number": 7,
    "name": "greeting",
    "taken_by": 2,
    "timeout_s": 5.0,
    "site": "worker",
    "last_tick": 9,
}
"""What facts are in the examples, by their names; others are examples of their kind."""

_OWN_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "SessionNotFinished": {"status": "active"},
    "RoundFailed": {"outcome": "stuck"},
    "EnvelopeNotTaken": {"generation": 2, "taken_by": 1},
}
"""What facts are in the examples of single errors, where those by name would make no sense together."""


def all_errors() -> Iterator[type[MunimentError]]:
    """Every class of errors that has facts; the others are branches of the tree."""
    waiting: list[type[MunimentError]] = [MunimentError]
    while waiting:
        error = waiting.pop(0)
        waiting += error.__subclasses__()
        if fields(error):
            yield error


def example(error: type[MunimentError]) -> MunimentError:
    """An error of a class, with facts as they may be."""
    return error(**{field.name: _example_of(field.name, str(field.type), error) for field in fields(error)})


def _example_of(name: str, kind: str, error: type[MunimentError]) -> Any:
    if name == "reason" and "TerminalReason" in kind:
        return TerminalReason("owner_died", "agent-a")
    if name == "scope" and "Conflict" in error.__name__:
        return FULL_SESSION
    if name == "required" and "str" in kind:
        return "review"
    if name in (own := _OWN_EXAMPLES.get(error.__name__, {})):
        return own[name]
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    if "tuple" in kind:
        return ("a", "b")
    return 3 if "int" in kind else name.replace("_", "-")


def lines() -> Iterator[str]:
    """The tables, line by line."""
    shown: set[type[MunimentError]] = set()
    for title, bases in _BRANCHES.items():
        yield f"### {title}"
        yield ""
        yield "| code, class | what it says, for example | facts |"
        yield "|---|---|---|"
        for error in sorted(all_errors(), key=lambda each: each.code):
            if issubclass(error, bases) and error not in shown:
                shown.add(error)
                facts = ", ".join(f"`{field.name}`" for field in fields(error))
                said = str(example(error)).replace("|", "\\|").replace("<", "&lt;")
                yield f"| `{error.code}` `{error.__name__}` | {said} | {facts} |"
        yield ""


@click.command(help=__doc__)
@click.option("--write", "file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Renew this file.")
def main(file: Path | None) -> None:
    """Print the tables, or renew them in a file."""
    tables = "\n".join(lines())
    if file is None:
        click.echo(tables)
        return
    before, _, rest = file.read_text().partition(BEGIN)
    file.write_text(f"{before}{BEGIN}{tables}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main(prog_name="python -m muniment.scripts.errors")
