"""Why a session is owned and held as it is: the events that make it so, as text, as JSON and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ...domain import CATALOGUE, OwnershipCapability, SessionNotFound, session_stream
from ...domain.artifacts import FootprintClass
from ...domain.scope import scope_to_json
from ...domain.session import SessionStatus
from ...domain.session.provenance import PROVENANCE_TYPES, Chain, chain_of
from ...domain.shown import utc, visible
from ..storage.application import JournalApplication
from .sentences import Stagings, sentence

_STORED: Final = tuple(name for each in PROVENANCE_TYPES for name in CATALOGUE.stored_names(each))

_MAX_LABEL: Final = 120
"""How many characters of a sentence a node of the picture shows."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the events that make the owner and the holder of a session what they are.

    Attributes:
        id: the event's id.
        position: its position.
        type: its type.
        time: when it was recorded, in ms.
        actor: on whose behalf, or None.
        sentence: what happened, in English.
        depends_on: the ids of the events of the chain that its decision depended on.
        undone_by: the id of the event that undid it; None if its effect was not undone, or was restored.
    """

    id: str
    position: int
    type: str
    time: int
    actor: str | None
    sentence: str
    depends_on: tuple[str, ...] = ()
    undone_by: str | None = None

    def __str__(self) -> str:
        by = f"  {visible(self.actor)}" if self.actor else ""
        undone = f" [undone by {visible(self.undone_by)}]" if self.undone_by else ""
        return f"{visible(self.id)}  {utc(self.time)}{by}\n    {self.sentence}{undone}"

    def to_json(self) -> dict[str, Any]:
        """The event as what JSON knows."""
        return {
            "id": self.id,
            "position": self.position,
            "type": self.type,
            "time": self.time,
            "actor": self.actor,
            "sentence": self.sentence,
            "depends_on": list(self.depends_on),
            "undone_by": self.undone_by,
        }


@dataclass(frozen=True, slots=True)
class Provenance:
    """The events that make the owner and the holder of a session what they are, oldest first.

    Decided again one after another, these events lead to the same owner and holder, and none of them can be left out.
    Where nobody owns the session, they are those of its last ownership in the present incarnation, and what ended it;
    and likewise where no authority holds it. An incarnation that nobody ever owned or held is told by its opening, with
    what that undoes.

    Attributes:
        session_id: the session.
        position: the position as of which it is told.
        status: where the session stands in its life; one that is draining is told as active.
        capability: what its owner holds; None if nobody owns it.
        last_owner: the label of this incarnation's last owner; None if nobody ever owned it.
        holder: the authority that holds it; None if none does.
        holds: whether the holder holds it natively or by delegation; None if none does.
        chain: the events.
        last: the ids of the events that owner and holder follow from at once.
    """

    session_id: str
    position: int
    status: SessionStatus
    capability: OwnershipCapability | None
    last_owner: str | None
    holder: str | None
    holds: FootprintClass | None
    chain: tuple[Reason, ...]
    last: tuple[str, ...]

    @property
    def headline(self) -> str:
        """Who owns and who holds the session, in a sentence."""
        held = self.capability
        if held is not None:
            owned = f"{visible(held.owner)} owns it: generation {held.generation}, {visible(held.scope)}"
        elif self.last_owner is not None:
            owned = f"nobody owns it; its last owner was {visible(self.last_owner)}"
        else:
            owned = "nobody owns it, and nobody did"
        if self.holder is None:
            return f"{owned}; no authority holds it"
        how = "natively" if self.holds is FootprintClass.NATIVE else "by delegation"
        return f"{owned}; {visible(self.holder)} holds it {how}"

    def __str__(self) -> str:
        title = f"session {visible(self.session_id)} as of position {self.position}: {self.headline}"
        return "\n".join([title, *map(str, self.chain)])

    def to_json(self) -> dict[str, Any]:
        """The answer as what JSON knows."""
        held = self.capability
        return {
            "session_id": self.session_id,
            "position": self.position,
            "status": str(self.status),
            "owner": None if held is None else held.owner,
            "generation": None if held is None else held.generation,
            "scope": None if held is None else scope_to_json(held.scope),
            "last_owner": self.last_owner,
            "holder": self.holder,
            "holds": None if self.holds is None else str(self.holds),
            "chain": [reason.to_json() for reason in self.chain],
            "last": list(self.last),
        }

    def to_mermaid(self) -> str:
        """The answer as a graph for Mermaid: events with what they depend on, dashed where they were undone.

        Mermaid itself draws at most 500 arrows, unless its ``maxEdges`` is raised.
        """
        return "\n".join(self._mermaid())

    def _mermaid(self) -> Iterator[str]:
        nodes = {reason.id: f"e{number}" for number, reason in enumerate(self.chain, 1)}
        undoes = {reason.undone_by: reason.id for reason in self.chain}
        yield "flowchart TD"
        for reason in self.chain:
            by = f" by {reason.actor}" if reason.actor else ""
            lines = (reason.id, f"{utc(reason.time)}{by}", reason.sentence)
            undone = ":::undone" if reason.undone_by else ""
            yield f'    {nodes[reason.id]}["{"<br/>".join(map(_label, lines))}"]{undone}'
        yield f'    now(["{_label(f"session {self.session_id}")}<br/>{_label(self.headline)}"])'
        for reason in self.chain:
            for cause in reason.depends_on:
                if undoes.get(reason.id) != cause:
                    yield f"    {nodes[cause]} --> {nodes[reason.id]}"
            if reason.undone_by in nodes:
                yield f"    {nodes[reason.id]} -. undone .-> {nodes[reason.undone_by]}"
        for event_id in self.last:
            yield f"    {nodes[event_id]} --> now"
        yield "    classDef undone stroke-dasharray: 5 5"


def why(application: JournalApplication, session_id: str, position: int) -> Provenance:
    """Find the events that make the owner and the holder of a session what they are.

    Only the session's own events are read.

    Args:
        application: where the events are.
        session_id: the session.
        position: as of which position.

    Raises:
        SessionNotFound: it was never opened, or its only opening was undone.
        UnknownEventType, DamagedRecord: an event of the session cannot be decoded.
    """
    records = application.records(session_stream(session_id), through=position, topics=_STORED)
    found = chain_of(session_id, records)
    state = found.state
    if state.status is SessionStatus.UNOPENED:
        raise SessionNotFound(session_id)
    holder = state.holder
    return Provenance(
        session_id=session_id,
        position=position,
        status=state.status,
        capability=state.live,
        last_owner=state.last_owner,
        holder=holder,
        holds=None if holder is None else state.footprint[holder],
        chain=tuple(_reasons(found)),
        last=tuple(f"{session_stream(session_id)}@{version}" for version in found.last),
    )


def _reasons(found: Chain) -> Iterator[Reason]:
    stagings = Stagings()
    ids = {record.version: record.id for record in found.records}
    for record in found.records:
        stagings.take(record)
        about = record.metadata
        yield Reason(
            id=record.id,
            position=record.position,
            type=record.type,
            time=about.recorded_at,
            actor=about.actor,
            sentence=sentence(record, stagings),
            depends_on=tuple(ids[version] for version in found.depends_on[record.version]),
            undone_by=found.undone_by.get(record.version),
        )


def _label(text: str) -> str:
    """A text as the label of a node takes it: short, and with all that Mermaid may read as its own written as codes."""
    text = visible(text)
    if len(text) > _MAX_LABEL:
        half = _MAX_LABEL // 2 - 1
        text = f"{text[:half]}...{text[-half:]}"
    return "".join(each if each.isalnum() or each in " .,:@-" else f"#{ord(each)};" for each in text)
