"""How sessions begin and end (telltale 2.10, 2.15; law 5)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from muniment.domain import (
    FULL_SESSION,
    OwnershipCapability,
    OwnershipReceipt,
    ScopeViolation,
    SessionAlreadyOpen,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TerminalReason,
    TransferPending,
    Unclaimed,
)
from muniment.domain.session import (
    CapabilityRejected,
    OwnerDied,
    OwnershipClaimed,
    ReadinessWitnessIssued,
    SessionArchived,
    SessionClosed,
    SessionOpened,
    SessionStatus,
    TransferBegun,
    begin_transfer,
    check,
    claim,
    close,
    issue_witness,
    open_session,
    owner_died,
    release,
)
from muniment.domain.session.guards import NOT_LIVE
from muniment.domain.session.terms import NO_TERMS, SessionCounts
from muniment.journal.testing import given

from .facts import (
    A1,
    ALPHA,
    BEGUN,
    CLAIMED,
    CLOSED,
    CLOSING,
    ENDING,
    ISSUED,
    NO_INBOX,
    OPENED,
    RECEIPT,
    RELEASED,
    STRICT,
    WITNESS,
    cancellation,
)

DIED = TerminalReason("owner_died", "a")


def test_opening() -> None:
    given().when(open_session, ("coordinator", "worker")).then(SessionOpened("s-1", 1, ("coordinator", "worker")))


def test_opening_an_open_session() -> None:
    given(OPENED).when(open_session, ()).refused(SessionAlreadyOpen, session_id="s-1", incarnation=1)


def test_closing() -> None:
    given(OPENED, CLAIMED, ISSUED).when(close, NO_INBOX, A1).then(SessionClosed(A1, (WITNESS,), (), CLOSING))


def test_closing_takes_the_full_session() -> None:
    held = replace(A1, scope=ALPHA)
    given(OPENED, OwnershipClaimed(held)).when(close, NO_INBOX, held).refused(
        ScopeViolation, required=FULL_SESSION, actual=ALPHA
    )


def test_closing_takes_the_live_capability() -> None:
    forged = replace(A1, generation=4)
    given(OPENED, CLAIMED).when(close, NO_INBOX, forged).refused_on_record(
        StaleCapability, CapabilityRejected(forged, NOT_LIVE)
    )


def test_closing_is_blocked_by_a_staged_transfer() -> None:
    given(OPENED, CLAIMED, BEGUN).when(close, NO_INBOX, A1).refused(TransferPending, claim_id=1)


def test_a_closed_session_stays_closed() -> None:
    closed = given(OPENED, CLAIMED, CLOSED)
    closed.when(close, NO_INBOX, A1).refused(SessionTerminal, status="closed", reason=None)
    closed.when(owner_died, NO_INBOX, "a").refused(SessionTerminal, status="closed")
    closed.when(check, A1).refused(SessionTerminal, status="closed")


def test_reopening_begins_a_new_incarnation_and_everything_counts_on() -> None:
    reopened = given(OPENED, CLAIMED, ISSUED, CLOSED, SessionOpened("s-1", 2))
    second = OwnershipCapability("s-1", "a", 2, FULL_SESSION)
    reopened.when(check, A1).refused_on_record(Unclaimed, CapabilityRejected(A1, "session has no owner"))
    reopened.when(claim, "a", FULL_SESSION, policy=STRICT).then(OwnershipClaimed(second))
    reopened.state.apply(OwnershipClaimed(second))
    witness = replace(WITNESS, witness_id=2, generation=2)
    reopened.when(issue_witness, second, "commit.ready").then(ReadinessWitnessIssued(witness))
    receipt = OwnershipReceipt("s-1", 1, "a", 2, "b", 3, FULL_SESSION)
    reopened.when(begin_transfer, second, "b", None, policy=STRICT).then(TransferBegun(receipt))


def test_a_closed_session_can_be_opened_again() -> None:
    given(OPENED, CLAIMED, CLOSED).when(open_session, ()).then(
        SessionArchived("s-1", 1, SessionStatus.CLOSED, NO_TERMS, SessionCounts(0), last_owner="a"),
        SessionOpened("s-1", 2),
    )


def test_the_owner_dies() -> None:
    witness = cancellation(1, DIED)
    event = OwnerDied(A1, witness, ending=ENDING)
    assert given(OPENED, CLAIMED).when(owner_died, NO_INBOX, "a").then(event) == witness
    ended = given(OPENED, CLAIMED, event)
    assert ended.state.status == "faulted"
    assert str(ended.state.terminal_reason) == "ownership owner `a` died"
    ended.when(claim, "b", FULL_SESSION, policy=STRICT).refused(SessionTerminal, status="faulted", reason=DIED)
    ended.when(owner_died, NO_INBOX, "a").refused(SessionTerminal, reason=DIED)


def test_the_owner_dies_while_a_transfer_is_staged() -> None:
    event = OwnerDied(A1, cancellation(2, DIED), RECEIPT, (WITNESS,), (), ENDING)
    given(OPENED, CLAIMED, ISSUED, BEGUN).when(owner_died, NO_INBOX, "a").then(event)
    assert given(OPENED, CLAIMED, ISSUED, BEGUN, event).state.pending is None


def test_another_owner_than_the_live_one_cannot_die() -> None:
    given(OPENED, CLAIMED).when(owner_died, NO_INBOX, "b").refused(
        StaleCapability, owner="b", generation=None, live_owner="a", live_generation=1
    )


def test_nobody_can_die_in_an_unclaimed_session() -> None:
    given(OPENED, CLAIMED, RELEASED).when(owner_died, NO_INBOX, "a").refused(Unclaimed)


@pytest.mark.parametrize(("command", "before"), [(check, ()), (release, ()), (close, (NO_INBOX,))])
def test_a_session_that_was_never_opened(command: Callable[..., Any], before: tuple[Any, ...]) -> None:
    given().when(command, *before, A1).refused(SessionNotFound, session_id="s-1")
