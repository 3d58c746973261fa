"""The bounds that the documents name are those that hold."""

from __future__ import annotations

import re
from pathlib import Path

from muniment.domain import bounds

DOCUMENT = Path(__file__).parents[1] / "docs" / "bounds.md"


def test_every_bound_is_in_the_document() -> None:
    rows = re.findall(r"^\| `(MAX_\w+)` \| ([0-9 ]+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: int(value.replace(" ", "")) for name, value in rows}
    assert len(documented) == len(rows)
    assert documented == {name: value for name, value in vars(bounds).items() if name.startswith("MAX_")}
