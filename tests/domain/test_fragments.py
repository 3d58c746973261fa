"""Boundaries (aura 1.5, 2.15, 2.16), and the fragments of a session (aura 2.14)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from muniment.domain import (
    FULL_SESSION,
    BoundaryRejected,
    ComposedBundle,
    CompositionManifest,
    FragmentConflict,
    FragmentNotHeld,
    Fragments,
    InvalidIdentifier,
    LinkBoundary,
    LinkSpec,
    OwnershipCapability,
    OwnershipScope,
    Policy,
    ScopeViolation,
    SessionFragment,
    StaleCapability,
    session,
)
from muniment.domain.session import FragmentsClaimed, FragmentsMoved, FragmentsReleased
from muniment.journal.testing import given

from .facts import A1, CLAIMED, CLOSING, NO_INBOX, OPENED

A, B = "bundle:a", "bundle:b"
MANIFEST = CompositionManifest("p", (LinkSpec("b"), LinkSpec("a"), LinkSpec("b")))
OF_A = SessionFragment(A, "a", "p", "a")
OF_B = SessionFragment(B, "a", "p", "b")
HELD = (OPENED, CLAIMED, FragmentsClaimed(A1, (OF_A, OF_B)))


def keys(*fragment_keys: str) -> LinkBoundary:
    return LinkBoundary(fragment_keys=frozenset(fragment_keys))


SCOPES: list[OwnershipScope] = [FULL_SESSION, Fragments({A}), Fragments({A, B}), Fragments(())]


@pytest.mark.parametrize(
    ("boundary", "allowed"),
    [
        (LinkBoundary.for_scope(FULL_SESSION), [True, False, False, False]),
        (keys(A), [True, True, True, False]),
        (keys(A, B), [True, False, True, False]),
        (keys("bundle:c"), [True, False, False, False]),
        (LinkBoundary.for_protocol("p"), [True, False, False, False]),
        (LinkBoundary.for_scope(Fragments(())), [True, False, False, False]),
    ],
)
def test_the_rule_of_boundaries(boundary: LinkBoundary, allowed: list[bool]) -> None:
    assert [boundary.is_allowed_by(scope) for scope in SCOPES] == allowed


def test_a_protocols_boundary_is_allowed_by_its_fragment() -> None:
    assert LinkBoundary.for_protocol("p").is_allowed_by(Fragments({"protocol:p"}))


def test_the_constructors() -> None:
    composed = ComposedBundle("a", ("p", "q"))
    assert LinkBoundary.for_scope(Fragments({A})) == LinkBoundary(None, frozenset(), frozenset({A}), Fragments({A}))
    assert LinkBoundary.for_scope(FULL_SESSION) == LinkBoundary()
    assert LinkBoundary.for_protocol("p") == LinkBoundary(
        None, frozenset({"p"}), frozenset({"protocol:p"}), FULL_SESSION
    )
    of_bundle = LinkBoundary("a", frozenset({"p", "q"}), frozenset({A}), Fragments({A}))
    assert LinkBoundary.for_bundle(composed) == of_bundle
    assert LinkBoundary.for_bundle_id("a") == replace(of_bundle, protocol_ids=frozenset())
    one, two = LinkBoundary.from_manifest(MANIFEST)
    assert (one, two) == (
        LinkBoundary("a", frozenset({"p"}), frozenset({A}), Fragments({A})),
        LinkBoundary("b", frozenset({"p"}), frozenset({B}), Fragments({B})),
    )
    assert LinkBoundary.for_manifest(MANIFEST) == LinkBoundary(
        None, frozenset({"p"}), frozenset({A, B}), Fragments({A, B})
    )
    single = CompositionManifest("p", (LinkSpec("a"),))
    assert LinkBoundary.for_manifest(single) == one
    bare = CompositionManifest("p")
    assert LinkBoundary.from_manifest(bare) == (LinkBoundary.for_protocol("p"),)
    assert LinkBoundary.for_manifest(bare) == LinkBoundary.for_protocol("p")
    with pytest.raises(InvalidIdentifier):
        LinkBoundary.for_bundle_id("")


def test_a_boundary_is_checked_against_the_live_capability() -> None:
    narrow = OwnershipCapability("s-1", "a", 1, Fragments({A}))
    claimed = (OPENED, session.OwnershipClaimed(narrow))
    given(*claimed).when(session.check_boundary, narrow, LinkBoundary.for_bundle_id("a")).then()
    given(*claimed).when(session.check_boundary, narrow, LinkBoundary.for_bundle_id("b")).refused(
        BoundaryRejected, fragment_keys=(B,), scope=narrow.scope
    )
    given(*claimed).when(session.check_boundary, narrow, LinkBoundary.for_scope(FULL_SESSION)).refused(BoundaryRejected)
    given(*claimed).when(session.check_boundary, A1, LinkBoundary.for_bundle_id("a")).refused_on_record(
        StaleCapability, session.CapabilityRejected(A1, "capability is not live")
    )


def test_a_manifests_fragments_are_claimed_once_each() -> None:
    claimed = FragmentsClaimed(A1, (OF_A, OF_B))
    assert given(OPENED, CLAIMED).when(session.claim_fragments, A1, MANIFEST).then(claimed) == (OF_A, OF_B)


def test_a_manifest_without_links_gives_its_protocols_fragment() -> None:
    fragment = SessionFragment("protocol:p", "a", "p")
    given(OPENED, CLAIMED).when(session.claim_fragments, A1, CompositionManifest("p")).then(
        FragmentsClaimed(A1, (fragment,))
    )


def test_claiming_again_gets_only_what_is_new() -> None:
    given(OPENED, CLAIMED, FragmentsClaimed(A1, (OF_A,))).when(session.claim_fragments, A1, MANIFEST).then(
        FragmentsClaimed(A1, (OF_B,))
    )
    given(*HELD).when(session.claim_fragments, A1, MANIFEST).then()


def test_a_fragment_of_another_label_or_protocol_is_not_taken_over() -> None:
    for held in (replace(OF_B, owner="z"), replace(OF_B, protocol_id="q")):
        given(OPENED, CLAIMED, FragmentsClaimed(A1, (held,))).when(session.claim_fragments, A1, MANIFEST).refused(
            FragmentConflict, fragment_key=B, owner=held.owner, protocol_id=held.protocol_id
        )


def test_fragments_are_claimed_within_the_scope() -> None:
    narrow = OwnershipCapability("s-1", "a", 1, Fragments({A}))
    given(OPENED, session.OwnershipClaimed(narrow)).when(session.claim_fragments, narrow, MANIFEST).refused(
        ScopeViolation
    )


def test_exactly_the_named_fragments_move() -> None:
    moved = FragmentsMoved(A1, (OF_A,), (OF_A.held_by("b"),))
    given(*HELD).when(session.move_fragments, A1, frozenset({A}), "b").then(moved)
    assert given(*HELD, moved).state.fragments == {A: OF_A.held_by("b"), B: OF_B}
    given(*HELD).when(session.move_fragments, A1, frozenset({A}), "a").then()


def test_exactly_the_named_fragments_are_released() -> None:
    released = FragmentsReleased(A1, (OF_A,))
    given(*HELD).when(session.release_fragments, A1, frozenset({A})).then(released)
    assert given(*HELD, released).state.fragments == {B: OF_B}
    given(*HELD).when(session.release_fragments, A1, frozenset()).then()


def test_what_is_not_held_neither_moves_nor_goes() -> None:
    given(*HELD).when(session.move_fragments, A1, frozenset({A, "bundle:c"}), "b").refused(
        FragmentNotHeld, fragment_key="bundle:c"
    )
    given(*HELD).when(session.release_fragments, A1, frozenset({"bundle:c"})).refused(FragmentNotHeld)


def test_a_capability_over_fragments_reaches_those_that_its_owner_holds() -> None:
    narrow = OwnershipCapability("s-1", "a", 2, Fragments({A, B}))
    moved = FragmentsMoved(A1, (OF_A,), (OF_A.held_by("z"),))
    before = (*HELD, moved, session.ScopeAttenuated(A1, narrow))
    given(*before).when(session.release_fragments, narrow, frozenset({A})).refused(FragmentConflict, owner="z")
    given(*before).when(session.release_fragments, narrow, frozenset({B})).then(FragmentsReleased(narrow, (OF_B,)))
    given(*before).when(session.release_fragments, narrow, frozenset({"bundle:c"})).refused(ScopeViolation)
    # Over the full session it reaches over all.
    given(*HELD, moved).when(session.release_fragments, A1, frozenset({A})).accepted()


def test_fragments_go_with_the_owner_as_far_as_the_scope_reaches() -> None:
    handed = OwnershipCapability("s-1", "b", 2, Fragments({A}))
    transferred = session.OwnershipTransferred(A1, handed, (), (OF_A.held_by("b"),))
    given(*HELD).when(session.transfer, A1, "b", Fragments({A}), policy=Policy()).then(transferred)
    assert given(*HELD, transferred).state.fragments == {A: OF_A.held_by("b"), B: OF_B}


def test_fragments_go_with_a_committed_transfer() -> None:
    (begun,) = given(*HELD).when(session.begin_transfer, A1, "b", None, policy=Policy()).accepted()
    assert isinstance(begun, session.TransferBegun)
    (committed,) = given(*HELD, begun).when(session.commit_transfer, begun.receipt).accepted()
    assert isinstance(committed, session.TransferCommitted)
    assert committed.moved_fragments == (OF_A.held_by("b"), OF_B.held_by("b"))


def test_a_finished_session_holds_no_fragments_and_the_event_lists_them() -> None:
    closed = session.SessionClosed(A1, (), (OF_A, OF_B), CLOSING)
    given(*HELD).when(session.close, NO_INBOX, A1).then(closed)
    assert given(*HELD, closed).state.fragments == {}
    (died,) = given(*HELD).when(session.owner_died, NO_INBOX, "a").accepted()
    assert isinstance(died, session.OwnerDied)
    assert died.released_fragments == (OF_A, OF_B)
