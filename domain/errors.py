"""Every error that Muniment raises, as one tree.

    MunimentError
    ├── CommandRefused            the journal's state says no
    │   ├── SessionNotFound
    │   ├── SessionAlreadyOpen
    │   ├── SessionTerminal
    │   ├── AlreadyClaimed
    │   ├── Unclaimed
    │   ├── StaleCapability
    │   ├── ScopeViolation
    │   ├── TransferPending
    │   ├── TransferNotPending
    │   ├── ReceiptMismatch
    │   ├── InvalidWitness
    │   └── WitnessConsumed
    ├── InvalidInput              the arguments make no sense, whatever the state
    │   ├── InvalidIdentifier
    │   ├── InvalidArgument
    │   ├── InvalidExport
    │   └── UnknownPosition
    ├── ConcurrencyConflict       other writers were always faster
    ├── IdempotencyConflict       a key used again for something else
    └── JournalError              the journal itself cannot be used as asked
        ├── JournalNotFound
        ├── JournalNotEmpty
        ├── JournalReadOnly
        ├── NotAJournal
        ├── NewerSchema
        ├── JournalLocked
        ├── JournalUnavailable
        ├── JournalDamaged
        ├── JournalClosed
        ├── UnknownEventType
        ├── DamagedRecord
        └── ProjectionStopped

An error carries its facts as attributes and a stable ``code``, the class name in snake case. Its message says what
was expected, what is live, and what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .artifacts import TerminalReason
    from .scope import OwnershipScope


@dataclass(eq=False)
class MunimentError(Exception):
    """The base of every error that Muniment raises on purpose.

    Attributes:
        code: the error's stable name, for programs; the class name in snake case.
    """

    code: ClassVar[str] = "muniment_error"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __post_init__(self) -> None:
        # Exceptions are pickled by their args, and a process pool pickles them.
        super().__init__(*self.facts().values())

    def facts(self) -> dict[str, object]:
        """The error's attributes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class CommandRefused(MunimentError):
    """A command was well formed, but the state of its stream does not permit it."""


class InvalidInput(MunimentError):
    """An argument is wrong whatever the journal holds; nothing was read or written for it."""


class JournalError(MunimentError):
    """The journal itself, its file or one of its records, cannot be used as asked."""


@dataclass(eq=False)
class SessionNotFound(CommandRefused):
    """No session was ever opened under this id (telltale 2.0, G0)."""

    session_id: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} was never opened; open it first"


@dataclass(eq=False)
class SessionAlreadyOpen(CommandRefused):
    """The session is open; only a finished one may be opened again."""

    session_id: str
    incarnation: int

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r} is already open (incarnation {self.incarnation}); close it before reopening"
        )


@dataclass(eq=False)
class SessionTerminal(CommandRefused):
    """The session is closed, cancelled or faulted, and stays so (telltale 2.0, G1).

    Attributes:
        status: ``closed``, ``cancelled`` or ``faulted``.
        reason: why ownership ended, or None after an orderly close.
    """

    session_id: str
    status: str
    reason: TerminalReason | None

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"session {self.session_id!r} is {self.status}{why}; open it again to begin a new incarnation"


@dataclass(eq=False)
class AlreadyClaimed(CommandRefused):
    """The session has an owner; it must release or transfer before another claims (telltale 2.1).

    Attributes:
        owner: the label of the live owner.
    """

    session_id: str
    owner: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} is owned by {self.owner!r}; it must release or transfer first"


@dataclass(eq=False)
class Unclaimed(CommandRefused):
    """The session has no owner (telltale 2.0, G2)."""

    session_id: str

    def __str__(self) -> str:
        return f"session {self.session_id!r} has no owner; claim it first"


@dataclass(eq=False)
class StaleCapability(CommandRefused):
    """What was presented is not the live capability (telltale 2.0, G2; law 2).

    Attributes:
        owner: the owner label as presented.
        generation: the generation as presented; None where only an owner label was.
        scope: the scope as presented; None where only an owner label was.
        live_owner: the label of the live owner.
        live_generation: the generation of the live capability.
        live_scope: the scope of the live capability.
    """

    session_id: str
    owner: str
    generation: int | None
    scope: OwnershipScope | None
    live_owner: str
    live_generation: int
    live_scope: OwnershipScope

    def __str__(self) -> str:
        presented = f"owner {self.owner!r}"
        if self.generation is not None:
            presented += f", generation {self.generation}, {self.scope}"
        return (
            f"session {self.session_id!r}: presented {presented}; live is owner {self.live_owner!r}, "
            f"generation {self.live_generation}, {self.live_scope}; act through the live capability"
        )


