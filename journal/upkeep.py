"""Copying a journal: a backup of the file, an export as CloudEvents, and the import of one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, cast

from ..domain import JournalNotEmpty, JournalUnavailable
from ..projections import Progress
from .cloudevents import from_lines, to_line
from .storage import Address, JournalApplication, storage_error

PAGE_SIZE: Final = 1_000


def export_lines(application: JournalApplication, progress: Progress | None) -> Iterator[bytes]:
    """Write every event up to the present end; see ``Journal.export``."""
    head = application.recorder.max_notification_id() or 0
    position = 0
    while position < head:
        rows = application.recorder.select_rows(position, min(PAGE_SIZE, head - position))
        yield from map(to_line, rows)
        position = rows[-1][0]
        if progress is not None:
            progress(position, head)


def import_lines(application: JournalApplication, lines: Iterable[bytes | str], address: Address) -> int:
    """Append what an export wrote, in one transaction; see ``Journal.import_export``."""
    events = from_lines(lines)
    imported = 0
    with application.datastore.transaction(commit=True) as cursor:
        if not application.recorder.is_empty(cursor):
            raise JournalNotEmpty(str(address))
        while batch := list(islice(events, PAGE_SIZE)):
            application.recorder.append(cursor, batch)
            imported += len(batch)
    application.recorder.changes.announce()
    return imported


def backup(application: JournalApplication, path: Path, address: Address) -> int:
    """Copy the database while it is in use, and check the copy; see ``Journal.backup``."""
    try:
        if path.exists():
            raise JournalNotEmpty(str(path))
    except OSError as error:
        raise JournalUnavailable(str(path), error.strerror or str(error)) from error
    try:
        problems, head = _copy(application, path, Address(address.url, path))
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    if problems != ["ok"]:
        raise JournalUnavailable(str(path), f"the copy is damaged: {problems[0]}")
    return int(head)


def _copy(application: JournalApplication, path: Path, address: Address) -> tuple[list[str], int]:
    with application.datastore.transaction(commit=False) as cursor:
        try:
            copy = sqlite3.connect(path)
            try:
                # All pages in one step: one moment of the database, whoever writes meanwhile.
                cast(sqlite3.Cursor, cursor).connection.backup(copy)
                problems = [row[0] for row in copy.execute("PRAGMA integrity_check")]
                (head,) = copy.execute("SELECT COALESCE(MAX(position), 0) FROM stored_events").fetchone()
            finally:
                copy.close()
        except sqlite3.Error as error:
            raise storage_error(error, address, 0) from error
    return problems, head
