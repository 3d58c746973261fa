"""What can be asked of the past, awaited."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from ...domain.bundle import BundleSnapshot
from ...domain.conversation import ConversationView
from ...domain.session import SessionView
from .changes import Blame, Diff, RowVersion
from .explain import Explanation
from .moment import Moment
from .questions import MomentLike
from .search import Bisection, Predicate
from .searches import Searches
from .why import Provenance

ResultT = TypeVar("ResultT")


class AsyncQuestions:
    """What can be asked of the past, in a thread each; see ``Questions``.

    Predicates are called in that thread too.
    """

    @abstractmethod
    async def _ask(self, question: Callable[[Searches], ResultT]) -> ResultT:
        """Ask the journal in a thread."""

    async def at(self, moment: MomentLike | None = None, /, **said: Any) -> Moment:
        """The tables, sessions, bundles and conversations as they were; read them with ``run``. See ``Journal.at``."""
        return await self._ask(lambda journal: journal.at(moment, **said))

    async def between(self, start: MomentLike, end: MomentLike | None = None) -> tuple[Moment, Moment]:
        """The moments that a range names; see ``Journal.between``."""
        return await self._ask(lambda journal: journal.between(start, end))

    async def session(self, session_id: str) -> SessionView:
        """A session as it is now; see ``Journal.session``."""
        return await self._ask(lambda journal: journal.session(session_id))

    async def bundle(self, bundle_id: str) -> BundleSnapshot:
        """A bundle as it is now; see ``Journal.bundle``."""
        return await self._ask(lambda journal: journal.bundle(bundle_id))

    async def conversation(self, conversation_id: str) -> ConversationView:
        """A conversation as it is now; see ``Journal.conversation``."""
        return await self._ask(lambda journal: journal.conversation(conversation_id))

    async def diff(self, start: MomentLike, end: MomentLike | None = None, **settings: Any) -> Diff:
        """What changed between two moments; see ``Journal.diff``."""
        return await self._ask(lambda journal: journal.diff(start, end, **settings))

    async def history(self, table: str, key: Any) -> tuple[RowVersion, ...]:
        """Every row that a key of a table ever had; see ``Journal.history``."""
        return await self._ask(lambda journal: journal.history(table, key))

    async def blame(self, table: str, key: Any, at: MomentLike | None = None) -> dict[str, Blame]:
        """Which event gave each column of a row its value; see ``Journal.blame``."""
        return await self._ask(lambda journal: journal.blame(table, key, at))

    async def why(self, session_id: str, at: MomentLike | None = None) -> Provenance:
        """The events that make the owner and the holder of a session what they are; see ``Journal.why``."""
        return await self._ask(lambda journal: journal.why(session_id, at))

    async def explain(self, event: MomentLike) -> Explanation:
        """What one event did, and why something was refused; see ``Journal.explain``."""
        return await self._ask(lambda journal: journal.explain(event))

    async def first(self, predicate: Predicate | str, **settings: Any) -> Moment | None:
        """The first moment at which a predicate does not hold; see ``Journal.first``."""
        return await self._ask(lambda journal: journal.first(predicate, **settings))

    async def bisect(
        self, predicate: Predicate | str, good: MomentLike = 0, bad: MomentLike | None = None, **settings: Any
    ) -> Bisection:
        """Find by halving where a predicate ceases to hold; see ``Journal.bisect``."""
        return await self._ask(lambda journal: journal.bisect(predicate, good, bad, **settings))
