"""Replays recorded command traces of the reference runtime through a journal, and compares everything.

Every result, every error with its fields, the final state and the audit trail of every session. A difference is either
one that a law of the journal demands, or one that fails the program.

    python -m muniment.scripts.conformance FILE...
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from muniment.scripts.comparison import COMPARED, LAWS, CaseRun, Tally
from muniment.scripts.output import envelope, progress_bar, show, table
from muniment.scripts.traces import Json, TraceError, read_cases


@click.command(help=__doc__)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(files: tuple[Path, ...], as_json: bool) -> None:
    """Compare, print the counts, and exit 1 if anything differs otherwise than by law."""
    try:
        tallies = {str(path): _replay(path) for path in files}
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        envelope("conformance", {path: _to_json(tally) for path, tally in tallies.items()})
    else:
        for path, tally in tallies.items():
            _show(path, tally)
    sys.exit(1 if any(tally.otherwise for tally in tallies.values()) else 0)


def _replay(path: Path) -> Tally:
    tally = Tally()
    cases = list(read_cases(path))
    with progress_bar(path.name) as progress:
        for done, case in enumerate(cases, 1):
            CaseRun(case, tally).run()
            progress(done, len(cases))
    return tally


def _to_json(tally: Tally) -> Json:
    return {
        "compared": {
            what: {"matched": tally.matched[what], "by_law": tally.lawful[what], "otherwise": tally.failed[what]}
            for what in COMPARED
        },
        "by_law": {law: tally.by_law[law] for law in LAWS},
        "otherwise": tally.otherwise,
    }


def _show(path: str, tally: Tally) -> None:
    counts = [(what, tally.matched[what], tally.lawful[what], tally.failed[what]) for what in COMPARED]
    show(table(path, ["compared", "matched", "differing by law", "differing otherwise"], counts))
    laws = [(law, tally.by_law[law], reason) for law, reason in LAWS.items() if tally.by_law[law]]
    if laws:
        show(table("Differences by law", ["law", "count", "why the difference is right"], laws))
    for difference in tally.otherwise[:20]:
        show(difference)
    if len(tally.otherwise) > 20:
        show(f"… and {len(tally.otherwise) - 20} more")


if __name__ == "__main__":
    main()
