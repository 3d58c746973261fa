"""Names, scopes, errors and artifacts as values."""

import pickle
from dataclasses import fields

import pytest
from hypothesis import given, strategies as st
from muniment.domain import (
    FULL_SESSION,
    BoundExceeded,
    Fragments,
    InvalidArgument,
    InvalidIdentifier,
    MunimentError,
    OwnershipCapability,
    StaleCapability,
)
from muniment.domain.identifiers import identifier, text
from muniment.domain.scope import scope, scope_from_json, scope_to_json
from muniment.domain.value import several

from .facts import A1

SCOPES = st.one_of(st.just(FULL_SESSION), st.builds(Fragments, st.frozensets(st.sampled_from("abcdef"))))

BAD_NAMES = {
    "empty": "",
    "too long": "x" * 10_000,
    "201": "x" * 201,
    "newline": "a\nb",
    "trailing newline": "a\n",
    "nul": "a\0b",
    "escape": "\x1b[31m",
    "c1 control": "a\x85",
    "line separator": "a\u2028b",
    "surrogate": "a\ud800",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_bad_names_say_which_argument_and_what_is_wrong(name: str) -> None:
    with pytest.raises(InvalidIdentifier, match=r"^owner ") as caught:
        identifier("owner", name)
    assert caught.value.argument == "owner"
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_no_artifact_holds_a_bad_name(name: str) -> None:
    with pytest.raises(InvalidArgument):
        OwnershipCapability("s-1", name, 1, FULL_SESSION)


@pytest.mark.parametrize("value", [None, 7, b"bytes", ["a"]])
def test_a_name_is_a_string(value: object) -> None:
    with pytest.raises(InvalidIdentifier, match="must be a string"):
        identifier("session_id", value)


@pytest.mark.parametrize("name", ["x" * 200, "s 42", "☃", "a/b@c", "naïve", "'; DROP TABLE"])
def test_good_names(name: str) -> None:
    assert identifier("owner", name) == name
    assert OwnershipCapability("s-1", name, 1, FULL_SESSION).owner == name


@pytest.mark.parametrize("value", [None, "x" * 2_001, "\ud800"])
def test_bad_text(value: object) -> None:
    with pytest.raises(InvalidArgument):
        text("reason", value)


@pytest.mark.parametrize("value", ["bundle:chat", [""], ["a\0"], [1], {str(n) for n in range(1_001)}])
def test_bad_fragments(value: object) -> None:
    with pytest.raises((InvalidArgument, InvalidIdentifier)):
        Fragments(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["session", None, {"a"}])
def test_a_scope_is_a_scope(value: object) -> None:
    with pytest.raises(InvalidArgument):
        scope(value)


@given(SCOPES)
def test_a_scope_survives_json(value: Fragments) -> None:
    assert scope_from_json(scope_to_json(value)) == value


@given(SCOPES, SCOPES, SCOPES)
def test_inclusion_of_scopes_is_a_partial_order(a: Fragments, b: Fragments, c: Fragments) -> None:
    assert a.includes(a)
    assert not (a.includes(b) and b.includes(a)) or a == b
    assert not (a.includes(b) and b.includes(c)) or a.includes(c)
    assert FULL_SESSION.includes(a)


def test_artifacts_are_frozen_and_compared_whole() -> None:
    with pytest.raises(AttributeError):
        A1.generation = 2  # type: ignore[misc]
    assert OwnershipCapability("s-1", "a", 1, FULL_SESSION) == A1
    assert hash(OwnershipCapability("s-1", "a", 1, FULL_SESSION)) == hash(A1)


@pytest.mark.parametrize("generation", [-1, 2**63, "1", 1.0, True])
def test_a_generation_is_an_integer_that_storage_can_hold(generation: object) -> None:
    with pytest.raises(InvalidArgument):
        OwnershipCapability("s-1", "a", generation, FULL_SESSION)  # type: ignore[arg-type]


def all_errors(base: type[MunimentError] = MunimentError) -> list[type[MunimentError]]:
    return [base, *(each for child in base.__subclasses__() for each in all_errors(child))]


def test_error_codes_are_unique_and_stable() -> None:
    codes = [error.code for error in all_errors()]
    assert len(set(codes)) == len(codes)
    assert StaleCapability.code == "stale_capability"


@pytest.mark.parametrize(
    "error_class", [each for each in all_errors() if not each.__subclasses__()], ids=lambda each: each.__name__
)
def test_every_error_says_something_and_survives_pickling(error_class: type[MunimentError]) -> None:
    error = error_class(
        *(("x", "y") if "tuple" in str(field.type) else number for number, field in enumerate(fields(error_class)))
    )
    assert str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is error_class
    assert copy.facts() == error.facts()


def test_every_error_stands_in_the_tree_of_its_module() -> None:
    from muniment.domain import errors

    assert errors.__doc__ is not None
    missing = [error.__name__ for error in all_errors() if error.__name__ not in errors.__doc__.split()]
    assert missing == []


def test_of_several_as_many_are_taken_as_the_bound_says() -> None:
    assert list(several("x", range(3), 3)) == [0, 1, 2]
    taken = several("x", range(4), 3)
    assert [next(taken) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(BoundExceeded, match="at most 3 are taken"):
        next(taken)
