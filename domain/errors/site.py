"""What refuses a command on sites."""

from __future__ import annotations

from dataclasses import dataclass

from .base import CommandRefused


@dataclass(eq=False)
class TickWentBack(CommandRefused):
    """A site's logical clock was further on before.

    Attributes:
        site: the site.
        tick: the tick that was given.
        last_tick: the last tick that it was at.
    """

    site: str
    tick: int
    last_tick: int

    def __str__(self) -> str:
        return f"site {self.site!r} was at tick {self.last_tick}, and {self.tick} lies before that; ticks only rise"
