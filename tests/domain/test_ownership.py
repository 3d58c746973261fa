"""Claiming, checking, narrowing and giving up (telltale 2.1, 2.2, 2.6, 2.12; scenarios 8.1 and 8.8)."""

from dataclasses import replace

import pytest
from muniment.domain import (
    FULL_SESSION,
    AlreadyClaimed,
    Fragments,
    OwnershipCapability,
    ScopeViolation,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TransferPending,
    Unclaimed,
)
from muniment.domain.session import (
    CapabilityRejected,
    OwnershipClaimed,
    OwnershipReleased,
    ScopeAttenuated,
    attenuate,
    check,
    claim,
    release,
)
from muniment.domain.session.guards import NO_OWNER, NOT_LIVE
from muniment.journal.testing import given

from .facts import A1, ALPHA, ALPHA_BETA, BEGUN, CLAIMED, CLOSED, ISSUED, OPENED, REFERENCE, RELEASED, STRICT, WITNESS


def test_the_first_claim_has_generation_1() -> None:
    given(OPENED).when(claim, "a", FULL_SESSION, policy=STRICT).then(OwnershipClaimed(A1))


def test_any_scope_may_be_claimed_even_the_empty_one() -> None:
    nothing = Fragments(())
    held = OwnershipCapability("s-1", "a", 1, nothing)
    given(OPENED).when(claim, "a", nothing, policy=STRICT).then(OwnershipClaimed(held))


def test_claiming_a_session_that_was_never_opened() -> None:
    given().when(claim, "a", FULL_SESSION, policy=STRICT).refused(SessionNotFound, session_id="s-1")


@pytest.mark.parametrize("owner", ["a", "b"])
def test_claiming_a_claimed_session(owner: str) -> None:
    given(OPENED, CLAIMED).when(claim, owner, FULL_SESSION, policy=STRICT).refused(
        AlreadyClaimed, session_id="s-1", owner="a"
    )


def test_the_reference_answers_a_repeated_claim_with_the_live_capability() -> None:
    assert given(OPENED, CLAIMED).when(claim, "a", ALPHA, policy=REFERENCE).then() == A1


def test_the_reference_refuses_a_claim_by_another() -> None:
    given(OPENED, CLAIMED).when(claim, "b", FULL_SESSION, policy=REFERENCE).refused(AlreadyClaimed, owner="a")


def test_a_generation_goes_on_after_a_release() -> None:
    second = OwnershipCapability("s-1", "a", 2, FULL_SESSION)
    given(OPENED, CLAIMED, RELEASED).when(claim, "a", FULL_SESSION, policy=STRICT).then(OwnershipClaimed(second))


def test_the_capability_of_an_earlier_tenure_stays_dead() -> None:
    again = OwnershipClaimed(replace(A1, generation=2))
    given(OPENED, CLAIMED, RELEASED, again).when(check, A1).refused_on_record(
        StaleCapability, CapabilityRejected(A1, NOT_LIVE), generation=1, live_generation=2, live_owner="a"
    )


def test_a_closed_session_cannot_be_claimed() -> None:
    given(OPENED, CLAIMED, CLOSED).when(claim, "b", FULL_SESSION, policy=STRICT).refused(
        SessionTerminal, status="closed", reason=None
    )


def test_the_live_capability_checks() -> None:
    given(OPENED, CLAIMED).when(check, A1).then()


@pytest.mark.parametrize(
    "forged",
    [
        replace(A1, owner="b"),
        replace(A1, generation=2),
        replace(A1, generation=0),
        replace(A1, scope=ALPHA),
    ],
    ids=["owner", "later", "earlier", "scope"],
)
def test_a_capability_that_differs_in_one_field_is_stale(forged: OwnershipCapability) -> None:
    given(OPENED, CLAIMED).when(check, forged).refused_on_record(
        StaleCapability,
        CapabilityRejected(forged, NOT_LIVE),
        session_id="s-1",
        owner=forged.owner,
        generation=forged.generation,
        scope=forged.scope,
        live_owner="a",
        live_generation=1,
        live_scope=FULL_SESSION,
    )


def test_a_capability_for_an_unclaimed_session_is_recorded() -> None:
    given(OPENED).when(check, A1).refused_on_record(Unclaimed, CapabilityRejected(A1, NO_OWNER), session_id="s-1")


def test_releasing() -> None:
    given(OPENED, CLAIMED).when(release, A1).then(OwnershipReleased(A1))


def test_releasing_voids_outstanding_witnesses() -> None:
    given(OPENED, CLAIMED, ISSUED).when(release, A1).then(OwnershipReleased(A1, (WITNESS,)))


def test_a_staged_transfer_blocks_a_release() -> None:
    given(OPENED, CLAIMED, BEGUN).when(release, A1).refused(TransferPending, session_id="s-1", claim_id=1)


def test_narrowing_takes_a_new_generation_and_voids_witnesses() -> None:
    narrowed = OwnershipCapability("s-1", "a", 2, ALPHA)
    given(OPENED, CLAIMED, ISSUED).when(attenuate, A1, ALPHA, policy=STRICT).then(
        ScopeAttenuated(A1, narrowed, (WITNESS,))
    )


def test_narrowing_to_the_same_scope_is_narrowing() -> None:
    renewed = replace(A1, generation=2)
    given(OPENED, CLAIMED).when(attenuate, A1, FULL_SESSION, policy=STRICT).then(ScopeAttenuated(A1, renewed))


@pytest.mark.parametrize("wider", [FULL_SESSION, ALPHA_BETA, Fragments({"bundle:other"})])
def test_scope_only_narrows(wider: Fragments) -> None:
    held = OwnershipCapability("s-1", "a", 1, ALPHA)
    given(OPENED, OwnershipClaimed(held)).when(attenuate, held, wider, policy=STRICT).refused(
        ScopeViolation, session_id="s-1", owner="a", required=wider, actual=ALPHA
    )


def test_the_reference_lets_scope_widen() -> None:
    held = OwnershipCapability("s-1", "a", 1, ALPHA)
    widened = OwnershipCapability("s-1", "a", 2, FULL_SESSION)
    given(OPENED, OwnershipClaimed(held)).when(attenuate, held, FULL_SESSION, policy=REFERENCE).then(
        ScopeAttenuated(held, widened)
    )


def test_a_staged_transfer_blocks_narrowing() -> None:
    given(OPENED, CLAIMED, BEGUN).when(attenuate, A1, ALPHA, policy=STRICT).refused(TransferPending, claim_id=1)


def test_staleness_is_found_before_a_staged_transfer() -> None:
    forged = replace(A1, generation=9)
    given(OPENED, CLAIMED, BEGUN).when(release, forged).refused_on_record(
        StaleCapability, CapabilityRejected(forged, NOT_LIVE)
    )
