"""A real terminal for tests: a pseudo-terminal of a given width, on which a command runs."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x07")
_DEADLINE_S = 60


class Shown(NamedTuple):
    """What a command left on the terminal.

    Attributes:
        text: without what drives the terminal.
        exit_code: how the command ended.
    """

    text: str
    exit_code: int


def on_a_terminal(
    *arguments: str, width: int = 80, settings: Mapping[str, str] | None = None, keys: Mapping[str, str] | None = None
) -> Shown:
    """Run a command on a terminal.

    Args:
        arguments: the command, and what it takes.
        width: how many columns the terminal has; it has 24 lines.
        settings: the environment, beyond what is there.
        keys: what is typed once a text was shown, by that text; in order.
    """
    import fcntl
    import pty
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    left_out = ("COLUMNS", "LINES", "PAGER", "LESS", "MUNIMENT_PAGER", "NO_COLOR", "FORCE_COLOR")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"TERM": "xterm", "LC_ALL": "C.UTF-8", **(settings or {})}
    command = [sys.executable, "-m", "muniment.scripts.main", *arguments]
    pending = dict(keys or {})
    shown = b""
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    ) as process:
        os.close(slave)
        ends_by = time.monotonic() + _DEADLINE_S
        while time.monotonic() < ends_by:
            if not select.select([master], [], [], 0.1)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                part = os.read(master, 65_536)
            except OSError:
                # As Linux says that nobody has the terminal open any more.
                break
            shown += part
            for awaited, typed in list(pending.items()):
                if awaited.encode() not in shown:
                    break
                os.write(master, typed.encode())
                del pending[awaited]
        else:
            process.kill()
            raise AssertionError(f"{arguments} does not end: {shown[-500:]!r}")
        os.close(master)
        exit_code = process.wait(_DEADLINE_S)
    return Shown(_CONTROL.sub("", shown.decode(errors="replace")).replace("\r\n", "\n"), exit_code)
