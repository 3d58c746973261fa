"""What every storage engine must keep to, as tests. A class that inherits them says where its journals are.

For example::

    class TestMyEngine(JournalContract):
        @pytest.fixture
        def url(self, tmp_path):
            return f"myengine:///{tmp_path}/journal"

Its distribution says in the entry points ``muniment.engines`` which package is the engine for ``myengine``. That has
a module ``address``, with ``parse(url)``, and a module ``storage``, with ``open_storage``; see ``journal/sqlite``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from ...domain import ConversationConfig, JournalNotEmpty, ProposalRequest, StaleCapability, UnknownPosition
from ..journal import Journal


class JournalContract:
    """Tests of a storage engine. Each gets the URL of an empty place from the fixture ``url``."""

    THREADS = 4
    COMMANDS = 25

    @pytest.fixture
    def url(self) -> str:
        """Where an empty journal can be made; a subclass says it."""
        raise NotImplementedError("say where an empty journal can be made")

    @pytest.fixture
    def journal(self, url: str) -> Iterator[Journal]:
        """An open journal."""
        with Journal.open(url) as journal:
            yield journal

    def test_positions_have_no_gaps_and_versions_count_in_each_stream(self, journal: Journal) -> None:
        """Positions count from 1 over all streams, versions from 1 in each."""
        for name in ("a", "b"):
            journal.sessions.open(name)
            journal.sessions.claim(name, "alice")
        records = list(journal.read())
        assert [record.position for record in records] == [1, 2, 3, 4]
        assert [record.id for record in records] == ["session-a@1", "session-a@2", "session-b@1", "session-b@2"]
        assert [record.position for record in journal.read(2)] == [3, 4]
        assert [record.version for record in journal.read_stream("session-a")] == [1, 2]

    def test_what_was_acknowledged_is_there_again(self, url: str) -> None:
        """What was appended is read the same after the journal was closed. Set it to None for a journal in memory."""
        with Journal.open(url) as journal:
            journal.sessions.open("s", roles=["a", "b"])
            held = journal.sessions.claim("s", "alice")
            before = list(journal.read())
        with Journal.open(url) as journal:
            assert list(journal.read()) == before
            journal.sessions.check(held)
            assert journal.owners["s"].owner == "alice"

    def test_writers_of_one_stream_do_not_lose_each_others_events(self, journal: Journal) -> None:
        """Threads that write one stream, and others, are acknowledged for exactly what is there."""
        journal.sessions.open("shared")
        errors: list[BaseException] = []

        def write(number: int) -> None:
            try:
                for count in range(self.COMMANDS):
                    journal.sessions.open(f"{number}-{count}")
                    with suppress(StaleCapability):
                        state = journal.sessions.state("shared")
                        if state.capability is None:
                            journal.sessions.claim("shared", f"owner-{number}")
                        else:
                            journal.sessions.transfer(state.capability, f"owner-{number}")
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(self.THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [error for error in errors if type(error).__name__ != "AlreadyClaimed"] == []
        versions = [record.version for record in journal.read_stream("session-shared")]
        assert versions == list(range(1, len(versions) + 1))
        assert journal.verify().findings == ()

    def test_the_past_is_read_as_it_was(self, journal: Journal) -> None:
        """Tables as of every position say what they said then, also after a rebuild."""
        journal.sessions.open("s")
        held = journal.sessions.claim("s", "alice")
        told = {}
        for owner in ("bob", "carol", "dave"):
            held = journal.sessions.transfer(held, owner)
            told[journal.head()] = dict(journal.owners)
        for _ in range(2):
            for position, owners in told.items():
                assert dict(journal.at(position=position).owners) == owners
            assert journal.replay().differences == {}
        with pytest.raises(UnknownPosition):
            journal.at(position=journal.head() + 1)

    def test_undoing_appends(self, journal: Journal) -> None:
        """A rollback restores who owned the session, under a new generation, and removes nothing."""
        journal.sessions.open("s")
        first = journal.sessions.claim("s", "alice")
        journal.sessions.transfer(first, "bob")
        before = list(journal.read())
        journal.rollback("session-s", 2)
        live = journal.sessions.state("s").capability
        assert live is not None
        assert (live.owner, live.generation) == ("alice", 3)
        assert list(journal.read())[: len(before)] == before

    def test_time_that_passes_is_on_record_once(self, journal: Journal) -> None:
        """A tick does what is due, and a second one nothing."""
        team = journal.conversations
        team.create("c", "me", ConversationConfig(voting_delay_ms=1_000), now=0)
        team.receive_proposal("c", 1, ProposalRequest.add_member("x"), creator="you", voters=3, vote=True, now=0)
        assert team.next_wakeup(now=0) == 1_000
        assert team.tick(999) == {}
        assert "c" in team.tick(1_000)
        assert team.tick(1_000) == {}

    def test_a_repeat_under_a_key_appends_nothing(self, journal: Journal) -> None:
        """A command that comes again under its key is answered as it was."""
        journal.sessions.open("s")
        with journal.context(idempotency_key="k"):
            held = journal.sessions.claim("s", "alice")
            head = journal.head()
            assert journal.sessions.claim("s", "alice") == held
        assert journal.head() == head

    def test_an_export_makes_the_same_journal(self, journal: Journal) -> None:
        """An import takes over every event, and is refused by a journal that has any."""
        journal.sessions.open("s")
        journal.sessions.claim("s", "alice")
        lines = list(journal.export())
        with Journal.open("memory://") as copy:
            assert copy.import_export(lines) == 2
            assert list(copy.read()) == list(journal.read())
            with pytest.raises(JournalNotEmpty):
                copy.import_export(lines)

    def test_who_follows_is_told_in_order(self, journal: Journal) -> None:
        """A follower gets what is there, and then what comes."""
        journal.sessions.open("s-0")
        with journal.follow() as following:
            assert next(following).id == "session-s-0@1"
            for number in range(1, 4):
                journal.sessions.open(f"s-{number}")
            assert [next(following).position for _ in range(3)] == [2, 3, 4]
