"""The tamper matrix: every edit is tried, and the page says what finds it."""

from __future__ import annotations

from pathlib import Path

from muniment.scripts.tamper.edits import EDITS
from muniment.scripts.tamper.run import BEGIN, END, lines, outcomes

PAGE = Path(__file__).parents[2] / "docs" / "tamper.md"


def test_the_page_says_what_finds_each_edit() -> None:
    found = list(outcomes())
    assert len(found) == len({outcome.edit.name for outcome in found}) == len(EDITS) >= 75
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert table == "\n".join(lines(found)) + "\n"
