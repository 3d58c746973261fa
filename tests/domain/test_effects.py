"""An event says all that it does to a session: what it names as given, ended, moved or void is among its effects."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from muniment.domain import (
    CATALOGUE,
    FULL_SESSION,
    CancellationWitness,
    DelegationReceipt,
    Event,
    FootprintClass,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    TerminalReason,
    inbox,
    session,
)
from muniment.domain.effects import SessionStatus, WitnessStatus
from muniment.domain.session import SessionState

BEFORE = OwnershipCapability("s", "alice", 6, FULL_SESSION)
AFTER = OwnershipCapability("s", "bob", 7, FULL_SESSION)
WITNESS = ReadinessWitness(3, "s", "alice", 6, FULL_SESSION, "ready")
REASON = TerminalReason("owner_died", "alice")
PROOF = CancellationWitness(4, "s", "alice", 6, REASON)
FOOTPRINT = (("site-a", FootprintClass.NATIVE), ("site-b", None))

WITHOUT = {
    session.TransferBegun,
    session.TransferRolledBack,
    session.CapabilityRejected,
    session.ReceiptRejected,
    session.WitnessRejected,
    session.DelegationRejected,
    session.FragmentsClaimed,
    session.FragmentsMoved,
    session.FragmentsReleased,
    session.FragmentsRestored,
    session.SessionStarted,
    session.TermsChanged,
    session.HandlerSet,
    session.HandlerRestored,
    session.TraceSet,
    session.TraceRestored,
    inbox.TypeAdvanced,
    inbox.TypeRestored,
    session.SessionArchived,
    session.IngressAccepted,
    session.IngressRejected,
    session.RoundRecorded,
}
"""What changes nothing that a law of sessions follows: staged transfers, fragments, refusals, terms, what came in."""

GIVING = (
    session.OwnershipClaimed,
    session.OwnershipTransferred,
    session.ScopeAttenuated,
    session.TransferCommitted,
    session.SessionHandedOver,
    session.HandOverReverted,
    session.OwnershipRestored,
)
ENDING = {
    session.OwnershipReleased: None,
    session.OwnerDied: SessionStatus.FAULTED,
    session.TransferAbandoned: SessionStatus.CANCELLED,
    session.TransferCommitFailed: SessionStatus.FAULTED,
    session.SessionClosed: SessionStatus.CLOSED,
    session.SessionEnded: SessionStatus.CLOSED,
}
TYPES = sorted(
    (cls for name, cls in CATALOGUE.types().items() if name.startswith("session.")), key=lambda cls: cls.type
)


def made(cls: type[Event[Any]]) -> Event[Any]:
    """An event of this type, past the checks that its parts fit together."""
    values: dict[str, Any] = {
        "session_id": "s",
        "capability": AFTER if cls in GIVING else BEFORE,
        "previous": BEFORE,
        "witness": PROOF if cls in (session.OwnerDied, session.TransferAbandoned) else WITNESS,
        "voided": (WITNESS,),
        "generation": 7,
        "footprint": FOOTPRINT,
        "authority": "site-a",
        "cleared": ("site-c",),
        "status": SessionStatus.CLOSED,
        "ending": session.SessionEnding(cleared=("site-c",)),
        "reason": REASON,
        "receipt": RECEIPT
        if "delegat" in cls.type or "hand" in cls.type
        else OwnershipReceipt("s", 1, "alice", 6, "bob", 7, FULL_SESSION),
    }
    event: Event[Any] = object.__new__(cls)
    for field in fields(cls):  # type: ignore[arg-type]
        object.__setattr__(event, field.name, values.get(field.name, ()))
    return event


RECEIPT = object.__new__(DelegationReceipt)
for name, value in {
    "session_id": "s",
    "delegation_id": 1,
    "from_authority": "site-a",
    "to_authority": "site-b",
    "from_after": FootprintClass.DELEGATED_OUT,
    "to_after": FootprintClass.DELEGATED_IN,
    "cleared": ("site-c",),
}.items():
    object.__setattr__(RECEIPT, name, value)


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.type)
def test_an_event_says_all_that_it_names(cls: type[Event[Any]]) -> None:
    event = made(cls)
    effects = event.effects
    if cls in WITHOUT:
        assert effects is None
        return
    assert effects is not None
    named = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    assert effects.session_id == "s"
    if "voided" in named:
        assert (WITNESS, WitnessStatus.VOID) in effects.witnesses
        assert effects.ends_ownership
    if cls in GIVING:
        assert (effects.capability, effects.generation) == (AFTER, 7)
    else:
        assert (effects.capability, effects.generation) == (None, 0)
    if "footprint" in named:
        assert effects.footprint == FOOTPRINT
    elif "ending" in named:
        assert effects.footprint == (("site-c", None),)
    if cls in ENDING:
        assert (effects.ends_ownership, effects.status) == (True, ENDING[cls])
    if cls in (session.SessionDelegated, session.SessionHandedOver):
        assert effects.footprint == (
            ("site-c", None),
            ("site-a", FootprintClass.DELEGATED_OUT),
            ("site-b", FootprintClass.DELEGATED_IN),
        )
    if cls is session.SessionOpened:
        assert (effects.status, effects.footprint) == (SessionStatus.ACTIVE, (("site-c", None),))
    if isinstance(getattr(event, "witness", None), CancellationWitness):
        assert (PROOF, WitnessStatus.CANCELLATION) in effects.witnesses


@pytest.mark.parametrize(
    ("cls", "became"),
    [
        (session.ReadinessWitnessIssued, WitnessStatus.OUTSTANDING),
        (session.ReadinessWitnessConsumed, WitnessStatus.CONSUMED),
        (session.ReadinessWitnessWithdrawn, WitnessStatus.VOID),
    ],
)
def test_a_witness_becomes_what_its_event_says(cls: type[Event[Any]], became: WitnessStatus) -> None:
    effects = made(cls).effects
    assert effects is not None
    assert effects.witnesses == ((WITNESS, became),)
    assert not effects.ends_ownership


def test_the_state_is_what_the_effects_say() -> None:
    for cls in TYPES:
        effects = made(cls).effects
        if effects is None:
            continue
        state = SessionState("s")
        state.live, state.outstanding, state.issued = BEFORE, {3}, {3: WITNESS}
        state._take(effects)
        assert state.live == (effects.capability or (None if effects.ends_ownership else BEFORE)), cls.type
        if effects.ends_ownership:
            assert not state.outstanding, cls.type
        if effects.generation:
            assert state.generation == effects.generation, cls.type
        for authority, held in effects.footprint:
            assert state.footprint.get(authority) == held, cls.type


def test_events_of_other_streams_do_nothing_to_a_session() -> None:
    others = [cls for name, cls in CATALOGUE.types().items() if not name.startswith("session.")]
    assert others
    assert [cls.type for cls in others if cls.effects is not Event.effects] == []
