"""Events, the decisions that lead to them, and the catalogue of their types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar, cast, dataclass_transform

from pydantic import Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from .effects import Effects
from .errors import MunimentError
from .value import VALUE, value_type

OutcomeT = TypeVar("OutcomeT")
ResultT = TypeVar("ResultT")
EventT = TypeVar("EventT", bound="Event[Any]")

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the stored data of one version of an event type into that of the next."""


class Event(Generic[OutcomeT]):
    """Something that happened. Immutable, and fat: it carries every artifact whole, so that nothing is looked up.

    Attributes:
        type: the type's stored name, with its version, such as ``session.ownership_claimed.v1``.
    """

    __slots__ = ()
    type: ClassVar[str]

    @property
    def outcome(self) -> OutcomeT:
        """What the command that appended this event answered; a repeat under an idempotency key answers it again."""
        raise NotImplementedError

    @property
    def effects(self) -> Effects | None:
        """What it changed in a session; None if that is nothing that a table or a law follows."""
        return None


class Fact(Event[None]):
    """An event whose command answers nothing."""

    __slots__ = ()

    @property
    def outcome(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with the stream that it goes to.

    Attributes:
        stream: the stream's name.
        event: the event.
        compensates: the id of the event that this one undoes; None if it undoes none.
    """

    stream: str
    event: Event[Any]
    compensates: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted(Generic[ResultT]):
    """A decision for the command: what it answers, and the events to append, if any.

    Attributes:
        result: what the command answers.
        events: what goes to the command's own stream; the last of them says what it answers.
        placed: what goes to other streams, before that and in the same append.
    """

    result: ResultT
    events: tuple[Event[Any], ...] = ()
    placed: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A decision against the command, on the record.

    Attributes:
        error: what to raise once the events are appended, if any.
        events: what goes to the command's own stream.
        placed: what goes to other streams, before that and in the same append.
    """

    error: MunimentError
    events: tuple[Event[Any], ...] = ()
    placed: tuple[Placed, ...] = ()


Decision: TypeAlias = Accepted[ResultT] | Refused
"""The outcome of a command. A command may also simply raise: it is refused, and nothing is recorded."""


def accept(event: Event[OutcomeT]) -> Accepted[OutcomeT]:
    """Decide for a command by one event, which also says what the command answers."""
    return Accepted(event.outcome, (event,))


class CatalogueError(Exception):
    """The catalogue of event types contradicts itself: a mistake in the program, found when it is imported."""


class Catalogue:
    """Event types by their stored names, and the upcasters that lead old versions to the newest.

    A stored name is only ever looked up here. It is never taken for a Python path, so an edited row cannot load code.
    """

    def __init__(self) -> None:
        self._classes: dict[str, type[Event[Any]]] = {}
        self._upcasters: dict[str, Upcaster] = {}

    def __iter__(self) -> Iterator[str]:
        """The current type names, sorted."""
        return iter(sorted(self._classes))

    def __getitem__(self, type_name: str) -> type[Event[Any]]:
        return self._classes[type_name]

    def add(self, event_class: type[Event[Any]], name: str, version: int) -> None:
        """Register a class as one version of an event type.

        Raises:
            CatalogueError: another class is registered under that name and version.
        """
        event_class.type = type_name = f"{name}.v{version}"
        if type_name in self._classes:
            raise CatalogueError(f"two classes claim the event type {type_name}")
        self._classes[type_name] = event_class

    def upcaster(self, name: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
        """Register the step from ``<name>.v<from_version>`` to the version after it."""

        def register(function: Upcaster) -> Upcaster:
            self._upcasters[f"{name}.v{from_version}"] = function
            return function

        return register

    def resolve(self, type_name: str) -> tuple[type[Event[Any]], tuple[Upcaster, ...]]:
        """Find the class that a stored name means today, and the upcasters on the way to it.

        Raises:
            KeyError: the name is not in the catalogue.
        """
        steps: list[Upcaster] = []
        current = type_name
        while current not in self._classes:
            steps.append(self._upcasters[current])
            current = _next_version(current)
        return self._classes[current], tuple(steps)

    def stored_names(self, type_name: str) -> tuple[str, ...]:
        """Every name that events of a type are stored under: in this version of it and in the others.

        Raises:
            KeyError: the name is not in the catalogue.
        """
        newest = self.resolve(type_name)[0].type
        name, version = _split(newest)
        return tuple(f"{name}.v{each}" for each in range(1, version + 1))

    def check(self) -> None:
        """Make sure that every version below a registered one leads up to it.

        Raises:
            CatalogueError: a step is missing, or leads nowhere.
        """
        for type_name in self._classes:
            name, version = _split(type_name)
            for old in range(1, version):
                if f"{name}.v{old}" not in self._upcasters:
                    raise CatalogueError(f"{name}.v{old} has no upcaster to v{old + 1}")
        for type_name in self._upcasters:
            try:
                self.resolve(type_name)
            except KeyError as missing:
                raise CatalogueError(f"the upcaster of {type_name} leads to the unknown {missing.args[0]}") from None

    def types(self) -> Mapping[str, type[Event[Any]]]:
        """The current event classes by type name."""
        return dict(self._classes)


def _split(type_name: str) -> tuple[str, int]:
    name, _, version = type_name.rpartition(".v")
    return name, int(version)


def _next_version(type_name: str) -> str:
    name, version = _split(type_name)
    return f"{name}.v{version + 1}"


CATALOGUE: Final = Catalogue()
"""Every event type that Muniment stores."""


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def event_type(name: str, version: int = 1, catalogue: Catalogue = CATALOGUE) -> Callable[[type[EventT]], type[EventT]]:
    """Make a class an event type: a frozen, checked value, stored as ``<name>.v<version>``.

    Args:
        name: the type's name without its version.
        version: the version that the class describes; every lower one needs an upcaster.
        catalogue: where to register it.
    """

    def register(cls: type[EventT]) -> type[EventT]:
        frozen = value_type()(cast(type[EventT], pydantic_dataclass(cls, frozen=True, slots=True, config=VALUE)))
        catalogue.add(frozen, name, version)
        return frozen

    return register
