"""A journal from before sessions had terms, endings and inboxes: it verifies, goes on, and keeps its past."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from muniment.domain import ConfigChanges, ConversationConfig, Envelope, ProposalRequest, conversation
from muniment.domain.conversation import ConfigSynced, ConversationState, Role
from muniment.domain.event import accept
from muniment.journal import Journal
from muniment.journal.storage.identity_table import FORMAT

from ..domain.conversation_facts import ADD

DATA = Path(__file__).parent.parent / "data"
HEAD = 42
"""The last position."""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Reopenings, a death with a staged transfer, delegations, a hand-over, undone openings, a failed saga."""
    path = tmp_path / "older.db"
    path.write_bytes(gzip.decompress((DATA / "journal-of-format-2.db.gz").read_bytes()))
    return path


def test_it_is_read_without_a_change(older: Path) -> None:
    before = older.read_bytes()
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        assert journal.identity.formats == ((2, 0),)
        assert journal.head() == HEAD
        report = journal.verify()
        assert (report.findings, report.notes) == ((), ())
        row = journal.sessions["s-1"]
        assert (row.status, row.incarnation, row.roles, row.started_at) == ("active", 2, ("coordinator",), None)
        assert journal.sessions.timed_out(2**40) == []
    assert older.read_bytes() == before


