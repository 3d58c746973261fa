"""Session plans as values, the edges that they name, and edges read from JSON."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from muniment.domain import BoundExceeded, InvalidArgument, InvalidIdentifier
from muniment.domain.bounds import MAX_PLAN_BYTES, MAX_ROLES
from muniment.domain.errors.protocol import InvalidEdge, InvalidLocalType
from muniment.domain.protocol import (
    DEFAULT_HANDLER,
    Automaton,
    Branch,
    Edge,
    End,
    LocalType,
    Mu,
    PlannedEdge,
    Recv,
    Send,
    SessionPlan,
    Var,
    decode_edge,
    unfold,
)
from pydantic import TypeAdapter, ValidationError

from ..protocols import plans

END = End()
STORED: TypeAdapter[SessionPlan] = TypeAdapter(SessionPlan)
BUYER = Mu("x", Send("seller", {"ask": Recv("seller", {"price": Var("x"), "gone": Send("bank", {"close": END})})}))
SELLER = Recv("buyer", {"ask": END})
SHOP = SessionPlan(("seller", "buyer", "bank"), (("buyer", BUYER), ("seller", SELLER), ("bank", END)))


def ways(role: str, local_type: LocalType) -> Iterator[tuple[str, str]]:
    """Who sends to whom, wherever the syntax says so."""
    match local_type:
        case Mu():
            yield from ways(role, local_type.body)
        case Send() | Recv():
            partner = local_type.partner
            yield (role, partner) if isinstance(local_type, Send) else (partner, role)
            for branch in local_type.branches:
                yield from ways(role, branch.then)


@given(plans())
def test_the_edges_are_those_that_the_types_spell_out(plan: SessionPlan) -> None:
    spelled = {way for role, local_type in plan.types for way in ways(role, local_type)}
    assert {(edge.sender, edge.receiver) for edge in plan.edges} == spelled
    assert list(plan.edges) == sorted(set(plan.edges))
    for edge in plan.edges:
        assert (plan.roles[edge.sender_id], plan.roles[edge.receiver_id]) == (edge.sender, edge.receiver)
    everybody = (*plan.roles, "nobody")
    assert {(one, other) for one in everybody for other in everybody if plan.has_edge(one, other)} == spelled


@given(plans())
def test_a_plan_knows_its_roles_by_number_and_what_they_begin_with(plan: SessionPlan) -> None:
    assert [plan.role_ids[role] for role in plan.roles] == list(range(len(plan.roles)))
    assert [role for role in plan.roles if role in dict(plan.types)] == [role for role, _ in plan.types]
    beginning = tuple(role for role, local_type in plan.types if unfold(local_type) != END)
    assert plan.roles_at_branch == beginning
    for role in (*plan.roles, "nobody"):
        planned = plan.type_of(role)
        original = dict(plan.types).get(role)
        assert planned == (None if original is None else (unfold(original), original))


@given(plans())
def test_a_plan_is_read_back_as_it_was(plan: SessionPlan) -> None:
    stored = STORED.dump_json(plan)
    # What a plan has been asked for makes it no other plan.
    assert plan.edges is plan.edges
    for other in (
        STORED.validate_json(stored),
        pickle.loads(pickle.dumps(plan)),
        copy.copy(plan),
        copy.deepcopy(plan),
        SessionPlan(plan.roles, dict(reversed(plan.types))),
    ):
        assert (other, hash(other), repr(other)) == (plan, hash(plan), repr(plan))
        assert STORED.dump_json(other) == stored
        assert other.edges == plan.edges


def test_a_plan_tells_what_it_is() -> None:
    assert SHOP.edges == (
        PlannedEdge(0, 1, "seller", "buyer"),
        PlannedEdge(1, 0, "buyer", "seller"),
        PlannedEdge(1, 2, "buyer", "bank"),
    )
    assert SHOP.roles_at_branch == ("seller", "buyer")
    assert list(SHOP.automata) == ["seller", "buyer", "bank"]
    assert repr(SHOP).startswith(f"<SessionPlan of seller, buyer, bank; seller: {SELLER}, buyer: μ x. seller!")
    assert SessionPlan(("seller", "buyer", "bank")).edges == ()
    assert SessionPlan(SHOP.roles[::-1], SHOP.types) != SHOP


def test_a_plan_is_never_changed() -> None:
    for name in ("roles", "types"):
        with pytest.raises(AttributeError):
            setattr(SHOP, name, ())


@pytest.mark.parametrize(
    ("local_type", "problem"),
    [
        (Send("A", {"go": END}), "'A' exchanges 'go' with itself"),
        (Mu("x", Recv("B", {"go": Recv("A", {"back": Var("x")})})), "'A' exchanges 'back' with itself"),
        (Send("B", {"go": Send("Z", {"on": END})}), "'A' exchanges 'on' with 'Z', which is none"),
        (Send("B", {"go": Var("x")}), "'x' is bound nowhere"),
        (Mu("x", Var("x")), "goes round without a message"),
    ],
)
def test_a_plan_takes_no_type_that_makes_no_sense_in_it(local_type: LocalType, problem: str) -> None:
    with pytest.raises(InvalidLocalType, match=problem):
        SessionPlan(("A", "B"), (("A", local_type),))
    with pytest.raises(InvalidLocalType, match=problem):
        STORED.validate_json(json.dumps({"roles": ["A", "B"], "types": {"A": local_type.to_json()}}))


def test_every_type_is_of_one_role_that_is_there() -> None:
    with pytest.raises(InvalidLocalType, match="'Z', which is none"):
        SessionPlan(("A", "B"), (("Z", END),))
    with pytest.raises(InvalidArgument, match="every role once"):
        SessionPlan(("A", "B"), (("A", END), ("A", END)))
    with pytest.raises(InvalidArgument, match="must be distinct"):
        SessionPlan(("A", "B", "A"))


@pytest.mark.parametrize("roles", [None, 7, "AB", (7,), ("",), ("x" * 10_000,), ("a\nb",)])
def test_roles_are_names(roles: Any) -> None:
    with pytest.raises((InvalidArgument, InvalidIdentifier)) as caught:
        SessionPlan(roles)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "types", [None, 7, "AB", ("A",), (("A",),), (("A", None),), ((7, END),), {"A": "end"}, {"A": object.__new__(Send)}]
)
def test_types_map_roles_to_types(types: Any) -> None:
    with pytest.raises((InvalidArgument, InvalidIdentifier)) as caught:
        SessionPlan(("A", "B"), types)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "stored",
    [
        {"types": {}},
        {"roles": ["A", "B"], "types": {}, "more": 1},
        {"roles": ["A", "B"], "types": {"A": [{"kind": "end"}, {"kind": "end"}]}},
        {"roles": ["A", "A"], "types": {}},
    ],
)
def test_other_json_is_no_plan(stored: object) -> None:
    with pytest.raises((ValidationError, InvalidLocalType, InvalidArgument)):
        STORED.validate_json(json.dumps(stored))


def test_a_plan_copies_a_type_that_is_changed_behind_its_back() -> None:
    given = Send("B", {"go": END})
    plan = SessionPlan(("A", "B"), (("A", given),))
    object.__setattr__(given, "branches", (Branch("go", given),))
    assert plan.type_of("A") == (Send("B", {"go": END}),) * 2
    with pytest.raises(BoundExceeded):
        SessionPlan(("A", "B"), (("A", given),))


def test_a_plan_has_at_most_so_many_roles_and_bytes() -> None:
    with pytest.raises(BoundExceeded, match="65535"):
        SessionPlan(tuple(map(str, range(MAX_ROLES + 1))))
    with pytest.raises(BoundExceeded):
        SessionPlan(f"role {number}" for number in count())
    with pytest.raises(BoundExceeded, match=f"at most {MAX_PLAN_BYTES}"):
        SessionPlan(tuple(f"{number} {'x' * 190}" for number in range(2_000)))


def test_one_large_type_for_many_roles_is_refused_before_each_is_looked_at() -> None:
    large = Send("0", {f"go {number}": END for number in range(5_000)})
    roles = tuple(map(str, range(10_000)))
    with pytest.raises(BoundExceeded, match=str(MAX_PLAN_BYTES)):
        SessionPlan(roles, tuple((role, large) for role in roles))


@given(plans())
def test_the_automata_are_those_of_the_types(plan: SessionPlan) -> None:
    for role, local_type in plan.types:
        here, there = plan.automata[role], Automaton(local_type)
        assert (here.start, here.states) == (there.start, there.states)
        assert [here.steps(state) for state in here.states] == [there.steps(state) for state in there.states]


EDGE = Edge("s-1", "A", "B")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (EDGE.to_json(), None),
        (EDGE.to_json(), "s-2"),
        ({"sender": "A", "receiver": "B"}, "s-1"),
        ({"session_id": None, "sender": "A", "receiver": "B"}, "s-1"),
    ],
)
def test_an_edge_is_of_the_session_that_it_says_or_else_of_the_hinted_one(value: object, hint: str | None) -> None:
    assert decode_edge(value, hint) == EDGE


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "must be an object"),
        ([], "must be an object"),
        ("A to B", "must be an object"),
        (EDGE, "must be an object"),
        ({}, "lacks session_id, sender, receiver"),
        ({"sender": "A", "receiver": "B"}, "lacks session_id"),
        ({"session_id": "s-1", "receiver": "B"}, "lacks sender"),
        ({"session_id": "s-1", "sender": "A", "receiver": None}, "lacks receiver"),
        ({**EDGE.to_json(), "more": 1}, "has 'more' as well"),
        ({**EDGE.to_json(), "sender": 7}, "sender must be a string, not 7"),
        ({**EDGE.to_json(), "receiver": ""}, "receiver must not be empty"),
        ({**EDGE.to_json(), "session_id": "x" * 10_000}, "session_id has 10000 characters"),
    ],
)
def test_what_is_no_edge_says_what_is_wrong(value: object, problem: str) -> None:
    with pytest.raises(InvalidEdge, match=problem) as caught:
        decode_edge(value)
    assert len(str(caught.value)) < 250


def test_a_hint_is_a_name_too() -> None:
    with pytest.raises(InvalidEdge, match="session_id must be a string"):
        decode_edge({"sender": "A", "receiver": "B"}, 7)  # type: ignore[arg-type]


def test_edges_are_values() -> None:
    assert str(EDGE) == "A to B"
    assert sorted([Edge("s-2", "A", "B"), Edge("s-1", "B", "A"), EDGE])[0] == EDGE
    assert pickle.loads(pickle.dumps(EDGE)) == EDGE
    assert DEFAULT_HANDLER == "default_handler"
    with pytest.raises(InvalidArgument):
        Edge("s-1", "A", "")
    with pytest.raises(AttributeError):
        EDGE.sender = "C"  # type: ignore[misc]
