"""The rooms stay as they are drawn: nothing goes round in a circle, modules stay short, and every room is installed."""

from __future__ import annotations

import ast
import re
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("domain", "projections", "journal", "scripts")
LONGEST = 420
"""How many lines a module has at most. It has one subject."""


def modules() -> dict[str, Path]:
    """Every module by its name, with its file."""
    found = {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            parts = ["muniment", *path.relative_to(ROOT).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """What a module imports of the others, also for the sake of types alone."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            whence = ".".join([*above, *([node.module] if node.module else [])])
            found |= {each if (each := f"{whence}.{alias.name}") in known else whence for alias in node.names}
    return (found & set(known)) - {name}


def test_no_imports_go_round_in_a_circle() -> None:
    known = modules()
    graph = {name: imported(name, path, known) for name, path in known.items()}
    assert sum(map(len, graph.values())) > 500
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None


def test_no_module_is_too_long() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items() if not is_index(path)}
    assert len(lengths) > 200
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def is_index(path: Path) -> bool:
    """Whether a module does nothing but list the public names of its room."""
    tree = ast.parse(path.read_text())
    return path.name == "__init__.py" and all(
        isinstance(node, ast.Expr | ast.ImportFrom)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in tree.body
    )


def test_every_room_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert set(settings["tool"]["setuptools"]["packages"]) == packages
    folders = {path.parent for path in modules().values()}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_recipes_name_files_that_are_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    recipes = page.partition("<!-- recipes -->")[2].partition("<!-- end of recipes -->")[0]
    named = re.findall(r"`([\w/.]+)`", recipes)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = []
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / link).exists():
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []
