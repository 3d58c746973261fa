"""Changes one condition of the domain's decisions at a time, and says which changes no test notices.

    python -m tests.mutants [--count N] [--seed N] [FILE...]

Each mutant is tried with the tests of the domain, which takes seconds, and then with those of the journal that are
about the same. A survivor is a missing test, or a change that makes no difference; ``EQUIVALENT`` lists those, with the
reason.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
SKIPPED: Final = ("__init__", "events", "values", "standing", "view", "bounds", "redecision", "errors")
"""What decides nothing, or is tried by other tests than those of the domain."""

STAGES: Final = (
    ("tests/domain",),
    tuple(
        f"tests/journal/test_{name}.py"
        for name in (
            "law_6",
            "sagas",
            "saga_edges",
            "notifications",
            "idempotency",
            "undo",
            "undo_needs",
            "conversation_undo",
            "conversation_undo_needs",
            "bad_input",
            "bounds",
            "redecision",
        )
    ),
    tuple(f"tests/journal/test_{name}.py" for name in ("conversation_laws", "undo_matrix", "undo_counterfactual")),
)
"""The tests that a mutant is tried with, those that take least first."""

EQUIVALENT: Final[dict[str, str]] = {}
"""Mutants that no test can tell from what was there, by their names, with the reason."""

_SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}


class Mutant(NamedTuple):
    """One changed file.

    Attributes:
        name: the file, the line, and what is changed.
        path: the file, in the domain's folder.
        source: its text with the change.
    """

    name: str
    path: Path
    source: str


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every change of one file."""
    tree = ast.parse((ROOT / "domain" / path).read_text())
    sites = [node for node in ast.walk(tree) if isinstance(node, ast.Compare | ast.BoolOp | ast.BinOp | ast.UnaryOp)]
    for index, site in enumerate(sites):
        changed = copy.deepcopy(tree)
        node = next(each for each in ast.walk(changed) if type(each) is type(site) and _same_place(each, site))
        before = ast.unparse(node)
        if not _swap(node):
            continue
        what = f"{before} -> {ast.unparse(node)}"
        yield Mutant(f"{path}:{getattr(site, 'lineno', index)}: {what}", path, ast.unparse(changed))


def _same_place(one: ast.AST, other: ast.AST) -> bool:
    places = [
        [getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")]
        for node in (one, other)
    ]
    return places[0] == places[1]


def _swap(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _SWAPS:
        node.ops = [_SWAPS[type(node.ops[0])]()]  # type: ignore[list-item]
    elif isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in _SWAPS:
        node.op = _SWAPS[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.op = ast.UAdd()
        node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
    else:
        return False
    return True


def is_noticed(mutant: Mutant, folder: Path) -> bool:
    """Whether a test fails with a mutant in the place of what is there."""
    return any(_fails(mutant, folder, tests) for tests in STAGES)


def _fails(mutant: Mutant, folder: Path, tests: tuple[str, ...]) -> bool:
    changed = folder / "muniment" / "domain" / mutant.path
    original = changed.read_text()
    changed.write_text(mutant.source)
    options = ["-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", "-m", "not postgres"]
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=ROOT,
            # The folder comes before the installed rooms, of which the domain is found in it alone.
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            timeout=300,
            check=False,
        )
        return run.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        changed.write_text(original)


def main() -> None:
    """Try mutants, and exit 1 if one survives that is not known to make no difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="files of the domain; by default all that decide")
    parser.add_argument("--count", type=int, default=40, help="how many are drawn; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    paths = given.files or sorted(
        path.relative_to(ROOT / "domain")
        for path in (ROOT / "domain").rglob("*.py")
        if not any(name in str(path.relative_to(ROOT)) for name in SKIPPED)
    )
    found = [mutant for path in paths for mutant in mutants_of(path)]
    if given.count:
        found = random.Random(given.seed).sample(found, min(given.count, len(found)))
    survivors = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "domain", folder / "muniment" / "domain")
        for number, mutant in enumerate(found, 1):
            if mutant.name not in EQUIVALENT and not is_noticed(mutant, folder):
                survivors.append(mutant)
                sys.stdout.write(f"survives: {mutant.name}\n")
            sys.stderr.write(f"\r{number}/{len(found)}")
    sys.stdout.write(f"\n{len(found)} mutants, {len(survivors)} survive\n")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
