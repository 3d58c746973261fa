"""The laws that can be checked over the whole past, event by event, without deciding anything again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from . import session
from .artifacts import FootprintClass
from .bundle import UpgradeStaged
from .compensation import ONLY_UNDOING, UNDONE_BY, why_it_stays
from .conversation import (
    AutoVoteCancelled,
    AutoVoteScheduled,
    ConsensusTimeoutCancelled,
    ConsensusTimeoutScheduled,
    ConversationEvent,
)
from .conversation.laws import ConversationLaws
from .effects import Effects, WitnessStatus
from .event import Event
from .inbox import EnvelopePut, EnvelopesLost, EnvelopeTaken
from .record import RecordedEvent, split_event_id
from .saga import SagaCompensated, SagaCompleted, SagaResolved
from .session.coherence import coherence_violations
from .stream_names import split_stream


class Laws:
    """What has to be remembered of every stream to tell whether its next event breaks a law."""

    def __init__(self) -> None:
        self._generations: dict[str, int] = {}
        self._outstanding: dict[str, set[int]] = {}
        self._witnesses: dict[str, int] = {}
        self._footprints: dict[str, dict[str, FootprintClass]] = {}
        self._footprints_before: dict[str, dict[str, FootprintClass]] = {}
        # Of events that were undone: they, what undid them, what undid that, and so on, oldest first.
        self._chains: dict[str, list[str]] = {}
        self._types: dict[str, list[type[Event[Any]]]] = {}
        self._sagas: dict[str, list[tuple[str, bool]]] = {}
        self._conversations: dict[str, ConversationLaws] = {}
        # The session that must end with the next event, as its inbox lost what was unread; and the event that says so.
        self._ends: tuple[str, str] | None = None

    def broken_by(self, record: RecordedEvent) -> Iterator[str]:
        """Say which laws an event breaks; every event is shown once, in order."""
        yield from self._undo(record)
        yield from self._saga(record)
        yield from self._end(record)
        if isinstance(record.event, ConversationEvent):
            if record.stream not in self._conversations:
                self._conversations[record.stream] = ConversationLaws(record.event.conversation_id)
            yield from self._conversations[record.stream].broken_by(record)
        effects = record.event.effects
        if effects is not None and split_stream(record.stream)[0] == "session":
            yield from self._generation(record, effects)
            yield from self._witness(record, effects)
            yield from self._coherence(record, effects)

    def at_the_end(self) -> Iterator[str]:
        """Say what is broken by nothing more coming."""
        if self._ends is not None:
            yield _lost(self._ends[1])

    def _end(self, record: RecordedEvent) -> Iterator[str]:
        """What an inbox loses, it loses with the end of its session."""
        if self._ends is not None:
            (session_id, event_id), effects = self._ends, record.event.effects
            ended = effects is not None and effects.session_id == session_id and _is_end(effects)
            if not ended:
                yield _lost(event_id)
            self._ends = None
        if isinstance(record.event, EnvelopesLost):
            self._ends = record.event.session_id, record.id

    def _generation(self, record: RecordedEvent, effects: Effects) -> Iterator[str]:
        given, last = effects.generation, self._generations.get(record.stream, 0)
        if given:
            if given <= last:
                yield f"law 1: generation {given} is given after {last}"
            self._generations[record.stream] = max(last, given)

    def _witness(self, record: RecordedEvent, effects: Effects) -> Iterator[str]:
        outstanding = self._outstanding.setdefault(record.stream, set())
        voided = set()
        for witness, became in effects.witnesses:
            number = witness.witness_id
            if became is WitnessStatus.OUTSTANDING:
                if number <= self._witnesses.get(record.stream, 0):
                    yield f"law 4: witness {number} is issued again"
                self._witnesses[record.stream] = number
                outstanding.add(number)
            elif became is WitnessStatus.VOID and effects.ends_ownership:
                voided.add(number)
            elif became is not WitnessStatus.CANCELLATION:
                if number not in outstanding:
                    yield f"law 4: witness {number} is consumed or withdrawn, and is not outstanding"
                outstanding.discard(number)
        if effects.ends_ownership:
            if voided != outstanding:
                yield f"law 4: witnesses {sorted(outstanding)} end here, and the event voids {sorted(voided)}"
            outstanding.clear()

    def _coherence(self, record: RecordedEvent, effects: Effects) -> Iterator[str]:
        if not effects.footprint:
            return
        footprint = self._footprints.setdefault(record.stream, {})
        self._footprints_before[record.id] = dict(footprint)
        for authority, held in effects.footprint:
            if held is None:
                footprint.pop(authority, None)
            else:
                footprint[authority] = held
        for event_id in record.metadata.compensates or ():
            if self._footprints_before.get(event_id, footprint) != footprint:
                yield f"law 8: {record.id} does not restore the footprint from before {event_id}"
        session_id = effects.session_id
        for violation in coherence_violations({session_id: list(footprint.items())}):
            yield f"law 7: {violation.kind} of {session_id!r}: {', '.join(violation.authorities)}"

    def _undo(self, record: RecordedEvent) -> Iterator[str]:
        types = self._types.setdefault(record.stream, [])
        types.append(type(record.event))
        undone = record.metadata.compensates or ()
        if len(undone) > 1 or (not undone and isinstance(record.event, ONLY_UNDOING)):
            yield f"law 8: {record.id} undoes {len(undone)} events, and must undo one"
        for event_id in undone:
            stream, version = split_event_id(event_id) or ("", 0)
            chain = self._chains.get(event_id, [event_id])
            if stream != record.stream or not 0 < version < record.version:
                yield f"law 8: {record.id} claims to undo {event_id}, which is no earlier event of its stream"
            # Versions that are missing are found elsewhere.
            elif version < len(types) and not isinstance(record.event, UNDONE_BY.get(types[version - 1], ())):
                name = types[version - 1].type
                yield f"law 8: {record.id} claims to undo {event_id}, and {record.type} does not undo {name}"
            elif chain[-1] != event_id:
                yield f"law 8: {record.id} undoes {event_id}, which {chain[-1]} did already"
            chain.append(record.id)
            self._chains[event_id] = self._chains[record.id] = chain

    def _saga(self, record: RecordedEvent) -> Iterator[str]:
        """What was appended in a compensated saga is undone."""
        event, saga_id = record.event, record.metadata.saga
        if isinstance(event, SagaCompensated):
            seen: set[str] = set()
            for event_id, may_end in self._sagas.pop(event.saga_id, ()):
                chain = self._chains.get(event_id, [event_id])
                # What undid an event in the saga itself needs no undoing.
                is_first = chain[0] not in seen
                seen.add(chain[0])
                if is_first and not may_end and (len(chain) - chain.index(event_id)) % 2 == 1:
                    yield f"law 8: saga {event.saga_id} is compensated, and {event_id} is not undone"
        elif isinstance(event, SagaCompleted | SagaResolved):
            self._sagas.pop(event.saga_id, None)
        elif saga_id is not None and not why_it_stays(event):
            self._sagas.setdefault(saga_id, []).append((record.id, isinstance(event, _MAY_END)))


def _is_end(effects: Effects) -> bool:
    return effects.status is not None and effects.status.is_finished


def _lost(event_id: str) -> str:
    return f"law 7: {event_id} says that envelopes are lost, and the session does not end behind it"


_MAY_END: Final = (
    EnvelopePut,
    EnvelopeTaken,
    session.ReadinessWitnessIssued,
    session.TransferBegun,
    UpgradeStaged,
    AutoVoteScheduled,
    AutoVoteCancelled,
    ConsensusTimeoutScheduled,
    ConsensusTimeoutCancelled,
)
"""What may have ended by itself, so that nothing undoes it."""
