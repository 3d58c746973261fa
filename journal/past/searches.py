"""When something went wrong first, as methods of the journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import cast

from ...domain.bounds import MAX_PARTS
from ...domain.identifiers import plain_text
from ...domain.value import function, function_or_none, several
from ...projections import InPassing, Progress, TemporalStore, TemporalTable, changed_positions
from ..tables import READ_BY
from .checks import Check, Sources, named_check
from .moment import Moment
from .questions import MomentLike, Questions
from .search import Bisection, Predicate, bisect, first_failure


class Searches(Questions):
    """Finds when something went wrong first."""

    def first(
        self,
        predicate: Predicate | str,
        *,
        start: MomentLike = 0,
        end: MomentLike | None = None,
        tables: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Moment | None:
        """The first moment at which a predicate does not hold, exactly, by one pass.

        Args:
            predicate: takes a ``Moment``, and is true where all is well; or the name of a check: ``coherent``,
                ``every-session-owned``, ``no-refusals``, ``session-owned:SESSION``, ``law-1`` to ``law-8``.
            start: where to begin.
            end: where to end; by default now.
            tables: the tables that the predicate reads; it is then only asked where one of them changed. Without,
                it is asked at every position.
            progress: called with how far this has come, and how far it goes.

        Returns:
            The moment; None if the predicate always holds.

        Raises:
            PredicateFailed: the predicate raised; the error names the position.
            UnknownCheck: there is no check of that name.
            UnknownTable: there is no such table.
            MomentsReversed: the end lies before the start.
            InvalidMoment, MomentInFuture, UnknownPosition, UnknownEvent, InvalidArgument: see ``at``.
        """
        begin, last = self.between(self._moment(start), end)
        told = function_or_none("progress", progress)
        if issubclass(type(predicate), str):
            found = self._check(predicate).first_failure(begin.position, last.position, told)
            return None if found is None else self._at(found)
        holds = self._holding(predicate, last.position)
        named = [read for name in several("tables", tables, MAX_PARTS) for read in self._read_by(name)]
        positions: Iterable[int] = range(begin.position + 1, last.position + 1)
        if named:
            for projection in {projection for projection, _ in named}:
                self._projector.catch_up(projection, last.position)
            read = dict.fromkeys(table for _, table in named)
            positions = changed_positions(self._store, tuple(read), begin.position, last.position)
        found = first_failure(holds, positions, begin.position, last.position, told)
        return None if found is None else self._at(found)

    def bisect(
        self,
        predicate: Predicate | str,
        good: MomentLike = 0,
        bad: MomentLike | None = None,
        *,
        progress: Progress | None = None,
    ) -> Bisection:
        """Find by halving where a predicate ceases to hold, assuming that it does so once.

        Args:
            predicate: takes a ``Moment``, and is true where all is well, or ``SKIP`` where it cannot tell; or the name
                of a check, see ``first``.
            good: a moment at which it holds; by default before the first event.
            bad: a later one at which it does not; by default now.
            progress: called with how far this has come, and how far it goes.

        Raises:
            EndIsBad, EndIsGood: an end is not what it is said to be.
            PredicateFailed: the predicate raised; the error names the position.
            UnknownCheck: there is no check of that name.
            MomentsReversed: the bad moment lies before the good one.
            InvalidMoment, MomentInFuture, UnknownPosition, UnknownEvent, InvalidArgument: see ``at``.
        """
        begin, last = self.between(self._moment(good), bad)
        is_named = issubclass(type(predicate), str)
        holds = self._check(predicate).holds if is_named else self._holding(predicate, last.position)
        return bisect(holds, begin.position, last.position, function_or_none("progress", progress))

    def _check(self, name: object) -> Check:
        return named_check(Sources(self.application, self._store, self._projector), plain_text(name))

    def _holding(self, predicate: Predicate | str, end: int) -> Callable[[int], object]:
        asks = cast(Predicate, function("predicate", predicate))
        passing = cast(TemporalStore, InPassing(self._store, self._projector, end))
        return lambda position: asks(Moment(self._events, passing, self._projector, position))

    def _read_by(self, name: object) -> list[tuple[str, TemporalTable]]:
        """The tables that reading one by its name reads."""
        if type(name) is str and name in READ_BY:
            return [self._table(each) for each in READ_BY[name]]
        return [self._table(name)]
