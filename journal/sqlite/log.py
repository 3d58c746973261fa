"""SQLite's log: how long it may grow, and who keeps it from being taken over into the file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..storage.engine import LogHealth

MAX_LOG_BYTES: Final = 16 * 2**20
"""How large the log may stay, in bytes, once no read needs an older state of the database."""

LONG_READ_S: Final = 1.0
"""From when on a read is long, in seconds: what was committed meanwhile stays in the log until it ends."""

_OTHERS: Final = "a read by another connection or process"


def health(path: Path, reads: Iterable[tuple[str, float]]) -> LogHealth:
    """The health of the log beside a file.

    Args:
        path: the file.
        reads: the reads that go on in this process: the thread's name, and when it began.
    """
    size, now = 0, time.monotonic()
    with suppress(OSError):
        size = path.with_name(f"{path.name}-wal").stat().st_size
    oldest = sorted(reads, key=lambda read: read[1])
    held_by = [f"a read in thread {name!r}, for {now - since:.0f} s" for name, since in oldest if is_long(since)]
    if size > MAX_LOG_BYTES and not held_by:
        held_by.append(_OTHERS)
    return LogHealth(size, tuple(held_by))


def is_long(since: float) -> bool:
    """Whether a read that began then is a long one."""
    return time.monotonic() - since > LONG_READ_S


def bound(writer: sqlite3.Connection) -> None:
    """Have the log cut to its bound whenever it starts over."""
    writer.execute(f"PRAGMA journal_size_limit={MAX_LOG_BYTES}")


def take_over(reader: sqlite3.Connection, path: Path) -> None:
    """Take the log over into the file after a long read, if it has grown meanwhile; nobody is waited for."""
    with suppress(OSError, sqlite3.Error):
        if path.with_name(f"{path.name}-wal").stat().st_size <= MAX_LOG_BYTES:
            return
        (timeout,) = reader.execute("PRAGMA busy_timeout").fetchone()
        reader.execute("PRAGMA busy_timeout=0")
        try:
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            reader.execute(f"PRAGMA busy_timeout={int(timeout)}")
