"""What refuses a command on envelopes."""

from __future__ import annotations

from dataclasses import dataclass

from .base import CommandRefused, MunimentError


@dataclass(eq=False)
class InboxFull(CommandRefused):
    """As many envelopes wait in the inbox as may, or they are too large together (aura 6, O-49).

    Attributes:
        unread: how many wait.
        bound: what bound is reached.
    """

    session_id: str
    unread: int
    bound: str

    def __str__(self) -> str:
        return (
            f"the inbox of session {self.session_id!r} is full: {self.bound}; "
            "have its owner acknowledge some, and put the envelope again"
        )


@dataclass(eq=False)
class InboxNotEmpty(CommandRefused):
    """A draining session is closed once everything in its inbox is acknowledged.

    Attributes:
        unread: how many envelopes are not.
    """

    session_id: str
    unread: int

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r} is draining, and {self.unread} envelopes are unread; "
            "acknowledge them before closing it, or have its host end it"
        )


@dataclass(eq=False)
class DuplicateEnvelope(CommandRefused):
    """Another envelope of this name was put into the inbox before.

    Attributes:
        name: the name.
        number: the number of the envelope that has it.
    """

    session_id: str
    name: str
    number: int

    def __str__(self) -> str:
        return (
            f"envelope {self.number} of session {self.session_id!r} has the name {self.name!r}, and is another one; "
            "give this one a name of its own"
        )


@dataclass(eq=False)
class EnvelopeNotFound(CommandRefused):
    """No envelope of this number is unread: it was never put, or is acknowledged, withdrawn or lost."""

    session_id: str
    number: int

    def __str__(self) -> str:
        return (
            f"no envelope {self.number} is unread in the inbox of session {self.session_id!r}; "
            "it was never put, or is over"
        )


@dataclass(eq=False)
class EnvelopeNotTaken(CommandRefused):
    """This generation has not taken the envelope.

    Attributes:
        number: the envelope.
        generation: the generation that was shown.
        taken_by: the generation that took it; None if none has.
    """

    session_id: str
    number: int
    generation: int
    taken_by: int | None

    def __str__(self) -> str:
        has = "nobody has taken it" if self.taken_by is None else f"generation {self.taken_by} took it"
        return (
            f"envelope {self.number} of session {self.session_id!r} was not taken by generation {self.generation}: "
            f"{has}; take it first"
        )


@dataclass(eq=False)
class WaitTimedOut(MunimentError):
    """Nothing came within the time that was to be waited.

    Attributes:
        session_id: the session whose inbox was waited for.
        timeout_s: how long, in seconds.
    """

    session_id: str
    timeout_s: float

    def __str__(self) -> str:
        return f"nothing came into the inbox of session {self.session_id!r} within {self.timeout_s} s; wait again"
