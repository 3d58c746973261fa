"""What an idempotency key is filed under: the command by its own name, its streams, and its arguments by name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import muniment.domain
import pytest
from muniment.domain import (
    FULL_SESSION,
    Fragments,
    IdempotencyConflict,
    InvalidArgument,
    OwnershipCapability,
    OwnershipReceipt,
    decision,
)
from muniment.domain.bounds import MAX_IDENTIFIER_LENGTH
from muniment.domain.decision import DECISION_NAMES, uses_idempotency_key
from muniment.domain.event import Accepted, Decision
from muniment.journal import Journal
from muniment.journal.writing.fingerprint import Fingerprint

from .stories import claim, open_session

NAMES = {
    "bundle": "admit commit link register register_all roll_back seed_members stage upgrade",
    "consumer": "acknowledge",
    "conversation": (
        "accept_election buffer_candidate cancel_auto_vote cancel_auto_votes cancel_timeout check "
        "commit_applied enter install_stewards joined leave no_commit_found open_conversation open_proposal "
        "receive_proposal receive_vote remove removed_by_commit "
        "report_failure resolve schedule_auto_vote schedule_timeout sync_config tell tick vote"
    ),
    "inbox": "acknowledge check_deliverable give_back put take",
    "saga": "begin begin_compensation complete fail_compensation register_undo resolve undo_step",
    "session": (
        "abandon_transfer accept admit advance archive attenuate begin_transfer change_terms check check_boundary "
        "claim claim_fragments close commit_transfer consume_witness delegate drain end fail_transfer_commit "
        "fault_crashed hand_over host issue_witness move_fragments open_session owner_died record_round release "
        "release_fragments rollback_transfer set_handler set_protocol set_timeout set_trace start transfer"
    ),
    "site": "crash expire time_out",
}
"""The names that journals hold: none may ever change."""

HELD = OwnershipCapability("s", "alice", 1, FULL_SESSION)


def names_of_the_domain() -> dict[str, object]:
    return {name: each for each, name in DECISION_NAMES.items() if each.__module__.startswith("muniment.")}


def test_the_names_that_commands_are_filed_under_stay() -> None:
    expected = {f"{kind}.{each}" for kind, given in NAMES.items() for each in given.split()}
    assert set(names_of_the_domain()) == expected


def test_every_decision_of_the_domain_says_its_name() -> None:
    unnamed = []
    for module in pkgutil.walk_packages(muniment.domain.__path__, "muniment.domain."):
        for name, each in vars(importlib.import_module(module.name)).items():
            is_own = inspect.isfunction(each) and each.__module__ == module.name and not name.startswith("_")
            answers = str(each.__annotations__.get("return", "")) if is_own else ""
            takes_state = is_own and "State" in str(next(iter(each.__annotations__.values()), ""))
            if answers.startswith("Decision[") and takes_state and each not in DECISION_NAMES:
                unnamed.append(f"{module.name}.{name}")
    assert unnamed == []


def test_a_renamed_function_is_the_same_command(journal: Journal) -> None:
    @decision("session.touch_for_a_test")
    def touch(state: object, reason: str) -> Decision[None]:
        return Accepted(None)

    open_session(journal)
    with journal.context(idempotency_key="k"):
        journal.execute("session-s-1", touch, "x")
        original = touch.__qualname__
        touch.__name__ = touch.__qualname__ = "renamed"
        head = journal.head()
        journal.execute("session-s-1", touch, "x")
    assert journal.head() == head
    touch.__qualname__ = original


@pytest.mark.parametrize(
    "name", ["claim", "session.", "Session.claim", "session.claim", "session.clai\nm", 5, None, ""]
)
def test_a_name_that_is_none_or_taken_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        decision(name)(plain)


def test_questions_and_records_of_sagas_use_no_key_up() -> None:
    free = {name for name, each in names_of_the_domain().items() if not uses_idempotency_key(each)}  # type: ignore[arg-type]
    records = {f"saga.{each}" for each in NAMES["saga"].split()} - {"saga.resolve"}
    questions = {"session.check", "session.check_boundary", "session.admit", "conversation.check"}
    # Each does only what is still to be done.
    repeatable = {"session.archive", "session.fault_crashed", "site.crash", "site.expire"}
    assert free == records | questions | {"inbox.check_deliverable"} | repeatable


def test_a_conflict_names_what_differs(journal: Journal) -> None:
    open_session(journal)
    journal.sessions.open("s-2")
    with journal.context(idempotency_key="k"):
        held = claim(journal)
        with pytest.raises(IdempotencyConflict, match="what differs is the owner and the scope; ") as conflict:
            journal.sessions.claim("s-1", "bob", Fragments(["chat"]))
        assert conflict.value.differences == ("owner", "scope")
        with pytest.raises(IdempotencyConflict) as conflict:
            journal.sessions.claim("s-2", "alice")
        assert conflict.value.differences == ("stream",)
        with pytest.raises(IdempotencyConflict) as conflict:
            journal.sessions.release(held)
        assert conflict.value.differences == ("command",)
        with pytest.raises(IdempotencyConflict) as conflict:
            journal.rollback("session-s-1", 1)
        assert conflict.value.differences == ("command",)
    with journal.context(idempotency_key="r"):
        journal.rollback("session-s-1", 1)
        with pytest.raises(IdempotencyConflict) as conflict:
            journal.rollback("session-s-1", 0)
        assert conflict.value.differences == ("to_version",)


def test_a_capability_counts_as_its_session(journal: Journal) -> None:
    open_session(journal)
    held = claim(journal)
    with journal.context(idempotency_key="t"):
        first = journal.sessions.transfer(held, "bob")
    newer = journal.sessions.attenuate(first, Fragments(["chat"]))
    with journal.context(idempotency_key="t"):
        # Whoever tries again may hold a newer one by now.
        assert journal.sessions.transfer(newer, "bob") == first


def plain(state: object, owner: str, scope: object = FULL_SESSION, limit: int = 3) -> Decision[None]:
    raise NotImplementedError


def shorter(state: object, owner: str) -> Decision[None]:
    raise NotImplementedError


def test_a_command_may_gain_arguments() -> None:
    before = Fingerprint.of_call("session.plain", shorter, ("session-s",), ("alice",))
    for given in (("alice",), ("alice", FULL_SESSION), ("alice", FULL_SESSION, 3)):
        assert str(Fingerprint.of_call("session.plain", plain, ("session-s",), given)) == str(before)
    other = Fingerprint.of_call("session.plain", plain, ("session-s",), ("alice", FULL_SESSION, 4))
    assert other.differences(str(before)) == ("limit",)
    assert before.differences(str(other)) == ("limit",)


def test_what_is_stored_fits_whatever_the_names_and_their_number_are() -> None:
    many = tuple(range(40))
    for function in (plain, lambda *given: None, len):
        stored = str(Fingerprint.of_call("session." + "x" * 60, function, ("session-" + "s" * 190,), many))
        assert len(stored) <= MAX_IDENTIFIER_LENGTH
        again = Fingerprint.of_call("session." + "x" * 60, function, ("session-" + "s" * 190,), (*many[:-1], 99))
        assert again.differences(stored)


def test_sets_and_artifacts_are_told_in_one_order() -> None:
    receipt = OwnershipReceipt("s", 1, "a", 1, "b", 2, FULL_SESSION)
    for one, other in (
        (frozenset("abcdef"), frozenset("fedcba")),
        (Fragments(["a", "b"]), Fragments(["b", "a"])),
        (HELD, OwnershipCapability("s", "bob", 7, FULL_SESSION)),
        (receipt, OwnershipReceipt("s", 2, "x", 1, "b", 2, FULL_SESSION)),
    ):
        given = Fingerprint("session.x", ("session-s",), {"it": one})
        assert given.differences(str(Fingerprint("session.x", ("session-s",), {"it": other}))) == ()


def test_what_no_json_holds_is_a_typed_error() -> None:
    with pytest.raises(InvalidArgument, match="JSON"):
        str(Fingerprint("session.x", ("session-s",), {"it": object()}))


def test_a_key_that_an_earlier_version_filed_is_compared_as_it_was() -> None:
    stored = "session.claim:db9c26b7a830d3679a507b6aee485792"
    same = Fingerprint("session.claim", ("session-s",), {"owner": "alice", "scope": FULL_SESSION})
    assert same.differences(stored) == ()
    other = Fingerprint("session.claim", ("session-s",), {"owner": "bob", "scope": FULL_SESSION})
    assert other.differences(stored) == ("command or arguments",)


class Lying:
    """Something that can be called, and says nothing true of itself."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, state: object, *given: object) -> Decision[None]:
        return Accepted(None)

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


def test_whatever_can_be_called_can_be_a_command(journal: Journal) -> None:
    open_session(journal)
    for key in ("k", "k"):
        journal.execute("session-s-1", Lying())
        with journal.context(idempotency_key=key):
            journal.execute("session-s-1", Lying(), 1)
    with journal.context(idempotency_key="k"), pytest.raises(IdempotencyConflict):
        journal.execute("session-s-1", Lying(), 2)
    with pytest.raises(InvalidArgument):
        decision("session.lies")(Lying())
