"""A session that nobody owns: how far it can be claimed (law 3), and what goes along when it is delegated (law 7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import (
    FULL_SESSION,
    ComposedBundle,
    CompositionManifest,
    DelegationWitness,
    FragmentConflict,
    Fragments,
    LaterEventDepends,
    LimitReached,
    LinkSpec,
    Policy,
    ScopeViolation,
    SessionFragment,
    session,
)
from muniment.domain.event import accept
from muniment.journal import Journal
from muniment.journal.storage.identity_table import FORMAT

from .damage import edit
from .stories import MANIFEST, claim, claim_fragments, host, live, open_session

CHAT, VOTE = "bundle:chat", "bundle:vote"
ONLY_CHAT, BOTH = Fragments({CHAT}), Fragments({CHAT, VOTE})
CHAT_MANIFEST = CompositionManifest("p", (LinkSpec("chat"),))


def release(journal: Journal) -> None:
    journal.sessions.release(live(journal))


def owned_in_part(journal: Journal) -> None:
    """A session that A hosts, and whose last owner held one fragment."""
    for act in (open_session, host):
        act(journal)
    journal.sessions.claim("s-1", "alice", ONLY_CHAT)
    journal.sessions.claim_fragments(live(journal), CHAT_MANIFEST)
    release(journal)


def given_up_with_fragments(journal: Journal) -> None:
    for act in (open_session, host, claim, claim_fragments, release):
        act(journal)


def held(journal: Journal) -> dict[str, tuple[str, bool]]:
    return {key: (each.owner, bool(each.passes)) for key, each in journal.sessions.state("s-1").fragments.items()}


def check_sound(journal: Journal) -> None:
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


# What goes along


def test_a_delegation_takes_the_last_owners_fragments_along(journal: Journal) -> None:
    given_up_with_fragments(journal)
    outcome = journal.sessions.delegate("s-1", "A", "B")
    assert outcome.witness.moved_fragments == (CHAT, VOTE)
    # Until somebody claims the session, they are nobody's.
    assert held(journal) == {CHAT: ("alice", True), VOTE: ("alice", True)}
    head = journal.head()
    bob = journal.sessions.claim("s-1", "bob")
    assert journal.head() == head + 1
    assert held(journal) == {CHAT: ("bob", False), VOTE: ("bob", False)}
    assert journal.sessions.claim_fragments(bob, MANIFEST) == ()
    assert [each.key for each in journal.sessions.release_fragments(bob, [CHAT])] == [CHAT]
    check_sound(journal)


def test_without_a_delegation_they_stay_with_the_label(journal: Journal) -> None:
    given_up_with_fragments(journal)
    bob = journal.sessions.claim("s-1", "bob")
    with pytest.raises(FragmentConflict, match="alice"):
        journal.sessions.claim_fragments(bob, MANIFEST)


def test_only_the_last_owners_go_along(journal: Journal) -> None:
    for act in (open_session, host, claim, claim_fragments):
        act(journal)
    journal.sessions.move_fragments(live(journal), [VOTE], "dave")
    release(journal)
    assert journal.sessions.delegate("s-1", "A", "B").witness.moved_fragments == (CHAT,)
    journal.sessions.claim("s-1", "bob")
    assert held(journal) == {CHAT: ("bob", False), VOTE: ("dave", False)}
    check_sound(journal)


def test_a_boundary_keeps_the_others_where_they_are(journal: Journal) -> None:
    journal.bundles.register(ComposedBundle("chat", ("p",)))
    given_up_with_fragments(journal)
    assert journal.sessions.delegate("s-1", "A", "B", "chat").witness.moved_fragments == (CHAT,)
    journal.sessions.claim("s-1", "bob")
    assert held(journal) == {CHAT: ("bob", False), VOTE: ("alice", False)}


def test_a_claim_gets_those_that_its_scope_covers_and_the_next_one_the_rest(journal: Journal) -> None:
    given_up_with_fragments(journal)
    journal.sessions.delegate("s-1", "A", "B")
    journal.sessions.claim("s-1", "bob", ONLY_CHAT)
    assert held(journal) == {CHAT: ("bob", False), VOTE: ("alice", True)}
    release(journal)
    # Passed on once more: what was left goes along, and so does what the last owner held.
    assert journal.sessions.delegate("s-1", "B", "C").witness.moved_fragments == (CHAT, VOTE)
    journal.sessions.claim("s-1", "carol", ONLY_CHAT)
    assert held(journal) == {CHAT: ("carol", False), VOTE: ("alice", True)}
    check_sound(journal)


def test_a_label_under_which_the_fragments_would_be_too_large_gets_none(journal: Journal) -> None:
    for act in (open_session, host, claim):
        act(journal)
    many = CompositionManifest("p", tuple(LinkSpec(f"{number}-{'x' * 60}") for number in range(800)))
    journal.sessions.claim_fragments(live(journal), many)
    release(journal)
    journal.sessions.delegate("s-1", "A", "B")
    head = journal.head()
    with pytest.raises(LimitReached):
        journal.sessions.claim("s-1", "b" * 200)
    assert journal.head() == head
    journal.sessions.claim("s-1", "bob")
    journal.sessions.close(live(journal))


def test_the_former_owner_may_be_the_next_one(journal: Journal) -> None:
    given_up_with_fragments(journal)
    journal.sessions.delegate("s-1", "A", "B")
    claim(journal)
    assert held(journal) == {CHAT: ("alice", False), VOTE: ("alice", False)}
    check_sound(journal)


def test_whose_claim_was_undone_was_not_the_last_owner(journal: Journal) -> None:
    given_up_with_fragments(journal)
    journal.sessions.claim("s-1", "bob")
    journal.revert(journal.head())
    assert journal.sessions.delegate("s-1", "A", "B").witness.moved_fragments == (CHAT, VOTE)
    check_sound(journal)


def test_who_may_reach_further_claims_what_was_left() -> None:
    with Journal.open("memory://", policy=Policy.reference()) as journal:
        given_up_with_fragments(journal)
        journal.sessions.delegate("s-1", "A", "B")
        narrow = journal.sessions.claim("s-1", "bob", ONLY_CHAT)
        wide = journal.sessions.attenuate(narrow, FULL_SESSION)
        assert [each.key for each in journal.sessions.claim_fragments(wide, MANIFEST)] == [VOTE]
        assert held(journal) == {CHAT: ("bob", False), VOTE: ("bob", False)}
        check_sound(journal)


def test_undoing_gives_the_fragments_back_and_doing_again_takes_them_along(journal: Journal) -> None:
    given_up_with_fragments(journal)
    journal.sessions.delegate("s-1", "A", "B")
    delegated = journal.head()
    journal.sessions.claim("s-1", "bob")
    with pytest.raises(LaterEventDepends):
        journal.revert(delegated)
    journal.revert(journal.head())
    assert held(journal) == {CHAT: ("alice", True), VOTE: ("alice", True)}
    undone = journal.revert(delegated)
    assert held(journal) == {CHAT: ("alice", False), VOTE: ("alice", False)}
    journal.revert(undone.positions[0])
    assert held(journal) == {CHAT: ("alice", True), VOTE: ("alice", True)}
    journal.sessions.claim("s-1", "bob")
    assert held(journal) == {CHAT: ("bob", False), VOTE: ("bob", False)}
    journal.rollback("session-s-1", 2)
    assert held(journal) == {}
    check_sound(journal)


def test_the_end_of_the_session_releases_what_was_left(journal: Journal) -> None:
    given_up_with_fragments(journal)
    journal.sessions.delegate("s-1", "A", "B")
    journal.sessions.end("s-1")
    assert held(journal) == {}
    open_session(journal)
    claim(journal)
    assert held(journal) == {}


# How far it can be claimed


@pytest.mark.parametrize("owner", ["alice", "bob"])
@pytest.mark.parametrize("scope", [FULL_SESSION, BOTH, Fragments({VOTE})], ids=str)
def test_a_claim_reaches_no_further_than_the_last_owner_did(owner: str, scope: Any, journal: Journal) -> None:
    owned_in_part(journal)
    head = journal.head()
    with pytest.raises(ScopeViolation, match=r"its last owner held fragments \{bundle:chat\}") as refused:
        journal.sessions.claim("s-1", owner, scope)
    assert (refused.value.owner, refused.value.required, refused.value.actual) == (None, scope, ONLY_CHAT)
    assert journal.head() == head
    assert journal.sessions.state("s-1").claimable == ONLY_CHAT
    assert journal.sessions.claim("s-1", owner, ONLY_CHAT).scope == ONLY_CHAT
    release(journal)
    # The bound only narrows.
    journal.sessions.claim("s-1", owner, Fragments(()))
    release(journal)
    with pytest.raises(ScopeViolation):
        journal.sessions.claim("s-1", owner, ONLY_CHAT)
    check_sound(journal)


def test_a_delegation_does_not_lift_the_bound(journal: Journal) -> None:
    owned_in_part(journal)
    journal.sessions.delegate("s-1", "A", "B")
    with pytest.raises(ScopeViolation):
        claim(journal)
    assert journal.sessions.claim("s-1", "bob", ONLY_CHAT).owner == "bob"
    assert held(journal) == {CHAT: ("bob", False)}


def test_the_references_policy_lets_a_claim_widen() -> None:
    with Journal.open("memory://", policy=Policy.reference()) as journal:
        owned_in_part(journal)
        assert claim(journal).scope == FULL_SESSION
        check_sound(journal)


def end_and_open(journal: Journal) -> None:
    journal.sessions.end("s-1")
    open_session(journal)


def let_another_host(journal: Journal) -> None:
    journal.revert("session-s-1@2")
    host(journal)


@pytest.mark.parametrize("lift", [end_and_open, let_another_host])
def test_its_host_lifts_the_bound(lift: Callable[[Journal], None], journal: Journal) -> None:
    owned_in_part(journal)
    lift(journal)
    assert journal.sessions.state("s-1").claimable == FULL_SESSION
    assert claim(journal).scope == FULL_SESSION
    check_sound(journal)


def test_hosting_again_what_is_hosted_changes_nothing(journal: Journal) -> None:
    owned_in_part(journal)
    host(journal)
    with pytest.raises(ScopeViolation):
        claim(journal)


def bound_without_a_host(journal: Journal) -> None:
    open_session(journal)
    journal.sessions.claim("s-1", "alice", ONLY_CHAT)
    release(journal)


def test_undoing_the_hosting_brings_the_bound_back(journal: Journal) -> None:
    bound_without_a_host(journal)
    host(journal)
    hosted = journal.head()
    undone = journal.revert(hosted)
    with pytest.raises(ScopeViolation):
        claim(journal)
    journal.revert(undone.positions[0])
    claim(journal)
    # What needed the hosting keeps it in place.
    with pytest.raises(LaterEventDepends):
        journal.revert(journal.head() - 1)
    check_sound(journal)


def test_an_undone_claim_is_not_done_again_once_its_hosting_is_undone(journal: Journal) -> None:
    bound_without_a_host(journal)
    host(journal)
    hosted = journal.head()
    claim(journal)
    unclaimed = journal.revert(journal.head()).positions[0]
    journal.revert(hosted)
    with pytest.raises(LaterEventDepends):
        journal.revert(unclaimed)
    assert journal.sessions.state("s-1").capability is None
    check_sound(journal)


def test_hosting_an_owned_session_lifts_nothing(journal: Journal) -> None:
    open_session(journal)
    journal.sessions.claim("s-1", "alice", ONLY_CHAT)
    host(journal)
    hosted = journal.record(journal.head()).event
    assert isinstance(hosted, session.SessionHosted)
    assert hosted.lifted is None
    release(journal)
    with pytest.raises(ScopeViolation):
        claim(journal)
    check_sound(journal)


def test_undoing_a_claim_leaves_the_bound_that_there_was(journal: Journal) -> None:
    open_session(journal)
    journal.sessions.claim("s-1", "alice", ONLY_CHAT)
    claimed = journal.head()
    release(journal)
    released = journal.head()
    assert journal.sessions.state("s-1").claimable == ONLY_CHAT
    restored = journal.revert(released).positions[0]
    assert journal.sessions.state("s-1").claimable == ONLY_CHAT
    # Undone once more, it is given up again, and as narrow as before.
    again = journal.revert(restored).positions[0]
    with pytest.raises(ScopeViolation):
        claim(journal)
    journal.revert(again)
    # Without the claim there was no owner, and no bound.
    journal.revert(claimed)
    assert journal.sessions.state("s-1").claimable == FULL_SESSION
    assert claim(journal).scope == FULL_SESSION
    check_sound(journal)


def test_undoing_a_later_claim_leaves_the_bound_of_the_owner_before(journal: Journal) -> None:
    open_session(journal)
    journal.sessions.claim("s-1", "alice", BOTH)
    release(journal)
    journal.sessions.claim("s-1", "bob", ONLY_CHAT)
    journal.revert(journal.head())
    assert journal.sessions.state("s-1").claimable == BOTH
    with pytest.raises(ScopeViolation):
        claim(journal)
    assert journal.sessions.claim("s-1", "carol", BOTH).scope == BOTH
    check_sound(journal)


def test_an_opening_that_is_undone_and_done_again_has_no_bound(journal: Journal) -> None:
    bound_without_a_host(journal)
    plan = journal.rollback("session-s-1", 0)
    journal.revert(plan.positions[-1])
    assert journal.sessions.state("s-1").claimable == FULL_SESSION
    claim(journal)
    check_sound(journal)


# What older formats say


def as_of_format(path: Path, form: int) -> None:
    """Have a file say that all of it was written in a format."""
    edit(path, f"UPDATE journal SET value='{form}' WHERE kind='format'", f"PRAGMA user_version={form}")


def wider_claim(journal: Journal) -> None:
    bound_without_a_host(journal)
    journal.execute(
        "session-s-1", lambda state: accept(session.OwnershipClaimed(state.next_capability("bob", FULL_SESSION)))
    )


def delegation_alone(journal: Journal) -> None:
    given_up_with_fragments(journal)

    def decide(state: session.SessionState) -> Any:
        made: Any = session.delegate(state, None, session.DelegationRequest("A", "B"))
        (event,) = made.events
        return accept(session.SessionDelegated(event.receipt, DelegationWitness("s-1", 1)))

    journal.execute("session-s-1", decide)


def undone_claim(journal: Journal) -> None:
    """A claim that was undone; the record does not say how far the next one may reach."""
    bound_without_a_host(journal)
    journal.sessions.claim("s-1", "bob", ONLY_CHAT)
    journal.revert(journal.head())


def hosted_again(journal: Journal) -> None:
    """A hosting that was undone and done again; the records do not say what bound it lifted."""
    open_session(journal)
    host(journal)
    undone = journal.revert(journal.head()).positions[0]
    journal.sessions.claim("s-1", "alice", ONLY_CHAT)
    release(journal)
    journal.revert(undone)


@pytest.mark.parametrize("story", [wider_claim, delegation_alone, undone_claim, hosted_again])
@pytest.mark.parametrize("form", [2, FORMAT])
def test_records_of_older_formats_are_judged_by_their_rules(
    story: Callable[[Journal], None], form: int, tmp_path: Path
) -> None:
    path = tmp_path / "older.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        story(journal)
    edit(
        path,
        "UPDATE stored_events SET state=CAST("
        "json_remove(CAST(state AS TEXT), '$.data.claimable', '$.data.last_owner', '$.data.lifted') AS BLOB)",
    )
    as_of_format(path, form)
    with Journal.open(f"sqlite:///{path}", read_only=True) as journal:
        findings = journal.verify().findings
        assert bool(findings) == (form != 2), findings


def test_a_session_that_an_older_muniment_delegated_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        delegation_alone(journal)
    as_of_format(path, 2)
    with Journal.open(f"sqlite:///{path}") as journal:
        assert held(journal) == {CHAT: ("alice", False), VOTE: ("alice", False)}
        bob = journal.sessions.claim("s-1", "bob")
        # Whoever owns all of it can have them.
        journal.sessions.move_fragments(bob, [CHAT, VOTE], "bob")
        assert journal.verify().findings == ()


def test_a_fragment_that_was_left_says_so() -> None:
    fragment = SessionFragment(CHAT, "alice", "p", "chat")
    assert fragment.passed_on() == SessionFragment(CHAT, "alice", "p", "chat", passes=True)
    assert fragment.passed_on().held_by("bob") == SessionFragment(CHAT, "bob", "p", "chat")
