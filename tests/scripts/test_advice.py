"""What errors advise: a program in Python is told Python, who types commands is told commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from muniment.domain import (
    AlreadyCompensated,
    DamagedRecord,
    JournalDamaged,
    JournalLocked,
    JournalNotFound,
    JournalReadOnly,
    JournalWithoutId,
    LaterEventDepends,
    MunimentError,
    NotStored,
    ProjectionStopped,
    SagaNotFound,
    SessionNotFound,
    UndoMissing,
    UnknownEvent,
    UnknownPosition,
    UnknownVersion,
)
from muniment.journal import Journal
from muniment.scripts.cli import cli
from muniment.scripts.cli.advice import told

PYTHON = re.compile(r"journal\.|\w+\(|_s\b|=True|=False")

ERRORS: list[MunimentError] = [
    AlreadyCompensated("session-s@2", "session-s@3"),
    DamagedRecord("session.opened.v1", "session-s", 1, None, "no JSON"),
    JournalDamaged("j.db", "a page is broken"),
    JournalLocked("j.db", 5_000),
    JournalNotFound("j.db"),
    JournalReadOnly("j.db"),
    JournalWithoutId("j.db"),
    LaterEventDepends("session-s@2", "session-s@3", "session.hosted.v1"),
    LaterEventDepends("session-s@2", "session-s@3", "session.closed.v1", "a closed session stays closed"),
    NotStored("j.db", "a trigger drops what is inserted"),
    ProjectionStopped("owners", 7, "it is damaged"),
    SagaNotFound("g"),
    SessionNotFound("s"),
    UndoMissing("g", ("book", "pay")),
    UnknownEvent("session-s@9"),
    UnknownPosition(9, 4),
    UnknownVersion("session-s", 9, 4),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_the_command_line_advises_commands(error: MunimentError) -> None:
    message = told(error)
    assert not PYTHON.search(message)
    # It is advised once, and what is wrong stays as it was.
    assert message.startswith(str(error).removesuffix(f"; {error.advice}"))
    assert not error.advice or error.advice not in message or "undone either" in message


@pytest.mark.parametrize("error", [each for each in ERRORS if each.advice], ids=lambda error: error.code)
def test_an_error_ends_with_its_advice(error: MunimentError) -> None:
    assert str(error).endswith(f"; {error.advice}")


def commands() -> set[str]:
    return set(cli.commands)


def test_commands_that_are_advised_are_there() -> None:
    advised = {name for error in ERRORS for name in re.findall(r"'muniment ([a-z-]+)", told(error))}
    assert advised <= commands()
    assert len(advised) > 6


@pytest.mark.parametrize(
    "arguments",
    [["revert", "session-s@9"], ["audit", "nobody"], ["show", "9"], ["rollback", "session-s", "--to", "9"]],
    ids=lambda arguments: arguments[0],
)
def test_what_is_typed_wrong_is_answered_with_commands(arguments: list[str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        journal.sessions.open("s")
    done = CliRunner().invoke(cli, [*arguments, "--journal", url])
    assert done.exit_code == 2
    assert "'muniment " in done.stderr, done.stderr
    assert not PYTHON.search(done.stderr), done.stderr


TURNED: list[Any] = ["a\u202eb", "a\u2066b", "a\x1b[31mb", "a\nb", "a\x9bb"]


@pytest.mark.parametrize("name", TURNED, ids=ascii)
def test_no_message_turns_text_round_or_drives_a_terminal(name: str) -> None:
    for error in (
        UndoMissing("g", (name,)),
        SessionNotFound(name),
        JournalNotFound(name),
        LaterEventDepends(name, name, name, name),
    ):
        for message in (str(error), told(error)):
            assert message.isprintable(), ascii(message)
