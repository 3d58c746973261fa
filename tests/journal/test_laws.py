"""The laws, for any sequence of commands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import (
    Artifact,
    CommandRefused,
    OwnershipCapability,
    Policy,
    RecordedEvent,
    ScopeViolation,
    SessionTerminal,
    TimeoutWitness,
    session,
)
from muniment.domain.session import MAX_RECORDED_REFUSALS, SessionState
from muniment.domain.states import new_state
from muniment.journal import Journal
from muniment.journal.sqlite.datastore import SQLiteDatastore
from muniment.journal.sqlite.tables import SQLiteTemporalStore
from muniment.projections import Projector, Row, TemporalStore, all_projections

from ..command_sequences import COMMANDS, SESSIONS, Command, Giver
from ..drawing import drawn
from ..undo_sequences import UNDO_COMMANDS, UndoGiver
from .standing import parts

POLICIES = st.sampled_from([Policy(), Policy.reference()])

ENDINGS = (
    session.OwnershipReleased,
    session.OwnershipTransferred,
    session.ScopeAttenuated,
    session.TransferCommitted,
    session.OwnerDied,
    session.TransferAbandoned,
    session.TransferCommitFailed,
    session.SessionClosed,
)
FINISHES = (session.OwnerDied, session.TransferAbandoned, session.TransferCommitFailed, session.SessionClosed)


def given_generation(event: Any) -> int | None:
    """The generation that an event gives out, if it gives one out."""
    makers = (
        session.OwnershipClaimed,
        session.OwnershipTransferred,
        session.ScopeAttenuated,
        session.TransferCommitted,
    )
    return event.capability.generation if isinstance(event, makers) else None


def by_session(records: Iterable[RecordedEvent]) -> dict[str, list[RecordedEvent]]:
    streams = defaultdict(list)
    for record in records:
        streams[record.stream].append(record)
    return streams


@given(COMMANDS, POLICIES)
def test_law_1_a_generation_is_never_reused(commands: list[Command], policy: Policy) -> None:
    with Journal.open("memory://", policy=policy) as journal:
        Giver(journal).give_all(commands)
        for records in by_session(journal.read()).values():
            generations = [generation for each in records if (generation := given_generation(each.event)) is not None]
            assert generations == list(range(1, len(generations) + 1))


@given(COMMANDS, POLICIES)
def test_law_2_only_the_live_capability_is_live(commands: list[Command], policy: Policy) -> None:
    with Journal.open("memory://", policy=policy) as journal:
        giver = Giver(journal)
        seen: set[OwnershipCapability] = set()
        for outcome in giver.give_all(commands):
            seen.update(each for each in (*outcome.presented, outcome.result) if isinstance(each, OwnershipCapability))
        live = {row_id: (row.owner, row.generation, row.scope) for row_id, row in journal.owners.items()}
        for capability in seen:
            is_live = live.get(capability.session_id) == (capability.owner, capability.generation, capability.scope)
            if is_live:
                journal.sessions.check(capability)
            else:
                with pytest.raises(CommandRefused):
                    journal.sessions.check(capability)


@given(COMMANDS)
def test_law_3_scope_only_narrows_within_a_tenure(commands: list[Command]) -> None:
    with Journal.open("memory://") as journal:
        outcomes = Giver(journal).give_all(commands)
        for record in journal.read():
            event = record.event
            if isinstance(event, session.OwnershipTransferred | session.ScopeAttenuated | session.TransferCommitted):
                assert event.previous.scope.includes(event.capability.scope)
        for outcome in outcomes:
            if isinstance(outcome.error, ScopeViolation):
                assert not outcome.error.actual.includes(outcome.error.required)


@given(COMMANDS, POLICIES)
def test_law_4_a_witness_is_spent_once_and_ends_with_its_ownership(commands: list[Command], policy: Policy) -> None:
    with Journal.open("memory://", policy=policy) as journal:
        Giver(journal).give_all(commands)
        for records in by_session(journal.read()).values():
            outstanding: dict[int, Any] = {}
            for record in records:
                event = record.event
                if isinstance(event, session.ReadinessWitnessIssued):
                    outstanding[event.witness.witness_id] = event.witness
                elif isinstance(event, session.ReadinessWitnessConsumed):
                    assert outstanding.pop(event.witness.witness_id) == event.witness
                elif isinstance(event, ENDINGS):
                    assert event.voided == tuple(outstanding.values())
                    outstanding.clear()


def session_of(artifact: Artifact) -> str:
    assert not isinstance(artifact, TimeoutWitness)
    return artifact.session_id


@given(COMMANDS, POLICIES)
def test_law_5_a_finished_session_stays_finished(commands: list[Command], policy: Policy) -> None:
    with Journal.open("memory://", policy=policy) as journal:
        giver = Giver(journal)
        for command in commands:
            statuses = {name: row.status for name, row in journal.owners.items()}
            outcome = giver.give(command)
            shown = outcome.presented[0] if outcome.presented else None
            session_id = SESSIONS[command.session] if shown is None else session_of(shown)
            if command.op != "open" and statuses.get(session_id, "active") != "active":
                assert isinstance(outcome.error, SessionTerminal)
        for records in by_session(journal.read()).values():
            finished = True
            incarnation = 0
            for record in records:
                if isinstance(record.event, session.SessionArchived):
                    assert finished
                    continue
                assert isinstance(record.event, session.SessionOpened) is finished
                if isinstance(record.event, session.SessionOpened):
                    incarnation += 1
                    assert record.event.incarnation == incarnation
                finished = isinstance(record.event, FINISHES)


@given(COMMANDS, POLICIES, st.integers(1, 3))
def test_law_6_refusals_are_recorded_within_bounds(commands: list[Command], policy: Policy, times: int) -> None:
    with Journal.open("memory://", policy=policy) as journal:
        Giver(journal).give_all([command for command in commands for _ in range(times)])
        for records in by_session(journal.read()).values():
            since_accepted: set[Any] = set()
            refusals = 0
            for record in records:
                event = record.event
                if isinstance(event, session.Rejection):
                    fact = (event.presented, event.reason)
                    assert fact not in since_accepted
                    since_accepted.add(fact)
                    refusals += 1
                else:
                    since_accepted.clear()
                    refusals = 0 if isinstance(event, session.SessionOpened) else refusals
                assert refusals <= MAX_RECORDED_REFUSALS


def test_law_6_knocking_does_not_fill_the_journal(journal: Journal) -> None:
    journal.sessions.open("s-1")
    held = journal.sessions.claim("s-1", "alice")
    for generation in range(2, MAX_RECORDED_REFUSALS + 100):
        with pytest.raises(CommandRefused):
            journal.sessions.check(OwnershipCapability("s-1", "mallory", generation, held.scope))
    assert journal.head() == 2 + MAX_RECORDED_REFUSALS
    assert journal.record(journal.head()).event.last is True  # type: ignore[attr-defined]
    journal.sessions.release(held)


@given(UNDO_COMMANDS)
def test_law_7_every_session_is_coherent_at_every_event(commands: list[Command]) -> None:
    with Journal.open("memory://") as journal:
        giver = UndoGiver(journal)
        for command in commands:
            giver.give_any(command)
        assert journal.verify().findings == ()
        for position in range(journal.head() + 1):
            assert journal.at(position=position).coherence() == ()
        for session_id in journal.owners:
            view = journal.sessions.state(session_id)
            assert journal.footprints.of_session(session_id) == view.footprint


@given(UNDO_COMMANDS)
def test_law_8_undo_appends_and_gives_back_what_was_there(commands: list[Command]) -> None:
    with Journal.open("memory://") as journal:
        giver = UndoGiver(journal)
        ended: set[Any] = set()
        stood: dict[tuple[str, int], Any] = {}
        for command in commands:
            live_before, highest, head = live_artifacts(journal), generations(journal), journal.head()
            accepted = giver.give_any(command)
            live_now = live_artifacts(journal)
            ended |= live_before - live_now
            # Nothing that had ended is live again, no generation falls, and what is refused undoes nothing.
            assert not ended & live_now
            assert all(generation >= highest.get(name, 0) for name, generation in generations(journal).items())
            if command.op in ("revert", "rollback"):
                assert accepted or journal.head() == head
            # Rolled back to a version, a stream stands as it stood there.
            if command.op == "rollback" and accepted:
                stream = giver.stream_to_roll_back(command)
                assert parts(journal.read_state(stream, standing_of)) == stood[stream, command.pick]
            for record in journal.read(head):
                stood.setdefault((record.stream, 0), parts(new_state(record.stream).standing()))
                stood[record.stream, record.version] = parts(standing_at(journal, record))
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}


def standing_at(journal: Journal, record: RecordedEvent) -> Any:
    """Where a stream stood after one of its events."""
    state = new_state(record.stream)
    for each in journal.read_stream(record.stream, through=record.position):
        state.apply(each.event)
    return state.standing()


def standing_of(state: Any) -> Any:
    return state.standing()


def live_artifacts(journal: Journal) -> set[Any]:
    """Every capability and receipt that is live."""
    views = [journal.sessions.state(session_id) for session_id in journal.owners]
    return {each for view in views for each in (view.capability, view.pending_receipt) if each is not None}


def generations(journal: Journal) -> dict[str, int]:
    """The highest generation of every session that is open."""
    return {session_id: journal.sessions.state(session_id).generation for session_id in journal.owners}


def dump(store: TemporalStore) -> dict[str, list[Row]]:
    """Every row of every table, with its history."""
    rows = {}
    for table in store.tables:
        keys = ", ".join([*table.key, "since"])
        rows[table.name] = store.fetch(f"SELECT {table.selected}, until FROM {table.physical_name} ORDER BY {keys}")
    return rows


def project(journal: Journal, batch_size: int) -> dict[str, list[Row]]:
    """Fold a journal into fresh tables, in batches of a size."""
    datastore = SQLiteDatastore(":memory:")
    store = SQLiteTemporalStore(datastore)
    projections = all_projections()
    projector = Projector(store, projections, journal, batch_size=batch_size)
    projector.catch_up("owners")
    try:
        return dump(store)
    finally:
        datastore.close()


@given(COMMANDS, POLICIES, st.integers(1, 7))
def test_law_9_replay_gives_the_same_tables_in_any_batch_size(
    commands: list[Command], policy: Policy, batch_size: int
) -> None:
    times = iter([1_000, 1_005, 1_001, 1_009, 999] * len(commands) * 5)
    with Journal.open("memory://", policy=policy, clock=lambda: next(times)) as journal:
        giver = Giver(journal)
        for number, command in enumerate(commands):
            giver.give(command)
            if number % 5 == 0:
                len(journal.owners)
        stood = project(journal, 10_000)
        assert project(journal, batch_size) == stood
        len(journal.owners)
        assert dump(journal._store) == stood
        assert journal.replay().differences == {}
        assert dump(journal._store) == stood


def state_of(journal: Journal, session_id: str) -> dict[str, Any]:
    def copy(state: SessionState) -> dict[str, Any]:
        return {name: getattr(state, name) for name in SessionState.__slots__}

    return journal.read_state(f"session-{session_id}", copy)


@settings(max_examples=drawn(40))
@given(COMMANDS, POLICIES)
def test_law_9_reopening_the_file_gives_the_same_states(commands: list[Command], policy: Policy) -> None:
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/journal.db"
        with Journal.open(url, policy=policy, synchronous="NORMAL") as journal:
            Giver(journal).give_all(commands)
            states = {session_id: state_of(journal, session_id) for session_id in SESSIONS}
            len(journal.owners)
            tables = dump(journal._store)
        with Journal.open(url, policy=policy) as reopened:
            assert {session_id: state_of(reopened, session_id) for session_id in SESSIONS} == states
            len(reopened.owners)
            assert dump(reopened._store) == tables
            assert reopened.replay().differences == {}
            assert dump(reopened._store) == tables


@given(COMMANDS, POLICIES)
def test_the_tables_as_of_any_position_are_those_of_the_prefix(commands: list[Command], policy: Policy) -> None:
    with Journal.open("memory://", policy=policy) as journal:
        giver = Giver(journal)
        owners, audits, witnesses = [{}], [[]], [{}]  # type: ignore[var-annotated]
        for command in commands:
            giver.give(command)
            while len(owners) <= journal.head():
                # What archives the incarnation before a new opening changes none of these.
                is_last = len(owners) == journal.head()
                owners.append(dict(journal.owners.items()) if is_last else owners[-1])
                audits.append(journal.audit.records() if is_last else audits[-1])
                witnesses.append(dict(journal.witnesses.items()) if is_last else witnesses[-1])
        for position in range(journal.head() + 1):
            then = journal.at(position=position)
            assert dict(then.owners.items()) == owners[position]
            assert {name: then.owners[name] for name in then.owners} == owners[position]
            assert len(then.owners) == len(owners[position])
            assert then.audit.records() == audits[position]
            assert dict(then.witnesses.items()) == witnesses[position]
