"""Where events are written, and the public face of Muniment."""

from .async_bundles import AsyncBundles
from .async_conversations import AsyncConversations
from .async_journal import AsyncJournal
from .async_saga import AsyncSaga, AsyncSagas
from .async_sessions import AsyncSessions
from .bundles import BundleCommands, Bundles
from .cloudevents import MAX_LINE_BYTES
from .conversation_commands import ConversationCommands
from .conversations import Conversations
from .execution import Clock
from .follow import Following
from .identity import FormatSince, Identity, Restore
from .journal import Journal
from .planning import StateChange, UndoPlan, UndoStep
from .projecting import Projecting, ProjectionHealth
from .proposal_commands import ProposalCommands
from .restoring import import_journal, restore
from .sagas import Saga, Sagas
from .sessions import Sessions
from .sqlite_log import LogHealth
from .storage import without_password
from .tables import Projections
from .times import system_clock
from .verification import Finding, VerificationReport

__all__ = [
    "AsyncBundles",
    "AsyncConversations",
    "AsyncJournal",
    "AsyncSaga",
    "AsyncSagas",
    "AsyncSessions",
    "BundleCommands",
    "Bundles",
    "Clock",
    "ConversationCommands",
    "Conversations",
    "Finding",
    "Following",
    "FormatSince",
    "Identity",
    "Journal",
    "LogHealth",
    "MAX_LINE_BYTES",
    "Projecting",
    "ProjectionHealth",
    "Projections",
    "ProposalCommands",
    "Restore",
    "Saga",
    "Sagas",
    "Sessions",
    "StateChange",
    "UndoPlan",
    "UndoStep",
    "VerificationReport",
    "import_journal",
    "restore",
    "system_clock",
    "without_password",
]
