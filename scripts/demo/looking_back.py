"""The part of the demo that is asked about afterwards: a session that changed hands while other work went on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from muniment.domain import StaleCapability
from muniment.journal import Diff, Explanation, Journal, Provenance
from muniment.scripts.output import show

SESSION: Final = "s-42"
REFUSAL: Final = f"session-{SESSION}@8"
"""The event by which somebody is refused."""

REQUEST: Final = "request-7"

_Act = Iterator[None]


class Unreachable(Exception):
    """What the demo's outside world answers."""


def change_hands(journal: Journal) -> _Act:
    """Do one act after the other, each time that it is asked for the next."""

    def by(actor: str) -> Any:
        return journal.context(actor=actor, correlation_id=REQUEST)

    with by("supervisor"):
        journal.sessions.open(SESSION, roles=["coordinator", "worker"])
        journal.sessions.host(SESSION, "site-a")
        held = journal.sessions.claim(SESSION, "agent-a")
    yield
    with by("agent-a"):
        journal.sessions.release(held)
    yield
    with by("supervisor"):
        held = journal.sessions.claim(SESSION, "agent-a")
    yield
    with by("agent-a"):
        receipt = journal.sessions.begin_transfer(held, "agent-b")
    yield
    with by("supervisor"):
        journal.sessions.commit_transfer(receipt)
    yield
    with by("agent-a"), suppress(StaleCapability):
        journal.sessions.check(held)
    yield
    _fail_to_tell(journal)


def _fail_to_tell(journal: Journal) -> None:
    """A saga that nobody can undo: what is outside does not answer."""

    def take_back(details: str) -> None:
        raise Unreachable(details)

    with (
        suppress(Unreachable),
        journal.context(actor="supervisor", correlation_id=REQUEST),
        journal.saga("tell the group") as saga,
    ):
        saga.register_undo("announcement", take_back, f"{SESSION} is with agent-b")
        raise Unreachable("the group does not answer")


@dataclass(frozen=True)
class LookedBack:
    """What the journal answers.

    Attributes:
        why: why the session is whose it is.
        refused: what is to say of the refusal.
        changed: what changed in it by the hand-over.
    """

    why: Provenance
    refused: Explanation
    changed: Diff

    def to_json(self) -> dict[str, Any]:
        """The same as JSON knows it."""
        return {"why": self.why.to_json(), "refused": self.refused.to_json(), "changed": self.changed.to_json()}

    def show(self) -> None:
        """Print it."""
        show(f"Why {SESSION} is whose it is:\n{self.why}\n")
        show(f"Why agent-a was refused:\n{self.refused}\n")
        show(f"What the hand-over changed:\n{self.changed}\n")


def look_back(journal: Journal) -> LookedBack:
    """Ask about the session."""
    committed = next(iter(journal.records(stream=f"session-{SESSION}", types=["session.transfer_committed"])))
    changed = journal.diff(committed.position - 1, committed.position, tables=["owners"])
    return LookedBack(journal.why(SESSION), journal.explain(REFUSAL), changed)
