"""Where events are written, and the public face of Muniment."""

from .async_journal import AsyncJournal
from .async_sessions import AsyncSessions
from .execution import Clock
from .follow import Following
from .journal import Journal
from .projecting import Projecting, ProjectionHealth
from .sessions import Sessions
from .tables import Projections
from .times import system_clock
from .verification import Finding, VerificationReport

__all__ = [
    "AsyncJournal",
    "AsyncSessions",
    "Clock",
    "Finding",
    "Following",
    "Journal",
    "Projecting",
    "ProjectionHealth",
    "Projections",
    "Sessions",
    "VerificationReport",
    "system_clock",
]
