"""The root of the tree, its branches, and the errors that stand by themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import ClassVar


@dataclass(eq=False)
class MunimentError(Exception):
    """The base of every error that Muniment raises on purpose.

    Attributes:
        code: the error's stable name, for programs; the class name in snake case.
    """

    code: ClassVar[str] = "muniment_error"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __post_init__(self) -> None:
        # Exceptions are pickled by their args, and a process pool pickles them.
        super().__init__(*self.facts().values())

    def facts(self) -> dict[str, object]:
        """The error's attributes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class CommandRefused(MunimentError):
    """A command was well formed, but the state of its stream does not permit it."""


@dataclass(eq=False)
class LimitReached(CommandRefused):
    """A stream holds as much of something as it may; see ``docs/bounds.md``.

    Attributes:
        stream: where, such as ``session 's-42'``.
        what: what there is so much of.
        most: how much there may be.
    """

    stream: str
    what: str
    most: int

    def __str__(self) -> str:
        return f"{self.stream} may have {self.most} {self.what}, and has them; end some of them, or use another"


class InvalidInput(MunimentError):
    """An argument is wrong whatever the journal holds; nothing was read or written for it."""


class JournalError(MunimentError):
    """The journal itself, its file or one of its records, cannot be used as asked."""


@dataclass(eq=False)
class ConcurrencyConflict(MunimentError):
    """Other writers appended to the stream first, at every attempt.

    Attributes:
        stream: the contended stream.
        attempts: how often the command was decided and lost.
    """

    stream: str
    attempts: int

    def __str__(self) -> str:
        return f"stream {self.stream!r} was changed by others {self.attempts} times in a row; try again"


@dataclass(eq=False)
class IdempotencyConflict(MunimentError):
    """An idempotency key was used before, for another command or other arguments.

    Attributes:
        idempotency_key: the key.
        event_id: the event that its first use appended.
    """

    idempotency_key: str
    event_id: str

    def __str__(self) -> str:
        return (
            f"idempotency key {self.idempotency_key!r} was used for another command or other arguments "
            f"(event {self.event_id}); use a new key"
        )
