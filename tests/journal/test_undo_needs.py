"""Undo is decided under what commands are decided under: what an event needed holds it in place, and surfaces count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from muniment.domain import (
    CommandRefused,
    ComposedBundle,
    HandOverRequired,
    IncompatibleInterfaces,
    LaterEventDepends,
    MissingSurface,
    NotCompensable,
    Surfaces,
    UpgradeRejected,
)
from muniment.journal import Journal

from .stories import claim, claim_fragments, hand_over, host, live, open_session, register, seed, upgrade_to

Act = Callable[[Journal], Any]


def elsewhere(act: Callable[[], object]) -> None:
    """Do something in another thread, so in no saga."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def check_sound(journal: Journal) -> None:
    assert journal.verify().findings == ()
    assert journal.replay().differences == {}


def release(journal: Journal) -> None:
    journal.sessions.release(live(journal))


def delegate(journal: Journal) -> None:
    journal.sessions.delegate("s-1", "A", "B")


def transfer(journal: Journal) -> None:
    journal.sessions.transfer(live(journal), "bob")


def issue(journal: Journal) -> None:
    journal.sessions.issue_witness(live(journal), "ready")


def revert(event: str | int) -> Act:
    """Undo an event of the session, by its version."""
    return lambda journal: journal.revert(f"session-s-1@{event}" if isinstance(event, int) else event)


def given(journal: Journal, *acts: Act) -> None:
    for act in acts:
        act(journal)


def test_an_owner_does_not_come_back_to_a_session_that_was_delegated_since(journal: Journal) -> None:
    given(journal, open_session, host, claim, release, delegate)
    with pytest.raises(LaterEventDepends) as caught:
        journal.revert("session-s-1@4")
    assert caught.value.later_event_id == "session-s-1@5"
    given(journal, revert(5), revert(4))
    assert (live(journal).owner, journal.sessions.state("s-1").holder) == ("alice", "A")
    check_sound(journal)


def test_a_session_is_not_delegated_again_under_an_owner_who_came_back_since(journal: Journal) -> None:
    given(journal, open_session, host, claim, release, delegate, revert(5), revert(4))
    with pytest.raises(HandOverRequired):
        delegate(journal)
    with pytest.raises(LaterEventDepends) as caught:
        journal.revert("session-s-1@6")
    assert caught.value.later_event_id == "session-s-1@7"
    # Without the owner, it is.
    given(journal, revert(7), revert(6))
    assert journal.sessions.state("s-1").holder == "B"
    check_sound(journal)


def linked(journal: Journal) -> None:
    journal.bundles.register(ComposedBundle("vote"))
    journal.bundles.link("chat", "vote", "both")


def upgraded(journal: Journal) -> None:
    journal.bundles.upgrade("chat", upgrade_to("y", "z"))


SURFACES: dict[str, tuple[tuple[Act, ...], bool]] = {
    "delegating, undone": ((open_session, host, delegate), True),
    "delegating, again": ((open_session, host, delegate, revert(3)), True),
    "handing over, undone": ((open_session, host, claim, claim_fragments, register, seed, hand_over), True),
    "handing over, again": (
        (open_session, host, claim, claim_fragments, register, seed, hand_over, revert(5)),
        True,
    ),
    "linking, undone": ((register, linked), False),
    "linking, again": ((register, linked, revert("bundle-both@1")), True),
    "upgrading, undone": ((register, seed, upgraded), True),
    "upgrading, again": ((register, seed, upgraded, revert("bundle-chat@5")), True),
    "staging, undone": (
        (register, seed, lambda journal: journal.bundles.stage_upgrade("chat", upgrade_to("y"))),
        False,
    ),
    "staging, again": (
        (
            register,
            seed,
            lambda journal: journal.bundles.stage_upgrade("chat", upgrade_to("y")),
            revert("bundle-chat@3"),
        ),
        True,
    ),
    "seeding, undone": ((register, seed), False),
    "seeding, again": ((register, seed, revert("bundle-chat@2")), False),
    "claiming, undone": ((open_session, claim), False),
    "hosting, again": ((open_session, host, revert(2)), False),
}


@pytest.mark.parametrize("story", SURFACES)
def test_a_runtime_without_the_surfaces_does_by_undoing_nothing_that_it_cannot_do(story: str, tmp_path: Any) -> None:
    acts, is_refused = SURFACES[story]
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        given(journal, *acts)
        head = journal.head()
    with Journal.open(url, surfaces=Surfaces.none()) as journal:
        obstacles = journal.revert(head, dry_run=True).obstacles
        if not is_refused:
            assert obstacles == ()
            journal.revert(head)
            return
        assert all(isinstance(obstacle, MissingSurface) for obstacle in obstacles)
        with pytest.raises(MissingSurface):
            journal.revert(head)
        with pytest.raises(MissingSurface):
            journal.rollback(journal.record(head).stream, journal.record(head).version - 1)
        assert journal.head() == head
    with Journal.open(url) as journal:
        journal.revert(head)
        check_sound(journal)


