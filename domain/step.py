"""One step of a protocol: a message that a role sends or receives."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Direction(StrEnum):
    """Which way a message of a step goes."""

    SEND = "send"
    RECEIVE = "receive"


class TypeStep(NamedTuple):
    """A message that a role sends or receives.

    Attributes:
        direction: whether it is sent or received.
        partner: the other role.
        label: what the message is called.
        value_type: the type of the value that it carries; None if it carries none.
    """

    direction: Direction
    partner: str
    label: str
    value_type: str | None = None

    def __str__(self) -> str:
        verb, way = ("send", "to") if self.direction is Direction.SEND else ("receive", "from")
        typed = "" if self.value_type is None else f" with a value of type {self.value_type!r}"
        return f"{verb} {self.label!r} {way} {self.partner!r}{typed}"
