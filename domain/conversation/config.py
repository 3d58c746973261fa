"""What a conversation's deadlines follow from, and what a synchronisation changes of it (de-mls 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Final

from pydantic import Field
from pydantic.dataclasses import dataclass

from ..artifacts import Counter
from ..bounds import MAX_DURATION_MS
from ..errors import InvalidArgument
from ..value import VALUE, value_type
from .values import Duration

Expiration = Annotated[int, Field(ge=1_000, le=MAX_DURATION_MS)]
"""How long a proposal can be voted on, in ms; whole seconds count."""

Timeout = Annotated[int, Field(ge=1, le=MAX_DURATION_MS)]
"""How long votes are waited for, in ms."""


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class ConfigChanges:
    """What a synchronisation changes of a configuration (de-mls 2.1).

    Each attribute means what the one of the same name means in ``ConversationConfig``; None: it is as it was. A
    ``voting_inactivity_ms`` of zero is no change either.
    """

    commit_inactivity_ms: Duration | None = None
    freeze_ms: Duration | None = None
    recovery_inactivity_ms: Duration | None = None
    proposal_expiration_ms: Expiration | None = None
    consensus_timeout_ms: Timeout | None = None
    voting_inactivity_ms: Duration | None = None
    liveness_yes: bool | None = None
    max_reelection_attempts: Counter | None = None

    def given(self) -> Iterator[tuple[str, int | bool]]:
        """What it changes, by name."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                yield field.name, value


_WITHOUT_ZERO: Final = ("commit_inactivity_ms", "freeze_ms", "recovery_inactivity_ms")
"""What a synchronisation must not make zero, though a configuration may begin with it (de-mls 2.1)."""


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class ConversationConfig:
    """What a conversation's deadlines follow from (de-mls 2.1).

    A window of zero is over at once. The last four switch rules that the reference has and some hosts do not want; the
    default is the reference (de-mls 7.6).

    Attributes:
        commit_inactivity_ms: how long approved work may wait for a commit. A joiner waits three times as long to be
            let in.
        freeze_ms: how long candidates are collected.
        recovery_inactivity_ms: how long approved work may wait in recovery, or after a rejected election.
        proposal_expiration_ms: how long a proposal can be voted on; at least a second, and whole seconds count.
        consensus_timeout_ms: how long the one who opened a proposal waits for votes; not zero.
        voting_inactivity_ms: how long backup stewards wait for the steward whose turn it is, before they propose what
            came in. Zero stands for ``commit_inactivity_ms + recovery_inactivity_ms``. The host uses it (de-mls 2.7).
        voting_delay_ms: how long a vote by hand is waited for.
        election_voting_delay_ms: the same for the election of stewards.
        liveness_yes: how those who are silent count, and what is voted when nobody votes by hand.
        max_reelection_attempts: how many elections may be rejected before the host is to declare a deadlock.
        peers_time_out: whether a peer's proposal has a consensus timeout here too (de-mls 7.4, 20).
        auto_votes_keep_phases: whether a vote that is due where none may be cast by hand is dropped (de-mls 7.4,
            22).
        failed_votes_keep_auto_votes: whether a vote by hand that fails leaves the automatic one (de-mls 7.4, 23).
        only_approved_emergencies_end_reelection: whether a rejected emergency leaves a reelection as it is (de-mls 7.5,
            33).
    """

    commit_inactivity_ms: Duration = 60_000
    freeze_ms: Duration = 30_000
    recovery_inactivity_ms: Duration = 5_000
    proposal_expiration_ms: Expiration = 600_000
    consensus_timeout_ms: Timeout = 30_000
    voting_inactivity_ms: Duration = 0
    voting_delay_ms: Duration = 10_000
    election_voting_delay_ms: Duration = 5_000
    liveness_yes: bool = True
    max_reelection_attempts: Counter = 1
    peers_time_out: bool = False
    auto_votes_keep_phases: bool = False
    failed_votes_keep_auto_votes: bool = False
    only_approved_emergencies_end_reelection: bool = False

    @property
    def takeover_ms(self) -> int:
        """How long a backup steward waits before it proposes what came in, in ms (de-mls 2.1, 2.7)."""
        return self.voting_inactivity_ms or self.commit_inactivity_ms + self.recovery_inactivity_ms


def require_synchronisable(changes: ConfigChanges) -> None:
    """Make sure that a synchronisation makes sense; it is taken whole or not at all (de-mls 2.1).

    Raises:
        InvalidArgument: a time is zero.
    """
    for name, value in changes.given():
        if name in _WITHOUT_ZERO and value == 0:
            raise InvalidArgument(name, "must not be zero in a synchronisation; nothing of it is taken")