def test_a_void_witness_is_in_nobodys_way(journal: Journal) -> None:
    given(journal, open_session, claim, issue, transfer, revert(4))
    with pytest.raises(NotCompensable):
        journal.revert("session-s-1@3")
    journal.revert("session-s-1@2")
    assert journal.sessions.state("s-1").capability is None
    given(journal, revert(1))
    check_sound(journal)


def test_a_void_witness_is_in_no_sagas_way(journal: Journal) -> None:
    given(journal, open_session)
    with suppress(ZeroDivisionError), journal.saga("s") as saga:
        claim(journal)
        elsewhere(lambda: issue(journal))
        transfer(journal)
        raise ZeroDivisionError
    assert journal.sagas[saga.id].status == "compensated"
    assert journal.sessions.state("s-1").capability is None
    check_sound(journal)


def test_a_spent_witness_keeps_its_ownership_and_the_refusal_says_that_it_stays(journal: Journal) -> None:
    given(journal, open_session, claim, issue)
    (witness,) = journal.sessions.state("s-1").outstanding_witnesses
    journal.sessions.consume_witness(live(journal), witness)
    for event_id in ("session-s-1@2", "session-s-1@3"):
        with pytest.raises(LaterEventDepends, match="cannot be undone either: a spent witness stays spent") as caught:
            journal.revert(event_id)
        assert (caught.value.later_event_id, bool(caught.value.stays)) == ("session-s-1@4", True)


def test_a_refusal_that_names_what_can_be_undone_says_so(journal: Journal) -> None:
    given(journal, open_session, claim, transfer)
    with pytest.raises(LaterEventDepends, match="undo that one first") as caught:
        journal.revert("session-s-1@2")
    assert caught.value.stays == ""


def test_an_upgrade_that_failed_is_in_nobodys_way(journal: Journal) -> None:
    given(journal, register, seed)
    with pytest.raises(UpgradeRejected):
        journal.bundles.upgrade("chat", upgrade_to("z"))
    # What staged it has ended by itself, and that it failed stays.
    with pytest.raises(LaterEventDepends, match="cannot be undone either"):
        journal.revert("bundle-chat@3")
    journal.revert("bundle-chat@2")
    journal.revert("bundle-chat@1")
    assert "chat" not in journal.bundles
    check_sound(journal)


def test_what_is_linked_again_links_as_it_would_now(journal: Journal) -> None:
    journal.bundles.register(ComposedBundle("chat", exports=frozenset({"say"})))
    journal.bundles.register(ComposedBundle("vote", imports=frozenset({"say"})))
    journal.bundles.link("chat", "vote", "both")
    given(journal, revert("bundle-both@1"), revert("bundle-chat@1"))
    journal.bundles.register(ComposedBundle("chat", exports=frozenset({"sing"})))
    with pytest.raises(IncompatibleInterfaces):
        journal.bundles.link("chat", "vote", "both")
    head = journal.head()
    with pytest.raises(IncompatibleInterfaces):
        journal.revert("bundle-both@2")
    given(journal, revert("bundle-chat@3"))
    journal.bundles.register(ComposedBundle("chat", exports=frozenset({"say", "sing"})))
    with pytest.raises(NotCompensable, match="linked from"):
        journal.revert("bundle-both@2")
    given(journal, revert("bundle-chat@6"), revert("bundle-chat@2"))
    journal.revert("bundle-both@2")
    assert journal.bundles["both"].linked_from == ("chat", "vote")
    assert journal.head() > head
    check_sound(journal)


def test_what_a_delegation_needed_is_asked_in_a_rollback_too(journal: Journal) -> None:
    given(journal, open_session, host, claim, release, delegate)
    # All of it goes, newest first.
    journal.rollback("session-s-1", 3)
    assert (live(journal).owner, journal.sessions.state("s-1").holder) == ("alice", "A")
    # And comes again, as it was.
    journal.rollback("session-s-1", 5)
    view = journal.sessions.state("s-1")
    assert (view.capability, view.holder) == (None, "B")
    check_sound(journal)


def test_every_obstacle_of_a_finished_session_leads_to_what_stays(journal: Journal) -> None:
    given(journal, open_session, host, claim, issue)
    journal.sessions.close(live(journal))
    journal.sessions.open("s-1", ["again"])
    refusal: CommandRefused = journal.revert("session-s-1@3", dry_run=True).obstacles[0]
    named = []
    while isinstance(refusal, LaterEventDepends) and not refusal.stays:
        named.append(refusal.later_event_id)
        journal.revert(refusal.later_event_id)
        refusal = journal.revert("session-s-1@3", dry_run=True).obstacles[0]
    assert named == ["session-s-1@7"]
    assert isinstance(refusal, LaterEventDepends)
    assert (refusal.later_event_id, refusal.stays) == ("session-s-1@5", "a closed session stays closed; open it again")
