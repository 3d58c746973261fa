"""The part of the demo in which two roles follow a protocol, and a step that it does not permit is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from muniment.domain import Envelope, OwnershipCapability, RecordedEvent, TypeViolation, inbox_stream
from muniment.domain.inbox import envelope_digest
from muniment.domain.protocol import Branch, Edge, End, Mu, Recv, Send, SessionPlan, Var, is_proven
from muniment.journal import Journal
from muniment.scripts.describe import what_happened
from muniment.scripts.output import record_to_plain, show, table

SESSION: Final = "bargain"

_ANSWERS: Final = {"no": Var("again"), "yes": End()}
_PLAN: Final = SessionPlan(
    ["buyer", "seller"],
    {
        "buyer": Mu("again", Send("seller", [Branch("offer", Recv("seller", _ANSWERS), "price")])),
        "seller": Mu("again", Recv("buyer", [Branch("offer", Send("buyer", _ANSWERS), "price")])),
    },
)
_THERE: Final = Edge(SESSION, "buyer", "seller")
_BACK: Final = Edge(SESSION, "seller", "buyer")


@dataclass(frozen=True)
class Bargain:
    """What became of the session.

    Attributes:
        records: the events of its inbox, in which its types advance.
        refused: what the buyer was told that answered itself.
        root: the root of the tree over the offers, in hexadecimal.
        is_proven: whether the first offer is proven by it.
    """

    records: list[RecordedEvent]
    refused: str
    root: str
    is_proven: bool

    def to_json(self) -> dict[str, Any]:
        """The same as JSON knows it."""
        return {
            "events": [record_to_plain(record) for record in self.records],
            "refused": self.refused,
            "root": self.root,
            "is_proven": self.is_proven,
        }

    def show(self) -> None:
        """Print it."""
        rows = [(each.position, each.type, what_happened(each)) for each in self.records]
        show(table(f"{SESSION}: a buyer and a seller follow a protocol", ["position", "type", "what"], rows))
        show(f"A step that it does not permit is refused, and appends nothing:\n  {self.refused}")
        proven = "is" if self.is_proven else "is not"
        show(f"The first offer {proven} proven by the root over the edge, {self.root[:16]}…\n")


def bargain(journal: Journal) -> Bargain:
    """Open a session with a plan, send offers and answers along its edges, and break the protocol once."""
    with journal.context(actor="demo"):
        journal.sessions.open(SESSION, plan=_PLAN)
        held = journal.sessions.claim(SESSION, "market")
        offers = [_message(_THERE, "offer", price, "price") for price in (10, 12)]
        _exchange(journal, held, offers[0])
        refused = ""
        try:
            journal.sessions.advance(held, "buyer", "send", "seller", "yes")
        except TypeViolation as error:
            refused = str(error)
        _exchange(journal, held, _message(_BACK, "no", None))
        _exchange(journal, held, offers[1])
        _exchange(journal, held, _message(_BACK, "yes", None))
        root, proof = journal.edges.root(_THERE), journal.edges.proof(_THERE, 1)
        proven = is_proven(envelope_digest(offers[0]), proof, root)
        journal.sessions.close(held)
    return Bargain(list(journal.read_stream(inbox_stream(SESSION))), refused, root.hex(), proven)


def _message(edge: Edge, label: str, payload: object, value_type: str | None = None) -> Envelope:
    return Envelope(edge.receiver, edge.sender, "market", payload, edge=edge, label=label, value_type=value_type)


def _exchange(journal: Journal, held: OwnershipCapability, envelope: Envelope) -> None:
    """Send an envelope, and receive it."""
    number = journal.inbox.put(SESSION, envelope, capability=held)
    journal.inbox.take(held)
    journal.inbox.acknowledge(held, number)
