"""An SQLite database as a file: what lies at a name and beside it, and how a whole one is put there.

The file belongs to SQLite alone. POSIX locks belong to the process, and any ``close`` of the file drops those that
SQLite holds on it. So nothing here opens a database that could be in use: SQLite is asked, or ``stat``.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ...domain import JournalDamaged, JournalNotEmpty, JournalNotFound, JournalUnavailable, NotAJournal

BESIDE: Final = ("-wal", "-shm", "-turns")
"""What lies beside a database: SQLite's log and its index, and the lock by which writers take turns."""

_SMALLEST_BYTES: Final = 512
_LOG_HEADER: Final = struct.Struct(">8I")
_FRAME_HEADER: Final = struct.Struct(">6I")


def beside(path: Path, suffix: str) -> Path:
    """A file beside a database."""
    return path.with_name(path.name + suffix)


def is_there(path: Path, *, create: bool) -> bool:
    """Whether a database may lie at a path: False if there is nothing, or an empty file, and one may be made.

    Args:
        path: the path, resolved.
        create: whether one may be made.

    Raises:
        JournalNotFound, NotAJournal, JournalUnavailable
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        if not create:
            raise JournalNotFound(str(path)) from None
        if not path.parent.is_dir():
            raise JournalUnavailable(str(path), f"there is no folder {path.parent}") from None
        _require_no_log(path, "is missing")
        return False
    except OSError as error:
        raise JournalUnavailable(str(path), error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise JournalUnavailable(str(path), f"it is {what}")
    _require_own_log(path, status)
    if status.st_size == 0:
        _require_no_log(path, "is empty")
        if not create:
            raise NotAJournal(str(path), "it is empty")
        return False
    if status.st_size < _SMALLEST_BYTES:
        # SQLite would take it for empty.
        raise NotAJournal(str(path), "it is not an SQLite database")
    return True


def require_free(path: Path) -> None:
    """Raise if something is where a database is to be made, or an old log is, which SQLite would take for its own.

    Raises:
        JournalNotEmpty, JournalUnavailable
    """
    try:
        for found in (path, *(beside(path, suffix) for suffix in ("-wal", "-journal"))):
            if os.path.lexists(found):
                raise JournalNotEmpty(str(found))
        if not path.parent.is_dir():
            raise JournalUnavailable(str(path), f"there is no folder {path.parent}")
    except OSError as error:
        raise JournalUnavailable(str(path), error.strerror or str(error)) from error


@contextmanager
def whole_file(path: Path, *, over: os.stat_result | None = None) -> Iterator[Path]:
    """Make a database under another name in a block, and put it in its place when the block ends: whole, or not at all.

    A process that is killed leaves a file ``.<name>.part`` behind, which may be deleted.

    Args:
        path: its place, where nothing may be.
        over: what is to be replaced there, which gives its owner and mode; None for nothing.

    Yields:
        The name to make it under; its connections must be closed by the end of the block.

    Raises:
        JournalNotEmpty, JournalUnavailable
    """
    if over is None:
        require_free(path)
    made = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield made
        try:
            _put(made, path, over)
        except FileExistsError as error:
            raise JournalNotEmpty(str(path)) from error
        except OSError as error:
            raise JournalUnavailable(str(path), error.strerror or str(error)) from error
    except JournalUnavailable as error:
        if error.path == str(made):
            raise JournalUnavailable(str(path), error.problem) from error
        raise
    finally:
        remove(made)


def remove(path: Path) -> None:
    """Remove a database that was just made, with the files beside it, as far as that is permitted."""
    for suffix in ("", *BESIDE):
        with suppress(OSError):
            beside(path, suffix).unlink(missing_ok=True)


def take_after(made: Path, like: os.stat_result) -> None:
    """Give a file the mode of another, and its owner where that is permitted, as SQLite does with its log.

    Raises:
        OSError: the mode cannot be given.
    """
    made.chmod(stat.S_IMODE(like.st_mode))
    if os.geteuid() == 0:
        os.chown(made, like.st_uid, like.st_gid)


def open_turns(path: Path, database: Path) -> int:
    """Open the lock by which writers take turns; make it if need be, for whoever may write the database.

    Returns:
        Its descriptor.

    Raises:
        OSError: it can be neither opened nor made.
    """
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    with suppress(FileNotFoundError):
        # It is locked, and never written; who may read it may lock it.
        return os.open(path, os.O_RDONLY | flags)
    like = database.stat()
    made = path.with_name(f".{path.name[:100]}-{secrets.token_hex(4)}")
    descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o600)
    try:
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        if os.geteuid() == 0:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        # Nobody finds it with another mode, and of two who make it one is first.
        try:
            os.link(made, path)
        except FileExistsError:
            os.close(descriptor)
            return os.open(path, os.O_RDONLY | flags)
        except OSError:
            # A file system without hard links: of two who make it at once, each may have one of its own for once.
            made.replace(path)
        return descriptor
    except BaseException:
        with suppress(OSError):
            os.close(descriptor)
        raise
    finally:
        made.unlink(missing_ok=True)


def require_fitting_log(path: Path) -> None:
    """Make sure that the log beside a database is its own, as far as its size tells.

    Whoever copies a database over another leaves the other's log beside it. Its pages would be taken for the file's.

    Raises:
        JournalDamaged: the log continues a longer file than there is.
    """
    with suppress(OSError):
        page_size, pages, last = _pages_in_log(beside(path, "-wal"))
        # Looked at after the log: pages that were taken over from it meanwhile are in the file.
        held = path.stat().st_size // page_size if page_size else last
        if any(page not in pages for page in range(held + 1, last + 1)):
            raise foreign_log(path)


def foreign_log(path: Path) -> JournalDamaged:
    """The error of a file beside which another one's log lies."""
    log = beside(path, "-wal")
    return JournalDamaged(
        str(path),
        f"the log {log.name} beside it is of another file: a copy was put in the place of a journal that had not been "
        f"closed; move {log.name} and {beside(path, '-shm').name} away to have the copy, and use `muniment restore` "
        "next time",
    )


