"""The scores of members: by how much each thing that a member does raises or lowers its score (de-mls 4.4, 4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from .draft import Draft
from .events import ScoreChanged
from .values import Candidate, Outcome, Proposal, RejectedCandidate, RejectionReason, ScoreReason, Violation

REMOVABLE_SCORE: Final = 0
"""From what score on down a member is removable."""

DELTAS: Final[Mapping[ScoreReason, int]] = {
    ScoreReason.EMERGENCY_CONFIRMED: 20,
    ScoreReason.EMERGENCY_REFUTED: -50,
    ScoreReason.BROKEN_COMMIT: -50,
    ScoreReason.BROKEN_PROPOSAL: -30,
    ScoreReason.CENSORSHIP: -40,
    ScoreReason.UNSTAGEABLE_COMMIT: -30,
    ScoreReason.COMMIT_PICKED: 10,
    ScoreReason.COMMIT_OFFERED: 5,
}

_PENALTIES: Final[Mapping[Violation, ScoreReason]] = {
    Violation.BROKEN_COMMIT: ScoreReason.BROKEN_COMMIT,
    Violation.BROKEN_PROPOSAL: ScoreReason.BROKEN_PROPOSAL,
    Violation.CENSORSHIP: ScoreReason.CENSORSHIP,
}
_REJECTIONS: Final[Mapping[RejectionReason, ScoreReason]] = {
    RejectionReason.UNSTAGEABLE: ScoreReason.UNSTAGEABLE_COMMIT,
    RejectionReason.FORGED_SENDER: ScoreReason.BROKEN_COMMIT,
    RejectionReason.NOT_A_STEWARD: ScoreReason.BROKEN_COMMIT,
    RejectionReason.OTHER_ACTIONS: ScoreReason.BROKEN_PROPOSAL,
}


def change_score(draft: Draft, member: str, reason: ScoreReason) -> None:
    """Raise or lower a member's score, on the record."""
    before, delta = draft.state.score(member), DELTAS[reason]
    after = before + delta
    is_down = comes_down(before, after)
    draft.record(ScoreChanged, member=member, reason=reason, delta=delta, score=after, crossed_down=is_down)


def comes_down(before: int, after: int) -> bool:
    """Whether a score has just come down to where a member is removable."""
    return before > REMOVABLE_SCORE >= after


def score_emergency(draft: Draft, proposal: Proposal, outcome: Outcome) -> None:
    """Judge who declared an emergency, and whom it is about (de-mls 4.4)."""
    if outcome is not Outcome.YES:
        change_score(draft, proposal.creator, ScoreReason.EMERGENCY_REFUTED)
        return
    change_score(draft, proposal.creator, ScoreReason.EMERGENCY_CONFIRMED)
    violation, target = proposal.request.violation, proposal.request.target
    penalty = None if violation is None else _PENALTIES.get(violation)
    if penalty is not None and target is not None:
        change_score(draft, target, penalty)


def score_rejections(draft: Draft, rejected: Iterable[RejectedCandidate]) -> None:
    """Judge who offered what could not be merged (de-mls 4.6)."""
    for each in rejected:
        change_score(draft, each.member, _REJECTIONS[each.reason])


def score_absence(draft: Draft, steward: str | None, committer: str | None) -> None:
    """Lower the score of the steward whose turn it was, if another or nobody committed (de-mls 4.6).

    If that steward is this member, the score stays. A candidate in the steward's name is no excuse: anybody could
    forge one.
    """
    if steward is not None and steward not in (draft.state.self_id, committer):
        change_score(draft, steward, ScoreReason.CENSORSHIP)


def score_offers(
    draft: Draft, candidates: Iterable[Candidate], winner: str, rejected: Iterable[RejectedCandidate]
) -> None:
    """Judge whose commit was merged, and which other stewards had offered one (de-mls 4.6)."""
    change_score(draft, winner, ScoreReason.COMMIT_PICKED)
    listed = () if draft.state.steward_list is None else draft.state.steward_list.stewards
    refused = {each.commit_hash for each in rejected}
    offered = {each.steward for each in candidates if each.commit_hash not in refused}
    for steward in listed:
        if steward in offered and steward != winner:
            change_score(draft, steward, ScoreReason.COMMIT_OFFERED)
