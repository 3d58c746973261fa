"""The idempotency keys of accepted commands that appended nothing, with what these commands answered.

A key goes with the event that says what its command answered. Where there is no such event, the key has a stream of its
own, ``key-<key>``, with one event that holds the answer. Nothing undoes it: a key that was used stays used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .artifacts import Counter, OwnershipCapability
from .delegation import DelegationOutcome
from .errors import InvalidArgument
from .event import Event, event_type
from .fragment import SessionFragment
from .identifiers import Identifier


@event_type("key.used")
class KeyUsed(Event[Any]):
    """A command that appended nothing used an idempotency key up. Its name and digest stand in the metadata.

    Attributes:
        key: the idempotency key.
        capability: the live capability, if that was the answer.
        delegation: the latest delegation, if that was the answer.
        fragments: the fragments that changed, if that was the answer: none of them.
        number: the number of the envelope that was put before, if that was the answer.
    """

    key: Identifier
    capability: OwnershipCapability | None = None
    delegation: DelegationOutcome | None = None
    fragments: tuple[SessionFragment, ...] | None = None
    number: Counter | None = None

    @classmethod
    def answering(cls, key: str, answer: object) -> KeyUsed:
        """The event for what a command answered, which is one of the above or None.

        Raises:
            InvalidArgument: it is something else, which the journal could not answer again.
        """
        if isinstance(answer, OwnershipCapability):
            return cls(key, capability=answer)
        if isinstance(answer, DelegationOutcome):
            return cls(key, delegation=answer)
        if isinstance(answer, tuple):
            return cls(key, fragments=answer)
        if type(answer) is int:
            return cls(key, number=answer)
        if answer is not None:
            problem = f"cannot keep an answer of type {type(answer).__name__} of a command that appends nothing"
            raise InvalidArgument("idempotency_key", problem)
        return cls(key)

    @property
    def outcome(self) -> object:
        found = (self.capability, self.delegation, self.fragments, self.number)
        return next((answer for answer in found if answer is not None), None)


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """Whether an idempotency key was used up in its own stream.

    Attributes:
        used: the event that says so; None before it.
    """

    used: KeyUsed | None


class KeyState:
    """One idempotency key's stream, folded: whether the key was used there.

    Attributes:
        key: the key.
        used: the event that says so; None before it.
    """

    __slots__ = ("key", "used")

    def __init__(self, key: str) -> None:
        self.key = key
        self.used: KeyUsed | None = None

    def apply(self, event: Event[Any]) -> None:
        """Take one event in. Events of other streams' types change nothing."""
        if isinstance(event, KeyUsed):
            self.used = event

    def standing(self, *, is_brief: bool = False) -> KeyStanding:
        """Whether it was used; there is nothing here that undoing restores."""
        return KeyStanding(self.used)
