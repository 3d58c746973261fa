"""Programs in processes of their own, that are let go at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

KILLS: Final = int(os.environ.get("MUNIMENT_TEST_KILLS", "8"))
"""How often programs are killed; a longer run sets more."""

FORKS_ARE_MEANT: Final = "ignore:This process:DeprecationWarning"
"""For Python's option ``-W``: since 3.12 it warns where a process with threads forks, which is just what is tried."""


def start_at_once(programs: Sequence[Sequence[str]]) -> list[subprocess.Popen[str]]:
    """Start programs with their arguments; each prints ``ready``, and goes on when it has read a line."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for program in programs
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return started


def finish(started: Sequence[subprocess.Popen[str]]) -> list[list[str]]:
    """Wait until all are done, and none has failed; return the lines that each has printed."""
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]
    assert [errors for _, errors, code in ended if code != 0] == []
    return [output.splitlines() for output, _, _ in ended]
