"""Where a journal is kept: its URL, and the file or schema that it stands for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from ...domain import InvalidArgument
from ...domain.identifiers import plain_text, text
from ...domain.shown import kind_of

MAX_NAME_BYTES: Final = 255
"""The longest name of a file, without its folders, in bytes."""

_MEMORY_URL = "memory://"
_SQLITE_PREFIX = "sqlite:///"
_POSTGRES_PREFIXES = ("postgresql://", "postgres://")
_DEFAULT_SCHEMA = "muniment"
_POOLINGS: Final = ("session", "transaction")
_MAX_SCHEMA_BYTES: Final = 63
_HIDDEN = "***"
_SECRETS = ("password", "sslpassword")
_UNENCODED = re.compile(r"#|%(?![0-9a-fA-F]{2})")
_URLS = "sqlite:///relative.db, sqlite:////absolute.db, memory:// or postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a journal is.

    Attributes:
        url: the address as it was given, without a password.
        path: the file, absolute; None for a journal that is none.
        server: the URL that PostgreSQL's client library takes; None for a journal that is on no server.
        schema: the schema that a journal on a server is in.
        pooling: how a connection pool before the server works, ``session`` or ``transaction``; empty if there is none.
    """

    url: str
    path: Path | None = None
    server: str | None = field(default=None, repr=False)
    schema: str = ""
    pooling: str = ""

    @classmethod
    def parse(cls, url: str | os.PathLike[str]) -> Address:
        """Read a journal's URL.

        Raises:
            InvalidArgument: it is none of ``memory://``, ``sqlite:///relative.db``, ``sqlite:////absolute.db`` and
                ``postgresql://user@host/database``.
        """
        if not issubclass(type(url), str) and issubclass(type(url), os.PathLike):
            path = file_path("url", url)
            return cls(f"{_SQLITE_PREFIX}{path}", path)
        url = text("url", url)
        if url == _MEMORY_URL:
            return cls(url)
        if url.startswith(_POSTGRES_PREFIXES):
            return cls._parse_server(url)
        name = url.removeprefix(_SQLITE_PREFIX)
        if name == url or not name or "\0" in name or name == ":memory:":
            # Whatever it is, it may hold a password.
            given = repr(url) if "@" not in url else f"one that begins with {url.partition(':')[0]!r}"
            raise InvalidArgument("url", f"must be {_URLS}, not {given}")
        if "?" in name:
            raise InvalidArgument("url", f"takes no parameters behind a ? for a file, as in {url!r:.300}")
        return cls(url, file_path("url", name))

    @classmethod
    def _parse_server(cls, url: str) -> Address:
        _, _, rest = url.partition("://")
        place, _, query = rest.partition("?")
        authority, _, database = place.partition("/")
        if _UNENCODED.search(rest) or "@" in database or "@" in query:
            # The URL is not shown: where its password ends is just what is not clear.
            raise InvalidArgument("url", "must have each of @ / ? # % in its user name and password percent-encoded")
        parameters = dict(each.partition("=")[::2] for each in query.split("&") if each)
        # The client library knows no such parameter; other programs that take such URLs call it that too.
        schema = unquote(parameters.pop("schema", _DEFAULT_SCHEMA))
        if not schema or len(schema.encode()) > _MAX_SCHEMA_BYTES or "\0" in schema:
            raise InvalidArgument("url", f"names a schema of 1 to {_MAX_SCHEMA_BYTES} bytes, not {schema!r}")
        pooling = parameters.pop("pooling", "")
        if pooling and pooling not in _POOLINGS:
            raise InvalidArgument("url", f"has a pooling of {' or '.join(_POOLINGS)}, not {pooling!r}")
        login, at, host = authority.rpartition("@")
        user, colon, _ = login.partition(":")
        shown = {name: _HIDDEN if name in _SECRETS else value for name, value in parameters.items()}
        if schema != _DEFAULT_SCHEMA:
            shown["schema"] = quote(schema)
        if pooling:
            shown["pooling"] = pooling
        return cls(
            url=_join(f"{user}{colon and f':{_HIDDEN}'}{at}{host}", database, shown),
            server=_join(authority, database, parameters),
            schema=schema,
            pooling=pooling,
        )

    def __str__(self) -> str:
        return self.url if self.path is None else str(self.path)


def _join(authority: str, database: str, parameters: Mapping[str, str]) -> str:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://{authority}/{database}{query and f'?{query}'}"


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
    return Address.parse(url).url
