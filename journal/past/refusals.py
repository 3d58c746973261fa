"""Why something was refused: what was presented, what held instead, and since when the presented did not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ...domain import (
    CATALOGUE,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    RecordedEvent,
    Refused,
    bundle,
    bundle_stream,
    session,
)
from ...domain.bundle import BundleState, link
from ...domain.session.delegation import NOT_HOLDER
from ...domain.session.loss import LOSS_TYPES, Loss, loss_of
from ...domain.shown import lasted, visible
from ...domain.states import new_state
from ...domain.stream_names import split_stream
from ...domain.value import to_json
from ..storage.application import JournalApplication
from .naming import EventName

_STORED: Final = tuple(name for each in LOSS_TYPES for name in CATALOGUE.stored_names(each))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was refused.

    Attributes:
        reason: the reason on record.
        presented: what was presented, as it is on record: an artifact, or the names of the parties.
        told: the same in English.
        instead: what held instead at that moment, in English.
        since: since when what was presented did not hold any more, in English, or that it never did.
        did_hold: whether what was presented held before.
        lost_by: the event since which it did not hold any more; None if it never held, or if it held still.
        lost_for_ms: how long before the refusal that was, in ms; None where ``lost_by`` is.
        advice: what the presenter could have done, for a program in Python.
    """

    reason: str
    presented: Any
    told: str
    instead: str
    since: str
    did_hold: bool
    lost_by: EventName | None
    lost_for_ms: int | None
    advice: str

    def __str__(self) -> str:
        return "\n".join(
            [
                f"refused: {visible(self.reason)}",
                f"presented: {self.told}; {self.since}",
                f"instead: {self.instead}",
                f"could have: {self.advice}",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """The refusal as what JSON knows."""
        return {
            "reason": self.reason,
            "presented": orjson.loads(to_json(self.presented)),
            "told": self.told,
            "instead": self.instead,
            "since": self.since,
            "did_hold": self.did_hold,
            "lost_by": None if self.lost_by is None else self.lost_by.to_json(),
            "lost_for_ms": self.lost_for_ms,
            "advice": self.advice,
        }


def refusal_of(application: JournalApplication, record: RecordedEvent) -> Refusal | None:
    """Why a record refuses something; None if it refuses nothing.

    What is read is the stream of the session, or of the two bundles, up to there.

    Raises:
        UnknownEventType, DamagedRecord: an event of the stream cannot be decoded.
    """
    event = record.event
    if isinstance(event, bundle.BundleLinkRejected):
        return _not_linked(application, record, event)
    if not isinstance(event, session.Rejection):
        return None
    _, session_id = split_stream(record.stream)
    records = application.records(record.stream, lte=record.version - 1, topics=_STORED)
    loss = loss_of(event, session_id, records)
    lost = loss.lost
    instead = "" if loss.instead is None else f", since {visible(loss.instead.id)}"
    lost_for_ms = None if lost is None else record.metadata.recorded_at - lost.metadata.recorded_at
    return Refusal(
        reason=event.reason,
        presented=event.presented,
        told=_told(event),
        instead=f"{_instead(event, loss)}{instead}",
        since=_since(event, loss, lost_for_ms),
        did_hold=loss.given is not None,
        lost_by=None if lost is None else EventName.of(lost),
        lost_for_ms=lost_for_ms,
        advice=_ADVICE[type(event)](event, loss),
    )


def _told(event: session.Rejection) -> str:
    presented: Any = event.presented
    told = _artifact(presented) if not isinstance(presented, tuple) else _delegation(*presented)
    if getattr(event, "omitted", None) is not None:
        told += ", recorded in brief"
    return told


def _since(event: session.Rejection, loss: Loss, lost_for_ms: int | None) -> str:
    if loss.lost is not None:
        return f"lost {lasted(lost_for_ms or 0)} before, by {EventName.of(loss.lost)}"
    if loss.given is not None:
        return f"held since {EventName.of(loss.given)}, and was not enough"
    if isinstance(event, session.DelegationRejected):
        return f"{visible(event.from_authority)} never held the session"
    if loss.real is not None:
        return f"never given out: altered or forged; under its number the session gave {_artifact(loss.real)}"
    return "never given out: forged, or of another journal"


def _artifact(value: Any) -> str:
    match value:
        case OwnershipCapability():
            return f"the capability of {visible(value.owner)}, generation {value.generation}, {visible(value.scope)}"
        case OwnershipReceipt():
            parties = f"from {visible(value.from_owner)} to {visible(value.to_owner)}"
            return f"the receipt of transfer {value.claim_id} {parties}, {visible(value.scope)}"
        case ReadinessWitness():
            of = f"of {visible(value.owner)}, generation {value.generation}"
            return f"readiness witness {value.witness_id} {of}"
    return visible(value)


def _delegation(from_authority: str, to_authority: str, bundle_id: str | None) -> str:
    through = "" if bundle_id is None else f" through {visible(bundle_id)}"
    return f"a delegation by {visible(from_authority)} to {visible(to_authority)}{through}"


def _instead(event: session.Rejection, loss: Loss) -> str:
    state = loss.state
    match event:
        case session.DelegationRejected():
            return "no authority held it" if state.holder is None else f"{visible(state.holder)} held it"
        case session.ReceiptRejected():
            return "no transfer was staged" if state.pending is None else f"{_artifact(state.pending)} was staged"
        case session.WitnessRejected():
            numbers = ", ".join(map(str, sorted(state.outstanding)))
            return f"outstanding were the witnesses {numbers}" if numbers else "no witness was outstanding"
    live = state.live
    if live is None:
        return "nobody owned the session"
    return f"{visible(live.owner)} owned it: generation {live.generation}, {visible(live.scope)}"


def _of_capability(event: session.CapabilityRejected, loss: Loss) -> str:
    live, sessions = loss.state.live, "journal.sessions"
    name = loss.state.session_id
    if live is None:
        return f"claim the session first: {sessions}.claim({name!r}, {event.capability.owner!r})"
    if loss.given is None:
        return f"present what a command answered; the live one is {sessions}.state({name!r}).capability"
    if live.owner == event.capability.owner:
        return f"present what it holds since then: {sessions}.state({name!r}).capability"
    given = f"{sessions}.transfer(capability, {event.capability.owner!r})"
    return f"stop, discard what was begun under it, and have {live.owner!r} transfer the session: {given}"


def _of_receipt(event: session.ReceiptRejected, loss: Loss) -> str:
    name, live = loss.state.session_id, loss.state.live
    if loss.state.pending is not None:
        return f"present the receipt that is staged: journal.sessions.state({name!r}).pending_receipt"
    to_owner = event.receipt.to_owner
    if live is None:
        return f"claim the session: journal.sessions.claim({name!r}, {to_owner!r})"
    return f"have {live.owner!r} stage it again: journal.sessions.begin_transfer(capability, {to_owner!r})"


def _of_witness(event: session.WitnessRejected, loss: Loss) -> str:
    return "check again, under the live capability: journal.sessions.issue_witness(capability, predicate)"


def _of_ingress(event: session.IngressRejected, loss: Loss) -> str:
    return "act inside a boundary that the scope covers; journal.sessions.check_boundary(capability, boundary) tells"


def _of_delegation(event: session.DelegationRejected, loss: Loss) -> str:
    name, holder = loss.state.session_id, loss.state.holder
    if event.reason != NOT_HOLDER or holder is None:
        return "delegate it without the upgrade, or with one that its bundle permits"
    if holder == event.to_authority:
        return f"nothing: {holder!r} held the session already"
    return f"have {holder!r} delegate it: journal.sessions.delegate({name!r}, {holder!r}, {event.to_authority!r})"


_ADVICE: Final[Mapping[type[Any], Callable[[Any, Loss], str]]] = {
    session.CapabilityRejected: _of_capability,
    session.ReceiptRejected: _of_receipt,
    session.WitnessRejected: _of_witness,
    session.IngressRejected: _of_ingress,
    session.DelegationRejected: _of_delegation,
}


def _not_linked(application: JournalApplication, record: RecordedEvent, event: bundle.BundleLinkRejected) -> Refusal:
    """Why two bundles could not be linked: decided again on what they were."""

    def known(bundle_id: str) -> BundleState:
        state: BundleState = new_state(bundle_stream(bundle_id))
        for each in application.records(bundle_stream(bundle_id), through=record.position - 1):
            state.apply(each.event)
        return state

    decision = link(known(event.linked), known(event.left), known(event.right))
    problem = str(decision.error) if isinstance(decision, Refused) else event.reason
    return Refusal(
        reason=event.reason,
        presented=(event.left, event.right, event.linked),
        told=f"{visible(event.left)} and {visible(event.right)}, to be linked as {visible(event.linked)}",
        instead=problem,
        since="as they were, they never could be",
        did_hold=False,
        lost_by=None,
        lost_for_ms=None,
        advice="register bundles that export what the other imports, and have no session in common",
    )
