"""Sites: where the roles of sessions run, their time-outs by a runtime's own ticks, and their crashes."""

from .decisions import crash, expire, time_out
from .events import SiteCrashed, SiteTimedOut, TimeoutExpired
from .state import SiteState

__all__ = ["SiteCrashed", "SiteState", "SiteTimedOut", "TimeoutExpired", "crash", "expire", "time_out"]