@dataclass(eq=False)
class ScopeViolation(CommandRefused):
    """The live scope does not reach as far as the command needs (telltale 2.0, G3; law 3).

    Attributes:
        owner: the label of the live owner.
        required: the scope that the command needs.
        actual: the live scope.
    """

    session_id: str
    owner: str
    required: OwnershipScope
    actual: OwnershipScope

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r}: owner {self.owner!r} holds {self.actual}, "
            f"but this needs {self.required}; scope only narrows, so a wider one takes a release and a new claim"
        )


@dataclass(eq=False)
class TransferPending(CommandRefused):
    """A transfer is staged, and blocks this command (telltale 2.0, G4)."""

    session_id: str
    claim_id: int

    def __str__(self) -> str:
        return f"session {self.session_id!r}: transfer {self.claim_id} is staged; commit it or roll it back first"


@dataclass(eq=False)
class TransferNotPending(CommandRefused):
    """No transfer is staged (telltale 2.4, 2.5)."""

    session_id: str

    def __str__(self) -> str:
        return f"session {self.session_id!r}: no transfer is staged; it was committed, rolled back or never begun"


@dataclass(eq=False)
class ReceiptMismatch(CommandRefused):
    """The receipt is not the staged one, compared whole (telltale 2.4, 2.5).

    Attributes:
        claim_id: the claim id as presented.
        pending_claim_id: the claim id that is staged.
    """

    session_id: str
    claim_id: int
    pending_claim_id: int

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r}: the receipt for transfer {self.claim_id} is not the staged one "
            f"(transfer {self.pending_claim_id}); present the receipt that beginning it returned"
        )


@dataclass(eq=False)
class InvalidWitness(CommandRefused):
    """The readiness witness was never issued, was altered, or is void (telltale 2.9)."""

    session_id: str
    witness_id: int
    reason: str

    def __str__(self) -> str:
        return f"session {self.session_id!r}: witness {self.witness_id}: {self.reason}; issue a new one"


@dataclass(eq=False)
class WitnessConsumed(CommandRefused):
    """The readiness witness was spent before (telltale 2.9; law 4).

    Attributes:
        session_id: the session that the presented witness names.
    """

    session_id: str
    witness_id: int

    def __str__(self) -> str:
        return f"witness {self.witness_id} of session {self.session_id!r} is already consumed; issue a new one"


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
        return f"position {self.position} does not exist; the journal's last position is {self.head}"


@dataclass(eq=False)
class ConcurrencyConflict(MunimentError):
    """Other writers appended to the stream first, at every attempt.

    Attributes:
        stream: the contended stream.
        attempts: how often the command was decided and lost.
    """

    stream: str
    attempts: int

    def __str__(self) -> str:
        return f"stream {self.stream!r} was changed by others {self.attempts} times in a row; try again"


@dataclass(eq=False)
class IdempotencyConflict(MunimentError):
    """An idempotency key was used before, for another command or other arguments.

    Attributes:
        idempotency_key: the key.
        event_id: the event that its first use appended.
    """

    idempotency_key: str
    event_id: str

    def __str__(self) -> str:
        return (
            f"idempotency key {self.idempotency_key!r} was used for another command or other arguments "
            f"(event {self.event_id}); use a new key"
        )


@dataclass(eq=False)
class JournalNotFound(JournalError):
    """There is no journal at this place, and none was to be made."""

    path: str

    def __str__(self) -> str:
        return f"there is no journal at {self.path}"


@dataclass(eq=False)
class JournalNotEmpty(JournalError):
    """The journal holds events, and what was asked takes an empty one, or a place where there is none.

    Attributes:
        path: where it is.
    """

    path: str

    def __str__(self) -> str:
        return f"{self.path} exists and is not empty; name another place"


@dataclass(eq=False)
class JournalReadOnly(JournalError):
    """The journal was opened to be read only, or its storage permits no more."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} is read-only; open it for writing, where that is permitted"


@dataclass(eq=False)
class NotAJournal(JournalError):
    """The file exists and is something else; it was not touched."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} is not a Muniment journal: {self.problem}"


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
class JournalLocked(JournalError):
    """Another process kept the journal locked for longer than the lock timeout.

    Attributes:
        timeout_ms: how long was waited, in ms.
    """

    path: str
    timeout_ms: int

    def __str__(self) -> str:
        return f"{self.path} stayed locked by another process for {self.timeout_ms} ms; nothing was written"


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
class JournalDamaged(JournalError):
    """The file is a journal, and its storage is damaged: cut off, or overwritten.

    Attributes:
        problem: what the storage said.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} is damaged: {self.problem}; go back to a backup or an export"


@dataclass(eq=False)
class JournalClosed(JournalError):
    """The journal object was closed; open it again."""

    path: str

    def __str__(self) -> str:
        return f"the journal {self.path} is closed; open it again"


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
        return f"event {self.stream}@{self.version}{where} ({self.type}) is damaged: {self.problem}"


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
        return f"projection {self.projection!r} stopped at position {self.position}: {self.problem}"
