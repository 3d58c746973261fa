"""What keeps the journal itself from being used as asked."""

from __future__ import annotations

from dataclasses import dataclass

from .base import JournalError


@dataclass(eq=False)
class JournalNotFound(JournalError):
    """There is no journal at this place, and none was to be made."""

    path: str

    def __str__(self) -> str:
        return f"there is no journal at {self.path}; {self.advice}"

    @property
    def advice(self) -> str:
        return "to make one, open it with create=True and not read_only"


@dataclass(eq=False)
class JournalNotEmpty(JournalError):
    """The journal holds events, and what was asked takes an empty one, or a place where there is none.

    Attributes:
        path: where it is.
    """

    path: str

    def __str__(self) -> str:
        return f"{self.path} exists and is not empty; {self.advice}"

    @property
    def advice(self) -> str:
        return "name another place"


@dataclass(eq=False)
class JournalReadOnly(JournalError):
    """The journal was opened to be read only, or its storage permits no more."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} is read-only; {self.advice}"

    @property
    def advice(self) -> str:
        return "open it for writing, where that is permitted"


@dataclass(eq=False)
class NotInBranch(JournalError):
    """A branch stands on another journal and is gone when it is closed; what was asked takes one that stands alone.

    Attributes:
        path: which branch it is.
        asked: what was asked, such as ``backup``.
    """

    path: str
    asked: str

    def __str__(self) -> str:
        return f"{self.asked} takes a journal that stands alone, and this is {self.path}; {self.advice}"

    @property
    def advice(self) -> str:
        return "export it, and import that into an empty journal"


@dataclass(eq=False)
class NotAJournal(JournalError):
    """The file exists and is something else; it was not touched."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} is not a Muniment journal: {self.problem}"


@dataclass(eq=False)
class NotForApplications(JournalError):
    """An application of the ``eventsourcing`` library was given a database that is not for it; nothing was changed.

    Attributes:
        problem: what the database is instead.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} is not for an application of the library: {self.problem}; {self.advice}"

    @property
    def advice(self) -> str:
        return "give the application a database of its own"


@dataclass(eq=False)
class NewerSchema(JournalError):
    """The journal was written by a newer Muniment; it was not touched.

    Attributes:
        found: the file's schema version.
        supported: the newest schema version that this Muniment reads.
    """

    path: str
    found: int
    supported: int

    def __str__(self) -> str:
        return (
            f"{self.path} has schema version {self.found}, and this Muniment reads up to {self.supported}; "
            "upgrade Muniment"
        )


@dataclass(eq=False)
class JournalWithoutId(JournalError):
    """An older Muniment made the journal, and it was not opened for writing since, so it has no cursors yet."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} has no id yet, as an older Muniment made it; {self.advice}"

    @property
    def advice(self) -> str:
        return "open it for writing once, or use positions"


@dataclass(eq=False)
class JournalLocked(JournalError):
    """Another writer, a process or a thread of this one, kept the journal locked for longer than the lock timeout.

    Attributes:
        timeout_ms: how long was waited, in ms.
    """

    path: str
    timeout_ms: int

    def __str__(self) -> str:
        return (
            f"{self.path} stayed locked by another process or thread for {self.timeout_ms} ms; nothing was written; "
            f"{self.advice}"
        )

    @property
    def advice(self) -> str:
        return "try again, or give it longer with lock_timeout_s"


@dataclass(eq=False)
class JournalUnavailable(JournalError):
    """The journal cannot be opened, read or written: no such folder, no permission, a full disk.

    Attributes:
        problem: what the storage said.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} cannot be used: {self.problem}"


@dataclass(eq=False)
class UnsuitableServer(JournalError):
    """The database server is there, and cannot keep what a journal promises as it is set up or reached.

    Attributes:
        problem: what is in the way, and what to do.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} cannot hold a journal: {self.problem}"


