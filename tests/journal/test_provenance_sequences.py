"""The chain that ``why`` tells is enough and no more, after any sequence of commands and undoing, at any position."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import (
    FULL_SESSION,
    CommandRefused,
    Fragments,
    InvalidInput,
    Policy,
    RecordedEvent,
    SessionNotFound,
    session_stream,
)
from muniment.domain.effects import SessionStatus
from muniment.domain.session.provenance import Chain, chain_of
from muniment.journal import Journal

from ..command_sequences import COMMANDS, SESSIONS, Command, Giver
from ..drawing import drawn
from ..undo_sequences import UNDO_COMMANDS, UndoGiver
from .provenance_checker import Five, Story, not_minimal

EXAMPLES: Final = int(os.environ.get("MUNIMENT_TEST_PROVENANCE_EXAMPLES", "40"))
"""How many sequences are drawn; set the variable for more."""

FIRST: Final = int(os.environ.get("MUNIMENT_TEST_PROVENANCE_FIRST", "0"))
"""The first seed of the long lives."""


@settings(max_examples=drawn(EXAMPLES), deadline=None)
@given(commands=UNDO_COMMANDS, data=st.data())
def test_after_undoing_the_chain_is_enough_and_minimal(commands: list[Command], data: st.DataObject) -> None:
    with Journal.open("memory://") as journal:
        giver = UndoGiver(journal)
        for command in commands:
            giver.give_any(command)
        check_somewhere(list(journal.read()), data)


@settings(max_examples=drawn(EXAMPLES), deadline=None)
@given(commands=COMMANDS, data=st.data())
def test_after_commands_the_chain_is_enough_and_minimal(commands: list[Command], data: st.DataObject) -> None:
    with Journal.open("memory://") as journal:
        Giver(journal).give_all(commands)
        check_somewhere(list(journal.read()), data)


def check_somewhere(records: list[RecordedEvent], data: st.DataObject) -> None:
    for session_id in SESSIONS:
        story = Story(session_id, records)
        drawn = data.draw(st.sets(st.integers(1, len(records)), max_size=6))
        for position in {*drawn, len(records)}:
            check(story, records[:position])


def check(story: Story, past: list[RecordedEvent]) -> Chain | None:
    """Make sure that the chain is enough and minimal; None for a session that is not open yet."""
    result, status = story.five[len(past)], story.statuses[len(past)]
    if status is SessionStatus.UNOPENED:
        return None
    stream = session_stream(story.session_id)
    found = chain_of(story.session_id, [record for record in past if record.stream == stream])
    chain = found.records
    assert story.problem(chain, result) == "", [f"{record.id} {record.type}" for record in chain]
    needless = not_minimal(story, chain, result)
    if needless and result == Five():
        # Nobody ever owned or held it; only its opening is told.
        assert (chain[-1].type, needless) == ("session.opened.v1", [chain[-1].id])
    else:
        assert needless == [], [f"{record.id} {record.type}" for record in chain]
    return found


SCOPES: Final = (FULL_SESSION, FULL_SESSION, Fragments({"a", "b"}), Fragments({"a"}))
BACK: Final = (0, 0, 0, 1, 1, 2, 3, 5, 8, 13)
DEEDS: Final = {
    **{"open": 40, "claim": 60, "release": 25, "transfer": 15, "begin_transfer": 15, "commit_transfer": 20},
    **{"rollback_transfer": 5, "abandon_transfer": 2, "attenuate": 5, "owner_died": 2, "close": 2, "cancel": 1},
    **{"host": 25, "delegate": 40, "hand_over": 30, "drain": 1, "set_timeout": 4, "revert": 50, "rollback": 3},
}
"""What is done in a life, and how often."""


@dataclass
class Life:
    """One session that lives long: it is opened again, hosted, delegated, and much of it is undone."""

    journal: Journal
    rng: random.Random
    deeds: list[str] = field(default_factory=list)

    def live(self, steps: int) -> None:
        self.journal.sessions.open("s", ["worker"])
        for _ in range(steps):
            (deed,) = self.rng.choices(list(DEEDS), list(DEEDS.values()))
            try:
                self._do(deed)
            except (CommandRefused, InvalidInput):
                continue
            self.deeds.append(deed)

    def _do(self, deed: str) -> Any:
        sessions: Any = self.journal.sessions
        choose = self.rng.choice
        owner, authority, scope = choose("xyz"), choose("ABC"), choose(SCOPES)
        if deed == "revert":
            return self.journal.revert(max(2, self.journal.head() - choose(BACK)))
        if deed == "rollback":
            return self.journal.rollback("session-s", max(1, self.journal.head() - choose(BACK)))
        if deed in ("open", "cancel", "host", "claim", "set_timeout"):
            given = {
                "host": (authority,),
                "claim": (owner, scope),
                "set_timeout": (choose((None, 1_000, 2_000)),),
                "cancel": ("over",),
            }
            return getattr(sessions, deed)("s", *given.get(deed, ()))
        try:
            state = sessions.state("s")
        except SessionNotFound:
            return None
        held, holder, receipt = state.capability, state.holder or "A", state.pending_receipt
        if deed == "delegate":
            return sessions.delegate("s", holder, authority)
        if deed in ("commit_transfer", "rollback_transfer", "abandon_transfer"):
            return None if receipt is None else getattr(sessions, deed)(receipt)
        if held is None:
            return None
        if deed == "hand_over":
            return sessions.hand_over(held, owner, from_authority=holder, to_authority=authority)
        if deed == "owner_died":
            return sessions.owner_died("s", held.owner)
        given = {"transfer": (owner, choose((None, scope))), "begin_transfer": (owner,), "attenuate": (scope,)}
        return getattr(sessions, deed)(held, *given.get(deed, ()))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + EXAMPLES))
def test_in_a_long_life_the_chain_is_enough_and_minimal(seed: int) -> None:
    rng = random.Random(seed)
    policy = Policy.reference() if seed % 8 == 0 else None
    with Journal.open("memory://", policy=policy) as journal:
        Life(journal, rng).live(rng.randint(10, 150))
        records = list(journal.read())
    story = Story("s", records)
    for position in range(1, len(records) + 1):
        check(story, records[:position])


def opened_again_after_terms_changed(journal: Journal) -> None:
    held = journal.sessions.claim("s", "a")
    journal.sessions.set_timeout("s", 1_000)
    journal.sessions.set_timeout("s", 2_000)
    journal.sessions.close(held)
    journal.sessions.open("s")
    journal.revert(journal.head())
    journal.revert(journal.head())


def hosted_by_another_within_a_bound(journal: Journal) -> None:
    journal.sessions.host("s", "A")
    journal.sessions.release(journal.sessions.claim("s", "a", Fragments({"a"})))
    journal.revert("session-s@2")
    journal.sessions.host("s", "B")
    journal.sessions.claim("s", "b")


def hosting_undone_while_somebody_owned_it(journal: Journal) -> None:
    journal.sessions.release(journal.sessions.claim("s", "a", Fragments({"a"})))
    journal.sessions.host("s", "A")
    journal.revert("session-s@3")
    # The hosting and the claim; the release cancels out.
    journal.rollback("session-s", 1)
    journal.sessions.claim("s", "b")


def staged_again_after_the_commit_was_undone(journal: Journal) -> None:
    receipt = journal.sessions.begin_transfer(journal.sessions.claim("s", "a"), "b")
    journal.sessions.commit_transfer(receipt)
    journal.revert("session-s@4")
    journal.revert("session-s@3")
    journal.revert(journal.head())
    staged = journal.sessions.state("s").pending_receipt
    assert staged is not None
    journal.sessions.commit_transfer(staged)


def claimed_after_a_hand_over(journal: Journal) -> None:
    journal.sessions.host("s", "A")
    held = journal.sessions.claim("s", "a")
    handed = journal.sessions.hand_over(held, "b", from_authority="A", to_authority="B").capability
    assert handed is not None
    journal.sessions.release(journal.sessions.transfer(handed, "c"))
    journal.sessions.release(journal.sessions.claim("s", "d"))
    journal.sessions.claim("s", "e")


def undone_claim_after_an_owner_in_part(journal: Journal) -> None:
    journal.sessions.release(journal.sessions.claim("s", "a", Fragments({"a"})))
    journal.sessions.claim("s", "b", Fragments({"a"}))
    journal.revert(journal.head())


STORIES: Final = (
    opened_again_after_terms_changed,
    hosted_by_another_within_a_bound,
    hosting_undone_while_somebody_owned_it,
    staged_again_after_the_commit_was_undone,
    claimed_after_a_hand_over,
    undone_claim_after_an_owner_in_part,
)
"""What chance rarely draws."""


@pytest.mark.parametrize("tell", STORIES)
def test_in_a_rare_story_the_chain_is_enough_and_minimal(tell: Callable[[Journal], None]) -> None:
    with Journal.open("memory://") as journal:
        journal.sessions.open("s", ["worker"])
        tell(journal)
        records = list(journal.read())
    story = Story("s", records)
    for position in range(1, len(records) + 1):
        check(story, records[:position])


def test_the_lives_hold_what_chains_are_made_of() -> None:
    told: set[str] = set()
    for seed in range(60):
        rng = random.Random(seed)
        with Journal.open("memory://") as journal:
            Life(journal, rng).live(rng.randint(10, 150))
            records = [record for record in journal.read() if record.stream == "session-s"]
        for end in range(1, len(records) + 1, 4):
            told.update(record.type for record in chain_of("s", records[:end]).records)
    assert told >= {
        "session.opened.v1",
        "session.ownership_claimed.v1",
        "session.ownership_released.v1",
        "session.ownership_transferred.v1",
        "session.scope_attenuated.v1",
        "session.ownership_restored.v1",
        "session.transfer_begun.v1",
        "session.transfer_committed.v1",
        "session.hosted.v1",
        "session.hosting_withdrawn.v1",
        "session.delegated.v1",
        "session.delegation_reverted.v1",
        "session.handed_over.v1",
        "session.hand_over_reverted.v1",
        "session.opening_withdrawn.v1",
        "session.archived.v2",
        "session.closed.v1",
        "session.ended.v1",
        "session.owner_died.v1",
    }, told