def advice_on_log(path: Path) -> str:
    """What to do about a log beside a file that cannot be read; empty if there is none."""
    log = beside(path, "-wal")
    if not log.exists():
        return ""
    if not os.access(path.parent, os.W_OK):
        return (
            f"; the log {log.name} beside it is read only where its folder may be written: copy both files to such a "
            "folder, or have the journal opened once by who may write it"
        )
    return f"; if the file was put there by hand, the log {log.name} beside it is another's: move it away"


def _put(made: Path, path: Path, over: os.stat_result | None) -> None:
    if over is not None:
        take_after(made, over)
    _flush(made)
    if over is None:
        try:
            # Unlike a rename, a link never replaces what somebody else put there meanwhile.
            os.link(made, path)
        except FileExistsError:
            raise
        except OSError:
            # Not every file system knows links.
            require_free(path)
            made.rename(path)
    else:
        made.replace(path)
    # The name too must outlive a power cut.
    _flush(path.parent)


def _require_no_log(path: Path, is_what: str) -> None:
    log = beside(path, "-wal")
    with suppress(OSError):
        if log.stat().st_size:
            raise JournalDamaged(
                str(path),
                f"the file {is_what}, and its log {log.name} holds what was written last; restore a backup over it",
            )


def _require_own_log(path: Path, status: os.stat_result) -> None:
    """Make sure that no log lies beside another name of the file (a hard link), where SQLite would not look."""
    if status.st_nlink < 2 or beside(path, "-wal").exists():
        return
    others = []
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and entry.inode() == status.st_ino and entry.name != path.name:
                others.append(entry.name)
    for name in others:
        if path.with_name(f"{name}-wal").exists():
            raise JournalUnavailable(str(path), f"it is a second name of {name}, beside which its log lies; open that")
    if len(others) + 1 < status.st_nlink:
        raise JournalUnavailable(
            str(path),
            f"the file has {status.st_nlink} names (hard links), and its log may lie beside another; open it by the "
            "name that it is written by, or remove the other names",
        )


def _pages_in_log(log: Path) -> tuple[int, set[int], int]:
    """Of a log: the size of a page, the pages that are in it, and how many pages the database has with them."""
    with log.open("rb") as file:
        header = file.read(_LOG_HEADER.size)
        if len(header) < _LOG_HEADER.size:
            return 0, set(), 0
        _, _, page_size, _, *salts, _, _ = _LOG_HEADER.unpack(header)
        if not 512 <= page_size <= 65_536:
            return 0, set(), 0
        pages: list[int] = []
        committed = last = 0
        while len(header := file.read(_FRAME_HEADER.size)) == _FRAME_HEADER.size:
            page, size, *frame_salts, _, _ = _FRAME_HEADER.unpack(header)
            if frame_salts != salts:
                break
            pages.append(page)
            if size:
                # The last frame of a transaction says how many pages there are by then.
                last, committed = size, len(pages)
            file.seek(page_size, os.SEEK_CUR)
    return page_size, set(pages[:committed]), last


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Not every file system flushes folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
