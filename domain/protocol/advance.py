"""A step that a role took: what it did, and which state of its type it went to."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from ..artifacts import Counter
from ..identifiers import Identifier
from ..step import Direction, TypeStep
from ..value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class TypeAdvance:
    """A step of a role's local type, on record.

    Attributes:
        incarnation: the incarnation of the session.
        role: the role.
        direction: whether it sent or received.
        partner: the other role.
        label: what the message is called.
        value_type: the type of the value that it carried; None if it carried none.
        number: which of the role's steps this is, from 1. A number is never used again.
        previous: the number of the step that it follows; 0 for none.
        state_before: the state of the type before it; see ``Automaton``.
        state: the state after it.
    """

    incarnation: Counter
    role: Identifier
    direction: Direction
    partner: Identifier
    label: Identifier
    value_type: Identifier | None
    number: Counter
    previous: Counter
    state_before: Counter
    state: Counter

    @property
    def step(self) -> TypeStep:
        """What it did."""
        return TypeStep(self.direction, self.partner, self.label, self.value_type)
