"""Running a document: its text as it would be if every block showed what it really prints."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fcntl import ioctl
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory
from termios import TIOCSWINSZ
from typing import Final

from .documents import ROOT, Block, DocumentError, commands, run_blocks

BEGINS_MS: Final = 1_772_474_400_000
"""When every document begins: 2026-03-02T18:00:00Z, a Monday evening."""

STEP_MS: Final = 60_000
"""How much later each block of Python, and each command, is than the one before."""

COLUMNS: Final = 80
"""The width of the terminal."""

TIMEOUT_S: Final = 60
"""How long a block of Python, or a command, may take."""

MASKS: Final = (
    (re.compile(r"\b\d+\.\d+ s\b"), "0.1 s"),
    (re.compile(r"\b\d+ events/s\b"), "20000 events/s"),
)
"""What cannot be made the same everywhere, and what is shown instead: how long work took by the machine's own clock."""


class Program:
    """A program that runs what it is given, on a terminal, and says behind each how it ended."""

    def __init__(self, stack: ExitStack, arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._terminal, theirs = pty.openpty()
        stack.callback(os.close, self._terminal)
        # Lines end as they were written.
        tty.setraw(theirs)
        ioctl(theirs, TIOCSWINSZ, pack("HHHH", 24, COLUMNS, 0, 0))
        self._process = stack.enter_context(
            subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=theirs,
                stderr=theirs,
                cwd=folder,
                env=environment,
                text=True,
                start_new_session=True,
            )
        )
        os.close(theirs)

    def run(self, line: str) -> tuple[str, int]:
        """Give it a line.

        Returns:
            What the terminal showed, and the exit code.

        Raises:
            DocumentError: it takes longer than documents may, or the program itself ended.
        """
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(line + "\n")
        stdin.flush()
        shown, ends = b"", time.monotonic() + TIMEOUT_S
        while not (end := re.search(rb"\0(\d+)\0$", shown)):
            if not select.select([self._terminal], [], [], max(0, ends - time.monotonic()))[0]:
                os.killpg(self._process.pid, signal.SIGKILL)
                raise DocumentError(f"it takes longer than {TIMEOUT_S} s; until then it printed\n{shown.decode()}")
            try:
                shown += os.read(self._terminal, 1 << 16)
            except OSError as error:
                raise DocumentError(f"the program ended: {shown.decode()}") from error
        return shown[: end.start()].decode(), int(end[1])


@dataclass
class Run:
    """One document that is run.

    Attributes:
        python: runs blocks of Python.
        shell: runs commands.
        now_ms: what time it is in the document.
    """

    python: Program
    shell: Program
    now_ms: int = field(default=BEGINS_MS)

    def _step(self) -> int:
        self.now_ms += STEP_MS
        return self.now_ms

    def _run(self, program: Program, line: str, block: Block) -> tuple[str, int]:
        try:
            return program.run(line)
        except DocumentError as error:
            raise DocumentError(f"{block.place}: {error}") from error

    def printed(self, block: Block) -> str:
        """What a block of Python prints.

        Raises:
            DocumentError: it raises.
        """
        asked = {
            "document": block.document,
            "line": block.line,
            "text": block.text,
            "anew": block.is_anew,
            "running": block.has_running_clock,
            "now": self._step(),
        }
        output, code = self._run(self.python, json.dumps(asked), block)
        if code:
            raise DocumentError(f"{block.place}: the block raises\n{output}")
        return tidy(output)

    def console(self, block: Block) -> str:
        """A console block with what its commands print now.

        Raises:
            DocumentError: a command does not end as the block says.
        """
        given = list(commands(block))
        lines: list[str] = []
        for number, command in enumerate(given, 1):
            said = f"export DOCUMENT_TIME={self._step()}; eval {shlex.quote(command)} </dev/null; printf '\\0%d\\0' $?"
            output, code = self._run(self.shell, said, block)
            expected = block.exit_code if number == len(given) else 0
            if code != expected:
                raise DocumentError(
                    f"{block.place}: `{command}` ends with exit code {code} instead of {expected}\n{output}"
                )
            first, *further = command.split("\n")
            lines += [f"$ {first}", *(f"> {line}" for line in further), *tidy(output).splitlines()]
        return "".join(f"{line}\n" for line in lines)


def tidy(output: str) -> str:
    """Output as a document shows it: masked, without blanks at the ends of lines, or empty lines at either end."""
    for pattern, shown in MASKS:
        output = pattern.sub(shown, output)
    told = "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")
    return f"{told}\n" if told else ""


@contextmanager
def programs() -> Iterator[Path]:
    """The programs that documents run.

    Yields:
        The folder with them. Its name is short, since that of a socket has to be.
    """
    with TemporaryDirectory(prefix="documents-") as folder:
        arguments = [sys.executable, "-m", "tests.document_programs", folder]
        with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
            assert serving.stdout is not None
            assert serving.stdout.readline() == "ready\n"
            yield Path(folder)


def as_run(text: str, document: str, bin_folder: Path, folder: Path) -> str:
    """Run a document's blocks in a folder.

    Returns:
        Its text, with what the blocks printed in the place of what they are said to print.

    Raises:
        DocumentError: a block is neither run nor marked, or does not end as it says.
    """
    environment = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # No colours, no bars that move (rich 14), no pager.
        "TERM": "dumb",
        "TTY_COMPATIBLE": "0",
        "PAGER": "cat",
    }
    lines = text.splitlines(keepends=True)
    # From the last to the first, so that what was found before stays where it is.
    for at, length, replacement in reversed(list(_replacements(text, document, bin_folder, folder, environment))):
        lines[at : at + length] = replacement.splitlines(keepends=True)
    return "".join(lines)


def _replacements(
    text: str, document: str, bin_folder: Path, folder: Path, environment: dict[str, str]
) -> Iterator[tuple[int, int, str]]:
    """What stands in other lines than it should: where, how many lines, and what is to stand there."""
    shown = run_blocks(text, document)
    with ExitStack() as stack:
        run = Run(
            Program(stack, [str(bin_folder / "python-blocks")], folder, environment),
            Program(stack, ["bash", "--norc"], folder, environment),
        )
        for number, block in enumerate(shown):
            following = shown[number + 1] if number + 1 < len(shown) else None
            if block.kind == "console":
                yield block.line - 1, len(block.text.splitlines()), run.console(block)
            elif block.kind == "python":
                printed = run.printed(block)
                if following is not None and following.kind == "text":
                    yield following.line - 1, len(following.text.splitlines()), printed
                elif printed:
                    yield block.line + len(block.text.splitlines()), 0, f"\n```text\n{printed}```\n"
