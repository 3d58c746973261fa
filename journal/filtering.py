"""Which records somebody wants to see, of those that are read or followed."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final

from eventsourcing.persistence import StoredEvent
from pydantic_core import to_json

from ..domain import CATALOGUE, NoTypeMatches, RecordedEvent
from ..domain.bounds import MAX_PARTS
from ..domain.identifiers import identifier, plain_text, text
from ..domain.value import several

_GLOB: Final = frozenset("*?[")
_NEAR: Final = 3


class RecordFilter:
    """Chooses records.

    Attributes:
        topics: what the types that are wanted are stored under, in every version of them; empty for all types.
        stream: the stream that is wanted; None for all.

    Args:
        types: types, beginnings of types such as ``session.``, or globs such as ``session.*rejected``; any of them.
        stream: the stream's name.
        actor: on whose behalf.
        correlation_id: the conversation or request that the records belong to.
        grep: a text in what is stored of the record, its data and metadata as compact JSON. In lower case, it stands
            for upper case too.

    Raises:
        NoTypeMatches: no type of event is called so.
        InvalidArgument, InvalidIdentifier: something else cannot be what it is given for.
    """

    def __init__(
        self,
        types: Collection[str] = (),
        stream: str | None = None,
        actor: str | None = None,
        correlation_id: str | None = None,
        grep: str | None = None,
    ) -> None:
        wanted = {each for given in several("types", types, MAX_PARTS) for each in _matching(given)}
        # What an older Muniment stored is of the same type, under an older name.
        self.topics = tuple(sorted({name for each in wanted for name in CATALOGUE.stored_names(each)}))
        self.stream = None if stream is None else text("stream", stream)
        self._actor = None if actor is None else identifier("actor", actor)
        self._correlation_id = None if correlation_id is None else identifier("correlation_id", correlation_id)
        self._grep = None if grep is None else text("grep", grep)
        self._ignores_case = self._grep is not None and self._grep == self._grep.lower()
        if self._grep is not None and self._ignores_case:
            self._grep = self._grep.casefold()
        # A name stands in a row as the serializer writes it, so that most rows need not be decoded.
        self._written = [to_json(name) for name in (self._actor, self._correlation_id) if name is not None]

    def may_choose(self, stored: StoredEvent) -> bool:
        """Whether a row may be wanted, before it is decoded. What is no row of ours is, so that somebody is told."""
        state = stored.state
        if self.stream is not None and stored.originator_id != self.stream:
            return False
        if type(state) is not bytes:
            return True
        if not all(written in state for written in self._written):
            return False
        if self._grep is None:
            return True
        content = state.decode(errors="replace")
        return self._grep in (content.casefold() if self._ignores_case else content)

    def chooses(self, record: RecordedEvent) -> bool:
        """Whether a record of a row that may be wanted is."""
        about = record.metadata
        return self._actor in (None, about.actor) and self._correlation_id in (None, about.correlation_id)


def _matching(pattern: object) -> list[str]:
    """The types that are called so, begin so, or match a glob; with their version, or without."""
    given = plain_text(pattern)
    known = CATALOGUE.types()
    try:
        return [CATALOGUE.resolve(given)[0].type]
    except (KeyError, ValueError):
        pass
    if _GLOB & set(given):
        found = [name for name in known if fnmatchcase(name, given) or fnmatchcase(name.rpartition(".")[0], given)]
    else:
        found = [name for name in known if given and name.startswith(given)]
    if not found:
        raise NoTypeMatches(given, tuple(get_close_matches(given[:100], known, _NEAR)))
    return found
