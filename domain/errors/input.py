"""Arguments that make no sense, whatever the journal holds."""

from __future__ import annotations

from dataclasses import dataclass

from ..shown import shown
from .base import InvalidInput


@dataclass(eq=False)
class InvalidIdentifier(InvalidInput):
    """A name that no journal accepts.

    Attributes:
        argument: which argument it was.
        problem: what is wrong with it.
    """

    argument: str
    problem: str

    def __str__(self) -> str:
        return f"{self.argument} {self.problem}"


@dataclass(eq=False)
class InvalidArgument(InvalidInput):
    """An argument of the wrong type or out of its range.

    Attributes:
        argument: which argument it was.
        problem: what is wrong with it.
    """

    argument: str
    problem: str

    def __str__(self) -> str:
        return f"{self.argument} {self.problem}"


class BoundExceeded(InvalidArgument):
    """An argument that makes sense, and is more than a journal takes; see ``docs/bounds.md``."""


@dataclass(eq=False)
class EventTooLarge(InvalidInput):
    """What was asked for makes an event larger than any that is stored; nothing was appended.

    Attributes:
        type: the event's type.
        stream: the stream that it was for.
        size: how many bytes it takes.
        most: how many it may take.
    """

    type: str
    stream: str
    size: int
    most: int

    def __str__(self) -> str:
        return (
            f"an event {self.type} in stream {self.stream!r} would take {self.size} bytes; at most {self.most} are "
            "stored; give fewer or shorter names and texts"
        )


@dataclass(eq=False)
class InvalidExport(InvalidInput):
    """A line of an export is no event of a journal, or not the one that comes next.

    Attributes:
        line: the line's number, from 1.
        problem: what is wrong with it.
    """

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


@dataclass(eq=False)
class UnknownPosition(InvalidInput):
    """A position that the journal has not reached.

    Attributes:
        position: the position asked for.
        head: the journal's last position; 0 when it is empty.
    """

    position: int
    head: int

    def __str__(self) -> str:
        return f"position {shown(self.position)} does not exist; the journal's last position is {self.head}"


@dataclass(eq=False)
class OtherPast(InvalidInput):
    """A cursor of another journal, or of events that this copy of the journal does not have.

    Attributes:
        cursor: the cursor.
        journal: the id of the journal that is here.
        restore: the restore id that is in force here at the cursor's position; empty before the first.
        position: the cursor's position.
        shared: the last position that both pasts have; 0 for another journal, None where this one does not know.
    """

    cursor: str
    journal: str
    restore: str
    position: int
    shared: int | None

    def __str__(self) -> str:
        journal, _, rest = str(self.cursor).partition("-")
        if journal != self.journal:
            return (
                f"the cursor is of journal {journal}, and this is {self.journal}; "
                "use the journal that gave it, or begin at a position of this one"
            )
        given = rest.partition("-")[0]
        here = f"restore {self.restore}" if self.restore else "the original"
        if self.shared is None:
            return (
                f"the cursor at position {self.position} is of restore {given} of this journal, which never became "
                f"part of this copy; here {here} wrote that position; begin at one that both have, or at the first"
            )
        there = "the original" if given == "0" else f"restore {given}"
        return (
            f"the cursor at position {self.position} is of {there}, of which this copy has only what is up to position "
            f"{self.shared}; here {here} wrote what follows; begin again behind position {self.shared}"
        )


@dataclass(eq=False)
class SelfDelegation(InvalidInput):
    """An authority cannot delegate a session to itself (aura 6, O-33)."""

    session_id: str
    authority: str

    def __str__(self) -> str:
        return f"session {self.session_id!r}: authority {self.authority!r} cannot delegate to itself; name another"


@dataclass(eq=False)
class ManifestWithoutBundles(InvalidInput):
    """The manifest links no bundle, so there is none to register (aura 1.7)."""

    protocol_id: str

    def __str__(self) -> str:
        return f"the manifest of protocol {self.protocol_id!r} has no link specs, so there is no bundle to register"


@dataclass(eq=False)
class UnknownEvent(InvalidInput):
    """No event has this id."""

    event_id: str

    def __str__(self) -> str:
        return f"there is no event {self.event_id!r}; an id is a stream and a version, such as session-s-42@3"


@dataclass(eq=False)
class UnknownVersion(InvalidInput):
    """The stream has no such version to roll back to.

    Attributes:
        version: the version asked for.
        last: the stream's last version; 0 when it holds no event.
    """

    stream: str
    version: int
    last: int

    def __str__(self) -> str:
        if not self.last:
            return f"the stream {self.stream!r} holds no event"
        return f"stream {self.stream!r} has no version {self.version}; its last is {self.last}"


@dataclass(eq=False)
class NoTypeMatches(InvalidInput):
    """No type of event is called so, begins so, or matches the glob.

    Attributes:
        pattern: what was given.
        near: the types whose names are most like it.
    """

    pattern: str
    near: tuple[str, ...]

    def __str__(self) -> str:
        meant = (
            f"did you mean {' or '.join(self.near)}?" if self.near else "a type is said as session.closed or session.*"
        )
        return f"no type of event matches {shown(self.pattern)}; {meant}"
