"""Local types as values, and the automaton that says which step comes next."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given, strategies as st
from muniment.domain import BoundExceeded, InvalidArgument, InvalidIdentifier
from muniment.domain.bounds import MAX_TYPE_DEPTH, MAX_TYPE_SIZE
from muniment.domain.errors.protocol import InvalidLocalType
from muniment.domain.protocol import (
    Automaton,
    Branch,
    Direction,
    End,
    LocalType,
    Mu,
    Recv,
    Send,
    TypeStep,
    Var,
    unfold,
)

from ..protocols import local_types

END = End()
TYPES = local_types(("B", "C"))
OFFER = Mu("x", Send("B", [Branch("offer", Recv("B", {"more": Var("x"), "deal": END}), "price")]))


def chain(length: int, last: LocalType = END) -> LocalType:
    """So many messages one after another."""
    for _ in range(length):
        last = Send("B", {"go": last})
    return last


def loops(variables: int) -> LocalType:
    """A recursion that begins again after each of so many messages."""
    return Mu("x", Send("B", {f"go {number}": Var("x") for number in range(variables)}))


def circle() -> LocalType:
    """A type that was built past its checks, and goes on for ever."""
    made = Send("B", {"go": END})
    object.__setattr__(made, "branches", (Branch("go", made),))
    return made


def forged(**fields: object) -> LocalType:
    made = Send("B", {"go": END})
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


# An interpreter by substitution: what Automaton says, said another way.


def substituted(within: LocalType, name: str, by: LocalType) -> LocalType:
    match within:
        case Var():
            return by if within.name == name else within
        case Mu():
            return within if within.name == name else Mu(within.name, substituted(within.body, name, by))
        case Send() | Recv():
            branches = [
                Branch(each.label, substituted(each.then, name, by), each.value_type) for each in within.branches
            ]
            return type(within)(within.partner, branches)
    return within


def acting(local_type: LocalType) -> LocalType:
    while isinstance(local_type, Mu):
        local_type = substituted(local_type.body, local_type.name, local_type)
    return local_type


def next_types(local_type: LocalType) -> dict[TypeStep, LocalType]:
    if not isinstance(local_type, Send | Recv):
        return {}
    way = Direction.SEND if isinstance(local_type, Send) else Direction.RECEIVE
    return {
        TypeStep(way, local_type.partner, each.label, each.value_type): acting(each.then)
        for each in local_type.branches
    }


@given(TYPES, st.data())
def test_the_automaton_takes_the_steps_that_substitution_takes(local_type: LocalType, data: st.DataObject) -> None:
    automaton, left = Automaton(local_type), acting(local_type)
    state = automaton.start
    for _ in range(15):
        assert automaton.type_at(state) == left
        expected = next_types(left)
        assert automaton.steps(state).keys() == expected.keys()
        if not expected:
            assert left == END
            break
        step = data.draw(st.sampled_from(sorted(expected, key=repr)))
        state, left = automaton.steps(state)[step], expected[step]


@given(TYPES)
def test_every_step_leads_to_a_state_and_what_is_left_there_is_a_type_of_its_own(local_type: LocalType) -> None:
    automaton = Automaton(local_type)
    assert automaton.start in automaton.states
    for state in automaton.states:
        assert set(automaton.steps(state).values()) <= set(automaton.states)
        left = Automaton(automaton.type_at(state))
        assert left.steps(left.start).keys() == automaton.steps(state).keys()
    steps = [step for state in automaton.states for step in automaton.steps(state)]
    assert list(automaton.all_steps()) == steps


@given(TYPES)
def test_unfolding_says_what_comes_next_and_does_it_once(local_type: LocalType) -> None:
    unfolded = unfold(local_type)
    assert unfolded == acting(local_type)
    assert unfold(unfolded) == unfolded


def test_unfolding_keeps_recursions_of_one_name_apart() -> None:
    inner = Mu("x", Send("C", {"in": Var("x")}))
    assert str(unfold(Mu("x", Send("B", {"in": inner, "out": Var("x")})))) == (
        "B!{in. μ x. C!{in. x}, out. μ x. B!{in. μ x. C!{in. x}, out. x}}"
    )


@given(TYPES)
def test_a_type_is_read_back_as_it_was(local_type: LocalType) -> None:
    others = (
        LocalType.from_json(json.loads(json.dumps(local_type.to_json()))),
        pickle.loads(pickle.dumps(local_type)),
        copy.copy(local_type),
        copy.deepcopy(local_type),
    )
    for other in others:
        assert other == local_type
        assert type(other) is type(local_type)
        assert (hash(other), str(other)) == (hash(local_type), str(local_type))
        assert (other.size, other.depth) == (local_type.size, local_type.depth)


@given(TYPES, TYPES)
def test_types_are_equal_if_they_have_the_same_nodes(one: LocalType, other: LocalType) -> None:
    assert (one == other) == (one.to_json() == other.to_json())


@pytest.mark.parametrize(
    "other",
    [
        Recv("B", {"go": END}),
        Send("C", {"go": END}),
        Send("B", {"no": END}),
        Send("B", [Branch("go", END, "price")]),
        Send("B", {"go": Var("end")}),
        Send("B", {"go": END, "no": END}),
        END,
        "B!{go. end}",
        None,
    ],
)
def test_another_type_is_another_value(other: object) -> None:
    assert Send("B", {"go": END}) != other


def test_a_type_says_what_is_done() -> None:
    assert str(OFFER) == "μ x. B!{offer(price). B?{more. x, deal. end}}"
    assert repr(OFFER) == f"<Mu {OFFER}>"
    assert (OFFER.size, OFFER.depth) == (5, 4)
    assert len(repr(chain(MAX_TYPE_DEPTH - 1))) < 300


@pytest.mark.parametrize("made", [END, Var("x"), OFFER, chain(1), Recv("B", {"go": END}), Branch("go", END)])
def test_a_type_is_never_changed(made: Any) -> None:
    before = str(made)
    for name in ("name", "body", "partner", "branches", "label", "then", "size", "depth", "more"):
        # Of a frozen dataclass with slots, Python 3.11 tells it as a TypeError.
        with pytest.raises((AttributeError, TypeError)):
            setattr(made, name, END)
        with pytest.raises((AttributeError, TypeError)):
            delattr(made, name)
    assert str(made) == before


def test_the_steps_of_a_state_are_never_changed() -> None:
    automaton = Automaton(OFFER)
    with pytest.raises(TypeError):
        automaton.steps(automaton.start)[TypeStep(Direction.SEND, "B", "lie")] = 1  # type: ignore[index]


@pytest.mark.parametrize("state", [-1, 0, 99, None, ""])
def test_there_is_no_other_state(state: Any) -> None:
    # Place 0 is the recursion, which is no state.
    with pytest.raises(InvalidLocalType, match="no state"):
        Automaton(OFFER).steps(state)
    with pytest.raises(InvalidLocalType, match="no state"):
        Automaton(OFFER).type_at(state)


@pytest.mark.parametrize(
    ("local_type", "problem"),
    [
        (Var("x"), "'x' is bound nowhere"),
        (Send("B", {"go": Var("x")}), "'x' is bound nowhere"),
        (Send("B", {"go": Mu("x", chain(1, Var("x"))), "no": Var("x")}), "'x' is bound nowhere"),
        (Mu("x", chain(1, Var("y"))), "'y' is bound nowhere"),
        (Mu("x", Var("x")), "'x' goes round without a message"),
        (Mu("x", Mu("y", Var("x"))), "'x' goes round without a message"),
        (Mu("x", chain(1, Mu("x", Var("x")))), "'x' goes round without a message"),
    ],
)
def test_a_recursion_is_bound_and_goes_on_by_a_message(local_type: LocalType, problem: str) -> None:
    for check in (Automaton, unfold):
        with pytest.raises(InvalidLocalType, match=problem):
            check(local_type)


def test_a_choice_has_messages_each_under_its_own_label() -> None:
    with pytest.raises(InvalidLocalType, match="'go' stands twice"):
        Send("B", [Branch("go", END), Branch("go", END, "price")])
    with pytest.raises(InvalidLocalType, match="give it a branch"):
        Recv("B", [])


@pytest.mark.parametrize(
    "make",
    [
        lambda name: Var(name),
        lambda name: Mu(name, END),
        lambda name: Send(name, {"go": END}),
        lambda name: Recv("B", {name: END}),
        lambda name: Branch(name, END),
        lambda name: Branch("go", END, name),
    ],
)
@pytest.mark.parametrize("name", ["x" * 10_000, "", "a\nb", "\ud800", 7])
def test_names_are_names(make: Callable[[Any], object], name: object) -> None:
    with pytest.raises(InvalidIdentifier) as caught:
        make(name)
    assert len(str(caught.value)) < 200


class Likely(Send):
    """Looks like a type."""


@pytest.mark.parametrize("given", [None, "end", Likely("B", {"go": END}), LocalType(), End, Branch("go", END)])
def test_nothing_else_is_a_type(given: Any) -> None:
    for make in (unfold, Automaton, lambda body: Mu("x", body), lambda then: Send("B", {"go": then})):
        with pytest.raises(InvalidArgument, match="must be End, Var, Mu, Send or Recv"):
            make(given)
    assert given != chain(1)
    assert chain(1) != given


def test_a_type_is_at_most_so_large_and_so_deep() -> None:
    assert chain(MAX_TYPE_DEPTH - 1).depth == MAX_TYPE_DEPTH
    with pytest.raises(BoundExceeded, match="201 nodes above one another"):
        chain(MAX_TYPE_DEPTH)
    widest = {f"go {number}": END for number in range(MAX_TYPE_SIZE - 1)}
    assert Send("B", widest).size == MAX_TYPE_SIZE
    with pytest.raises(BoundExceeded, match="10001 nodes"):
        Send("B", {**widest, "more": END})
    with pytest.raises(BoundExceeded):
        Send("B", (Branch(f"go {number}", END) for number in count()))


def test_a_type_that_shares_its_parts_is_measured_as_it_is_written() -> None:
    shared: LocalType = END
    for _ in range(12):
        shared = Send("B", {"left": shared, "right": shared})
    assert shared.size == len(shared.to_json()) == 8_191
    with pytest.raises(BoundExceeded, match="16383 nodes"):
        Send("B", {"left": shared, "right": shared})


def test_a_type_unfolds_to_at_most_so_much() -> None:
    assert unfold(loops(99)).size == MAX_TYPE_SIZE
    with pytest.raises(BoundExceeded, match="unfolds to 10201 nodes"):
        Automaton(loops(100))
    assert unfold(Mu("x", chain(99, Var("x")))).depth == MAX_TYPE_DEPTH
    with pytest.raises(BoundExceeded, match="unfolds to 202 nodes above one another"):
        Automaton(Mu("x", chain(100, Var("x"))))


def test_the_deepest_types_are_told_in_every_state() -> None:
    automaton = Automaton(Mu("x", chain(99, Var("x"))))
    assert automaton.type_at(automaton.start).depth == MAX_TYPE_DEPTH
    assert {automaton.type_at(state).depth for state in automaton.states} == set(range(102, 201))
    assert unfold(chain(MAX_TYPE_DEPTH - 1)) == chain(MAX_TYPE_DEPTH - 1)


@pytest.mark.parametrize("levels", [12, 30, 90])
def test_recursions_in_one_another_would_unfold_for_ever(levels: int) -> None:
    nested: LocalType = END
    for level in reversed(range(levels)):
        nested = Send("B", {"in": nested, **{f"to {other}": Var(f"x {other}") for other in range(level + 1)}})
        nested = Mu(f"x {level}", nested)
    with pytest.raises(BoundExceeded, match="unfolds to"):
        Automaton(nested)


def test_a_type_that_goes_round_is_refused() -> None:
    for look in (Automaton, unfold, pickle.dumps, copy.copy, LocalType.to_json, lambda made: made == circle()):
        with pytest.raises(BoundExceeded):
            look(circle())
    assert len(str(circle())) < 100_000
    assert len(repr(circle())) < 300


@pytest.mark.parametrize(
    "fields",
    [
        {"partner": 7},
        {"partner": "B" * 10_000},
        {"branches": 7},
        {"branches": ()},
        {"branches": (END,)},
        {"branches": (Branch("go", END), Branch("go", END))},
        {"branches": (object.__new__(Branch),)},
    ],
)
def test_a_type_built_past_its_checks_is_checked_again(fields: dict[str, object]) -> None:
    for check in (Automaton, unfold):
        with pytest.raises((InvalidArgument, InvalidIdentifier, InvalidLocalType)):
            check(forged(**fields))
    with pytest.raises(InvalidArgument, match="broken"):
        Automaton(object.__new__(Send))
    assert unfold(forged(size=-5, depth=-5)).size == 2
    with pytest.raises(BoundExceeded, match="more than 10000 nodes"):
        forged(branches=tuple(Branch(f"go {number}", END) for number in range(MAX_TYPE_SIZE))).to_json()


GO = {"kind": "send", "partner": "B", "branches": [{"label": "go", "then": 1}]}


@pytest.mark.parametrize(
    "nodes",
    [
        None,
        {},
        [],
        "end",
        [None],
        [{}],
        [{"kind": ["end"]}],
        [{"kind": "stop"}],
        [{"kind": "end", "more": 1}],
        [{"kind": "end"}, {"kind": "end"}],
        [{"kind": "var"}],
        [{"kind": "mu", "name": "x", "body": 0}],
        [{"kind": "mu", "name": "x", "body": 1}],
        [{"kind": "mu", "name": "x"}, {"kind": "end"}],
        [GO],
        [GO, {"kind": "mu", "name": "x", "body": 0}],
        [{**GO, "branches": []}],
        [{**GO, "branches": {}}],
        [{**GO, "branches": ["go"]}, {"kind": "end"}],
        [{**GO, "branches": [{"label": "go", "then": True}]}, {"kind": "end"}],
        [{**GO, "branches": [{"label": "go", "then": -1}]}, {"kind": "end"}],
        [{**GO, "branches": [{"label": "go", "then": 1, "if": 1}]}, {"kind": "end"}],
        [{**GO, "branches": [{"label": "go", "then": 1}, {"label": "no", "then": 1}]}, {"kind": "end"}],
        [{"kind": "end"}] * (MAX_TYPE_SIZE + 1),
    ],
)
def test_other_json_is_no_type(nodes: object) -> None:
    with pytest.raises(InvalidLocalType) as caught:
        LocalType.from_json(nodes)
    assert len(str(caught.value)) < 300


def test_the_json_of_a_type_is_a_flat_list() -> None:
    assert OFFER.to_json() == [
        {"kind": "mu", "name": "x", "body": 1},
        {"kind": "send", "partner": "B", "branches": [{"label": "offer", "value_type": "price", "then": 2}]},
        {"kind": "recv", "partner": "B", "branches": [{"label": "more", "then": 3}, {"label": "deal", "then": 4}]},
        {"kind": "var", "name": "x"},
        {"kind": "end"},
    ]
