"""The commands on the past, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from muniment.domain import StaleCapability
from muniment.journal import Journal

from ..conftest import Clock
from .conftest import Run, data

MINUTE = 60_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A journal in which alice hands a session to bob, is refused, and bob lets it go; a minute apart."""
    url = f"sqlite:///{tmp_path}/journal.db"
    clock = Clock(1_700_000_000_000)
    with Journal.open(url, clock=clock) as journal, journal.context(actor="supervisor"):
        journal.sessions.open("s-1")
        clock.now += MINUTE
        first = journal.sessions.claim("s-1", "alice")
        clock.now += MINUTE
        held = journal.sessions.transfer(first, "bob")
        clock.now += MINUTE
        with pytest.raises(StaleCapability):
            journal.sessions.check(first)
        journal.sessions.issue_witness(held, "ready")
        journal.sessions.release(held)
    return url


def error(result: Result) -> str:
    assert result.exit_code == 2
    assert result.stdout == ""
    code: str = json.loads(result.stderr)["error"]["code"]
    return code


def test_a_moment(muniment: Run) -> None:
    found = data(muniment("at", "HEAD~3", "--json"))
    assert (found["event"]["id"], found["time"], found["notes"]) == ("session-s-1@3", "2023-11-14T22:15:20.000Z", [])
    assert found["tables"]["owners"] == 1
    assert data(muniment("at", "0", "--json")) | {"tables": {}} == {
        "time": None,
        "notes": [],
        "event": None,
        "tables": {},
    }
    rows = data(muniment("at", "session-s-1@3", "--table", "owners", "--json"))["rows"]
    assert rows == [
        {
            "session_id": "s-1",
            "owner": "bob",
            "generation": 2,
            "scope": '"session"',
            "status": "active",
            "since": 3,
        }
    ]
    shown = muniment("at", "3").stdout
    assert "session-s-1@3" in shown
    assert "owners" in shown
    assert "bob" in muniment("at", "3", "--table", "owners").stdout


@pytest.mark.parametrize(
    ("said", "positions"),
    [
        (["1..3"], [3]),
        (["1", "3"], [3]),
        (["HEAD~4..HEAD~3"], [3]),
        (["..2"], [2]),
        (["3"], [6]),
        (["session-s-1@2..session-s-1@3"], [3]),
    ],
)
def test_what_changed(muniment: Run, said: list[str], positions: list[int]) -> None:
    found = data(muniment("diff", *said, "--table", "owners", "--json"), exit_code=1)
    assert [each["position"] for each in found["changes"]] == positions


def test_what_changed_by_key_and_on_the_way(muniment: Run) -> None:
    every = data(muniment("diff", "0..", "--table", "owners", "--every", "--json"), exit_code=1)["changes"]
    assert [each["position"] for each in every] == [1, 2, 3, 6]
    witness = ("diff", "0..", "--table", "witnesses", "--key", "s-1", "--key", "1", "--json")
    assert [each["key"] for each in data(muniment(*witness), exit_code=1)["changes"]] == [["s-1", 1]]
    everything = data(muniment("diff", "1..5", "--key", "s-1", "--json"), exit_code=1)["changes"]
    assert {each["table"] for each in everything} == {"owners", "witnesses"}
    assert "timeline" not in {each["table"] for each in data(muniment("diff", "0..", "--json"), 1)["changes"]}
    assert "timeline" in muniment("diff", "0..", "--table", "timeline").stdout
    shown = muniment("diff", "2..3", "--table", "owners")
    assert shown.exit_code == 1
    assert "alice" in shown.stdout
    assert "session-s-1@3" in shown.stdout
    nothing = muniment("diff", "3..4")
    assert (nothing.exit_code, nothing.stdout) == (0, "nothing differs between positions 3 and 4\n")


