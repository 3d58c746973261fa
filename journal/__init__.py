"""Where events are written, and the public face of Muniment."""

from .journal import Clock, Journal, Projections, system_clock
from .sessions import Sessions

__all__ = [
    "Clock",
    "Journal",
    "Projections",
    "Sessions",
    "system_clock",
]
