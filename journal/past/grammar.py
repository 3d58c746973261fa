"""How a moment is said, in Python strings and on the command line (see ``docs/time-travel.md``).

Times are read by the standard library: ISO 8601 is all that is taken, and nothing is guessed. Parsers such as
``dateutil`` take ``10`` for the tenth of this month, and ``dateparser`` for October; ``arrow`` and ``pendulum`` do not
read ``-10m``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias

from ...domain import InvalidInput, InvalidMoment
from ...domain.bounds import MAX_TEXT_LENGTH
from ...domain.record import split_event_id
from ...domain.shown import shown
from ...domain.states import new_state

_HEAD: Final = re.compile(r"HEAD(?:~(\d{0,19}))?", re.ASCII)
_POSITION: Final = re.compile(r"\d{1,19}", re.ASCII)
_UNITS: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
_AGO: Final = re.compile(r"[-−]((?:\d{1,9}[wdhms])+)", re.ASCII)  # noqa: RUF001  # a minus sign, as it is printed
_OF_DAY: Final = re.compile(r"(?:(today|yesterday)(?:\s+|$))?(\d{1,2}:\d{2}.*)?", re.ASCII | re.IGNORECASE)
_MARK: Final = ".."
_OUTSIDE: Final = "lies outside the calendar"


@dataclass(frozen=True, slots=True)
class FromHead:
    """So many positions before the journal's last.

    Attributes:
        back: how many.
    """

    back: int


@dataclass(frozen=True, slots=True)
class AtTime:
    """A time.

    Attributes:
        time_ms: UTC, in ms since 1970.
        note: how it was read, where it does not say so itself; empty otherwise.
    """

    time_ms: int
    note: str = ""


Said: TypeAlias = int | str | FromHead | AtTime
"""A moment as it was said: a position, an event's id, so many before the last, or a time."""


def parse(said: str, now_ms: int) -> Said:
    """Read a moment.

    Args:
        said: the text.
        now_ms: the time by the journal's clock, in ms: what today is, and what relative times are counted from.

    Raises:
        InvalidMoment: it is none, or may be more than one.
    """
    # A longer text is an id of an event at best, and those are bounded too.
    if len(said) > MAX_TEXT_LENGTH:
        raise InvalidMoment(said, "is too long for a moment")
    if _POSITION.fullmatch(said):
        return int(said)
    if found := _HEAD.fullmatch(said):
        return FromHead(int(found[1] or "1") if found[1] is not None else 0)
    if _is_event_id(said):
        return said
    read = _relative(said, now_ms) or _of_day(said, now_ms) or _iso(said)
    if read is None:
        raise InvalidMoment(said, "is no moment")
    return read


def cut(said: str, now_ms: int) -> list[tuple[str, str]]:
    """Every way to read a text as a range ``A..B``, either end of which may be left open.

    Args:
        said: the text.
        now_ms: see ``parse``.

    Returns:
        The ends of each way, as they are said.

    Raises:
        InvalidMoment: the text is too long.
    """
    if len(said) > MAX_TEXT_LENGTH:
        raise InvalidMoment(said, "is too long for a range of moments")
    places = [index for index in range(len(said)) if said.startswith(_MARK, index)]
    cuts = [(said[:index], said[index + len(_MARK) :]) for index in places]
    return [ends for ends in cuts if all(not end or _is_moment(end, now_ms) for end in ends)]


def _is_moment(said: str, now_ms: int) -> bool:
    try:
        parse(said, now_ms)
    except InvalidMoment:
        return False
    return True


def _is_event_id(said: str) -> bool:
    name = split_event_id(said)
    if name is None:
        return False
    try:
        new_state(name[0])
    except InvalidInput:
        return False
    return True


def _relative(said: str, now_ms: int) -> AtTime | None:
    found = _AGO.fullmatch(said)
    if found is None:
        return None
    ago = sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([wdhms])", found[1]))
    return AtTime(now_ms - ago)


def _of_day(said: str, now_ms: int) -> AtTime | None:
    """``now``, ``today``, ``yesterday``, a time of today's, or of the day that is named."""
    if said.lower() == "now":
        return AtTime(now_ms)
    found = _OF_DAY.fullmatch(said)
    if found is None or not said:
        return None
    day, of_day = found[1], found[2]
    at = time() if of_day is None else _time_of_day(of_day)
    if at is None:
        return None
    try:
        today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(at.tzinfo).date()
        on = today - timedelta(days=1) if day is not None and day.lower() == "yesterday" else today
    except (OverflowError, ValueError, OSError):
        raise InvalidMoment(said, _OUTSIDE) from None
    read = _placed(said, datetime.combine(on, at))
    if day is None and read.time_ms > now_ms:
        raise InvalidMoment(said, f"is still to come today; 'yesterday {said}' is the last time that it was")
    return read


def _time_of_day(said: str) -> time | None:
    try:
        return time.fromisoformat(said if said[1] != ":" else f"0{said}")
    except ValueError:
        return None


def _iso(said: str) -> AtTime | None:
    try:
        if "W" not in said and len(said) == len("2026-01-31"):
            return _placed(said, datetime.combine(date.fromisoformat(said), time()))
        return _placed(said, datetime.fromisoformat(said))
    except ValueError:
        return None


def _placed(said: str, at: datetime) -> AtTime:
    """A time in ms; without a zone it is local, and that is said."""
    if at.tzinfo is not None:
        return AtTime(_ms(said, at))
    first, second = _ms(said, at.replace(fold=0)), _ms(said, at.replace(fold=1))
    local = at.astimezone()
    if first != second:
        # One that the clocks leave out is another time when it is read back.
        how = "comes twice" if local.replace(tzinfo=None) == at else "does not come at all"
        zones = " or ".join(at.replace(tzinfo=each.tzinfo).isoformat() for each in _readings(at))
        raise InvalidMoment(said, f"{how} where the clocks are changed; say the zone: {zones}")
    return AtTime(first, f"{shown(said)} is read as {local.isoformat()}, local time ({local.tzname()})")


def _readings(at: datetime) -> list[datetime]:
    """The two ways to read a local time where the clocks are changed, each with its offset."""
    return [at.replace(fold=fold).astimezone() for fold in (0, 1)]


def _ms(said: str, at: datetime) -> int:
    try:
        return (at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    except (OverflowError, ValueError, OSError):
        raise InvalidMoment(said, _OUTSIDE) from None
