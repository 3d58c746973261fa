"""What refuses a command because of the task or thread that gives it (aura 1.3, 1.4)."""

from __future__ import annotations

from dataclasses import dataclass

from .base import CommandRefused


class RuntimeBoundaryError(CommandRefused):
    """A session was to be driven from a task or thread that does not run it."""


@dataclass(eq=False)
class TaskAlreadyBound(RuntimeBoundaryError):
    """The task or thread runs another session, or another one runs this session (aura 2.2).

    Attributes:
        session_id: the session that is bound.
        binding: what it is bound to.
    """

    session_id: str
    binding: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} is bound to {self.binding}; end it, leave its block, or rebind it"


@dataclass(eq=False)
class MissingTaskBinding(RuntimeBoundaryError):
    """The task or thread runs no session (aura 2.16).

    Attributes:
        binding: the task, thread or name that is bound to none.
    """

    binding: str

    def __str__(self) -> str:
        return f"{self.binding} runs no session; start one in it, enter sessions.bound(...), or rebind one to it"


@dataclass(eq=False)
class SessionBindingMismatch(RuntimeBoundaryError):
    """The task or thread runs another session (aura 2.16).

    Attributes:
        expected_session_id: the session that was to be driven.
        bound_session_id: the session that the task or thread runs.
        binding: the task, thread or name.
    """

    expected_session_id: str
    bound_session_id: str
    binding: str

    def __str__(self) -> str:
        return (
            f"session {self.expected_session_id!r} is not run by {self.binding}, which runs "
            f"{self.bound_session_id!r}; rebind it first"
        )
