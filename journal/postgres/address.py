"""The URLs of journals on a PostgreSQL server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from ...domain import InvalidArgument
from ..storage.address import ENGINES, Address

_DEFAULT_SCHEMA: Final = "muniment"
_POOLINGS: Final = ("session", "transaction")
_MAX_SCHEMA_BYTES: Final = 63
_HIDDEN: Final = "***"
_SECRETS: Final = ("password", "sslpassword")
_UNENCODED: Final = re.compile(r"#|%(?![0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class ServerAddress(Address):
    """Where a journal on a server is.

    Attributes:
        server: the URL that PostgreSQL's client library takes, with its password.
        schema: the schema that the journal is in.
        pooling: how a connection pool before the server works, ``session`` or ``transaction``; empty if there is none.
    """

    server: str = field(default="", repr=False)
    schema: str = _DEFAULT_SCHEMA
    pooling: str = ""


def parse(url: str) -> ServerAddress:
    """Read ``postgresql://user@host/database``, with ``schema`` and ``pooling`` among its parameters.

    Raises:
        InvalidArgument: it is another.
    """
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
        raise InvalidArgument("url", f"must name a schema of 1 to {_MAX_SCHEMA_BYTES} bytes, not {schema!r}")
    pooling = parameters.pop("pooling", "")
    if pooling and pooling not in _POOLINGS:
        raise InvalidArgument("url", f"must have a pooling of {' or '.join(_POOLINGS)}, not {pooling!r}")
    login, at, host = authority.rpartition("@")
    user, colon, _ = login.partition(":")
    shown = {name: _HIDDEN if name in _SECRETS else value for name, value in parameters.items()}
    if schema != _DEFAULT_SCHEMA:
        shown["schema"] = quote(schema)
    if pooling:
        shown["pooling"] = pooling
    return ServerAddress(
        url=_join(f"{user}{colon and f':{_HIDDEN}'}{at}{host}", database, shown),
        server=_join(authority, database, parameters),
        engine=ENGINES["postgresql"],
        schema=schema,
        pooling=pooling,
    )


def _join(authority: str, database: str, parameters: Mapping[str, str]) -> str:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://{authority}/{database}{query and f'?{query}'}"