def test_it_goes_on_in_the_new_format(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        assert journal.identity.formats == ((2, 0), (FORMAT, HEAD))
        # A role may have been named twice then.
        first = journal.record(1).event
        assert first.roles == ("coordinator", "worker", "worker")  # type: ignore[attr-defined]
        journal.inbox.put("s-1", Envelope("B", "A", "c", "hello"))
        journal.sessions.end("s-1", reason="over")
        ending = journal.sessions.state("s-1").ending
        assert ending is not None
        # When it was opened, nobody wrote down.
        assert (ending.duration_ms, ending.lost_envelopes) == (None, 1)
        journal.sessions.open("s-2")
        # How it ended, in numbers, nobody wrote down either.
        summary = journal.archive["s-2", 1]
        assert (summary.ending, summary.last_owner, str(summary.reason)) == (
            None,
            "dave",
            "ownership owner `dave` died",
        )
        put_away = journal.sessions.reap()
        assert ("s-1", 2) in put_away
        assert ("s-9", 1) in put_away
        # What an older opening did can still be undone.
        journal.revert("session-s-7@1")
        # Its owner holds one fragment, and cannot close it.
        journal.sessions.end("s-4")
        assert journal.verify().findings == ()
        assert journal.replay().differences == {}


def test_a_time_out_is_counted_from_when_it_is_said(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        journal.sessions.set_timeout("s-1", 10, now=2_000_000_000_000)
        assert journal.sessions["s-1"].due_at == 2_000_000_000_010
        journal.sessions.set_timeout("s-1", 20, now=2_000_000_000_015)
        assert journal.sessions.timed_out(2_000_000_000_020) == []
        assert journal.sessions.timed_out(2_000_000_000_021) == ["s-1"]
        assert journal.verify().findings == ()


def test_an_idempotency_key_of_then_is_answered_as_then(older: Path) -> None:
    with Journal.open(f"sqlite:///{older}") as journal:
        head = journal.head()
        with journal.context(idempotency_key="k-1"):
            journal.sessions.open("s-7")
        assert journal.head() == head


def test_its_copies_and_exports_say_since_when(older: Path, tmp_path: Path) -> None:
    with Journal.open(f"sqlite:///{older}", read_only=True) as journal:
        journal.backup(tmp_path / "copy.db")
        lines = list(journal.export())
    with Journal.open(f"sqlite:///{tmp_path}/copy.db") as copy, Journal.open("memory://") as imported:
        imported.import_export(lines)
        for each in (copy, imported):
            assert each.identity.formats == ((2, 0), (FORMAT, HEAD))
            assert each.verify().findings == ()


def say_format(path: Path, form: int) -> None:
    """Have a file say that all of it was written in a format."""
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name='journal' AND type='trigger'")
        kept = triggers.fetchall()
        for name, _ in kept:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE journal SET value=? WHERE kind='format'", [str(form)])
        for _, sql in kept:
            connection.execute(sql)
        connection.execute(f"PRAGMA user_version={form}")


@pytest.mark.parametrize("form", [1, 2, FORMAT])
def test_a_synchronisation_of_then_is_judged_by_the_rules_of_then(tmp_path: Path, form: int) -> None:
    path = tmp_path / "synced.db"
    synced = ConfigSynced("c", 1, 9, ConfigChanges(freeze_ms=7))
    with Journal.open(f"sqlite:///{path}") as journal:
        journal.conversations.create("c", "alice", now=0)
        journal.execute("conversation-c", lambda state: accept(synced))
    say_format(path, form)
    with Journal.open(f"sqlite:///{path}", read_only=True) as journal:
        report = journal.verify()
        told = [each.problem for each in (report.findings, report.notes)[form < FORMAT]]
        assert len(report.findings + report.notes) == 1
        assert "a command appends nothing here" in told[0]
        assert journal.conversations.state("c").config.freeze_ms == 7


CONFIG = ConversationConfig()
LEAVES = ProposalRequest.remove_member("bob")
OF_THEN: dict[str, list[tuple[Callable[..., Any], Any]]] = {
    "five were to vote, and the sixth vote decided": [
        (conversation.open_conversation, (Role.CREATOR, "alice", CONFIG)),
        (conversation.receive_proposal, (1, ADD, "bob", 5, None, None)),
        *[(conversation.receive_vote, (1, f"m-{number}", number > 2)) for number in range(1, 6)],
        (conversation.receive_vote, (1, "m-6", True)),
    ],
    "another's vote decided that a peer leaves": [
        (conversation.open_conversation, (Role.CREATOR, "alice", CONFIG)),
        (conversation.receive_proposal, (2, LEAVES, "bob", 1, None, None)),
        (conversation.receive_vote, (2, "mallory", True)),
    ],
    "where peers time out, one who left did not": [
        (conversation.open_conversation, (Role.CREATOR, "alice", ConversationConfig(peers_time_out=True))),
        (conversation.receive_proposal, (2, LEAVES, "bob", 1, None, None)),
    ],
    "a commit removed this member, and the conversation stayed open": [
        (conversation.open_conversation, (Role.CREATOR, "alice", CONFIG)),
        (conversation.leave, ()),
        (conversation.commit_applied, ("h-1", "bob", frozenset({"bob"}), ())),
        (conversation.receive_proposal, (2, ADD, "bob", 3, None, None)),
        (conversation.remove, ()),
    ],
    "who was not let in yet left as any member": [
        (conversation.open_conversation, (Role.JOINER, "alice", CONFIG)),
        (conversation.remove, ()),
    ],
    "who had asked to leave was removed like any other": [
        (conversation.open_conversation, (Role.CREATOR, "alice", CONFIG)),
        (conversation.leave, ()),
        (conversation.removed_by_commit, ("h-1", "bob", ())),
    ],
}


@pytest.mark.parametrize("form", [2, FORMAT])
@pytest.mark.parametrize("story", OF_THEN)
def test_a_conversation_of_then_is_judged_by_the_rules_of_then(story: str, form: int, tmp_path: Path) -> None:
    path = tmp_path / "talked.db"

    def decided_then(state: ConversationState, command: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        then = state.copy()
        then.is_older = True
        return command(then, *arguments, 0)

    with Journal.open(f"sqlite:///{path}") as journal:
        for command, arguments in OF_THEN[story]:
            journal.execute("conversation-c", partial(decided_then, command=command, arguments=arguments))
    say_format(path, form)
    with Journal.open(f"sqlite:///{path}", read_only=True) as journal:
        report = journal.verify()
        if form < FORMAT:
            assert report.findings == ()
            assert report.notes
            assert all("only the rules of then permit this" in each.problem for each in report.notes)
        else:
            assert {each.layer for each in report.findings} == {"decision"}
