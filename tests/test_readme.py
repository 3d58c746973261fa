"""What the README and the documents say is true, where that is not a matter of running a block."""

from __future__ import annotations

import re

from muniment.domain import CATALOGUE, compensation
from muniment.journal.storage.identity_table import FORMAT

from .documents import ROOT, blocks, named_block

README = ROOT / "README.md"


def test_the_examples_are_short() -> None:
    examples = [each for each in blocks(README.read_text(), "README.md") if each.kind == "python"]
    assert examples
    assert [each.place for each in examples if len(each.text.splitlines()) > 25] == []


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert named_block(README, "test command").text.endswith("-m pytest -n auto\n")
    assert 'readme_block "test command"' in (ROOT / ".ci" / "run").read_text()


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_pages_are_linked_from_the_readme() -> None:
    text = README.read_text()
    assert [path.name for path in (ROOT / "docs").glob("*.md") if f"docs/{path.name}" not in text] == []


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
