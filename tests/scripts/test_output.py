"""Output that the terminal lacks characters for, or that cannot be written: no traceback, and never exit code 1."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from muniment.journal import Journal
from muniment.scripts.layout import print_table
from muniment.scripts.output import table
from rich.console import Console

COMMANDS = ["log", "owners", "audit", "tail", "show 1", "verify", "footprints", "export", "sagas", "conversations"]
ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "an old locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
}
NAME = "ärger-日本-🔥"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("output") / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        for number in range(20):
            journal.sessions.open(f"{NAME}-{number}")
            journal.sessions.claim(f"{NAME}-{number}", "zoë")
        journal.catch_up()
    return f"sqlite:///{path}"


def muniment(*arguments: str, **settings: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "muniment.scripts.main", *arguments]
    given: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **settings}
    return subprocess.run(command, check=False, **given)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_that_the_terminal_lacks_are_shown_as_escapes(encoding: str, address: str) -> None:
    environment = {**os.environ, **ENCODINGS[encoding]}
    # Each command in one encoding, and the one with names in all.
    for command in {"owners", *COMMANDS[list(ENCODINGS).index(encoding) :: len(ENCODINGS)]}:
        done = muniment(*command.split(), "--journal", address, env=environment)
        assert (done.returncode, done.stderr) == (0, b""), command
        if command == "owners":
            assert (b"zo\xc3\xab" if encoding == "utf-8" else b"zo") in done.stdout
    done = muniment("owners", "--json", "--journal", address, env=environment)
    assert json.loads(done.stdout)["data"][0]["session_id"].startswith(NAME)
    done = muniment("tail", "--json", "--journal", address, env=environment)
    assert NAME in json.loads(done.stdout.splitlines()[0])["stream"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("command", [*COMMANDS, "owners --json", "--help"])
def test_a_full_disk_is_one_line(command: str, address: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = (
            muniment(*command.split(), "--journal", address, stdout=full)
            if command != "--help"
            else muniment(command, stdout=full)
        )
    assert done.returncode == 2
    assert done.stderr.decode().startswith("Error: the output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["export", "owners", "owners --json", "log", "audit", "diff .."])
def test_a_reader_who_has_had_enough_gets_no_message(command: str, address: str) -> None:
    arguments = [sys.executable, "-m", "muniment.scripts.main", *command.split(), "--journal", address]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 2


def test_a_closed_output_is_one_line(address: str) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m muniment.scripts.main owners --journal "{address}" >&-',
        shell=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, b"Error: the output cannot be written: stdout is closed\n")


@pytest.mark.parametrize("command", ["replay", "import -", "owners nonsense"])
@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_what_else_is_closed_changes_no_exit_code(command: str, closed: str, address: str) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m muniment.scripts.main {command} --journal "{address}" {closed}',
        shell=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert done.returncode == (2 if "import" in command or "nonsense" in command else 0), done.stderr
    assert done.stderr.count(b"\n") <= (4 if "nonsense" in command else 1)
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("command", ["nonsense", "show 99999 --json", "owners"])
def test_a_message_that_cannot_be_written_is_exit_code_2(command: str, address: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = muniment(*command.split(), stderr=full, env={**os.environ, "MUNIMENT_JOURNAL": address})
    assert done.returncode == (0 if command == "owners" else 2)


def test_an_interrupt_is_one_line(address: str) -> None:
    command = [sys.executable, "-m", "muniment.scripts.main", "import", "-", "--journal", "sqlite:///never-made.db"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1].strip() == b"Error: interrupted"
    assert process.returncode == 130
    assert not list(Path.cwd().glob("*never-made*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["nonsense"],
        ["log", "--limit", "many"],
        ["log", "--limit", "9" * 5_000],
        ["owners", "--at", "tomorrow"],
        ["owners", "--at", "9" * 5_000],
        ["show", "\udcff"],
        ["audit", "\udcff"],
        ["log", "x" * 10_000],
        ["revert", "session-s@" + "9" * 400],
        ["rollback", "session-s", "--to", "-1"],
        ["backup", "/"],
        ["backup", "/nowhere/at/all"],
        ["import", "/"],
        ["import", "/nowhere"],
        ["import", sys.executable],
        ["restore", "/nowhere"],
        ["owners", "--lock-timeout", "nan"],
        ["tail", "--after", "cursor"],
        ["tick", "--now", "-1"],
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_wrong_input_is_exit_code_2_and_no_traceback(arguments: list[str], as_json: bool, address: str) -> None:
    command = [*map(os.fsencode, arguments), *([b"--json"] if as_json else [])]
    done = muniment(*command, env={**os.environ, "MUNIMENT_JOURNAL": address})  # type: ignore[arg-type]
    assert done.returncode == 2, done.stderr
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    if as_json:
        assert set(json.loads(done.stderr)["error"]) == {"code", "message", "facts"}


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite:///", "sqlite:////", "sqlite:///\n", "postgresql://", "memory://", "\udcff"]
)
def test_wrong_addresses_are_exit_code_2_and_no_traceback(url: str) -> None:
    done = muniment("owners", os.fsencode("--journal=" + url))  # type: ignore[arg-type]
    assert done.returncode in ((0, 2) if url == "memory://" else (2,)), done.stderr
    assert b"Traceback" not in done.stderr


def test_a_title_shows_what_turns_text_round_as_an_escape() -> None:
    for rows in (1, 2_000):
        shown = table("session \u202eabc", ["name"], [("x",)] * rows)
        console = Console(file=io.StringIO(), width=80)
        print_table(shown, console, fitted=True)
        printed = console.file.getvalue()  # type: ignore[attr-defined]
        assert "session \\u202eabc" in printed
        assert "\u202e" not in printed
