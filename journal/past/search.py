"""When something went wrong first: by one pass over what changed, or by halving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Final, TypeAlias

from ...domain import EndIsBad, EndIsGood, InvalidArgument, JournalError, PredicateFailed, SearchStopped
from ...domain.shown import kind_of
from ...projections import Progress

Predicate: TypeAlias = Callable[[Any], object]
"""Takes a ``Moment``; true where all is well, and ``SKIP`` where that cannot be told."""


class _Skip:
    """What a predicate answers where it cannot tell."""

    def __repr__(self) -> str:
        return "SKIP"


SKIP: Final = _Skip()
"""What a predicate answers to ``bisect`` about a moment at which it cannot tell."""


@dataclass(frozen=True, slots=True)
class Bisection:
    """What halving found. It assumes that between the two ends the predicate changes once, from true to false.

    Attributes:
        good: the last position at which it is known to hold.
        bad: the first at which it is known not to hold.
        skipped: the positions in between, of which it could not be told; the first bad one may be one of them.
        calls: how often the predicate was asked, the two ends included.
    """

    good: int
    bad: int
    skipped: tuple[int, ...]
    calls: int

    @property
    def is_exact(self) -> bool:
        """Whether ``bad`` is the first bad position, and not only the first that is known."""
        return self.bad == self.good + 1

    def __str__(self) -> str:
        assumed = f"assuming that it changes once in between; {self.calls} calls"
        if self.is_exact:
            return f"position {self.bad} is the first bad one, and {self.good} the last good one, {assumed}"
        skipped = ", ".join(map(str, self.skipped[:10])) + (", ..." if len(self.skipped) > 10 else "")
        return f"the first bad position is {self.bad} or one of those that were skipped, {skipped}, {assumed}"

    def to_json(self) -> dict[str, Any]:
        """What was found as what JSON knows."""
        return {
            "good": self.good,
            "bad": self.bad,
            "skipped": list(self.skipped),
            "calls": self.calls,
            "is_exact": self.is_exact,
            "assumes": "the predicate changes once between good and bad",
        }


def first_failure(
    holds: Callable[[int], object],
    positions: Iterable[int],
    start: int,
    end: int,
    progress: Progress | None = None,
) -> int | None:
    """The first of these positions at which a predicate does not hold; None if it holds at all.

    Args:
        holds: the predicate, by position.
        positions: where to ask, in order, behind the start.
        start: where to begin.
        end: how far the positions go.
        progress: called with how far this has come, and how far it goes.

    Raises:
        PredicateFailed: the predicate raised.
    """
    if not asked(holds, start):
        return start
    for position in positions:
        if not asked(holds, position):
            return position
        if progress is not None:
            progress(position - start, end - start)
    return None


def bisect(holds: Callable[[int], object], good: int, bad: int, progress: Progress | None = None) -> Bisection:
    """Find by halving where a predicate ceases to hold.

    Args:
        holds: the predicate, by position.
        good: a position at which it holds.
        bad: a later one at which it does not.
        progress: called with how far this has come, and how far it goes.

    Raises:
        EndIsBad, EndIsGood: an end is not what it is said to be.
        PredicateFailed: the predicate raised.
    """
    if asked(holds, good) in (False, SKIP):
        raise EndIsBad(good)
    if asked(holds, bad) is not False:
        raise EndIsGood(bad)
    calls, whole = 2, bad - good
    skipped: set[int] = set()
    while (probe := _next_probe(good, bad, skipped)) is not None:
        calls += 1
        answer = asked(holds, probe)
        if answer is SKIP:
            skipped.add(probe)
            continue
        good, bad = (probe, bad) if answer else (good, probe)
        skipped = {each for each in skipped if good < each < bad}
        if progress is not None:
            progress(whole - (bad - good), whole)
    return Bisection(good, bad, tuple(sorted(skipped)), calls)


def _next_probe(good: int, bad: int, skipped: set[int]) -> int | None:
    """The middle; or where that was skipped, the middle of a half, of a quarter, and so on, until none is left."""
    if bad - good - 1 <= len(skipped):
        return None
    parts = 2
    while parts < 2 * (bad - good):
        # The odd ones alone: the others were looked at as parts of fewer.
        for part in range(1, parts, 2):
            probe = good + (bad - good) * part // parts
            if good < probe < bad and probe not in skipped:
                return probe
        parts *= 2
    return next(each for each in range(good + 1, bad) if each not in skipped)


def asked(holds: Callable[[int], object], position: int) -> object:
    """Whether a predicate holds: true or false, or ``SKIP``.

    Raises:
        PredicateFailed: it raised.
        InvalidArgument: it has to be awaited, or to be gone through.
        SearchStopped: it says that there is no point in going on.
        JournalError: the journal itself cannot be read.
    """
    try:
        answer = holds(position)
        if isawaitable(answer):
            raise InvalidArgument("predicate", "must answer at once, and is awaited nowhere")
        if isinstance(answer, Iterator):
            # It is true whatever it comes to.
            raise InvalidArgument("predicate", f"must answer at once, not with a {kind_of(answer)}")
        return answer if answer is SKIP else bool(answer)
    except (InvalidArgument, JournalError, SearchStopped):
        raise
    except Exception as error:
        raise PredicateFailed(position, f"{kind_of(error)}: {_said(error)}") from error


def _said(error: Exception) -> str:
    """What an error says, even one that cannot say it."""
    try:
        return str(error)
    except Exception:
        return "it does not say what"
