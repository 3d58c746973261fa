"""Measures Muniment against named peers, side by side, in one run on one disk.

    python -m muniment.scripts.bench [--quick] [--only time-travel] [--json] [--folder FOLDER] [--postgres URL]

Ratios carry over to other machines; absolute figures do not.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from muniment.scripts.bench import reading, ticking, time_travel, writing
from muniment.scripts.output import envelope, progress_bar, show, table
from muniment.scripts.places import Place, files, schemas, started_server

BARE: Final = "a bare loop, one insert per transaction"
ONE_CALLER: Final = "one caller"
TIME_TRAVEL: Final = "time-travel"
TASKS: Final = "256 asyncio tasks, a session each"
LIBRARY: Final = "the library's application: get, command, save"


class Extent(NamedTuple):
    """How much is measured.

    Attributes:
        rounds: how often each way of writing is measured; the median counts.
        commands: how many commands each time.
        events: how long the journal is that is read.
        lengths: how long the journals are whose cost per command is compared.
        duration_s: how long eight processes write.
        conversations: how many conversations there are whose ticks are compared.
    """

    rounds: int
    commands: int
    events: int
    lengths: tuple[int, int]
    duration_s: float
    conversations: tuple[int, int]


QUICK: Final = Extent(1, 256, 2_000, (500, 2_000), 0.3, (20, 100))
FULL: Final = Extent(5, 5_120, 1_000_000, (10_000, 1_000_000), 5.0, (1_000, 10_000))


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


def measure(folder: Path, server: str | None, extent: Extent, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Measure everything, and return the figures."""
    engines = {"sqlite": _ways(files(folder), partial(writing.bare_sqlite, folder), partial(writing.library, folder))}
    places = {"sqlite": files(folder)}
    if server is not None:
        engines["postgres"] = _ways(schemas(server), partial(writing.bare_postgres, server), None)
        places["postgres"] = schemas(server)
    steps, done = extent.rounds + 6, 0
    rates: dict[str, dict[str, list[float]]] = {engine: {way: [] for way in ways} for engine, ways in engines.items()}
    for _ in range(extent.rounds):
        # In turns, so that what else the machine does meets all of them.
        for engine, ways in engines.items():
            for way, run in ways.items():
                rates[engine][way].append(extent.commands / run(extent.commands))
        done += 1
        progress(done, steps)
    fed: dict[str, dict[str, list[float]]] = {engine: {ONE_CALLER: [], TASKS: []} for engine in places}
    count = max(1, extent.commands // 4)
    for _ in range(extent.rounds):
        for engine, place in places.items():
            fed[engine][ONE_CALLER].append(count / writing.envelopes(place, count))
            fed[engine][TASKS].append(count / writing.envelopes_of_tasks(place, count))
    figures: dict[str, Any] = {
        "machine": machine(),
        "commands_per_second": {
            engine: {way: round(statistics.median(each)) for way, each in ways.items()}
            for engine, ways in rates.items()
        },
        "envelopes_per_second": {
            engine: {way: round(statistics.median(each)) for way, each in ways.items()} for engine, ways in fed.items()
        },
        "events": extent.events,
    }

    def step(name: str, value: object) -> None:
        nonlocal done
        figures[name] = value
        done += 1
        progress(done, steps)

    peer = [reading.library_reading(folder, min(extent.events, 100_000)) for _ in range(extent.rounds)]
    step("library_reading_events_per_second", round(statistics.median(peer)))
    step(
        "reading_seconds",
        {what: round(each, 6) for what, each in reading.reading(places["sqlite"], extent.events).items()},
    )
    alone, with_tables = reading.bytes_per_event(folder, min(extent.events, 50_000))
    step("bytes_per_event", {"events alone": alone, "with the tables": with_tables})
    count = min(extent.commands, extent.lengths[0])
    by_length = reading.cost_by_length(places["sqlite"], extent.lengths, count)
    by_stream = writing.cost_by_stream(places["sqlite"], (10, min(extent.lengths[1], 20_000)), count)
    step("microseconds_per_command", {"journal of": _rounded(by_length), "stream of": _rounded(by_stream)})
    processes = {engine: writing.many_processes(place, extent.duration_s) for engine, place in places.items()}
    step("eight_processes", processes)
    ticks = {engine: ticking.ticks(place, extent.conversations) for engine, place in places.items()}
    step("microseconds_per_tick", {engine: _by_count(each) for engine, each in ticks.items()})
    return figures


def _ways(
    place: Place, bare: Callable[[int], float], library: Callable[[int], float] | None
) -> dict[str, Callable[[int], float]]:
    ways: dict[str, Callable[[int], float]] = {BARE: bare}
    if library is not None:
        ways[LIBRARY] = library
    ways["Muniment, one thread"] = partial(writing.one_thread, place)
    ways["Muniment, 32 threads"] = partial(writing.many_threads, place)
    ways["Muniment, 256 asyncio tasks"] = partial(writing.many_tasks, place)
    return ways


def _rounded(costs: dict[int, float]) -> dict[str, float]:
    return {f"{length} events": round(cost, 1) for length, cost in costs.items()}


def _by_count(costs: dict[int, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        f"{count} conversations": {what: round(cost, 1) for what, cost in each.items()} for count, each in costs.items()
    }


def print_tables(figures: dict[str, Any]) -> None:
    """Print the figures as tables, with ratios to the peer of each."""
    for engine, rates in figures["commands_per_second"].items():
        rows = [(what, rate, f"{rate / rates[BARE]:.2f}") for what, rate in rates.items()]
        show(table(f"Durable commands, {engine}", ["", "commands/s", "of the bare loop"], rows))
    for engine, rates in figures["envelopes_per_second"].items():
        bare = figures["commands_per_second"][engine][BARE]
        rows = [(what, rate, f"{rate / bare:.2f}") for what, rate in rates.items()]
        title = f"Envelopes put, taken and acknowledged, three commands each, {engine}"
        show(table(title, ["", "envelopes/s", "of the bare loop"], rows))
    peer, events = figures["library_reading_events_per_second"], figures["events"]
    read: list[tuple[object, ...]] = [("the library: select_notifications and mapper", None, peer, "1.00")]
    for what, took in figures["reading_seconds"].items():
        rate = round(events / took) if what in reading.READS_EVERYTHING else None
        read.append((what, f"{took * 1000:.2f}", rate, rate and f"{rate / peer:.2f}"))
    show(table(f"A journal of {events} events, sqlite", ["", "ms", "events/s", "of the library"], read))
    costs = [
        (f"{what} {length}", cost)
        for what, by_length in figures["microseconds_per_command"].items()
        for length, cost in by_length.items()
    ]
    show(table("One more command, sqlite, not waiting for the disk", ["in a", "µs"], costs))
    show(
        table("Bytes per event, sqlite", list(figures["bytes_per_event"]), [list(figures["bytes_per_event"].values())])
    )
    for engine, facts in figures["eight_processes"].items():
        show(table(f"Eight processes on one journal, {engine}", ["", ""], facts.items()))
    for engine, by_count in figures["microseconds_per_tick"].items():
        ticked = [
            (count, what, cost, f"{cost / each[ticking.ONE_BY_ONE]:.5f}")
            for count, each in by_count.items()
            for what, cost in each.items()
        ]
        title = f"Time goes by, {ticking.DEADLINES} deadlines a conversation, {engine}, not waiting for the disk"
        show(table(title, ["of", "", "µs", "of one by one"], ticked))
    show(", ".join(f"{name} {value}" for name, value in figures["machine"].items()))


def look_back(folder: Path, extent: Extent, *, as_json: bool) -> None:
    """Measure questions about the past, and print what each takes, beside the peer."""
    with progress_bar("measuring") as progress:
        figures = time_travel.measure(files(folder), extent.events, progress)
    if as_json:
        envelope("bench", {"machine": machine(), "events": extent.events, "time_travel": figures})
        return
    title = f"Questions about a journal of {extent.events} events, sqlite, tables current"
    show(table(title, ["", "ms, median", "of", "of the peer"], time_travel.rows(figures)))
    show(", ".join(f"{name} {value}" for name, value in machine().items()))


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer commands and rounds: shows that it runs, not how fast.")
@click.option("--only", type=click.Choice([TIME_TRAVEL]), help="Only this part, which is no part of the whole run.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), help="The disk to measure on.")
@click.option("--postgres", metavar="URL", help="A server to measure on; by default one is started, if it can be.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(quick: bool, only: str | None, folder: Path | None, postgres: str | None, as_json: bool) -> None:
    """Measure, and print the medians."""
    extent = QUICK if quick else FULL
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        if only is not None:
            look_back(place, extent, as_json=as_json)
            return
        server = postgres or stack.enter_context(started_server(place))
        progress = stack.enter_context(progress_bar("measuring"))
        figures = measure(place, server, extent, progress)
    if as_json:
        envelope("bench", figures)
    else:
        print_tables(figures)
