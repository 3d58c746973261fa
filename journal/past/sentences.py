"""What happened to a session, in one sentence of plain English for each event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...domain import (
    Event,
    OwnershipCapability,
    OwnershipReceipt,
    RecordedEvent,
    session,
)
from ...domain.shown import visible


class Stagings:
    """Which events staged transfers, among those that were told so far."""

    def __init__(self) -> None:
        self._staged: dict[int, str] = {}

    def take(self, record: RecordedEvent) -> None:
        """Note the transfer that an event stages, if it stages one."""
        receipt = getattr(record.event, "staged", None) or getattr(record.event, "receipt", None)
        stages = isinstance(record.event, session.TransferBegun | session.OwnershipRestored)
        if stages and isinstance(receipt, OwnershipReceipt):
            self._staged[receipt.claim_id] = record.id

    def where(self, receipt: OwnershipReceipt) -> str:
        """Which transfer it is, and which event staged it, if that was told."""
        event_id = self._staged.get(receipt.claim_id)
        staged = "" if event_id is None else f", staged in {visible(event_id)},"
        return f"the transfer to {visible(receipt.to_owner)}{staged}"


def sentence(record: RecordedEvent, stagings: Stagings) -> str:
    """What happened, in English.

    Args:
        record: an event that changed who owns or holds a session, or when it begins or ends.
        stagings: the events told before.
    """
    event, undone = record.event, record.metadata.compensates
    told = _SENTENCES.get(type(event))
    said = record.type if told is None else told(event, stagings)
    return f"{visible(undone[0])} was undone: {said}" if undone else said


def _given(capability: OwnershipCapability) -> str:
    return f"generation {capability.generation}, {visible(capability.scope)}"


def _opened(event: session.SessionOpened) -> str:
    roles = f" with {', '.join(map(visible, event.roles))}" if event.roles else ""
    return f"it was opened{roles}" if event.incarnation == 1 else f"incarnation {event.incarnation} was opened{roles}"


def _restored(event: session.OwnershipRestored, stagings: Stagings) -> str:
    held = event.capability
    owned = "nobody owns it" if held is None else f"{visible(held.owner)} owns it: {_given(held)}"
    staged = event.staged
    return owned if staged is None else f"{owned}; the transfer to {visible(staged.to_owner)} is staged again"


def _ended(event: session.SessionEnded) -> str:
    reason = f" ({visible(event.reason.reason)})" if event.reason.reason else ""
    return f"its host ended it as {event.status}{reason}"


def _delegated(event: session.SessionDelegated | session.SessionHandedOver) -> str:
    receipt = event.receipt
    through = f" through {visible(receipt.bundle_id)}" if receipt.bundle_id is not None else ""
    return f"{visible(receipt.from_authority)} delegated it to {visible(receipt.to_authority)}{through}"


def _holds_again(event: session.DelegationReverted | session.HandOverReverted) -> str:
    return f"{visible(event.receipt.from_authority)} holds it again"


_SENTENCES: Final[Mapping[type[Event[Any]], Callable[[Any, Stagings], str]]] = {
    session.SessionOpened: lambda event, _: _opened(event),
    session.OpeningWithdrawn: lambda event, _: f"it is {event.status} again, without incarnation {event.incarnation}",
    session.SessionArchived: lambda event, _: f"incarnation {event.incarnation} was put away",
    session.TermsChanged: lambda event, _: "its terms were changed",
    session.OwnershipClaimed: lambda event, _: (
        f"{visible(event.capability.owner)} claimed it: {_given(event.capability)}"
    ),
    session.OwnershipReleased: lambda event, _: f"{visible(event.capability.owner)} released it",
    session.OwnershipTransferred: lambda event, _: (
        f"{visible(event.previous.owner)} transferred it to {visible(event.capability.owner)}: "
        f"{_given(event.capability)}"
    ),
    session.ScopeAttenuated: lambda event, _: (
        f"{visible(event.capability.owner)} narrowed its own scope: {_given(event.capability)}"
    ),
    session.OwnershipRestored: _restored,
    session.TransferBegun: lambda event, _: (
        f"{visible(event.receipt.from_owner)} staged a transfer to {visible(event.receipt.to_owner)}"
    ),
    session.TransferCommitted: lambda event, stagings: (
        f"{stagings.where(event.receipt)} was committed: {_given(event.capability)}"
    ),
    session.TransferRolledBack: lambda event, stagings: f"{stagings.where(event.receipt)} was rolled back",
    session.OwnerDied: lambda event, _: f"its owner {visible(event.capability.owner)} died, and it faulted",
    session.TransferAbandoned: lambda event, stagings: (
        f"{stagings.where(event.receipt)} was abandoned, and it was cancelled"
    ),
    session.TransferCommitFailed: lambda event, stagings: (
        f"{stagings.where(event.receipt)} could not be committed ({visible(event.reason.reason)}), and it faulted"
    ),
    session.SessionClosed: lambda event, _: f"{visible(event.capability.owner)} closed it",
    session.SessionEnded: lambda event, _: _ended(event),
    session.SessionHosted: lambda event, _: f"{visible(event.authority)} hosts it",
    session.HostingWithdrawn: lambda event, _: f"{visible(event.authority)} does not host it any more",
    session.SessionDelegated: lambda event, _: _delegated(event),
    session.DelegationReverted: lambda event, _: _holds_again(event),
    session.SessionHandedOver: lambda event, _: (
        f"{visible(event.previous.owner)} handed it over to {visible(event.capability.owner)}: "
        f"{_given(event.capability)}; {_delegated(event)}"
    ),
    session.HandOverReverted: lambda event, _: (
        f"{visible(event.capability.owner)} owns it again: {_given(event.capability)}; {_holds_again(event)}"
    ),
}
