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
    │   ├── WitnessConsumed
    │   ├── AlreadyHosted
    │   ├── NotActiveHolder
    │   ├── HandOverRequired
    │   ├── BoundaryRejected
    │   ├── BoundaryBundleMismatch
    │   ├── BoundaryScopeMismatch
    │   ├── FragmentConflict
    │   ├── FragmentNotHeld
    │   ├── MissingSurface
    │   ├── BundleNotFound
    │   ├── DuplicateBundle
    │   ├── IncompatibleInterfaces
    │   ├── OverlappingSessions
    │   ├── MembersNotSeeded
    │   ├── UpgradePending
    │   ├── UpgradeNotPending
    │   ├── UpgradeExists
    │   ├── UpgradeRejected
    │   ├── ConversationNotFound
    │   ├── ConversationExists
    │   ├── ConversationEnded
    │   ├── ConversationBlocked
    │   ├── PartialFreeze
    │   ├── ProposalNotFound
    │   ├── ProposalExists
    │   ├── ProposalNotActive
    │   ├── ProposalExpired
    │   ├── AlreadyVoted
    │   ├── NotAnElection
    │   ├── NotCompensable
    │   ├── AlreadyCompensated
    │   ├── LaterEventDepends
    │   ├── LimitReached
    │   ├── SagaNotFound
    │   ├── SagaEnded
    │   └── UndoMissing
    ├── InvalidInput              the arguments make no sense, whatever the state
    │   ├── InvalidIdentifier
    │   ├── InvalidArgument
    │   │   └── BoundExceeded
    │   ├── EventTooLarge
    │   ├── InvalidExport
    │   ├── UnknownPosition
    │   ├── OtherPast
    │   ├── SelfDelegation
    │   ├── ManifestWithoutBundles
    │   ├── UnknownEvent
    │   └── UnknownVersion
    ├── ConcurrencyConflict       other writers were always faster
    ├── IdempotencyConflict       a key used again for something else
    └── JournalError              the journal itself cannot be used as asked
        ├── JournalNotFound
        ├── JournalNotEmpty
        ├── JournalReadOnly
        ├── JournalReplaced
        ├── NotAJournal
        ├── NotForApplications
        ├── NewerSchema
        ├── JournalWithoutId
        ├── JournalLocked
        ├── JournalUnavailable
        ├── UnsuitableServer
        ├── NotStored
        ├── OtherEventLoop
        ├── JournalDamaged
        ├── JournalClosed
        ├── JournalForked
        ├── NestedCommand
        ├── UnknownEventType
        ├── DamagedRecord
        └── ProjectionStopped

An error carries its facts as attributes and a stable ``code``, the class name in snake case. Its message says what
was expected, what is live, and what to do.
"""

from .base import (
    CommandRefused,
    ConcurrencyConflict,
    IdempotencyConflict,
    InvalidInput,
    JournalError,
    LimitReached,
    MunimentError,
)
from .bundle import (
    BundleNotFound,
    DuplicateBundle,
    IncompatibleInterfaces,
    MembersNotSeeded,
    MissingSurface,
    OverlappingSessions,
    UpgradeExists,
    UpgradeNotPending,
    UpgradePending,
    UpgradeRejected,
)
from .conversation import (
    AlreadyVoted,
    ConversationBlocked,
    ConversationEnded,
    ConversationExists,
    ConversationNotFound,
    NotAnElection,
    PartialFreeze,
    ProposalExists,
    ProposalExpired,
    ProposalNotActive,
    ProposalNotFound,
)
from .delegation import (
    AlreadyHosted,
    BoundaryBundleMismatch,
    BoundaryRejected,
    BoundaryScopeMismatch,
    FragmentConflict,
    FragmentNotHeld,
    HandOverRequired,
    NotActiveHolder,
)
from .input import (
    BoundExceeded,
    EventTooLarge,
    InvalidArgument,
    InvalidExport,
    InvalidIdentifier,
    ManifestWithoutBundles,
    OtherPast,
    SelfDelegation,
    UnknownEvent,
    UnknownPosition,
    UnknownVersion,
)
from .session import (
    AlreadyClaimed,
    InvalidWitness,
    Lost,
    ReceiptMismatch,
    ScopeViolation,
    SessionAlreadyOpen,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TransferNotPending,
    TransferPending,
    Unclaimed,
    WitnessConsumed,
)
from .storage import (
    DamagedRecord,
    JournalClosed,
    JournalDamaged,
    JournalForked,
    JournalLocked,
    JournalNotEmpty,
    JournalNotFound,
    JournalReadOnly,
    JournalReplaced,
    JournalUnavailable,
    JournalWithoutId,
    NestedCommand,
    NewerSchema,
    NotAJournal,
    NotForApplications,
    NotStored,
    OtherEventLoop,
    ProjectionStopped,
    UnknownEventType,
    UnsuitableServer,
)
from .undo import (
    AlreadyCompensated,
    LaterEventDepends,
    NotCompensable,
    SagaEnded,
    SagaNotFound,
    UndoMissing,
)

__all__ = [
    "AlreadyClaimed",
    "AlreadyCompensated",
    "AlreadyHosted",
    "AlreadyVoted",
    "BoundExceeded",
    "BoundaryBundleMismatch",
    "BoundaryRejected",
    "BoundaryScopeMismatch",
    "BundleNotFound",
    "CommandRefused",
    "ConcurrencyConflict",
    "ConversationBlocked",
    "ConversationEnded",
    "ConversationExists",
    "ConversationNotFound",
    "DamagedRecord",
    "DuplicateBundle",
    "EventTooLarge",
    "FragmentConflict",
    "FragmentNotHeld",
    "HandOverRequired",
    "IdempotencyConflict",
    "IncompatibleInterfaces",
    "InvalidArgument",
    "InvalidExport",
    "InvalidIdentifier",
    "InvalidInput",
    "InvalidWitness",
    "JournalClosed",
    "JournalDamaged",
    "JournalError",
    "JournalForked",
    "JournalLocked",
    "JournalNotEmpty",
    "JournalNotFound",
    "JournalReadOnly",
    "JournalReplaced",
    "JournalUnavailable",
    "JournalWithoutId",
    "LaterEventDepends",
    "LimitReached",
    "Lost",
    "ManifestWithoutBundles",
    "MembersNotSeeded",
    "MissingSurface",
    "MunimentError",
    "NestedCommand",
    "NewerSchema",
    "NotAJournal",
    "NotActiveHolder",
    "NotAnElection",
    "NotCompensable",
    "NotForApplications",
    "NotStored",
    "OtherEventLoop",
    "OtherPast",
    "OverlappingSessions",
    "PartialFreeze",
    "ProjectionStopped",
    "ProposalExists",
    "ProposalExpired",
    "ProposalNotActive",
    "ProposalNotFound",
    "ReceiptMismatch",
    "SagaEnded",
    "SagaNotFound",
    "ScopeViolation",
    "SelfDelegation",
    "SessionAlreadyOpen",
    "SessionNotFound",
    "SessionTerminal",
    "StaleCapability",
    "TransferNotPending",
    "TransferPending",
    "Unclaimed",
    "UndoMissing",
    "UnknownEvent",
    "UnknownEventType",
    "UnknownPosition",
    "UnknownVersion",
    "UnsuitableServer",
    "UpgradeExists",
    "UpgradeNotPending",
    "UpgradePending",
    "UpgradeRejected",
    "WitnessConsumed",
]
