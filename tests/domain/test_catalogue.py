"""The catalogue of event types, and its upcasters."""

from typing import Any

import pytest
from muniment.domain import (
    CATALOGUE,
    Catalogue,
    CatalogueError,
    Event,
    Fact,
    bundle,
    compensation,
    consumer,
    conversation,
    event_type,
    inbox,
    saga,
    session,
)


def test_the_stored_names_are_these_and_stay_these() -> None:
    assert list(CATALOGUE) == [
        "bundle.link_rejected.v1",
        "bundle.linked.v1",
        "bundle.members_restored.v1",
        "bundle.members_seeded.v1",
        "bundle.registered.v1",
        "bundle.upgrade_admitted.v1",
        "bundle.upgrade_committed.v1",
        "bundle.upgrade_failed.v1",
        "bundle.upgrade_rolled_back.v1",
        "bundle.upgrade_staged.v1",
        "bundle.withdrawn.v1",
        "consumer.acknowledged.v1",
        "conversation.auto_vote_cancelled.v1",
        "conversation.auto_vote_failed.v1",
        "conversation.auto_vote_fired.v1",
        "conversation.auto_vote_scheduled.v1",
        "conversation.candidate_buffered.v1",
        "conversation.commit_applied.v1",
        "conversation.config_synced.v1",
        "conversation.consensus_resolved.v1",
        "conversation.consensus_timeout_cancelled.v1",
        "conversation.consensus_timeout_fired.v1",
        "conversation.consensus_timeout_scheduled.v1",
        "conversation.election_retries_changed.v1",
        "conversation.freeze_round_finalized.v1",
        "conversation.freeze_round_opened.v1",
        "conversation.freeze_round_withdrawn.v1",
        "conversation.host_told.v1",
        "conversation.leave_initiated.v1",
        "conversation.member_joined.v1",
        "conversation.member_leaving.v1",
        "conversation.opened.v1",
        "conversation.operating_mode_changed.v1",
        "conversation.operation_failed.v1",
        "conversation.pending_join_expired.v1",
        "conversation.phase_changed.v1",
        "conversation.phase_timer_anchored.v1",
        "conversation.proposal_approved.v1",
        "conversation.proposal_opened.v1",
        "conversation.proposal_received.v1",
        "conversation.proposal_withdrawn.v1",
        "conversation.removal_deduplicated.v1",
        "conversation.removed.v1",
        "conversation.score_changed.v1",
        "conversation.steward_list_installed.v1",
        "conversation.vote_cast.v1",
        "conversation.withdrawn.v1",
        "inbox.envelope_acknowledged.v1",
        "inbox.envelope_put.v1",
        "inbox.envelope_taken.v1",
        "inbox.envelope_withdrawn.v1",
        "inbox.envelopes_given_back.v1",
        "inbox.envelopes_lost.v1",
        "inbox.taking_withdrawn.v1",
        "key.used.v1",
        "saga.begun.v1",
        "saga.compensated.v1",
        "saga.compensation_begun.v1",
        "saga.compensation_failed.v1",
        "saga.completed.v1",
        "saga.resolved.v1",
        "saga.step_undone.v1",
        "saga.undo_registered.v1",
        "session.archived.v2",
        "session.capability_rejected.v1",
        "session.closed.v1",
        "session.delegated.v1",
        "session.delegation_rejected.v1",
        "session.delegation_reverted.v1",
        "session.drained.v1",
        "session.draining_withdrawn.v1",
        "session.ended.v1",
        "session.fragments_claimed.v1",
        "session.fragments_moved.v1",
        "session.fragments_released.v1",
        "session.fragments_restored.v1",
        "session.hand_over_reverted.v1",
        "session.handed_over.v1",
        "session.handler_restored.v1",
        "session.handler_set.v1",
        "session.hosted.v1",
        "session.hosting_withdrawn.v1",
        "session.ingress_accepted.v1",
        "session.ingress_rejected.v1",
        "session.opened.v1",
        "session.opening_withdrawn.v1",
        "session.owner_died.v1",
        "session.ownership_claimed.v1",
        "session.ownership_released.v1",
        "session.ownership_restored.v1",
        "session.ownership_transferred.v1",
        "session.receipt_rejected.v1",
        "session.round_recorded.v1",
        "session.scope_attenuated.v1",
        "session.started.v1",
        "session.terms_changed.v1",
        "session.trace_restored.v1",
        "session.trace_set.v1",
        "session.transfer_abandoned.v1",
        "session.transfer_begun.v1",
        "session.transfer_commit_failed.v1",
        "session.transfer_committed.v1",
        "session.transfer_rolled_back.v1",
        "session.type_advanced.v1",
        "session.type_restored.v1",
        "session.witness_consumed.v1",
        "session.witness_issued.v1",
        "session.witness_rejected.v1",
        "session.witness_withdrawn.v1",
        "site.crashed.v1",
        "site.timed_out.v1",
        "site.timeout_expired.v1",
    ]


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("session", session.state),
        ("bundle", bundle.state),
        ("saga", saga),
        ("consumer", consumer),
        ("inbox", inbox.state),
    ],
)
def test_every_event_is_folded_by_the_state(kind: str, module: Any) -> None:
    in_inboxes: set[type[Event[Any]]] = {inbox.TypeAdvanced, inbox.TypeRestored}
    types = {cls for name, cls in CATALOGUE.types().items() if name.startswith(f"{kind}.")}
    types = types | in_inboxes if kind == "inbox" else types - in_inboxes
    with_effects = {cls for cls in types if cls.effects is not Event.effects}
    # What was started was opened and claimed by the events before it.
    assert set(module._HANDLERS) | with_effects == types - {session.SessionStarted}


