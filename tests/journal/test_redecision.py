"""``verify`` decides the past again: what no command would have appended is found, also where it folds well."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from muniment.domain import (
    FULL_SESSION,
    CancellationWitness,
    CommandRefused,
    Event,
    Fragments,
    Metadata,
    OwnershipCapability,
    OwnershipReceipt,
    Policy,
    RecordedEvent,
    RuntimeUpgradeArtifact,
    TerminalReason,
    UpgradePhase,
    bundle,
    bundle_stream,
    conversation,
    conversation_stream,
    saga,
    saga_stream,
    session,
    session_stream,
)
from muniment.domain.consumer import NotificationsAcknowledged
from muniment.domain.conversation import (
    Cause,
    CreatorVote,
    LeaveReason,
    Phase,
    ProposalRequest,
    Role,
    ScoreReason,
    VoteSource,
)
from muniment.domain.conversation.phases import AnchorAction
from muniment.domain.idempotency import KeyUsed
from muniment.domain.record import UNRECORDED
from muniment.journal import Finding, Journal
from muniment.journal.storage.mapper import EventMapper

from ..domain.conversation_facts import own
from .conversation_stories import approved, member
from .stories import CHAT, live, upgrade_to

DATA = Path(__file__).parent.parent / "data"
TIME = 10_000_000


@pytest.fixture
def told() -> Iterator[Journal]:
    """A journal with a session that alice owns, a bundle, a saga that is at work, and a conversation."""
    with Journal.open("memory://", clock=lambda: 1_000) as journal:
        journal.sessions.open("s-1", roles=["worker"])
        journal.sessions.host("s-1", "A")
        journal.sessions.claim("s-1", "alice")
        journal.bundles.register(CHAT)
        journal.bundles.seed_members("chat", ["x", "y"])
        member(journal)
        yield journal


def forge(journal: Journal, stream: str, *events: Event[Any], **metadata: Any) -> None:
    """Append events that no command decided, as somebody might who can write the file."""
    version = max((each.version for each in journal.read() if each.stream == stream), default=0)
    about = Metadata(recorded_at=TIME, **metadata)
    records = [
        RecordedEvent(UNRECORDED, stream, number, event, about) for number, event in enumerate(events, version + 1)
    ]
    mapper = journal.application.mapper
    journal.application.recorder.insert_events([mapper.to_stored_event(record) for record in records])


def found(journal: Journal) -> list[Finding]:
    """What is found of laws and decisions; the tables go by the events."""
    report = journal.verify()
    assert report.notes == ()
    return [finding for finding in report.findings if finding.layer in ("law", "decision")]


def capability(owner: str, generation: int, session_id: str = "s-1") -> OwnershipCapability:
    return OwnershipCapability(session_id, owner, generation, FULL_SESSION)


RECEIPT = OwnershipReceipt("s-1", 1, "alice", 1, "mallory", 2, FULL_SESSION)
HANDED = session.TransferCommitted(RECEIPT, capability("alice", 1), capability("mallory", 2))


def upgrade(phase: UpgradePhase) -> RuntimeUpgradeArtifact:
    return RuntimeUpgradeArtifact("chat", upgrade_to("z"), phase, frozenset("xy"), frozenset("z"))


FORGED: dict[str, tuple[str, Event[Any]]] = {
    "a claim over a living owner": ("s-1", session.OwnershipClaimed(capability("mallory", 2))),
    "a claim of what was never opened": ("s-9", session.OwnershipClaimed(capability("mallory", 1, "s-9"))),
    "an opening of what is open": ("s-1", session.SessionOpened("s-1", 2, (), ("A",))),
    "a release by another": ("s-1", session.OwnershipReleased(capability("mallory", 1))),
    "a transfer by another": (
        "s-1",
        session.OwnershipTransferred(capability("mallory", 1), capability("mallory", 2)),
    ),
    "a commit of what was never staged": ("s-1", HANDED),
    "a roll-back of what was never staged": ("s-1", session.TransferRolledBack(RECEIPT)),
    "a receipt of a scope that is wider": (
        "s-1",
        session.TransferBegun(replace(RECEIPT, from_owner="mallory")),
    ),
    "the death of another": (
        "s-1",
        session.OwnerDied(
            capability("mallory", 1),
            CancellationWitness(1, "s-1", "mallory", 1, TerminalReason("owner_died", "mallory")),
        ),
    ),
    "a second host": ("s-1", session.SessionHosted("s-1", "B")),
    "a refusal of the live capability": (
        "s-1",
        session.CapabilityRejected(capability("alice", 1), "capability is not live"),
    ),
    "a refusal for another reason": ("s-1", session.CapabilityRejected(capability("eve", 1), "because")),
    "fragments of nobody": ("s-1", session.FragmentsReleased(capability("alice", 1), ())),
}
IN_BUNDLES: dict[str, Event[Any]] = {
    "registered again": bundle.BundleRegistered(CHAT),
    "an upgrade by nobody's leave": bundle.UpgradeCommitted(upgrade(UpgradePhase.COMMITTED_CUTOVER), 2),
    "one admitted that was not staged": bundle.UpgradeAdmitted(upgrade(UpgradePhase.ADMITTED)),
    "one staged from other members": bundle.UpgradeStaged(
        replace(upgrade(UpgradePhase.STAGED), previous_members=frozenset("q"))
    ),
    "members seeded in another epoch": bundle.MembersSeeded("chat", frozenset("q"), 7, frozenset("xy")),
    "a link of what is not known": bundle.BundleLinked(replace(CHAT, bundle_id="chat"), "no", "nobody"),
}
IN_SAGAS: dict[str, Event[Any]] = {
    "completed before it began": saga.SagaCompleted("w", "n"),
    "a step that was never taken": saga.SagaStepUndone("w", "mail"),
    "compensated before it began": saga.SagaCompensated("w", "n", "because"),
}
IN_CONVERSATIONS: dict[str, tuple[Event[Any], ...]] = {
    "a phase that nothing led to": (
        conversation.PhaseChanged("c", 0, Phase.WORKING, Phase.REELECTION, Cause.DEADLOCK, AnchorAction.CLEAR),
    ),
    "a vote on nothing": (conversation.VoteCast("c", 0, 9, "eve", True, VoteSource.PEER),),
    "half of a decision": (conversation.MemberLeaving("c", 0, LeaveReason.SELF_LEAVE),),
    "opened again": (
        conversation.ConversationOpened("c", 0, 2, Role.CREATOR, "me", conversation.ConversationConfig()),
    ),
    "a proposal that nobody waits for": (conversation.ProposalOpened("c", 0, own(3), CreatorVote.DEFERRED),),
    "a score for nothing": (conversation.ScoreChanged("c", 0, "eve", ScoreReason.CENSORSHIP, -40, 60),),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_event_of_a_session(told: Journal, name: str) -> None:
    session_id, event = FORGED[name]
    forge(told, session_stream(session_id), event)
    (finding,) = found(told)
    assert finding.position == told.head()


@pytest.mark.parametrize("name", IN_BUNDLES)
def test_a_forged_event_of_a_bundle(told: Journal, name: str) -> None:
    forge(told, bundle_stream("chat"), IN_BUNDLES[name])
    (finding,) = found(told)
    assert (finding.layer, finding.position) == ("decision", told.head())


@pytest.mark.parametrize("name", IN_SAGAS)
def test_a_forged_event_of_a_saga(told: Journal, name: str) -> None:
    forge(told, saga_stream("w"), IN_SAGAS[name])
    (finding,) = found(told)
    assert (finding.layer, finding.position) == ("decision", told.head())


@pytest.mark.parametrize("name", IN_CONVERSATIONS)
def test_a_forged_event_of_a_conversation(told: Journal, name: str) -> None:
    forge(told, conversation_stream("c"), *IN_CONVERSATIONS[name])
    assert [finding.position for finding in found(told)] == [told.head()]


def test_a_claim_of_a_session_that_was_closed(told: Journal) -> None:
    told.sessions.close(live(told))
    forge(told, session_stream("s-1"), session.OwnershipClaimed(capability("mallory", 2)))
    (finding,) = found(told)
    assert "closed" in finding.problem


def test_a_decision_whose_end_is_cut_off(told: Journal) -> None:
    approved(told)
    whole = [record for record in told.read() if record.stream == "conversation-c"]
    names = [record.type.removesuffix(".v1").removeprefix("conversation.") for record in whole]
    assert names[-3:] == ["consensus_resolved", "auto_vote_cancelled", "proposal_approved"]
    with Journal.open("memory://") as cut:
        forge(cut, "conversation-c", *[record.event for record in whole])
        assert found(cut) == []
    with Journal.open("memory://") as cut:
        forge(cut, "conversation-c", *[record.event for record in whole[:-1]])
        assert [finding.position for finding in found(cut)][:1] == [len(whole) - 2]


def test_an_event_of_a_saga_that_has_ended(told: Journal) -> None:
    with told.saga("work") as work:
        told.sessions.release(live(told))
    forge(told, session_stream("s-1"), session.OwnershipClaimed(capability("bob", 2)), saga=work.id)
    (finding,) = found(told)
    assert "not at work" in finding.problem


def test_a_consumer_that_goes_back(told: Journal) -> None:
    forge(told, "consumer-x", NotificationsAcknowledged("x", 5), NotificationsAcknowledged("x", 2))
    (finding,) = found(told)
    assert finding.position == told.head()


def test_a_key_that_is_used_twice(told: Journal) -> None:
    forge(told, "key-k", KeyUsed("k"), KeyUsed("k"))
    assert [finding.position for finding in found(told)] == [told.head()]


def test_what_was_undone_is_what_undoing_makes(told: Journal) -> None:
    told.sessions.release(live(told))
    restored = session.OwnershipRestored("s-1", 2, None, capability("alice", 2))
    forge(told, session_stream("s-1"), restored, compensates=("session-s-1@4",))
    assert found(told) == []
    other = session.OwnershipRestored("s-1", 3, capability("alice", 2), capability("mallory", 3))
    forge(told, session_stream("s-1"), other, compensates=("session-s-1@3",))
    (finding,) = found(told)
    assert finding.position == told.head()


def test_what_stands_in_the_way_of_undoing_is_asked_again(told: Journal) -> None:
    told.sessions.issue_witness(live(told), "ready")
    told.sessions.consume_witness(live(told), told.sessions.state("s-1").outstanding_witnesses[0])
    forge(
        told,
        session_stream("s-1"),
        session.OwnershipRestored("s-1", 2, capability("alice", 1), None),
        compensates=("session-s-1@3",),
    )
    (finding,) = found(told)
    assert "session-s-1@5" in finding.problem


def test_what_only_the_references_policy_permits_goes_by_what_an_event_says() -> None:
    with Journal.open("memory://", policy=Policy.reference()) as journal:
        journal.sessions.open("s-1")
        narrow = journal.sessions.claim("s-1", "alice", Fragments({"bundle:x"}))
        journal.sessions.attenuate(narrow, FULL_SESSION)
        assert found(journal) == []
        records = [record._replace(position=UNRECORDED) for record in journal.read()]
    with Journal.open("memory://") as forged:
        for record in records:
            forge(forged, record.stream, record.event)
        (finding,) = found(forged)
        assert (finding.layer, finding.position) == ("decision", 3)
    with Journal.open("memory://") as unknown:
        forge(unknown, records[0].stream, records[0].event, policy="everything")
        (finding,) = found(unknown)
        assert "everything" in finding.problem


def test_an_older_file_has_notes_of_what_only_the_references_policy_permits(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    path.write_bytes(gzip.decompress((DATA / "journal-of-format-1.db.gz").read_bytes()))
    narrow = OwnershipCapability("s-9", "alice", 1, Fragments({"bundle:x"}))
    wide = OwnershipCapability("s-9", "alice", 2, FULL_SESSION)
    events: tuple[Event[Any], ...] = (
        session.SessionOpened("s-9", 1),
        session.OwnershipClaimed(narrow),
        session.ScopeAttenuated(narrow, wide),
        session.OwnershipClaimed(replace(wide, owner="mallory", generation=3)),
    )
    with sqlite3.connect(path) as connection:
        for version, event in enumerate(events, 1):
            record = RecordedEvent(UNRECORDED, "session-s-9", version, event, Metadata(recorded_at=TIME * 1_000_000))
            stored = EventMapper().to_stored_event(record)
            row = (stored.originator_id, stored.originator_version, stored.topic, stored.state)
            insert = "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?)"
            connection.execute(insert, row)
    connection.close()
    with Journal.open(f"sqlite:///{path}", read_only=True) as journal:
        report, head = journal.verify(), journal.head()
    assert [(note.layer, note.position) for note in report.notes] == [("decision", head - 1)]
    assert "references' policy" in report.notes[0].problem
    assert [(each.layer, each.position) for each in report.findings] == [("decision", head)]


Story: TypeAlias = Callable[[Journal], Any]


def _refused(act: Story) -> Story:
    def run(journal: Journal) -> None:
        with pytest.raises(CommandRefused):
            act(journal)

    return run


@pytest.mark.parametrize(
    "story",
    [
        _refused(lambda journal: journal.sessions.release(capability("eve", 1))),
        _refused(lambda journal: journal.sessions.commit_transfer(RECEIPT)),
        _refused(
            lambda journal: journal.sessions.release(
                replace(capability("eve", 1), scope=Fragments(f"bundle:{number:0100}" for number in range(200)))
            )
        ),
        _refused(lambda journal: journal.bundles.link("chat", "vote", "both")),
        lambda journal: journal.conversations.open_proposal("c", 5, ProposalRequest.remove_member("eve"), voters=3),
    ],
)
def test_what_commands_record_is_found_right(told: Journal, story: Story) -> None:
    told.bundles.register(replace(CHAT, bundle_id="vote", imports=frozenset({"hear"})))
    before = told.head()
    story(told)
    assert told.head() > before
    assert found(told) == []
