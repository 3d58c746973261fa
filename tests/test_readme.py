"""What the README says is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from muniment.scripts.cli import cli

ROOT = Path(__file__).parent.parent


def block(mark: str) -> str:
    """The fenced block that follows a comment."""
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_example_prints_what_it_says(tmp_path: Path) -> None:
    example = block("example")
    assert len(example.splitlines()) <= 25
    run = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert run.stdout == block("output")


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert block("test command").endswith("-m pytest\n")
    assert 'readme_block "test command"' in (ROOT / ".ci" / "run").read_text()


def test_links_lead_somewhere() -> None:
    path = ROOT / "README.md"
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text())
    assert targets
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()
    assert [name for name in cli.commands if f"`muniment {name}" not in text] == []


def test_every_table_is_documented() -> None:
    from muniment.journal import Journal

    text = (ROOT / "docs" / "record.md").read_text()
    with Journal.open("memory://") as journal:
        assert [table.name for table in journal._store.tables if f"| `{table.name}` |" not in text] == []
