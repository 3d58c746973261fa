"""Measures Muniment against named peers, side by side, in one run on one disk.

    python -m muniment.scripts.bench [--quick] [--json] [--folder FOLDER]

Ratios carry over to other machines; absolute figures do not.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from muniment.scripts import measurements
from muniment.scripts.output import envelope, progress_bar, show, table

_WRITING = {
    "a bare sqlite3 loop": measurements.bare_sqlite,
    "the library's application: get, command, save": measurements.library,
    "Muniment, one thread": measurements.one_thread,
    "Muniment, 32 threads": measurements.many_threads,
    "Muniment, 256 asyncio tasks": measurements.many_tasks,
}


def machine() -> dict[str, Any]:
    """The facts that a figure depends on."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
        "eventsourcing": version("eventsourcing"),
        "pydantic": version("pydantic"),
    }


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer commands and rounds: shows that it runs, not how fast.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), help="The disk to measure on.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(quick: bool, folder: Path | None, as_json: bool) -> None:
    """Measure, and print the medians."""
    rounds, commands, events, duration = (1, 512, 2_000, 0.3) if quick else (5, 5_120, 1_000_000, 5.0)
    with tempfile.TemporaryDirectory(dir=folder) as name, progress_bar("measuring") as progress:
        place, steps = Path(name), rounds + 4
        rates: dict[str, list[float]] = {what: [] for what in _WRITING}
        for done in range(rounds):
            # In turns, so that what else the machine does meets all of them.
            for what, measure in _WRITING.items():
                rates[what].append(commands / measure(place, commands))
            progress(done + 1, steps)
        library_events_per_second = measurements.library_reading(place, min(events, 100_000))
        progress(rounds + 1, steps)
        reading = measurements.reading(place, events)
        progress(rounds + 2, steps)
        sizes = measurements.bytes_per_event(place, min(events, 50_000))
        progress(rounds + 3, steps)
        processes = measurements.many_processes(place, duration)
        progress(steps, steps)
    writing = {what: round(statistics.median(each)) for what, each in rates.items()}
    if as_json:
        facts = {
            "machine": machine(),
            "commands_per_second": writing,
            "events": events,
            "reading_seconds": {what: round(each, 6) for what, each in reading.items()},
            "library_reading_events_per_second": round(library_events_per_second),
            "bytes_per_event": {"events": sizes[0], "events_and_tables": sizes[1]},
            "eight_processes": processes,
        }
        envelope("bench", facts)
        return
    bare = writing["a bare sqlite3 loop"]
    rows = [(what, rate, f"{rate / bare:.2f}") for what, rate in writing.items()]
    show(table("Durable commands", ["", "commands/s", "of the bare loop"], rows))
    read: list[tuple[object, ...]] = [
        ("the library: select_notifications and mapper", None, round(library_events_per_second), "1.00")
    ]
    for what, took in reading.items():
        rate = round(events / took) if what in measurements.READS_EVERYTHING else None
        ratio = None if rate is None else f"{rate / library_events_per_second:.2f}"
        read.append((what, f"{took * 1000:.2f}", rate, ratio))
    show(table(f"A journal of {events} events", ["", "ms", "events/s", "of the library"], read))
    show(table("Bytes per event", ["events alone", "with the tables"], [sizes]))
    show(table("Eight processes on one file", ["", ""], processes.items()))
    show(", ".join(f"{name} {value}" for name, value in machine().items()))


if __name__ == "__main__":
    main()
