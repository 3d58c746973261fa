"""What can be repeated without authority is recorded within bounds, and in brief where it is large (law 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from muniment.domain import (
    FULL_SESSION,
    MAX_TEXT_LENGTH,
    Accepted,
    ComposedBundle,
    ConversationConfig,
    CreatorVote,
    Fragments,
    LimitReached,
    MunimentError,
    OwnershipCapability,
    OwnershipReceipt,
    ProposalRequest,
    ReadinessWitness,
    RecordedEvent,
    RuntimeUpgradeRequest,
    StaleCapability,
    UpgradePlan,
    UpgradeRejected,
    UpgradeStep,
    WitnessConsumed,
    accept,
)
from muniment.domain.bounds import (
    MAX_LISTED,
    MAX_RECORDED_REFUSALS,
    MAX_REPORTS,
    MAX_STRANGERS,
    MAX_VOTES_OF_STRANGERS,
    MAX_WHOLE_REFUSAL_BYTES,
)
from muniment.domain.conversation import VoteCast, VoteSource
from muniment.domain.session import CapabilityRejected, ReceiptRejected, WitnessRejected
from muniment.domain.session.guards import NOT_LIVE
from muniment.journal import Journal

WIDE = Fragments(f"{number:03}{'x' * 190}" for number in range(900))


@pytest.fixture
def journal() -> Any:
    with Journal.open("memory://", clock=lambda: 1_000) as opened:
        yield opened


def sizes(journal: Journal) -> list[int]:
    """How many bytes each event takes as a line; the last line is no event."""
    return [len(line) for line in journal.export()][:-1]


def last(journal: Journal) -> RecordedEvent:
    return journal.record(journal.head())


def refused(call: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(MunimentError) as caught:
        call(*arguments, **more)
    return caught.value.code


def repeated(call: Callable[[int], object]) -> str:
    """What a command says that is given again and again until a bound is reached."""
    for number in range(MAX_LISTED + 1):
        try:
            call(number)
        except LimitReached as reached:
            return str(reached)
    raise AssertionError("no bound was reached")


FORGED: dict[str, tuple[Any, Any, Any, Any]] = {
    "capability": (
        OwnershipCapability("s", "mallory", 7, WIDE),
        lambda sessions, held, forged: sessions.check(forged),
        CapabilityRejected,
        ("mallory", 7),
    ),
    "receipt": (
        OwnershipReceipt("s", 9, "mallory", 7, "eve", 8, WIDE),
        lambda sessions, held, forged: sessions.commit_transfer(forged),
        ReceiptRejected,
        ("mallory", 7, "eve", 8, 9),
    ),
    "witness": (
        ReadinessWitness(9, "s", "mallory", 7, FULL_SESSION, "\x01" * MAX_TEXT_LENGTH),
        lambda sessions, held, forged: sessions.consume_witness(held, forged),
        WitnessRejected,
        ("mallory", 7, 9),
    ),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_large_artifact_is_recorded_in_brief_and_told_again(journal: Journal, kind: str) -> None:
    forged, show, event_class, facts = FORGED[kind]
    journal.sessions.open("s")
    held = journal.sessions.claim("s", "alice")
    for _ in range(3):
        refused(show, journal.sessions, held, forged)
    assert journal.head() == 3
    event: Any = last(journal).event
    assert isinstance(event, event_class)
    assert event.omitted.size > MAX_WHOLE_REFUSAL_BYTES
    fields = {str(getattr(event.presented, name, "")) for name in event.presented.__dataclass_fields__}
    assert {str(fact) for fact in facts} <= fields
    assert sizes(journal)[-1] < 1_000
    (line,) = (each for each in journal.audit.records("s") if each.event == "rejected")
    assert (line.artifact, line.omitted) == (event.presented, event.omitted)
    # Another rest is another artifact.
    other = replace(forged, scope=Fragments([*WIDE.keys, "y"]))
    refused(show, journal.sessions, held, other)
    assert journal.head() == 4
    assert journal.verify().findings == ()


def test_what_was_recorded_whole_is_told_again(journal: Journal) -> None:
    """Rows of before are whole, however large."""
    forged = OwnershipCapability("s", "mallory", 7, WIDE)
    journal.sessions.open("s")
    journal.sessions.claim("s", "alice")
    journal.execute("session-s", lambda state: accept(CapabilityRejected(forged, NOT_LIVE)))
    assert sizes(journal)[-1] > 100_000
    assert refused(journal.sessions.check, forged) == "stale_capability"
    assert journal.head() == 3


def test_a_spent_witness_with_a_long_predicate_is_told_in_brief(journal: Journal) -> None:
    journal.sessions.open("s")
    held = journal.sessions.claim("s", "alice")
    witness = journal.sessions.issue_witness(held, "€" * MAX_TEXT_LENGTH)
    journal.sessions.consume_witness(held, witness)
    with pytest.raises(WitnessConsumed):
        journal.sessions.consume_witness(held, witness)
    assert sizes(journal)[-2] > 6_000 > 1_000 > sizes(journal)[-1]


def test_reopening_resets_no_count(journal: Journal) -> None:
    for incarnation in range(8):
        journal.sessions.open("s")
        journal.sessions.claim("s", "alice")
        for number in range(60):
            forged = OwnershipCapability("s", "mallory", 1_000 * incarnation + number, FULL_SESSION)
            assert refused(journal.sessions.check, forged) == StaleCapability.code
        journal.sessions.owner_died("s", "alice")
    rejections = [record.event for record in journal.read() if isinstance(record.event, CapabilityRejected)]
    assert len(rejections) == MAX_RECORDED_REFUSALS
    assert [event.last for event in rejections] == [False] * (MAX_RECORDED_REFUSALS - 1) + [True]


def failing(number: int, members: frozenset[str] = frozenset({"z"})) -> RuntimeUpgradeRequest:
    return RuntimeUpgradeRequest(f"u-{number}", UpgradePlan("p", (UpgradeStep("step", members),)))


def bundle(journal: Journal) -> None:
    journal.bundles.register(ComposedBundle("b", ("p",)))
    journal.bundles.seed_members("b", ["a"])


def test_failed_upgrades_under_new_ids_are_recorded_so_often(journal: Journal) -> None:
    bundle(journal)
    for number in range(MAX_RECORDED_REFUSALS + 50):
        assert refused(journal.bundles.upgrade, "b", failing(number)) == UpgradeRejected.code
    assert journal.head() == 2 + 2 * MAX_RECORDED_REFUSALS
    # Nor is one staged that can only fail.
    assert refused(journal.bundles.stage_upgrade, "b", failing(10_000)) == UpgradeRejected.code
    assert journal.head() == 2 + 2 * MAX_RECORDED_REFUSALS
    good = RuntimeUpgradeRequest("good", UpgradePlan("p", (UpgradeStep("step", frozenset({"a", "z"})),)))
    assert journal.bundles.upgrade("b", good).next_members == {"a", "z"}
    assert journal.verify().findings == ()


def test_a_large_upgrade_that_fails_is_recorded_in_brief(journal: Journal) -> None:
    bundle(journal)
    many = frozenset(f"{number:03}{'m' * 100}" for number in range(900))
    refused(journal.bundles.upgrade, "b", failing(1, many))
    assert max(sizes(journal)) < 1_500
    event: Any = last(journal).event
    assert (event.artifact.upgrade_id, event.artifact.request.plan.plan_id) == ("u-1", "p")
    assert event.artifact.omitted.size > 90_000
    assert refused(journal.bundles.upgrade, "b", failing(1, many)) == "upgrade_exists"
    assert journal.verify().findings == ()


def conversation(journal: Journal) -> Any:
    journal.conversations.create("c", "alice", ConversationConfig())
    return journal.conversations


def test_a_failure_is_reported_once_and_so_many_in_an_epoch(journal: Journal) -> None:
    talks = conversation(journal)
    for _ in range(3):
        talks.report_failure("c", "send", "no route")
    assert journal.head() == 2
    for number in range(1, MAX_REPORTS):
        talks.report_failure("c", "send", f"no route {number}")
    with pytest.raises(LimitReached, match="256 reported failures"):
        talks.report_failure("c", "send", "once more")
    talks.commit_applied("c", "h-1", "alice")
    talks.report_failure("c", "send", "once more")


def test_strangers_propose_so_often_and_members_all_the_same(journal: Journal) -> None:
    talks = conversation(journal)
    for number in range(MAX_STRANGERS):
        talks.receive_proposal("c", number, ProposalRequest.add_member(f"m-{number}"), creator="eve", voters=3)
    head = journal.head()
    with pytest.raises(LimitReached, match="strangers"):
        talks.receive_proposal("c", 9_999, ProposalRequest.add_member("m"), creator="mallory", voters=3)
    assert journal.head() == head
    talks.open_proposal("c", 10_000, ProposalRequest.add_member("bob"), voters=1)
    talks.commit_applied("c", "h-1", "alice", members=["alice", "bob"])
    talks.receive_proposal("c", 10_001, ProposalRequest.add_member("m"), creator="mallory", voters=3)


def test_strangers_vote_so_often_and_members_all_the_same(journal: Journal) -> None:
    talks = conversation(journal)
    talks.commit_applied("c", "h-1", "alice", members=["alice", "bob"])
    for number in range(2):
        talks.open_proposal(
            "c", number, ProposalRequest.add_member("m"), voters=10_000, creator_vote=CreatorVote.DEFERRED
        )

    # The first votes are on record already, as far as this is about.
    def voted(state: Any) -> Any:
        votes = [VoteCast("c", 1_000, 0, f"v-{n}", True, VoteSource.PEER) for n in range(MAX_VOTES_OF_STRANGERS - 1)]
        return Accepted(None, tuple(votes))

    journal.execute("conversation-c", voted)
    talks.receive_vote("c", 1, "eve", True)
    with pytest.raises(LimitReached, match="votes of strangers"):
        talks.receive_vote("c", 1, "mallory", True)
    talks.receive_vote("c", 1, "bob", True)


def test_strangers_fill_no_freeze_round(journal: Journal) -> None:
    talks = conversation(journal)
    talks.install_stewards("c", ["alice", "bob"])
    talks.open_proposal("c", 1, ProposalRequest.add_member("carol"), voters=1)
    for number in range(MAX_STRANGERS):
        talks.buffer_candidate("c", f"h-{number}", "mallory", proposals=1)
    with pytest.raises(LimitReached, match="strangers"):
        talks.buffer_candidate("c", "h", "mallory", proposals=1)
    talks.buffer_candidate("c", "good", "bob", proposals=1)


def test_what_is_voted_on_fits_into_the_event_that_drops_it(journal: Journal) -> None:
    talks = conversation(journal)

    def propose(number: int) -> None:
        request = ProposalRequest.add_member(f"m-{number}", "\x01" * MAX_TEXT_LENGTH)
        talks.open_proposal("c", number, request, voters=2, creator_vote=CreatorVote.DEFERRED)

    assert "proposals" in repeated(propose)
    talks.remove("c")
    assert journal.verify().findings == ()


def test_what_a_session_holds_fits_into_the_event_that_ends_it(journal: Journal) -> None:
    journal.sessions.open("s")
    held = journal.sessions.claim("s", "alice")
    reached = repeated(lambda number: journal.sessions.issue_witness(held, "\x01" * MAX_TEXT_LENGTH))
    assert "outstanding witnesses" in reached
    assert 16 < journal.head() < 100
    journal.sessions.close(held)
