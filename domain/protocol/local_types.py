"""Local types: what one role does in a session, step by step, as frozen values (``LocalTypeR``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from ..bounds import MAX_TYPE_DEPTH, MAX_TYPE_SIZE
from ..errors.base import MunimentError
from ..errors.input import BoundExceeded, InvalidArgument
from ..errors.protocol import InvalidLocalType
from ..identifiers import identifier
from ..shown import kind_of, shown
from ..value import several

Node: TypeAlias = dict[str, Any]
"""One node of a local type, which names the nodes below it by their places in a list."""


class LocalType:
    """What one role does from here on: ``End``, ``Var``, ``Mu``, ``Send`` or ``Recv``.

    Types are compared whole. As text, ``B!{offer(price). end}`` sends an offer to B, and ``B?{…}`` receives.

    Attributes:
        size: how many nodes it has.
        depth: how many of them stand above one another.
    """

    __slots__ = ("depth", "size")
    size: int
    depth: int

    def to_json(self) -> list[Node]:
        """The type as a list of nodes, each above those that it names by their places. The first is the whole.

        A list is as deep as any reader of JSON takes, however deep the type is.
        """
        return _nodes(self)

    @classmethod
    def from_json(cls, nodes: object) -> LocalType:
        """Read a type from such a list.

        Raises:
            InvalidLocalType: it is none.
            BoundExceeded: it has too many nodes, or too many above one another.
        """
        return _from_nodes(nodes)

    def __eq__(self, other: object) -> bool:
        # A type is compared by its nodes, since one may be deeper than Python calls itself.
        if not {type(self), type(other)} <= _KINDS.keys():
            return NotImplemented
        return self is other or _nodes(self) == _nodes(other)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[Callable[[object], LocalType], tuple[list[Node]]]:
        return LocalType.from_json, (_nodes(self),)

    def __str__(self) -> str:
        return "".join(_spelled(self, MAX_TYPE_SIZE))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {''.join(_spelled(self, 200))[:200]}>"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} is never changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} is never changed")

    def _measure(self, below: Iterable[LocalType]) -> None:
        parts = tuple(below)
        _set(self, "size", 1 + sum(part.size for part in parts))
        _set(self, "depth", 1 + max((part.depth for part in parts), default=0))
        require_bounds(self.size, self.depth)


def require_bounds(size: int, depth: int, what: str = "has") -> None:
    """A local type is no larger and no deeper than it may be.

    Raises:
        BoundExceeded
    """
    if size > MAX_TYPE_SIZE:
        raise BoundExceeded("local type", f"{what} {size} nodes; at most {MAX_TYPE_SIZE} are taken")
    if depth > MAX_TYPE_DEPTH:
        raise BoundExceeded("local type", f"{what} {depth} nodes above one another; at most {MAX_TYPE_DEPTH} are taken")


_set: Final = object.__setattr__


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class End(LocalType):
    """Nothing more is done."""

    def __post_init__(self) -> None:
        self._measure(())


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Var(LocalType):
    """Go on where the ``Mu`` of this name stands.

    Attributes:
        name: the name.
    """

    name: str

    def __post_init__(self) -> None:
        _set(self, "name", identifier("name", self.name))
        self._measure(())


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Mu(LocalType):
    """What is done over and over: in its body, a ``Var`` of its name begins it again.

    Attributes:
        name: the name.
        body: what is done.
    """

    name: str
    body: LocalType

    def __post_init__(self) -> None:
        _set(self, "name", identifier("name", self.name))
        self._measure((_local_type("body", self.body),))


@dataclass(frozen=True, slots=True)
class Branch:
    """One of the messages that may come next.

    Attributes:
        label: what the message is called.
        then: what is done after it.
        value_type: the type of the value that it carries; None if it carries none.
    """

    label: str
    then: LocalType
    value_type: str | None = None

    def __post_init__(self) -> None:
        _set(self, "label", identifier("label", self.label))
        _local_type("then", self.then)
        if self.value_type is not None:
            _set(self, "value_type", identifier("value_type", self.value_type))


class _Communication(LocalType):
    """A message goes to a partner, or comes from one.

    Args:
        partner: the other role.
        branches: the messages that it may be, each under a label of its own. In a mapping from label to what is done
            after it, none carries a value.
    """

    __slots__ = ("branches", "partner")
    partner: str
    branches: tuple[Branch, ...]

    def __init__(self, partner: str, branches: Mapping[str, LocalType] | Iterable[Branch]) -> None:
        given = _of_mapping(branches) if isinstance(branches, Mapping) else branches
        _set(self, "partner", identifier("partner", partner))
        _set(self, "branches", tuple(_branch(each) for each in several("branches", given, MAX_TYPE_SIZE)))
        if not self.branches:
            raise InvalidLocalType(f"no message goes between the role and {self.partner!r}; give it a branch")
        labels: set[str] = set()
        for branch in self.branches:
            if branch.label in labels:
                raise InvalidLocalType(f"the label {branch.label!r} stands twice in one choice")
            labels.add(branch.label)
        self._measure(branch.then for branch in self.branches)


class Send(_Communication):
    """The role chooses one of these messages, and sends it.

    Attributes:
        partner: the role that it goes to.
        branches: the messages, with what is done after each.
    """

    __slots__ = ()


class Recv(_Communication):
    """The role receives one of these messages, which the partner chose.

    Attributes:
        partner: the role that it comes from.
        branches: the messages, with what is done after each.
    """

    __slots__ = ()


def _of_mapping(branches: Mapping[str, LocalType]) -> list[Branch]:
    return [Branch(label, branches[label]) for label in several("branches", branches, MAX_TYPE_SIZE)]


def _branch(given: object) -> Branch:
    if type(given) is not Branch:
        raise InvalidArgument("branches", f"must be of type Branch, or map a label to a type, not {shown(given)}")
    return given


def _local_type(argument: str, given: object) -> LocalType:
    if type(given) not in _KINDS:
        raise InvalidArgument(argument, f"must be End, Var, Mu, Send or Recv, not {shown(given)}")
    local_type: LocalType = given  # type: ignore[assignment]
    if not all(type(getattr(local_type, name, None)) is int for name in LocalType.__slots__):
        raise InvalidArgument(argument, "is a broken local type: it was built past its checks")
    return local_type


def checked_type(argument: str, given: object) -> LocalType:
    """A copy of what a caller gave, as type or as its JSON, checked whole: it may have been built past its checks.

    Raises:
        InvalidArgument, InvalidLocalType, BoundExceeded
    """
    try:
        return _from_nodes(given if isinstance(given, list) else _nodes(_local_type(argument, given)))
    except MunimentError:
        raise
    except Exception as error:
        raise InvalidArgument(argument, f"is a broken local type: it raises {kind_of(error)}") from error


def _nodes(local_type: LocalType) -> list[Node]:
    """The nodes, each before those below it, in order."""
    nodes: list[Node] = []
    waiting: list[tuple[LocalType, Node, str]] = [(local_type, {}, "")]
    while waiting:
        part, above, name = waiting.pop()
        above[name] = len(nodes)
        if len(nodes) >= MAX_TYPE_SIZE:
            raise BoundExceeded("local type", f"has more than {MAX_TYPE_SIZE} nodes")
        node: Node = {"kind": _KINDS[type(_local_type("local type", part))]}
        nodes.append(node)
        match part:
            case Var():
                node["name"] = part.name
            case Mu():
                node["name"] = part.name
                waiting.append((part.body, node, "body"))
            case Send() | Recv():
                node["partner"] = part.partner
                branches = [(branch.then, _said(branch)) for branch in map(_branch, part.branches)]
                node["branches"] = [said for _, said in branches]
                waiting += [(then, said, "then") for then, said in reversed(branches)]
    return nodes


def _said(branch: Branch) -> Node:
    typed = {} if branch.value_type is None else {"value_type": branch.value_type}
    return {"label": branch.label, **typed}


def _from_nodes(given: object) -> LocalType:
    if not isinstance(given, list) or not 0 < len(given) <= MAX_TYPE_SIZE:
        raise InvalidLocalType(f"its JSON must be a list of 1 to {MAX_TYPE_SIZE} nodes")
    made: dict[int, LocalType] = {}

    def below(place: object, node: Node, name: str) -> LocalType:
        index = node.get(name)
        # Each node stands below one other, behind it: so there is no way round.
        if type(index) is not int or index not in made:
            raise InvalidLocalType(f"node {place} must name a node behind it that no other names, as {name!r}")
        return made.pop(index)

    for place in reversed(range(len(given))):
        node = given[place]
        builder = _BUILDERS.get(str(node.get("kind"))) if isinstance(node, dict) else None
        if builder is None:
            raise InvalidLocalType(f"node {place} must be an object of the kind end, var, mu, send or recv")
        made[place] = builder(node, partial(below, place))
    if len(made) != 1:
        raise InvalidLocalType(f"{len(made) - 1} of its nodes stand below no other")
    return made[0]


_Below: TypeAlias = Callable[[Node, str], LocalType]


def _fields(node: Node, *names: str, optional: str = "") -> tuple[Any, ...]:
    """The fields of a node, which has no others.

    Raises:
        InvalidLocalType: it has, or lacks one.
    """
    if not set(names) <= node.keys() <= {"kind", *names, optional}:
        raise InvalidLocalType(f"a node has the fields {sorted(map(str, node))}, and must have {sorted(names)}")
    return tuple(node[name] for name in names)


def _built_end(node: Node, below: _Below) -> LocalType:
    _fields(node)
    return End()


def _built_var(node: Node, below: _Below) -> LocalType:
    return Var(*_fields(node, "name"))


def _built_mu(node: Node, below: _Below) -> LocalType:
    name, _ = _fields(node, "name", "body")
    return Mu(name, below(node, "body"))


def _built_branches(node: Node, below: _Below) -> tuple[str, list[Branch]]:
    partner, branches = _fields(node, "partner", "branches")
    if not isinstance(branches, list) or not all(isinstance(each, dict) for each in branches):
        raise InvalidLocalType("branches must be a list of objects")
    built: list[Branch] = []
    for each in branches:
        label, _ = _fields(each, "label", "then", optional="value_type")
        built.append(Branch(label, below(each, "then"), each.get("value_type")))
    return partner, built


_BUILDERS: Final[Mapping[str, Callable[[Node, _Below], LocalType]]] = {
    "end": _built_end,
    "var": _built_var,
    "mu": _built_mu,
    "send": lambda node, below: Send(*_built_branches(node, below)),
    "recv": lambda node, below: Recv(*_built_branches(node, below)),
}
_KINDS: Final[Mapping[type, str]] = {End: "end", Var: "var", Mu: "mu", Send: "send", Recv: "recv"}


def _spelled(local_type: LocalType, most: int) -> Iterator[str]:
    """The text, piece by piece, of this many nodes: one that was built past its checks may go round in a circle."""
    waiting: list[LocalType | str] = [local_type]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, str) and (most := most - 1) < 0:
            return
        match part:
            case str():
                yield part
            case Var():
                yield part.name
            case Mu():
                yield f"μ {part.name}. "
                waiting.append(part.body)
            case Send() | Recv():
                yield f"{part.partner}{'!' if isinstance(part, Send) else '?'}{{"
                pieces: list[LocalType | str] = []
                for branch in part.branches:
                    typed = "" if branch.value_type is None else f"({branch.value_type})"
                    pieces += [f"{', ' if pieces else ''}{branch.label}{typed}. ", branch.then]
                waiting += ["}", *reversed(pieces)]
            case _:
                yield "end"
