"""What the documents show is run, with the output that they show.

``make documents`` writes the outputs anew; read the difference before you commit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import unified_diff
from itertools import zip_longest
from pathlib import Path

import pytest

from . import document_runs
from .document_runs import as_run, programs
from .documents import DOCUMENTS, ROOT, DocumentError, blocks

pytestmark = pytest.mark.processes

PAGE = "page.md"


def names_of_run_documents() -> list[str]:
    """The documents with something to run, from the repository's root."""
    names = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
    return [name for name in names if any(each.is_run for each in blocks((ROOT / name).read_text(), name))]


@pytest.fixture(scope="module")
def bin_folder() -> Iterator[Path]:
    with programs() as folder:
        yield folder


def difference(shown: str, printed: str, document: str) -> str:
    """What a document shows and what it prints, as a readable difference; empty if there is none."""
    before, after = shown.splitlines(), printed.splitlines()
    if before == after:
        return ""
    line = next(number for number, (old, new) in enumerate(zip_longest(before, after), 1) if old != new)
    told = f"{document}:{line}: what is shown is not what is printed; `make documents` writes it anew"
    return "\n".join([told, *unified_diff(before, after, document, f"{document}, run", lineterm="", n=2)])


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


def fenced(kind: str, *lines: str) -> str:
    return "\n".join([f"```{kind}", *lines, "```", ""])


def test_an_output_that_is_not_true_is_named_by_file_and_line(bin_folder: Path, tmp_path: Path) -> None:
    page = "A sum:\n" + fenced("python", "print(1 + 1)") + "It prints\n" + fenced("text", "3")
    printed = as_run(page, PAGE, bin_folder, tmp_path)
    assert printed == page.replace("3\n", "2\n")
    told = difference(page, printed, PAGE).splitlines()
    assert told[0].startswith("page.md:7: what is shown is not what is printed")
    assert told[-3:] == ["-3", "+2", " ```"]
    assert difference(printed, printed, PAGE) == ""


def test_commands_are_followed_by_what_a_terminal_shows(bin_folder: Path, tmp_path: Path) -> None:
    given = ("$ cd /", "$ pwd", "$ echo out; echo err >&2", "$ stty size <&1", "$ echo a \\", "> b")
    told = fenced("console", *given[:2], "/", given[2], "out", "err", given[3], "24 80", *given[4:], "a b")
    assert as_run(fenced("console", *given), PAGE, bin_folder, tmp_path) == told
    assert as_run(told, PAGE, bin_folder, tmp_path) == told


def test_a_block_that_prints_gets_its_output(bin_folder: Path, tmp_path: Path) -> None:
    page = fenced("python", "print('so')")
    printed = as_run(page, PAGE, bin_folder, tmp_path)
    assert printed == page + "\n" + fenced("text", "so")
    assert as_run(printed, PAGE, bin_folder, tmp_path) == printed


def test_blocks_go_on_from_those_before_them_unless_they_begin_anew(bin_folder: Path, tmp_path: Path) -> None:
    hidden = "<!--\n" + fenced("python", "from pathlib import Path", "Path('made').touch()") + "-->\n"
    page = hidden + fenced("python", "print(Path('made').exists())") + "\n" + fenced("text", "True")
    page += fenced("console", "$ ls", "made") + "<!-- anew -->\n" + fenced("python", "print('Path' in globals())")
    page += "\n" + fenced("text", "False")
    assert as_run(page, PAGE, bin_folder, tmp_path) == page


def test_what_is_marked_as_not_run_stays_as_it_is(bin_folder: Path, tmp_path: Path) -> None:
    page = "<!-- not run: it needs a server -->\n" + fenced("sh", "false") + fenced("mermaid", "flowchart LR")
    assert as_run(page, PAGE, bin_folder, tmp_path) == page


def test_every_run_of_a_document_sees_the_same_times_and_ids(bin_folder: Path, tmp_path: Path) -> None:
    lines = ("from muniment.journal import Journal", "with Journal.open('sqlite:///a.db') as journal:")
    page = fenced("python", *lines, "    journal.sessions.open('s-1')", "    print(journal.cursor())")
    page += fenced("console", "$ export MUNIMENT_JOURNAL=sqlite:///a.db", "$ muniment log --json", "$ muniment export")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    printed = as_run(page, PAGE, bin_folder, first)
    assert "2026-03-02T18:01:00" in printed
    assert as_run(page, PAGE, bin_folder, second) == printed


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (fenced("sh", "true"), "page.md:2: nothing runs a block of kind 'sh'"),
        (fenced("json", "{}"), "page.md:2: nothing runs a block of kind 'json'"),
        (fenced("", "true"), "page.md:2: nothing runs a block of kind ''"),
        (fenced("text", "so"), "page.md:2: nothing runs a block of kind 'text'"),
        (fenced("console", "$ true") + fenced("text", "so"), "page.md:5: nothing runs a block of kind 'text'"),
        ("<!-- not run: -->\n" + fenced("sh", "true"), "page.md:3: nothing runs a block of kind 'sh'"),
        (fenced("console", "true"), "page.md:2: a console block begins with a command"),
        (fenced("console", "$ (exit 3)"), "page.md:2: `(exit 3)` ends with exit code 3 instead of 0"),
        ("<!-- exit 3 -->\n" + fenced("console", "$ true"), "page.md:3: `true` ends with exit code 0 instead of 3"),
        (
            "<!-- exit 3 -->\n" + fenced("console", "$ (exit 3)", "$ (exit 3)"),
            "page.md:3: `(exit 3)` ends with exit code 3 instead of 0",
        ),
        (fenced("console", "$ echo 'a"), "page.md:2: `echo 'a` ends with exit code"),
        (fenced("console", "$ exit"), "page.md:2: the program ended"),
        (fenced("python", "x = 1", "raise ValueError(x)"), 'File "page.md", line 3'),
        ("```python\n", "page.md:1: the block is not closed"),
    ],
)
def test_a_block_that_cannot_be_run_as_it_says_is_refused(
    page: str, told: str, bin_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DocumentError) as refused:
        as_run(page, PAGE, bin_folder, tmp_path)
    assert told in str(refused.value)


@pytest.mark.parametrize("block", [("python", "while True: pass"), ("console", "$ sleep 100")])
def test_a_block_that_does_not_end_is_ended(
    block: tuple[str, ...], bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_runs, "TIMEOUT_S", 1)
    with pytest.raises(DocumentError, match=r"page\.md:2: it takes longer than 1 s"):
        as_run(fenced(*block), PAGE, bin_folder, tmp_path)


def test_programs_that_a_program_starts_run_like_it(bin_folder: Path, tmp_path: Path) -> None:
    usage = "Usage: muniment [OPTIONS] COMMAND [ARGS]..."
    page = fenced("console", "$ echo $(bash -c 'muniment --help' | head -1)", usage)
    assert as_run(page, PAGE, bin_folder, tmp_path) == page
