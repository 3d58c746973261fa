"""What the README says is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from muniment.domain import CATALOGUE, compensation
from muniment.journal.storage.identity_table import FORMAT
from muniment.scripts.cli import cli

ROOT = Path(__file__).parent.parent


def block(mark: str, document: str = "README.md") -> str:
    """The fenced block that follows a comment."""
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize(
    ("prefix", "document"),
    [
        ("", "README.md"),
        ("undo ", "README.md"),
        ("conversation ", "README.md"),
        ("", "docs/conversations.md"),
        ("", "docs/delegation-and-undo.md"),
        ("", "docs/moving.md"),
    ],
)
def test_the_examples_print_what_they_say(prefix: str, document: str, tmp_path: Path) -> None:
    example = block(f"{prefix}example", document)
    assert len(example.splitlines()) <= 25
    run = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert run.stdout == block(f"{prefix}output", document)


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert block("test command").endswith("-m pytest -n auto\n")
    assert 'readme_block "test command"' in (ROOT / ".ci" / "run").read_text()


def test_links_lead_somewhere() -> None:
    path = ROOT / "README.md"
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text())
    assert targets
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()
    assert [name for name in cli.commands if f"`muniment {name}" not in text] == []


def test_every_format_is_documented() -> None:
    formats = (ROOT / "docs" / "moving.md").read_text().partition("## Formats")[2]
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", formats, re.MULTILINE)] == [*range(1, FORMAT + 1)]


def test_every_table_is_documented() -> None:
    from muniment.journal import Journal

    text = (ROOT / "docs" / "record.md").read_text()
    with Journal.open("memory://") as journal:
        assert [table.name for table in journal._store.tables if f"| `{table.name}` |" not in text] == []


def test_every_event_that_nothing_undoes_is_documented() -> None:
    text = (ROOT / "docs" / "delegation-and-undo.md").read_text()
    rules = {name.removesuffix(".v1"): compensation.RULES[cls] for name, cls in CATALOGUE.types().items()}
    final = [name for name, rule in rules.items() if rule.compensate is None and not rule.is_mere_record]
    assert [name for name in final if f"`{name}`" not in text] == []
    assert all(rules[name].reason.partition(",")[0] in text for name in final)
