"""The journal against an independent model of sessions: answers, states, undo, and the ends of artifacts."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest
from muniment.domain import (
    FULL_SESSION,
    CommandRefused,
    Fragments,
    InvalidInput,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
)
from muniment.journal import Journal

from ..session_model import FINAL, FRAGMENTS, Capability, Receipt, Refused, Scope, SessionModel, Witness
from .stories import MANIFEST

SEQUENCES: Final = int(os.environ.get("MUNIMENT_TEST_MODEL_SEQUENCES", "20"))
"""How many sequences are drawn; set the variable for more."""

COMMANDS: Final = 85
OWNERS: Final = ("x", "y", "z")
AUTHORITIES: Final = ("A", "B", "C")
SCOPES: Final[tuple[Scope, ...]] = (None, None, None, frozenset(FRAGMENTS), frozenset({"bundle:chat"}))


LIKELY: Final = (
    ("open", "claim", "delegate"),
    ("release", "transfer", "attenuate", "begin", "issue", "issue", "consume", "hand over", "claim fragments"),
    ("commit", "roll back", "issue", "owner died", "abandon", "fail"),
)
"""What is likely to be accepted without an owner, with one, and with a staged transfer."""


def scope_of(scope: Scope) -> Any:
    return FULL_SESSION if scope is None else Fragments(scope)


def capability_of(each: Capability) -> OwnershipCapability:
    return OwnershipCapability("s", each.owner, each.generation, scope_of(each.scope))


def receipt_of(each: Receipt) -> OwnershipReceipt:
    return OwnershipReceipt(
        "s",
        each.claim,
        each.from_owner,
        each.from_generation,
        each.to_owner,
        each.to_generation,
        scope_of(each.scope),
    )


def witness_of(each: Witness) -> ReadinessWitness:
    # Only who reaches over all of a session is issued one.
    return ReadinessWitness(each.number, "s", each.owner, each.generation, FULL_SESSION, each.predicate)


def artifact_of(each: Any) -> Any:
    """What the journal must answer, of what the model does."""
    makers: dict[type, Callable[[Any], Any]] = {
        Capability: capability_of,
        Receipt: receipt_of,
        Witness: witness_of,
    }
    return makers[type(each)](each) if type(each) in makers else each


def outcome(command: Callable[[], Any]) -> tuple[Any, Any]:
    """What a command answers, or what refuses it."""
    try:
        return command(), None
    except (Refused, CommandRefused, InvalidInput) as refusal:
        return None, refusal


class Pair:
    """A journal and the model, given the same commands."""

    def __init__(self, journal: Journal, rng: random.Random) -> None:
        self.journal = journal
        self.model = SessionModel()
        self.rng = rng
        self.capabilities: list[Capability] = [Capability("nobody", 7, None)]
        self.receipts: list[Receipt] = [Receipt(9, "nobody", 7, "x", 8, None)]
        self.witnesses: list[Witness] = []
        self.outcomes: Counter[str] = Counter()

    def step(self) -> None:
        name, of_model, of_journal = self.draw()
        wanted, expected = outcome(of_model)
        answer, error = outcome(of_journal)
        if expected is not None or error is not None:
            self.check_refusal(name, expected, error)
        elif isinstance(wanted, Capability | Receipt | Witness):
            assert answer == artifact_of(wanted), name
            self.remember(wanted)
        elif isinstance(wanted, int):
            assert answer == wanted, name
        self.outcomes[f"{name}: {expected.name if expected else 'accepted'}"] += 1
        if self.model.now.live is not None:
            self.remember(self.model.now.live)
        if self.model.now.staged is not None:
            self.remember(self.model.now.staged)
        self.compare(name)

    def remember(self, artifact: Any) -> None:
        kinds: dict[type, list[Any]] = {
            Capability: self.capabilities,
            Receipt: self.receipts,
            Witness: self.witnesses,
        }
        of_kind = kinds[type(artifact)]
        if artifact not in of_kind:
            of_kind.append(artifact)

    def check_refusal(self, name: str, expected: Any, error: Any) -> None:
        assert expected is not None, f"{name} is refused: {error}"
        assert error is not None, f"{name} is accepted, and must be {expected}"
        assert type(error).__name__ == expected.name, f"{name}: {error}"
        if expected.later is not None:
            assert error.later_event_id == f"session-s@{expected.later}", f"{name}: {error}"
            assert bool(error.stays) == expected.stays, f"{name}: {error}"

    def compare(self, name: str) -> None:
        model, now = self.model, self.model.now
        assert self.journal.head() == len(model.entries), name
        if now.status == "unopened":
            assert "s" not in self.journal.owners, name
            return
        view = self.journal.sessions.state("s")
        assert view.status == now.status, name
        assert view.capability == artifact_of(now.live), name
        assert view.pending_receipt == artifact_of(now.staged), name
        assert (view.holder, dict(view.footprint)) == (now.holder, now.footprint), name
        assert {key: each.owner for key, each in view.fragments.items()} == now.fragments, name
        assert {key for key, each in view.fragments.items() if each.passes} == now.left, name
        assert view.claimable == scope_of(now.claimable), name
        assert [each.witness_id for each in view.outstanding_witnesses] == sorted(now.outstanding), name
        assert {each.witness_id for each in view.consumed_witnesses} == model.spent, name

    def draw(self) -> tuple[str, Callable[[], Any], Callable[[], Any]]:
        """A command, for the model and for the journal."""
        rng, model, sessions = self.rng, self.model, self.journal.sessions
        capability, receipt = self.shown_capability(), self.shown_receipt()
        owner, scope = rng.choice(OWNERS), rng.choice(SCOPES)
        giver, taker = model.now.holder or rng.choice(AUTHORITIES), rng.choice(AUTHORITIES)
        if rng.random() < 0.1:
            giver = rng.choice(AUTHORITIES)
        key, predicate = rng.choice(FRAGMENTS), f"p-{rng.randrange(9)}"
        given, staged, of = capability_of(capability), receipt_of(receipt), scope_of(scope)
        version = self.version_to_undo()
        if version and rng.random() < 0.3:
            event_id = f"session-s@{version}"
            return "revert", lambda: model.revert(version), lambda: len(self.journal.revert(event_id).steps)
        if version and rng.random() < 0.06:
            return (
                "rollback",
                lambda: model.rollback(version - 1),
                lambda: len(self.journal.rollback("session-s", version - 1).steps),
            )
        commands: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
            ("open", model.open, lambda: sessions.open("s")),
            ("host", lambda: model.host(giver), lambda: sessions.host("s", giver)),
            ("claim", lambda: model.claim(owner, scope), lambda: sessions.claim("s", owner, of)),
            ("claim", lambda: model.claim(owner, None), lambda: sessions.claim("s", owner)),
            ("release", lambda: model.release(capability), lambda: sessions.release(given)),
            (
                "transfer",
                lambda: model.transfer(capability, owner, scope),
                lambda: sessions.transfer(given, owner, of),
            ),
            ("attenuate", lambda: model.attenuate(capability, scope), lambda: sessions.attenuate(given, of)),
            (
                "begin",
                lambda: model.begin(capability, owner, scope),
                lambda: sessions.begin_transfer(given, owner, of),
            ),
            ("commit", lambda: model.commit(receipt), lambda: sessions.commit_transfer(staged)),
            ("roll back", lambda: model.roll_back(receipt), lambda: sessions.rollback_transfer(staged)),
            ("issue", lambda: model.issue(capability, predicate), lambda: sessions.issue_witness(given, predicate)),
            ("delegate", lambda: model.delegate(giver, taker), lambda: sessions.delegate("s", giver, taker)),
            (
                "hand over",
                lambda: model.hand_over(capability, owner, giver, taker),
                lambda: sessions.hand_over(given, owner, from_authority=giver, to_authority=taker).capability,
            ),
            (
                "claim fragments",
                lambda: model.claim_fragments(capability),
                lambda: sessions.claim_fragments(given, MANIFEST),
            ),
            (
                "move fragment",
                lambda: model.move_fragment(capability, key, owner),
                lambda: sessions.move_fragments(given, [key], owner),
            ),
            (
                "release fragment",
                lambda: model.release_fragment(capability, key),
                lambda: sessions.release_fragments(given, [key]),
            ),
        ]
        if self.witnesses:
            witness = rng.choice(list(model.now.outstanding.values()) or self.witnesses)
            spent = witness_of(witness)
            commands.append(
                (
                    "consume",
                    lambda: model.consume(capability, witness),
                    lambda: sessions.consume_witness(given, spent),
                )
            )
        # What ends a session ends what there is to do in it, so it is rare.
        if rng.random() < 0.06:
            commands = [
                ("close", lambda: model.close(capability), lambda: sessions.close(given)),
                ("owner died", lambda: model.died(owner), lambda: sessions.owner_died("s", owner)),
                ("abandon", lambda: model.abandon(receipt), lambda: sessions.abandon_transfer(staged)),
                ("fail", lambda: model.fail(receipt), lambda: sessions.fail_transfer_commit(staged, "broken")),
            ]
        # Mostly what may be accepted: without an owner a claim, with a staged transfer its end.
        likely = LIKELY[(model.now.live is not None) + (model.now.staged is not None)]
        wanted = [command for command in commands if command[0] in likely]
        return rng.choice(wanted if wanted and rng.random() < 0.7 else commands)

    def version_to_undo(self) -> int:
        """Mostly one of the last events that hold."""
        entries = self.model.entries[-14:]
        if self.rng.random() < 0.8:
            entries = [entry for entry in entries if entry.kind not in FINAL and not entry.is_undone] or entries
        return self.rng.choice(entries).version if entries else 0

    def shown_capability(self) -> Capability:
        """Mostly the live one."""
        live = self.model.now.live
        return live if live is not None and self.rng.random() < 0.93 else self.rng.choice(self.capabilities)

    def shown_receipt(self) -> Receipt:
        """Mostly the staged one."""
        staged = self.model.now.staged
        return staged if staged is not None and self.rng.random() < 0.93 else self.rng.choice(self.receipts)

    def check_ends(self) -> None:
        """Every artifact that was issued has one end on the audit trail, unless it is live, staged or outstanding."""
        issued: Counter[Any] = Counter()
        ended: Counter[Any] = Counter()
        for record in self.journal.audit.records("s"):
            if isinstance(record.artifact, OwnershipCapability | OwnershipReceipt | ReadinessWitness):
                issued[record.artifact] += record.event == "issued"
                ended[record.artifact] += record.event not in ("issued", "rejected")
        now = self.model.now
        kept = {artifact_of(each) for each in (now.live, now.staged, *now.outstanding.values()) if each is not None}
        for artifact, times in issued.items():
            # The receipt of a hand-over is committed as it is made, and what was forged only rejected.
            assert times <= 1, artifact
            if times:
                assert ended[artifact] == (artifact not in kept), artifact
        assert kept <= {artifact for artifact, times in issued.items() if times}


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_the_journal_answers_what_the_model_says(seed: int) -> None:
    with Journal.open("memory://") as journal:
        pair = Pair(journal, random.Random(seed))
        pair.model.open()
        journal.sessions.open("s")
        pair.model.host("A")
        journal.sessions.host("s", "A")
        for _ in range(COMMANDS):
            pair.step()
        pair.check_ends()
        assert journal.verify().findings == ()
        assert any(name.startswith("revert") for name in pair.outcomes)
