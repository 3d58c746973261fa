"""Every rule of the references that is cited stands in ``docs/rules``, and every rule there is cited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("domain", "projections", "journal", "scripts", "tests", "docs")
REFERENCES = ("telltale", "aura", "de-mls")
_RULE = r"\d+(?:\.\d+)?\b|[GTRVO]-?\d+\b|\d*[a-g]\b"
_CITATION = re.compile(rf"\b({'|'.join(REFERENCES)})\s+((?:\d+(?:\.\d+)?)(?:(?:,\s*|\s+and\s+|\s+to\s+)(?:{_RULE}))*)")


def cited_in(text: str) -> Iterator[tuple[str, str]]:
    """The reference and rule of each citation: ``2.4``, or ``2.0, G2`` for a part of a rule."""
    for reference, numbers in _CITATION.findall(text):
        rule, has_parts = "", True
        for number in re.split(r",\s*|\s+and\s+|\s+to\s+", numbers):
            is_part = rule and not re.fullmatch(r"\d+\.\d+", number) and ("." in rule or not number.isdecimal())
            if is_part and re.fullmatch("[a-g]", number):
                continue
            if is_part:
                has_parts = True
                yield reference, f"{rule}, {number}"
                continue
            if not has_parts:
                yield reference, rule
            rule, has_parts = number, False
        if not has_parts:
            yield reference, rule


def citations() -> dict[tuple[str, str], str]:
    """Every citation, with a file that has it."""
    found: dict[tuple[str, str], str] = {}
    paths = [path for tree in TREES for path in (ROOT / tree).rglob("*") if path.suffix in (".py", ".md")]
    for path in [ROOT / "README.md", *paths]:
        if path.parent.name != "rules" and path != Path(__file__):
            for citation in cited_in(path.read_text()):
                found.setdefault(citation, str(path.relative_to(ROOT)))
    return found


def told() -> set[tuple[str, str]]:
    """Every rule that the pages tell."""
    return {
        (reference, rule)
        for reference in REFERENCES
        for rule in re.findall(
            r"^\*\*([^*]+)\*\*", (ROOT / "docs" / "rules" / f"{reference}.md").read_text(), re.MULTILINE
        )
    }


def test_every_rule_that_is_cited_is_told() -> None:
    found = citations()
    assert len(found) > 100
    missing = {
        f"{reference} {rule}": path for (reference, rule), path in found.items() if (reference, rule) not in told()
    }
    assert missing == {}


def test_every_rule_that_is_told_is_cited() -> None:
    assert sorted(told() - set(citations())) == []


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("(telltale 2.4)", ["2.4"]),
        ("(telltale 2.0, G2)", ["2.0, G2"]),
        ("(aura 2.23, 2.24, 2.30)", ["2.23", "2.24", "2.30"]),
        ("(aura 2.26, V1 to V4)", ["2.26, V1", "2.26, V4"]),
        ("(aura 6, O-33)", ["6, O-33"]),
        ("(de-mls 5.1, 7)", ["5.1, 7"]),
        ("(de-mls 1 to 3, 5)", ["1", "3", "5"]),
        ("(de-mls 1.3, T4, T5, T13)", ["1.3, T4", "1.3, T5", "1.3, T13"]),
        ("(de-mls 1.4, 4b)", ["1.4, 4b"]),
        ("(aura 2.30, a to g)", ["2.30"]),
        ("(aura 2.14; law 7)", ["2.14"]),
    ],
)
def test_citations_are_read_as_they_are_meant(text: str, rules: list[str]) -> None:
    assert [rule for _, rule in cited_in(text)] == rules
