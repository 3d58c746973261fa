"""Every command and every method of the facades is named in the documents.

A method is named as code, with its facade: ``journal.sessions.claim``, or ``sessions.claim``. The pages of a facade may
name its methods alone, such as ``claim(id, owner)`` in a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import click
import muniment.journal
import pytest
from muniment.journal import AsyncJournal, Journal
from muniment.scripts.cli import cli

from .documents import ROOT, blocks
from .public_surface import public_methods
from .test_public_snapshot import members

PAGES: Final = {
    "sessions": ("sessions.md", "delegation-and-undo.md", "protocols.md"),
    "inbox": ("sessions.md",),
    "bundles": ("delegation-and-undo.md",),
    "conversations": ("conversations.md",),
}
"""Where the methods of a facade are named alone."""

COMPARED: Final = "seeds.md"
"""The page that says what the references' items are called here; a name there documents nothing."""


@cache
def code(page: str) -> tuple[str, ...]:
    """What a page shows as code."""
    text = (ROOT / "docs" / page).read_text()
    return (*re.findall(r"`([^`\n]+)`", text), *(block.text for block in blocks(text, page)))


@cache
def all_code() -> str:
    """What the pages show as code."""
    pages = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != COMPARED]
    return "\n".join(each for page in pages for each in code(page))


def is_documented(path: str) -> bool:
    """Whether a method is named: behind its facade and a dot, or alone on a page of its facade."""
    facade, _, method = path.rpartition(".")
    if re.search(rf"\b{facade or 'journal'}\.{method}\b", all_code()):
        return True
    alone = re.compile(rf"(?:^|, )\.?{method}\b")
    return any(alone.search(each) for page in PAGES.get(facade, ()) for each in code(page))


def methods() -> Iterator[str]:
    """The journal's methods, and those of its facades and views; every mapping has the ones of a mapping."""
    with Journal.open("memory://") as journal:
        for path, method in public_methods(journal, "journal"):
            name = path.removeprefix("journal.").removesuffix("[]")
            if name.rpartition(".")[2] not in dir(Mapping) and not isinstance(method, Mapping):
                yield name


def is_public(name: str, kind: object) -> bool:
    """Whether it is a class that the journal's users meet."""
    return name in muniment.journal.__all__ and isinstance(kind, type)


def commands(group: click.Group, said: str) -> Iterator[str]:
    """Every command as it is typed, those of groups too."""
    for name, command in group.commands.items():
        yield f"{said} {name}"
        if isinstance(command, click.Group):
            yield from commands(command, f"{said} {name}")


def test_every_method_is_documented() -> None:
    found = sorted(set(methods()))
    assert len(found) > 150
    assert [name for name in found if not is_documented(name)] == []


@pytest.mark.parametrize("name", sorted(name for name, kind in vars(muniment.journal).items() if is_public(name, kind)))
def test_what_the_journal_hands_out_is_documented(name: str) -> None:
    own = {line.split(":")[0].split("(")[0].split()[-1] for line in members(getattr(muniment.journal, name))}
    assert sorted(each for each in own if not re.search(rf"\b{each}\b", all_code())) == []


def test_what_only_an_async_journal_has_is_documented() -> None:
    own = {name for name in dir(AsyncJournal) if not name.startswith("_")} - set(dir(Journal))
    assert own
    assert [name for name in own if not is_documented(name)] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()
    assert [command for command in commands(cli, "muniment") if not re.search(rf"`{command}\b", text)] == []


@pytest.mark.parametrize("name", ["sessions.nonsense", "nonsense", "sites.claim", "owners.commit_upgrade"])
def test_what_no_page_names_is_noticed(name: str) -> None:
    assert not is_documented(name)
