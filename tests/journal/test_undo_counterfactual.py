"""Undo against what might have been: what it leaves is what the commands still in effect lead to by themselves.

Commands are given in any order, and any event is undone, and undone again. Whenever the journal accepts that, the
commands that are in effect by then are given to a new journal, in their order: each must be accepted there, by the same
owner under the same scope, and both journals must agree. No rule of undo is consulted; an undo that takes away what
something later needed cannot pass.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from muniment.domain import FULL_SESSION, CommandRefused, Fragments, InvalidInput
from muniment.domain.session import SessionView
from muniment.journal import Journal, UndoPlan

from .stories import MANIFEST

SEQUENCES: Final = int(os.environ.get("MUNIMENT_TEST_UNDO_SEQUENCES", "14"))
"""How many sequences are drawn; set the variable for more."""

COMMANDS: Final = 80
OWNERS: Final = ("x", "y", "z")
AUTHORITIES: Final = ("A", "B")
SCOPES: Final = (FULL_SESSION, FULL_SESSION, Fragments({"bundle:chat", "protocol:p"}), Fragments({"bundle:chat"}))
FRAGMENTS: Final = ("bundle:chat", "protocol:p")

Ownership = tuple[str, Any] | None
"""Who owns a session, and under which scope."""


@dataclass(eq=False)
class Deed:
    """A command that was accepted.

    Attributes:
        name: the command.
        arguments: what it was given, beside capabilities and receipts.
        presenter: the owner whose capability was presented, with its scope; None if the command takes none.
    """

    name: str
    arguments: tuple[Any, ...]
    presenter: Ownership

    def give(self, journal: Journal) -> None:
        """Give the command, with what is live or staged in this journal."""
        view = journal.sessions.state("s") if self.name != "open" else None
        capability = None if view is None else view.capability
        if self.presenter is not None:
            assert ownership(view) == self.presenter, f"{self.name} is presented by another"
        sessions = journal.sessions
        if self.name in ("open", "host", "claim", "delegate"):
            getattr(sessions, self.name)("s", *self.arguments)
        elif self.name in ("commit_transfer", "rollback_transfer"):
            assert view is not None
            assert view.pending_receipt is not None, "nothing is staged"
            getattr(sessions, self.name)(view.pending_receipt)
        elif self.name == "consume_witness":
            assert view is not None
            (witness,) = (each for each in view.outstanding_witnesses if each.predicate == self.arguments[0])
            sessions.consume_witness(capability, witness)  # type: ignore[arg-type]
        elif self.name == "hand_over":
            owner, giver, taker = self.arguments
            sessions.hand_over(capability, owner, from_authority=giver, to_authority=taker)  # type: ignore[arg-type]
        else:
            getattr(sessions, self.name)(capability, *self.arguments)


def ownership(view: SessionView | None) -> Ownership:
    if view is None or view.capability is None:
        return None
    return view.capability.owner, view.capability.scope


def standing(view: SessionView) -> dict[str, Any]:
    """What must be the same in both journals: all but generations and other numbers that never come again."""
    pending = view.pending_receipt
    return {
        "status": view.status,
        "roles": view.roles,
        "ownership": ownership(view),
        "staged": None if pending is None else (pending.to_owner, pending.scope),
        "holder": view.holder,
        "footprint": dict(view.footprint),
        "fragments": {key: fragment.owner for key, fragment in view.fragments.items()},
        "consumed": sorted(witness.predicate for witness in view.consumed_witnesses),
    }


def outstanding(view: SessionView) -> set[str]:
    return {witness.predicate for witness in view.outstanding_witnesses}


@dataclass
class History:
    """What was done in a journal, and what of it is in effect.

    Attributes:
        in_effect: the commands in effect, in the order in which they took it.
    """

    journal: Journal
    rng: random.Random
    in_effect: list[Deed] = field(default_factory=list)
    deeds: dict[str, Deed] = field(default_factory=dict)
    predicates: int = 0
    undone: int = 0

    def step(self) -> None:
        if self.rng.random() < 0.35:
            self.undo()
        else:
            self.command()

    def command(self) -> None:
        """Give some command; one that is refused did nothing."""
        deed = self.draw()
        head = self.journal.head()
        try:
            deed.give(self.journal)
        except (CommandRefused, InvalidInput, AssertionError, TypeError, ValueError, AttributeError):
            return
        for record in self.journal.read(head):
            if not record.type.endswith("_rejected.v1"):
                self.deeds[record.id] = deed
                self.in_effect.append(deed)

    def draw(self) -> Deed:
        rng = self.rng
        view = self.journal.sessions.state("s") if "s" in self.journal.owners else None
        presenter = ownership(view)
        owner, scope = rng.choice(OWNERS), rng.choice(SCOPES)
        giver = (view and view.holder) or rng.choice(AUTHORITIES)
        taker = rng.choice(AUTHORITIES)
        self.predicates += 1
        draws: list[tuple[str, tuple[Any, ...], bool]] = [
            ("open", (("r",),), False),
            ("host", (giver,), False),
            ("delegate", (giver, taker), False),
            ("claim", (owner, scope), False),
            ("release", (), True),
            ("transfer", (owner, rng.choice([None, scope])), True),
            ("begin_transfer", (owner, rng.choice([None, scope])), True),
            ("commit_transfer", (), False),
            ("rollback_transfer", (), False),
            ("attenuate", (scope,), True),
            ("issue_witness", (f"p-{self.predicates}",), True),
            ("consume_witness", (rng.choice(sorted(outstanding(view)) if view else []) or "",), True)
            if view and view.outstanding_witnesses
            else ("issue_witness", (f"p-{self.predicates}",), True),
            ("hand_over", (owner, giver, taker), True),
            ("claim_fragments", (MANIFEST,), True),
            ("move_fragments", ([rng.choice(FRAGMENTS)], owner), True),
            ("release_fragments", ([rng.choice(FRAGMENTS)],), True),
        ]
        if self.predicates > COMMANDS // 2 and rng.random() < 0.02:
            draws = [("close", (), True)]
        name, arguments, is_presented = rng.choice(draws)
        return Deed(name, arguments, presenter if is_presented else None)

    def undo(self) -> None:
        """Undo some event, or everything behind some version; see that what is in the way is later, and leads on."""
        records = list(self.journal.read_stream("session-s"))
        if not records:
            return
        try:
            if self.rng.random() < 0.9:
                plan = self.journal.revert(self.rng.choice(records[-12:]).id)
            else:
                plan = self.journal.rollback("session-s", self.rng.randrange(len(records) + 1))
        except CommandRefused as refusal:
            self.follow(refusal)
            return
        self.take(plan)
        self.compare()

    def follow(self, refusal: CommandRefused) -> None:
        """What is in the way can be undone, or leads on to something later that can, or stays for good."""
        seen = 0
        while (later := getattr(refusal, "later_event_id", None)) is not None:
            version = int(later.rpartition("@")[2])
            assert version > seen, f"{refusal} leads back"
            seen = version
            obstacles = self.journal.revert(later, dry_run=True).obstacles
            if not obstacles:
                return
            refusal = obstacles[0]
        assert isinstance(refusal, CommandRefused)

    def take(self, plan: UndoPlan) -> None:
        for position, step in zip(plan.positions, plan.steps, strict=True):
            deed = self.deeds[step.event_id]
            self.deeds[self.journal.record(position).id] = deed
            self.undone += 1
            if deed in self.in_effect:
                self.in_effect.remove(deed)
            else:
                self.in_effect.append(deed)

    def remaining(self, predicates: set[str]) -> list[Deed]:
        """What is in effect, but for witnesses that ended by themselves, which nothing gives back (law 4)."""
        return [deed for deed in self.in_effect if deed.name != "issue_witness" or deed.arguments[0] in predicates]

    def compare(self) -> None:
        """Give what is in effect to a new journal; see that both agree."""
        with Journal.open("memory://") as other:
            if "s" not in self.journal.owners:
                # The opening was undone, and what is void came before it.
                assert not self.remaining(set())
                return
            mine = self.journal.sessions.state("s")
            consumed = {witness.predicate for witness in mine.consumed_witnesses}
            for deed in self.remaining(outstanding(mine) | consumed):
                deed.give(other)
            theirs = other.sessions.state("s")
            assert standing(mine) == standing(theirs)
            # A witness that ended with its ownership stays void, also where the ownership comes back (law 4).
            assert outstanding(mine) <= outstanding(theirs)


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_what_undo_leaves_is_what_the_commands_in_effect_lead_to(seed: int) -> None:
    with Journal.open("memory://") as journal:
        history = History(journal, random.Random(seed))
        for name, arguments in (("open", (("r",),)), ("host", ("A",)), ("claim", ("x", FULL_SESSION))):
            deed = Deed(name, arguments, None)
            deed.give(journal)
            history.deeds[journal.record(journal.head()).id] = deed
            history.in_effect.append(deed)
        for _ in range(COMMANDS):
            history.step()
        assert history.undone, "nothing was undone"
        assert journal.verify().findings == ()