def test_a_relative_time_works_as_typed(muniment: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/now.db"
    with Journal.open(url) as journal:
        journal.sessions.open("s-1")
    for said in (["-10m.."], ["-1h30m..-0s"], ["-10m", "-0s"], ["-1w"]):
        found = muniment("diff", *said, "--table", "owners", "--json", "--journal", url)
        assert len(json.loads(found.stdout)["data"]["changes"]) == 1
    assert "is before the first event" in muniment("at", "-10m", "--journal", url).stderr
    assert data(muniment("show", "-0s", "--json", "--journal", url))["id"] == "session-s-1@1"


def test_the_value_of_an_option_is_no_moment(muniment: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/now.db"
    with Journal.open(url) as journal:
        journal.sessions.open("-10m")
    found = muniment("diff", "-10m..", "--table", "owners", "--key", "-10m", "--json", "--journal", url)
    assert [each["key"] for each in json.loads(found.stdout)["data"]["changes"]] == ["-10m"]


def test_what_a_row_ever_was(muniment: Run) -> None:
    rows = data(muniment("history", "owners", "s-1", "--json"))
    assert [(each["values"]["owner"], each["since"], each["until"], each["event_id"]) for each in rows] == [
        (None, 1, 2, "session-s-1@1"),
        ("alice", 2, 3, "session-s-1@2"),
        ("bob", 3, 6, "session-s-1@3"),
        (None, 6, None, "session-s-1@6"),
    ]
    assert [each["values"]["status"] for each in data(muniment("history", "witnesses", "s-1", 1, "--json"))] == [
        "outstanding",
        "void",
    ]
    assert "alice" in muniment("history", "owners", "s-1").stdout
    assert data(muniment("history", "owners", "s-2", "--json")) == []


def test_who_gave_a_column_its_value(muniment: Run) -> None:
    found = data(muniment("blame", "owners", "s-1", "--at", "3", "--json"))
    assert {name: (each["value"], each["position"], each["actor"]) for name, each in found.items()} == {
        "owner": ("bob", 3, "supervisor"),
        "generation": (2, 3, "supervisor"),
        "scope": ('"session"', 2, "supervisor"),
        "status": ("active", 1, "supervisor"),
    }
    assert "supervisor" in muniment("blame", "owners", "s-1").stdout


def test_a_check_that_fails_first(muniment: Run) -> None:
    found = data(muniment("first", "--check", "session-owned:s-1", "--json"), exit_code=1)
    assert (found["first"]["position"], found["first"]["event"]["type"]) == (6, "session.ownership_released.v1")
    assert data(muniment("first", "--check", "law-1", "--json"))["first"] is None
    shown = muniment("first", "--check", "no-refusals")
    assert shown.exit_code == 1
    assert "fails first at position 4" in shown.stdout
    assert muniment("first", "--check", "no-refusals", "--end", "3").exit_code == 0
    # An event that is only where the search began is not told as the one that did it.
    already = muniment("first", "--check", "no-refusals", "--start", "5")
    assert (already.exit_code, already.stdout) == (1, "no-refusals fails already at position 5\n")
    holds = muniment("first", "--check", "coherent", "--start", "2")
    assert (holds.exit_code, holds.stdout) == (0, "coherent holds from position 2 to 6\n")


def test_a_check_by_halving(muniment: Run) -> None:
    found = data(muniment("bisect", "--check", "session-owned:s-1", "--json"), exit_code=1)
    assert (found["good"], found["bad"], found["is_exact"]) == (5, 6, True)
    assert found["first_bad"]["event"]["id"] == "session-s-1@6"
    assert "position 6 is the first bad one" in muniment("bisect", "--check", "session-owned:s-1").stdout


def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "muniment.scripts.main", *arguments]
    return subprocess.run(command, env=os.environ | {"MUNIMENT_JOURNAL": url}, capture_output=True, text=True)


def judged_by(script: str) -> list[str]:
    return ["bisect", "--json", "run", "sh", "-c", script]


def test_a_command_is_asked_as_git_asks_it(url: str) -> None:
    asked = run(url, *judged_by("echo seen $MUNIMENT_POSITION of $MUNIMENT_JOURNAL; test $MUNIMENT_POSITION -lt 4"))
    assert asked.returncode == 1
    found = json.loads(asked.stdout)["data"]
    assert (found["good"], found["bad"]) == (3, 4)
    assert f"seen 3 of {url}" in asked.stderr
    muniment = f"{sys.executable} -m muniment.scripts.main"
    script = f"! {muniment} owners --owner bob --at $MUNIMENT_POSITION | grep -q bob"
    told = run(url, "bisect", "--bad", "5", "run", "sh", "-c", script)
    assert "position 3 is the first bad one" in told.stdout


@pytest.mark.parametrize("code", [1, 124, 126, 127])
def test_any_other_code_says_bad(url: str, code: int) -> None:
    asked = run(url, *judged_by(f"test $MUNIMENT_POSITION -lt 2 || exit {code}"))
    assert json.loads(asked.stdout)["data"]["bad"] == 2


def test_a_command_that_cannot_tell_leaves_candidates(url: str) -> None:
    script = "case $MUNIMENT_POSITION in 0) exit 0;; 6) exit 1;; *) exit 125;; esac"
    asked = run(url, *judged_by(script))
    assert asked.returncode == 1
    found = json.loads(asked.stdout)["data"]
    assert (found["good"], found["bad"], found["skipped"], found["is_exact"]) == (0, 6, [1, 2, 3, 4, 5], False)


@pytest.mark.parametrize("script", ["exit 128", "exit 255", "kill -9 $$"])
def test_a_command_that_fails_stops_the_search(url: str, script: str) -> None:
    asked = run(url, *judged_by(script))
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "the search is stopped" in asked.stderr


def test_a_command_that_is_not_there_stops_the_search(url: str) -> None:
    asked = run(url, "bisect", "run", "no-such-program")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "no-such-program cannot be run" in asked.stderr
    told = run(url, "bisect", "--json", "run", "no-such-program")
    assert json.loads(told.stderr)["error"]["code"] == "search_stopped"


def test_an_end_that_cannot_be_told_is_not_called_good_or_bad(url: str) -> None:
    asked = run(url, *judged_by("exit 125"))
    assert asked.returncode == 2
    assert "does not hold there, or cannot tell" in asked.stderr


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (["at", "monday"], "invalid_moment"),
        (["at", "7"], "unknown_position"),
        (["at", "session-s-2@1"], "unknown_event"),
        (["at", "9000-01-01"], "moment_in_future"),
        (["at", "3", "--table", "owner"], "unknown_table"),
        (["diff", "3..1"], "moments_reversed"),
        (["diff", "0..", "--table", "ownrs"], "unknown_table"),
        (["diff", "0..", "--table", "owners", "--key", "s-1", "--key", "2"], "invalid_key"),
        (["diff", "0..", "--table", "witnesses", "--key", "s-1", "--key", "x"], "invalid_argument"),
        (["history", "owner", "s-1"], "unknown_table"),
        (["history", "witnesses", "s-1"], "invalid_key"),
        (["blame", "owners", "s-2"], "unknown_row"),
        (["first", "--check", "law-9"], "unknown_check"),
        (["first", "--check", "coherent", "--start", "3", "--end", "2"], "moments_reversed"),
        (["bisect", "--check", "coherent"], "end_is_good"),
        (["bisect", "--check", "no-refusals", "--good", "5"], "end_is_bad"),
        (["bisect"], "invalid_argument"),
        (["bisect", "--check", "coherent", "run", "true"], "invalid_argument"),
        (["first", "--check", "session-owned:typo"], "session_not_found"),
        (["bisect", "--check", "session-owned:typo"], "session_not_found"),
        (["explain", "0"], "unknown_position"),
        (["show", "-9m5"], "invalid_moment"),
    ],
)
def test_what_makes_no_sense(muniment: Run, url: str, typed: list[str], code: str) -> None:
    # Options come before what is run.
    result = muniment(typed[0], "--json", *typed[1:])
    assert error(result) == code
    with Journal.open(url, read_only=True) as journal:
        assert journal.head() == 6


