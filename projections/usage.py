"""What a journal's state weighs: how many entries of each kind there are, and how many bytes they take (telltale 5).

All of it is measured from what is stored, in one statement for each table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..domain.session import SessionStatus
from .bundles import BundlesProjection
from .conversations import ConversationsProjection
from .delegations import DelegationsProjection
from .footprints import FootprintsProjection
from .inboxes import INBOX
from .owners import OwnersProjection
from .protocols import EDGES, OTHER_EDGES, PLANS, PROTOCOLS, TREES, TYPES
from .sessions import ARCHIVE, ROLES, SESSIONS
from .store import TemporalStore
from .temporal import TemporalTable
from .witnesses import WitnessesProjection


class UsageKind(StrEnum):
    """What stored bytes are counted under. The first seven are those of the reference."""

    SESSIONS = "sessions"
    ARCHIVE = "archive"
    LOCAL_TYPES = "local_types"
    BUFFERS = "buffers"
    TRACES = "traces"
    EDGE_TREES = "edge_trees"
    HANDLERS = "handlers"
    OWNERSHIP = "ownership"
    BUNDLES = "bundles"
    CONVERSATIONS = "conversations"
    OTHER = "other"
    HISTORY = "history"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Usage:
    """What there is, and what it weighs, as of one position.

    Bytes are those of the values that are stored: text in UTF-8, numbers as text. What the engine adds for pages,
    indexes and rows is not in them.

    Attributes:
        position: as of which position.
        live_sessions: how many sessions are not put away.
        finished_sessions: how many of those have finished.
        archived_sessions: how many incarnations are put away.
        local_types: how many roles have a local type; among the entries of the kind are the plans, too.
        edges: how many edges there are.
        buffered_envelopes: how many envelopes are not acknowledged.
        edge_handlers: how many edges have a handler of their own.
        edge_traces: how many edges have a trace.
        edge_leaves: how many envelopes the trees of the edges prove.
        edge_trees: how many edges have a tree, and so a root.
        entries: how many rows and events there are, by kind.
        stored_bytes: how many bytes they take, by kind.
    """

    position: int
    live_sessions: int
    finished_sessions: int
    archived_sessions: int
    local_types: int
    edges: int
    buffered_envelopes: int
    edge_handlers: int
    edge_traces: int
    edge_leaves: int
    edge_trees: int
    entries: Mapping[UsageKind, int]
    stored_bytes: Mapping[UsageKind, int]

    @property
    def total_entries(self) -> int:
        """How many rows and events there are."""
        return sum(self.entries.values())

    @property
    def total_bytes(self) -> int:
        """How many bytes they take."""
        return sum(self.stored_bytes.values())


@dataclass(frozen=True, slots=True)
class Weight:
    """What a table weighs at one position.

    Attributes:
        rows: how many rows hold.
        column_bytes: how many bytes their values take, by column.
        present: in how many of them a column that may say nothing says something, by column.
        sums: what was asked for beyond that.
        past_rows: how many rows have ended.
        past_bytes: how many bytes those take.
    """

    rows: int
    column_bytes: Mapping[str, int]
    present: Mapping[str, int]
    sums: tuple[int, ...]
    past_rows: int
    past_bytes: int


_OF_TABLE: Final[Mapping[TemporalTable, UsageKind]] = {
    SESSIONS: UsageKind.SESSIONS,
    ROLES: UsageKind.SESSIONS,
    ARCHIVE: UsageKind.ARCHIVE,
    INBOX: UsageKind.BUFFERS,
    TYPES: UsageKind.LOCAL_TYPES,
    PLANS: UsageKind.LOCAL_TYPES,
    PROTOCOLS: UsageKind.SESSIONS,
    OTHER_EDGES: UsageKind.SESSIONS,
    EDGES: UsageKind.BUFFERS,
    TREES: UsageKind.EDGE_TREES,
    **{
        table: kind
        for kind, projections in {
            UsageKind.OWNERSHIP: (OwnersProjection, WitnessesProjection, FootprintsProjection, DelegationsProjection),
            UsageKind.BUNDLES: (BundlesProjection,),
            UsageKind.CONVERSATIONS: (ConversationsProjection,),
        }.items()
        for projection in projections
        for table in projection.tables
    },
}
"""What the rows of a table are counted under; those of others under ``other``."""

_OF_COLUMN: Final[Mapping[tuple[TemporalTable, str], UsageKind]] = {
    (PROTOCOLS, "default_handler"): UsageKind.HANDLERS,
    (EDGES, "handler"): UsageKind.HANDLERS,
    (EDGES, "trace"): UsageKind.TRACES,
}
"""What the values of a column are counted under, where that is not what its table is."""

_FINISHED: Final = ", ".join(f"'{status.value}'" for status in SessionStatus if status.is_finished)
_SUMS: Final[Mapping[TemporalTable, tuple[str, ...]]] = {
    SESSIONS: (f"CASE WHEN status IN ({_FINISHED}) THEN 1 ELSE 0 END",),
    TREES: ("leaves",),
}


def measure(store: TemporalStore, position: int, events: tuple[int, int]) -> Usage:
    """Measure every table, as of a position that it was caught up to.

    Args:
        store: the tables.
        position: the position.
        events: how many events there are up to there, and how many bytes they take.
    """
    weights = {table: weigh(store, table, position) for table in store.tables}
    entries, sizes = Counter(dict.fromkeys(UsageKind, 0)), Counter(dict.fromkeys(UsageKind, 0))
    for table, weight in weights.items():
        kind = _OF_TABLE.get(table, UsageKind.OTHER)
        entries[kind] += weight.rows
        entries[UsageKind.HISTORY] += weight.past_rows
        sizes[UsageKind.HISTORY] += weight.past_bytes
        for column, size in weight.column_bytes.items():
            sizes[_OF_COLUMN.get((table, column), kind)] += size
    for (table, column), kind in _OF_COLUMN.items():
        entries[kind] += weights[table].present[column]
    entries[UsageKind.EVENTS], sizes[UsageKind.EVENTS] = events
    edges = weights[EDGES]
    return Usage(
        position=position,
        live_sessions=weights[SESSIONS].rows,
        finished_sessions=weights[SESSIONS].sums[0],
        archived_sessions=weights[ARCHIVE].rows,
        local_types=weights[TYPES].rows,
        edges=edges.rows,
        buffered_envelopes=weights[INBOX].rows,
        edge_handlers=edges.present["handler"],
        edge_traces=edges.present["trace"],
        edge_leaves=weights[TREES].sums[0],
        edge_trees=weights[TREES].rows,
        entries=dict(entries),
        stored_bytes=dict(sizes),
    )


def weigh(store: TemporalStore, table: TemporalTable, position: int) -> Weight:
    """Measure one table, in one statement."""
    columns, nullable = [*table.key, *table.columns, "since"], sorted(table.nullable)
    now, past = store.totals(table, position, columns, nullable, _SUMS.get(table, ()))
    ends = 1 + len(columns)
    return Weight(
        rows=now[0],
        column_bytes=dict(zip(columns, now[1:ends], strict=True)),
        present=dict(zip(nullable, now[ends : ends + len(nullable)], strict=True)),
        sums=tuple(now[ends + len(nullable) :]),
        past_rows=past[0],
        past_bytes=sum(past[1:ends]),
    )
