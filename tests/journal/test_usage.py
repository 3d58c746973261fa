"""What a journal holds and weighs: counted by hand, it is the same (telltale 5, 8.2)."""

from __future__ import annotations

import pytest
from muniment.domain import Envelope, Fragments
from muniment.journal import Journal
from muniment.projections import Usage, UsageKind

from .stories import EDGE, OFFER, PLAN


def by_hand(journal: Journal) -> dict[UsageKind, int]:
    """How many rows hold, and how many events there are, counted in other ways."""
    return {
        UsageKind.ARCHIVE: len(journal.archive),
        UsageKind.LOCAL_TYPES: len(journal.types) + len({session_id for session_id, _ in journal.types}),
        UsageKind.BUFFERS: len(journal.inbox) + len(journal.edges),
        UsageKind.TRACES: sum(bool(row.trace) for row in journal.edges.values()),
        UsageKind.EDGE_TREES: sum(row.queued > 0 for row in journal.edges.values()),
        UsageKind.EVENTS: sum(1 for _ in journal.read()),
    }


def require_counts(journal: Journal) -> Usage:
    usage = journal.usage()
    assert {kind: usage.entries[kind] for kind in by_hand(journal)} == by_hand(journal)
    assert usage.position == journal.head()
    assert usage.live_sessions == len(journal.sessions)
    assert usage.finished_sessions == sum(row.status.is_finished for row in journal.sessions.values())
    assert usage.edge_leaves == sum(row.queued for row in journal.edges.values())
    assert usage.edge_handlers == sum(row.has_own_handler for row in journal.edges.values())
    assert usage.buffered_envelopes == len(journal.inbox)
    assert (usage.edges, usage.local_types) == (len(journal.edges), len(journal.types))
    assert usage.total_bytes == sum(usage.stored_bytes.values())
    assert usage.total_entries == sum(usage.entries.values())
    for kind in UsageKind:
        # A kind weighs something if, and only if, there is something of it; types weigh by their plan too.
        assert (usage.stored_bytes[kind] > 0) == (usage.entries[kind] > 0), kind
    return usage


def test_a_session_from_its_opening_to_the_archive(url: str) -> None:
    with Journal.open(url) as journal:
        empty = require_counts(journal)
        assert (empty.total_entries, empty.total_bytes) == (0, 0)
        journal.sessions.open("s-1", plan=PLAN)
        opened = require_counts(journal)
        assert (opened.live_sessions, opened.finished_sessions) == (1, 0)
        assert opened.stored_bytes[UsageKind.SESSIONS] > 0
        assert opened.stored_bytes[UsageKind.BUFFERS] > 0
        held = journal.sessions.claim("s-1", "alice")
        journal.inbox.put("s-1", OFFER, capability=held)
        journal.sessions.set_edge_trace(held, EDGE, ["price"])
        journal.sessions.set_edge_handler(held, EDGE, "mine")
        full = require_counts(journal)
        assert (full.edge_traces, full.edge_handlers, full.edge_leaves, full.edge_trees) == (1, 1, 1, 1)
        journal.sessions.close(held)
        closed = require_counts(journal)
        assert (closed.live_sessions, closed.finished_sessions, closed.edge_traces) == (1, 1, 0)
        assert closed.buffered_envelopes == 0
        assert closed.local_types == 2
        journal.sessions.reap()
        reaped = require_counts(journal)
        assert (reaped.live_sessions, reaped.finished_sessions, reaped.archived_sessions) == (0, 0, 1)
        gone = (UsageKind.SESSIONS, UsageKind.LOCAL_TYPES, UsageKind.BUFFERS, UsageKind.TRACES, UsageKind.EDGE_TREES)
        assert [reaped.stored_bytes[kind] for kind in (*gone, UsageKind.HANDLERS)] == [0] * 6
        assert reaped.stored_bytes[UsageKind.ARCHIVE] > 0
        # What holds takes less than before; what held is history.
        now = {kind: reaped.stored_bytes[kind] for kind in UsageKind if kind not in ("history", "events")}
        before = {kind: closed.stored_bytes[kind] for kind in UsageKind if kind not in ("history", "events")}
        assert sum(now.values()) < sum(before.values())
        assert reaped.stored_bytes[UsageKind.HISTORY] > closed.stored_bytes[UsageKind.HISTORY]


def test_every_engine_measures_the_same(url: str) -> None:
    """Bytes are those of the values, of which every engine stores the same."""

    def story(place: str) -> Usage:
        clock = iter(range(10_000))
        with Journal.open(place, clock=lambda: 1_700_000_000_000 + next(clock)) as journal:
            journal.sessions.open("s-ä", ["worker"])
            held = journal.sessions.claim("s-ä", "älice", Fragments({"a", "b"}))
            journal.inbox.put("s-ä", Envelope("B", "A", "c", {"ü": 1}))
            journal.sessions.release(held)
            journal.sessions.host("s-ä", "A")
            return require_counts(journal)

    assert story(url) == story("memory://")


def test_bytes_are_those_that_are_stored(url: str) -> None:
    with Journal.open(url) as journal:
        before = journal.usage()
        journal.sites.crashed("x" * 100)
        grown = journal.usage()
        assert grown.stored_bytes[UsageKind.EVENTS] - before.stored_bytes[UsageKind.EVENTS] > 200
        assert grown.entries[UsageKind.EVENTS] == 1


@pytest.mark.parametrize("count", [0, 3])
def test_a_journal_that_is_only_read_is_measured_too(shared_url: str, count: int) -> None:
    with Journal.open(shared_url) as journal:
        for number in range(count):
            journal.sessions.open(f"s-{number}")
        there = journal.usage()
    with Journal.open(shared_url, read_only=True) as reader:
        assert reader.usage().entries[UsageKind.SESSIONS] == there.entries[UsageKind.SESSIONS] == count
