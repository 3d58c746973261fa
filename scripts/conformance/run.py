"""Replays recorded command traces of the reference runtimes through a journal, and compares everything.

Of session ownership: every result, every error with its fields, the final state and the audit trail of every session.
Of delegation: every result and error, every receipt against the footprints before and after it, and the final
footprints. Of a runtime's sessions: every result, every error with its fields, and who owns what at the end. A
difference is either one that a law of the journal demands, or one that fails the program.

    python -m muniment.scripts.conformance FILE...
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import click
from muniment.scripts.conformance import delegation as delegation_comparison, runtime as runtime_comparison
from muniment.scripts.conformance.delegation import DelegationRun
from muniment.scripts.conformance.ownership import COMPARED, LAWS, CaseRun, Tally
from muniment.scripts.conformance.runtime import RuntimeRun
from muniment.scripts.conformance.traces import Json, TraceError, read_cases
from muniment.scripts.output import envelope, progress_bar, show, table


@click.command(help=__doc__)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(files: tuple[Path, ...], as_json: bool) -> None:
    """Compare, print the counts, and exit 1 if anything differs otherwise than by law."""
    try:
        found = {str(path): _replay(path) for path in files}
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        envelope("conformance", {path: _to_json(*each) for path, each in found.items()})
    else:
        for path, each in found.items():
            _show(path, *each)
    sys.exit(1 if any(tally.otherwise for _, tally in found.values()) else 0)


class _Kind(NamedTuple):
    """What a trace is compared by."""

    run: Callable[[Json, Tally], CaseRun | DelegationRun | RuntimeRun]
    compared: tuple[str, ...]
    laws: dict[str, str]


_OWNERSHIP: Final = _Kind(CaseRun, COMPARED, LAWS)
_DELEGATION: Final = _Kind(DelegationRun, delegation_comparison.COMPARED, delegation_comparison.LAWS)

_RUNTIME: Final = _Kind(RuntimeRun, runtime_comparison.COMPARED, runtime_comparison.LAWS)


def _kind(path: Path, case: Json) -> _Kind:
    if "sessions" in case:
        return _OWNERSHIP
    if "delegations" in case:
        return _DELEGATION
    if "active_sessions" in case:
        return _RUNTIME
    raise TraceError(f"{path}: no trace of session ownership, of delegation or of a runtime's sessions")


def _replay(path: Path) -> tuple[_Kind, Tally]:
    tally = Tally()
    cases = list(read_cases(path))
    if not cases:
        raise TraceError(f"{path}: no cases")
    kind = _kind(path, cases[0])
    with progress_bar(path.name) as progress:
        for done, case in enumerate(cases, 1):
            try:
                kind.run(case, tally).run()
            except KeyError as missing:
                raise TraceError(f"{path}, case {done}: {missing} is missing") from missing
            progress(done, len(cases))
    return kind, tally


def _to_json(kind: _Kind, tally: Tally) -> Json:
    return {
        "compared": {
            what: {"matched": tally.matched[what], "by_law": tally.lawful[what], "otherwise": tally.failed[what]}
            for what in kind.compared
        },
        "by_law": {law: tally.by_law[law] for law in kind.laws},
        "otherwise": tally.otherwise,
    }


def _show(path: str, kind: _Kind, tally: Tally) -> None:
    counts = [(what, tally.matched[what], tally.lawful[what], tally.failed[what]) for what in kind.compared]
    show(table(path, ["compared", "matched", "differing by law", "differing otherwise"], counts))
    laws = [(law, tally.by_law[law], reason) for law, reason in kind.laws.items()]
    show(table("Differences by law", ["law", "count", "why the difference is right"], laws))
    for difference in tally.otherwise[:20]:
        show(difference)
    if len(tally.otherwise) > 20:
        show(f"… and {len(tally.otherwise) - 20} more")
