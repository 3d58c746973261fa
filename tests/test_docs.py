"""What the documents show is run: Python and shell, in order, each page in a folder of its own.

Text behind ``<!-- … output -->`` is what the block before it prints. Blocks of Python share the page's names. What a
page leaves out to be short stands in a comment, ``<!-- setup … -->``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))

_PART = re.compile(
    r"<!-- setup\n(?P<setup>.*?)\n-->"
    r"|(?P<output><!-- [\w ]*output -->)"
    r"|^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)

RUNNER = """
import ast, asyncio, inspect, json, subprocess, sys

names = {"__name__": "__main__"}
loop = asyncio.new_event_loop()
for kind, text in json.load(sys.stdin):
    sys.stdout.write("\\0")
    sys.stdout.flush()
    if kind == "sh":
        done = subprocess.run(["bash", "-euc", text], stdout=subprocess.PIPE, text=True)
        sys.stdout.write(done.stdout)
        if done.returncode:
            sys.exit(f"exit code {done.returncode} of: {text}")
        continue
    code = compile(text, f"block: {text[:60]!r}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        loop.run_until_complete(eval(code, names))
    else:
        exec(code, names)
    sys.stdout.flush()
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
"""


class Block(NamedTuple):
    """A block of a page."""

    kind: str
    text: str
    output: str | None


def blocks(page: str) -> list[Block]:
    found: list[Block] = []
    is_output = False
    for part in _PART.finditer((ROOT / "docs" / page).read_text()):
        if part["setup"] is not None:
            found.append(Block("python", part["setup"], None))
        elif part["output"] is not None:
            is_output = True
        elif is_output:
            assert part["kind"] == "text", part["text"]
            found[-1] = found[-1]._replace(output=part["text"])
            is_output = False
        else:
            found.append(Block(part["kind"], part["text"], None))
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_what_a_page_shows_is_run(page: str, tmp_path: Path) -> None:
    shown = blocks(page)
    assert {each.kind for each in shown} <= {"python", "sh", "json", "mermaid"}, "a block that nothing runs"
    for each in shown:
        if each.kind == "json":
            json.loads(each.text)
    run = [each for each in shown if each.kind in ("python", "sh")]
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps([(each.kind, each.text) for each in run]),
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    for each, printed in zip(run, done.stdout.split("\0")[1:], strict=True):
        if each.output is not None:
            assert printed == each.output


def test_pages_are_linked_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert [page for page in PAGES if f"docs/{page}" not in text] == []
