"""What refuses a command on conversations, their proposals and votes."""

from __future__ import annotations

from dataclasses import dataclass

from .base import CommandRefused


@dataclass(eq=False)
class ConversationNotFound(CommandRefused):
    """No conversation was created or joined under this id."""

    conversation_id: str

    def __str__(self) -> str:
        return f"there is no conversation {self.conversation_id!r}; {self.advice}"

    @property
    def advice(self) -> str:
        return "create or join it first"


@dataclass(eq=False)
class ConversationExists(CommandRefused):
    """A conversation of this id is open, or not removed yet (de-mls 1.3, T1).

    Attributes:
        life: where it stands in its life.
    """

    conversation_id: str
    life: str

    def __str__(self) -> str:
        return f"conversation {self.conversation_id!r} is {self.life}; remove it first, or choose another id"


@dataclass(eq=False)
class ConversationEnded(CommandRefused):
    """The member is leaving the conversation, or left it; nothing is done in it any more.

    Attributes:
        life: where it stands in its life.
        reason: why the member leaves.
    """

    conversation_id: str
    life: str
    reason: str

    def __str__(self) -> str:
        first = "create" if self.life == "removed" else "remove it, then create"
        return f"conversation {self.conversation_id!r} is {self.life} ({self.reason}); {first} or join it again"


@dataclass(eq=False)
class ConversationBlocked(CommandRefused):
    """The operation is not permitted in the conversation's phase (de-mls 1.5).

    Attributes:
        operation: what was asked for.
        phase: the phase.
        permitted: the phases in which it is permitted, sorted.
    """

    conversation_id: str
    operation: str
    phase: str
    permitted: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"conversation {self.conversation_id!r} is {self.phase}, where {self.operation} is not permitted; "
            f"it is permitted in {' and '.join(self.permitted)}"
        )


@dataclass(eq=False)
class IllegalMove(CommandRefused):
    """No rule leads from the conversation's phase to the one that the host wants it in (de-mls 1.2, 1.3).

    Attributes:
        phase: the phase that it is in.
        target: the phase that was asked for.
        legal: the phases that it can be moved into from there.
    """

    conversation_id: str
    phase: str
    target: str
    legal: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"conversation {self.conversation_id!r} is {self.phase}, from where nothing leads to {self.target}; "
            f"it can be moved into {' and '.join(self.legal)}"
        )


@dataclass(eq=False)
class PartialFreeze(CommandRefused):
    """An emergency is being voted on, and only another emergency may be opened meanwhile (de-mls 1.5, 4.1).

    Attributes:
        operation: what was asked for.
        emergencies: the proposals of the emergencies, in their order.
    """

    conversation_id: str
    operation: str
    emergencies: tuple[int, ...]

    def __str__(self) -> str:
        emergencies = ", ".join(map(str, self.emergencies))
        return (
            f"conversation {self.conversation_id!r}: {self.operation} has to wait for the end of these emergencies: "
            f"{emergencies}"
        )


@dataclass(eq=False)
class ProposalNotFound(CommandRefused):
    """No proposal of this number is known: none ever was, or it was resolved long ago (de-mls 4.4)."""

    conversation_id: str
    proposal_id: int

    def __str__(self) -> str:
        proposal = f"conversation {self.conversation_id!r} knows no proposal {self.proposal_id}, or not any more"
        return f"{proposal}; open or receive it first"


@dataclass(eq=False)
class ProposalExists(CommandRefused):
    """A proposal of this number is known already: open, approved, or resolved not long ago (de-mls 7.5, 30)."""

    conversation_id: str
    proposal_id: int

    def __str__(self) -> str:
        return f"conversation {self.conversation_id!r} knows a proposal {self.proposal_id} already; choose another id"


@dataclass(eq=False)
class ProposalNotActive(CommandRefused):
    """The outcome of the vote is not the one that this requires (de-mls 4.3).

    Attributes:
        outcome: its outcome.
    """

    conversation_id: str
    proposal_id: int
    outcome: str

    def __str__(self) -> str:
        proposal = f"conversation {self.conversation_id!r}: proposal {self.proposal_id}"
        return f"{proposal} is not voted on any more: {self.outcome}"


@dataclass(eq=False)
class ProposalExpired(CommandRefused):
    """The proposal cannot be voted on any more (de-mls 2.3).

    Attributes:
        expires_at_s: when it expired, in seconds since 1970.
        now: the time, in ms.
    """

    conversation_id: str
    proposal_id: int
    expires_at_s: int
    now: int

    def __str__(self) -> str:
        return (
            f"conversation {self.conversation_id!r}: proposal {self.proposal_id} expired at {self.expires_at_s} s; "
            f"it is {self.now // 1_000} s now"
        )


@dataclass(eq=False)
class AlreadyVoted(CommandRefused):
    """This member has voted on the proposal (de-mls 4.3)."""

    conversation_id: str
    proposal_id: int
    voter: str

    def __str__(self) -> str:
        return (
            f"conversation {self.conversation_id!r}: {self.voter!r} has voted on proposal {self.proposal_id}; "
            "a vote that was cast stays"
        )


@dataclass(eq=False)
class NotAnElection(CommandRefused):
    """The proposal elects no stewards, so no list of them is accepted by it."""

    conversation_id: str
    proposal_id: int
    kind: str

    def __str__(self) -> str:
        return f"conversation {self.conversation_id!r}: proposal {self.proposal_id} is {self.kind}, no steward election"
