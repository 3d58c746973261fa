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
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from muniment.journal import Journal
from muniment.scripts.output import envelope, progress_bar, show, table

_STATE = b'{"data":{"capability":{"session_id":"s-1","owner":"a","generation":1,"scope":"session"}},"metadata":{}}'


def bare_sqlite(folder: Path, commands: int) -> float:
    """One insert per transaction, durable, in a plain loop; seconds."""
    path = folder / "bare.db"
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE event (position INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT, version INTEGER, type TEXT, "
            "state BLOB, UNIQUE (stream, version))"
        )
        started = time.perf_counter()
        for number in range(commands):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "INSERT INTO event (stream, version, type, state) VALUES (?,?,?,?)",
                (f"session-{number % 100}", number // 100, "session.ownership_claimed.v1", _STATE),
            )
            connection.execute("COMMIT")
        return time.perf_counter() - started
    finally:
        connection.close()
        _remove(path)


def journal_commands(folder: Path, commands: int) -> float:
    """Claims and transfers through a journal, durable, one thread; seconds."""
    path = folder / "journal.db"
    try:
        with Journal.open(f"sqlite:///{path}") as journal:
            return _claims_and_transfers(journal, commands)
    finally:
        _remove(path)


def _claims_and_transfers(journal: Journal, commands: int) -> float:
    sessions = [f"s-{number}" for number in range(100)]
    for session_id in sessions:
        journal.sessions.open(session_id)
    started = time.perf_counter()
    held = [journal.sessions.claim(session_id, "agent-0") for session_id in sessions]
    for number in range(commands - len(sessions)):
        index = number % len(held)
        held[index] = journal.sessions.transfer(held[index], f"agent-{number % 7}")
    return time.perf_counter() - started


def reading(folder: Path, events: int) -> dict[str, float]:
    """A journal of many events: seconds to read and fold it, and to read its owner map."""
    path = folder / "reading.db"
    measured = {}
    try:
        with Journal.open(f"sqlite:///{path}", synchronous="NORMAL") as journal:
            _claims_and_transfers(journal, events - 100)
            measured["decoding every event"] = _seconds(lambda: sum(1 for _ in journal.read()))
            measured["building every table"] = _seconds(lambda: len(journal.owners))
            measured["replaying, and comparing every row"] = _seconds(lambda: journal.replay())
        with Journal.open(f"sqlite:///{path}") as journal:
            measured["the owner map, now"] = _seconds(lambda: dict(journal.owners.items()))
            measured["the owner map, in the middle"] = _seconds(
                lambda: dict(journal.at(position=events // 2).owners.items())
            )
        measured["opening it"] = _seconds(lambda: Journal.open(f"sqlite:///{path}").close())
        return measured
    finally:
        _remove(path)


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


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
    rounds, commands, events = (2, 300, 2_000) if quick else (5, 5_000, 100_000)
    runs: dict[str, list[float]] = {"bare sqlite3": [], "Muniment": []}
    with tempfile.TemporaryDirectory(dir=folder) as name, progress_bar("measuring") as progress:
        for done in range(rounds):
            # In turns, so that what else the machine does meets both.
            runs["bare sqlite3"].append(commands / bare_sqlite(Path(name), commands))
            runs["Muniment"].append(commands / journal_commands(Path(name), commands))
            progress(done + 1, rounds + 1)
        measured = reading(Path(name), events)
        progress(rounds + 1, rounds + 1)
    medians = {what: round(statistics.median(each)) for what, each in runs.items()}
    ratio = round(medians["Muniment"] / medians["bare sqlite3"], 2)
    if as_json:
        facts = {
            "machine": machine(),
            "commands_per_second": medians,
            "ratio": ratio,
            "events": events,
            "seconds": {what: round(seconds, 4) for what, seconds in measured.items()},
        }
        envelope("bench", facts)
        return
    rows = [(what, rate, round(rate / medians["bare sqlite3"], 2)) for what, rate in medians.items()]
    show(table("Durable commands, one thread", ["", "commands/s", "of bare sqlite3"], rows))
    times = [(what, f"{seconds * 1000:.1f}", round(events / seconds)) for what, seconds in measured.items()]
    show(table(f"A journal of {events} events", ["", "ms", "events/s"], times))
    show(", ".join(f"{name} {value}" for name, value in machine().items()))


if __name__ == "__main__":
    main()
