"""What the benchmark measures of reading: decoding, folding, tables, time travel, opening; and bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from eventsourcing.application import Application
from muniment.journal import Journal
from muniment.scripts.bench.writing import SESSIONS, Holding, claims_and_transfers, cost_per_command, plain_application
from muniment.scripts.places import Place, remove

READS_EVERYTHING: Final = (
    "decode every event",
    "decode and fold the owner map in memory",
    "make the stored tables",
    "replay: make them, compare, swap",
    "usage: count and measure everything",
)
"""What takes a time in proportion to the journal."""


def library_reading(folder: Path, events: int) -> float:
    """Events per second that the library's ``select_notifications`` and mapper read."""
    application = plain_application(folder)
    try:
        holdings = [Holding.claimed(f"s-{number}", f"agent-{number}") for number in range(SESSIONS)]
        for number in range(events - SESSIONS):
            holdings[number % SESSIONS].transfer_to(f"agent-{number % 7}")
        application.save(*holdings)
        started = time.perf_counter()
        read = sum(1 for _ in _library_events(application))
        return read / (time.perf_counter() - started)
    finally:
        application.close()
        remove(folder / "plain.db")


def _library_events(application: Application[UUID]) -> Iterable[Any]:
    start = 1
    while page := application.recorder.select_notifications(start, 1_000):
        yield from map(application.mapper.to_domain_event, page)
        start += len(page)


def reading(place: Place, events: int) -> dict[str, float]:
    """A journal of many events: seconds to decode, fold, project and ask it."""
    sessions = max(1, events // 20)
    measured: dict[str, float] = {}
    with place() as url:
        with Journal.open(url, synchronous="NORMAL") as journal:
            claims_and_transfers(journal, events - sessions, sessions)
            measured["decode every event"] = seconds(lambda: sum(1 for _ in journal.read()))
            measured["decode and fold the owner map in memory"] = seconds(lambda: fold_owners(journal))
            measured["make the stored tables"] = seconds(lambda: journal.catch_up())
            measured["replay: make them, compare, swap"] = seconds(lambda: journal.replay())
        with Journal.open(url) as journal:
            middle = journal.at(position=events // 2).owners
            measured["usage: count and measure everything"] = seconds(lambda: journal.usage(), 3)
            measured["one session's owner, now"] = seconds(lambda: journal.owners["s-0"], 100)
            measured["one session's owner, in the middle"] = seconds(lambda: middle["s-0"], 100)
            measured[f"the map of {sessions} sessions, now"] = seconds(lambda: journal.owners.items(), 3)
            measured[f"the map of {sessions} sessions, in the middle"] = seconds(lambda: middle.items(), 3)
        measured["open it, tables caught up"] = seconds(lambda: Journal.open(url).close(), 10)
        return measured


def cost_by_length(place: Place, lengths: Iterable[int], commands: int) -> dict[int, float]:
    """Microseconds per command in a journal that is so long already; commits wait for no disk, which would hide it."""
    measured = {}
    with place() as url, Journal.open(url, synchronous="NORMAL") as journal:
        for length in sorted(lengths):
            lengthen(journal, length - journal.head())
            # As many sessions in each, so that only the journal is longer.
            names = [f"cost-{length}-{number}" for number in range(SESSIONS)]
            for name in names:
                journal.sessions.open(name)
            held = [journal.sessions.claim(name, "agent-0") for name in names]
            measured[length] = cost_per_command(journal, held, commands)
    return measured


def lengthen(journal: Journal, events: int) -> None:
    """Lengthen a journal by so many events, or a few more, over one session for every twenty."""
    first = journal.head()
    for number in range(max(1, events // 20)):
        name = f"s-{first}-{number}"
        journal.sessions.open(name)
        held = journal.sessions.claim(name, "agent-0")
        for _ in range(18):
            held = journal.sessions.transfer(held, "agent-1")


def bytes_per_event(folder: Path, events: int) -> tuple[int, int]:
    """Bytes of the file per event: the events alone, and with the tables."""
    path = folder / "size.db"
    try:
        with Journal.open(f"sqlite:///{path}", synchronous="NORMAL") as journal:
            claims_and_transfers(journal, events - SESSIONS)
        alone = path.stat().st_size
        with Journal.open(f"sqlite:///{path}", synchronous="NORMAL") as journal:
            journal.catch_up()
        return round(alone / events), round(path.stat().st_size / events)
    finally:
        remove(path)


def fold_owners(journal: Journal) -> dict[str, tuple[str | None, int | None]]:
    """The owner map folded in memory, as an embedding program might."""
    owners: dict[str, tuple[str | None, int | None]] = {}
    for record in journal.read():
        capability = getattr(record.event, "capability", None)
        if capability is not None:
            owners[record.stream] = (capability.owner, capability.generation)
    return owners


def seconds(action: Callable[[], object], times: int = 1) -> float:
    """How long an action takes, on average."""
    started = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - started) / times
