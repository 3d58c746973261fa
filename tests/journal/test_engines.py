"""A storage engine of another distribution: one package, and one line in its entry points."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from muniment.domain import InvalidArgument, InvalidExport
from muniment.journal import Journal, import_journal, restore, without_password
from muniment.journal.testing import JournalContract

# Journals in files that are named by a short name, so that there is an engine that is not one of ours.
_ADDRESS = """
from dataclasses import replace
from muniment.journal.storage.address import file_address

def parse(url):
    return replace(file_address("url", url.removeprefix("drawer://") + ".drawer", url), engine="drawers")
"""
_STORAGE = """
from muniment.journal.sqlite import storage

opened, discarded = [], []

def open_storage(address, *arguments, **options):
    opened.append(address.url)
    made = storage.open_storage(address, *arguments, **options)
    made.discard = lambda: discarded.append(address.url)
    return made
"""


@pytest.fixture
def drawers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    installed = tmp_path / "installed"
    package, about = installed / "drawers", installed / "drawers-1.0.dist-info"
    package.mkdir(parents=True)
    about.mkdir()
    (package / "__init__.py").touch()
    (package / "address.py").write_text(_ADDRESS)
    (package / "storage.py").write_text(_STORAGE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: drawers\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[muniment.engines]\ndrawer = drawers\nbroken = no_such_package\n")
    monkeypatch.syspath_prepend(installed)
    yield tmp_path
    for name in [each for each in sys.modules if each.partition(".")[0] == "drawers"]:
        del sys.modules[name]


class TestDrawers(JournalContract):
    @pytest.fixture
    def url(self, drawers: Path) -> str:
        return f"drawer://{drawers}/journal"


def test_its_own_url_is_what_a_journal_is_called_by(drawers: Path) -> None:
    url = f"drawer://{drawers}/journal"
    with Journal.open(url) as journal:
        assert journal.url == url
    assert (drawers / "journal.drawer").exists()
    assert without_password(url) == url


def test_its_journals_are_imported_and_restored_by_the_engine_itself(drawers: Path) -> None:
    kept, backup = drawers / "kept.db", drawers / "backup.db"
    with Journal.open(kept) as journal:
        journal.sessions.open("s", roles=["alice"])
        exported = list(journal.export())
        journal.backup(backup)
    imported, restored = f"drawer://{drawers}/imported", f"drawer://{drawers}/restored"
    import_journal(imported, exported)
    restore(backup, restored)
    assert sys.modules["drawers.storage"].opened == [imported, restored]
    for url in (imported, restored):
        with Journal.open(url) as journal:
            assert list(journal.export()) == exported


def test_what_a_failed_import_began_is_for_the_engine_to_discard(drawers: Path) -> None:
    url = f"drawer://{drawers}/journal"
    with pytest.raises(InvalidExport):
        import_journal(url, ["no export"])
    assert sys.modules["drawers.storage"].discarded == [url]


def test_a_scheme_that_no_engine_is_for_is_wrong_input() -> None:
    with pytest.raises(InvalidArgument, match="must be sqlite:///"):
        Journal.open("drawer://journal")


def test_an_engine_that_is_not_there_is_named(drawers: Path) -> None:
    with pytest.raises(InvalidArgument, match="no_such_package"):
        Journal.open("broken://journal")
