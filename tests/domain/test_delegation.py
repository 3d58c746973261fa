"""Who holds a session: hosting and delegating (aura 2.25 to 2.29), and handing a live one over (aura 2.31)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from muniment.domain import (
    FULL_SESSION,
    AlreadyHosted,
    BoundaryBundleMismatch,
    BoundaryRejected,
    BoundaryScopeMismatch,
    BundleNotFound,
    ComposedBundle,
    DelegationReceipt,
    DelegationWitness,
    Event,
    FootprintClass,
    Fragments,
    HandOverRequired,
    LinkBoundary,
    NotActiveHolder,
    OwnershipCapability,
    OwnershipReceipt,
    Placed,
    Policy,
    ScopeViolation,
    SelfDelegation,
    SessionFragment,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TransferPending,
    UpgradeRejected,
    bundle as bundles,
    session,
)
from muniment.domain.bundle import BundleRegistered, BundleState, MembersSeeded
from muniment.domain.session import (
    DelegationRejected,
    DelegationRequest,
    FragmentsClaimed,
    SessionDelegated,
    SessionHandedOver,
    SessionHosted,
    SessionState,
)
from muniment.journal.testing import given

from .facts import A1, CLAIMED, NO_INBOX, OPENED
from .test_bundles import CHAT, request_to

NATIVE, IN, OUT = FootprintClass.NATIVE, FootprintClass.DELEGATED_IN, FootprintClass.DELEGATED_OUT
HOSTED = SessionHosted("s-1", "A")


def delegated(number: int, giver: str, taker: str, *, was: FootprintClass = NATIVE, **facts: Any) -> SessionDelegated:
    """A delegation without a bundle, to an authority that had no part."""
    receipt = DelegationReceipt("s-1", number, giver, taker, None, None, was, OUT, None, IN)
    return SessionDelegated(replace(receipt, **facts), DelegationWitness("s-1", number))


def history(*pairs: str) -> tuple[list[Event[Any]], SessionState]:
    """A session that A hosts and that went from hand to hand: ``history("AB", "BC")``."""
    happened: list[Event[Any]] = [OPENED, HOSTED]
    for pair in pairs:
        giver, taker = pair[0], pair[1]
        happened += given(*happened).when(session.delegate, None, DelegationRequest(giver, taker)).accepted()
    return happened, given(*happened).state


def test_an_authority_hosts_a_session_that_none_holds() -> None:
    given(OPENED).when(session.host, "A").then(HOSTED)


def test_the_same_authority_hosting_again_changes_nothing() -> None:
    given(OPENED, HOSTED).when(session.host, "A").then()


def test_a_session_that_another_holds_cannot_be_hosted() -> None:
    given(OPENED, HOSTED).when(session.host, "B").refused(AlreadyHosted, authority="B", holder="A")


def test_who_delegated_a_session_away_cannot_host_it_again() -> None:
    given(*history("AB")[0]).when(session.host, "A").refused(AlreadyHosted, authority="A", holder="B")


def test_who_got_a_session_by_delegation_does_not_become_native() -> None:
    given(*history("AB", "BA")[0]).when(session.host, "A").refused(AlreadyHosted, holder="A")


def test_a_session_that_was_never_opened_or_is_finished_is_not_hosted() -> None:
    given().when(session.host, "A").refused(SessionNotFound)
    given(OPENED, CLAIMED, session.SessionClosed(A1)).when(session.host, "A").refused(SessionTerminal)


def test_the_holder_delegates() -> None:
    outcome = (
        given(OPENED, HOSTED)
        .when(session.delegate, None, DelegationRequest("A", "B", context_id="c"))
        .then(delegated(1, "A", "B", context_id="c"))
    )
    assert outcome.receipt.from_before is NATIVE
    assert outcome.capability is None


@pytest.mark.parametrize(
    ("pairs", "footprint"),
    [
        (["AB"], {"A": OUT, "B": IN}),
        (["AB", "BC"], {"B": OUT, "C": IN}),
        (["AB", "BC", "CA"], {"A": IN, "C": OUT}),
        (["AB", "BC", "CA", "AB"], {"A": OUT, "B": IN}),
        (["AB", "BA", "AC"], {"A": OUT, "C": IN}),
    ],
    ids=" ".join,
)
def test_chains_leave_one_delegator_and_one_receiver(pairs: list[str], footprint: dict[str, FootprintClass]) -> None:
    assert history(*pairs)[1].footprint == footprint


def test_passing_on_clears_the_delegator_before_and_the_receipt_says_so() -> None:
    happened, _ = history("AB", "BC")
    event = happened[-1]
    assert isinstance(event, SessionDelegated)
    assert event.receipt.cleared == ("A",)
    assert (event.receipt.from_before, event.receipt.from_after) == (IN, OUT)
    assert (event.receipt.to_before, event.receipt.to_after) == (None, IN)


def test_the_last_delegation_again_is_answered_again() -> None:
    happened, state = history("AB", "BC")
    outcome = given(*happened).when(session.delegate, None, DelegationRequest("B", "C")).then()
    assert outcome == state.last_delegation


@pytest.mark.parametrize(
    ("pairs", "giver", "taker", "holder"),
    [
        (["AB"], "A", "C", "B"),
        (["AB", "BC"], "A", "D", "C"),
        (["AB", "BC"], "B", "D", "C"),
        (["AB", "BC"], "B", "A", "C"),
        (["AB"], "D", "B", "B"),
    ],
)
def test_who_is_not_the_holder_does_not_delegate(pairs: list[str], giver: str, taker: str, holder: str) -> None:
    rejected = DelegationRejected("s-1", giver, taker, None, "authority is not the active holder")
    given(*history(*pairs)[0]).when(session.delegate, None, DelegationRequest(giver, taker)).refused_on_record(
        NotActiveHolder, rejected, authority=giver, holder=holder
    )


def test_the_same_refusal_is_recorded_once() -> None:
    rejected = DelegationRejected("s-1", "D", "B", None, "authority is not the active holder")
    request = DelegationRequest("D", "B")
    given(OPENED, HOSTED, rejected).when(session.delegate, None, request).refused_on_record(NotActiveHolder)


def test_a_delegation_through_other_evidence_is_another_one() -> None:
    happened, _ = history("AB")
    other = DelegationRequest("A", "B", context_id="c")
    rejected = DelegationRejected("s-1", "A", "B", None, "authority is not the active holder")
    given(*happened).when(session.delegate, None, other).refused_on_record(NotActiveHolder, rejected)


def test_nobody_delegates_a_session_that_nobody_hosts() -> None:
    given(OPENED).when(session.delegate, None, DelegationRequest("A", "B")).refused(NotActiveHolder, holder=None)


def test_nobody_delegates_to_itself() -> None:
    given(OPENED, HOSTED).when(session.delegate, None, DelegationRequest("A", "A")).refused(SelfDelegation)


def test_an_owner_is_not_left_behind() -> None:
    request = DelegationRequest("A", "B")
    given(OPENED, HOSTED, CLAIMED).when(session.delegate, None, request).refused(HandOverRequired, owner="a")


def test_a_finished_session_is_not_delegated() -> None:
    finished = (OPENED, HOSTED, CLAIMED, session.SessionClosed(A1))
    given(*finished).when(session.delegate, None, DelegationRequest("A", "B")).refused(SessionTerminal)


def test_a_new_incarnation_is_nobodys() -> None:
    finished = (OPENED, HOSTED, CLAIMED, session.SessionClosed(A1))
    archived, opened = given(*finished).when(session.open_session, ()).accepted()
    assert isinstance(archived, session.SessionArchived)
    # The close is one of an older format, which left the footprint alone.
    assert opened == session.SessionOpened("s-1", 2, (), ("A",))
    (closed,) = given(OPENED, HOSTED, CLAIMED).when(session.close, NO_INBOX, A1).accepted()
    assert given(OPENED, HOSTED, CLAIMED, closed).state.footprint == {}
    given(*finished, session.SessionOpened("s-1", 2, (), ("A",))).when(session.host, "B").then(
        SessionHosted("s-1", "B")
    )


def known(*events: Event[Any]) -> BundleState:
    state = BundleState("chat")
    for event in (BundleRegistered(CHAT), *events):
        state.apply(event)
    return state


def test_a_delegation_through_a_bundle_takes_its_boundary() -> None:
    request = DelegationRequest("A", "B", "chat")
    outcome = given(OPENED, HOSTED).when(session.delegate, known(), request)
    (event,) = outcome.accepted()
    assert isinstance(event, SessionDelegated)
    assert event.witness.boundary == LinkBoundary.for_bundle(CHAT)
    assert event.receipt.bundle_id == "chat"


def test_the_bundle_of_a_delegation_must_be_known() -> None:
    request = DelegationRequest("A", "B", "chat")
    given(OPENED, HOSTED).when(session.delegate, BundleState("chat"), request).refused(BundleNotFound, bundle_id="chat")


@pytest.mark.parametrize("boundary", [LinkBoundary.for_bundle_id("vote"), LinkBoundary.for_scope(FULL_SESSION)])
def test_the_boundary_must_be_the_bundles(boundary: LinkBoundary) -> None:
    request = DelegationRequest("A", "B", "chat", boundary)
    given(OPENED, HOSTED).when(session.delegate, known(), request).refused(
        BoundaryBundleMismatch, bundle_id="chat", boundary_bundle_id=boundary.bundle_id
    )


def test_a_boundary_without_a_bundle_names_none() -> None:
    request = DelegationRequest("A", "B", None, LinkBoundary.for_bundle_id("chat"))
    given(OPENED, HOSTED).when(session.delegate, None, request).refused(BoundaryBundleMismatch, bundle_id=None)


def test_a_boundary_must_not_lock_its_owner_out() -> None:
    boundary = LinkBoundary("chat", frozenset(), frozenset({"bundle:chat"}), Fragments({"bundle:other"}))
    request = DelegationRequest("A", "B", "chat", boundary)
    given(OPENED, HOSTED).when(session.delegate, known(), request).refused(BoundaryScopeMismatch)


CHAT_FRAGMENT = SessionFragment("bundle:chat", "a", "p", "chat")
VOTE_FRAGMENT = SessionFragment("bundle:vote", "a", "p", "vote")
LIVE = (OPENED, HOSTED, CLAIMED, FragmentsClaimed(A1, (CHAT_FRAGMENT, VOTE_FRAGMENT)))
CHAT_SCOPE = Fragments({"bundle:chat"})


def hand_over(
    bundle: BundleState | None, capability: OwnershipCapability, request: DelegationRequest, upgrade: Any = None
) -> tuple[Any, ...]:
    return (session.hand_over, bundle, capability, "b", request, upgrade)


def test_a_hand_over_moves_authority_owner_and_the_named_fragments_in_one_event() -> None:
    request = DelegationRequest("A", "B", "chat")
    handed = OwnershipCapability("s-1", "b", 2, CHAT_SCOPE)
    receipt = OwnershipReceipt("s-1", 1, "a", 1, "b", 2, CHAT_SCOPE)
    witness = DelegationWitness("s-1", 1, LinkBoundary.for_bundle(CHAT), ("bundle:chat",), receipt)
    delegation = DelegationReceipt("s-1", 1, "A", "B", "chat", None, NATIVE, OUT, None, IN)
    event = SessionHandedOver(A1, handed, delegation, witness, (), (CHAT_FRAGMENT.held_by("b"),))
    outcome = given(*LIVE).when(*hand_over(known(), A1, request), policy=Policy()).then(event)
    assert outcome.capability == handed
    state = given(*LIVE, event).state
    assert state.live == handed
    assert state.footprint == {"A": OUT, "B": IN}
    # The fragment outside of the boundary stays where it is.
    assert state.fragments == {"bundle:chat": CHAT_FRAGMENT.held_by("b"), "bundle:vote": VOTE_FRAGMENT}


def test_a_hand_over_without_a_bundle_keeps_the_scope() -> None:
    (event,) = given(*LIVE).when(*hand_over(None, A1, DelegationRequest("A", "B")), policy=Policy()).accepted()
    assert isinstance(event, SessionHandedOver)
    assert event.capability.scope == FULL_SESSION
    assert [fragment.owner for fragment in event.moved_fragments] == ["b", "b"]


def test_a_hand_over_with_an_upgrade_commits_both() -> None:
    request = DelegationRequest("A", "B", "chat")
    bundle = known(MembersSeeded("chat", frozenset({"x", "y"}), 1))
    decision: Any = session.hand_over(
        given(*LIVE).state, bundle, A1, "b", request, request_to("y", "z"), policy=Policy()
    )
    assert [(each.stream, each.event.type) for each in decision.placed] == [
        ("bundle-chat", "bundle.upgrade_staged.v1"),
        ("bundle-chat", "bundle.upgrade_admitted.v1"),
        ("bundle-chat", "bundle.upgrade_committed.v1"),
    ]
    assert [event.type for event in decision.events] == ["session.handed_over.v1"]
    assert decision.result.witness.upgrade == decision.placed[-1].event.artifact


def test_a_hand_over_whose_upgrade_breaks_a_rule_does_nothing_but_record_that() -> None:
    request = DelegationRequest("A", "B", "chat")
    bundle = known(MembersSeeded("chat", frozenset({"x", "y"}), 1))
    refused: Any = bundles.upgrade(bundle, request_to("z"))
    given(*LIVE).when(*hand_over(bundle, A1, request, request_to("z")), policy=Policy()).refused_on_record(
        UpgradeRejected,
        DelegationRejected("s-1", "A", "B", "chat", "upgrade rejected: upgrade_rejected"),
        elsewhere=tuple(Placed("bundle-chat", event) for event in refused.events),
        rule="d",
    )


def test_a_hand_over_takes_the_holder_and_the_live_capability() -> None:
    rejected = DelegationRejected("s-1", "B", "C", None, "authority is not the active holder")
    given(*LIVE).when(*hand_over(None, A1, DelegationRequest("B", "C")), policy=Policy()).refused_on_record(
        NotActiveHolder, rejected
    )
    stale = replace(A1, generation=7)
    given(*LIVE).when(*hand_over(None, stale, DelegationRequest("A", "B")), policy=Policy()).refused_on_record(
        StaleCapability, session.CapabilityRejected(stale, "capability is not live")
    )


def test_a_hand_over_is_not_begun_while_a_transfer_is_staged() -> None:
    staged = session.TransferBegun(OwnershipReceipt("s-1", 1, "a", 1, "b", 2, FULL_SESSION))
    given(*LIVE, staged).when(*hand_over(None, A1, DelegationRequest("A", "B")), policy=Policy()).refused(
        TransferPending
    )


def test_a_boundary_reaches_no_further_than_the_capability() -> None:
    narrow = OwnershipCapability("s-1", "a", 1, Fragments({"bundle:vote"}))
    claimed = (OPENED, HOSTED, session.OwnershipClaimed(narrow))
    request = DelegationRequest("A", "B", "chat")
    given(*claimed).when(*hand_over(known(), narrow, request), policy=Policy()).refused(
        BoundaryRejected, fragment_keys=("bundle:chat",), scope=narrow.scope
    )
    protocol = OwnershipCapability("s-1", "a", 1, Fragments({"protocol:p"}))
    wider = DelegationRequest("A", "B", None, LinkBoundary.for_protocol("p"))
    given(OPENED, HOSTED, session.OwnershipClaimed(protocol)).when(
        *hand_over(None, protocol, wider), policy=Policy()
    ).refused(ScopeViolation)


def test_composed_bundles_are_values() -> None:
    assert ComposedBundle("chat", ("p",)) == ComposedBundle("chat", ("p",))
