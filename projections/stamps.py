"""Which stamps a clock can have told: the fewest are set aside, so that no other steps back by more than an hour."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from typing import Final, NamedTuple

STEP_MS: Final = 3_600_000
"""How far clocks may step back, in ms, without any stamp being set aside."""


class Stamp(NamedTuple):
    """When an event was recorded, as it says.

    Attributes:
        position: the event's position.
        recorded_at: the time, in ms.
    """

    position: int
    recorded_at: int


class Stamps:
    """Stamps in the order of their positions, of which the fewest are set aside.

    Of two choices that set aside as many, the one is taken whose greatest stamp is lower, and then the one that keeps
    the older stamps. A step back of at most an hour from the greatest that is kept changes nothing about those before.

    What is kept is a longest subsequence in which no stamp is more than an hour below the greatest before it. It is
    found as a longest rising subsequence is, by the greatest stamps that subsequences of each length end with: here, a
    stamp does not end the next longer ones if they are no more than an hour above it.
    """

    def __init__(self) -> None:
        self._stamps: list[Stamp] = []
        # The greatest stamp that a kept subsequence of each length has to have, at least.
        self._greatest: list[int] = []
        # Of each stamp, which of these it made out of date; None if it only made a longer subsequence.
        self._replaced: list[int | None] = []

    def __len__(self) -> int:
        return len(self._stamps)

    def take(self, stamp: Stamp) -> None:
        """Take one more in; its position is behind those before."""
        time, greatest = stamp.recorded_at, self._greatest
        outdated = bisect_right(greatest, time + STEP_MS)
        self._replaced.append(greatest.pop(outdated) if outdated < len(greatest) else None)
        insort(greatest, time)
        self._stamps.append(stamp)

    def newest_kept(self) -> Iterator[Stamp]:
        """The stamps that are kept, newest first."""
        if not self._stamps:
            return
        limit = self._greatest[-1]
        for stamp, replaced in zip(reversed(self._stamps), reversed(self._replaced), strict=True):
            if stamp.recorded_at > limit:
                continue
            if stamp.recorded_at < limit - STEP_MS:
                if replaced is not None and replaced <= limit:
                    continue
                # From here back, this one has to be no more than an hour below the others.
                limit = stamp.recorded_at + STEP_MS
            yield stamp

    def set_aside(self) -> tuple[Stamp, ...]:
        """The stamps that are not kept, oldest first."""
        kept = {stamp.position for stamp in self.newest_kept()}
        return tuple(stamp for stamp in self._stamps if stamp.position not in kept)
