"""The command line finds what is asked for: by filters, by names that are nearly right, by the last of a type."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from muniment.domain import StaleCapability
from muniment.journal import Journal
from muniment.scripts.cli import cli

from .conftest import Run, data


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A journal of two sessions, two actors, two refusals, and one event a second from the first of 2026 on."""
    address = f"sqlite:///{tmp_path_factory.mktemp('filters')}/journal.db"
    now = [1_767_225_600_000]

    def clock() -> int:
        now[0] += 1_000
        return now[0]

    with Journal.open(address, clock=clock) as journal:
        for name, actor in (("kitchen", "alice"), ("cellar", "bob")):
            with journal.context(actor=actor, correlation_id=f"request-{name}"):
                journal.sessions.open(name)
                held = journal.sessions.claim(name, "cook")
                handed = journal.sessions.transfer(held, "Waiter")
                with pytest.raises(StaleCapability):
                    journal.sessions.check(held)
                journal.sessions.release(handed)
    return address


def positions(muniment: Run, *arguments: object) -> list[int]:
    return [record["position"] for record in data(muniment(*arguments, "--json"))]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--type", "session.opened.v1"], [6, 1]),
        (["--type", "session.opened"], [6, 1]),
        (["--type", "session.o", "--reverse"], [1, 2, 3, 5, 6, 7, 8, 10]),
        (["--type", "session.*rejected*"], [9, 4]),
        (["--type", "*.opened", "--type", "*released", "-n", 3], [10, 6, 5]),
        (["--actor", "bob", "-n", 2], [10, 9]),
        (["--correlation", "request-kitchen", "-n", 2], [5, 4]),
        (["--session", "cellar"], [10, 9, 8, 7, 6]),
        (["cellar", "--type", "session.opened"], [6]),
        (["--stream", "session-cellar", "--actor", "alice"], []),
        (["--grep", "waiter"], [10, 8, 5, 3]),
        (["--grep", "WAITER"], []),
        (["--since", "8"], [10, 9]),
        (["--since", "session-cellar@3"], [10, 9]),
        (["--since", "HEAD~2"], [10, 9]),
        (["--until", "2"], [2, 1]),
        (["--since", "3", "--until", "5", "--reverse"], [4, 5]),
        (["--since", "-10m"], []),
        (["--since", "2025-12-31T00:00:00Z", "-n", 1], [10]),
    ],
)
def test_log_lists_what_every_option_chooses(muniment: Run, options: list[object], expected: list[int]) -> None:
    listed = muniment("log", *options, "--json")
    assert listed.exit_code == 0, listed.stderr
    assert [record["position"] for record in json.loads(listed.stdout)["data"]] == expected


@pytest.mark.parametrize("options", [[], ["-n", 1], ["--actor", "nobody"]])
def test_json_that_is_printed_while_it_is_read_is_laid_out_as_any(muniment: Run, options: list[object]) -> None:
    for command in ("log", "audit"):
        given = options if command == "log" else ["--refused", "--until", len(options)]
        printed = muniment(command, *given, "--json").stdout
        assert printed == json.dumps(json.loads(printed), indent=2) + "\n"


def test_log_says_that_there_is_more_only_if_there_is(muniment: Run) -> None:
    assert "at most 9 events are listed" in muniment("log", "-n", 9).stderr
    assert muniment("log", "-n", 10).stderr == ""
    assert muniment("log", "--type", "session.opened", "-n", 2).stderr == ""


def test_a_time_without_a_zone_is_local_and_that_is_said_on_stderr(muniment: Run) -> None:
    listed = muniment("log", "--since", "2020-01-01T00:00:00", "-n", 1)
    assert "local time" in listed.stderr
    assert "local time" not in listed.stdout


def tailed(muniment: Run, *options: object) -> list[int]:
    return [json.loads(line)["position"] for line in muniment("tail", *options, "--json").stdout.splitlines()]


def test_tail_chooses_before_it_counts(muniment: Run) -> None:
    assert tailed(muniment, "-n", 2, "--type", "session.opened") == [1, 6]
    assert tailed(muniment, "-n", 1, "--actor", "alice") == [5]
    assert tailed(muniment, "--since", 7) == [8, 9, 10]
    assert tailed(muniment, "--after", 7, "--type", "*rejected") == [9]
    assert tailed(muniment, "--until", 3, "-n", 2) == [2, 3]
    assert tailed(muniment, "--session", "kitchen", "-n", 1) == [5]


