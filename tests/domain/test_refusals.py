"""What is recorded of refusals, and how much (law 6)."""

from dataclasses import replace

from muniment.domain import StaleCapability, TransferNotPending
from muniment.domain.session import (
    MAX_RECORDED_REFUSALS,
    CapabilityRejected,
    ReadinessWitnessIssued,
    ReceiptRejected,
    SessionClosed,
    SessionOpened,
    check,
    rollback_transfer,
)
from muniment.domain.session.guards import NOT_LIVE, NOT_PENDING
from muniment.journal.testing import given

from .facts import A1, CLAIMED, ISSUED, OPENED, RECEIPT

FORGED = replace(A1, generation=7)
REJECTED = CapabilityRejected(FORGED, NOT_LIVE)


def test_a_refusal_is_recorded_once_while_nothing_happens_in_between() -> None:
    given(OPENED, CLAIMED, REJECTED).when(check, FORGED).refused_on_record(StaleCapability)


def test_other_refusals_are_nothing_that_happened() -> None:
    other = ReceiptRejected(RECEIPT, NOT_PENDING)
    given(OPENED, CLAIMED, REJECTED, other).when(check, FORGED).refused_on_record(StaleCapability)


def test_a_refusal_is_recorded_again_after_something_happened() -> None:
    given(OPENED, CLAIMED, REJECTED, ISSUED).when(check, FORGED).refused_on_record(StaleCapability, REJECTED)


def test_the_same_artifact_for_another_reason_is_another_refusal() -> None:
    given(OPENED, CLAIMED, REJECTED).when(rollback_transfer, RECEIPT).refused_on_record(
        TransferNotPending, ReceiptRejected(RECEIPT, NOT_PENDING)
    )


def test_a_session_records_so_many_refusals_and_no_more() -> None:
    knocks = [CapabilityRejected(replace(A1, generation=10 + n), NOT_LIVE) for n in range(MAX_RECORDED_REFUSALS)]
    almost = given(OPENED, CLAIMED, *knocks[:-1])
    last = CapabilityRejected(FORGED, NOT_LIVE, last=True)
    almost.when(check, FORGED).refused_on_record(StaleCapability, last)
    full = given(OPENED, CLAIMED, *knocks)
    full.when(check, FORGED).refused_on_record(StaleCapability)
    accepted = ReadinessWitnessIssued(ISSUED.witness)
    given(OPENED, CLAIMED, *knocks, accepted).when(check, FORGED).refused_on_record(StaleCapability)


def test_a_new_incarnation_records_no_more_of_them() -> None:
    knocks = [CapabilityRejected(replace(A1, generation=10 + n), NOT_LIVE) for n in range(MAX_RECORDED_REFUSALS)]
    reopened = given(OPENED, CLAIMED, *knocks, SessionClosed(A1), SessionOpened("s-1", 2))
    assert reopened.state.refusals == MAX_RECORDED_REFUSALS
