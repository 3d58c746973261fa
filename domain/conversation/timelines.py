"""Which proposals an event is about: what their timelines are made of (de-mls 5.4)."""

from __future__ import annotations

from typing import Any

from . import events, voting_events as voting


def proposals_of(event: Any) -> tuple[int, ...]:
    """The proposals that an event is about: mostly one, or none; a commit is about all that it put into effect."""
    if isinstance(event, events.CommitApplied):
        return tuple(each.proposal_id for each in event.batch)
    if isinstance(event, events.StewardListInstalled):
        elected_by = None if event.steward_list is None else event.steward_list.proposal_id
        return () if elected_by is None else (elected_by,)
    if isinstance(event, events.MemberLeaving):
        return tuple(each.proposal_id for each in event.abandoned)
    if isinstance(event, voting.ProposalApproved):
        return (event.approved.proposal_id,)
    if hasattr(event, "proposal"):
        return (event.proposal.proposal_id,)
    return (event.proposal_id,) if hasattr(event, "proposal_id") else ()
