"""Through how many files a call runs, and how often from one into another: ``python -m tests.walk``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import muniment.domain
from muniment.domain import session_stream
from muniment.journal import Journal

# Where the files lie, behind the links of an editable install.
_ROOT = Path(muniment.domain.__file__).resolve().parents[1]
_ROOMS = tuple(_ROOT / room for room in ("domain", "projections", "journal"))


class Walk:
    """What was walked through.

    Attributes:
        files: the modules of the library in which anything ran.
        crossings: how often one module called another, by the two.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.crossings: Counter[tuple[str, str]] = Counter()

    def of(self, call: Callable[[], object]) -> Walk:
        """Walk along while something is called."""
        sys.setprofile(self._step)
        try:
            call()
        finally:
            sys.setprofile(None)
        return self

    def _step(self, frame: FrameType, kind: str, _: object) -> None:
        if kind != "call" or (file := _module(frame)) is None:
            return
        self.files.add(file)
        caller = frame.f_back
        while caller is not None and (before := _module(caller)) is None:
            caller = caller.f_back
        if caller is not None and before is not None and before != file:
            self.crossings[before, file] += 1


def _module(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename).resolve()
    return str(path.relative_to(_ROOT)) if any(map(path.is_relative_to, _ROOMS)) else None


def revert(journal: Journal) -> Walk:
    """Undo one claim."""
    journal.sessions.open("s")
    journal.sessions.claim("s", "a")
    return Walk().of(lambda: journal.revert(f"{session_stream('s')}@2"))


def failing_saga(journal: Journal) -> Walk:
    """A saga of three commands and one step outside that fails."""
    journal.sessions.open("t")

    def fail() -> None:
        try:
            with journal.saga("s") as saga:
                saga.register_undo("mail", lambda _: None)
                capability = journal.sessions.claim("t", "a")
                journal.sessions.transfer(capability, "b")
                raise ValueError
        except ValueError:
            pass

    return Walk().of(fail)


def main() -> None:
    """Print the walks."""
    for call in (revert, failing_saga):
        with Journal.open("memory://") as journal:
            walk = call(journal)
        print(f"{call.__name__}: {len(walk.files)} files, {sum(walk.crossings.values())} crossings")
        if "--edges" in sys.argv:
            for edge, count in walk.crossings.most_common(45):
                print(f"  {count:4} {' -> '.join(edge)}")


if __name__ == "__main__":
    main()
