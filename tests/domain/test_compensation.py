"""Every event type has a rule: what undoes it, or why nothing can (law 8)."""

from __future__ import annotations

from typing import Any

import pytest
from muniment.domain import CATALOGUE, Event, compensation

TYPES = sorted(CATALOGUE.types().items())


@pytest.mark.parametrize(("name", "event_class"), TYPES, ids=[name for name, _ in TYPES])
def test_every_type_has_a_rule(name: str, event_class: type[Event[Any]]) -> None:
    rule = compensation.RULES[event_class]
    # Either something undoes it, or there is a reason why nothing does.
    assert (rule.compensate is None) == bool(rule.reason)
    # What is undone changes a part of the state, which later events may stand on, or what it names itself:
    # fragments, witnesses, members, proposals, envelopes, edges and local types.
    parts = {
        "fragments",
        "witness",
        "member",
        "proposal",
        "proposal_id",
        "number",
        "numbers",
        "edge",
        "advance",
        "undone",
    }
    names_parts = parts & set(event_class.__annotations__)
    assert rule.is_mere_record or rule.changes or names_parts


def test_what_is_undone_is_undone_by_some_type() -> None:
    undone = {cls for cls, rule in compensation.RULES.items() if rule.compensate is not None}
    assert set(compensation.UNDONE_BY) == undone
    assert all(undoing in undone for types in compensation.UNDONE_BY.values() for undoing in types)
    assert set(compensation.ONLY_UNDOING) <= undone


def test_rules_are_of_types_in_the_catalogue() -> None:
    assert set(compensation.RULES) == set(CATALOGUE.types().values())


def test_what_is_spent_faulted_cancelled_closed_or_refused_stays_so() -> None:
    stays = [name for name, event_class in TYPES if compensation.RULES[event_class].compensate is None]
    assert stays == [
        "bundle.link_rejected.v1",
        "bundle.upgrade_failed.v1",
        "consumer.acknowledged.v1",
        "conversation.auto_vote_failed.v1",
        "conversation.auto_vote_fired.v1",
        "conversation.candidate_buffered.v1",
        "conversation.commit_applied.v1",
        "conversation.consensus_resolved.v1",
        "conversation.consensus_timeout_fired.v1",
        "conversation.freeze_round_finalized.v1",
        "conversation.host_told.v1",
        "conversation.leave_initiated.v1",
        "conversation.member_joined.v1",
        "conversation.member_leaving.v1",
        "conversation.operation_failed.v1",
        "conversation.pending_join_expired.v1",
        "conversation.proposal_approved.v1",
        "conversation.removal_deduplicated.v1",
        "conversation.removed.v1",
        "conversation.vote_cast.v1",
        "inbox.envelope_acknowledged.v1",
        "inbox.envelopes_given_back.v1",
        "inbox.envelopes_lost.v1",
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
        "session.delegation_rejected.v1",
        "session.ended.v1",
        "session.ingress_accepted.v1",
        "session.ingress_rejected.v1",
        "session.owner_died.v1",
        "session.receipt_rejected.v1",
        "session.round_recorded.v1",
        "session.started.v1",
        "session.transfer_abandoned.v1",
        "session.transfer_commit_failed.v1",
        "session.witness_consumed.v1",
        "session.witness_rejected.v1",
        "site.crashed.v1",
        "site.timed_out.v1",
        "site.timeout_expired.v1",
    ]


@pytest.mark.parametrize(("name", "event_class"), TYPES, ids=[name for name, _ in TYPES])
def test_fragments_and_witnesses_stand_in_fields_that_dependencies_are_told_by(
    name: str, event_class: type[Event[Any]]
) -> None:
    fragments = {field for field, kind in event_class.__annotations__.items() if "SessionFragment" in str(kind)}
    assert fragments <= {"fragments", "moved_fragments", "released_fragments", "restored_fragments", "previous"}
    witnesses = {field for field, kind in event_class.__annotations__.items() if "ReadinessWitness" in str(kind)}
    assert witnesses <= {"voided", "witness"}
    envelopes = {field for field, kind in event_class.__annotations__.items() if "Envelope" in str(kind)}
    assert not envelopes or "number" in event_class.__annotations__
