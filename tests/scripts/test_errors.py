"""The page of errors is what the program makes, and names every error."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from muniment.domain import MunimentError
from muniment.scripts.errors import BEGIN, END, all_errors, lines, main

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def test_the_page_is_what_the_program_makes(tmp_path: Path) -> None:
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert shown == "\n".join(lines()), "renew it with: python -m muniment.scripts.errors --write docs/errors.md"
    copy = tmp_path / "errors.md"
    copy.write_text(f"before {BEGIN} old {END} behind")
    assert CliRunner().invoke(main, ["--write", str(copy)]).exit_code == 0
    assert shown in copy.read_text()
    assert copy.read_text().endswith("behind")
    assert CliRunner().invoke(main, []).output.startswith("### A command that is refused")


def test_every_error_that_is_raised_is_on_the_page() -> None:
    def leaves(error: type[MunimentError]) -> list[type[MunimentError]]:
        below = [leaf for child in error.__subclasses__() for leaf in leaves(child)]
        return below or [error]

    text = PAGE.read_text()
    assert [each.code for each in leaves(MunimentError) if f"`{each.code}`" not in text] == []
    assert {each.code for each in all_errors()} >= {each.code for each in leaves(MunimentError)}
