"""Where events are written, and the public face of Muniment."""

from ..domain.compensation import StateChange, UndoPlan, UndoStep
from .async_journal import AsyncBranch, AsyncJournal
from .commands.async_bundles import AsyncBundles
from .commands.async_conversations import AsyncConversations
from .commands.async_inboxes import (
    AsyncInboxes,
    AsyncSites,
)
from .commands.async_sessions import (
    AsyncOwnedSession,
    AsyncSessions,
)
from .commands.bundles import BundleCommands, Bundles
from .commands.conversation_commands import ConversationCommands
from .commands.conversations import Conversations
from .commands.inboxes import (
    Inboxes,
)
from .commands.owned import (
    OwnedSession,
)
from .commands.proposal_commands import ProposalCommands
from .commands.sessions import Sessions
from .commands.sites import (
    Sites,
)
from .follow import Following
from .journal import Branch, Journal
from .past.changes import (
    Blame,
    Diff,
    RowChange,
    RowVersion,
)
from .past.checks import (
    REFUSAL_TYPES,
)
from .past.comparison import Comparison, Difference
from .past.explain import (
    Cause,
    Explanation,
)
from .past.moment import (
    Moment,
)
from .past.naming import (
    EventName,
)
from .past.questions import (
    MomentLike,
)
from .past.refusals import (
    Refusal,
)
from .past.search import (
    SKIP,
    Bisection,
    Predicate,
)
from .past.why import (
    Provenance,
    Reason,
)
from .projecting import Projecting, ProjectionHealth
from .restoring import import_journal, restore
from .storage.address import without_password
from .storage.engine import LogHealth
from .storage.identity import FormatSince, Identity, Restore
from .tables import Projections
from .undo.async_saga import AsyncSaga, AsyncSagas
from .undo.sagas import Saga, Sagas
from .upkeep.export_reader import MAX_LINE_BYTES
from .upkeep.verification import Finding, VerificationReport
from .writing.execution import Clock
from .writing.times import system_clock

__all__ = [
    "AsyncBranch",
    "AsyncBundles",
    "AsyncConversations",
    "AsyncInboxes",
    "AsyncJournal",
    "AsyncOwnedSession",
    "AsyncSaga",
    "AsyncSagas",
    "AsyncSessions",
    "AsyncSites",
    "Bisection",
    "Blame",
    "Branch",
    "BundleCommands",
    "Bundles",
    "Cause",
    "Clock",
    "Comparison",
    "ConversationCommands",
    "Conversations",
    "Diff",
    "Difference",
    "EventName",
    "Explanation",
    "Finding",
    "Following",
    "FormatSince",
    "Identity",
    "Inboxes",
    "Journal",
    "LogHealth",
    "MAX_LINE_BYTES",
    "Moment",
    "MomentLike",
    "OwnedSession",
    "Predicate",
    "Projecting",
    "ProjectionHealth",
    "Projections",
    "ProposalCommands",
    "Provenance",
    "REFUSAL_TYPES",
    "Reason",
    "Refusal",
    "Restore",
    "RowChange",
    "RowVersion",
    "SKIP",
    "Saga",
    "Sagas",
    "Sessions",
    "Sites",
    "StateChange",
    "UndoPlan",
    "UndoStep",
    "VerificationReport",
    "import_journal",
    "restore",
    "system_clock",
    "without_password",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("muniment")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
