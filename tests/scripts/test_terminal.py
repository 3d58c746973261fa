"""On a terminal every table fits, words stay whole, and a pager shows what is long."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from muniment.journal import Journal
from muniment.scripts.cli import cli
from rich.cells import cell_len

from .terminal import on_a_terminal

COMMANDS = [
    "log",
    "log --limit 0",
    "log kitchen",
    "tail",
    "show 3",
    "show 3569",
    "owners",
    "sessions",
    "session kitchen",
    "session relocation",
    "inbox kitchen",
    "types",
    "edges",
    "usage",
    "sites",
    "audit",
    "footprints",
    "delegations",
    "bundles",
    "conversations",
    "conversation standup",
    "deadlines",
    "sagas",
    "at 1793",
    "at 1793 --table owners",
    "diff 3000..3300",
    "history owners case-001-session-1",
    "blame owners case-001-session-1",
    "why relocation",
    "explain session-kitchen@6",
    "explain session-relocation@5",
    "first --check no-refusals",
    "bisect --check no-refusals",
    "revert session-case-000-session-0@2 --dry-run",
]
NO_TABLE = {
    "demo",
    "what-if",
    "verify",
    "rollback",
    "tick",
    "replay",
    "backup",
    "restore",
    "mark-restored",
    "export",
    "import",
}
"""Commands that show no table of the demo's journal, one that is the same as another's, or one that says when it is."""

SHORT_TIME = re.compile(r"(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("terminal") / "demo.db"
    subprocess.run(
        [sys.executable, "-m", "muniment.scripts.main", "demo", path],
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )
    return f"sqlite:///{path}"


def piped(command: str, address: str, **settings: str) -> str:
    runner = CliRunner(env={"COLUMNS": None, "MUNIMENT_JOURNAL": address} | settings)
    return runner.invoke(cli, command.split()).stdout


def test_every_command_that_shows_a_table_is_looked_at() -> None:
    assert {command.split()[0] for command in COMMANDS} == set(cli.commands) - NO_TABLE


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_shown_fits_the_terminal_and_no_word_is_broken(command: str, address: str) -> None:
    shown = on_a_terminal(*command.split(), "--journal", address, settings={"PAGER": "cat"})
    lines = shown.text.splitlines()
    assert len(lines) > 1
    assert [line for line in lines if cell_len(line.rstrip()) > 80] == []
    whole = {*piped(command, address).split(), *NOTE.split()}
    # A heading of two columns that share one has a comma.
    whole |= {f"{word}," for word in whole} | {word.rpartition(".v")[0] for word in whole}
    for word in shown.text.split():
        assert word in whole or "…" in word or SHORT_TIME.fullmatch(word) or is_of_the_frame(word), word
        if "…" in word:
            beginning, _, end = word.partition("…")
            assert any(each.startswith(beginning) and each.endswith(end) for each in whole), word


def is_of_the_frame(word: str) -> bool:
    return set(word) == {"─"} or re.fullmatch(r"\(\d{4}-\d\d-\d\d\)", word) is not None


@pytest.mark.parametrize("command", ["log", "owners", "show 3"])
def test_wide_shows_every_value_whole(command: str, address: str) -> None:
    shown = on_a_terminal(*command.split(), "--wide", "--journal", address, settings={"PAGER": "cat"})
    assert shown.text.split() == [*piped(command, address).split(), *(NOTE.split() if command == "log" else [])]


NOTE = "at most 50 events are listed; --limit 0 lists all"


def test_a_pipe_gets_whole_values_and_a_terminal_as_many_columns_as_are_asked_for(address: str) -> None:
    assert "conversation.phase_changed.v1" in piped("log", address, COLUMNS="60")
    shown = on_a_terminal("log", "--journal", address, settings={"PAGER": "cat", "COLUMNS": "60"})
    assert max(map(cell_len, shown.text.splitlines())) == 60


def test_the_versions_of_ids_are_not_shortened_away(address: str) -> None:
    lines = on_a_terminal("log", "--journal", address, width=60, settings={"PAGER": "cat"}).text.splitlines()
    (newest,) = [line for line in lines if "3599" in line.split() and "…" in line]
    assert re.search(r"\S+…\S*@18 ", newest)


def test_short_output_is_shown_without_waiting_for_anybody(address: str) -> None:
    shown = on_a_terminal("footprints", "--journal", address)
    assert "relocation" in shown.text
    assert shown.exit_code == 0


def test_long_output_waits_in_the_pager_and_leaving_it_early_is_no_error(address: str) -> None:
    shown = on_a_terminal("log", "--limit", "0", "--journal", address, keys={"3599": "q"})
    assert shown.exit_code == 0
    assert "Traceback" not in shown.text
    assert "3599" in shown.text
    assert "case-000-session-0@1 " not in shown.text


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        (["log", "--no-pager"], {}),
        (["--no-pager", "log"], {}),
        (["log"], {"PAGER": "cat"}),
        (["log"], {"MUNIMENT_PAGER": "", "PAGER": "less"}),
        (["tail", "--limit", "60"], {}),
    ],
)
def test_there_is_no_pager_for_who_wants_none(given: list[str], settings: dict[str, str], address: str) -> None:
    shown = on_a_terminal(*given, "--journal", address, settings=settings)
    assert shown.exit_code == 0
    assert len(shown.text.splitlines()) > 50


def test_the_pager_of_the_environment_is_used(address: str) -> None:
    shown = on_a_terminal("footprints", "--journal", address, settings={"MUNIMENT_PAGER": "tr a-z A-Z"})
    assert "RELOCATION" in shown.text


def test_the_exit_code_is_the_command_s_own_behind_a_pager(address: str) -> None:
    assert on_a_terminal("show", "99999", "--journal", address).exit_code == 2
    shown = on_a_terminal("revert", "session-case-000-session-0@1", "--dry-run", "--journal", address)
    assert shown.exit_code == 1


def test_a_long_name_is_shortened_where_it_does_not_fit(tmp_path: Path) -> None:
    name = "a" * 100 + "-" + "b" * 99
    url = f"sqlite:///{tmp_path / 'long.db'}"
    with Journal.open(url) as journal:
        journal.sessions.open(name)
        journal.sessions.open("日本" * 50)
    lines = on_a_terminal("owners", "--journal", url, settings={"PAGER": "cat"}).text.splitlines()
    assert max(map(cell_len, lines)) == 80
    assert any(re.match(r"a+…b+ ", line) for line in lines)
    assert any(re.match(r"[日本]+…[日本]+ ", line) for line in lines)
