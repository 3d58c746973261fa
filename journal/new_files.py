"""Making a file whole or not at all: under another name first, beside where it belongs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from ..domain import InvalidArgument, JournalNotEmpty, JournalUnavailable

_LOGS: Final = ("-wal", "-journal")
"""What SQLite would take for a part of a database of this name."""

_BESIDE: Final = (*_LOGS, "-shm", "-turns")


def file_path(argument: str, value: object) -> Path:
    """Return ``value`` as a path, if it may name a file on the disk.

    Args:
        argument: what the caller calls it, for the message.
        value: what the caller gave.

    Raises:
        InvalidArgument: it is no path, or says something else than a file: a URL, ``:memory:``, nothing.
    """
    try:
        name = os.fspath(value)  # type: ignore[call-overload]
        os.fsencode(name)
    except Exception as error:
        raise InvalidArgument(argument, f"must be a path, not {type(value).__name__}") from error
    if not isinstance(name, str):
        raise InvalidArgument(argument, f"must be a path as a string or a Path, not {type(name).__name__}")
    if not name or "\0" in name or "://" in name or Path(name).name == ":memory:":
        raise InvalidArgument(argument, f"must be the path of a file, not {name[:100]!r}")
    return Path(name)


def require_free(path: Path) -> None:
    """Raise if something is at a path where a database is to be made, or an old log is beside it.

    Raises:
        JournalNotEmpty, JournalUnavailable
    """
    try:
        for each in (path, *(path.with_name(path.name + suffix) for suffix in _LOGS if path.name)):
            if os.path.lexists(each):
                raise JournalNotEmpty(str(each))
    except OSError as error:
        raise JournalUnavailable(str(path), error.strerror or str(error)) from error


@contextmanager
def new_database(path: Path) -> Iterator[Path]:
    """A place for a database that gets its name once the block is left; a block that fails leaves nothing.

    A process that is killed leaves a file ``.<name>.part`` behind, which may be deleted.

    Args:
        path: where it belongs.

    Raises:
        JournalNotEmpty: something is there.
        JournalUnavailable: it cannot be made there.
    """
    require_free(path)
    part = path.with_name(f".{token_hex(8)}.part")
    try:
        yield part
        _put(part, path)
    except JournalUnavailable as error:
        if error.path == str(part):
            raise JournalUnavailable(str(path), error.problem) from error
        raise
    except FileExistsError as error:
        raise JournalNotEmpty(str(path)) from error
    finally:
        for suffix in ("", *_BESIDE):
            with suppress(OSError):
                part.with_name(part.name + suffix).unlink(missing_ok=True)


def _put(part: Path, path: Path) -> None:
    try:
        # Unlike a rename, a link never replaces what somebody else put there meanwhile.
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system knows links.
        require_free(path)
        try:
            part.rename(path)
        except OSError as error:
            raise JournalUnavailable(str(path), error.strerror or str(error)) from error
    # The name too must outlive a power cut.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