def test_every_event_of_a_conversation_is_folded_unless_it_is_a_mere_record() -> None:
    types = {cls for name, cls in CATALOGUE.types().items() if name.startswith("conversation.")}
    folded = set(conversation.situation._HANDLERS) | set(conversation.state._HANDLERS)
    # A failure that is reported is a mere record, and counted.
    mere = {cls for cls in types if compensation.RULES[cls].is_mere_record} - {conversation.OperationFailed}
    assert folded == types - mere


def test_two_classes_cannot_claim_one_name() -> None:
    class Impostor(Fact):
        name: str

    with pytest.raises(CatalogueError, match=r"session\.opened\.v1"):
        event_type("session.opened")(Impostor)
    assert CATALOGUE["session.opened.v1"] is session.SessionOpened


def test_an_old_version_is_led_to_the_newest() -> None:
    catalogue = Catalogue()

    @event_type("thing.made", version=3, catalogue=catalogue)
    class Made(Fact):
        name: str
        size: int

    @catalogue.upcaster("thing.made", from_version=1)
    def name_it(data: dict[str, Any]) -> dict[str, Any]:
        return {"name": data["label"]}

    @catalogue.upcaster("thing.made", from_version=2)
    def size_it(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "size": 0}

    catalogue.check()
    found, steps = catalogue.resolve("thing.made.v1")
    data: dict[str, Any] = {"label": "x"}
    for step in steps:
        data = step(data)
    assert found(**data) == Made("x", 0)
    assert catalogue.resolve("thing.made.v3") == (Made, ())


def test_an_old_version_without_a_way_is_found() -> None:
    catalogue = Catalogue()

    @event_type("thing.made", version=2, catalogue=catalogue)
    class Made(Fact):
        name: str

    with pytest.raises(CatalogueError, match=r"thing\.made\.v1 has no upcaster"):
        catalogue.check()


def test_an_upcaster_that_leads_nowhere_is_found() -> None:
    catalogue = Catalogue()
    catalogue.upcaster("thing.made", from_version=1)(lambda data: data)
    with pytest.raises(CatalogueError, match="leads to the unknown"):
        catalogue.check()


@pytest.mark.parametrize(
    "name", ["os.system", "session.opened.v2", "", "v1", ".v1", "x.v", "muniment.domain:Fragments"]
)
def test_an_unknown_name_is_unknown(name: str) -> None:
    with pytest.raises(KeyError):
        CATALOGUE.resolve(name)
