"""Branches: what would happen, or would have happened, tried in memory; the journal itself is none the wiser."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import (
    AlreadyClaimed,
    ComposedBundle,
    Envelope,
    IdempotencyConflict,
    InvalidArgument,
    JournalClosed,
    JournalForked,
    LaterEventDepends,
    MunimentError,
    NotInBranch,
    OtherPast,
    StaleCapability,
    UnknownEvent,
    UnknownPosition,
    UnknownTable,
)
from muniment.journal import Journal
from muniment.journal.branch.events import BranchRecorder
from muniment.journal.branch.tables import BranchTables
from muniment.journal.storage.recording import PositionedRecorder
from muniment.projections import TemporalStore

from ..command_sequences import OPS, Command
from ..conftest import Clock
from ..conversation_sequences import COMMANDS as CONVERSATION_COMMANDS, begin, give
from ..drawing import drawn
from ..undo_sequences import MORE_OPS, UNDO_COMMANDS, UndoGiver
from .branching import records_of, require_same_answers, tables_of, twin_of
from .damage import edit
from .stories import EDGE, OFFER, PLAN, live


@given(
    before=UNDO_COMMANDS,
    after=st.lists(
        st.builds(
            Command,
            op=st.sampled_from([*OPS, *MORE_OPS]),
            session=st.sampled_from([0, 0, 1]),
            owner=st.integers(0, 2),
            scope=st.sampled_from([0, 0, 2, 1]),
            pick=st.sampled_from([0, 0, 1, 2, 3, 5, 8]),
            forgery=st.none(),
        ),
        min_size=3,
        max_size=15,
    ),
    share=st.floats(0, 1),
)
@settings(max_examples=drawn(15))
def test_a_branch_is_the_journal_that_its_commands_would_have_made(
    before: list[Command], after: list[Command], share: float
) -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        giver = UndoGiver(journal)
        for command in before:
            giver.give_any(command)
        position = round(share * journal.head())
        compare_with_twin(journal, position, clock, giver, after)


@pytest.mark.parametrize("seed", range(3))
def test_a_branch_is_the_same_on_every_engine(journal: Journal, clock: Clock, seed: int) -> None:
    drawn = random.Random(seed)
    giver = UndoGiver(journal)
    for op in ("open", "host", "claim", "register", "seed"):
        giver.give_any(Command(op, 0, 0, 0, 0, None))
    for command in commands(drawn, 40):
        giver.give_any(command)
    compare_with_twin(journal, drawn.randint(0, journal.head()), clock, giver, commands(drawn, 15))


def commands(drawn: random.Random, count: int) -> list[Command]:
    ops = [*OPS, *MORE_OPS]
    return [
        Command(drawn.choice(ops), drawn.choice([0, 0, 1]), drawn.randint(0, 2), drawn.choice([0, 0, 2, 1]), pick, None)
        for pick in drawn.choices([0, 0, 1, 2, 3, 5, 8], k=count)
    ]


def compare_with_twin(journal: Journal, position: int, clock: Clock, giver: UndoGiver, after: list[Command]) -> None:
    unchanged = list(journal.export()), tables_of(journal)
    with journal.what_if(position) as branch, twin_of(journal, position, clock) as twin:
        givers = [UndoGiver(each, list(giver.artifacts), giver.upgrades) for each in (branch, twin)]
        for command in after:
            clock.now += 1
            accepted = [each.give_any(command) for each in givers]
            assert accepted[0] == accepted[1]
        require_same_answers(branch, twin)
        assert branch.verify().findings == twin.verify().findings == ()
    assert (list(journal.export()), tables_of(journal)) == unchanged


@given(before=CONVERSATION_COMMANDS, after=CONVERSATION_COMMANDS, share=st.floats(0, 1), switches=st.integers(0, 15))
@settings(max_examples=drawn(8))
def test_a_conversation_goes_on_in_a_branch_as_it_would(
    before: list[Any], after: list[Any], share: float, switches: int
) -> None:
    clock = Clock(0)
    with Journal.open("memory://", clock=clock) as journal:
        begin(journal, switches)
        for command in before:
            clock.now = max(0, clock.now + command.passed)
            give(journal, command, clock.now)
        position = round(share * journal.head())
        unchanged = list(journal.export())
        with journal.what_if(position) as branch, twin_of(journal, position, clock) as twin:
            for command in after[:15]:
                clock.now = max(0, clock.now + command.passed)
                refused = [type(give(each, command, clock.now)) for each in (branch, twin)]
                assert refused[0] is refused[1]
                assert branch.next_wakeup(clock.now) == twin.next_wakeup(clock.now)
            assert branch.tick(clock.now + 100) == twin.tick(clock.now + 100)
            require_same_answers(branch, twin)
        assert list(journal.export()) == unchanged


LIFE: tuple[Callable[[Journal], Any], ...] = (
    lambda journal: journal.sessions.open("s-1", plan=PLAN, timeout_ms=50),
    lambda journal: journal.sessions.claim("s-1", "alice"),
    lambda journal: journal.sessions.host("s-1", "A"),
    lambda journal: journal.sites.time_out("A", 20, 1, 1),
    lambda journal: journal.inbox.put("s-1", Envelope("B", "A", "c", b"one")),
    lambda journal: journal.inbox.put("s-1", OFFER, capability=live(journal)),
    lambda journal: journal.inbox.put("s-1", Envelope("B", "A", "c", b"two", name="two")),
    lambda journal: journal.sessions.open("s-2", timeout_ms=20),
    lambda journal: journal.sites.time_out("B", 5, 1, 2),
    lambda journal: journal.inbox.take(live(journal)),
    lambda journal: journal.sessions.set_default_handler(live(journal), "logger"),
    lambda journal: journal.sessions.set_edge_trace(live(journal), EDGE, ["seen"]),
    lambda journal: journal.conversations.join("c", "alice"),
    lambda journal: journal.inbox.acknowledge(live(journal), 1),
    lambda journal: journal.inbox.put("s-1", Envelope("B", "A", "c", b"two", name="two")),
    lambda journal: journal.inbox.put("s-1", Envelope("B", "A", "c", b"three")),
    lambda journal: journal.sites.tick(4),
    lambda journal: journal.conversations.joined("c", 5, ["alice", "bob", "carol"]),
    lambda journal: journal.conversations.install_stewards("c", ["bob", "carol"]),
    lambda journal: journal.sessions.timed_out(),
    lambda journal: journal.tick(),
    lambda journal: journal.next_wakeup(),
    lambda journal: journal.inbox.take(live(journal)),
    lambda journal: journal.revert(journal.head()),
    lambda journal: journal.sites.tick(9),
    lambda journal: journal.sites.crashed("A"),
    lambda journal: journal.sessions.fault("s-2", "it broke"),
    lambda journal: journal.sessions.cancel("s-1", "no more"),
    lambda journal: journal.sessions.open("s-1"),
    lambda journal: journal.sessions.reap(),
)
"""What a runtime does, one after the other; some of it is refused."""


@pytest.mark.parametrize("begins_after", [0, 6, 12, 20, 29])
def test_a_runtime_goes_on_in_a_branch_as_it_would(journal: Journal, clock: Clock, begins_after: int) -> None:
    for act in LIFE[:begins_after]:
        done(act, journal, clock)
    position = journal.head()
    with journal.what_if() as branch, twin_of(journal, position, clock) as twin:
        now = clock.now
        for act in LIFE[begins_after:]:
            done(act, journal, clock)
        clock.now = now
        for act in LIFE[begins_after:]:
            expected = done(act, twin, clock)
            clock.now -= 10
            assert done(act, branch, clock) == expected
        require_same_answers(branch, twin)
        assert records_of(branch) == records_of(journal)
        assert tables_of(branch) == tables_of(journal)
        assert branch.verify().findings == ()


def done(act: Callable[[Journal], Any], journal: Journal, clock: Clock) -> Any:
    """What came of it 10 ms later, or the kind of the error that refused it."""
    clock.now += 10
    try:
        return act(journal)
    except MunimentError as error:
        return type(error)


@pytest.fixture
def story(journal: Journal) -> Journal:
    """A session that alice claims, hands to bob, and who hands it to carol."""
    journal.sessions.open("s")
    held = journal.sessions.claim("s", "alice")
    held = journal.sessions.transfer(held, "bob")
    journal.sessions.transfer(held, "carol")
    return journal


def owner(journal: Journal) -> str | None:
    row = journal.owners.get("s")
    return None if row is None else row.owner


def test_it_begins_now_or_at_a_position(story: Journal) -> None:
    with story.what_if() as now, story.what_if(2) as early, story.what_if(0) as empty:
        assert (now.base.position, early.base.position, empty.base.position) == (4, 2, 0)
        assert [each.head() for each in (now, early, empty)] == [4, 2, 0]
        assert [owner(each) for each in (now, early, empty)] == ["carol", "alice", None]
        assert records_of(early) == records_of(story)[:2]


def test_what_is_done_in_it_stays_in_it(story: Journal) -> None:
    unchanged = list(story.export()), tables_of(story), story.identity
    with story.what_if(3) as branch:
        held = branch.sessions.state("s").capability
        assert held is not None
        branch.sessions.transfer(held, "dave")
        branch.sessions.open("other")
        branch.inbox.put("other", Envelope("B", "A", "c", b"hello"))
        branch.bundles.register(ComposedBundle("chat", ("p",)))
        branch.conversations.join("c", "alice")
        branch.rollback("session-s", 1)
        branch.mark_restored()
        assert owner(branch) is None
    assert (list(story.export()), tables_of(story), story.identity) == unchanged


def test_what_the_journal_does_meanwhile_is_not_seen_in_it(story: Journal) -> None:
    with story.what_if() as branch:
        held = story.sessions.state("s").capability
        assert held is not None
        story.sessions.release(held)
        story.sessions.open("late")
        story.catch_up()
        assert owner(story) is None
        assert owner(branch) == "carol"
        assert "late" not in branch.sessions
        assert branch.head() == 4
        branch.sessions.open("late")
        assert branch.record(5).stream == "session-late"
        assert story.record(5).stream == "session-s"
        assert [each.id for each in branch.read_stream("session-s")] == [f"session-s@{n}" for n in range(1, 5)]
        assert [row.since for row in branch.sessions.values()] == [5, 1]


def test_the_first_of_many_rows_are_found_also_where_those_before_them_are_over(journal: Journal) -> None:
    for number in range(6):
        journal.sessions.open(f"s-{number}", timeout_ms=10 + number)
    with journal.what_if() as branch:
        assert branch.next_wakeup() == 11
        for number in range(4):
            branch.sessions.cancel(f"s-{number}", "no more")
        assert branch.next_wakeup() == 15
        branch.sessions.open("s-6", timeout_ms=5)
        assert branch.next_wakeup() == 6
        assert branch.sessions.timed_out(1_015) == ["s-6", "s-4"]
    assert journal.next_wakeup() == 11


def test_streams_that_began_later_are_none_of_its(journal: Journal) -> None:
    for name in ("d", "b", "h"):
        journal.sessions.open(name)
    with journal.what_if() as branch:
        for name in ("a", "c", "e", "f"):
            journal.sessions.open(name)
        branch.sessions.open("g")
        found = branch.application.recorder.streams_from
        assert found("", 10) == ["session-b", "session-d", "session-g", "session-h"]
        assert found("session-c", 2) == ["session-d", "session-g"]
        assert found("session-e", 1) == ["session-g"]
        assert found("session-e", 2) == ["session-g", "session-h"]


NEEDS_NO_OTHER_WAY: Final[dict[type, set[str]]] = {
    PositionedRecorder: {"append", "fetch", "head", "insert_events", "insert_now", "pages", "require", "select_events"}
    | {"select_head", "subscribe"},
    TemporalStore: {"fetch", "index_names", "last_until", "positions", "table_names"},
}
"""What goes by way of the methods that a branch has of its own, or is about its own tables alone."""


@pytest.mark.parametrize(
    ("seam", "of_branch"),
    [(PositionedRecorder, BranchRecorder), (TemporalStore, BranchTables)],
    ids=["events", "tables"],
)
def test_a_branch_has_its_own_way_of_everything_that_is_read(seam: type, of_branch: type) -> None:
    methods = {name for name, each in vars(seam).items() if isinstance(each, property) or callable(each)}
    public = {name for name in methods if not name.startswith("_")}
    assert public - NEEDS_NO_OTHER_WAY[seam] == public & set(vars(of_branch))


def test_a_replay_of_the_journal_changes_nothing_in_it(story: Journal) -> None:
    with story.what_if(3) as branch:
        before = tables_of(branch)
        story.replay()
        assert tables_of(branch) == before


def test_two_branches_know_nothing_of_each_other(story: Journal) -> None:
    with story.what_if(1) as one, story.what_if(1) as other:
        one.sessions.claim("s", "dave")
        other.sessions.claim("s", "erin")
        assert (owner(one), owner(other), owner(story)) == ("dave", "erin", "carol")


def test_a_branch_has_branches(story: Journal) -> None:
    with story.what_if(3) as branch:
        branch.sessions.open("t")
        with branch.what_if() as twig, branch.what_if(2) as lower:
            twig.sessions.claim("t", "dave")
            twig.revert("session-s@3")
            assert owner(twig) == "alice"
            assert twig.owners["t"].owner == "dave"
            assert twig.verify().findings == ()
            assert owner(lower) == "alice"
            lower.sessions.open("u")
            assert lower.head() == 3
        assert owner(branch) == "bob"
        assert branch.owners["t"].owner is None


def test_what_happened_before_it_can_be_undone_in_it(story: Journal) -> None:
    with story.what_if() as branch:
        branch.revert("session-s@4")
        branch.revert(3)
        assert owner(branch) == "alice"
        assert branch.verify().findings == ()
    assert owner(story) == "carol"


def test_it_begins_without_an_event(story: Journal) -> None:
    with story.what_if(without="session-s@4") as branch:
        assert owner(branch) == "bob"
        assert branch.head() == 5
    with story.what_if(3, without=3) as branch:
        assert owner(branch) == "alice"


def test_what_keeps_an_event_from_being_left_out_is_named(story: Journal) -> None:
    with pytest.raises(LaterEventDepends) as caught:
        story.what_if(without="session-s@2")
    assert caught.value.event_id == "session-s@2"
    with pytest.raises(UnknownEvent):
        story.what_if(2, without="session-s@3")


def test_a_position_that_is_not_there_is_refused(story: Journal) -> None:
    with pytest.raises(UnknownPosition):
        story.what_if(5)


def test_stale_and_spent_artifacts_are_told_from_live_ones(story: Journal) -> None:
    held = story.record(3).event.outcome
    with story.what_if(3) as branch:
        branch.sessions.check(held)
    with story.what_if() as branch, pytest.raises(StaleCapability) as caught:
        branch.sessions.check(held)
    assert caught.value.lost is not None
    assert caught.value.lost.event_id == "session-s@4"


def test_versions_go_on_from_those_before_it(story: Journal) -> None:
    with story.what_if(2) as branch:
        branch.sessions.transfer(story.record(2).event.outcome, "dave")
        assert [each.id for each in branch.read_stream("session-s")] == ["session-s@1", "session-s@2", "session-s@3"]


def test_a_writer_who_comes_too_late_is_told_so_also_by_events_from_before_it(story: Journal) -> None:
    with story.what_if() as branch:
        record = story.record(2)
        stored = branch.application.mapper.to_stored_event(record)
        with pytest.raises(Exception, match="session-s@2 is recorded already"):
            branch.application.recorder.insert_events([stored])
        assert branch.head() == 4
        assert records_of(branch) == records_of(story)


def test_idempotency_keys_from_before_it_are_known(journal: Journal) -> None:
    journal.sessions.open("s")
    with journal.context(idempotency_key="k-1"):
        held = journal.sessions.claim("s", "alice")
    with journal.context(idempotency_key="k-2"):
        journal.sessions.transfer(held, "bob")
    with journal.what_if(2) as branch:
        with branch.context(idempotency_key="k-1"):
            assert branch.sessions.claim("s", "alice") == held
        with branch.context(idempotency_key="k-1"), pytest.raises(IdempotencyConflict):
            branch.sessions.claim("s", "dave")
        assert branch.outcome("k-2") is None
        with branch.context(idempotency_key="k-2", actor="eve"):
            branch.sessions.transfer(held, "dave")
        assert branch.head() == 3
        assert branch.record(3).metadata.actor == "eve"


def fail_in_saga(journal: Journal, undone: list[str]) -> None:
    with journal.saga("try") as saga:
        saga.register_undo("step", undone.append, "outside")
        journal.sessions.open("t")
        journal.sessions.claim("t", "dave")
        raise ValueError("no luck")


def test_a_saga_that_fails_is_undone_in_it(story: Journal) -> None:
    with story.what_if() as branch:
        undone: list[str] = []
        with pytest.raises(ValueError, match="no luck"):
            fail_in_saga(branch, undone)
        assert undone == ["outside"]
        assert "t" not in branch.owners
        assert branch.sagas.unfinished() == {}
    assert story.head() == 4


def test_a_saga_that_was_open_at_its_beginning_can_be_finished_in_it(journal: Journal) -> None:
    with journal.saga("work"):
        journal.sessions.open("s")
        journal.sessions.claim("s", "alice")
        position = journal.head()
    with journal.what_if(position) as branch:
        (saga_id,) = branch.sagas.unfinished()
        branch.sagas.compensate(saga_id)
        assert branch.sagas.unfinished() == {}
        assert "s" not in branch.owners
    assert "s" in journal.owners


def test_a_cursor_of_it_is_good_in_the_journal_only_up_to_where_it_began(story: Journal) -> None:
    with story.what_if(2) as branch:
        assert story.position_of(branch.cursor()) == 2
        branch.sessions.open("t")
        with pytest.raises(OtherPast):
            story.position_of(branch.cursor())
        assert branch.position_of(story.cursor(2)) == 2
        with pytest.raises(OtherPast):
            branch.position_of(story.cursor(3))
        with story.what_if(2) as other:
            other.sessions.open("t")
            with pytest.raises(OtherPast):
                other.position_of(branch.cursor())


def test_it_says_whose_branch_it_is(story: Journal) -> None:
    with story.what_if(2) as branch:
        assert branch.url == f"a branch of {story.url} at position 2"
        assert repr(branch) == f"<Branch: {branch.url}>"


def test_what_takes_a_journal_that_stands_alone_is_refused(story: Journal, tmp_path: Path) -> None:
    exported = list(story.export())
    with story.what_if(2) as branch, story.what_if(0) as empty:
        calls: list[Callable[[], Any]] = [
            lambda: branch.backup(tmp_path / "copy.db"),
            branch.replay,
            lambda: branch.import_export(exported),
            lambda: empty.import_export(exported),
        ]
        for call in calls:
            with pytest.raises(NotInBranch) as caught:
                call()
            assert caught.value.code == "not_in_branch"
        assert not list(tmp_path.glob("copy*"))
        assert owner(branch) == "alice"
        assert empty.head() == 0


def test_what_it_came_to_can_be_exported_and_made_a_journal(story: Journal) -> None:
    with story.what_if(2) as branch, Journal.open("memory://") as copy:
        branch.sessions.open("t")
        copy.import_export(branch.export())
        assert records_of(copy) == records_of(branch)
        assert tables_of(copy) == tables_of(branch)
        assert copy.verify().findings == ()


def test_it_is_followed_as_any_journal(story: Journal) -> None:
    with story.what_if(2) as branch, branch.follow() as following:
        branch.sessions.open("t")
        assert [next(following).id for _ in range(3)] == ["session-s@1", "session-s@2", "session-t@1"]


def test_it_never_rebuilds_its_tables_by_itself(story: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.projections.projection.FAR_BEHIND", 3)
    with story.what_if(1) as branch:
        for number in range(5):
            branch.sessions.open(f"t-{number}")
        assert len(branch.sessions) == 6
        assert branch._projector._may_rebuild is False


def test_a_closed_branch_says_so_and_leaves_the_journal_open(story: Journal) -> None:
    with story.what_if() as branch:
        branch.close()
        with pytest.raises(JournalClosed) as caught:
            branch.head()
        assert caught.value.path == branch.url
    branch.close()
    assert owner(story) == "carol"
    story.sessions.open("t")


def test_a_closed_journal_says_so_in_its_branches(url: str) -> None:
    with Journal.open(url) as journal:
        journal.sessions.open("s")
        journal.sessions.claim("s", "alice")
        branch = journal.what_if()
    with branch, pytest.raises(JournalClosed) as caught:
        list(branch.read())
    assert caught.value.path == journal.url


def test_a_closed_journal_has_no_branches(url: str) -> None:
    with Journal.open(url) as journal:
        pass
    with pytest.raises(JournalClosed):
        journal.what_if()


def test_a_journal_that_is_only_read_has_branches_too(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        journal.sessions.open("s")
        held = journal.sessions.claim("s", "alice")
        journal.sessions.transfer(held, "bob")
    with Journal.open(shared_url, read_only=True) as reader, reader.what_if(2) as branch:
        branch.sessions.transfer(held, "carol")
        with pytest.raises(AlreadyClaimed):
            branch.sessions.claim("s", "dave")
        branch.revert("session-s@3")
        assert owner(branch) == "alice"
        assert owner(reader) == "bob"
        assert branch.verify().findings == ()


def test_it_begins_at_a_moment_said_in_any_way(story: Journal) -> None:
    for moment in (2, "2", "HEAD~2", "session-s@2", story.at(2)):
        with story.what_if(moment) as branch:
            assert branch.base.position == 2
            assert branch.base.event == story.record(2)


def test_it_tells_what_is_otherwise_than_where_it_began(story: Journal) -> None:
    with story.what_if(without="session-s@4") as branch:
        (change,) = branch.changes(tables=["owners"])
        assert (change.key, change.columns) == ("s", ("owner", "generation"))
        assert change.was == {"owner": "carol", "generation": 3, "scope": '"session"', "status": "active"}
        assert change.now == {"owner": "bob", "generation": 4, "scope": '"session"', "status": "active"}
        assert (change.position, change.event_id) == (5, "session-s@5")
        assert branch.changes() == branch.diff(4, 5)
    with story.what_if() as branch:
        assert len(branch.changes()) == 0


def test_it_tells_what_is_otherwise_than_in_the_journal(story: Journal, clock: Clock) -> None:
    story.sessions.open("t")
    story.sessions.open("u")
    with story.what_if(3) as branch:
        clock.now += 1
        branch.sessions.open("u")
        branch.sessions.open("v")
        found = {each.key: each for each in branch.compare(story, tables=["owners"])}
    assert found.keys() == {"s", "t", "v"}
    assert (found["s"].in_branch, found["s"].in_journal) == (
        {"owner": "bob", "generation": 2, "scope": '"session"', "status": "active"},
        {"owner": "carol", "generation": 3, "scope": '"session"', "status": "active"},
    )
    assert (found["s"].branch_event, found["s"].journal_event) == (None, "session-s@4")
    assert found["s"].columns == ("owner", "generation")
    assert (found["t"].in_branch, found["t"].journal_event) == (None, "session-t@1")
    assert (found["v"].in_journal, found["v"].branch_event) == (None, "session-v@1")


def test_a_branch_in_which_the_same_was_done_differs_in_nothing(story: Journal, clock: Clock) -> None:
    with story.what_if(2) as branch:
        held = branch.sessions.transfer(story.record(2).event.outcome, "bob")
        branch.sessions.transfer(held, "carol")
        comparison = branch.compare(story)
    assert (comparison.base, comparison.branch_head, comparison.journal_head) == (2, 4, 4)
    assert list(comparison) == []
    assert str(comparison) == "nothing is otherwise in the branch than in the journal"


@given(before=UNDO_COMMANDS, after=UNDO_COMMANDS, share=st.floats(0, 1))
@settings(max_examples=drawn(10))
def test_what_it_tells_is_what_differs_between_the_whole_tables(
    before: list[Command], after: list[Command], share: float
) -> None:
    clock = Clock()
    with Journal.open("memory://", clock=clock) as journal:
        giver = UndoGiver(journal)
        for command in before:
            giver.give_any(command)
        with journal.what_if(round(share * journal.head())) as branch:
            clock.now += 1
            there = UndoGiver(branch)
            for command in after:
                there.give_any(command)
            told = {(each.table, each.key): (each.in_branch, each.in_journal) for each in branch.compare(journal)}
            assert told == whole_difference(branch, journal)


def whole_difference(branch: Journal, journal: Journal) -> dict[Any, Any]:
    found = {}
    for table in journal._store.tables:
        here, there = (
            {table.key_of(row): table.values_of(row[:-1]) for row in each._store.select(table, None)}
            for each in (branch, journal)
        )
        for key in {**here, **there}:
            if here.get(key) != there.get(key):
                found[table.name, key] = here.get(key), there.get(key)
    return found


def test_a_journal_that_it_did_not_begin_in_is_not_compared(story: Journal, clock: Clock) -> None:
    with story.what_if(2) as branch, Journal.open("memory://") as other, twin_of(story, 2, clock) as stranger:
        other.import_export(story.export())
        assert list(branch.compare(other)) == list(branch.compare(story))
        with pytest.raises(OtherPast):
            branch.compare(stranger)
        with pytest.raises(UnknownTable):
            branch.compare(story, tables=["nonsense"])
        with pytest.raises(InvalidArgument):
            branch.compare("a journal")  # type: ignore[arg-type]  # what it refuses


def test_what_came_later_stays_unseen_where_events_before_it_were_deleted(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        for number in range(1, 6):
            journal.sessions.open(f"s-{number}")
        journal.catch_up()
    edit(path, "DELETE FROM stored_events WHERE position=2")
    with Journal.open(f"sqlite:///{path}") as journal, journal.what_if(3) as branch:
        assert [record.position for record in branch.read()] == [1, 3]
        branch.sessions.open("t")
        assert [record.position for record in branch.read()] == [1, 3, 4]
        assert "positions 2 to 2 are missing" in [each.problem for each in branch.verify().findings]


def test_nothing_but_what_is_asked_for_is_read_of_the_journal(file_url: str) -> None:
    with Journal.open(file_url) as journal:
        few = statements_of_a_branch(journal, 10)
        many = statements_of_a_branch(journal, 400)
    assert few == many
    assert sum(rows for _, rows in many) < 40
    assert {str(statement).split()[0] for statement, _ in many} == {"SELECT"}


def statements_of_a_branch(journal: Journal, count: int) -> list[tuple[str, int]]:
    """What is read of a journal for a branch in which one command is given; and how many rows that answers."""
    for _ in range(count):
        number = journal.head()
        journal.sessions.open(f"s-{number}")
        journal.sessions.claim(f"s-{number}", "alice")
    journal.catch_up()
    seen: list[tuple[str, int]] = []
    recorder, store = journal.application.recorder, journal._store
    plain, rows, of_tables = recorder.fetch, recorder.select_rows, store.fetch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "fetch", lambda *asked: counted(seen, plain, *asked))
        patch.setattr(recorder, "select_rows", lambda *asked: counted(seen, rows, *asked))
        patch.setattr(store, "fetch", lambda *asked: counted(seen, of_tables, *asked))
        with journal.what_if() as branch:
            branch.sessions.transfer(branch.sessions.state("s-0").capability, "bob")  # type: ignore[arg-type]
            assert branch.owners["s-0"].owner == "bob"
            assert len(branch.changes()) == 2
    return seen


def counted(seen: list[tuple[str, int]], read: Callable[..., list[Any]], *asked: Any) -> list[Any]:
    rows = read(*asked)
    seen.append((asked[0], len(rows)))
    return rows


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_the_file_of_the_journal_is_not_touched(tmp_path: Path, when: str) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(f"sqlite:///{path}") as journal:
        journal.sessions.open("s")
        held = journal.sessions.claim("s", "alice")
        journal.catch_up()
    if when == "before":
        journal = Journal.open(f"sqlite:///{path}", read_only=True)
    else:
        journal = Journal.open(f"sqlite:///{path}")
        journal.catch_up()
    with journal:
        files = {each: each.read_bytes() for each in tmp_path.iterdir() if each.suffix != ".db-shm"}
        with journal.what_if() as branch:
            branch.sessions.transfer(held, "bob")
            branch.rollback("session-s", 0)
            branch.sessions.open("t")
            assert branch.verify().findings == ()
        assert {each: each.read_bytes() for each in files} == files


def test_many_threads_give_commands_in_it(story: Journal) -> None:
    with story.what_if(2) as branch, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: branch.sessions.open(f"t-{number}"), range(60)))
        assert len(branch.sessions) == 61
        assert [record.position for record in branch.read()] == list(range(1, 63))
        assert branch.verify().findings == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_was_forked_is_refused(story: Journal) -> None:
    with story.what_if() as branch:
        child = os.fork()
        if not child:
            status = 1
            try:
                branch.sessions.open("t")
            except JournalForked:
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        branch.sessions.open("t")
    assert "t" not in story.sessions
