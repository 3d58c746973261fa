"""The fenced blocks of the documents, and what each says about how it is run.

A line that is a comment, right above a fence, says what is special about the block:

- ``<!-- not run: REASON -->``: nothing runs it
- ``<!-- exit 1 -->``: the last command of a console block ends with this code; all others end with 0
- ``<!-- anew -->``: a block of Python that begins without the names of those before it
- ``<!-- the clock runs -->``: a block of Python that waits for time to go by; for all others time stands still

A fence inside a comment is a block that readers do not see. ``CONTRIBUTING.md`` says how to write one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
DOCUMENTS: Final = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

PICTURES: Final = ("mermaid",)
"""Kinds of blocks that are no text to run."""

_FENCE: Final = re.compile(r"^(?P<fence>`{3,})(?P<kind>[^`\n]*)$")
_COMMENT: Final = re.compile(r"^<!-- (?P<said>.+) -->$")
_NOT_RUN: Final = "not run: "
_EXIT: Final = "exit "


class DocumentError(Exception):
    """A block that nobody can run as it is written; the message begins with file and line."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        document: the path of the document, from the repository's root.
        line: the line of its first line of text, from 1.
        kind: what stands behind the opening fence.
        text: the lines between the fences.
        said: what the comments right above say.
    """

    document: str
    line: int
    kind: str
    text: str
    said: tuple[str, ...]

    @property
    def place(self) -> str:
        """File and line, as an editor opens them."""
        return f"{self.document}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether it is to be run, or is the output of one that is."""
        return self.kind not in PICTURES and not any(said.startswith(_NOT_RUN) for said in self.said)

    @property
    def exit_code(self) -> int:
        """How its last command ends."""
        return next((int(said.removeprefix(_EXIT)) for said in self.said if said.startswith(_EXIT)), 0)

    @property
    def is_anew(self) -> bool:
        """Whether it begins without the names of the blocks before it."""
        return "anew" in self.said

    @property
    def has_running_clock(self) -> bool:
        """Whether time goes by while it runs."""
        return "the clock runs" in self.said


def blocks(text: str, document: str) -> Iterator[Block]:
    """The blocks of a document, in order.

    Raises:
        DocumentError: a fence is not closed.
    """
    said: list[str] = []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if comment := _COMMENT.match(line):
            said.append(comment["said"])
        elif opening := _FENCE.match(line):
            inside: list[str] = []
            for _, each in lines:
                if each == opening["fence"]:
                    break
                inside.append(each)
            else:
                raise DocumentError(f"{document}:{number}: the block is not closed")
            shown = "".join(f"{each}\n" for each in inside)
            yield Block(document, number + 1, opening["kind"], shown, tuple(said))
            said = []
        else:
            said = []


def run_blocks(text: str, document: str) -> list[Block]:
    """The blocks of a document that are run, and their outputs.

    Raises:
        DocumentError: a block is neither of these, nor marked as not run.
    """
    found = [each for each in blocks(text, document) if each.is_run]
    for block, before in zip(found, [None, *found], strict=False):
        is_output = block.kind == "text" and before is not None and before.kind == "python"
        if not is_output and block.kind not in ("python", "console"):
            raise DocumentError(
                f"{block.place}: nothing runs a block of kind {block.kind!r} that is no output of Python before it; "
                "make it python or console, or say <!-- not run: REASON --> above it"
            )
    return found


def named_block(document: Path, name: str) -> Block:
    """The block below the comment that gives it a name."""
    return next(each for each in blocks(document.read_text(), document.name) if name in each.said)


def commands(block: Block) -> Iterator[str]:
    """The commands of a console block: lines behind ``$``, each with the lines behind ``>`` that go on with it.

    Raises:
        DocumentError: it begins with something else.
    """
    if not block.text.startswith("$ "):
        raise DocumentError(f"{block.place}: a console block begins with a command, a line behind '$ '")
    lines = block.text.splitlines()
    for index, line in enumerate(lines):
        if line.startswith("$ "):
            command = [line.removeprefix("$ ")]
            for further in lines[index + 1 :]:
                if not further.startswith("> "):
                    break
                command.append(further.removeprefix("> "))
            yield "\n".join(command)
