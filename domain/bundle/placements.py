"""Where the members of an upgrade step run, and what lies between them (telltale 7.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal, NamedTuple, Self

from pydantic.dataclasses import dataclass

from ..errors import InvalidArgument
from ..identifiers import Identifier
from ..value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Placement:
    """Where one member of an upgrade step runs (telltale 7.4). Use ``local``, ``remote`` or ``colocated``.

    Attributes:
        role: the member.
        kind: in this process, at an endpoint, or beside another member.
        endpoint: where it is reached; of a remote one only.
        peer: the member that it runs beside; of a colocated one only.
        region: the region that it runs in; None if that is not said. A colocated one is in its peer's.
    """

    role: Identifier
    kind: Literal["local", "remote", "colocated"]
    endpoint: Identifier | None = None
    peer: Identifier | None = None
    region: Identifier | None = None

    @classmethod
    def local(cls, role: str, *, region: str | None = None) -> Self:
        """A member that runs in this process."""
        return cls(role, "local", region=region)

    @classmethod
    def remote(cls, role: str, endpoint: str, *, region: str | None = None) -> Self:
        """A member that is reached at an endpoint."""
        return cls(role, "remote", endpoint, region=region)

    @classmethod
    def colocated(cls, role: str, peer: str, *, region: str | None = None) -> Self:
        """A member that runs beside another one."""
        return cls(role, "colocated", peer=peer, region=region)


class TransportBoundary(NamedTuple):
    """What lies between two members of an upgrade step (telltale 7.4).

    Attributes:
        left: one member, the first of the two by name.
        right: the other.
        kind: the network, if either is remote; otherwise shared memory, if either is colocated; otherwise nothing but
            the process.
        crosses_regions: whether both regions are known, and differ.
    """

    left: str
    right: str
    kind: Literal["in_process", "shared_memory", "network"]
    crosses_regions: bool


class _Resolved(NamedTuple):
    is_remote: bool
    is_colocated: bool
    region: str | None


class _Unplaceable(Exception):
    """The placements contradict themselves or each other; the message says how."""


def in_order(placements: Sequence[Placement]) -> tuple[Placement, ...]:
    """Placements in the order in which they are recorded: by role."""
    return tuple(sorted(placements, key=lambda each: each.role))


def problem_with(placements: Sequence[Placement], members: frozenset[str]) -> str | None:
    """Why placements are not those of these members, or contradict each other; None if nothing is wrong."""
    try:
        placed = frozenset(_resolved(placements))
    except _Unplaceable as problem:
        return str(problem)
    if missing := sorted(members - placed):
        return f"{missing[0]!r} is a member and has no placement"
    if others := sorted(placed - members):
        return f"{others[0]!r} has a placement and is no member"
    return None


def boundaries(placements: Sequence[Placement]) -> Iterator[TransportBoundary]:
    """What lies between every two placed members, by their names.

    Raises:
        InvalidArgument: the placements contradict themselves or each other.
    """
    try:
        resolved = _resolved(placements)
    except _Unplaceable as problem:
        raise InvalidArgument("placements", f"cannot be resolved: {problem}") from None
    for left, right in combinations(sorted(resolved), 2):
        one, other = resolved[left], resolved[right]
        kind: Literal["in_process", "shared_memory", "network"] = "in_process"
        if one.is_remote or other.is_remote:
            kind = "network"
        elif one.is_colocated or other.is_colocated:
            kind = "shared_memory"
        crosses = None not in (one.region, other.region) and one.region != other.region
        yield TransportBoundary(left, right, kind, crosses)


def _resolved(placements: Sequence[Placement]) -> dict[str, _Resolved]:
    """Where each member runs in the end, by its name; a colocated one runs where its peer does."""
    given: dict[str, Placement] = {}
    for placement in in_order(placements):
        if placement.role in given:
            raise _Unplaceable(f"{placement.role!r} has two placements")
        _require_shape(placement)
        given[placement.role] = placement
    found: dict[str, _Resolved] = {}
    for role in given:
        # From the last peer back: a chain may be as long as there are members.
        for each in reversed(_chain(role, given, found)):
            found[each] = _beside(given[each], found)
    return found


def _chain(role: str, given: dict[str, Placement], found: dict[str, _Resolved]) -> list[str]:
    """A member, its peer, that one's peer and so on, as far as it is not known where they run."""
    chain: dict[str, None] = {}
    following: str | None = role
    while following is not None and following not in found:
        if following in chain:
            raise _Unplaceable(f"{following!r} is colocated with itself, through others")
        chain[following] = None
        peer = given[following].peer
        if peer is not None and peer not in given:
            raise _Unplaceable(f"{following!r} is colocated with {peer!r}, which has no placement")
        following = peer
    return list(chain)


def _beside(placement: Placement, found: dict[str, _Resolved]) -> _Resolved:
    if placement.peer is None:
        return _Resolved(placement.kind == "remote", False, placement.region)
    peer = found[placement.peer]
    if placement.region is not None and peer.region is not None and placement.region != peer.region:
        raise _Unplaceable(
            f"{placement.role!r} declares region {placement.region!r}, and its peer {placement.peer!r} is in "
            f"{peer.region!r}"
        )
    return _Resolved(peer.is_remote, True, placement.region if peer.region is None else peer.region)


def _require_shape(placement: Placement) -> None:
    """What a placement says is what its kind needs, and no more."""
    role, kind = placement.role, placement.kind
    if kind == "remote" and placement.endpoint is None:
        raise _Unplaceable(f"{role!r} is remote and has no endpoint")
    if kind == "colocated" and placement.peer is None:
        raise _Unplaceable(f"{role!r} is colocated and has no peer")
    if placement.peer == role:
        raise _Unplaceable(f"{role!r} is colocated with itself")
    if kind != "remote" and placement.endpoint is not None:
        raise _Unplaceable(f"{role!r} is {kind} and has an endpoint")
    if kind != "colocated" and placement.peer is not None:
        raise _Unplaceable(f"{role!r} is {kind} and has a peer")