@dataclass(eq=False)
class OtherEventLoop(JournalError):
    """An ``AsyncJournal`` belongs to the event loop that it was opened in, and this is another one."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} was opened in another event loop, and can only be closed here; open it in this one"


@dataclass(eq=False)
class JournalReplaced(JournalError):
    """The journal's file was removed, or another was put in its place, while the journal was open."""

    path: str

    def __str__(self) -> str:
        return (
            f"nothing was appended: the file of {self.path} was removed or replaced while the journal was open; "
            "open the journal again"
        )


@dataclass(eq=False)
class NotStored(JournalError):
    """What was to be appended would not have been stored as it is, so that nothing was appended.

    Attributes:
        problem: what the storage did with it.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"nothing was appended to {self.path}: {self.problem}; {self.advice}"

    @property
    def advice(self) -> str:
        return "remove the trigger or rule that does so, which journal.verify() names"


@dataclass(eq=False)
class JournalDamaged(JournalError):
    """The file is a journal, and its storage is damaged: cut off, or overwritten.

    Attributes:
        problem: what the storage said.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} is damaged: {self.problem}; {self.advice}"

    @property
    def advice(self) -> str:
        return "restore a backup, or import an export"


@dataclass(eq=False)
class JournalClosed(JournalError):
    """The journal object was closed. Open the journal again to use it."""

    path: str

    def __str__(self) -> str:
        return f"the journal {self.path} is closed; open it again"

    @property
    def advice(self) -> str:
        return "open it again"


@dataclass(eq=False)
class JournalForked(JournalError):
    """The process was made by ``fork``, and what it inherited belongs to the process that it was forked from.

    Attributes:
        path: the journal.
        is_closed_here: whether this process cannot open journals of its own either, since a thread was inside the
            database's library when it was forked.
    """

    path: str
    is_closed_here: bool = False

    def __str__(self) -> str:
        if self.is_closed_here:
            return (
                f"{self.path} cannot be opened in this process: it was forked while a thread of its parent was inside "
                "the database's library, whose locks stay locked here for ever; fork while nothing is under way, or "
                "start processes with multiprocessing's 'spawn' or 'forkserver'"
            )
        return (
            f"{self.path} was opened before this process was forked, and belongs to its parent; "
            "open the journal in this process"
        )


@dataclass(eq=False)
class NestedCommand(JournalError):
    """A thread asked for what it has already: a command inside a transaction, a projection or a signal handler."""

    path: str

    def __str__(self) -> str:
        return (
            f"this thread is in the middle of another command or transaction of {self.path}, and what was asked needs "
            "that to be over; ask after it, or in another thread"
        )


@dataclass(eq=False)
class UnknownEventType(JournalError):
    """A record's type is not in the catalogue: a newer Muniment wrote it, or somebody edited the row.

    Attributes:
        position: the record's position; None where only the stream was read.
    """

    type: str
    stream: str
    version: int
    position: int | None

    def __str__(self) -> str:
        where = f" at position {self.position}" if self.position else ""
        return f"event {self.stream}@{self.version}{where} has the unknown type {self.type!r}; upgrade Muniment"


@dataclass(eq=False)
class DamagedRecord(JournalError):
    """A record's stored content does not fit its type.

    Attributes:
        position: the record's position; None where only the stream was read.
        problem: what does not fit.
    """

    type: str
    stream: str
    version: int
    position: int | None
    problem: str

    def __str__(self) -> str:
        where = f" at position {self.position}" if self.position else ""
        return f"event {self.stream}@{self.version}{where} ({self.type}) is damaged: {self.problem}; {self.advice}"

    @property
    def advice(self) -> str:
        return "journal.verify() finds every damaged record"


@dataclass(eq=False)
class ProjectionStopped(JournalError):
    """A projection met a record that it cannot digest, and stands before it.

    Attributes:
        projection: the projection's name.
        position: the position it could not pass.
        problem: what went wrong there.
    """

    projection: str
    position: int
    problem: str

    def __str__(self) -> str:
        return f"projection {self.projection!r} stopped at position {self.position}: {self.problem}; {self.advice}"

    @property
    def advice(self) -> str:
        return "journal.verify() tells what is wrong with the events"
