"""What runs the programs of documents: every one is forked from a process that has imported them already.

``python -m tests.document_programs FOLDER`` puts ``muniment`` and ``python-blocks`` into the folder, and then waits at
a socket in it. Each of the two is a client that takes no time to start: it hands on its arguments, folder, environment
and streams, and ends as the fork ends. So pipes, exit codes, terminals and programs that start ``muniment`` work as
ever.

For a program that runs like this, time stands still at ``DOCUMENT_TIME`` (ms since 1970), and what Muniment draws at
random follows from the time and the arguments: the same document prints the same everywhere.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import os
import random
import secrets
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

SOCKET: Final = "programs.socket"
PROGRAMS: Final = ("muniment", "python-blocks")

_CLIENT: Final = """\
#!{python} -ISs
import json, os, socket, sys
to = socket.socket(socket.AF_UNIX)
to.connect({address!r})
told = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(to, [len(told).to_bytes(4, "big")], [0, 1, 2])
to.sendall(told)
sys.exit(int(to.recv(4) or b"2"))
"""

_monotonic, _real = time.monotonic, random.SystemRandom()


class _Drawn:
    """Stands where ``secrets.token_hex`` does; draws from what it was last seeded with."""

    random: random.Random = _real

    def __call__(self, nbytes: int = 32) -> str:
        return self.random.randbytes(nbytes).hex()


_drawn = _Drawn()


def serve(folder: Path) -> None:
    """Wait for clients, and fork for each, until stdin is closed."""
    secrets.token_hex = _drawn  # type: ignore[assignment]  # before anything takes the name from there
    for module in ("muniment.journal", "muniment.scripts.cli", "muniment.scripts.main"):
        importlib.import_module(module)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / SOCKET))
    listening.listen(64)
    for name in PROGRAMS:
        made = folder / name
        made.write_text(_CLIENT.format(python=sys.executable, address=str(folder / SOCKET)))
        made.chmod(0o755)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
        client, _ = listening.accept()
        with client:
            if os.fork() == 0:
                listening.close()
                _answer(client)


def _answer(client: socket.socket) -> None:
    """Run what one client asks for in a further fork, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(client, 4, 3)
    told = b""
    while len(told) < int.from_bytes(size, "big"):
        told += client.recv(1 << 20)
    if (child := os.fork()) == 0:
        client.close()
        _become(streams, *json.loads(told))
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(child)
    if ended not in select.select([client.fileno(), ended], [], [])[0]:
        # Nobody waits for it any more.
        os.kill(child, signal.SIGKILL)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    client.sendall(str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def _become(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be the program that the client stands for."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = arguments
    code: object = 1
    try:
        if Path(arguments[0]).name == "muniment":
            from muniment.scripts.main import main

            stand_still(int(environment["DOCUMENT_TIME"]), repr(arguments[1:]))
            main()
        else:
            _run_blocks()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def stand_still(now_ms: int, seed: str, *, running: bool = False) -> None:
    """Let it be this time from now on, in ms since 1970, and draw what follows from it and the seed."""
    since = _monotonic()

    def now() -> float:
        return now_ms / 1_000 + (_monotonic() - since if running else 0)

    time.time = now
    time.time_ns = lambda: int(now() * 1_000) * 1_000_000
    _drawn.random = random.Random(f"{now_ms} {seed}")


def _run_blocks() -> None:
    """Run blocks of Python, one after the other; each is a line of JSON on stdin, and answered by how it ended."""
    loop = asyncio.new_event_loop()
    names: dict[str, Any] = {}
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        if asked["anew"] or not names:
            names = {"__name__": "__main__"}
        stand_still(asked["now"], asked["text"], running=asked["running"])
        code = 0
        try:
            _run_block("\n" * (asked["line"] - 1) + asked["text"], asked["document"], names, loop.run_until_complete)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        sys.stdout.write(f"\0{code}\0")
        sys.stdout.flush()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def _run_block(text: str, document: str, names: dict[str, Any], wait_for: Callable[[Any], object]) -> None:
    code = compile(text, document, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        wait_for(eval(code, names))
    else:
        exec(code, names)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