def test_what_is_near_is_named(muniment: Run) -> None:
    assert "did you mean owners" in muniment("history", "ownrs", "s-1").stderr
    assert "did you mean no-refusals" in muniment("first", "--check", "no-refusal").stderr


def test_an_event_is_named_as_a_moment_is(muniment: Run) -> None:
    for said in ("4", "session-s-1@4", "HEAD~2", "2023-11-14T22:16:20Z"):
        assert data(muniment("explain", said, "--json"))["event"]["position"] in (4, 6)
    assert data(muniment("what-if", "--without", "HEAD", "--json"), exit_code=1)["changes"]
    assert "session-s-1@6" in muniment("show", "-0s").stdout


def test_a_key_may_begin_with_a_minus(muniment: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/minus.db"
    with Journal.open(url) as journal:
        journal.sessions.open("-1x")
    assert len(data(muniment("history", "owners", "-1x", "--json", "--journal", url))) == 1
    assert data(muniment("history", "deadlines", "team", "inactivity", "-1", "--json", "--journal", url)) == []


def test_a_key_of_several_columns_goes_with_the_table_that_has_them(muniment: Run) -> None:
    keys = ("--key", "s-1", "--key", "1")
    changes = data(muniment("diff", "..", "--table", "witnesses", *keys, "--json"), 1)["changes"]
    assert {(each["table"], *each["key"]) for each in changes} == {("witnesses", "s-1", 1)}
    for tables in ((), ("--table", "witnesses", "--table", "inbox")):
        assert error(muniment("diff", "..", *tables, *keys, "--json")) == "invalid_argument"
