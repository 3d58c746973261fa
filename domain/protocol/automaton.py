"""Which step a local type takes next: the type with its recursion resolved into states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from ..errors.protocol import InvalidLocalType
from ..step import Direction, TypeStep
from .local_types import LocalType, Node, checked_type, require_bounds


class Automaton:
    """The states that a local type goes through.

    A state is the place of a node in the type's JSON: of one that sends, receives or ends. There are as many as the
    type has such nodes, however often it goes round.

    Args:
        local_type: the type.

    Attributes:
        start: the state that the type begins in.

    Raises:
        InvalidArgument: it is no local type.
        InvalidLocalType: a variable is bound nowhere, or a recursion goes round without a message.
        BoundExceeded: the type that is left in some state has too many nodes, or too many above one another.
    """

    def __init__(self, local_type: LocalType) -> None:
        self._nodes: Final = checked_type("local_type", local_type).to_json()
        self._binders: Final[dict[int, int]] = {}
        self._above: Final[list[int]] = [-1] * len(self._nodes)
        self._bind()
        self._require_bounded()
        self.start: Final = self._state_at(0)
        self._steps: Final = {place: self._steps_from(node) for place, node in enumerate(self._nodes) if _acts(node)}

    @property
    def states(self) -> tuple[int, ...]:
        """Every state, in order."""
        return tuple(self._steps)

    def steps(self, state: int) -> Mapping[TypeStep, int]:
        """What may come next in a state, with the state that each leads to; nothing at the end.

        Raises:
            InvalidLocalType: there is no such state.
        """
        if state not in self._steps:
            raise InvalidLocalType(f"it has no state {state}")
        return MappingProxyType(self._steps[state])

    def all_steps(self) -> Iterator[TypeStep]:
        """Every step of every state."""
        return chain.from_iterable(self._steps.values())

    def type_at(self, state: int) -> LocalType:
        """The type that is left in a state, unfolded so that no variable is bound outside it.

        Raises:
            InvalidLocalType: there is no such state.
        """
        self.steps(state)
        return LocalType.from_json(self._closed(state))

    def _bind(self) -> None:
        """Find the recursion that every variable belongs to."""
        scopes: list[Mapping[str, int]] = [{}] * len(self._nodes)
        guards = [-1] * len(self._nodes)
        for place, node in enumerate(self._nodes):
            kind, scope = node["kind"], scopes[place]
            if kind == "var":
                if (binder := scope.get(node["name"])) is None:
                    raise InvalidLocalType(f"the variable {node['name']!r} is bound nowhere")
                if guards[place] < binder:
                    raise InvalidLocalType(f"the recursion {node['name']!r} goes round without a message")
                self._binders[place] = binder
            for below in _below(node):
                self._above[below] = place
                scopes[below] = {**scope, node["name"]: place} if kind == "mu" else scope
                guards[below] = place if kind in ("send", "recv") else guards[place]

    def _require_bounded(self) -> None:
        """Measure what is left in every state, where each variable stands for the recursion that it belongs to."""
        size, depth = [1] * len(self._nodes), [1] * len(self._nodes)
        for place in reversed(range(1, len(self._nodes))):
            above = self._above[place]
            size[above] += size[place]
            depth[above] = max(depth[above], depth[place] + 1)
        # Of recursions, the outer come first; by then it is known how large they are.
        for place, binder in sorted(self._binders.items(), key=lambda item: item[1]):
            more, below, distance = size[binder] - 1, depth[binder], 0
            while place > binder:
                size[place] += more
                depth[place] = max(depth[place], below + distance)
                place, distance = self._above[place], distance + 1
        for place, node in enumerate(self._nodes):
            if _acts(node):
                require_bounds(size[place], depth[place], "unfolds to")

    def _state_at(self, place: int) -> int:
        """The state that a node stands for."""
        while not _acts(node := self._nodes[place]):
            place = node["body"] if node["kind"] == "mu" else self._binders[place]
        return place

    def _steps_from(self, node: Node) -> dict[TypeStep, int]:
        direction = Direction.SEND if node["kind"] == "send" else Direction.RECEIVE
        return {
            TypeStep(direction, node["partner"], each["label"], each.get("value_type")): self._state_at(each["then"])
            for each in node.get("branches", ())
        }

    def _closed(self, start: int) -> list[Node]:
        """What is left at a place, as nodes: a variable that is bound outside it gives way to its recursion."""
        nodes: list[Node] = []
        whole: dict[str, Any] = {}
        waiting: list[tuple[int, frozenset[int], dict[str, Any], str]] = [(start, frozenset(), whole, "")]
        while waiting:
            place, bound, above, name = waiting.pop()
            if (binder := self._binders.get(place)) is not None and binder not in bound:
                place, bound = binder, frozenset()
            above[name] = len(nodes)
            node = dict(self._nodes[place])
            nodes.append(node)
            if node["kind"] == "mu":
                waiting.append((node["body"], bound | {place}, node, "body"))
            elif "branches" in node:
                node["branches"] = [dict(each) for each in node["branches"]]
                waiting += [(each["then"], bound, each, "then") for each in reversed(node["branches"])]
        return nodes


def unfold(local_type: LocalType) -> LocalType:
    """The type with the recursions that it begins with unfolded once, so that it says what comes next.

    Raises:
        InvalidArgument: it is no local type.
        InvalidLocalType: a variable is bound nowhere, or a recursion goes round without a message.
        BoundExceeded: it unfolds to too many nodes, or to too many above one another.
    """
    automaton = Automaton(local_type)
    return automaton.type_at(automaton.start)


def _acts(node: Node) -> bool:
    return node["kind"] in ("send", "recv", "end")


def _below(node: Node) -> list[int]:
    if node["kind"] == "mu":
        return [node["body"]]
    return [each["then"] for each in node.get("branches", ())]
