"""The root of the tree, its branches, and the errors that stand by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, ClassVar, Final

from ..shown import shown, visible

MAX_MESSAGE_LENGTH: Final = 4_000
"""How long an error's message may be, in characters; the error's facts are never cut."""


@dataclass(eq=False)
class MunimentError(Exception):
    """The base of every error that Muniment raises on purpose.

    Attributes:
        code: the error's stable name, for programs; the class name in snake case.
    """

    code: ClassVar[str] = "muniment_error"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.__repr__ = _safe(_represented)  # type: ignore[method-assign]
        if "__str__" in vars(cls):
            cls.__str__ = _safe(cls.__str__)  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        # Exceptions are pickled by their args, and a process pool pickles them.
        super().__init__(*self.facts().values())

    def facts(self) -> dict[str, object]:
        """The error's attributes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def advice(self) -> str:
        """What to do about it, for a program in Python; the message ends with it. Empty if it depends."""
        return ""


def _represented(error: Any) -> str:
    return f"{type(error).__name__}({', '.join(f'{name}={fact!r}' for name, fact in error.facts().items())})"


def _safe(say: Callable[[Any], str]) -> Callable[[Any], str]:
    """Make an error's message safe whatever its facts are, and bounded in length."""

    @wraps(say)
    def said(self: Any) -> str:
        try:
            message = visible(say(self))
        except Exception:
            message = f"{self.code}: " + ", ".join(f"{name} {shown(fact)}" for name, fact in self.facts().items())
        return message if len(message) <= MAX_MESSAGE_LENGTH else f"{message[: MAX_MESSAGE_LENGTH - 1]}…"

    return said


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
        return f"{self.stream} has the {self.most} {self.what} that it may have; end some of them, or use another"


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
        differences: what differs from its first use: ``command``, ``stream``, or arguments by name.
    """

    idempotency_key: str
    event_id: str
    differences: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"idempotency key {self.idempotency_key!r} stands for the command that event {self.event_id} answered, "
            f"and this is another: {_differing(self.differences)}; {self.advice}"
        )

    @property
    def advice(self) -> str:
        return f"journal.outcome({self.idempotency_key!r}) is the record of what the key brought about"


def _differing(names: tuple[str, ...]) -> str:
    return f"what differs is the {' and the '.join(names)}" if names else "its arguments differ"
