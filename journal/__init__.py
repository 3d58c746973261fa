"""Where events are written, and the public face of Muniment."""

from .execution import Clock
from .follow import Following
from .journal import Journal, Projections, system_clock
from .sessions import Sessions

__all__ = [
    "Clock",
    "Following",
    "Journal",
    "Projections",
    "Sessions",
    "system_clock",
]
