"""``muniment what-if``, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from muniment.journal import Journal

from .conftest import Run, data


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A session that went from alice to bob to carol."""
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        journal.sessions.open("s")
        held = journal.sessions.transfer(journal.sessions.claim("s", "alice"), "bob")
        journal.sessions.transfer(held, "carol")
    return url


def test_it_tells_what_would_be_otherwise_without_an_event(muniment: Run) -> None:
    result = muniment("what-if", "--without", "session-s@4")
    assert result.exit_code == 1
    words = [line.split() for line in result.stdout.splitlines()]
    assert ["owners", "s", "owner", "carol", "bob"] in words
    assert ["owners", "s", "generation", "3", "4"] in words
    assert result.stderr == ""


def test_it_appends_nothing(muniment: Run, url: str) -> None:
    with Journal.open(url) as journal:
        before = list(journal.export())
    muniment("what-if", "--without", 4)
    with Journal.open(url) as journal:
        assert list(journal.export()) == before


def test_it_begins_at_a_moment(muniment: Run) -> None:
    found = data(muniment("what-if", "--at", "HEAD~1", "--without", "3", "--json"), exit_code=1)
    assert (found["base"], found["from"], found["to"], found["without"]) == (3, 3, 4, "3")
    (owner,) = (each for each in found["changes"] if each["table"] == "owners")
    assert (owner["was"]["owner"], owner["now"]["owner"]) == ("bob", "alice")
    assert owner["event_id"] == "session-s@4"


def test_it_begins_at_a_time(muniment: Run) -> None:
    result = muniment("what-if", "--at", "now", "--without", "HEAD")
    assert result.exit_code == 1
    assert muniment("what-if", "--at", "2001-01-31T09:30:00Z", "--without", "HEAD").exit_code == 2


def test_a_question_advises_nothing_that_writes(muniment: Run) -> None:
    result = muniment("what-if", "--without", "session-s@2")
    assert "depends on it" in result.stderr
    assert "muniment revert" not in result.stderr
    # Of nothing, nothing is asked.
    assert muniment("what-if").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--without", "session-s@2"), "later_event_depends"),
        (("--without", "99"), "unknown_position"),
        (("--without", "session-t@1"), "unknown_event"),
        (("--at", "2", "--without", "session-s@3"), "unknown_event"),
        (("--at", "nonsense", "--without", "3"), "invalid_moment"),
        (("--at", "99", "--without", "3"), "unknown_position"),
    ],
)
def test_what_is_in_the_way_is_told(muniment: Run, arguments: tuple[str, ...], code: str) -> None:
    result = muniment("what-if", *arguments, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["code"] == code
    assert result.stdout == ""
