"""Journals put in a place from what was kept of them: a backup, or an export. Whole, or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ..domain import InvalidArgument, JournalError, JournalNotEmpty, JournalUnavailable
from ..domain.bounds import DEFAULT_LOCK_TIMEOUT_S
from .journal import Journal
from .sqlite.file import beside, whole_file
from .sqlite.storage import storage_error
from .storage.address import ENGINES, Address, file_path, parse_address


def restore(
    backup: str | os.PathLike[str],
    url: str | os.PathLike[str],
    *,
    force: bool = False,
    lock_timeout_s: float = DEFAULT_LOCK_TIMEOUT_S,
) -> int:
    """Put a backup in the place of a journal.

    The backup is checked first, and stays what it is. A crash meanwhile leaves the old journal or the new one, never
    something of both; a log beside the old one goes with it. What is appended afterwards gets a restore id, so that
    cursors from after the backup are told from those that are good still.

    Args:
        backup: the backup's file.
        url: where the journal is to be; on a server, its schema must be empty.
        force: whether what lies there is given up.
        lock_timeout_s: how long to wait for whoever has the journal open, in seconds.

    Returns:
        The last position of the backup.

    Raises:
        JournalNotEmpty: something lies there, and ``force`` is false.
        JournalLocked: somebody has the journal open.
        JournalNotFound, NotAJournal, NewerSchema, JournalDamaged: the backup is missing, or is no sound journal.
        JournalUnavailable: a file cannot be read or written.
        InvalidArgument: the places make no sense.
    """
    source, address = file_path("backup", backup), parse_address(url)
    if not isinstance(force, bool):
        raise InvalidArgument("force", f"must be true or false, not {type(force).__name__}")
    path = _own_file(address)
    if path is None and address.is_stored:
        with Journal.open(source, read_only=True) as kept, Journal.open(url, lock_timeout_s=lock_timeout_s) as journal:
            return _filled(journal, kept.export(), unmarked=False)
    if path is None:
        raise InvalidArgument("url", "must name a file or a server; a journal in memory cannot be restored")
    if source == path or (source.exists() and path.exists() and source.samefile(path)):
        raise InvalidArgument("backup", f"is the journal itself, {path}")
    over = path.stat() if path.exists() else None
    if over is not None and not force:
        raise JournalNotEmpty(str(path))
    with Journal.open(source, read_only=True) as kept, _held(address, lock_timeout_s):
        if over is None and force:
            # All that is left of a file that is gone.
            _remove_log(path)
        with whole_file(path, over=over) as made:
            position = kept.backup(made)
            # By now it holds nothing that is not in the file, too.
            _remove_log(path)
    return position


def import_journal(
    url: str | os.PathLike[str],
    lines: Iterable[bytes | str],
    *,
    unmarked: bool = False,
    lock_timeout_s: float = DEFAULT_LOCK_TIMEOUT_S,
) -> int:
    """Make a journal from an export; see ``Journal.import_export``. Where there was nothing, a failure leaves nothing.

    Args:
        url: where; the journal must be missing or empty.
        lines: what ``Journal.export`` wrote.
        unmarked: whether the line that marks the end may be missing.
        lock_timeout_s: how long to wait for other processes that write, in seconds.

    Returns:
        How many events were imported.

    Raises:
        InvalidExport, JournalNotEmpty, JournalError
    """
    path = _own_file(parse_address(url))
    if path is None or path.exists():
        with Journal.open(url, lock_timeout_s=lock_timeout_s) as journal:
            return _filled(journal, lines, unmarked=unmarked)
    with whole_file(path) as made, Journal.open(made, lock_timeout_s=lock_timeout_s) as journal:
        imported = journal.import_export(lines, unmarked=unmarked)
        journal.close()
    return imported


def _own_file(address: Address) -> Path | None:
    """The file of a journal in SQLite, which is made beside it and put in place. Other engines make their own."""
    return address.path if address.engine == ENGINES["sqlite"] else None


def _filled(journal: Journal, lines: Iterable[bytes | str], *, unmarked: bool) -> int:
    """Import into an open journal; if that fails where it was only just made, it is taken back."""
    try:
        return journal.import_export(lines, unmarked=unmarked)
    except BaseException:
        with suppress(JournalError):
            journal._storage.discard()
        raise


def _remove_log(path: Path) -> None:
    try:
        for suffix in ("-wal", "-shm"):
            beside(path, suffix).unlink(missing_ok=True)
    except OSError as error:
        raise JournalUnavailable(str(path), error.strerror or str(error)) from error


@contextmanager
def _held(address: Address, lock_timeout_s: float) -> Iterator[None]:
    """Lock everybody out of a journal's file, with its whole log taken over into it. A damaged file is not locked."""
    path = address.path
    if path is None or not path.exists():
        yield
        return
    name = f"{path.as_uri()}?mode=rw"
    with closing(sqlite3.connect(name, uri=True, timeout=lock_timeout_s, isolation_level=None)) as held:
        try:
            held.execute("PRAGMA locking_mode=EXCLUSIVE")
            # In this mode, closing deletes no log by its name, which belongs to the restored file by then.
            held.execute("PRAGMA journal_mode=DELETE")
            held.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise storage_error(error, address, lock_timeout_s) from error
        yield
