"""Where the members of an upgrade run, and what lies between them (telltale 7.4)."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st
from muniment.domain import (
    InvalidArgument,
    MunimentError,
    Placement,
    RuntimeUpgradeRequest,
    TransportBoundary,
    UpgradeCompatibility,
    UpgradePlan,
    UpgradeStep,
    bundle,
)
from muniment.journal.testing import given_bundle

from .test_bundles import KNOWN, SEEDED

A, R, C = Placement.local("a"), Placement.remote("r", "tcp://r:1"), Placement.colocated("c", "a")


def step(*placements: Placement, members: str | None = None) -> UpgradeStep:
    names = [each.role for each in placements] if members is None else list(members)
    return UpgradeStep("1", frozenset(names), placements)


def request(made: UpgradeStep) -> RuntimeUpgradeRequest:
    free = UpgradeCompatibility(ownership_continuity_required=False)
    return RuntimeUpgradeRequest("u-1", UpgradePlan("plan", (made,)), free)


def reason_of(made: UpgradeStep) -> str:
    refused: Any = bundle.upgrade(given_bundle(KNOWN, SEEDED).state, request(made))
    assert refused.error.rule == "h"
    assert [event.type for event in refused.events] == ["bundle.upgrade_staged.v1", "bundle.upgrade_failed.v1"]
    return str(refused.error.reason)


def test_between_every_two_members_is_what_the_farther_one_needs() -> None:
    beside_remote = Placement.colocated("d", "r")
    found = step(R, beside_remote, C, A, Placement.local("b")).boundaries
    kinds = {(each.left, each.right): each.kind for each in found}
    assert list(kinds) == sorted(kinds)
    assert kinds == {
        ("a", "b"): "in_process",
        ("a", "c"): "shared_memory",
        ("b", "c"): "shared_memory",
        ("a", "d"): "network",
        ("a", "r"): "network",
        ("b", "d"): "network",
        ("b", "r"): "network",
        ("c", "d"): "network",
        ("c", "r"): "network",
        ("d", "r"): "network",
    }
    assert step().boundaries == step(A).boundaries == ()


def test_a_boundary_crosses_regions_if_both_are_known_and_differ() -> None:
    made = step(
        Placement.local("a", region="eu"),
        Placement.remote("b", "tcp://b:1", region="us"),
        Placement.colocated("c", "b"),
        Placement.local("d"),
        Placement.colocated("e", "d", region="us"),
    )
    crossing = {(each.left, each.right) for each in made.boundaries if each.crosses_regions}
    # What is colocated is in its peer's region; where that is not known, in its own.
    assert crossing == {("a", "b"), ("a", "c"), ("a", "e")}
    assert made.boundaries[0] == TransportBoundary("a", "b", "network", True)


BROKEN: dict[str, tuple[UpgradeStep, str]] = {
    "a member without one": (step(A, members="ab"), "'b' is a member and has no placement"),
    "one of nobody": (step(A, R, members="a"), "'r' has a placement and is no member"),
    "two of one": (step(A, Placement.remote("a", "x")), "'a' has two placements"),
    "remote without an endpoint": (step(Placement("a", "remote")), "has no endpoint"),
    "remote with a peer": (step(Placement("a", "remote", "x", "b"), Placement.local("b")), "is remote and has a peer"),
    "local with an endpoint": (step(Placement("a", "local", "x")), "is local and has an endpoint"),
    "local with a peer": (step(Placement("a", "local", peer="b"), Placement.local("b")), "is local and has a peer"),
    "colocated without a peer": (step(Placement("a", "colocated")), "has no peer"),
    "colocated with an endpoint": (step(Placement("c", "colocated", "x", "a"), A), "is colocated and has an endpoint"),
    "colocated with itself": (step(Placement.colocated("a", "a")), "'a' is colocated with itself"),
    "a missing peer": (step(Placement.colocated("a", "z")), "with 'z', which has no placement"),
    "a cycle": (
        step(Placement.colocated("a", "b"), Placement.colocated("b", "c"), Placement.colocated("c", "a")),
        "'a' is colocated with itself, through others",
    ),
    "a region that is not the peer's": (
        step(Placement.local("a", region="eu"), Placement.colocated("c", "a", region="us")),
        "declares region 'us', and its peer 'a' is in 'eu'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_contradicts_itself_breaks_rule_h(case: str) -> None:
    made, why = BROKEN[case]
    assert why in reason_of(made)


def test_what_cannot_be_resolved_has_no_boundaries() -> None:
    with pytest.raises(InvalidArgument, match="cannot be resolved: 'a' is colocated with 'z'"):
        assert step(Placement.colocated("a", "z")).boundaries


def test_they_are_kept_on_record_by_role() -> None:
    events: Any = given_bundle(KNOWN, SEEDED).when(bundle.upgrade, request(step(R, C, A))).accepted()
    for event in events:
        (kept,) = event.artifact.request.plan.steps
        assert kept.placements == (A, C, R)


def test_a_plan_may_say_nothing_of_them() -> None:
    silent = request(step(members="ab"))
    assert len(given_bundle(KNOWN, SEEDED).when(bundle.upgrade, silent).accepted()) == 3


def test_a_chain_is_as_long_as_there_are_members() -> None:
    names = [f"m-{number:03}" for number in range(1_000)]
    beside = [Placement.colocated(one, other) for one, other in pairwise(names)]
    made = step(*beside, Placement.remote(names[-1], "x", region="eu"))
    random.Random(1).shuffle(beside)
    assert len(given_bundle(KNOWN, SEEDED).when(bundle.upgrade, request(made)).accepted()) == 3
    assert made.boundaries[0] == (names[0], names[1], "network", False)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Placement("a", "elsewhere"),  # type: ignore[arg-type]
        lambda: Placement.remote("a", ""),
        lambda: Placement.local(5),  # type: ignore[arg-type]
        lambda: UpgradeStep("1", frozenset(), ("a",)),  # type: ignore[arg-type]
        lambda: UpgradeStep("1", frozenset(), tuple(Placement.local(str(number)) for number in range(1_001))),
    ],
)
def test_what_is_no_placement_is_refused(make: Any) -> None:
    with pytest.raises(MunimentError):
        make()


NAMES = "abcd"
PLACEMENTS = st.builds(
    Placement,
    role=st.sampled_from(NAMES),
    kind=st.sampled_from(["local", "remote", "colocated"]),
    endpoint=st.sampled_from([None, "x"]),
    peer=st.sampled_from([None, *NAMES]),
    region=st.sampled_from([None, "eu", "us"]),
)


@given(st.lists(PLACEMENTS, max_size=5), st.randoms())
def test_the_order_in_which_they_are_said_changes_nothing(placements: list[Placement], rng: random.Random) -> None:
    def told(given_: list[Placement]) -> Any:
        try:
            return step(*given_).boundaries
        except InvalidArgument:
            return None

    first = told(placements)
    decided: Any = bundle.upgrade(given_bundle(KNOWN, SEEDED).state, request(step(*placements)))
    # What is admitted can be resolved, and what cannot be resolved is not admitted.
    if placements:
        assert (first is not None) == hasattr(decided, "result")
    shuffled = list(placements)
    rng.shuffle(shuffled)
    assert told(shuffled) == first
    if first is not None:
        pairs = len({each.role for each in placements})
        assert len(first) == pairs * (pairs - 1) // 2
