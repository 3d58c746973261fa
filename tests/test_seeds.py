"""``docs/seeds.md`` has every public item of the references, each with a name that is there or a reason.

The items stand in ``tests/data/seed_items.txt``, one a line: the module, a colon, and the item.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from muniment.journal import Journal

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "seeds.md").read_text()
NOWHERE = "—"


class SeedRow(NamedTuple):
    """A row of the page's tables."""

    there: str
    here: str
    note: str


def items() -> dict[str, list[str]]:
    """The references' items, by module."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "tests" / "data" / "seed_items.txt").read_text().splitlines():
        seed, _, item = line.partition(": ")
        found.setdefault(seed, []).append(item)
    return found


SEEDS = list(items())


def sections() -> dict[str, str]:
    """The text of each section, by its heading."""
    _, *parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(text: str) -> Iterator[SeedRow]:
    """The rows of the table in a section."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[:2] == ["| there | here | note |", "|---|---|---|"]
    for line in lines[2:]:
        there, here, note = (cell.strip() for cell in line.strip("|").split("|"))
        yield SeedRow(there, here, note)


def names(text: str) -> list[str]:
    """The names of the journal and of the library that a text shows as code."""
    return re.findall(r"`((?:journal|muniment)(?:\.\w+)+)`", text)


@cache
def opened() -> Journal:
    return Journal.open("memory://")


def is_there(name: str) -> bool:
    """Whether a name leads to something, on an open journal or by importing."""
    first, *rest = name.split(".")
    if first == "journal":
        found: object = opened()
    else:
        found, rest = imported([first, *rest])
    for part in rest:
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


def imported(parts: list[str]) -> tuple[object, list[str]]:
    """The innermost module that a name begins with, and what follows it."""
    for length in range(len(parts), 1, -1):
        try:
            return importlib.import_module(".".join(parts[:length])), parts[length:]
        except ModuleNotFoundError:
            continue
    return importlib.import_module(parts[0]), parts[1:]


@pytest.fixture(autouse=True, scope="module")
def _closed() -> Iterator[None]:
    yield
    opened().close()
    opened.cache_clear()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_page_has_every_item_of_a_reference_once_and_no_other(seed: str) -> None:
    assert [row.there.strip("`") for row in rows(sections()[seed])] == items()[seed]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_item_has_a_name_here_or_a_reason(seed: str) -> None:
    for row in rows(sections()[seed]):
        if row.here == NOWHERE:
            assert row.note, row
        else:
            assert names(row.here) == [name.strip("`") for name in row.here.split(", ")], row


@pytest.mark.parametrize("section", sections())
def test_every_name_on_the_page_is_there(section: str) -> None:
    assert [name for name in names(sections()[section]) if not is_there(name)] == []


def test_the_page_says_how_many_rows_it_has() -> None:
    counted = {seed: len(found) for seed, found in items().items()}
    assert {seed: int(*re.findall(r"(\d+) rows\.", sections()[seed])) for seed in SEEDS} == counted
    assert f"There are {sum(counted.values())} rows." in PAGE


def test_what_is_not_there_is_noticed() -> None:
    assert not is_there("journal.sessions.nonsense")
    assert not is_there("journal.nonsense.claim")
    assert not is_there("muniment.domain.Nonsense")
    assert not is_there("muniment.nonsense")
    assert is_there("muniment.domain.Phase.WORKING")
