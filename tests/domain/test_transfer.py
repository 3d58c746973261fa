"""Handing over (telltale 2.3 to 2.5 and 2.10; aura 2.12; scenarios 8.1 and 8.8)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from muniment.domain import (
    FULL_SESSION,
    OwnershipReceipt,
    ReceiptMismatch,
    ScopeViolation,
    SessionTerminal,
    StaleCapability,
    TerminalReason,
    TransferNotPending,
    TransferPending,
    Unclaimed,
)
from muniment.domain.session import (
    CapabilityRejected,
    OwnershipClaimed,
    OwnershipTransferred,
    ReceiptRejected,
    TransferAbandoned,
    TransferBegun,
    TransferCommitFailed,
    TransferCommitted,
    TransferRolledBack,
    abandon_transfer,
    begin_transfer,
    check,
    claim,
    commit_transfer,
    fail_transfer_commit,
    rollback_transfer,
    transfer,
)
from muniment.domain.session.guards import NOT_LIVE, NOT_PENDING, RECEIPT_MISMATCH
from muniment.journal.testing import given

from .facts import (
    A1,
    ALPHA,
    ALPHA_BETA,
    B2,
    BEGUN,
    CLAIMED,
    ENDING,
    ISSUED,
    NO_INBOX,
    OPENED,
    RECEIPT,
    REFERENCE,
    RELEASED,
    STRICT,
    WITNESS,
    cancellation,
)

ABANDONED = TerminalReason("transfer_abandoned", "a", 1)
FAILED = TerminalReason("transfer_commit_failed", "a", 1, "no quorum")

BY_RECEIPT: list[tuple[Callable[..., Any], tuple[str, ...]]] = [
    (commit_transfer, ()),
    (rollback_transfer, ()),
    (lambda state, receipt: abandon_transfer(state, NO_INBOX, receipt), ()),
    (lambda state, receipt, reason: fail_transfer_commit(state, NO_INBOX, receipt, reason), ("no quorum",)),
]

RECEIPT_IDS = ["commit", "roll back", "abandon", "fail"]


def test_beginning_stages_a_receipt() -> None:
    given(OPENED, CLAIMED).when(begin_transfer, A1, "b", None, policy=STRICT).then(BEGUN)


def test_beginning_with_a_narrower_scope() -> None:
    narrower = replace(RECEIPT, scope=ALPHA)
    given(OPENED, CLAIMED).when(begin_transfer, A1, "b", ALPHA, policy=STRICT).then(TransferBegun(narrower))


def test_without_a_scope_the_live_one_is_kept() -> None:
    held = replace(A1, scope=ALPHA)
    kept = replace(RECEIPT, scope=ALPHA)
    given(OPENED, OwnershipClaimed(held)).when(begin_transfer, held, "b", None, policy=STRICT).then(TransferBegun(kept))


@pytest.mark.parametrize("hand_over", [begin_transfer, transfer])
def test_a_transfer_cannot_widen_the_scope(hand_over: Callable[..., Any]) -> None:
    held = replace(A1, scope=ALPHA)
    given(OPENED, OwnershipClaimed(held)).when(hand_over, held, "b", ALPHA_BETA, policy=STRICT).refused(
        ScopeViolation, owner="a", required=ALPHA_BETA, actual=ALPHA
    )


def test_the_reference_lets_a_transfer_widen_the_scope() -> None:
    held = replace(A1, scope=ALPHA)
    given(OPENED, OwnershipClaimed(held)).when(transfer, held, "b", FULL_SESSION, policy=REFERENCE).then(
        OwnershipTransferred(held, B2)
    )


@pytest.mark.parametrize("hand_over", [begin_transfer, transfer])
def test_a_second_transfer_is_blocked(hand_over: Callable[..., Any]) -> None:
    given(OPENED, CLAIMED, BEGUN).when(hand_over, A1, "c", None, policy=STRICT).refused(
        TransferPending, session_id="s-1", claim_id=1
    )


def test_the_owner_stays_live_while_a_transfer_is_staged() -> None:
    given(OPENED, CLAIMED, BEGUN).when(check, A1).then()


def test_committing() -> None:
    result = given(OPENED, CLAIMED, BEGUN).when(commit_transfer, RECEIPT).then(TransferCommitted(RECEIPT, A1, B2))
    assert result == B2


def test_committing_voids_outstanding_witnesses() -> None:
    given(OPENED, CLAIMED, ISSUED, BEGUN).when(commit_transfer, RECEIPT).then(
        TransferCommitted(RECEIPT, A1, B2, (WITNESS,))
    )


def test_an_owner_may_transfer_to_itself() -> None:
    renewed = replace(A1, generation=2)
    given(OPENED, CLAIMED).when(transfer, A1, "a", None, policy=STRICT).then(OwnershipTransferred(A1, renewed))


def test_transferring_in_one_step_voids_outstanding_witnesses() -> None:
    given(OPENED, CLAIMED, ISSUED).when(transfer, A1, "b", None, policy=STRICT).then(
        OwnershipTransferred(A1, B2, (WITNESS,))
    )


def test_the_old_capability_is_stale_after_a_transfer() -> None:
    given(OPENED, CLAIMED, OwnershipTransferred(A1, B2)).when(transfer, A1, "c", None, policy=STRICT).refused_on_record(
        StaleCapability, CapabilityRejected(A1, NOT_LIVE), live_owner="b", live_generation=2
    )


def test_rolling_back_keeps_the_owner_and_spends_the_claim_id() -> None:
    given(OPENED, CLAIMED, BEGUN).when(rollback_transfer, RECEIPT).then(TransferRolledBack(RECEIPT))
    rolled_back = given(OPENED, CLAIMED, BEGUN, TransferRolledBack(RECEIPT))
    rolled_back.when(check, A1).then()
    rolled_back.when(begin_transfer, A1, "b", None, policy=STRICT).then(TransferBegun(replace(RECEIPT, claim_id=2)))


def test_claim_ids_go_on_after_release_and_claim() -> None:
    again = replace(A1, generation=2)
    receipt = OwnershipReceipt("s-1", 2, "a", 2, "b", 3, FULL_SESSION)
    given(OPENED, CLAIMED, BEGUN, TransferRolledBack(RECEIPT), RELEASED, OwnershipClaimed(again)).when(
        begin_transfer, again, "b", None, policy=STRICT
    ).then(TransferBegun(receipt))


@pytest.mark.parametrize(("command", "rest"), BY_RECEIPT, ids=RECEIPT_IDS)
def test_a_receipt_with_nothing_staged_is_refused_on_record(command: Callable[..., Any], rest: tuple[str, ...]) -> None:
    given(OPENED, CLAIMED).when(command, RECEIPT, *rest).refused_on_record(
        TransferNotPending, ReceiptRejected(RECEIPT, NOT_PENDING), session_id="s-1"
    )


@pytest.mark.parametrize(("command", "rest"), BY_RECEIPT, ids=RECEIPT_IDS)
@pytest.mark.parametrize(
    "forged",
    [
        replace(RECEIPT, claim_id=100),
        replace(RECEIPT, from_owner="x"),
        replace(RECEIPT, from_generation=9),
        replace(RECEIPT, to_owner="x"),
        replace(RECEIPT, to_generation=9),
        replace(RECEIPT, scope=ALPHA),
    ],
    ids=["claim_id", "from_owner", "from_generation", "to_owner", "to_generation", "scope"],
)
def test_a_forged_receipt_is_refused_on_record(
    command: Callable[..., Any], rest: tuple[str, ...], forged: OwnershipReceipt
) -> None:
    given(OPENED, CLAIMED, BEGUN).when(command, forged, *rest).refused_on_record(
        ReceiptMismatch, ReceiptRejected(forged, RECEIPT_MISMATCH), claim_id=forged.claim_id, pending_claim_id=1
    )


def test_the_genuine_receipt_still_commits_after_a_forged_one() -> None:
    forged = ReceiptRejected(replace(RECEIPT, claim_id=7), RECEIPT_MISMATCH)
    given(OPENED, CLAIMED, BEGUN, forged).when(commit_transfer, RECEIPT).answers(B2)


def test_committing_on_an_unclaimed_session() -> None:
    given(OPENED, CLAIMED, RELEASED).when(commit_transfer, RECEIPT).refused_on_record(
        Unclaimed, ReceiptRejected(RECEIPT, NOT_PENDING)
    )


def test_rolling_back_on_an_unclaimed_session() -> None:
    given(OPENED, CLAIMED, RELEASED).when(rollback_transfer, RECEIPT).refused_on_record(
        TransferNotPending, ReceiptRejected(RECEIPT, NOT_PENDING)
    )


def test_abandoning_cancels_the_session() -> None:
    witness = cancellation(2, ABANDONED)
    event = TransferAbandoned(A1, RECEIPT, witness, (WITNESS,), (), ENDING)
    assert given(OPENED, CLAIMED, ISSUED, BEGUN).when(abandon_transfer, NO_INBOX, RECEIPT).then(event) == witness
    ended = given(OPENED, CLAIMED, ISSUED, BEGUN, event)
    assert ended.state.status == "cancelled"
    ended.when(claim, "c", FULL_SESSION, policy=STRICT).refused(SessionTerminal, status="cancelled", reason=ABANDONED)
    ended.when(check, A1).refused(SessionTerminal, reason=ABANDONED)


def test_a_failed_commit_faults_the_session_and_issues_no_witness() -> None:
    event = TransferCommitFailed(A1, RECEIPT, FAILED, (), (), ENDING)
    assert given(OPENED, CLAIMED, BEGUN).when(fail_transfer_commit, NO_INBOX, RECEIPT, "no quorum").then(event) is None
    ended = given(OPENED, CLAIMED, BEGUN, event)
    assert ended.state.status == "faulted"
    assert ended.state.witnesses == 0
    assert str(ended.state.terminal_reason) == "ownership transfer commit failed: no quorum"


@pytest.mark.parametrize(("command", "rest"), BY_RECEIPT, ids=RECEIPT_IDS)
def test_nothing_is_recorded_of_what_is_shown_to_a_finished_session(
    command: Callable[..., Any], rest: tuple[str, ...]
) -> None:
    failed = TransferCommitFailed(A1, RECEIPT, FAILED, ())
    given(OPENED, CLAIMED, BEGUN, failed).when(command, RECEIPT, *rest).refused(SessionTerminal, reason=FAILED)
