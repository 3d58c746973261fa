"""A connection pool before a PostgreSQL server, as pgbouncer is: every transaction gets another connection."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ..postgres_server import Server

_ENCRYPTION: Final = {80877103, 80877104}
_CANCEL: Final = 80877102


class Pooler:
    """Listens on a port of this machine, and passes what clients say on to the server, transaction by transaction.

    Attributes:
        passes: cleared, nothing is passed on any more, and nothing is answered.
    """

    def __init__(self, server: Server) -> None:
        self._login = server.login()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._idle: deque[_Wire] = deque()
        self._wires: list[_Wire] = []
        self._serving: list[threading.Thread] = []
        self.passes = threading.Event()
        self.passes.set()

    def url(self, schema: str, more: str = "") -> str:
        """The address of a journal behind the pool."""
        user, database = self._login["user"], self._login["dbname"]
        port = self._listener.getsockname()[1]
        return f"postgresql://{user}@127.0.0.1:{port}/{database}?schema={schema}{more}"

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.passes.set()
        # Closed alone, it would go on listening for the thread that is in it.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        # No connection is closed under a thread that reads from it: it is hung up, its thread ends, then it is closed.
        for thread in self._serving:
            for wire in self._wires:
                wire.hang_up()
            thread.join(timeout=60)
        self._listener.close()
        for wire in self._wires:
            wire.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._new(self._listener.accept()[0])
                self._begin(self._serve, client)

    def _begin(self, what: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._serving.append(thread)
        thread.start()

    def _new(self, connected: socket.socket) -> _Wire:
        wire = _Wire(connected)
        self._wires.append(wire)
        return wire

    def _serve(self, client: _Wire) -> None:
        with suppress(OSError, EOFError):
            startup = client.startup()
            while startup.code in _ENCRYPTION:
                client.send(b"N")
                startup = client.startup()
            if startup.code != _CANCEL:
                self.passes.wait()
                self._log_in(client, startup.raw)
                while self._transaction(client):
                    pass
        client.hang_up()

    def _log_in(self, client: _Wire, startup: bytes) -> None:
        place = Path(self._login["host"]) / f".s.PGSQL.{self._login['port'] or 5432}"
        if self._login["host"].startswith("/"):
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(str(place))
        else:
            connected = socket.create_connection((self._login["host"], int(self._login["port"] or 5432)))
        server = self._new(connected)
        server.send(startup)
        kind = b""
        while kind != b"Z":
            kind, message = server.message()
            if kind == b"K":
                # A pool gives its clients numbers of its own.
                message = message[:5] + struct.pack("!i", 1_000_000_000) + message[9:]
            client.send(message)
        self._idle.append(server)

    def _transaction(self, client: _Wire) -> bool:
        first = client.message()
        server = None
        while first[0] != b"X":
            self.passes.wait()
            server = server or self._idle.popleft()
            kind, message = first
            while True:
                server.send(message)
                if kind in (b"Q", b"S"):
                    break
                kind, message = client.message()
            kind = b""
            while kind != b"Z":
                kind, message = server.message()
                client.send(message)
            if message[-1:] == b"I":
                self._idle.append(server)
                return True
            first = client.message()
        return False


class _Startup:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.code: int = struct.unpack("!i", raw[4:8])[0]


class _Wire:
    """One connection, read message by message."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        if connected.family != socket.AF_UNIX:
            # A small message is not held back until the last one is acknowledged.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = connected.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def startup(self) -> _Startup:
        size = self._read(4)
        return _Startup(size + self._read(struct.unpack("!i", size)[0] - 4))

    def message(self) -> tuple[bytes, bytes]:
        head = self._read(5)
        return head[:1], head + self._read(struct.unpack("!i", head[1:])[0] - 4)

    def hang_up(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise EOFError
        return data
