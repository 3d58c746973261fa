"""What the documents show is run, with the output that they show.

``make documents`` writes the outputs anew; read the difference before you commit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

from .document_runs import as_run, programs
from .documents import DOCUMENTS, ROOT, DocumentError, blocks


def names_of_run_documents() -> list[str]:
    """The documents with something to run, from the repository's root."""
    names = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
    return [name for name in names if any(each.is_run for each in blocks((ROOT / name).read_text(), name))]


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with programs(tmp_path_factory.mktemp("bin")) as folder:
        yield folder


def difference(shown: str, printed: str, document: str) -> str:
    """What a document shows and what it prints, as a readable difference; empty if there is none."""
    lines = list(unified_diff(shown.splitlines(), printed.splitlines(), document, f"{document}, run", lineterm="", n=2))
    return "\n".join(["what is shown is not what is printed; `make documents` writes it anew", *lines]) if lines else ""


@pytest.mark.processes
@pytest.mark.parametrize("document", names_of_run_documents())
def test_what_a_document_shows_is_what_it_prints(document: str, bin_folder: Path, tmp_path: Path) -> None:
    path = ROOT / document
    shown = path.read_text()
    try:
        printed = as_run(shown, document, bin_folder, tmp_path)
    except DocumentError as error:
        pytest.fail(str(error), pytrace=False)
    if os.environ.get("MUNIMENT_WRITE_SNAPSHOT"):
        path.write_text(printed)
    elif found := difference(shown, printed, document):
        pytest.fail(found, pytrace=False)
