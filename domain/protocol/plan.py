"""Session plans: the roles of a protocol, what each does, and which way messages go (``SessionOpenPlan``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeAlias

from pydantic import BeforeValidator, PlainSerializer
from pydantic.dataclasses import dataclass

from ..bounds import MAX_PLAN_BYTES, MAX_ROLES
from ..errors.input import BoundExceeded, InvalidArgument
from ..errors.protocol import InvalidLocalType
from ..identifiers import identifier, role_names
from ..shown import shown
from ..value import VALUE, require_size, several, value_type
from .automaton import Automaton
from .local_types import LocalType, checked_type


class PlannedEdge(NamedTuple):
    """A way that messages go.

    Attributes:
        sender_id: the number of the role that sends.
        receiver_id: the number of the role that receives.
        sender: the role that sends.
        receiver: the role that receives.
    """

    sender_id: int
    receiver_id: int
    sender: str
    receiver: str


class PlannedType(NamedTuple):
    """What a role does (``TypeEntry``).

    Attributes:
        current: what it does from here on, unfolded, so that it says what comes next.
        original: the whole of it.
    """

    current: LocalType
    original: LocalType


_LEAST_NODE_BYTES: Final = len('{"kind":"end"}')


def _types(value: object) -> tuple[tuple[str, LocalType], ...]:
    if isinstance(value, Mapping):
        value = tuple(value.items())
    pairs = tuple(several("types", value, MAX_ROLES))
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise InvalidArgument("types", f"must map roles to local types, not be {shown(value)}")
    return tuple(_within_plan((identifier("role", role), each) for role, each in pairs))


def _within_plan(pairs: Iterable[tuple[str, object]]) -> Iterator[tuple[str, LocalType]]:
    """The types, checked, for as long as they fit: one type may be given for many roles, and every node takes bytes."""
    size = 0
    for role, given in pairs:
        local_type = checked_type(f"the type of {role}", given)
        if (size := size + local_type.size) * _LEAST_NODE_BYTES > MAX_PLAN_BYTES:
            raise BoundExceeded("plan", f"takes more than {MAX_PLAN_BYTES} bytes of JSON")
        yield role, local_type


_Roles: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(role_names)]
_Types: TypeAlias = Annotated[
    tuple[tuple[str, Any], ...], BeforeValidator(_types), PlainSerializer(lambda types: dict(_stored(types)))
]
"""Stored by role, each type as its list of nodes."""


def _stored(types: Iterable[tuple[str, LocalType]]) -> Iterable[tuple[str, Any]]:
    return ((role, local_type.to_json()) for role, local_type in types)


@value_type()
@dataclass(frozen=True, config=VALUE)
class SessionPlan:
    """A protocol that any number of sessions can be opened with.

    Unlike the reference's, it takes no type that names a role which is not there, and none that talks to itself: the
    reference leaves out such an edge in silence.

    Attributes:
        roles: the roles, in order; distinct. A role's number is its place.
        types: the roles with a local type, in the order of the roles, with that type. A mapping is taken too.
    """

    roles: _Roles
    types: _Types = ()

    if TYPE_CHECKING:
        # What it takes is wider than what it holds.
        def __init__(
            self, roles: Iterable[str], types: Mapping[str, LocalType] | Iterable[tuple[str, LocalType]] = ()
        ) -> None: ...

    def __post_init__(self) -> None:
        places = {role: place for place, role in enumerate(self.roles)}
        for role, _ in self.types:
            if role not in places:
                raise InvalidLocalType(f"it is of {role!r}, which is none of the plan's roles")
        object.__setattr__(self, "types", tuple(sorted(self.types, key=lambda item: places[item[0]])))
        if len(dict(self.types)) < len(self.types):
            raise InvalidArgument("types", "must name every role once")
        require_size("plan", [self.roles, *_stored(self.types)], MAX_PLAN_BYTES)
        for role, automaton in self.automata.items():
            for step in automaton.all_steps():
                if step.partner == role:
                    raise InvalidLocalType(f"role {role!r} exchanges {step.label!r} with itself")
                if step.partner not in places:
                    said = f"role {role!r} exchanges {step.label!r} with {step.partner!r}"
                    raise InvalidLocalType(f"{said}, which is none of the plan's roles")

    @property
    def automata(self) -> Mapping[str, Automaton]:
        """By role, the states that its type goes through."""
        return MappingProxyType(self._automata)

    @property
    def role_ids(self) -> Mapping[str, int]:
        """By role, its number, from 0."""
        return MappingProxyType(self._role_ids)

    @cached_property
    def _automata(self) -> dict[str, Automaton]:
        return {role: Automaton(local_type) for role, local_type in self.types}

    @cached_property
    def _role_ids(self) -> dict[str, int]:
        return {role: place for place, role in enumerate(self.roles)}

    @cached_property
    def edges(self) -> tuple[PlannedEdge, ...]:
        """Every way that messages go in some branch or other, by the numbers of its roles; never back to its sender."""
        found: set[tuple[int, int]] = set()
        for role, automaton in self.automata.items():
            here = self.role_ids[role]
            for step in automaton.all_steps():
                there = self.role_ids[step.partner]
                found.add((here, there) if step.direction == "send" else (there, here))
        return tuple(PlannedEdge(*ids, *(self.roles[place] for place in ids)) for ids in sorted(found))

    @property
    def roles_at_branch(self) -> tuple[str, ...]:
        """The roles that begin with a message, sent or received, in order; not those that do nothing."""
        return tuple(role for role, automaton in self.automata.items() if automaton.steps(automaton.start))

    def type_of(self, role: str) -> PlannedType | None:
        """What a role does from the beginning; None if the plan has no type for it."""
        automaton = self.automata.get(role)
        if automaton is None:
            return None
        return PlannedType(automaton.type_at(automaton.start), dict(self.types)[role])

    def has_edge(self, sender: str, receiver: str) -> bool:
        """Whether messages go from one role to another."""
        # What is no plain text may raise where it is looked up, and names no role.
        return type(sender) is type(receiver) is str and (sender, receiver) in self._edge_names

    @cached_property
    def _edge_names(self) -> frozenset[tuple[str, str]]:
        return frozenset((edge.sender, edge.receiver) for edge in self.edges)

    def __repr__(self) -> str:
        types = ", ".join(f"{role}: {local_type}" for role, local_type in self.types)
        return f"<SessionPlan of {', '.join(self.roles)}; {types}>"[:400]
