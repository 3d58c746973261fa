"""Every error that Muniment raises, as one tree.

    MunimentError
    ├── CommandRefused            the journal's state says no
    │   ├── SessionNotFound
    │   ├── SessionAlreadyOpen
    │   ├── SessionTerminal
    │   ├── SessionDraining
    │   ├── SessionNotFinished
    │   ├── UnknownRole
    │   ├── CapabilitySessionMismatch
    │   ├── RoundFailed
    │   ├── RuntimeBoundaryError      from the wrong task or thread
    │   │   ├── TaskAlreadyBound
    │   │   ├── MissingTaskBinding
    │   │   └── SessionBindingMismatch
    │   ├── InboxFull
    │   ├── InboxNotEmpty
    │   ├── DuplicateEnvelope
    │   ├── EnvelopeNotFound
    │   ├── EnvelopeNotTaken
    │   ├── NoLocalType
    │   ├── TypeViolation
    │   ├── UnknownEdge
    │   ├── EnvelopeNeedsCapability
    │   ├── EnvelopeOutOfOrder
    │   ├── TickWentBack
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
    │   ├── DelegationConstrained
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
    │   ├── IllegalMove
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
    │   ├── InvalidLocalType
    │   ├── InvalidEdge
    │   ├── InvalidExport
    │   ├── UnknownPosition
    │   ├── NoTypeMatches
    │   ├── InvalidMoment
    │   ├── MomentInFuture
    │   ├── MomentsReversed
    │   ├── UnknownTable
    │   ├── InvalidKey
    │   ├── UnknownRow
    │   ├── UnknownCheck
    │   ├── PredicateFailed
    │   ├── EndIsBad
    │   ├── EndIsGood
    │   ├── SearchStopped
    │   ├── OtherPast
    │   ├── SelfDelegation
    │   ├── ManifestWithoutBundles
    │   ├── UnknownEvent
    │   └── UnknownVersion
    ├── ConcurrencyConflict       other writers were always faster
    ├── WaitTimedOut              nothing came in time
    ├── IdempotencyConflict       a key used again for something else
    └── JournalError              the journal itself cannot be used as asked
        ├── JournalNotFound
        ├── JournalNotEmpty
        ├── JournalReadOnly
        ├── JournalReplaced
        ├── NotAJournal
        ├── NotForApplications
        ├── NotInBranch
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
from .binding import MissingTaskBinding, RuntimeBoundaryError, SessionBindingMismatch, TaskAlreadyBound
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
    IllegalMove,
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
    DelegationConstrained,
    FragmentConflict,
    FragmentNotHeld,
    HandOverRequired,
    NotActiveHolder,
)
from .inbox import (
    DuplicateEnvelope,
    EnvelopeNotFound,
    EnvelopeNotTaken,
    InboxFull,
    InboxNotEmpty,
    WaitTimedOut,
)
from .input import (
    BoundExceeded,
    EventTooLarge,
    InvalidArgument,
    InvalidExport,
    InvalidIdentifier,
    ManifestWithoutBundles,
    NoTypeMatches,
    OtherPast,
    SelfDelegation,
    UnknownEvent,
    UnknownPosition,
    UnknownVersion,
)
from .moments import (
    EndIsBad,
    EndIsGood,
    InvalidKey,
    InvalidMoment,
    MomentInFuture,
    MomentsReversed,
    PredicateFailed,
    SearchStopped,
    UnknownCheck,
    UnknownRow,
    UnknownTable,
)
from .protocol import (
    EnvelopeNeedsCapability,
    EnvelopeOutOfOrder,
    InvalidEdge,
    InvalidLocalType,
    NoLocalType,
    TypeViolation,
    UnknownEdge,
)
from .session import (
    AlreadyClaimed,
    CapabilitySessionMismatch,
    InvalidWitness,
    Lost,
    ReceiptMismatch,
    RoundFailed,
    ScopeViolation,
    SessionAlreadyOpen,
    SessionDraining,
    SessionNotFinished,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TransferNotPending,
    TransferPending,
    Unclaimed,
    UnknownRole,
    WitnessConsumed,
)
from .site import TickWentBack
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
    NotInBranch,
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
    "CapabilitySessionMismatch",
    "CommandRefused",
    "ConcurrencyConflict",
    "ConversationBlocked",
    "ConversationEnded",
    "ConversationExists",
    "ConversationNotFound",
    "DamagedRecord",
    "DelegationConstrained",
    "DuplicateBundle",
    "DuplicateEnvelope",
    "EndIsBad",
    "EndIsGood",
    "EnvelopeNeedsCapability",
    "EnvelopeNotFound",
    "EnvelopeNotTaken",
    "EnvelopeOutOfOrder",
    "EventTooLarge",
    "FragmentConflict",
    "FragmentNotHeld",
    "HandOverRequired",
    "IdempotencyConflict",
    "IllegalMove",
    "InboxFull",
    "InboxNotEmpty",
    "IncompatibleInterfaces",
    "InvalidArgument",
    "InvalidEdge",
    "InvalidExport",
    "InvalidIdentifier",
    "InvalidInput",
    "InvalidKey",
    "InvalidLocalType",
    "InvalidMoment",
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
    "MissingTaskBinding",
    "MomentInFuture",
    "MomentsReversed",
    "MunimentError",
    "NestedCommand",
    "NewerSchema",
    "NoLocalType",
    "NoTypeMatches",
    "NotAJournal",
    "NotActiveHolder",
    "NotAnElection",
    "NotCompensable",
    "NotForApplications",
    "NotInBranch",
    "NotStored",
    "OtherEventLoop",
    "OtherPast",
    "OverlappingSessions",
    "PartialFreeze",
    "PredicateFailed",
    "ProjectionStopped",
    "ProposalExists",
    "ProposalExpired",
    "ProposalNotActive",
    "ProposalNotFound",
    "ReceiptMismatch",
    "RoundFailed",
    "RuntimeBoundaryError",
    "SagaEnded",
    "SagaNotFound",
    "ScopeViolation",
    "SearchStopped",
    "SelfDelegation",
    "SessionAlreadyOpen",
    "SessionBindingMismatch",
    "SessionDraining",
    "SessionNotFinished",
    "SessionNotFound",
    "SessionTerminal",
    "StaleCapability",
    "TaskAlreadyBound",
    "TickWentBack",
    "TransferNotPending",
    "TransferPending",
    "TypeViolation",
    "Unclaimed",
    "UndoMissing",
    "UnknownCheck",
    "UnknownEdge",
    "UnknownEvent",
    "UnknownEventType",
    "UnknownPosition",
    "UnknownRole",
    "UnknownRow",
    "UnknownTable",
    "UnknownVersion",
    "UnsuitableServer",
    "UpgradeExists",
    "UpgradeNotPending",
    "UpgradePending",
    "UpgradeRejected",
    "WaitTimedOut",
    "WitnessConsumed",
]