def test_tail_follows_what_it_chooses(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/followed.db"
    command = [sys.executable, "-m", "muniment.scripts.main", "tail", "-f", "--json", "--journal", url]
    with Journal.open(url) as journal:
        journal.sessions.open("first")
        options = ["--type", "session.opened", "--grep", "wanted"]
        with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as tail:
            assert tail.stdout is not None
            for name in ("wanted-1", "other", "wanted-2"):
                journal.sessions.open(name)
                journal.sessions.claim(name, "wanted")
            told = [json.loads(tail.stdout.readline())["data"]["session_id"] for _ in range(2)]
            tail.terminate()
    assert told == ["wanted-1", "wanted-2"]


@pytest.mark.parametrize("event", ["8", "session-cellar@3", "HEAD~2"])
def test_show_takes_a_position_an_id_or_a_moment(muniment: Run, event: str) -> None:
    assert data(muniment("show", event, "--json"))["id"] == "session-cellar@3"


def test_owners_of_a_session_an_owner_or_a_status(muniment: Run) -> None:
    def names(*options: object) -> list[str]:
        return [row["session_id"] for row in data(muniment("owners", *options, "--json"))]

    assert names() == ["cellar", "kitchen"]
    assert names("kitchen") == ["kitchen"]
    assert names("--owner", "Waiter", "--at", 8) == ["cellar"]
    assert names("--owner", "cook", "--at", 7) == ["cellar"]
    assert names("kitchen", "--owner", "cook") == []
    assert names("--status", "active") == ["cellar", "kitchen"]
    assert names("--status", "closed") == []


def test_who_was_refused(muniment: Run) -> None:
    refused = data(muniment("audit", "--refused", "--json"))
    assert [(line["position"], line["event"], line["actor"]) for line in refused] == [
        (4, "rejected", "alice"),
        (9, "rejected", "bob"),
    ]
    every = data(muniment("audit", "--json"))
    assert [line for line in every if line["event"] == "rejected"] == refused
    assert positions(muniment, "audit", "--refused", "--since", 4) == [9]
    assert positions(muniment, "audit", "--refused", "--until", 4) == [4]
    assert positions(muniment, "audit", "kitchen", "--refused") == [4]
    assert positions(muniment, "audit", "--refused", "--since", "-10m") == []


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["log", "kichen"], "did you mean kitchen?"),
        (["owners", "Cellar"], "did you mean cellar?"),
        (["audit", "cellr"], "did you mean cellar?"),
        (["log", "--stream", "session-celler"], "did you mean session-cellar?"),
        (["show", "session-kitcen@1"], "did you mean session-kitchen?"),
        (["revert", "--last", "session.opened", "kitchn"], "did you mean kitchen?"),
        (["log", "--type", "session.opend"], "did you mean session.opened.v1"),
        (["history", "ownrs", "kitchen"], "did you mean owners"),
        (["lgo"], "Did you mean 'log'?"),
        (["log", "--tpye", "x"], "Did you mean '--type'?"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_nearly_right_is_told_what_may_be_meant(
    muniment: Run, arguments: list[str], meant: str, as_json: bool
) -> None:
    done = muniment(*arguments, *(["--json"] if as_json else []))
    assert done.exit_code == 2
    assert meant in done.stderr
    assert done.stdout == ""


def test_what_is_like_nothing_is_told_no_name(muniment: Run) -> None:
    assert "did you mean" not in muniment("log", "qqqqqqqq").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["log", "kitchen", "--stream", "session-kitchen"],
        ["log", "kitchen", "--session", "kitchen"],
        ["log", "--since", "5", "--until", "4"],
        ["log", "--until", "2999-01-01T00:00:00Z"],
        ["tail", "--after", "1", "--since", "1"],
        ["tail", "-f", "--until", "1"],
        ["audit", "--at", "1", "--until", "1"],
        ["owners", "--status", "open"],
        ["revert", "--last", "session.hosted", "kitchen"],
    ],
)
def test_what_contradicts_itself_is_refused(muniment: Run, arguments: list[str]) -> None:
    done = muniment(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(("Error: ", "Usage: "))


def test_the_last_of_a_type_that_is_not_undone_is_reverted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/undone.db"
    with Journal.open(url) as journal:
        journal.sessions.open("s-1")
        held = journal.sessions.claim("s-1", "agent-a")
        held = journal.sessions.transfer(held, "agent-b")
        journal.sessions.transfer(held, "agent-c")
        planned = previewed(url)
        assert [step["undoes"] for step in planned["steps"]] == ["session-s-1@4"]
        assert journal.head() == 4
        undone = journal.revert("session-s-1@4")
        assert [step["undoes"] for step in previewed(url)["steps"]] == ["session-s-1@3"]
        # What undid it is undone in its turn, so that it stands again.
        (position,) = undone.positions
        journal.revert(position)
        assert [step["undoes"] for step in previewed(url)["steps"]] != ["session-s-1@3"]


def previewed(url: str) -> Any:
    command = ["revert", "--last", "session.ownership_transferred", "s-1", "--dry-run", "--json", "--journal", url]
    done = CliRunner().invoke(cli, command)
    return json.loads(done.stdout)["data"]
