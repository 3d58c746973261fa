"""Where a journal is kept: its URL, and the storage engine that it is for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Final

from ...domain import InvalidArgument
from ...domain.identifiers import plain_text, text
from ...domain.shown import kind_of

MAX_NAME_BYTES: Final = 255
"""The longest name of a file, without its folders, in bytes."""

ENGINES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "memory": "muniment.journal.sqlite",
        "sqlite": "muniment.journal.sqlite",
        "postgres": "muniment.journal.postgres",
        "postgresql": "muniment.journal.postgres",
    }
)
"""The packages of the storage engines, by the schemes of the URLs that are for them."""

ENTRY_POINTS: Final = "muniment.engines"
"""Where other distributions say which package is the engine for a scheme."""

_URLS: Final = "sqlite:///relative.db, sqlite:////absolute.db, memory:// or postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a journal is.

    Attributes:
        url: the address as it was given, without a password.
        engine: the package of the storage engine that it is for.
        path: the file, absolute; None for a journal that is none.
        is_stored: whether it is there when the process has ended.
    """

    url: str
    engine: str
    path: Path | None = None
    is_stored: bool = True

    def __str__(self) -> str:
        return self.url if self.path is None else str(self.path)


def parse_address(url: str | os.PathLike[str]) -> Address:
    """Read a journal's URL, or the path of its file.

    Raises:
        InvalidArgument: no storage engine is for it, or the one that is makes no sense of it.
    """
    if not issubclass(type(url), str) and issubclass(type(url), os.PathLike):
        return file_address("url", url)
    url = text("url", url)
    scheme, is_there, _ = url.partition("://")
    engine = _engine_for(scheme) if is_there else None
    if engine is None:
        raise no_address(url)
    parsed: Address = engine_room(engine, "address").parse(url)
    return parsed


def no_address(url: str) -> InvalidArgument:
    """The error of a URL that is no journal's."""
    # Whatever it is, it may hold a password.
    given = repr(url) if "@" not in url else f"one that begins with {url.partition(':')[0]!r}"
    return InvalidArgument("url", f"must be {_URLS}, not {given}")


def _engine_for(scheme: str) -> str | None:
    if scheme in ENGINES:
        return ENGINES[scheme]
    for entry in entry_points(group=ENTRY_POINTS, name=scheme):
        return entry.value
    return None


def file_address(argument: str, name: object, url: str = "") -> Address:
    """The address of a journal in an SQLite file.

    Args:
        argument: what the caller calls the file.
        name: the file.
        url: its URL, if it was given as one.

    Raises:
        InvalidArgument: it is no name of a file.
    """
    path = file_path(argument, name)
    return Address(url or f"sqlite:///{path}", ENGINES["sqlite"], path)


def file_path(argument: str, name: object) -> Path:
    """The file that a name stands for, absolute, with its symbolic links resolved.

    SQLite keeps its log beside the file itself, so a link to it is not its name.

    Raises:
        InvalidArgument: it is no name of a file.
    """
    try:
        named = name if issubclass(type(name), str) else os.fspath(name)  # type: ignore[call-overload]
    except Exception:
        raise InvalidArgument(argument, f"must be a path, not {kind_of(name)}") from None
    if not issubclass(type(named), str):
        raise InvalidArgument(argument, "must be text, not bytes")
    given = plain_text(named)
    if not given or Path(given).name == ":memory:" or given.startswith("file:") or "://" in given:
        raise InvalidArgument(argument, f"must name a file, and {given!r} names none")
    if given != given.strip() or not given.isprintable():
        problem = "must hold no line end and no other control character, and no blank at an end"
        raise InvalidArgument(argument, f"{problem}, not {given!r:.300}")
    if not Path(given).name:
        raise InvalidArgument(argument, f"must name a file, and {given!r} is a folder")
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in Path(given).parts):
        raise InvalidArgument(argument, f"has a part of more than {MAX_NAME_BYTES} bytes, which no file system takes")
    try:
        return Path(os.path.realpath(given))
    except (OSError, ValueError) as error:
        raise InvalidArgument(argument, f"names no file: {error}") from error


def without_password(url: str | os.PathLike[str]) -> str:
    """A journal's URL as it may be shown.

    Raises:
        InvalidArgument: it is no such URL.
    """
    return parse_address(url).url


def engine_room(engine: str, module: str) -> ModuleType:
    """A module of the package of a storage engine.

    Raises:
        InvalidArgument: the engine is not installed, or what it is built on is not.
    """
    try:
        return import_module(f"{engine}.{module}")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("psycopg", "psycopg_pool"):
            raise InvalidArgument("url", f"needs {error.name}: pip install 'muniment[postgres]'") from error
        if missing == engine.partition(".")[0] != "muniment":
            raise InvalidArgument("url", f"needs the storage engine {engine}, which is not installed") from error
        raise
