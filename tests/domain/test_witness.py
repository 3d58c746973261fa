"""Readiness witnesses (telltale 2.8, 2.9; law 4; scenarios 8.1 and 8.8)."""

from dataclasses import replace

import pytest
from muniment.domain import (
    FULL_SESSION,
    InvalidWitness,
    ReadinessWitness,
    ScopeViolation,
    StaleCapability,
    WitnessConsumed,
)
from muniment.domain.session import (
    CapabilityRejected,
    OwnershipClaimed,
    OwnershipReleased,
    OwnershipTransferred,
    ReadinessWitnessConsumed,
    ReadinessWitnessIssued,
    ScopeAttenuated,
    WitnessRejected,
    consume_witness,
    issue_witness,
)
from muniment.domain.session.guards import NOT_LIVE
from muniment.domain.session.witness import ALREADY_CONSUMED, NEVER_ISSUED, NO_LONGER_MATCHES, WITNESS_MISMATCH
from muniment.journal.testing import given

from .facts import A1, ALPHA, B2, BEGUN, CLAIMED, CONSUMED, ISSUED, OPENED, WITNESS


def test_issuing() -> None:
    assert given(OPENED, CLAIMED).when(issue_witness, A1, "commit.ready").then(ISSUED) == WITNESS


def test_witness_ids_count_on() -> None:
    second = replace(WITNESS, witness_id=2)
    given(OPENED, CLAIMED, ISSUED, CONSUMED).when(issue_witness, A1, "commit.ready").then(
        ReadinessWitnessIssued(second)
    )


def test_issuing_and_consuming_go_on_while_a_transfer_is_staged() -> None:
    given(OPENED, CLAIMED, BEGUN).when(issue_witness, A1, "commit.ready").then(ISSUED)
    given(OPENED, CLAIMED, ISSUED, BEGUN).when(consume_witness, A1, WITNESS).then(CONSUMED)


def test_a_fragment_owner_can_neither_issue_nor_consume() -> None:
    held = replace(A1, scope=ALPHA)
    fragments = given(OPENED, OwnershipClaimed(held))
    fragments.when(issue_witness, held, "ready").refused(ScopeViolation, required=FULL_SESSION, actual=ALPHA)
    fragments.when(consume_witness, held, WITNESS).refused(ScopeViolation, required=FULL_SESSION, actual=ALPHA)


def test_consuming() -> None:
    given(OPENED, CLAIMED, ISSUED).when(consume_witness, A1, WITNESS).then(ReadinessWitnessConsumed(WITNESS))


def test_consuming_twice() -> None:
    given(OPENED, CLAIMED, ISSUED, CONSUMED).when(consume_witness, A1, WITNESS).refused_on_record(
        WitnessConsumed, WitnessRejected(WITNESS, ALREADY_CONSUMED), session_id="s-1", witness_id=1
    )


def test_a_forged_copy_of_a_consumed_witness_is_consumed_and_names_its_own_session() -> None:
    forged = replace(WITNESS, session_id="s-other")
    given(OPENED, CLAIMED, ISSUED, CONSUMED).when(consume_witness, A1, forged).refused_on_record(
        WitnessConsumed, WitnessRejected(forged, ALREADY_CONSUMED), session_id="s-other"
    )


def test_a_witness_that_was_never_issued() -> None:
    given(OPENED, CLAIMED).when(consume_witness, A1, WITNESS).refused_on_record(
        InvalidWitness, WitnessRejected(WITNESS, NEVER_ISSUED), session_id="s-1", witness_id=1, reason=NEVER_ISSUED
    )


@pytest.mark.parametrize(
    "forged",
    [
        replace(WITNESS, session_id="s-other"),
        replace(WITNESS, owner="b"),
        replace(WITNESS, generation=2),
        replace(WITNESS, scope=ALPHA),
        replace(WITNESS, predicate="other"),
    ],
    ids=["session", "owner", "generation", "scope", "predicate"],
)
def test_an_altered_witness(forged: ReadinessWitness) -> None:
    given(OPENED, CLAIMED, ISSUED).when(consume_witness, A1, forged).refused_on_record(
        InvalidWitness, WitnessRejected(forged, WITNESS_MISMATCH), reason=WITNESS_MISMATCH
    )


def test_a_refused_witness_can_still_be_consumed() -> None:
    refused = WitnessRejected(replace(WITNESS, predicate="other"), WITNESS_MISMATCH)
    given(OPENED, CLAIMED, ISSUED, refused).when(consume_witness, A1, WITNESS).then(CONSUMED)


def test_the_old_owner_is_stale_and_the_new_one_cannot_spend_the_old_witness() -> None:
    handed = given(OPENED, CLAIMED, ISSUED, OwnershipTransferred(A1, B2, (WITNESS,)))
    handed.when(consume_witness, A1, WITNESS).refused_on_record(StaleCapability, CapabilityRejected(A1, NOT_LIVE))
    handed.when(consume_witness, B2, WITNESS).refused_on_record(
        InvalidWitness, WitnessRejected(WITNESS, NO_LONGER_MATCHES), reason=NO_LONGER_MATCHES
    )


def test_narrowing_ends_a_witness() -> None:
    narrowed = replace(A1, generation=2)
    given(OPENED, CLAIMED, ISSUED, ScopeAttenuated(A1, narrowed, (WITNESS,))).when(
        consume_witness, narrowed, WITNESS
    ).refused_on_record(InvalidWitness, WitnessRejected(WITNESS, NO_LONGER_MATCHES))


def test_a_witness_does_not_come_alive_again_after_release_and_claim() -> None:
    again = replace(A1, generation=2)
    given(OPENED, CLAIMED, ISSUED, OwnershipReleased(A1, (WITNESS,)), OwnershipClaimed(again)).when(
        consume_witness, again, WITNESS
    ).refused_on_record(InvalidWitness, WitnessRejected(WITNESS, NO_LONGER_MATCHES))
