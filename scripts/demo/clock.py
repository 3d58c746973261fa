"""The clock of the demo's journal: a working day goes by while the recorded commands are given."""

from __future__ import annotations

import time
from typing import Final

PACE_MS: Final = 5_000
"""How far apart the recorded commands are given."""


class DayClock:
    """A clock that shows the hours before now, a step for each command, and then the system's time.

    Args:
        commands: how many commands are given before it shows the system's time.
    """

    def __init__(self, commands: int) -> None:
        self._ends = _system_ms()
        self.began = self._now = self._ends - commands * PACE_MS

    def __call__(self) -> int:
        """The time, UTC, in ms since 1970."""
        return self._now if self._now < self._ends else _system_ms()

    def step(self) -> None:
        """Let some seconds go by until the next command."""
        self._now += PACE_MS


def _system_ms() -> int:
    return time.time_ns() // 1_000_000
